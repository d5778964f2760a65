/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve_cache.c - answers that are known.
 */
#include <stddef.h>
