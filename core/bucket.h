/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket.h - how much may pass when so much a second is allowed: a bucket that fills with time. Pure functions; what time
 * it is, the caller says.
 *
 *   debt ...... 0 ............. enough ............. full
 *   nothing passes until there is "enough"   |   a twentieth, a tenth of a second's worth; 2 KiB, 4 KiB at least
 *
 * "Enough", so that a slow flow moves in pieces that are worth their system calls.
 */
#ifndef SG_BUCKET_H
#define SG_BUCKET_H

#include <stddef.h>
#include <stdint.h>

struct sg_bucket {
    uint32_t rate;     /* octets a second; 0: no limit, and no bucket */
    int64_t level;     /* millionths of an octet, so that nothing is lost by rounding; below 0: debt */
    int64_t filled_us; /* until when it is filled; monotonic */
};

/* A full one. Of one that exists the limit changes, and what is owed stays. */
void sg_bucket_set(struct sg_bucket *bucket, uint32_t rate, int64_t now_us);
/* Octets that may pass; 0: not before sg_bucket_due_us(). */
size_t sg_bucket_allows(struct sg_bucket *bucket, int64_t now_us);
/* The same without a look at the clock or at what is enough: what is in it. */
size_t sg_bucket_level(const struct sg_bucket *bucket);
/* They have passed; more than were allowed become a debt. */
void sg_bucket_take(struct sg_bucket *bucket, size_t len);
/* When something may pass again; may be in the past. */
int64_t sg_bucket_due_us(const struct sg_bucket *bucket);

#endif
