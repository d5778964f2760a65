/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - one worker process: a loop, its listeners, all of its sessions.
 */
#ifndef SG_WORKER_H
#define SG_WORKER_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "deadline.h"
#include "hooks.h"
#include "journal.h"
#include "quota.h"

struct sg_hosts;
struct sg_pools;
struct sg_brake;

/* The ways on which a relay moves octets. */
enum sg_path { SG_PATH_COPY, SG_PATH_SPLICE, SG_PATH_FILTER, SG_PATHS };

/*
 * In pages shared with the generation, which reads them for the watchdog. Aligned words only: a writer may be killed.
 * Each worker has cache lines of its own.
 */
struct sg_worker_status {
    _Alignas(64) _Atomic int64_t turn_began_ms; /* monotonic; 0 while waiting for events */
    _Atomic uint32_t doing;                     /* number of the instance whose code runs (index + 1), 0: none */
    _Atomic uint32_t sessions;                  /* open now */
    _Atomic uint64_t accepted;                  /* since start */
    _Atomic int64_t longest_turn_us;
    _Atomic uint64_t moved[SG_PATHS]; /* octets of payload relayed, by the way they went */
    struct sg_quotas quotas;          /* read by the other workers too */
};

/* Only the worker itself writes: no locked instruction is needed. */
static inline void
sg_worker_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* One listening socket as a worker sees it. */
struct sg_worker_listener {
    const struct sg_listener_conf *conf;
    const struct sg_hooks *hooks;
    int fd; /* shared by all workers, non-blocking */
};

/* Events that are no session's state and not written yet; what is more is counted. */
#define SG_WORKER_EVENTS 128

/* What the generation gives to a worker that it forks. All is constant and outlives the worker. */
struct sg_worker_boot {
    const struct sg_conf *conf;
    struct sg_instances *instances; /* started in the worker by sg_instances_start() */
    const struct sg_worker_listener *listeners;
    size_t n_listeners;
    const struct sg_hosts *hosts;    /* NULL: none */
    struct sg_pools *pools;          /* NULL: no helpers */
    struct sg_brake *brake;          /* NULL: logins are not throttled */
    int channel;                     /* orders; end of file: the generation is gone */
    struct sg_worker_status *status; /* one of an array, by `number` */
    uint8_t quota_key[SG_QUOTA_KEY]; /* the same in all workers */
    unsigned number;                 /* 0 .. workers - 1 */
    unsigned n_workers;
    struct sg_journal_fds journal;
    bool log_strict;    /* a log must not be missed */
    size_t n_records;   /* sessions of this worker, those that are not written yet, and events */
    uint64_t id_epoch;  /* upper half of every session id: random, one per master start */
    uint16_t id_serial; /* of this process */
};

/* Runs until drained or stopped; the exit status of the process. Rights are dropped already. */
int sg_worker_main(const struct sg_worker_boot *boot);
/* What sg_worker_main() does around its loop, without orders and listeners: for tests that turn the loop by hand. */
int sg_worker_open(const struct sg_worker_boot *boot);
void sg_worker_close(void);

/*
 * Work that must not run inside the present callback: runs at the end of this batch of events, in order. What a turn of the
 * loop has no time for is first in the next one.
 */
struct sg_defer {
    struct sg_defer *next, **prev; /* prev NULL: not queued */
    void (*run)(struct sg_defer *self);
};
void sg_worker_defer(struct sg_defer *defer); /* queueing twice is the same as once */
void sg_worker_undefer(struct sg_defer *defer);
void sg_worker_run_deferred(void); /* all of it, whatever time it takes; works without a loop too */

/* The loop of this process; NULL outside a worker. */
struct ev_loop *sg_worker_loop(void);
const struct sg_worker_boot *sg_worker_boot(void);
/* Around every call of module code: tells the watchdog whose it is. Returns what was set before, to set it back. */
uint32_t sg_worker_enter(const struct sg_instance *inst);
void sg_worker_leave(uint32_t before);

/*
 * One queue for each duration of `timeouts`, and some of our own. TICK looks once a second at handshakes whose clock has
 * stood still; SETTLE comes when a connection has lived for a second; the DELAYs are those of Happy Eyeballs (RFC 8305 section 8).
 */
enum sg_queue {
    SG_QUEUE_HANDSHAKE,
    SG_QUEUE_TICK,
    SG_QUEUE_SETUP,
    SG_QUEUE_RESOLVE,
    SG_QUEUE_RESOLUTION_DELAY,
    SG_QUEUE_ATTEMPT_DELAY,
    SG_QUEUE_CONNECT,
    SG_QUEUE_IDLE,
    SG_QUEUE_HALF_CLOSED,
    SG_QUEUE_LINGER,
    SG_QUEUE_MAX_SESSION,
    SG_QUEUE_SETTLE,
    SG_QUEUES
};
struct sg_deadline_queue *sg_worker_queue(enum sg_queue which);

/* Octets on their way through: one block for all sessions, its content is good until the next read. */
#define SG_SHARED_SIZE 65536
uint8_t *sg_worker_shared(void);

/*
 * Watches the descriptor of `io` for `events` from now on; 0: not at all, which is not to be used right before close().
 * Costs nothing if it is so already.
 */
void sg_worker_watch(ev_io *io, int events);

#endif
