/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.c - the helpers of a generation.
 */
#include "pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "helper.h"
#include "image_core.h"
#include "journal.h"
#include "log.h"
#include "login_throttle.h"
#include "units.h"

/* A job is worth nothing after the pool's time-out; a helper gets this much more to see that by itself. */
#define POOL_GRACE_MS 1000
#define POOL_END_MS 1000
/* What a job of the longest kind costs in a socket's buffer. */
#define POOL_JOB_COST 9216

/* ---- making pools */

/* The kernel's default takes some eighty jobs; as root it takes what we say. */
static void
pool_room(const struct sg_pool *pool)
{
    const int wanted = (int)sg_pool_limit(pool) * POOL_JOB_COST;

    if (setsockopt(pool->in, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) == -1)
        (void)setsockopt(pool->in, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
}

static int
pool_open(struct sg_pools *pools, struct sg_pool *pool, struct sg_instance *inst)
{
    const char *user = inst->conf->helper.user != NULL ? inst->conf->helper.user : inst->whole->core.user;
    const size_t size = (size_t)inst->conf->helper.processes * sizeof(struct sg_helper_status);
    struct sg_helper_status *statuses;
    int pair[2];

    *pool = (struct sg_pool){ .inst = inst,
                              .conf = &inst->conf->helper,
                              .n = (unsigned)inst->conf->helper.processes,
                              .changes = pools->changes };
    pool->loads =
        mmap(NULL, pools->n_workers * sizeof *pool->loads, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    statuses = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pool->loads == MAP_FAILED || statuses == MAP_FAILED || sg_proc_channel(pair) == -1)
        return -1;
    pool->in = pair[0];
    pool->out = pair[1];
    pool_room(pool);
    for (unsigned i = 0; i < pool->n; i++)
        pools->helpers[pools->n_helpers++] = (struct sg_helper){ .pool = pool, .channel = -1, .status = &statuses[i] };
    if (sg_proc_rights(user, &pool->rights) == -1) {
        errno = EINVAL;
        return -1;
    }
    inst->pool = pool;
    return 0;
}

int
sg_pools_open(struct sg_pools *pools, const struct sg_conf *conf, struct sg_instances *all, unsigned n_workers)
{
    size_t n = 0;

    for (size_t i = 0; i < all->n; i++)
        n += (size_t)all->v[i].conf->helper.processes;
    pools->v = sg_arena_alloc(conf->arena, all->n * sizeof *pools->v + 1);
    pools->helpers = sg_arena_alloc(conf->arena, n * sizeof *pools->helpers + 1);
    pools->n_workers = n_workers;
    pools->changes = mmap(NULL, sizeof *pools->changes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pools->changes == MAP_FAILED) {
        sg_logf(SG_LOG_EMERG, "cannot share a page with helpers: %s", strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < all->n; i++) {
        if (!sg_instance_serves(&all->v[i], SG_PROCESS_HELPER))
            continue;
        if (pool_open(pools, &pools->v[pools->n++], &all->v[i]) == -1) {
            sg_logf(SG_LOG_EMERG, "cannot make the helpers of \"%s\": %s", all->v[i].name, strerror(errno));
            return -1;
        }
    }
    return 0;
}

void
sg_pools_worker(struct sg_pools *pools, unsigned number)
{
    for (size_t i = 0; i < pools->n; i++)
        atomic_store(&pools->v[i].loads[number], 0);
}

uint64_t
sg_pools_changes(const struct sg_pools *pools)
{
    return pools != NULL ? atomic_load(pools->changes) : 0;
}

void
sg_pools_changed(struct sg_pools *pools)
{
    atomic_fetch_add(pools->changes, 1);
}

void
sg_auth_changed(struct sg_instance *inst)
{
    if (inst->pool != NULL)
        atomic_fetch_add(inst->pool->changes, 1);
}

/* ---- starting */

static void
pool_child(struct sg_pools *pools, const struct sg_helper *helper, int channel)
{
    const struct sg_pool *pool = helper->pool;
    const struct sg_helper_boot boot = { pool->inst, pool->conf, pool->out, channel, helper->status };
    const int keep[] = { channel, pool->out, sg_log_fd() };
    char role[80];
    sigset_t none;

    sg_proc_close_others(keep, sizeof keep / sizeof keep[0]);
    sg_journal_close(); /* the generation's */
    sg_brake_unmap(pools->brake);
    for (size_t i = 0; i < pools->n; i++) /* no helper's business */
        (void)munmap(pools->v[i].loads, pools->n_workers * sizeof *pool->loads);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)snprintf(role, sizeof role, "helper %s", pool->inst->name);
    sg_log_role(role);
    sg_proc_title("sockgate-hlp", "sockgate: helper %s (generation %u)", pool->inst->name, pools->generation);
    if (sg_proc_drop(&pool->rights) == -1)
        _exit(1);
    exit(sg_helper_main(&boot));
}

static int
pool_spawn(struct sg_pools *pools, struct sg_helper *helper)
{
    int pair[2];

    if (sg_proc_channel(pair) == -1)
        return -1;
    /* start() may hang as a job may. */
    atomic_store(&helper->status->busy_since_ms, sg_mono_ms());
    helper->pid = fork();
    if (helper->pid == 0)
        pool_child(pools, helper, pair[1]);
    (void)close(pair[1]);
    if (helper->pid == -1) {
        helper->pid = 0;
        (void)close(pair[0]);
        return -1;
    }
    helper->channel = pair[0];
    helper->ready = helper->condemned = false;
    helper->images = sg_images_changes();
    return 0;
}

static void
pool_start(struct sg_pools *pools, struct sg_helper *helper, int64_t now_ms)
{
    if (helper->pid != 0 || pools->ending || helper->start_at_ms > now_ms)
        return;
    if (pool_spawn(pools, helper) == 0)
        return;
    sg_logf_limited(SG_LOG_ERR, "cannot start a helper of \"%s\": %s", helper->pool->inst->name, strerror(errno));
    helper->start_at_ms = now_ms + 1000;
}

/* ---- watching */

static void
pool_condemn(struct sg_helper *helper)
{
    helper->condemned = true;
    (void)kill(helper->pid, SIGKILL);
}

static void
pool_watch(struct sg_helper *helper, int64_t now_ms)
{
    const struct sg_pool *pool = helper->pool;
    const int64_t since = atomic_load(&helper->status->busy_since_ms);
    char text[32];

    if (helper->pid == 0 || helper->condemned || since == 0 || now_ms - since < pool->conf->timeout + POOL_GRACE_MS)
        return;
    sg_logf(SG_LOG_ERR, "helper of \"%s\" (pid %d) has been busy for more than %s: killing it", pool->inst->name,
            (int)helper->pid, sg_format_duration(pool->conf->timeout, text, sizeof text));
    pool_condemn(helper);
}

void
sg_pools_look(struct sg_pools *pools, int64_t now_ms)
{
    for (unsigned i = 0; i < pools->n_helpers; i++) {
        struct sg_helper *helper = &pools->helpers[i];

        pool_start(pools, helper, now_ms);
        pool_watch(helper, now_ms);
        if (helper->channel != -1)
            (void)sg_images_send(helper->channel, &helper->images); /* the rest is for the next time */
    }
    if (!pools->ending || now_ms < pools->kill_at_ms)
        return;
    sg_pools_kill(pools);
    pools->kill_at_ms = INT64_MAX;
}

int64_t
sg_pools_due(const struct sg_pools *pools, int64_t now_ms)
{
    int64_t due = pools->ending ? pools->kill_at_ms - now_ms : INT64_MAX;

    for (unsigned i = 0; i < pools->n_helpers && !pools->ending; i++)
        if (pools->helpers[i].pid == 0 && pools->helpers[i].start_at_ms - now_ms < due)
            due = pools->helpers[i].start_at_ms - now_ms;
    return due > 0 ? due : 0;
}

void
sg_pools_poll(const struct sg_pools *pools, struct pollfd *fds)
{
    for (unsigned i = 0; i < pools->n_helpers; i++)
        fds[i] = (struct pollfd){ pools->helpers[i].channel, POLLIN, 0 };
}

static void
pool_receive(struct sg_helper *helper)
{
    struct sg_msg msg;
    int got;

    while ((got = sg_msg_recv(helper->channel, &msg)) == 1) {
        if (msg.type == SG_MSG_WORKER_READY) {
            helper->ready = true;
            sg_throttle_ready(&helper->throttle);
        } else if (msg.type == SG_MSG_IMAGE_LOST) {
            helper->images = 0;
        }
        sg_msg_close_fds(&msg);
    }
    if (got == 0) {
        (void)close(helper->channel);
        helper->channel = -1;
    }
}

void
sg_pools_polled(struct sg_pools *pools, const struct pollfd *fds)
{
    for (unsigned i = 0; i < pools->n_helpers; i++)
        if (fds[i].revents != 0)
            pool_receive(&pools->helpers[i]);
}

/* ---- the end of one */

static struct sg_helper *
pool_helper(struct sg_pools *pools, pid_t pid)
{
    for (unsigned i = 0; i < pools->n_helpers; i++)
        if (pools->helpers[i].pid == pid && pid != 0)
            return &pools->helpers[i];
    return NULL;
}

static void
pool_died(struct sg_pools *pools, struct sg_helper *helper, int status, int64_t now_ms)
{
    struct sg_pool *pool = helper->pool;
    const bool expected = helper->ready && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    char text[64], line[200];

    (void)snprintf(line, sizeof line, "helper of \"%s\" (pid %d) ended: %s", pool->inst->name, (int)helper->pid,
                   sg_proc_status_text(status, text, sizeof text));
    sg_logf(expected ? SG_LOG_INFO : SG_LOG_ERR, "%s", line);
    if (!helper->ready) {
        (void)snprintf(pools->failure, sizeof pools->failure, "%s before it was ready", line);
        sg_throttle_failed(&helper->throttle, now_ms);
    }
    /* What crashes a helper may be what a stranger sends: nothing else is to suffer for it, but somebody must look. */
    if (sg_proc_crashed(status) && sg_crashes_add(&pool->crashes, now_ms))
        sg_logf(SG_LOG_ERR, "helpers of \"%s\" have crashed five times in a minute: its module has a fault",
                pool->inst->name);
}

bool
sg_pools_reaped(struct sg_pools *pools, pid_t pid, int status, int64_t now_ms)
{
    struct sg_helper *helper = pool_helper(pools, pid);

    if (helper == NULL)
        return false;
    pool_died(pools, helper, status, now_ms);
    if (helper->channel != -1)
        (void)close(helper->channel);
    helper->channel = -1;
    helper->pid = 0;
    helper->ready = false;
    helper->start_at_ms = sg_throttle_next(&helper->throttle, now_ms);
    return true;
}

void
sg_pools_accused(struct sg_pools *pools, const struct sg_msg *msg)
{
    char name[64], what[128];
    struct sg_helper *helper;
    uint64_t pid;

    if (!sg_msg_get_str(msg, SG_TAG_NAME, name, sizeof name) || !sg_msg_get_u64(msg, SG_TAG_PID, &pid) ||
        !sg_msg_get_str(msg, SG_TAG_TEXT, what, sizeof what) || pid > INT32_MAX)
        return;
    helper = pool_helper(pools, (pid_t)pid);
    if (helper == NULL || helper->condemned || strcmp(helper->pool->inst->name, name) != 0) {
        sg_logf_limited(SG_LOG_ERR, "an answer to a job of \"%s\" breaks the rules, from a helper that %s: %s", name,
                        pid == 0 ? "cannot be told from the others" : "is gone", what);
        return;
    }
    sg_logf(SG_LOG_ERR, "helper of \"%s\" (pid %d) breaks the rules, it is replaced: %s", name, (int)helper->pid, what);
    pool_condemn(helper);
}

/* ---- all of them */

const struct sg_helper *
sg_pools_starting(const struct sg_pools *pools)
{
    for (unsigned i = 0; i < pools->n_helpers; i++)
        if (!pools->helpers[i].ready)
            return &pools->helpers[i];
    return NULL;
}

unsigned
sg_pools_count(const struct sg_pools *pools)
{
    unsigned n = 0;

    for (unsigned i = 0; i < pools->n_helpers; i++)
        n += pools->helpers[i].pid != 0;
    return n;
}

void
sg_pools_tell(struct sg_pools *pools, int type)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, (enum sg_msg_type)type);
    if (type == SG_MSG_REOPEN)
        sg_msg_put_fd(&msg, SG_TAG_LOG_FD, sg_log_fd());
    for (unsigned i = 0; i < pools->n_helpers; i++)
        if (pools->helpers[i].channel != -1) /* one that works reads it afterwards */
            (void)sg_msg_offer(pools->helpers[i].channel, &msg);
}

void
sg_pools_end(struct sg_pools *pools, int64_t now_ms)
{
    if (pools->ending)
        return;
    pools->ending = true;
    pools->kill_at_ms = now_ms + POOL_END_MS;
    for (size_t i = 0; i < pools->n; i++) {
        (void)close(pools->v[i].in);
        (void)close(pools->v[i].out);
    }
}

void
sg_pools_kill(struct sg_pools *pools)
{
    for (unsigned i = 0; i < pools->n_helpers; i++)
        if (pools->helpers[i].pid != 0)
            pool_condemn(&pools->helpers[i]);
}
