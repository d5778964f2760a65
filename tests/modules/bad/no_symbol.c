/* SPDX-License-Identifier: BSD-2-Clause */
/* no_symbol.c - a shared object, but no module. */
#include <sockgate/module.h>

extern SG_EXPORT const int sg_modul;

const int sg_modul = 1;
