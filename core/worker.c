/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - the process and its loop.
 *
 *   wait for events --> callbacks --> prepare: deferred work, reaper --> wait ...
 *        idle       |<------ a turn, which the watchdog measures ----->|
 *
 * Thousands of sockets may become ready at once, and the kernel reports all of them in one turn. So the callbacks of
 * sessions only note what they are told, which is cheap; the work is deferred, and has a share of each turn.
 */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "addrs.h"
#include "clock.h"
#include "image_core.h"
#include "job.h"
#include "listener.h"
#include "log.h"
#include "login.h"
#include "loop.h"
#include "msg.h"
#include "pipes.h"
#include "resolve.h"
#include "session.h"

#define WORKER_TICK_MS 1000
#define WORKER_SETTLE_MS 1000
#define WORKER_BELL_DELAY 0.005
/* Of a turn, for deferred work. The rest of 20 ms is for callbacks, and for the last piece of work. */
#define WORKER_SHARE_US 12000
/* RFC 8305 section 8: what it recommends. */
#define WORKER_RESOLUTION_DELAY_MS 50
#define WORKER_ATTEMPT_DELAY_MS 250

static struct {
    const struct sg_worker_boot *boot;
    struct ev_loop *loop;
    struct sg_defer *deferred, **deferred_end;
    struct sg_deadline_queue queues[SG_QUEUES];
    ev_prepare prepare;
    ev_check check;
    ev_idle behind; /* active while deferred work is left over: the loop does not wait then */
    ev_io channel;
    ev_io ownaddr;
    ev_timer drain;
    ev_timer bell;
    int epoll; /* of the loop; -1: not known */
    ev_signal term;
    int64_t turn_began_us;
    bool draining;
    uint8_t shared[SG_SHARED_SIZE];
} worker;

struct ev_loop *
sg_worker_loop(void)
{
    return worker.loop;
}

const struct sg_worker_boot *
sg_worker_boot(void)
{
    return worker.boot;
}

uint8_t *
sg_worker_shared(void)
{
    return worker.shared;
}

struct sg_deadline_queue *
sg_worker_queue(enum sg_queue which)
{
    return &worker.queues[which];
}

uint32_t
sg_worker_enter(const struct sg_instance *inst)
{
    uint32_t before = 0;

    if (worker.boot != NULL) {
        before = atomic_load_explicit(&worker.boot->status->doing, memory_order_relaxed);
        atomic_store_explicit(&worker.boot->status->doing, inst->number, memory_order_relaxed);
    }
    return before;
}

void
sg_worker_leave(uint32_t before)
{
    if (worker.boot != NULL)
        atomic_store_explicit(&worker.boot->status->doing, before, memory_order_relaxed);
}

void
sg_worker_defer(struct sg_defer *defer)
{
    if (defer->prev != NULL)
        return;
    if (worker.deferred == NULL)
        worker.deferred_end = &worker.deferred;
    defer->next = NULL;
    defer->prev = worker.deferred_end;
    *worker.deferred_end = defer;
    worker.deferred_end = &defer->next;
}

void
sg_worker_undefer(struct sg_defer *defer)
{
    if (defer->prev == NULL)
        return;
    *defer->prev = defer->next;
    if (defer->next != NULL)
        defer->next->prev = defer->prev;
    else
        worker.deferred_end = defer->prev;
    defer->prev = NULL;
}

static void
worker_run_first(void)
{
    struct sg_defer *defer = worker.deferred;

    sg_worker_undefer(defer);
    defer->run(defer);
}

void
sg_worker_run_deferred(void)
{
    while (worker.deferred != NULL)
        worker_run_first();
}

void
sg_worker_watch(ev_io *io, int events)
{
    if (ev_is_active(io) && (io->events & (EV_READ | EV_WRITE)) == events)
        return;
    if (events == 0) {
        if (!ev_is_active(io))
            return;
        ev_io_stop(worker.loop, io);
        /* libev leaves it in the set until it fires for nothing: behind an end of file, in the very next turn. */
        if (worker.epoll != -1)
            (void)epoll_ctl(worker.epoll, EPOLL_CTL_DEL, io->fd, NULL);
        return;
    }
    if (ev_is_active(io)) {
        ev_io_stop(worker.loop, io);
        ev_io_modify(io, events);
    } else {
        ev_io_set(io, io->fd, events); /* tells libev to look at the set again, from which we may have taken it */
    }
    ev_io_start(worker.loop, io);
}

/* libev shows a loop's epoll descriptor to nobody but a watcher that embeds the loop in another one. */
static int
worker_epoll(struct ev_loop *loop)
{
    struct ev_loop *outer = sg_loop_new();
    ev_embed embed;
    int fd;

    if (outer == NULL)
        return -1;
    ev_embed_init(&embed, NULL, loop);
    ev_embed_start(outer, &embed);
    fd = embed.io.fd;
    ev_embed_stop(outer, &embed);
    ev_loop_destroy(outer);
    return fd;
}

