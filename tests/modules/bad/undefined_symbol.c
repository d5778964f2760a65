/* SPDX-License-Identifier: BSD-2-Clause */
/* undefined_symbol.c - needs a function that nobody has. */
#include "bad.h"

void sg_no_such_function(struct sg_instance *inst);

static int
undefined_init(struct sg_instance *inst)
{
    sg_no_such_function(inst);
    return 0;
}

const struct sg_module sg_module = {
    SG_MODULE_HEAD("undefined_symbol"),
    .init = undefined_init,
    .access = &bad_access,
};
