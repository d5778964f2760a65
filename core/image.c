/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.c - files that all workers share.
 */
#include <stddef.h>
