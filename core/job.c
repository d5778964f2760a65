/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * job.c - jobs of this worker.
 */
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sockgate/helper.h>

#include "container.h"
#include "log.h"
#include "pending.h"
#include "pool.h"
#include "wipe.h"

struct sg_job {
    struct sg_pool *pool;
    ev_io io;
    struct sg_deadline deadline;
    pid_t taker;   /* 0: it waits */
    bool answered; /* what follows can only be the end */
    enum sg_verdict verdict;
    struct sg_answer answer;
    sg_job_done *done;
    void *owner;
};

static struct {
    const struct sg_worker_boot *boot;
    struct sg_deadline_queue *queues; /* one for each pool */
    struct sg_msg msg;                /* large */
} jobs;

int
sg_jobs_open(const struct sg_worker_boot *boot)
{
    const size_t n = boot->pools != NULL ? boot->pools->n : 0;

    jobs.boot = boot;
    jobs.queues = calloc(n + 1, sizeof *jobs.queues);
    if (jobs.queues == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        sg_deadline_queue_init(&jobs.queues[i], sg_worker_loop(), boot->pools->v[i].conf->timeout);
    return 0;
}

void
sg_jobs_close(void)
{
    const size_t n = jobs.boot->pools != NULL ? jobs.boot->pools->n : 0;

    for (size_t i = 0; i < n; i++)
        sg_deadline_queue_stop(&jobs.queues[i]);
    free(jobs.queues);
    jobs.queues = NULL;
}

/* ---- the end of a job */

/* Closing the channel is all that it takes to withdraw it. */
static void
job_drop(struct sg_job *job)
{
    ev_io_stop(sg_worker_loop(), &job->io);
    (void)close(job->io.fd);
    sg_deadline_disarm(&job->deadline);
    atomic_fetch_sub_explicit(&job->pool->loads[jobs.boot->number], 1, memory_order_relaxed);
    sg_answer_free(&job->answer);
    free(job);
}

void
sg_job_withdraw(struct sg_job *job)
{
    if (job != NULL)
        job_drop(job);
}

static void
job_end(struct sg_job *job, enum sg_job_end end)
{
    struct sg_answer answer = job->answer;
    const enum sg_verdict verdict = end == SG_JOB_ANSWERED ? job->verdict : SG_ERROR;
    sg_job_done *done = job->done;
    void *owner = job->owner;

    job->answer = (struct sg_answer){ 0 };
    if (end != SG_JOB_ANSWERED)
        sg_answer_free(&answer);
    job_drop(job);
    done(owner, end, verdict, &answer);
    sg_answer_free(&answer);
}

/* The generation replaces the helper, and says why in the error log. */
static void
job_lied(struct sg_job *job, const char *what)
{
    sg_msg_begin(&jobs.msg, SG_MSG_ACCUSE);
    sg_msg_put_str(&jobs.msg, SG_TAG_NAME, job->pool->inst->name);
    sg_msg_put_u64(&jobs.msg, SG_TAG_PID, (uint64_t)job->taker);
    sg_msg_put_str(&jobs.msg, SG_TAG_TEXT, what);
    if (sg_msg_offer(jobs.boot->channel, &jobs.msg) == -1)
        sg_logf_limited(SG_LOG_ERR, "a helper of \"%s\" (pid %d) breaks the rules: %s", job->pool->inst->name,
                        (int)job->taker, what);
    job_end(job, SG_JOB_LIED);
}

static void
job_expired(struct sg_deadline *deadline)
{
    job_end(SG_CONTAINER(deadline, struct sg_job, deadline), SG_JOB_LATE);
}

/* ---- what the helper says */

/* What is wrong with the message, or NULL. */
static const char *
job_message(struct sg_job *job)
{
    if (job->answered)
        return "it answers twice";
    if (jobs.msg.n_fds > 0)
        return "it sends descriptors";
    if (job->taker == 0)
        return sg_job_get_taken(&jobs.msg, &job->taker) == -1 ? "it does not say who it is" : NULL;
    if (sg_job_get_answer(&jobs.msg, &job->verdict, &job->answer) == -1)
        return "its answer makes no sense";
    job->answered = true;
    return NULL;
}

static void
job_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct sg_job *job = SG_CONTAINER(io, struct sg_job, io);
    const char *wrong = NULL;
    int got;

    (void)loop, (void)revents;
    while (wrong == NULL && (got = sg_msg_recv(io->fd, &jobs.msg)) == 1) {
        wrong = job_message(job);
        sg_msg_close_fds(&jobs.msg);
    }
    if (wrong == NULL && got == -1 && errno == EAGAIN)
        return;
    if (wrong == NULL && got == -1)
        wrong = "what it sends is no message";
    if (wrong != NULL)
        job_lied(job, wrong);
    else
        job_end(job, job->answered ? SG_JOB_ANSWERED : SG_JOB_LOST);
}

/* ---- submitting */

static bool
job_room(const struct sg_pool *pool)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < jobs.boot->n_workers; i++)
        n += atomic_load_explicit(&pool->loads[i], memory_order_relaxed);
    return n < sg_pool_limit(pool);
}

static int
job_send(const struct sg_pool *pool, const struct sg_job_order *order, int fd)
{
    int status;

    sg_job_put_order(&jobs.msg, order, fd);
    status = sg_msg_offer(pool->in, &jobs.msg);
    sg_wipe(jobs.msg.data, jobs.msg.len);
    /* The socket is full, or too many descriptors are on their way. */
    if (status == -1 && (errno == EAGAIN || errno == ETOOMANYREFS))
        errno = EBUSY;
    return status;
}

struct sg_job *
sg_job_submit(struct sg_instance *inst, const struct sg_job_order *order, sg_job_done *done, void *owner)
{
    struct sg_job *job;
    int pair[2], status;

    if (inst->pool == NULL || jobs.boot->pools == NULL) {
        errno = ENOTSUP;
        return NULL;
    }
    if (!job_room(inst->pool)) {
        errno = EBUSY;
        return NULL;
    }
    job = calloc(1, sizeof *job);
    if (job == NULL || sg_proc_channel(pair) == -1) {
        free(job);
        return NULL;
    }
    status = job_send(inst->pool, order, pair[1]);
    (void)close(pair[1]);
    if (status == -1) {
        (void)close(pair[0]);
        free(job);
        return NULL;
    }
    job->pool = inst->pool;
    job->done = done;
    job->owner = owner;
    job->deadline.expired = job_expired;
    atomic_fetch_add_explicit(&job->pool->loads[jobs.boot->number], 1, memory_order_relaxed);
    sg_deadline_arm(&jobs.queues[job->pool - jobs.boot->pools->v], &job->deadline);
    ev_io_init(&job->io, job_readable, pair[0], EV_READ);
    ev_io_start(sg_worker_loop(), &job->io);
    return job;
}

/* ---- for modules */

static void
job_resolves(void *owner, enum sg_job_end end, enum sg_verdict verdict, struct sg_answer *answer)
{
    struct sg_pending *pending = owner;

    (void)end, (void)answer;
    pending->job = NULL;
    sg_pending_resolve(pending, verdict);
}

int
sg_helper_submit(struct sg_instance *inst, struct sg_pending *pending, const void *job, size_t len)
{
    const struct sg_job_order order = { .work = job, .work_len = len };

    if (len > SG_HELPER_JOB_MAX || inst->mod->work == NULL || pending->job != NULL)
        return -1;
    pending->job = sg_job_submit(inst, &order, job_resolves, pending);
    return pending->job != NULL ? 0 : -1;
}
