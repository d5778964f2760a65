/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keeper.h - the generation's hand on the journal: makes tables, starts the logger anew when it dies, shows it every table
 * in the runtime directory, also those of older generations and of a time before everything was killed.
 */
#ifndef SG_KEEPER_H
#define SG_KEEPER_H

#include "journal.h"
#include "logger.h"
#include "proc.h"
#include "throttle.h"
#include "worker.h"

struct sg_keeper {
    int dir, bell, lock;
    struct sg_rights rights; /* the logger's */
    const struct sg_worker_boot *boot;
    uint64_t epoch;
    pid_t master;
    unsigned generation;
    const char **names;
    size_t n_names;
    char (*known)[64]; /* tables that this logger has been shown */
    size_t n_known, size_known;
    pid_t pid; /* of the logger, 0: none */
    int channel;
    bool ready, winding_up;
    struct sg_logger_file files[SG_TABLE_LOGS_MAX];
    struct sg_worker_status *status; /* shared with the logger */
    struct sg_watchdog dog;
    struct sg_throttle throttle;
    int64_t start_at_ms, look_at_ms;
    bool failed; /* the logger ended before it was ready */
};

/* The folder, the bell, the lock. -1 and a message in the log. */
int sg_keeper_open(struct sg_keeper *keeper, const char *runtime_dir);
/* A table for a worker that is about to be forked; the descriptors are the caller's. -1 and errno. */
int sg_keeper_table(struct sg_keeper *keeper, uint16_t serial, size_t n_slots, struct sg_journal_fds *fds_out);
/* It is forked: the table is told whose it is. */
void sg_keeper_born(const struct sg_journal_fds *fds, pid_t pid);
/* What is due: a start, a look at the folder. */
void sg_keeper_look(struct sg_keeper *keeper, int64_t now_ms);
void sg_keeper_receive(struct sg_keeper *keeper);
void sg_keeper_reaped(struct sg_keeper *keeper, int status, int64_t now_ms);
void sg_keeper_tell(struct sg_keeper *keeper, int type); /* DRAIN: hand over; STOP: end when all is written; REOPEN */
void sg_keeper_kill(struct sg_keeper *keeper);

#endif
