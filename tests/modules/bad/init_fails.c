/* SPDX-License-Identifier: BSD-2-Clause */
/* init_fails.c - says why it cannot start: two reasons. */
#include "bad.h"

static int
fails_init(struct sg_instance *inst)
{
    sg_conf_error(inst, NULL, "the first reason is %d", 1);
    sg_conf_error(inst, NULL, "the second reason is %d", 2);
    return -1;
}

const struct sg_module sg_module = {
    SG_MODULE_HEAD("init_fails"),
    .init = fails_init,
    .access = &bad_access,
};
