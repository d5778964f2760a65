/* SPDX-License-Identifier: BSD-2-Clause */
/* magic.c - the first four octets are not ours. */
#include "bad.h"

const struct sg_module sg_module = {
    .magic = 0x12345678u,
    .abi_major = SG_ABI_MAJOR,
    .abi_minor = SG_ABI_MINOR,
    .size = sizeof(struct sg_module),
    .conf_item_size = sizeof(struct sg_conf_item),
    .name = "magic",
    .access = &bad_access,
};
