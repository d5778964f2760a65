/* SPDX-License-Identifier: BSD-2-Clause */
/* crash_start.c - crashes every worker that starts it: a generation that must not become current. */
#include <signal.h>

#include <sockgate/module.h>

static int
crash_start(struct sg_instance *inst, enum sg_process process)
{
    (void)inst;
    if (process == SG_PROCESS_WORKER)
        (void)raise(SIGSEGV);
    return 0;
}

static enum sg_verdict
crash_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    (void)inst, (void)s, (void)req, (void)decision;
    return SG_DECLINED;
}

static const struct sg_access_ops crash_access = { .size = sizeof crash_access, .request = crash_request };

const struct sg_module sg_module = {
    SG_MODULE_HEAD("crash_start"),
    .start = crash_start,
    .access = &crash_access,
};
