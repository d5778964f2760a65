/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_read.h - a session table in the hands of who did not write it: the logger, `sockgatectl sessions`.
 *
 * The worker that writes it may be somebody's prisoner, and may scribble over all of it at any moment. So each number is
 * checked, and what was checked is a copy.
 */
#ifndef SG_TABLE_READ_H
#define SG_TABLE_READ_H

#include "table.h"

/* What a table says of itself, checked and copied. */
struct sg_table_view {
    struct sg_record_names names; /* first: the view is found from it */
    uint32_t n_slots, ring_size;
    char *texts; /* the names, one behind the other */
    const char **list;
    uint32_t n_names;
};

/* Of a table in a file of `size` octets. False: it makes no sense; there is nothing to close then. */
bool sg_table_view_open(struct sg_table_view *view, const struct sg_table_head *head, size_t size);
void sg_table_view_close(struct sg_table_view *view);

/* In a table that is mapped. `slot` less than n_slots. */
const struct sg_record *sg_table_record(const struct sg_table_view *view, const struct sg_table_head *head,
                                        uint32_t slot);
uint32_t sg_table_entry(const struct sg_table_view *view, const struct sg_table_head *head, uint64_t i);

/* The head of a table in a file: malloc'ed, NULL if the file is too short. It is checked by sg_table_view_open(). */
struct sg_table_head *sg_table_read_head(int fd);
/*
 * The session under way in a slot of such a file, while its worker goes on writing. `rec_out`: SG_RECORD_SIZE octets. Of
 * one that is not STARTED, only what was there when it was published. False: there is none, or it ended meanwhile.
 */
bool sg_table_read_live(const struct sg_table_view *view, int fd, uint32_t slot, struct sg_record *rec_out);

#endif
