/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal.c - a table's maker and its worker.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"

/* A logger that has not written for so long, although there was something, counts as dead. */
#define JOURNAL_STALLED_MS 2000

static struct {
    struct sg_table_head *head;
    const struct sg_table_acks *acks; /* NULL: nobody reads */
    uint32_t *ring;
    char *records;
    int bell;
    bool strict, due;                /* due: there is something since the last bell */
    uint64_t reclaimed;              /* entries of the ring whose slots are back */
    uint64_t seen_done;              /* what acks->done was when it was last looked at */
    int64_t seen_at_ms;              /* when it was seen to move, or had to begin to */
    uint64_t epoch, serial, counter; /* of ids */
    uint32_t *free;
    size_t n_free, n_events, max_events; /* events: not yet written */
    struct sg_record *nowhere;
} journal;

/* ---- making a table */

static uint32_t
journal_ring_size(size_t n_slots)
{
    uint32_t size = 64;

    while (size < n_slots * 2)
        size *= 2;
    return size;
}

/* One of the two files, of that size, and a second descriptor that can only read it. */
static int
journal_file(int dir, const char *name, const char *suffix, size_t size, int *write_out, int *read_out)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s.%s", name, suffix);
    *read_out = -1;
    *write_out = openat(dir, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*write_out == -1 || posix_fallocate(*write_out, 0, (off_t)size) != 0)
        return -1;
    *read_out = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return *read_out == -1 ? -1 : 0;
}

/* The strings that fit. */
static uint32_t
journal_put_names(char *to, const char *const *names, size_t n_names)
{
    size_t used = 0;
    uint32_t n = 0;

    for (; n < n_names && used + strlen(names[n]) + 1 <= SG_TABLE_NAMES_SIZE; n++) {
        memcpy(to + used, names[n], strlen(names[n]) + 1);
        used += strlen(names[n]) + 1;
    }
    return n;
}

static int
journal_write_head(int fd, size_t n_slots, uint64_t epoch, const char *const *names, size_t n_names)
{
    struct sg_table_head *head = calloc(1, sizeof *head);
    ssize_t n = -1;

    if (head == NULL)
        return -1;
    head->magic = SG_TABLE_MAGIC;
    head->layout = SG_RECORD_LAYOUT;
    head->record_size = SG_RECORD_SIZE;
    head->n_slots = (uint32_t)n_slots;
    head->ring_size = journal_ring_size(n_slots);
    head->epoch = epoch;
    head->n_names = journal_put_names(head->names, names, n_names);
    n = pwrite(fd, head, sizeof *head, 0);
    free(head);
    return n == (ssize_t)sizeof *head ? 0 : -1;
}

int
sg_journal_create(int dir, const char *name, size_t n_slots, uint64_t epoch, const char *const *names, size_t n_names,
                  struct sg_journal_fds *fds_out, struct sg_journal_fds *logger_fds_out)
{
    const size_t size = sg_table_size((uint32_t)n_slots, journal_ring_size(n_slots));
    const uint32_t magic = SG_TABLE_MAGIC;

    *fds_out = *logger_fds_out = (struct sg_journal_fds){ -1, -1, -1 };
    if (journal_file(dir, name, "acks", sizeof(struct sg_table_acks), &logger_fds_out->acks, &fds_out->acks) == -1 ||
        pwrite(logger_fds_out->acks, &magic, sizeof magic, 0) != (ssize_t)sizeof magic ||
        journal_file(dir, name, "table", size, &fds_out->table, &logger_fds_out->table) == -1)
        return -1;
    return journal_write_head(fds_out->table, n_slots, epoch, names, n_names);
}

/* ---- the worker */

static int
journal_map(const struct sg_journal_fds *fds, size_t n_slots)
{
    const uint32_t ring_size = journal_ring_size(n_slots);
    const size_t size = sg_table_size((uint32_t)n_slots, ring_size);
    const int flags = fds->table == -1 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    char *table = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fds->table, 0);
    const void *acks = NULL;

    if (table == MAP_FAILED)
        return -1;
    if (fds->acks != -1)
        acks = mmap(NULL, sizeof(struct sg_table_acks), PROT_READ, MAP_SHARED, fds->acks, 0);
    if (acks == MAP_FAILED) {
        (void)munmap(table, size);
        return -1;
    }
    journal.head = (struct sg_table_head *)(void *)table;
    journal.acks = acks;
    if (fds->table == -1) {
        journal.head->n_slots = (uint32_t)n_slots;
        journal.head->ring_size = ring_size;
    }
    journal.ring = (uint32_t *)(void *)(table + sg_table_ring_at());
    journal.records = table + sg_table_records_at(ring_size);
    return 0;
}

static struct sg_record *
journal_record(uint32_t slot)
{
    return (struct sg_record *)(void *)(journal.records + (size_t)slot * SG_RECORD_SIZE);
}

int
sg_journal_open(const struct sg_journal_boot *boot)
{
    const size_t n_slots = boot->n_slots;

    sg_journal_close();
    if (journal_map(&boot->fds, n_slots) == -1)
        return -1;
    journal.bell = boot->fds.bell;
    journal.strict = boot->strict;
    journal.max_events = boot->n_events;
    journal.epoch = boot->epoch;
    journal.serial = boot->serial;
    journal.free = calloc(n_slots, sizeof *journal.free);
    journal.nowhere = calloc(1, SG_RECORD_SIZE);
    if (journal.free == NULL || journal.nowhere == NULL)
        return -1;
    /* The lowest slots last, so that they are taken first: pages that were never touched cost nothing. */
    for (journal.n_free = 0; journal.n_free < n_slots; journal.n_free++)
        journal.free[journal.n_free] = (uint32_t)(n_slots - 1 - journal.n_free);
    journal.reclaimed = journal.seen_done = 0;
    journal.seen_at_ms = sg_mono_ms();
    return 0;
}

