/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - the journal of one worker, as it lies in shared memory and in the runtime directory.
 *
 *   NAME.table   the worker writes, everybody else reads:   head | ring of events | records
 *   NAME.acks    the logger writes, everybody else reads:   for each log, how far into the ring it has written
 *
 * The ring holds, in order, which record has something due: its session_start or its last event. A slot is free again
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

struct sg_table_head {
    uint32_t magic, layout; /* SG_RECORD_LAYOUT */
    uint32_t record_size, n_slots;
    uint32_t ring_size; /* entries, a power of two, at least 2 * n_slots */
    uint32_t n_names;
    uint64_t epoch;                  /* of the master's start: another one means that everything has died since */
    int64_t pid, born;               /* the worker, and when it was born in the kernel's ticks; 0: not yet there */
    _Atomic uint64_t put;            /* entries that were ever put into the ring */
    char names[SG_TABLE_NAMES_SIZE]; /* n_names strings, each with its NUL */
};

/* An entry of the ring: the slot, eleven bits of its `use`, and whether it is the last event. */
#define SG_TABLE_ENTRY(slot, use, last) ((slot) << 12 | ((use)&0x7ffu) << 1 | (last))
#define SG_TABLE_ENTRY_SLOT(entry) ((entry) >> 12)
#define SG_TABLE_ENTRY_USE(entry) ((entry) >> 1 & 0x7ffu)
#define SG_TABLE_ENTRY_LAST(entry) (((entry)&1u) != 0)

struct sg_table_log {
    char name[64];              /* of the log's instance; "": free */
    _Atomic uint64_t done;      /* entries of the ring that are written */
    _Atomic uint32_t lost_done; /* slots of a dead worker that are dealt with */
};

struct sg_table_acks {
    uint32_t magic;
    _Atomic uint32_t refusing; /* a log that must not be missed cannot be written: take no new session */
    _Atomic uint64_t done;     /* entries that every log has written */
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
