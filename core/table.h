/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - the journal of one worker, as it lies in shared memory and in the runtime directory.
 *
 *   NAME.table   the worker writes, everybody else reads:   head | ring of events | records
 *   NAME.acks    the logger writes, everybody else reads:   for each log, how far into the ring it has written
 *
 * The ring holds, in order, which record has something due: its session_start, its last event, or, when the record is no
 * session's, the one event that it is. A slot is free again
 * only when every log has written the last event of the session that was in it. So whoever dies, nothing is lost: what is
 * in the table and not behind the acknowledged place in the ring has yet to be written.
 *
 * The worker may be killed between any two instructions, and may be somebody's prisoner: the logger checks each number.
 */
#ifndef SG_TABLE_H
#define SG_TABLE_H

#include "record.h"

#define SG_TABLE_MAGIC 0x5347746cu
#define SG_TABLE_NAMES_SIZE 65536
#define SG_TABLE_SLOTS_MAX (1u << 20)
#define SG_TABLE_LOGS_MAX 8
/* In the lower half of the id of RECORDS_LOST: no session's counter comes so far. */
#define SG_TABLE_ID_LOST ((uint64_t)1 << 47)

/* What was there in layout 1 stays where it is. */
struct sg_table_head {
    uint32_t magic, layout; /* SG_RECORD_LAYOUT */
    uint32_t record_size, n_slots;
    uint32_t ring_size; /* entries, a power of two, at least 2 * n_slots */
    uint32_t n_names;
    uint64_t epoch;                  /* of the master's start: another one means that everything has died since */
    int64_t pid, born;               /* the worker, and when it was born in the kernel's ticks; 0: not yet there */
    _Atomic uint64_t put;            /* entries that were ever put into the ring */
    char names[SG_TABLE_NAMES_SIZE]; /* n_names strings, each with its NUL */
    _Atomic uint64_t unrecorded;     /* events for which there was no room */
    _Atomic uint32_t closed;         /* its writer will put nothing into it any more */
};

/* An entry of the ring: the slot, eleven bits of its `use`, and whether it is the last event. */
#define SG_TABLE_ENTRY(slot, use, last) ((slot) << 12 | ((use)&0x7ffu) << 1 | (last))
#define SG_TABLE_ENTRY_SLOT(entry) ((entry) >> 12)
#define SG_TABLE_ENTRY_USE(entry) ((entry) >> 1 & 0x7ffu)
#define SG_TABLE_ENTRY_LAST(entry) (((entry)&1u) != 0)

/* How far a log has come with a table. */
struct sg_table_place {
    uint64_t done;       /* entries of the ring that are dealt with */
    uint64_t lost;       /* events that were given up, and not told of yet */
    uint64_t unrecorded; /* of those that the worker had no room for: told of */
    uint32_t slots;      /* of a dead worker: dealt with */
    uint32_t tellings;   /* how often something lost was told of */
};

/* A place changes as a whole, whenever its writer is killed: the other of the two is written, then `which`. */
struct sg_table_log {
    char name[64]; /* of the log's instance; "": free */
    _Atomic uint32_t which;
    struct sg_table_place places[2];
};

/* As it was in layout 1. */
struct sg_table_log_old {
    char name[64];
    _Atomic uint64_t done;
    _Atomic uint32_t slots;
};

struct sg_table_acks {
    uint32_t magic;
    _Atomic uint32_t refusing; /* a log that must not be missed cannot be written: take no new session */
    _Atomic uint64_t done;     /* entries that every log has dealt with */
    struct sg_table_log_old old[SG_TABLE_LOGS_MAX]; /* a file of layout 1 ends behind them */
    struct sg_table_log logs[SG_TABLE_LOGS_MAX];
};

/* Where the parts lie. */
static inline size_t
sg_table_ring_at(void)
{
    return (sizeof(struct sg_table_head) + 4095) & ~(size_t)4095;
}

static inline size_t
sg_table_records_at(uint32_t ring_size)
{
    return (sg_table_ring_at() + ring_size * sizeof(uint32_t) + 4095) & ~(size_t)4095;
}

static inline size_t
sg_table_size(uint32_t n_slots, uint32_t ring_size)
{
    return sg_table_records_at(ring_size) + (size_t)n_slots * SG_RECORD_SIZE;
}

#endif
