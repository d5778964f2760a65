/* SPDX-License-Identifier: BSD-2-Clause */
/* item_size.c - rows of settings that are not as long as ours. */
#include "bad.h"

const struct sg_module sg_module = {
    .magic = SG_MODULE_MAGIC,
    .abi_major = SG_ABI_MAJOR,
    .abi_minor = SG_ABI_MINOR,
    .size = sizeof(struct sg_module),
    .conf_item_size = sizeof(struct sg_conf_item) - 8,
    .name = "item_size",
    .access = &bad_access,
};
