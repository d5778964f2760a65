/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal.h - the worker's side of its session table: records are taken, published, and come back when they are written.
 *
 *   take --> OPEN --> STARTED --> ENDED --> the logs acknowledge --> free
 *                \-------------->/
 *   event ---------------------->/            an event that is no session's state is a record too, ended at once
 *
 * The generation has a small one of its own, for its events.
 */
#ifndef SG_JOURNAL_H
#define SG_JOURNAL_H

#include "table.h"

/* What the generation gives to a worker; all -1: a journal of this process alone, whose records nobody reads. */
struct sg_journal_fds {
    int table, acks, bell;
};

struct sg_journal_boot {
    struct sg_journal_fds fds;
    size_t n_slots,
        n_events;   /* as the table was made; events: so many may wait to be written, what is more is counted */
    uint64_t epoch; /* ids are made of these two */
    uint16_t serial;
    bool strict; /* a log must not be missed, so that no session begins while it cannot be written */
};
/* In place of one that was inherited. -1 and errno. */
int sg_journal_open(const struct sg_journal_boot *boot);
/* Nothing will be put into it any more. */
void sg_journal_end(void);
void sg_journal_close(void); /* harmless if there is none */
/* May a session begin: is a record free, and are the logs alive? */
bool sg_journal_room(void);
/* A record with an id, else all zero; only after sg_journal_room(). */
struct sg_record *sg_journal_take(void);
/*
 * The record of an event, to be filled in and published as ENDED in the same breath. `about`: whom it is about, NULL:
 * nobody. Without room it is counted, and what comes back is sg_journal_nowhere().
 */
struct sg_record *sg_journal_event(enum sg_event event, const struct sg_record *about);
/* What was written to it before is published. ENDED: it belongs to the journal again. */
void sg_journal_publish(struct sg_record *rec, enum sg_record_state state);
bool sg_journal_due(void);  /* is there something that the logger has not been told of? */
void sg_journal_bell(void); /* wakes it, if there is */
/* The number of a name in this table; 0: it has none. */
uint16_t sg_journal_name(const char *name);
/* A record that nobody reads: for who has given his back. Publishing it does nothing. */
struct sg_record *sg_journal_nowhere(void);

/* The generation's side: makes both files of a table. `names`: listeners, instances, files. 0, or -1 and errno. */
int sg_journal_create(int dir, const char *name, size_t n_slots, uint64_t epoch, const char *const *names,
                      size_t n_names, struct sg_journal_fds *fds_out, struct sg_journal_fds *logger_fds_out);

#endif
