/* SPDX-License-Identifier: BSD-2-Clause */
/* slot_too_late.c: a timer that outlives the session writes to its slot. */
#include <sockgate/module.h>

struct late_slot {
    unsigned seconds;
};

static void
late_fire(struct sg_instance *inst, struct sg_session *s, void *arg)
{
    struct late_slot *slot = arg;

    (void)inst, (void)s;
    slot->seconds++;
}

static enum sg_verdict
late_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    struct late_slot *slot = sg_session_slot(inst, s);

    (void)decision;
    if (!slot || !sg_timer_start(inst, NULL, 20, late_fire, slot))
        return SG_ERROR;
    return SG_OK;
}

static const struct sg_access_ops late_access = { .size = sizeof late_access, .client = late_client };

const struct sg_module sg_module = { SG_MODULE_HEAD("slot_too_late"), .session_size = sizeof(struct late_slot),
                                     .access = &late_access };
