/* SPDX-License-Identifier: BSD-2-Clause */
/* crash_request.c - a request for port 7778 crashes its worker. */
#include <signal.h>

#include <sockgate/module.h>

#define CRASH_PORT 7778

static enum sg_verdict
crash_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    (void)inst, (void)s, (void)decision;
    if (req->port == CRASH_PORT)
        (void)raise(SIGSEGV);
    return SG_DECLINED;
}

static const struct sg_access_ops crash_access = { .size = sizeof crash_access, .request = crash_request };

const struct sg_module sg_module = { SG_MODULE_HEAD("crash_request"), .access = &crash_access };
