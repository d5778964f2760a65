/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.c - sockgatectl explain.
 */
#include <stddef.h>
