/* SPDX-License-Identifier: BSD-2-Clause */
#include "tables.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sockgate/event.h>

#include "fields.h"

struct list {
    struct sg_record_names names; /* first */
    const char *const *v;
};

static const char *
list_name(const struct sg_record_names *names, uint16_t number)
{
    const struct list *list = (const struct list *)(const void *)names;

    for (uint16_t i = 1; list->v[i - 1]; i++)
        if (i == number)
            return list->v[i - 1];
    return NULL;
}

struct sg_record *
tables_record(void)
{
    struct sg_record *rec = calloc(1, SG_RECORD_SIZE);

    cr_assert(rec);
    return rec;
}

const char *
tables_line(const struct sg_record *rec, enum sg_event event, const char *const *names)
{
    static char line[SG_EVENT_JSON_MAX];
    const struct list list = { { list_name }, names };
    const struct sg_event_info info = { .event = event, .rec = rec, .names = &list.names };

    cr_assert_eq(sg_event_json(&info, line, sizeof line), strlen(line));
    return line;
}

void
tables_open(struct tables *tables, size_t n_slots, const char *const *names)
{
    char folder[] = "/tmp/sockgate-tables-XXXXXX", path[64];
    const char *const suffixes[] = { "table", "acks" };
    size_t n = 0;
    int dir;

    while (names[n])
        n++;
    cr_assert(mkdtemp(folder));
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(dir != -1);
    cr_assert_eq(sg_journal_create(dir, "t", n_slots, 1, names, n, &tables->worker, &tables->logger), 0);
    tables->head =
        mmap(NULL, (size_t)lseek(tables->logger.table, 0, SEEK_END), PROT_READ, MAP_SHARED, tables->logger.table, 0);
    tables->acks = mmap(NULL, sizeof *tables->acks, PROT_READ | PROT_WRITE, MAP_SHARED, tables->logger.acks, 0);
    cr_assert(tables->head != MAP_FAILED && tables->acks != MAP_FAILED);
    tables->read = 0;
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/t.%s", folder, suffixes[i]);
        cr_assert_eq(unlink(path), 0);
    }
    cr_assert(close(dir) == 0 && rmdir(folder) == 0);
}

void
tables_close(struct tables *tables)
{
    const int fds[] = { tables->worker.table, tables->worker.acks, tables->logger.table, tables->logger.acks };

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        cr_assert_eq(close(fds[i]), 0);
}

const struct sg_record *
tables_slot(const struct tables *tables, uint32_t slot)
{
    return (const struct sg_record *)(const void *)((const char *)tables->head +
                                                    sg_table_records_at(tables->head->ring_size) +
                                                    (size_t)slot * SG_RECORD_SIZE);
}

void
tables_read(struct tables *tables, const char *const *names, bool acknowledge, char *text, size_t size)
{
    const uint32_t *ring = (const uint32_t *)(const void *)((const char *)tables->head + sg_table_ring_at());
    const uint64_t put = atomic_load(&tables->head->put);

    for (; tables->read < put; tables->read++) {
        const uint32_t entry = ring[tables->read & (tables->head->ring_size - 1)];
        const struct sg_record *rec = tables_slot(tables, SG_TABLE_ENTRY_SLOT(entry));
        const char *line =
            tables_line(rec, SG_TABLE_ENTRY_LAST(entry) ? sg_record_event(rec) : SG_EVENT_SESSION_START, names);

        cr_assert_lt(strlen(text) + strlen(line), size);
        memcpy(text + strlen(text), line, strlen(line) + 1);
    }
    if (acknowledge)
        atomic_store(&tables->acks->done, tables->read);
}
