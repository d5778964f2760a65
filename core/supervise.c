/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervise.c - the workers of a generation.
 */
#include "supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "image_core.h"
#include "log.h"
#include "login_watch.h"
#include "msg.h"
#include "pool.h"

#define SUPERVISE_LOOK_MS 500
#define SUPERVISE_IMAGES_MS 1000

int
sg_supervisor_open(struct sg_supervisor *sup)
{
    const size_t one = sizeof(struct sg_worker_status);
    char *pages = mmap(NULL, one * sup->boot.n_workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    randombytes_buf(sup->boot.quota_key, sizeof sup->boot.quota_key);
    sup->n = sup->boot.n_workers;
    sup->workers = calloc(sup->n, sizeof *sup->workers);
    if (pages == MAP_FAILED || sup->workers == NULL)
        return -1;
    for (unsigned i = 0; i < sup->n; i++) {
        sup->workers[i].channel = -1;
        sup->workers[i].status = (struct sg_worker_status *)(void *)(pages + one * i);
    }
    return 0;
}

/* 16 bits for each process of a master's life; when they are used up the epoch changes. */
static uint16_t
supervise_serial(struct sg_supervisor *sup)
{
    const uint32_t serial = atomic_fetch_add(&sup->ids->serial, 1);

    if (serial != 0 && (serial & 0xffff) == 0)
        randombytes_buf(&sup->ids->epoch, sizeof sup->ids->epoch);
    return (uint16_t)serial;
}

static void
supervise_close(int fd)
{
    if (fd != -1)
        (void)close(fd);
}

int
sg_supervisor_journal(struct sg_supervisor *sup, size_t n_events)
{
    struct sg_journal_boot boot = {
        .n_slots = n_events, .n_events = n_events, .serial = supervise_serial(sup), .epoch = sup->ids->epoch
    };
    int status = sg_keeper_table(&sup->keeper, boot.serial, boot.n_slots, &boot.fds);

    if (status == 0) {
        sg_keeper_born(&boot.fds, getpid());
        status = sg_journal_open(&boot);
    }
    supervise_close(boot.fds.table);
    supervise_close(boot.fds.acks);
    return status;
}

static void
supervise_child(struct sg_supervisor *sup, unsigned i, int channel)
{
    struct sg_worker_boot *boot = &sup->boot;
    const size_t n = boot->n_listeners + boot->pools->n + 5;
    int *keep = calloc(n, sizeof *keep), *next;
    sigset_t none;
    char role[32];

    if (keep == NULL)
        _exit(1);
    keep[0] = channel;
    keep[1] = sg_log_fd();
    keep[2] = boot->journal.table;
    keep[3] = boot->journal.acks;
    keep[4] = boot->journal.bell;
    next = keep + 5;
    for (size_t l = 0; l < boot->n_listeners; l++)
        *next++ = boot->listeners[l].fd;
    for (size_t p = 0; p < boot->pools->n; p++)
        *next++ = boot->pools->v[p].in;
    sg_proc_close_others(keep, n);
    free(keep);
    (void)munmap(sup->ids, sizeof *sup->ids); /* no worker's business */
    sg_journal_close();                       /* nor this one */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)snprintf(role, sizeof role, "worker %u", i);
    sg_log_role(role);
    sg_proc_title("sockgate-wrk", "sockgate: worker %u (generation %u)", i, sup->generation);
    boot->channel = channel;
    boot->number = i;
    boot->status = sup->workers[i].status;
    if (sg_proc_drop(&sup->rights) == -1)
        _exit(1);
    exit(sg_worker_main(boot));
}

