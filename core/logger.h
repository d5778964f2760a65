/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger.h - the one process that writes records down.
 *
 * It reads the tables of all workers, living and dead, of its own generation and of older ones, writes what is due, and
 * acknowledges. Of several loggers only the one that holds the lock works: at a reload the old one lets go of it. What a
 * dead worker could not finish, it finishes.
 */
#ifndef SG_LOGGER_H
#define SG_LOGGER_H

#include "module.h"
#include "worker.h"

/* What the logger before has written to. */
struct sg_logger_file {
    char name[64]; /* of the log's instance */
    int fd;        /* -1: none */
};

/* What the generation gives to its logger. */
struct sg_logger_boot {
    const struct sg_conf *conf;
    struct sg_instances *instances;
    int channel;                        /* orders; end of file: the generation is gone */
    int bell;                           /* a FIFO that workers write to */
    int lock;                           /* a file to lock */
    struct sg_worker_status *status;    /* for the watchdog: a turn begins at least once a second */
    const struct sg_logger_file *files; /* SG_TABLE_LOGS_MAX */
    uint64_t epoch;
    pid_t master;
};

/* Is there a log that must not be missed? */
bool sg_logger_strict(const struct sg_conf *conf);
/* Runs until it is told to end, or until nobody is left to write about. The exit status. */
int sg_logger_main(const struct sg_logger_boot *boot);

#endif
