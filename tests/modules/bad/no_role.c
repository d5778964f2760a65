/* SPDX-License-Identifier: BSD-2-Clause */
/* no_role.c - does nothing at all. */
#include <sockgate/module.h>

const struct sg_module sg_module = { SG_MODULE_HEAD("no_role") };
