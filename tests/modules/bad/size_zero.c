/* SPDX-License-Identifier: BSD-2-Clause */
/* size_zero.c - a descriptor that says it has no octets. */
#include "bad.h"

const struct sg_module sg_module = {
    .magic = SG_MODULE_MAGIC,
    .abi_major = SG_ABI_MAJOR,
    .abi_minor = SG_ABI_MINOR,
    .size = 0,
    .conf_item_size = sizeof(struct sg_conf_item),
    .name = "size_zero",
    .access = &bad_access,
};
