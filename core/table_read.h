/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_read.h - reads a session table that another process writes. Nothing in it is believed: every number is checked,
 * and what is checked is a copy.
 */
#ifndef SG_TABLE_READ_H
#define SG_TABLE_READ_H

#include "table.h"

struct sg_table {
    struct sg_record_names names;     /* first member: for sg_field_get() */
    const struct sg_table_head *head; /* the table itself, or a copy of its head */
    bool mapped;
    int fd;                              /* not mapped: of the file */
    size_t size;                         /* of the file */
    uint32_t layout, n_slots, ring_size; /* checked copies */
    char *name_texts;
    const char **name_list;
    uint32_t n_names;
};

/* ---- mapped, by who is given the file by its maker: the logger */

/* The descriptor stays the caller's. False: it makes no sense, and there is nothing to close. */
bool sg_table_map(struct sg_table *table, int fd);
/* Entries that were ever put into the ring. */
uint64_t sg_table_put(const struct sg_table *table);
uint32_t sg_table_entry(const struct sg_table *table, uint64_t i);
uint32_t sg_table_use(const struct sg_table *table, uint32_t slot);
/* A copy in today's layout, good until the next call. `slot` is below n_slots. */
struct sg_record *sg_table_record(const struct sg_table *table, uint32_t slot);

/* ---- read, by anybody: who shortens a file that is mapped kills who looks at it */

/* The descriptor must stay open as long as the table. False: as above. */
bool sg_table_open(struct sg_table *table, int fd);
/*
 * The session under way in a slot, while its worker goes on writing: a copy as above. Of one that is not STARTED, only what
 * was there when it was published. NULL: there is none, or it ended meanwhile.
 */
struct sg_record *sg_table_live(const struct sg_table *table, uint32_t slot);

void sg_table_close(struct sg_table *table);

#endif