static int
supervise_spawn(struct sg_supervisor *sup, unsigned i)
{
    struct sg_child *child = &sup->workers[i];
    int pair[2];

    memset(child->status, 0, sizeof *child->status);
    sg_pools_worker(sup->boot.pools, i);
    child->dog = (struct sg_watchdog){ 0 };
    if (sg_proc_channel(pair) == -1)
        return -1;
    sup->boot.id_serial = supervise_serial(sup);
    sup->boot.id_epoch = sup->ids->epoch;
    if (sg_keeper_table(&sup->keeper, sup->boot.id_serial, sup->boot.n_records, &sup->boot.journal) == -1) {
        sg_logf(SG_LOG_ERR, "cannot make a session table: %s", strerror(errno));
        child->pid = -1;
    } else {
        child->pid = fork();
    }
    if (child->pid == 0)
        supervise_child(sup, i, pair[1]);
    if (child->pid != -1)
        sg_keeper_born(&sup->boot.journal, child->pid);
    supervise_close(sup->boot.journal.table);
    supervise_close(sup->boot.journal.acks);
    (void)close(pair[1]);
    if (child->pid == -1) {
        child->pid = 0;
        (void)close(pair[0]);
        return -1;
    }
    child->channel = pair[0];
    child->state = SG_WORKER_STARTING;
    child->images = sg_images_changes(); /* it has what we have */
    return 0;
}

int
sg_supervisor_start(struct sg_supervisor *sup, int64_t now_ms)
{
    for (unsigned i = 0; i < sup->n && !sup->winding_up; i++) {
        struct sg_child *child = &sup->workers[i];

        if (child->state != SG_WORKER_NONE || child->start_at_ms > now_ms)
            continue;
        if (supervise_spawn(sup, i) == -1) {
            sg_logf(SG_LOG_ERR, "cannot start worker %u: %s", i, strerror(errno));
            sg_throttle_failed(&child->throttle, now_ms);
            child->start_at_ms = now_ms + 1000;
            return -1;
        }
    }
    return 0;
}

static void
supervise_order(const struct sg_child *child, int type)
{
    struct sg_msg msg;

    if (child->channel == -1)
        return;
    sg_msg_begin(&msg, (enum sg_msg_type)type);
    if (type == SG_MSG_REOPEN)
        sg_msg_put_fd(&msg, SG_TAG_LOG_FD, sg_log_fd());
    if (sg_msg_send(child->channel, &msg) == -1 && errno != EPIPE && errno != ECONNRESET)
        sg_logf(SG_LOG_ERR, "cannot reach worker with pid %d: %s", (int)child->pid, strerror(errno));
}

void
sg_supervisor_receive(struct sg_supervisor *sup, unsigned i)
{
    struct sg_child *child = &sup->workers[i];
    struct sg_msg msg;
    int got;

    while ((got = sg_msg_recv(child->channel, &msg)) == 1) {
        if (msg.type == SG_MSG_WORKER_READY && child->state == SG_WORKER_STARTING) {
            child->state = SG_WORKER_READY;
            sg_throttle_ready(&child->throttle);
            if (sup->accepting)
                supervise_order(child, SG_MSG_GO);
            else if (sup->winding_up)
                supervise_order(child, SG_MSG_DRAIN);
        } else if (msg.type == SG_MSG_WORKER_DRAINING) {
            child->state = SG_WORKER_DRAINED;
        } else if (msg.type == SG_MSG_IMAGE_LOST) {
            child->images = 0;
        } else if (msg.type == SG_MSG_ACCUSE) {
            sg_pools_accused(sup->boot.pools, &msg);
        }
        sg_msg_close_fds(&msg);
    }
    if (got == 0) {
        (void)close(child->channel);
        child->channel = -1;
    }
}

static const char *
supervise_doing(const struct sg_supervisor *sup, const struct sg_worker_status *status)
{
    const uint32_t doing = atomic_load(&status->doing);

    /* The worker wrote it: never trusted as an index. */
    return doing > 0 && doing <= sup->boot.instances->n ? sup->boot.instances->v[doing - 1].name : NULL;
}

