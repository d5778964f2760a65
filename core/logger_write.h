/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger_write.h - the logger's way from its tables to a log.
 */
#ifndef SG_LOGGER_WRITE_H
#define SG_LOGGER_WRITE_H

#include "sink.h"
#include "table_read.h"

struct sg_logger_table {
    struct sg_table table;
    struct sg_logger_table *next;
    char name[64];
    struct sg_table_acks *acks;
    int pidfd; /* -1: dead, or not yet born */
    bool dead;
    uint8_t *pushed; /* dead: what the ring has of each slot's present use */
};

/*
 * Writes what is due in all tables, or notes it as lost where it may be. `epoch`: of this start of the master. True: there
 * is more.
 */
bool sg_logger_serve(struct sg_sink *sink, struct sg_logger_table *tables, uint64_t epoch);
/* What every log has written is the worker's again. */
void sg_logger_acknowledge(struct sg_logger_table *table);
/* Is it dead, and has every log all of it? */
bool sg_logger_finished(struct sg_logger_table *table);

#endif
