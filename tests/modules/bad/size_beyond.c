/* SPDX-License-Identifier: BSD-2-Clause */
/* size_beyond.c - a descriptor that says it is longer than it is. */
#include "bad.h"

const struct sg_module sg_module = {
    .magic = SG_MODULE_MAGIC,
    .abi_major = SG_ABI_MAJOR,
    .abi_minor = SG_ABI_MINOR,
    .size = sizeof(struct sg_module) + 4096,
    .conf_item_size = sizeof(struct sg_conf_item),
    .name = "size_beyond",
    .access = &bad_access,
};