static void
supervise_died(struct sg_supervisor *sup, unsigned i, int status)
{
    struct sg_child *child = &sup->workers[i];
    const char *doing = supervise_doing(sup, child->status);
    const bool expected = sup->winding_up && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    char text[64], line[200];
    struct sg_worker_status *now = child->status;

    (void)snprintf(line, sizeof line, "worker %u (pid %d) ended: %s%s%s%s", i, (int)child->pid,
                   sg_proc_status_text(status, text, sizeof text), doing != NULL ? ", in module \"" : "",
                   doing != NULL ? doing : "", doing != NULL ? "\"" : "");
    if (child->state == SG_WORKER_STARTING || sup->loading)
        (void)snprintf(sup->failure, sizeof sup->failure, "%s before %s ready", line,
                       child->state == SG_WORKER_STARTING ? "it was" : "all were");
    sg_logf(expected ? SG_LOG_INFO : SG_LOG_ERR, "%s; %u sessions were open", line,
            (unsigned)atomic_load(&now->sessions));
    sg_logf(SG_LOG_INFO,
            "worker %u: longest turn %" PRId64 " us; octets copied %" PRIu64 ", spliced %" PRIu64 ", filtered %" PRIu64,
            i, atomic_load(&now->longest_turn_us), atomic_load(&now->moved[SG_PATH_COPY]),
            atomic_load(&now->moved[SG_PATH_SPLICE]), atomic_load(&now->moved[SG_PATH_FILTER]));
}

unsigned
sg_supervisor_reap(struct sg_supervisor *sup, int64_t now_ms, bool *renew_out)
{
    unsigned unready = 0;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == sup->keeper.pid)
            sg_keeper_reaped(&sup->keeper, status, now_ms);
        if (sg_pools_reaped(sup->boot.pools, pid, status, now_ms))
            continue;
        for (unsigned i = 0; i < sup->n; i++) {
            struct sg_child *child = &sup->workers[i];

            if (child->pid != pid)
                continue;
            supervise_died(sup, i, status);
            unready += child->state == SG_WORKER_STARTING || sup->loading;
            if (child->state == SG_WORKER_STARTING)
                sg_throttle_failed(&child->throttle, now_ms);
            if (sg_proc_crashed(status) && sg_crashes_add(&sup->crashes, now_ms))
                *renew_out = true;
            if (child->channel != -1)
                (void)close(child->channel);
            child->channel = -1;
            child->pid = 0;
            child->state = SG_WORKER_NONE;
            child->start_at_ms = sg_throttle_next(&child->throttle, now_ms);
        }
    }
    return unready;
}

static void
supervise_watch(const struct sg_supervisor *sup, const char *who, pid_t pid, const struct sg_worker_status *status,
                struct sg_watchdog *dog, int64_t now_ms)
{
    const char *doing = supervise_doing(sup, status);
    const enum sg_watch watch = sg_watchdog_look(dog, atomic_load(&status->turn_began_ms), now_ms);

    if (watch == SG_WATCH_FINE)
        return;
    sg_logf(watch == SG_WATCH_WARN ? SG_LOG_WARN : SG_LOG_ERR, "%s (pid %d) has been busy for %s%s%s%s%s", who,
            (int)pid, watch == SG_WATCH_WARN ? "2 s" : "10 s", doing != NULL ? " in module \"" : "",
            doing != NULL ? doing : "", doing != NULL ? "\"" : "", watch == SG_WATCH_WARN ? "" : ": aborting it");
    if (watch != SG_WATCH_WARN)
        (void)kill(pid, watch == SG_WATCH_ABORT ? SIGABRT : SIGKILL);
}

void
sg_supervisor_watch(struct sg_supervisor *sup, int64_t now_ms)
{
    struct sg_keeper *keeper = &sup->keeper;
    char who[32];

    for (unsigned i = 0; i < sup->n; i++) {
        struct sg_child *child = &sup->workers[i];

        (void)snprintf(who, sizeof who, "worker %u", i);
        if (child->state != SG_WORKER_NONE)
            supervise_watch(sup, who, child->pid, child->status, &child->dog, now_ms);
    }
    if (keeper->pid > 0)
        supervise_watch(sup, "the logger", keeper->pid, keeper->status, &keeper->dog, now_ms);
}

