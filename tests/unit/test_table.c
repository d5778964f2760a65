/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_table.c - session tables as their readers see them: what makes no sense is refused, and a record is read whole
 * while its worker goes on.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table_read.h"
#include "tables.h"

#define SLOTS 4

static const char *const names[] = { "lan", "rules", NULL };

/* A file with the same octets, to be spoilt. */
static int
copy_of(const struct tables *tables)
{
    const off_t size = lseek(tables->logger.table, 0, SEEK_END);
    const int fd = memfd_create("table", MFD_CLOEXEC);

    cr_assert(fd != -1);
    cr_assert_eq(pwrite(fd, tables->head, (size_t)size, 0), size);
    return fd;
}

Test(table, heads)
{
    static const struct {
        size_t at;
        uint32_t value;
        bool good;
    } cases[] = {
        { offsetof(struct sg_table_head, magic), SG_TABLE_MAGIC, true },
        { offsetof(struct sg_table_head, magic), SG_TABLE_MAGIC + 1, false },
        { offsetof(struct sg_table_head, layout), SG_RECORD_LAYOUT + 1, false },
        { offsetof(struct sg_table_head, layout), SG_RECORD_LAYOUT - 1, true },
        { offsetof(struct sg_table_head, layout), SG_RECORD_LAYOUT - 2, false },
        { offsetof(struct sg_table_head, record_size), SG_RECORD_SIZE - 1, false },
        { offsetof(struct sg_table_head, n_slots), 0, false },
        { offsetof(struct sg_table_head, n_slots), 1, true },
        { offsetof(struct sg_table_head, n_slots), SLOTS + 1, false }, /* more than the file holds */
        { offsetof(struct sg_table_head, n_slots), UINT32_MAX, false },
        { offsetof(struct sg_table_head, n_slots), UINT32_MAX / 2 + 1, false }, /* twice that is 0 */
        { offsetof(struct sg_table_head, ring_size), 0, false },
        { offsetof(struct sg_table_head, ring_size), 63, false },
        { offsetof(struct sg_table_head, ring_size), SLOTS, false },
        { offsetof(struct sg_table_head, ring_size), 1u << 31, false },
        { offsetof(struct sg_table_head, n_names), 0, true },
        { offsetof(struct sg_table_head, n_names), 4096, true }, /* empty ones */
        { offsetof(struct sg_table_head, n_names), 4097, false },
        { offsetof(struct sg_table_head, n_names), UINT32_MAX, false },
    };
    char xs[SG_TABLE_NAMES_SIZE];
    struct tables tables;
    struct sg_table table;

    tables_open(&tables, SLOTS, names);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int fd = copy_of(&tables);

        cr_assert_eq(pwrite(fd, &cases[i].value, sizeof cases[i].value, (off_t)cases[i].at), sizeof cases[i].value);
        cr_expect_eq(sg_table_open(&table, fd), cases[i].good, "case %zu", i);
        sg_table_close(&table);
        cr_expect_eq(sg_table_map(&table, fd), cases[i].good, "case %zu", i);
        sg_table_close(&table);
        cr_assert_eq(close(fd), 0);
    }
    memset(xs, 'x', sizeof xs);
    cr_assert_eq(pwrite(tables.worker.table, xs, sizeof xs, offsetof(struct sg_table_head, names)), sizeof xs);
    cr_expect(!sg_table_open(&table, tables.logger.table), "a name without an end");
    tables_close(&tables);
}

Test(table, short_files)
{
    struct tables tables;
    struct sg_table table;
    off_t size;

    tables_open(&tables, SLOTS, names);
    size = lseek(tables.logger.table, 0, SEEK_END);
    cr_assert(sg_table_open(&table, tables.logger.table));
    sg_table_close(&table);
    for (const off_t *less = (const off_t[]){ size - 1, sizeof *table.head, sizeof *table.head - 1, 0 };; less++) {
        cr_assert_eq(ftruncate(tables.worker.table, *less), 0);
        cr_expect(!sg_table_open(&table, tables.logger.table) && !sg_table_map(&table, tables.logger.table));
        if (*less == 0)
            break;
    }
    tables_close(&tables);
}

