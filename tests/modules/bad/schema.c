/* SPDX-License-Identifier: BSD-2-Clause */
/* schema.c - a table of settings that reaches beyond its struct. */
#include "bad.h"

struct schema_conf {
    int64_t number;
};

static const struct sg_conf_item schema_items[] = {
    { .name = "number", .type = SG_CONF_INT, .offset = offsetof(struct schema_conf, number) },
    { .name = "beyond", .type = SG_CONF_INT, .offset = sizeof(struct schema_conf) },
    { .name = NULL },
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("schema"),
    .conf = schema_items,
    .conf_size = sizeof(struct schema_conf),
    .access = &bad_access,
};