void
sg_supervisor_tell(struct sg_supervisor *sup, int type)
{
    for (unsigned i = 0; i < sup->n; i++)
        supervise_order(&sup->workers[i], type);
}

void
sg_supervisor_logins(struct sg_supervisor *sup)
{
    if (sg_login_watch_look())
        sg_pools_changed(&sup->pools);
}

void
sg_supervisor_images(struct sg_supervisor *sup, int64_t now_ms)
{
    if (now_ms < sup->images_at_ms)
        return;
    sup->images_at_ms = now_ms + SUPERVISE_IMAGES_MS;
    sg_images_look();
    sg_supervisor_logins(sup);
    for (unsigned i = 0; i < sup->n; i++) {
        struct sg_child *child = &sup->workers[i];

        if (child->channel != -1 && sg_images_send(child->channel, &child->images) == -1)
            sg_logf_limited(SG_LOG_ERR, "worker %u (pid %d) does not take new sets, it is told again: %s", i,
                            (int)child->pid, strerror(errno));
    }
}

void
sg_supervisor_kill(struct sg_supervisor *sup)
{
    for (unsigned i = 0; i < sup->n; i++)
        if (sup->workers[i].pid != 0)
            (void)kill(sup->workers[i].pid, SIGKILL);
    sg_keeper_kill(&sup->keeper);
    if (sup->boot.pools != NULL)
        sg_pools_kill(sup->boot.pools);
}

static void
supervise_starting(char *text, size_t size, const char *who, pid_t pid, const char *doing)
{
    (void)snprintf(text, size, "%s (pid %d) has not started%s%s%s", who, (int)pid, doing != NULL ? ": module \"" : "",
                   doing != NULL ? doing : "", doing != NULL ? "\" is in its start()" : "");
}

bool
sg_supervisor_starting(const struct sg_supervisor *sup, char *text, size_t size)
{
    const struct sg_keeper *keeper = &sup->keeper;
    const struct sg_helper *helper = sup->boot.pools != NULL ? sg_pools_starting(sup->boot.pools) : NULL;
    char who[32];

    for (unsigned i = 0; i < sup->n; i++) {
        const struct sg_child *child = &sup->workers[i];

        if (child->state >= SG_WORKER_READY)
            continue;
        (void)snprintf(who, sizeof who, "worker %u", i);
        supervise_starting(text, size, who, child->pid, supervise_doing(sup, child->status));
        return true;
    }
    if (helper != NULL)
        supervise_starting(text, size, "a helper", helper->pid, helper->pool->inst->name);
    else if (!keeper->ready)
        supervise_starting(text, size, "the logger", keeper->pid, supervise_doing(sup, keeper->status));
    return helper != NULL || !keeper->ready;
}

unsigned
sg_supervisor_count(const struct sg_supervisor *sup, enum sg_worker_state at_least)
{
    unsigned n = 0;

    for (unsigned i = 0; i < sup->n; i++)
        n += sup->workers[i].state >= at_least;
    return n;
}

int
sg_supervisor_timeout(const struct sg_supervisor *sup, int64_t now_ms)
{
    int64_t wait = SUPERVISE_LOOK_MS, due;

    if (sup->keeper.pid == 0 && !sup->keeper.winding_up && sup->keeper.start_at_ms - now_ms < wait)
        wait = sup->keeper.start_at_ms - now_ms;
    if (sup->keeper.channel != -1 && sup->keeper.look_at_ms == 0)
        wait = 0;
    for (unsigned i = 0; i < sup->n && !sup->winding_up; i++)
        if (sup->workers[i].state == SG_WORKER_NONE && sup->workers[i].start_at_ms - now_ms < wait)
            wait = sup->workers[i].start_at_ms - now_ms;
    due = sup->boot.pools != NULL ? sg_pools_due(sup->boot.pools, now_ms) : wait;
    if (due < wait)
        wait = due;
    return wait > 0 ? (int)wait : 0;
}
