/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts.c - the names of /etc/hosts.
 */
#include <stddef.h>