static int64_t
worker_now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Who was first is served first, and again when everybody else was: nobody starves. */
static void
worker_work(struct ev_loop *loop)
{
    const int64_t until = worker_now_us() + WORKER_SHARE_US;

    while (worker.deferred != NULL) {
        worker_run_first();
        if (worker_now_us() >= until)
            break;
    }
    if (worker.deferred != NULL)
        ev_idle_start(loop, &worker.behind);
    else
        ev_idle_stop(loop, &worker.behind);
}

static void
worker_behind(struct ev_loop *loop, ev_idle *idle, int revents)
{
    (void)loop, (void)idle, (void)revents; /* that it is active is all that it does */
}

/* Before the loop waits: what was put off, then the dead. A turn ends here. */
static void
worker_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    struct sg_worker_status *status = worker.boot->status;
    int64_t turn_us;

    (void)prepare, (void)revents;
    worker_work(loop);
    sg_session_reap();
    /* The logger loses nothing by waiting a moment, and takes what has come together at once. */
    if (sg_journal_due() && !ev_is_active(&worker.bell)) {
        ev_timer_set(&worker.bell, WORKER_BELL_DELAY, 0.);
        ev_timer_start(loop, &worker.bell);
    }
    if (worker.draining && sg_session_count() == 0)
        ev_break(loop, EVBREAK_ALL);
    turn_us = worker_now_us() - worker.turn_began_us;
    /* A turn that has ended every session at the end of a drain kept nobody waiting. */
    if (worker.draining && sg_session_count() == 0)
        turn_us = 0;
    if (turn_us > atomic_load_explicit(&status->longest_turn_us, memory_order_relaxed))
        atomic_store_explicit(&status->longest_turn_us, turn_us, memory_order_relaxed);
    atomic_store_explicit(&status->turn_began_ms, 0, memory_order_relaxed);
}

static void
worker_bell(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)timer, (void)revents;
    sg_journal_bell();
}

static void
worker_check(struct ev_loop *loop, ev_check *check, int revents)
{
    (void)loop, (void)check, (void)revents;
    worker.turn_began_us = worker_now_us();
    atomic_store_explicit(&worker.boot->status->turn_began_ms, worker.turn_began_us / 1000, memory_order_relaxed);
}

static void
worker_drained(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)timer, (void)revents;
    if (sg_session_count() > 0)
        sg_logf(SG_LOG_NOTICE, "drain deadline: closing %zu sessions", sg_session_count());
    sg_session_end_all(SG_REASON_DRAIN_TIMEOUT);
}

static void
worker_drain(void)
{
    struct sg_msg msg;

    if (worker.draining)
        return;
    worker.draining = true;
    sg_listeners_close();
    sg_msg_begin(&msg, SG_MSG_WORKER_DRAINING);
    (void)sg_msg_send(worker.boot->channel, &msg); /* when the generation is gone, nobody has to know */
    ev_timer_set(&worker.drain, (ev_tstamp)worker.boot->conf->core.timeouts.drain / 1000, 0.);
    ev_timer_start(worker.loop, &worker.drain);
}

static void
worker_stop(void)
{
    worker.draining = true;
    sg_listeners_close();
    sg_session_end_all(SG_REASON_STOPPED);
}

static void
worker_term(struct ev_loop *loop, ev_signal *signal, int revents)
{
    (void)loop, (void)signal, (void)revents;
    worker_stop();
}

/* No generation to give orders any more: drain, and let the master say "stop" with the only voice that is left. */
static void
worker_orphaned(void)
{
    sg_logf(SG_LOG_WARN, "the generation is gone: draining");
    ev_signal_init(&worker.term, worker_term, SIGTERM);
    ev_signal_start(worker.loop, &worker.term);
    worker_drain();
}

static void
worker_order(struct ev_loop *loop, ev_io *io, int revents)
{
    struct sg_msg msg;
    int got;

    (void)revents;
    while ((got = sg_msg_recv(io->fd, &msg)) == 1) {
        switch (msg.type) {
        case SG_MSG_GO: sg_listeners_go(); break;
        case SG_MSG_DRAIN: worker_drain(); break;
        case SG_MSG_STOP: worker_stop(); break;
        case SG_MSG_IMAGE: sg_images_receive(&msg, io->fd); break;
        case SG_MSG_REOPEN: {
            const int fd = sg_msg_take_fd(&msg, SG_TAG_LOG_FD);

            if (fd != -1)
                sg_log_take_fd(fd);
            break;
        }
        default: break;
        }
        sg_msg_close_fds(&msg);
    }
    if (got == 0) {
        ev_io_stop(loop, io);
        worker_orphaned();
    }
}

static void
worker_ownaddr(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop, (void)revents;
    sg_ownaddr_refresh(io->fd);
}

