/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c - policy tests of a configuration.
 */
#include <stddef.h>