void
sg_journal_end(void)
{
    if (journal.head != NULL)
        atomic_store_explicit(&journal.head->closed, 1, memory_order_release);
}

void
sg_journal_close(void)
{
    if (journal.head == NULL)
        return;
    if (journal.acks != NULL)
        (void)munmap((void *)(uintptr_t)journal.acks, sizeof *journal.acks);
    (void)munmap(journal.head, sg_table_size(journal.head->n_slots, journal.head->ring_size));
    free(journal.free);
    free(journal.nowhere);
    memset(&journal, 0, sizeof journal);
}

static void
journal_reclaim(void)
{
    const uint64_t put = atomic_load_explicit(&journal.head->put, memory_order_relaxed);
    uint64_t done = journal.acks != NULL ? atomic_load_explicit(&journal.acks->done, memory_order_acquire) : put;

    /* The logger is another process: a number that cannot be is not believed. */
    if (done > put)
        done = put;
    if (done != journal.seen_done || done == put) {
        journal.seen_done = done;
        journal.seen_at_ms = sg_mono_ms();
    }
    while (journal.reclaimed < done) {
        const uint32_t entry = journal.ring[journal.reclaimed++ & (journal.head->ring_size - 1)];

        if (!SG_TABLE_ENTRY_LAST(entry))
            continue;
        journal.n_events -= journal_record(SG_TABLE_ENTRY_SLOT(entry))->event != 0;
        atomic_store_explicit(&journal_record(SG_TABLE_ENTRY_SLOT(entry))->state, SG_RECORD_FREE, memory_order_release);
        journal.free[journal.n_free++] = SG_TABLE_ENTRY_SLOT(entry);
    }
}

bool
sg_journal_room(void)
{
    journal_reclaim();
    if (journal.n_free == 0)
        return false;
    if (!journal.strict || journal.acks == NULL)
        return true;
    return atomic_load_explicit(&journal.acks->refusing, memory_order_relaxed) == 0 &&
           sg_mono_ms() - journal.seen_at_ms < JOURNAL_STALLED_MS;
}

struct sg_record *
sg_journal_take(void)
{
    struct sg_record *rec = journal_record(journal.free[--journal.n_free]);
    const size_t behind = offsetof(struct sg_record, use) + sizeof rec->use;

    /* Whoever sees any of what follows sees that the slot is FREE, or something later. */
    atomic_thread_fence(memory_order_release);
    /* Never zero in between: who reads meanwhile could see two different sessions under that number. */
    rec->use++;
    memset((char *)rec + behind, 0, SG_RECORD_SIZE - behind);
    rec->id_high = journal.epoch;
    rec->id_low = journal.serial << 48 | (journal.counter++ & 0xffffffffffffu);
    return rec;
}

struct sg_record *
sg_journal_event(enum sg_event event, const struct sg_record *about)
{
    struct sg_record *rec;

    if (journal.head == NULL)
        return NULL;
    journal_reclaim();
    if (journal.n_free == 0 || journal.n_events == journal.max_events || atomic_load(&journal.head->closed) != 0) {
        atomic_fetch_add_explicit(&journal.head->unrecorded, 1, memory_order_relaxed);
        return journal.nowhere;
    }
    rec = sg_journal_take();
    sg_record_event_begin(rec, event, about);
    journal.n_events++;
    return rec;
}

void
sg_journal_publish(struct sg_record *rec, enum sg_record_state state)
{
    const uint64_t put = atomic_load_explicit(&journal.head->put, memory_order_relaxed);
    const uint32_t slot = (uint32_t)(((char *)rec - journal.records) / SG_RECORD_SIZE);

    if (rec == journal.nowhere)
        return;
    atomic_store_explicit(&rec->state, state, memory_order_release);
    if (state == SG_RECORD_OPEN)
        return;
    /* A logger that had nothing to do was not stalled, however long nobody has looked. */
    if (journal.acks != NULL && atomic_load_explicit(&journal.acks->done, memory_order_relaxed) == put)
        journal.seen_at_ms = sg_mono_ms();
    journal.ring[put & (journal.head->ring_size - 1)] = SG_TABLE_ENTRY(slot, rec->use, state == SG_RECORD_ENDED);
    atomic_store_explicit(&journal.head->put, put + 1, memory_order_release);
    journal.due = true;
}

bool
sg_journal_due(void)
{
    return journal.due;
}

void
sg_journal_bell(void)
{
    if (!journal.due)
        return;
    journal.due = false;
    /* A bell that is full is heard already. */
    if (journal.bell != -1)
        (void)!write(journal.bell, "", 1);
}

uint16_t
sg_journal_name(const char *name)
{
    const char *at = journal.head->names;

    if (name == NULL)
        return 0;
    for (uint32_t i = 0; i < journal.head->n_names; i++) {
        if (strcmp(at, name) == 0)
            return (uint16_t)(i + 1);
        at += strlen(at) + 1;
    }
    return 0;
}

struct sg_record *
sg_journal_nowhere(void)
{
    return journal.nowhere;
}
