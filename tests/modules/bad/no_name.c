/* SPDX-License-Identifier: BSD-2-Clause */
/* no_name.c - a descriptor without a name. */
#include "bad.h"

const struct sg_module sg_module = {
    .magic = SG_MODULE_MAGIC,
    .abi_major = SG_ABI_MAJOR,
    .abi_minor = SG_ABI_MINOR,
    .size = sizeof(struct sg_module),
    .conf_item_size = sizeof(struct sg_conf_item),
    .name = NULL,
    .access = &bad_access,
};
