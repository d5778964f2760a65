/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables.h - a session table of the test's own, and what a logger would make of it.
 */
#ifndef TABLES_H
#define TABLES_H

#include "journal.h"

/* A record in memory of its own, all zero. */
struct sg_record *tables_record(void);
/* Its line. `names` ends with NULL; their numbers begin with 1. */
const char *tables_line(const struct sg_record *rec, enum sg_event event, const char *const *names);

struct tables {
    struct sg_journal_fds worker, logger;
    const struct sg_table_head *head;
    struct sg_table_acks *acks;
    uint64_t read; /* entries that were made into lines */
};

/* A table in a folder that is gone already, and the logger's view of it. */
void tables_open(struct tables *tables, size_t n_slots, const char *const *names);
void tables_close(struct tables *tables);
/* The lines of what is new, appended to `text`; acknowledged if `acknowledge`. */
void tables_read(struct tables *tables, const char *const *names, bool acknowledge, char *text, size_t size);
const struct sg_record *tables_slot(const struct tables *tables, uint32_t slot);

#endif
