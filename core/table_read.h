/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_read.h - reads a session table that another process writes. Nothing in it is believed: every number is checked,
 * and what is checked is a copy.
 */
#ifndef SG_TABLE_READ_H
#define SG_TABLE_READ_H

#include "table.h"

struct sg_table {
    struct sg_record_names names; /* first member: for sg_record_json() */
    const struct sg_table_head *head;
    size_t size;
    uint32_t layout, n_slots, ring_size; /* checked copies */
    const char **name_list;
    uint32_t n_names;
};

/* The descriptor stays the caller's. False: it makes no sense, and there is nothing to unmap. */
bool sg_table_map(struct sg_table *table, int fd);
void sg_table_unmap(struct sg_table *table);
/* Entries that were ever put into the ring. */
uint64_t sg_table_put(const struct sg_table *table);
uint32_t sg_table_entry(const struct sg_table *table, uint64_t i);
uint32_t sg_table_use(const struct sg_table *table, uint32_t slot);
/* A copy in today's layout, good until the next call. `slot` is below n_slots. */
struct sg_record *sg_table_record(const struct sg_table *table, uint32_t slot);

#endif
