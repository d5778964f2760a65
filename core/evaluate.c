/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evaluate.c - what the core makes of access verdicts, for the session and for who only asks.
 */
#include <stddef.h>
