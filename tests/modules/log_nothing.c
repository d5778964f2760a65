/* SPDX-License-Identifier: BSD-2-Clause */
/* log_nothing.c - a log that writes nothing: what is left is what the journal and the logger's own work cost. */
#include <sockgate/module.h>

static int
nothing_event(struct sg_instance *inst, const struct sg_event_info *event)
{
    (void)inst, (void)event;
    return 0;
}

static int
nothing_commit(struct sg_instance *inst)
{
    (void)inst;
    return 0;
}

static const struct sg_log_ops nothing_log = {
    .size = sizeof nothing_log,
    .event = nothing_event,
    .commit = nothing_commit,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("log_nothing"), .log = &nothing_log };
