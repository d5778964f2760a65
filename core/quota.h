/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quota.h - how many of something a user or a client has, counted over all workers of a generation.
 *
 * Each worker counts its own into two rows of counters in the page that it shares with the others: which ones is decided
 * by a keyed hash of who it is. The smaller of the two sums is how many there are; only two others who share both counters
 * with somebody, one in each row, could make it too many. What a worker counted is gone with the worker.
 */
#ifndef SG_QUOTA_H
#define SG_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SG_QUOTA_ROWS 2
#define SG_QUOTA_COLUMNS 8192
#define SG_QUOTA_KEY 16 /* octets */

struct sg_quotas {
    _Atomic uint16_t counts[SG_QUOTA_ROWS][SG_QUOTA_COLUMNS];
};

/* What was taken, to be given back; 0: nothing. */
typedef uint32_t sg_quota;

enum sg_quota_kind { SG_QUOTA_USER = 1, SG_QUOTA_CLIENT = 2 };

/* One more for whom the octets name, if he has less than `most` (0: no limit). False: he has that many. */
bool sg_quota_take(enum sg_quota_kind kind, const void *octets, size_t len, uint32_t most, sg_quota *taken_out);
void sg_quota_give(sg_quota *taken);

#endif
