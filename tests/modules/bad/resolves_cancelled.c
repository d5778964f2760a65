/* SPDX-License-Identifier: BSD-2-Clause */
/* resolves_cancelled.c: does not care that its answer is no longer wanted. */
#include <sockgate/module.h>

static void
cancelled_fire(struct sg_instance *inst, struct sg_session *s, void *arg)
{
    (void)inst, (void)s;
    sg_pending_resolve(arg, SG_OK);
}

static enum sg_verdict
cancelled_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
                  struct sg_decision *decision)
{
    struct sg_pending *pending = sg_pending_new(inst, s);

    (void)req, (void)decision;
    /* A timer of its own, which the end of the session does not stop. */
    if (!pending || !sg_timer_start(inst, NULL, 100, cancelled_fire, pending))
        return SG_ERROR;
    return SG_AGAIN;
}

static void
cancelled_cancel(struct sg_instance *inst, struct sg_pending *pending)
{
    (void)inst, (void)pending;
}

static const struct sg_access_ops cancelled_access = { .size = sizeof cancelled_access, .request = cancelled_request };

const struct sg_module sg_module = { SG_MODULE_HEAD("resolves_cancelled"), .cancel = cancelled_cancel,
                                     .access = &cancelled_access };
