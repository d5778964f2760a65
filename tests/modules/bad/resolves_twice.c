/* SPDX-License-Identifier: BSD-2-Clause */
/* resolves_twice.c: ends its handle, and ends it again. */
#include <sockgate/module.h>

static enum sg_verdict
twice_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    struct sg_pending *pending = sg_pending_new(inst, s);

    (void)req, (void)decision;
    if (!pending)
        return SG_ERROR;
    sg_pending_resolve(pending, SG_OK);
    sg_pending_resolve(pending, SG_DENY);
    return SG_AGAIN;
}

static const struct sg_access_ops twice_access = { .size = sizeof twice_access, .request = twice_request };

const struct sg_module sg_module = { SG_MODULE_HEAD("resolves_twice"), .access = &twice_access };
