/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.c - names to addresses.
 */
#include <stddef.h>
