/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_read.c - nothing in a table is believed.
 */
#include "table_read.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_NAMES_MAX 4096

static const char *
table_name(const struct sg_record_names *names, uint16_t number)
{
    const struct sg_table_view *view = (const struct sg_table_view *)(const void *)names;

    return number >= 1 && number <= view->n_names ? view->list[number - 1] : NULL;
}

/* What the table says of itself must fit what the file is. */
static bool
table_sound(struct sg_table_view *view, const struct sg_table_head *head, size_t size)
{
    if (size < sizeof *head || head->magic != SG_TABLE_MAGIC || head->layout != SG_RECORD_LAYOUT ||
        head->record_size != SG_RECORD_SIZE)
        return false;
    view->n_slots = head->n_slots;
    view->ring_size = head->ring_size;
    return view->n_slots >= 1 && view->n_slots <= SG_TABLE_SLOTS_MAX && view->ring_size / 2 >= view->n_slots &&
           view->ring_size <= SG_TABLE_SLOTS_MAX * 4 && (view->ring_size & (view->ring_size - 1)) == 0 &&
           sg_table_size(view->n_slots, view->ring_size) <= size;
}

static bool
table_list_names(struct sg_table_view *view, const struct sg_table_head *head)
{
    const uint32_t n = head->n_names;
    const char *at, *end;

    view->texts = malloc(SG_TABLE_NAMES_SIZE);
    view->list = n <= TABLE_NAMES_MAX ? calloc(n + 1, sizeof *view->list) : NULL;
    if (view->texts == NULL || view->list == NULL)
        return false;
    memcpy(view->texts, head->names, SG_TABLE_NAMES_SIZE);
    at = view->texts;
    end = at + SG_TABLE_NAMES_SIZE;
    for (; view->n_names < n; view->n_names++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));

        if (nul == NULL)
            return false;
        view->list[view->n_names] = at;
        at = nul + 1;
    }
    return true;
}

bool
sg_table_view_open(struct sg_table_view *view, const struct sg_table_head *head, size_t size)
{
    *view = (struct sg_table_view){ .names = { table_name } };
    if (table_sound(view, head, size) && table_list_names(view, head))
        return true;
    sg_table_view_close(view);
    return false;
}

void
sg_table_view_close(struct sg_table_view *view)
{
    free(view->texts);
    free(view->list);
    *view = (struct sg_table_view){ .names = { table_name } };
}

/* ---- in memory */

const struct sg_record *
sg_table_record(const struct sg_table_view *view, const struct sg_table_head *head, uint32_t slot)
{
    return (const struct sg_record *)(const void *)((const char *)head + sg_table_records_at(view->ring_size) +
                                                    (size_t)slot * SG_RECORD_SIZE);
}

uint32_t
sg_table_entry(const struct sg_table_view *view, const struct sg_table_head *head, uint64_t i)
{
    const uint32_t *ring = (const uint32_t *)(const void *)((const char *)head + sg_table_ring_at());

    return ring[i & (view->ring_size - 1)];
}

/* ---- in a file: read, not mapped, since who may shorten the file could kill who maps it */

static bool
table_read(int fd, void *to, size_t n, size_t at)
{
    const bool done = pread(fd, to, n, (off_t)at) == (ssize_t)n;

    /* What is read next is not older than this. */
    atomic_thread_fence(memory_order_acquire);
    return done;
}

struct sg_table_head *
sg_table_read_head(int fd)
{
    struct sg_table_head *head = malloc(sizeof *head);

    if (head != NULL && table_read(fd, head, sizeof *head, 0))
        return head;
    free(head);
    return NULL;
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

bool
sg_table_read_live(const struct sg_table_view *view, int fd, uint32_t slot, struct sg_record *rec_out)
{
    const size_t at = sg_table_records_at(view->ring_size) + (size_t)slot * SG_RECORD_SIZE;
    uint32_t before, after, state;

    /*
     * `use` changes before anything of the next session is written. So if it is the same at the end, the copy is of one
     * session; and what that session had published when its state was read, was there before the copy began.
     */
    if (!table_read(fd, &before, sizeof before, at + offsetof(struct sg_record, use)) ||
        !table_read(fd, &state, sizeof state, at + offsetof(struct sg_record, state)) ||
        (state != SG_RECORD_OPEN && state != SG_RECORD_STARTED) || !table_read(fd, rec_out, SG_RECORD_SIZE, at) ||
        !table_read(fd, &after, sizeof after, at + offsetof(struct sg_record, use)) || after != before)
        return false;
    if (state == SG_RECORD_OPEN)
        table_keep_open(rec_out);
    return true;
}
