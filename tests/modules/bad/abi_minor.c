/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_minor.c - made for another minor version of the ABI. */
#include "bad.h"

const struct sg_module sg_module = {
    .magic = SG_MODULE_MAGIC,
    .abi_major = SG_ABI_MAJOR,
    .abi_minor = SG_ABI_MINOR + 1,
    .size = sizeof(struct sg_module),
    .conf_item_size = sizeof(struct sg_conf_item),
    .name = "abi_minor",
    .access = &bad_access,
};
