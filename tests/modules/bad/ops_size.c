/* SPDX-License-Identifier: BSD-2-Clause */
/* ops_size.c - the functions of its role forgot to say their size. */
#include "bad.h"

static const struct sg_access_ops sizeless = { .request = bad_request };

const struct sg_module sg_module = {
    SG_MODULE_HEAD("ops_size"),
    .access = &sizeless,
};
