/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_major.c - made for another major version of the ABI. */
#include "bad.h"

const struct sg_module sg_module = {
    .magic = SG_MODULE_MAGIC,
    .abi_major = SG_ABI_MAJOR + 1,
    .abi_minor = SG_ABI_MINOR,
    .size = sizeof(struct sg_module),
    .conf_item_size = sizeof(struct sg_conf_item),
    .name = "abi_major",
    .access = &bad_access,
};
