/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - helper pools, as the generation sees them: it forks the helpers, replaces those that end, and ends those that
 * take too long. An instance has a pool if its check() may block or if it has work().
 *
 *   workers --jobs--> [ one socket for each pool ] --> the helper that takes it first
 *                       the generation holds both ends: what waits there outlives every helper
 *
 * A helper ends when its socket does: the generation is gone, or has closed it, and so has every worker. So sessions that
 * drain can still log in.
 */
#ifndef SG_POOL_H
#define SG_POOL_H

#include <poll.h>
#include <stdatomic.h>

#include "msg.h"
#include "proc.h"
#include "throttle.h"
#include "worker.h"

/* In memory that a helper shares with the generation. */
struct sg_helper_status {
    _Atomic int64_t busy_since_ms; /* monotonic; 0: waits for a job */
};

struct sg_pool;

struct sg_helper {
    struct sg_pool *pool;
    pid_t pid;      /* 0: none */
    int channel;    /* orders and "ready"; -1: none */
    bool ready;     /* its start() has succeeded */
    bool condemned; /* killed, and the log says why */
    struct sg_helper_status *status;
    struct sg_throttle throttle;
    int64_t start_at_ms; /* NONE: when the next one may start */
    unsigned images;     /* the last change of an image that it knows */
};

struct sg_pool {
    struct sg_instance *inst;
    const struct sg_helper_conf *conf;
    int in, out;               /* workers send, helpers take */
    _Atomic uint32_t *loads;   /* jobs under way, one number for each worker, which alone writes it */
    _Atomic uint64_t *changes; /* of all pools of the generation: how often users have changed */
    unsigned n;                /* helpers */
    struct sg_rights rights;
    struct sg_crashes crashes;
};

struct sg_pools {
    size_t n;
    struct sg_pool *v;
    unsigned n_helpers, n_workers;
    struct sg_brake *brake;    /* the workers': no helper's business */
    _Atomic uint64_t *changes; /* shared with all workers and helpers */
    struct sg_helper *helpers; /* of all pools */
    unsigned generation;
    bool ending;
    int64_t kill_at_ms; /* ending: who is still there then is killed */
    char failure[256];  /* of a helper that ended before it was ready, before there were any */
};

/* What a pool lets in: jobs under way in all workers, those that wait and those that are worked on. */
static inline uint32_t
sg_pool_limit(const struct sg_pool *pool)
{
    return (uint32_t)pool->conf->max_queue + pool->n;
}

/* Makes the pools of all instances that need one. 0, or -1 and a message in the error log. */
int sg_pools_open(struct sg_pools *pools, const struct sg_conf *conf, struct sg_instances *all, unsigned n_workers);
/* Starts what is missing and may start, kills what hangs, passes on what is new of images. */
void sg_pools_look(struct sg_pools *pools, int64_t now_ms);
int64_t sg_pools_due(const struct sg_pools *pools, int64_t now_ms); /* in how many ms to look again; -1: any time */
/* n_helpers entries for poll(2), and what to do when it has returned. */
void sg_pools_poll(const struct sg_pools *pools, struct pollfd *fds);
void sg_pools_polled(struct sg_pools *pools, const struct pollfd *fds);
/* False: it is none of ours. */
bool sg_pools_reaped(struct sg_pools *pools, pid_t pid, int status, int64_t now_ms);
/* A helper that has not started; NULL: every one has. */
const struct sg_helper *sg_pools_starting(const struct sg_pools *pools);
unsigned sg_pools_count(const struct sg_pools *pools);     /* processes */
void sg_pools_tell(struct sg_pools *pools, int type);      /* REOPEN */
void sg_pools_end(struct sg_pools *pools, int64_t now_ms); /* no worker is left */
void sg_pools_kill(struct sg_pools *pools);
/* How often users of any instance have changed: what was learnt about logins before that is worth nothing. */
uint64_t sg_pools_changes(const struct sg_pools *pools);
void sg_pools_changed(struct sg_pools *pools);
/* A worker is about to be forked: what its predecessor had under way is gone. */
void sg_pools_worker(struct sg_pools *pools, unsigned number);
/* A worker says that a helper breaks the rules: if it is one of ours, it is replaced. */
void sg_pools_accused(struct sg_pools *pools, const struct sg_msg *msg);

#endif
