/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wipe.h - an end to what was secret.
 */
#ifndef SG_WIPE_H
#define SG_WIPE_H

#include <stddef.h>

/* Zeroes them, and the registers through which they were copied: a core shows these too. */
void sg_wipe(void *octets, size_t n);

#endif
