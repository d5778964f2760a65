/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervise.h - the workers of a generation: starts them, passes orders on, replaces what dies, watches for loops. Helpers
 * (pool.h) and logger (keeper.h) are watched from here too.
 */
#ifndef SG_SUPERVISE_H
#define SG_SUPERVISE_H

#include <poll.h>

#include "keeper.h"
#include "pool.h"
#include "proc.h"
#include "throttle.h"
#include "worker.h"

enum sg_worker_state { SG_WORKER_NONE, SG_WORKER_STARTING, SG_WORKER_READY, SG_WORKER_DRAINED };

struct sg_child {
    pid_t pid;
    int channel;
    enum sg_worker_state state;
    struct sg_worker_status *status; /* shared; stays the same over restarts */
    struct sg_watchdog dog;
    struct sg_throttle throttle;
    int64_t start_at_ms; /* NONE: when the next one may start */
    unsigned images;     /* the last change of an image that it knows */
};

/* The page of ids, shared by all generations of a master. */
struct sg_ids {
    uint64_t epoch;
    _Atomic uint32_t serial;
};

struct sg_supervisor {
    struct sg_worker_boot boot; /* all but channel, status, number, ids */
    struct sg_rights rights;
    struct sg_ids *ids;
    unsigned generation;
    struct sg_keeper keeper;
    struct sg_pools pools;
    unsigned n;
    struct sg_child *workers;
    bool loading;    /* none may die before all have been ready */
    bool accepting;  /* tell new ones to go on at once */
    bool winding_up; /* none is replaced any more */
    struct sg_crashes crashes;
    int64_t images_at_ms; /* when their files are looked at again */
    char failure[256];    /* of a worker that ended before it was ready */
};

int sg_supervisor_open(struct sg_supervisor *sup); /* memory for boot.n_workers; -1 and errno */
/* A table for events of this process, which forks workers that make their own. -1 and errno. */
int sg_supervisor_journal(struct sg_supervisor *sup, size_t n_events);
int sg_supervisor_start(struct sg_supervisor *sup, int64_t now_ms); /* starts those that are missing and may start */
/* Messages of a worker. */
void sg_supervisor_receive(struct sg_supervisor *sup, unsigned i);
/*
 * Reaps what has ended. `renew_out`: there were too many crashes. The number of those that died before they were ready, or
 * before all were; sup->failure then says who.
 */
unsigned sg_supervisor_reap(struct sg_supervisor *sup, int64_t now_ms, bool *renew_out);
void sg_supervisor_watch(struct sg_supervisor *sup, int64_t now_ms); /* the watchdog's look */
void sg_supervisor_tell(struct sg_supervisor *sup, int type);        /* an order to all */
/* Looks at the files in which users stand; what is remembered of logins is forgotten when one has changed. */
void sg_supervisor_logins(struct sg_supervisor *sup);
/* Once a second: looks at the files of images and of users, and tells workers what is new. */
void sg_supervisor_images(struct sg_supervisor *sup, int64_t now_ms);
void sg_supervisor_kill(struct sg_supervisor *sup); /* SIGKILL */
/* Who is still starting, for people; false: everybody has started. */
bool sg_supervisor_starting(const struct sg_supervisor *sup, char *text, size_t size);
unsigned sg_supervisor_count(const struct sg_supervisor *sup, enum sg_worker_state at_least);
/* Until when to wait at most. */
int sg_supervisor_timeout(const struct sg_supervisor *sup, int64_t now_ms);

#endif
