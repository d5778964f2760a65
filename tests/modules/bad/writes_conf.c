/* SPDX-License-Identifier: BSD-2-Clause */
/* writes_conf.c: counts in its settings. */
#include <stdint.h>

#include <sockgate/module.h>

struct writes_conf {
    int64_t count;
};

static const struct sg_conf_item writes_items[] = {
    { .name = "count", .type = SG_CONF_INT, .offset = offsetof(struct writes_conf, count), .def = "0" },
    { .name = NULL },
};

static enum sg_verdict
writes_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    struct writes_conf *conf = (struct writes_conf *)(uintptr_t)sg_instance_conf(inst);

    (void)s, (void)decision;
    conf->count++;
    return SG_OK;
}

static const struct sg_access_ops writes_access = { .size = sizeof writes_access, .client = writes_client };

const struct sg_module sg_module = { SG_MODULE_HEAD("writes_conf"), .conf = writes_items,
                                     .conf_size = sizeof(struct writes_conf), .access = &writes_access };
