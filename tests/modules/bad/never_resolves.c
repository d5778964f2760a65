/* SPDX-License-Identifier: BSD-2-Clause */
/* never_resolves.c: makes a handle and forgets it. */
#include <sockgate/module.h>

static enum sg_verdict
never_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    (void)req, (void)decision;
    return sg_pending_new(inst, s) ? SG_AGAIN : SG_ERROR;
}

static const struct sg_access_ops never_access = { .size = sizeof never_access, .request = never_request };

const struct sg_module sg_module = { SG_MODULE_HEAD("never_resolves"), .access = &never_access };
