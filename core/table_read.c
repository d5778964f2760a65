/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_read.c - a table as its reader sees it.
 */
#include "table_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

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
    return table->n_slots >= 1 && table->n_slots <= SG_TABLE_SLOTS_MAX && table->ring_size >= table->n_slots * 2 &&
           table->ring_size <= SG_TABLE_SLOTS_MAX * 4 && (table->ring_size & (table->ring_size - 1)) == 0 &&
           sg_table_size(table->n_slots, table->ring_size) <= table->size;
}

static bool
table_list_names(struct sg_table *table)
{
    const char *at = table->head->names, *const end = at + SG_TABLE_NAMES_SIZE;
    const uint32_t n = table->head->n_names;

    table->name_list = n <= TABLE_NAMES_MAX ? calloc(n + 1, sizeof *table->name_list) : NULL;
    if (table->name_list == NULL)
        return false;
    for (; table->n_names < n; table->n_names++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));

        if (nul == NULL)
            return false;
        table->name_list[table->n_names] = at;
        at = nul + 1;
    }
    return true;
}

bool
sg_table_map(struct sg_table *table, int fd)
{
    void *head = MAP_FAILED;
    struct stat st;

    *table = (struct sg_table){ .names = { table_name } };
    if (fstat(fd, &st) == -1 || st.st_size < (off_t)sizeof *table->head)
        return false;
    table->size = (size_t)st.st_size;
    head = mmap(NULL, table->size, PROT_READ, MAP_SHARED, fd, 0);
    if (head == MAP_FAILED)
        return false;
    table->head = head;
    if (table_sound(table) && table_list_names(table))
        return true;
    sg_table_unmap(table);
    return false;
}

void
sg_table_unmap(struct sg_table *table)
{
    (void)munmap((void *)(uintptr_t)table->head, table->size);
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

struct sg_record *
sg_table_record(const struct sg_table *table, uint32_t slot)
{
    static _Alignas(struct sg_record) char copy[SG_RECORD_SIZE], old[SG_RECORD_SIZE];
    struct sg_record *rec = (struct sg_record *)(void *)copy;

    memcpy(table->layout == SG_RECORD_LAYOUT ? copy : old, table_slot(table, slot), SG_RECORD_SIZE);
    if (table->layout != SG_RECORD_LAYOUT)
        sg_record_from_old((const struct sg_record_old *)(const void *)old, rec);
    return rec;
}
