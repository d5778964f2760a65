/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_read.c - a table as its reader sees it.
 */
#include "table_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record_old.h"

#define TABLE_NAMES_MAX 4096

static const char *
table_name(const struct sg_record_names *names, uint16_t number)
{
    const struct sg_table *table = (const struct sg_table *)(const void *)names;

    return number >= 1 && number <= table->n_names ? table->name_list[number - 1] : NULL;
}

/* What the table says of itself must fit what the file is. */
static bool
table_sound(struct sg_table *table)
{
    const struct sg_table_head *head = table->head;

    table->layout = head->layout;
    if (table->size < sizeof *head || head->magic != SG_TABLE_MAGIC || table->layout < SG_RECORD_LAYOUT - 1 ||
        table->layout > SG_RECORD_LAYOUT || head->record_size != SG_RECORD_SIZE)
        return false;
    table->n_slots = head->n_slots;
    table->ring_size = head->ring_size;
    return table->n_slots >= 1 && table->n_slots <= SG_TABLE_SLOTS_MAX && table->ring_size / 2 >= table->n_slots &&
           table->ring_size <= SG_TABLE_SLOTS_MAX * 4 && (table->ring_size & (table->ring_size - 1)) == 0 &&
           sg_table_size(table->n_slots, table->ring_size) <= table->size;
}

static bool
table_list_names(struct sg_table *table)
{
    const uint32_t n = table->head->n_names;
    const char *at, *end;

    table->name_texts = malloc(SG_TABLE_NAMES_SIZE);
    table->name_list = n <= TABLE_NAMES_MAX ? calloc(n + 1, sizeof *table->name_list) : NULL;
    if (table->name_texts == NULL || table->name_list == NULL)
        return false;
    /* A name that was checked must not lose its end later. */
    memcpy(table->name_texts, table->head->names, SG_TABLE_NAMES_SIZE);
    at = table->name_texts;
    end = at + SG_TABLE_NAMES_SIZE;
    for (; table->n_names < n; table->n_names++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));

        if (nul == NULL)
            return false;
        table->name_list[table->n_names] = at;
        at = nul + 1;
    }
    return true;
}

static bool
table_begin(struct sg_table *table, int fd)
{
    struct stat st;

    *table = (struct sg_table){ .names = { table_name }, .fd = fd };
    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof *table->head)
        return false;
    table->size = (size_t)st.st_size;
    return true;
}

static bool
table_check(struct sg_table *table)
{
    if (table_sound(table) && table_list_names(table))
        return true;
    sg_table_close(table);
    return false;
}

bool
sg_table_map(struct sg_table *table, int fd)
{
    const void *head;

    if (!table_begin(table, fd))
        return false;
    head = mmap(NULL, table->size, PROT_READ, MAP_SHARED, fd, 0);
    if (head == MAP_FAILED)
        return false;
    table->head = head;
    table->mapped = true;
    return table_check(table);
}

void
sg_table_close(struct sg_table *table)
{
    void *head = (void *)(uintptr_t)table->head;

    if (table->mapped)
        (void)munmap(head, table->size);
    else
        free(head);
    free(table->name_texts);
    free(table->name_list);
    *table = (struct sg_table){ .head = NULL };
}

uint64_t
sg_table_put(const struct sg_table *table)
{
    return atomic_load_explicit(&table->head->put, memory_order_acquire);
}

uint32_t
sg_table_entry(const struct sg_table *table, uint64_t i)
{
    const uint32_t *ring = (const uint32_t *)(const void *)((const char *)table->head + sg_table_ring_at());

    return ring[i & (table->ring_size - 1)];
}

static const char *
table_slot(const struct sg_table *table, uint32_t slot)
{
    return (const char *)table->head + sg_table_records_at(table->ring_size) + (size_t)slot * SG_RECORD_SIZE;
}

uint32_t
sg_table_use(const struct sg_table *table, uint32_t slot)
{
    return ((const struct sg_record *)(const void *)table_slot(table, slot))->use;
}

static _Alignas(struct sg_record) char table_copy[SG_RECORD_SIZE], table_old[SG_RECORD_SIZE];

/* Where a record is to be copied to, as it is. */
static char *
table_room(const struct sg_table *table)
{
    return table->layout == SG_RECORD_LAYOUT ? table_copy : table_old;
}

/* It is there: in today's layout. */
static struct sg_record *
table_copied(const struct sg_table *table)
{
    struct sg_record *rec = (struct sg_record *)(void *)table_copy;

    if (table->layout != SG_RECORD_LAYOUT)
        sg_record_from_old((const struct sg_record_old *)(const void *)table_old, rec);
    return rec;
}

struct sg_record *
sg_table_record(const struct sg_table *table, uint32_t slot)
{
    memcpy(table_room(table), table_slot(table, slot), SG_RECORD_SIZE);
    return table_copied(table);
}

/* ---- read, not mapped */

static bool
table_read(int fd, void *to, size_t n, size_t at)
{
    const bool done = pread(fd, to, n, (off_t)at) == (ssize_t)n;

    /* What is read next is not older than this. */
    atomic_thread_fence(memory_order_acquire);
    return done;
}

bool
sg_table_open(struct sg_table *table, int fd)
{
    struct sg_table_head *head;

    if (!table_begin(table, fd))
        return false;
    head = malloc(sizeof *head);
    table->head = head;
    if (head != NULL && table_read(fd, head, sizeof *head, 0))
        return table_check(table);
    sg_table_close(table);
    return false;
}

/* What stands in a record from the moment when it is published as OPEN. */
static void
table_keep_open(struct sg_record *rec)
{
    const struct sg_record open = { .state = SG_RECORD_OPEN,
                                    .use = rec->use,
                                    .id_high = rec->id_high,
                                    .id_low = rec->id_low,
                                    .accepted_wall_ms = rec->accepted_wall_ms,
                                    .accepted_mono_ms = rec->accepted_mono_ms,
                                    .client = rec->client,
                                    .local = rec->local,
                                    .listener = rec->listener };

    memset(rec, 0, SG_RECORD_SIZE);
    memcpy(rec, &open, sizeof open);
}

static bool
table_read_slot(const struct sg_table *table, size_t at, uint32_t *first, size_t first_at, uint32_t *second,
                size_t second_at)
{
    return table_read(table->fd, first, sizeof *first, at + first_at) &&
           table_read(table->fd, second, sizeof *second, at + second_at);
}

/*
 * A slot is FREE before anything of its next session is written, and `use` has changed before that one is OPEN. So if
 * neither is seen after the copy was made, it is of one session; and what that had published when its state was read first,
 * was there before the copy began.
 */
struct sg_record *
sg_table_live(const struct sg_table *table, uint32_t slot)
{
    const size_t use_at = offsetof(struct sg_record, use), state_at = offsetof(struct sg_record, state);
    const size_t at = sg_table_records_at(table->ring_size) + (size_t)slot * SG_RECORD_SIZE;
    uint32_t use, state, use_after, state_after;
    struct sg_record *rec;

    if (!table_read_slot(table, at, &use, use_at, &state, state_at) ||
        (state != SG_RECORD_OPEN && state != SG_RECORD_STARTED) ||
        !table_read(table->fd, table_room(table), SG_RECORD_SIZE, at) ||
        !table_read_slot(table, at, &state_after, state_at, &use_after, use_at) || state_after < state ||
        use_after != use)
        return NULL;
    rec = table_copied(table);
    if (state == SG_RECORD_OPEN)
        table_keep_open(rec);
    return rec->event == 0 ? rec : NULL;
}
