/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket.c - so much a second.
 */
#include "bucket.h"

#define BUCKET_FULL_MIN 4096
/* The level is in these: a microsecond brings `rate` of them. */
#define BUCKET_OCTET 1000000

static int64_t
bucket_full(const struct sg_bucket *bucket)
{
    const int64_t tenth = bucket->rate / 10;

    return (tenth > BUCKET_FULL_MIN ? tenth : BUCKET_FULL_MIN) * BUCKET_OCTET;
}

static int64_t
bucket_enough(const struct sg_bucket *bucket)
{
    return bucket_full(bucket) / 2;
}

static void
bucket_fill(struct sg_bucket *bucket, int64_t now_us)
{
    const int64_t room = bucket_full(bucket) - bucket->level, passed_us = now_us - bucket->filled_us;

    bucket->level += passed_us > room / bucket->rate ? room : passed_us * bucket->rate;
    bucket->filled_us = now_us;
}

void
sg_bucket_set(struct sg_bucket *bucket, uint32_t rate, int64_t now_us)
{
    const int64_t debt = bucket->rate != 0 && bucket->level < 0 ? bucket->level : 0;

    bucket->rate = rate;
    bucket->level = debt < 0 ? debt : bucket_full(bucket);
    bucket->filled_us = now_us;
}

size_t
sg_bucket_level(const struct sg_bucket *bucket)
{
    return bucket->level > 0 ? (size_t)(bucket->level / BUCKET_OCTET) : 0;
}

size_t
sg_bucket_allows(struct sg_bucket *bucket, int64_t now_us)
{
    bucket_fill(bucket, now_us);
    return bucket->level >= bucket_enough(bucket) ? sg_bucket_level(bucket) : 0;
}

void
sg_bucket_take(struct sg_bucket *bucket, size_t len)
{
    bucket->level -= (int64_t)len * BUCKET_OCTET;
}

int64_t
sg_bucket_due_us(const struct sg_bucket *bucket)
{
    const int64_t missing = bucket_enough(bucket) - bucket->level;

    return bucket->filled_us + (missing > 0 ? (missing + bucket->rate - 1) / bucket->rate : 0);
}
