/* SPDX-License-Identifier: BSD-2-Clause */
/* init_silent.c - cannot start and does not say why. */
#include "bad.h"

static int
silent_init(struct sg_instance *inst)
{
    (void)inst;
    return -1;
}

const struct sg_module sg_module = {
    SG_MODULE_HEAD("init_silent"),
    .init = silent_init,
    .access = &bad_access,
};
