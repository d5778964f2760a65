/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks_slot.c: does not free what its slot holds. */
#include <stdlib.h>

#include <sockgate/module.h>

struct leaks_slot {
    char *note;
};

static enum sg_verdict
leaks_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    struct leaks_slot *slot = sg_session_slot(inst, s);

    (void)decision;
    if (!slot)
        return SG_ERROR;
    slot->note = calloc(1, 100);
    return slot->note ? SG_OK : SG_ERROR;
}

static void
leaks_session_end(struct sg_instance *inst, struct sg_session *s)
{
    (void)inst, (void)s;
}

static const struct sg_access_ops leaks_access = { .size = sizeof leaks_access, .client = leaks_client };

const struct sg_module sg_module = { SG_MODULE_HEAD("leaks_slot"), .session_size = sizeof(struct leaks_slot),
                                     .session_end = leaks_session_end, .access = &leaks_access };
