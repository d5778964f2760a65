/* SPDX-License-Identifier: BSD-2-Clause */
/* no_function.c - has a role, and no function in it. */
#include <sockgate/module.h>

static const struct sg_access_ops nothing = { .size = sizeof nothing };

const struct sg_module sg_module = { SG_MODULE_HEAD("no_function"), .access = &nothing };
