/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wipe.c - memcpy() takes octets through registers of its own, of which it has other ones for each span of lengths and which
 * hardly anybody else uses: what went through last stays there, for minutes when the process waits. So nothing is sent the
 * same ways.
 */
#include "wipe.h"

#include <string.h>

#include <sodium.h>

#define WIPE_MOST ((size_t)1536)

void
sg_wipe(void *octets, size_t n)
{
    static const unsigned char nothing[WIPE_MOST];
    unsigned char away[WIPE_MOST];

    sodium_memzero(octets, n);
    /* Spans end at powers of two: one length in each. Volatile, or it would be copied without memcpy(). */
    for (volatile size_t size = 3; size <= WIPE_MOST; size *= 2) {
        memcpy(away, nothing, size);
        __asm__ volatile("" : : "r"(away) : "memory");
    }
}