static void
worker_queues(const struct sg_timeouts_conf *t)
{
    const int64_t spans[SG_QUEUES] = {
        [SG_QUEUE_HANDSHAKE] = t->handshake,
        [SG_QUEUE_TICK] = WORKER_TICK_MS,
        [SG_QUEUE_SETUP] = t->setup_max,
        [SG_QUEUE_RESOLVE] = t->resolve,
        [SG_QUEUE_RESOLUTION_DELAY] = WORKER_RESOLUTION_DELAY_MS,
        [SG_QUEUE_ATTEMPT_DELAY] = WORKER_ATTEMPT_DELAY_MS,
        [SG_QUEUE_CONNECT] = t->connect,
        [SG_QUEUE_IDLE] = t->idle,
        [SG_QUEUE_HALF_CLOSED] = t->half_closed,
        [SG_QUEUE_LINGER] = t->linger,
        [SG_QUEUE_MAX_SESSION] = t->max_session,
        [SG_QUEUE_SETTLE] = WORKER_SETTLE_MS,
    };

    for (unsigned i = 0; i < SG_QUEUES; i++)
        sg_deadline_queue_init(&worker.queues[i], worker.loop, spans[i]);
}

int
sg_worker_open(const struct sg_worker_boot *boot)
{
    const struct sg_journal_boot journal = { .fds = boot->journal,
                                             .n_slots = boot->n_records,
                                             .n_events = SG_WORKER_EVENTS,
                                             .epoch = boot->id_epoch,
                                             .serial = boot->id_serial,
                                             .strict = boot->log_strict };

    worker.loop = sg_loop_new();
    if (worker.loop == NULL) {
        sg_logf(SG_LOG_EMERG, "cannot make an event loop: %s", strerror(errno));
        return -1;
    }
    worker.epoll = worker_epoll(worker.loop);
    worker.boot = boot;
    worker.turn_began_us = worker_now_us();
    if (sg_journal_open(&journal) == -1) {
        sg_logf(SG_LOG_EMERG, "no memory for the journal: %s", strerror(errno));
        return -1;
    }
    worker_queues(&boot->conf->core.timeouts);
    if (sg_jobs_open(boot) == -1 || sg_logins_open(boot) == -1)
        return -1;
    ev_prepare_init(&worker.prepare, worker_prepare);
    ev_prepare_start(worker.loop, &worker.prepare);
    ev_idle_init(&worker.behind, worker_behind);
    ev_timer_init(&worker.bell, worker_bell, 0., 0.);
    ev_check_init(&worker.check, worker_check);
    ev_check_start(worker.loop, &worker.check);
    return sg_resolver_open(boot);
}

void
sg_worker_close(void)
{
    sg_session_end_all(SG_REASON_STOPPED);
    sg_worker_run_deferred();
    sg_session_reap();
    sg_resolver_close();
    sg_logins_close();
    sg_jobs_close();
    for (unsigned i = 0; i < SG_QUEUES; i++)
        sg_deadline_queue_stop(&worker.queues[i]);
    ev_prepare_stop(worker.loop, &worker.prepare);
    ev_check_stop(worker.loop, &worker.check);
    ev_idle_stop(worker.loop, &worker.behind);
    ev_timer_stop(worker.loop, &worker.bell);
    sg_pipes_trim();
    ev_loop_destroy(worker.loop);
    sg_journal_bell();
    sg_journal_close();
    worker.loop = NULL;
    worker.boot = NULL;
}

static void
worker_watch_own(void)
{
    const int fd = sg_ownaddr_open();

    sg_ownaddr_refresh(fd);
    if (fd == -1) {
        sg_logf(SG_LOG_WARN, "changes of this machine's addresses will not be noticed: %s", strerror(errno));
        return;
    }
    ev_io_init(&worker.ownaddr, worker_ownaddr, fd, EV_READ);
    ev_io_start(worker.loop, &worker.ownaddr);
}

int
sg_worker_main(const struct sg_worker_boot *boot)
{
    struct sg_msg msg;

    if (sg_worker_open(boot) == -1 || sg_instances_start(boot->instances, SG_PROCESS_WORKER) == -1)
        return 1;
    /* Mapped: who takes the worker over gets no way back to the files. */
    (void)close(boot->journal.table);
    (void)close(boot->journal.acks);
    worker_watch_own();
    if (sg_listeners_open(boot) == -1)
        return 1;
    ev_timer_init(&worker.drain, worker_drained, 0., 0.);
    ev_io_init(&worker.channel, worker_order, boot->channel, EV_READ);
    ev_io_start(worker.loop, &worker.channel);
    (void)ev_run(worker.loop, EVRUN_NOWAIT); /* what cannot be watched is stopped now */
    if (!ev_is_active(&worker.channel)) {
        sg_logf(SG_LOG_EMERG, "orders cannot be watched: no memory, or fs.epoll.max_user_watches is reached");
        return 1;
    }
    sg_msg_begin(&msg, SG_MSG_WORKER_READY);
    if (sg_msg_send(boot->channel, &msg) == -1)
        return 1;
    (void)ev_run(worker.loop, 0);
    sg_instances_stop(boot->instances);
    sg_worker_close();
    return 0;
}