/* What was checked once stays so, whatever the worker does to its table. */
Test(table, names_are_copies)
{
    struct tables tables;
    struct sg_table table;
    char xs[sizeof tables.head->names];

    memset(xs, 'x', sizeof xs);
    tables_open(&tables, SLOTS, names);
    cr_assert(sg_table_open(&table, tables.logger.table));
    cr_assert_eq(pwrite(tables.worker.table, xs, sizeof xs, offsetof(struct sg_table_head, names)), sizeof xs);
    cr_expect_str_eq(table.names.name(&table.names, 1), "lan");
    cr_expect_str_eq(table.names.name(&table.names, 2), "rules");
    cr_expect_null(table.names.name(&table.names, 0));
    cr_expect_null(table.names.name(&table.names, 3));
    cr_expect_null(table.names.name(&table.names, UINT16_MAX));
    sg_table_close(&table);
    tables_close(&tables);
}

static void
open_journal(const struct tables *tables, size_t n_slots)
{
    const struct sg_journal_boot boot = { .fds = tables->worker, .n_slots = n_slots };

    cr_assert_eq(sg_journal_open(&boot), 0);
}

static struct sg_record *
begin(uint64_t id)
{
    struct sg_record *rec = sg_journal_take();
    char text[32];

    rec->id_low = id;
    rec->listener = 1;
    rec->accepted_mono_ms = (int64_t)id;
    sg_journal_publish(rec, SG_RECORD_OPEN);
    (void)snprintf(text, sizeof text, "user %" PRIu64, id);
    (void)sg_record_put(rec, &rec->user, text, strlen(text));
    rec->rule_line = (uint32_t)id;
    return rec;
}

Test(table, live)
{
    struct tables tables;
    struct sg_table table;
    const struct sg_record *copy;
    struct sg_record *rec;
    uint32_t slot = 0;

    tables_open(&tables, SLOTS, names);
    open_journal(&tables, SLOTS);
    cr_assert(sg_table_open(&table, tables.logger.table));
    cr_expect_null(sg_table_live(&table, 0), "nobody was ever there");
    rec = begin(7);
    while (slot < SLOTS && tables_slot(&tables, slot)->id_low != 7)
        slot++;
    cr_assert(copy = sg_table_live(&table, slot));
    cr_expect(copy->id_low == 7 && copy->listener == 1 && copy->accepted_mono_ms == 7);
    cr_expect(copy->user.len == 0 && copy->rule_line == 0 && copy->arena[0] == '\0', "that may still change");
    sg_journal_publish(rec, SG_RECORD_STARTED);
    rec->bytes_up = 99;
    cr_assert(copy = sg_table_live(&table, slot));
    cr_expect(copy->rule_line == 7 && copy->bytes_up == 99 && copy->user.len == 6);
    cr_expect_eq(memcmp(sg_record_get(copy, &copy->user), "user 7", 6), 0);
    sg_journal_publish(rec, SG_RECORD_ENDED);
    cr_expect_null(sg_table_live(&table, slot));
    cr_assert(ftruncate(tables.worker.table, (off_t)sg_table_records_at(table.ring_size)) == 0);
    cr_expect_null(sg_table_live(&table, slot), "the file has become short");
    sg_table_close(&table);
    sg_journal_close();
    tables_close(&tables);
}

/* One session after the other in the same slots, as fast as can be, each started for a moment. */
static void
churn(struct tables *tables)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t id = 1;; id++) {
        struct sg_record *rec;

        while (!sg_journal_room())
            continue;
        rec = begin(id);
        sg_journal_publish(rec, SG_RECORD_STARTED);
        for (int i = 0; i < 200; i++)
            rec->bytes_up++;
        sg_journal_publish(rec, SG_RECORD_ENDED);
        atomic_store(&tables->acks->done, atomic_load(&tables->head->put));
    }
}

Test(table, live_while_it_is_written, .timeout = 60)
{
    struct tables tables;
    struct sg_table table;
    unsigned n = 0;
    char text[32];
    pid_t pid;

    tables_open(&tables, 1, names);
    open_journal(&tables, 1);
    cr_assert(sg_table_open(&table, tables.logger.table));
    pid = fork();
    cr_assert(pid != -1);
    if (pid == 0)
        churn(&tables);
    while (n < 20000) {
        const struct sg_record *copy = sg_table_live(&table, 0);

        if (copy == NULL || copy->state == SG_RECORD_OPEN)
            continue;
        n++;
        (void)snprintf(text, sizeof text, "user %" PRIu64, copy->id_low);
        cr_assert(copy->user.len == strlen(text) && copy->rule_line == (uint32_t)copy->id_low &&
                      memcmp(sg_record_get(copy, &copy->user), text, copy->user.len) == 0,
                  "session %" PRIu64 " has the user of another", copy->id_low);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    sg_table_close(&table);
    sg_journal_close();
    tables_close(&tables);
}
