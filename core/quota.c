/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quota.c - counters of who has how many.
 */
#include "quota.h"

#include <sodium.h>
#include <string.h>

#include "worker.h"

#define OCTETS_MAX 255

/* Which column in which row. A value that is taken has the highest bit, so that none is 0. */
#define TAKEN 0x80000000u
#define ROW_BITS 13
_Static_assert(SG_QUOTA_COLUMNS == 1 << ROW_BITS && SG_QUOTA_ROWS * ROW_BITS < 31, "a quota is one word");
_Static_assert(SG_QUOTA_KEY == crypto_shorthash_KEYBYTES, "the key of SipHash");

static uint32_t
quota_column(sg_quota quota, unsigned row)
{
    return quota >> row * ROW_BITS & (SG_QUOTA_COLUMNS - 1);
}

static sg_quota
quota_of(enum sg_quota_kind kind, const void *octets, size_t len)
{
    uint8_t who[1 + OCTETS_MAX] = { (uint8_t)kind };
    uint8_t hash[crypto_shorthash_BYTES];
    uint32_t word;

    len = len < OCTETS_MAX ? len : OCTETS_MAX;
    memcpy(who + 1, octets, len);
    (void)crypto_shorthash(hash, who, 1 + len, sg_worker_boot()->quota_key);
    memcpy(&word, hash, sizeof word);
    return TAKEN | (word & ~TAKEN);
}

static _Atomic uint16_t *
quota_count(struct sg_worker_status *status, sg_quota quota, unsigned row)
{
    return &status->quotas.counts[row][quota_column(quota, row)];
}

/* In all workers together. */
static uint32_t
quota_sum(sg_quota quota)
{
    const struct sg_worker_boot *boot = sg_worker_boot();
    struct sg_worker_status *all = boot->status - boot->number;
    uint32_t least = UINT32_MAX;

    for (unsigned row = 0; row < SG_QUOTA_ROWS; row++) {
        uint32_t sum = 0;

        for (unsigned i = 0; i < boot->n_workers; i++)
            sum += atomic_load_explicit(quota_count(&all[i], quota, row), memory_order_relaxed);
        least = sum < least ? sum : least;
    }
    return least;
}

static void
quota_add(sg_quota quota, int n)
{
    for (unsigned row = 0; row < SG_QUOTA_ROWS; row++)
        atomic_fetch_add_explicit(quota_count(sg_worker_boot()->status, quota, row), (uint16_t)n, memory_order_relaxed);
}

bool
sg_quota_take(enum sg_quota_kind kind, const void *octets, size_t len, uint32_t most, sg_quota *taken_out)
{
    *taken_out = 0;
    if (most == 0)
        return true;
    *taken_out = quota_of(kind, octets, len);
    /* Counted before it is looked at: two that come at once may both be refused, but are never both let in. */
    quota_add(*taken_out, 1);
    if (quota_sum(*taken_out) <= most)
        return true;
    sg_quota_give(taken_out);
    return false;
}

void
sg_quota_give(sg_quota *taken)
{
    if (*taken != 0)
        quota_add(*taken, -1);
    *taken = 0;
}
