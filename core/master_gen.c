/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * master_gen.c - generations come and go.
 */
#include "master_gen.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "msg.h"
#include "notify.h"
#include "proc.h"
#include "status.h"
#include "units.h"

#define MASTER_BACKLOG 4096
#define MASTER_LOAD_MAX_MS ((uint64_t)24 * 3600 * 1000)
#define MASTER_LOAD_MS 60000 /* until the configuration has said how long */
/* A generation ends its children itself, and says who is late. */
#define MASTER_LOAD_GRACE_MS 2000
#define MASTER_DRAINING_MAX 2

static struct sg_gen *
gen_in_state(struct sg_master *master, enum sg_gen_state state)
{
    for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++)
        if (master->gens[i].state == state)
            return &master->gens[i];
    return NULL;
}

struct sg_gen *
sg_master_loading(struct sg_master *master)
{
    return gen_in_state(master, SG_GEN_LOADING);
}

struct sg_gen *
sg_master_gen_by_pid(struct sg_master *master, pid_t pid)
{
    for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++)
        if (master->gens[i].state != SG_GEN_NONE && master->gens[i].pid == pid)
            return &master->gens[i];
    return NULL;
}

bool
sg_master_hopeless(const struct sg_master *master)
{
    for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++)
        if (master->gens[i].state != SG_GEN_NONE)
            return false;
    return !master->restart_wanted;
}

static const char *
gen_purpose(const struct sg_gen *gen)
{
    static const char *const names[] = {
#define X(name, text) text,
        SG_PURPOSES(X)
#undef X
    };

    return names[gen->purpose];
}

static void
gen_send(const struct sg_gen *gen, const struct sg_msg *msg)
{
    if (gen->channel != -1 && sg_msg_send(gen->channel, msg) == -1 && errno != EPIPE && errno != ECONNRESET)
        sg_logf(SG_LOG_ERR, "cannot reach generation %u: %s", gen->number, strerror(errno));
}

static void
gen_order(struct sg_gen *gen, int order)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, (enum sg_msg_type)order);
    gen_send(gen, &msg);
}

/* How a load ended, for the record. */
static void
gen_tell_outcome(const struct sg_gen *to, int type, const struct sg_gen *loaded, const char *text)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, (enum sg_msg_type)type);
    sg_msg_put_u64(&msg, SG_TAG_PURPOSE, loaded->purpose);
    sg_msg_put_u64(&msg, SG_TAG_NUMBER, loaded->number);
    sg_msg_put_u64(&msg, SG_TAG_WHO_PID, (uint64_t)loaded->who_pid);
    sg_msg_put_u64(&msg, SG_TAG_WHO_UID, (uint64_t)loaded->who_uid);
    sg_msg_put_str(&msg, SG_TAG_TEXT, text);
    gen_send(to, &msg);
}

/* Another one is current from here on: what is left to log is its logger's. */
static void
gen_replace(struct sg_gen *gen)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_DRAIN);
    sg_msg_put_u64(&msg, SG_TAG_SUCCESSOR, 1);
    gen_send(gen, &msg);
}

void
sg_master_tell_all(struct sg_master *master, int order, enum sg_gen_state state)
{
    for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++) {
        struct sg_gen *gen = &master->gens[i];

        if (gen->state == SG_GEN_NONE)
            continue;
        /* One that is still loading has nothing to drain. */
        gen_order(gen, gen->state == SG_GEN_LOADING && order == SG_MSG_DRAIN ? (int)SG_MSG_STOP : order);
        if (state != SG_GEN_NONE)
            gen->state = state;
    }
}

static void
gen_report(struct sg_master *master, const struct sg_gen *gen, bool ok, const char *text)
{
    const struct sg_gen *current = gen_in_state(master, SG_GEN_CURRENT);
    struct sg_status status = { .load_began_ms = gen->began_ms,
                                .ok = ok,
                                .generation = current != NULL ? current->number : 0,
                                .who_pid = gen->who_pid,
                                .who_uid = gen->who_uid };

    (void)snprintf(status.text, sizeof status.text, "%s", text);
    if (master->runtime_dir[0] != '\0' && sg_status_write(master->runtime_dir, &status) == -1)
        sg_logf(SG_LOG_ERR, "%s/status: %s", master->runtime_dir, strerror(errno));
}

/* The sockets and all else that a new generation has to know. */
static int
gen_brief(struct sg_master *master, const struct sg_gen *gen)
{
    struct sg_msg msg;

    for (size_t i = 0; i < master->sockets.n; i++) {
        sg_msg_begin(&msg, SG_MSG_LISTENER);
        sg_msg_put_str(&msg, SG_TAG_KEY, master->sockets.v[i].key);
        sg_msg_put_fd(&msg, SG_TAG_FD, master->sockets.v[i].fd);
        if (sg_msg_send(gen->channel, &msg) == -1)
            return -1;
    }
    sg_msg_begin(&msg, SG_MSG_START);
    sg_msg_put_u64(&msg, SG_TAG_NUMBER, gen->number);
    sg_msg_put_u64(&msg, SG_TAG_STATE_VERSION, SG_STATE_VERSION);
    sg_msg_put_u64(&msg, SG_TAG_FIRST, gen->purpose == SG_PURPOSE_START);
    sg_msg_put_fd(&msg, SG_TAG_IDS_FD, master->ids_fd);
    if (master->logins_fd != -1)
        sg_msg_put_fd(&msg, SG_TAG_LOGINS_FD, master->logins_fd);
    if (master->conf_path != NULL)
        sg_msg_put_str(&msg, SG_TAG_CONF_PATH, master->conf_path);
    if (master->pid_fd != -1) {
        sg_msg_put_str(&msg, SG_TAG_PID_FILE, master->pid_file);
        sg_msg_put_str(&msg, SG_TAG_RUNTIME_DIR, master->runtime_dir);
    }
    if (gen->purpose == SG_PURPOSE_RESTART && master->text_fd != -1)
        sg_msg_put_fd(&msg, SG_TAG_TEXT_FD, master->text_fd);
    return sg_msg_send(gen->channel, &msg);
}

int
sg_master_spawn(struct sg_master *master, enum sg_purpose purpose)
{
    struct sg_gen *gen = gen_in_state(master, SG_GEN_NONE);
    /* A reload keeps to the binary that runs, even if the file was replaced; an upgrade wants the file. */
    const char *binary = purpose == SG_PURPOSE_UPGRADE ? master->binary : "/proc/self/exe";
    int pair[2];

    if (gen == NULL || sg_proc_channel(pair) == -1) {
        sg_logf(SG_LOG_ERR, "cannot start a generation: %s", gen == NULL ? "too many are draining" : strerror(errno));
        return -1;
    }
    *gen = (struct sg_gen){ .state = SG_GEN_LOADING,
                            .purpose = purpose,
                            .number = ++master->numbers,
                            .began_ms = sg_mono_ms(),
                            .limit_ms = MASTER_LOAD_MS,
                            .channel = pair[0],
                            .text_fd = -1 };
    if (purpose == SG_PURPOSE_RELOAD || purpose == SG_PURPOSE_UPGRADE) {
        gen->who_pid = master->who_pid;
        gen->who_uid = master->who_uid;
    }
    gen->pid = sg_proc_spawn(binary, "--generation", pair[1]);
    (void)close(pair[1]);
    if (gen->pid == -1 || gen_brief(master, gen) == -1) {
        sg_logf(SG_LOG_ERR, "cannot start a generation: %s", strerror(errno));
        (void)close(gen->channel);
        gen->channel = -1;
        if (gen->pid == -1)
            gen->state = SG_GEN_NONE;
        return -1;
    }
    if (purpose == SG_PURPOSE_RELOAD || purpose == SG_PURPOSE_UPGRADE)
        sg_notifyf(SG_NOTIFY_RELOADING, "%s: generation %u is loading", gen_purpose(gen), gen->number);
    return 0;
}

/* The pid file, locked for as long as we live. -1: another one runs, or it cannot be written. */
static int
gen_lock(struct sg_master *master, char *why, size_t size)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char text[32];
    int n, fd;

    if (sg_proc_runtime_dir(master->runtime_dir) == -1) {
        (void)snprintf(why, size, "runtime_dir %.1000s: %s%s", master->runtime_dir, strerror(errno),
                       errno == EPERM ? ": it must be a folder of who starts sockgate, writable for nobody else" : "");
        return -1;
    }
    fd = open(master->pid_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd == -1) {
        (void)snprintf(why, size, "%.1000s: %s", master->pid_file, strerror(errno));
        return -1;
    }
    if (fcntl(fd, F_SETLK, &lock) == -1) {
        if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
            (void)snprintf(why, size, "already running as pid %ld (%.1000s is locked)", (long)lock.l_pid,
                           master->pid_file);
        else
            (void)snprintf(why, size, "%.1000s: %s", master->pid_file, strerror(errno));
        (void)close(fd);
        return -1;
    }
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == -1 || pwrite(fd, text, (size_t)n, 0) != n) {
        (void)snprintf(why, size, "%.1000s: %s", master->pid_file, strerror(errno));
        (void)close(fd);
        return -1;
    }
    master->pid_fd = fd;
    return 0;
}

/*
 * New sockets become the master's, and clients can connect from here on. The generation's entry keeps the key alone: a
 * second descriptor would go on taking clients in after the first is closed.
 */
static void
gen_listen(struct sg_master *master, struct sg_gen *gen)
{
    for (size_t i = 0; i < gen->bound.n; i++) {
        struct sg_socket *bound = &gen->bound.v[i];

        if (sg_sockets_find(&master->sockets, bound->key) != -1) {
            (void)close(bound->fd);
        } else {
            if (listen(bound->fd, MASTER_BACKLOG) == -1)
                sg_logf(SG_LOG_ERR, "cannot listen on %s: %s", bound->key, strerror(errno));
            (void)sg_sockets_add(&master->sockets, bound->key, bound->fd);
        }
        bound->fd = -1;
    }
}

static void
gen_close_removed(struct sg_master *master)
{
    const struct sg_gen *current = gen_in_state(master, SG_GEN_CURRENT);

    for (size_t i = master->sockets.n; i-- > 0 && current != NULL;)
        if (!sg_sockets_has(&current->bound, master->sockets.v[i].key)) {
            sg_logf(SG_LOG_NOTICE, "no longer listening on %s", master->sockets.v[i].key);
            (void)close(master->sockets.v[i].fd);
            master->sockets.v[i] = master->sockets.v[--master->sockets.n];
        }
}

/* Those beyond the second draining generation, oldest first, are stopped. */
static void
gen_limit_draining(struct sg_master *master)
{
    for (;;) {
        struct sg_gen *oldest = NULL;
        unsigned n = 0;

        for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++) {
            struct sg_gen *gen = &master->gens[i];

            if (gen->state != SG_GEN_DRAINING)
                continue;
            n++;
            if (oldest == NULL || gen->number < oldest->number)
                oldest = gen;
        }
        if (n <= MASTER_DRAINING_MAX)
            return;
        sg_logf(SG_LOG_WARN, "generation %u has drained long enough: stopping it", oldest->number);
        gen_order(oldest, SG_MSG_STOP);
        oldest->state = SG_GEN_STOPPING;
    }
}

/* "Done" is a promise to whoever asked: from here on nobody is accepted under what was before. */
static void
gen_settle(struct sg_master *master)
{
    struct sg_gen *current = gen_in_state(master, SG_GEN_CURRENT);

    if (current == NULL || !current->unreported)
        return;
    for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++)
        if (master->gens[i].state != SG_GEN_NONE && master->gens[i].accepting && &master->gens[i] != current)
            return;
    current->unreported = false;
    if (current->purpose == SG_PURPOSE_START)
        sg_logf(SG_LOG_NOTICE, "ready: generation %u, %u workers", current->number, current->workers);
    else
        sg_logf(SG_LOG_NOTICE, "%s done: generation %u has taken over, %u workers", gen_purpose(current),
                current->number, current->workers);
    sg_notifyf(SG_NOTIFY_READY, "%s done: generation %u, %u workers", gen_purpose(current), current->number,
               current->workers);
    gen_report(master, current, true, "");
}

static void
gen_make_current(struct sg_master *master, struct sg_gen *gen)
{
    struct sg_gen *old = gen_in_state(master, SG_GEN_CURRENT);

    gen_listen(master, gen);
    if (master->text_fd != -1)
        (void)close(master->text_fd);
    master->text_fd = gen->text_fd;
    gen->text_fd = -1;
    gen_tell_outcome(gen, SG_MSG_GO, gen, "");
    gen->state = SG_GEN_CURRENT;
    gen->accepting = gen->unreported = true;
    sg_throttle_ready(&master->throttle);
    if (old != NULL) {
        gen_replace(old);
        old->state = SG_GEN_DRAINING;
        gen_limit_draining(master);
    } else {
        gen_close_removed(master);
    }
    gen_settle(master);
}

static void
gen_failed(struct sg_master *master, struct sg_gen *gen, const char *text)
{
    const struct sg_gen *current = gen_in_state(master, SG_GEN_CURRENT);

    const int line = (int)strcspn(text, "\n"); /* the generation has logged all of it */

    gen_report(master, gen, false, text);
    if (gen->purpose == SG_PURPOSE_START) {
        sg_logf(SG_LOG_EMERG, "not started: %.*s", line, text);
        sg_notifyf(SG_NOTIFY_STATUS, "not started: %.*s", line, text);
    } else if (current != NULL) {
        sg_logf(SG_LOG_ERR, "%s failed: %.*s; generation %u goes on", gen_purpose(gen), line, text, current->number);
        sg_notifyf(SG_NOTIFY_READY, "%s failed, generation %u goes on: %.*s", gen_purpose(gen), current->number, line,
                   text);
        gen_tell_outcome(current, SG_MSG_REFUSED, gen, text);
    } else {
        sg_logf(SG_LOG_ERR, "restart failed: %.*s; it is tried again", line, text);
        sg_notifyf(SG_NOTIFY_STATUS, "restart failed, it is tried again: %.*s", line, text);
        sg_throttle_failed(&master->throttle, sg_mono_ms());
        master->restart_wanted = true;
    }
}

static void
gen_ready(struct sg_master *master, struct sg_gen *gen, struct sg_msg *msg)
{
    const int log_fd = sg_msg_take_fd(msg, SG_TAG_LOG_FD);
    uint64_t workers = 0, level = SG_LOG_NOTICE;
    char why[1200];

    if (gen->state != SG_GEN_LOADING)
        return;
    gen->text_fd = sg_msg_take_fd(msg, SG_TAG_TEXT_FD);
    (void)sg_msg_get_u64(msg, SG_TAG_WORKERS, &workers);
    (void)sg_msg_get_u64(msg, SG_TAG_LOG_LEVEL, &level);
    gen->workers = (unsigned)workers;
    if (master->pid_fd == -1) {
        (void)sg_msg_get_str(msg, SG_TAG_PID_FILE, master->pid_file, sizeof master->pid_file);
        (void)sg_msg_get_str(msg, SG_TAG_RUNTIME_DIR, master->runtime_dir, sizeof master->runtime_dir);
        if (gen_lock(master, why, sizeof why) == -1) {
            (void)snprintf(gen->failure, sizeof gen->failure, "%s", why);
            master->runtime_dir[0] = '\0'; /* the other one's */
            gen_order(gen, SG_MSG_STOP);
            if (log_fd != -1)
                (void)close(log_fd);
            return;
        }
        sg_log_role("master");
    }
    if (log_fd != -1)
        sg_log_take_fd(log_fd);
    sg_log_set_level((enum sg_log_level)level);
    if (gen->purpose == SG_PURPOSE_UPGRADE) {
        sg_logf(SG_LOG_NOTICE, "the new binary is ready: executing %s", master->binary);
        (void)sg_master_exec(master);
        (void)snprintf(gen->failure, sizeof gen->failure, "%.2000s: %s", master->binary, strerror(errno));
        gen_order(gen, SG_MSG_STOP);
        return;
    }
    gen_make_current(master, gen);
}

void
sg_master_commit_upgrade(struct sg_master *master)
{
    struct sg_gen *gen = sg_master_loading(master);

    if (gen != NULL)
        gen_make_current(master, gen);
}

int64_t
sg_master_load_due(struct sg_master *master)
{
    const struct sg_gen *gen = sg_master_loading(master);

    return gen != NULL && gen->limit_ms > 0 ? gen->began_ms + gen->limit_ms + MASTER_LOAD_GRACE_MS : INT64_MAX;
}

/* It does not even read its orders: code of a module, or a file that never ends. */
void
sg_master_load_look(struct sg_master *master, int64_t now_ms)
{
    struct sg_gen *gen = sg_master_loading(master);
    char span[32];

    if (now_ms < sg_master_load_due(master))
        return;
    if (gen->failure[0] == '\0')
        (void)snprintf(gen->failure, sizeof gen->failure, "not ready within %s (core.timeouts.load): %s%s%s",
                       sg_format_duration(gen->limit_ms, span, sizeof span),
                       gen->doing[0] != '\0' ? "module \"" : "the configuration is being read", gen->doing,
                       gen->doing[0] != '\0' ? "\" is being loaded, or is in its init()" : "");
    gen->limit_ms = 0;
    (void)kill(gen->pid, SIGKILL);
}

static void
gen_loading(struct sg_gen *gen, const struct sg_msg *msg)
{
    uint64_t limit = 0;

    (void)sg_msg_get_str(msg, SG_TAG_NAME, gen->doing, sizeof gen->doing);
    if (gen->limit_ms > 0 && sg_msg_get_u64(msg, SG_TAG_LIMIT, &limit) && limit > 0 && limit <= MASTER_LOAD_MAX_MS)
        gen->limit_ms = (int64_t)limit;
}

static void
gen_bound(const struct sg_master *master, struct sg_gen *gen, struct sg_msg *msg)
{
    char key[SG_KEY_MAX], name[80] = "", text[SG_ADDR_TEXT];
    const int fd = sg_msg_take_fd(msg, SG_TAG_FD);

    if (fd == -1 || !sg_msg_get_str(msg, SG_TAG_KEY, key, sizeof key) || sg_sockets_add(&gen->bound, key, fd) == -1)
        return;
    (void)sg_msg_get_str(msg, SG_TAG_NAME, name, sizeof name);
    if (sg_sockets_find(&master->sockets, key) == -1)
        sg_logf(SG_LOG_NOTICE, "listening on %s (listener \"%s\")", sg_socket_text(fd, text, sizeof text), name);
}

static void
gen_message(struct sg_master *master, struct sg_gen *gen, struct sg_msg *msg)
{
    int fd;

    switch (msg->type) {
    case SG_MSG_BOUND: gen_bound(master, gen, msg); break;
    case SG_MSG_LOADING: gen_loading(gen, msg); break;
    case SG_MSG_READY: gen_ready(master, gen, msg); break;
    case SG_MSG_FAILED:
        if (!sg_msg_get_str(msg, SG_TAG_TEXT, gen->failure, sizeof gen->failure))
            (void)snprintf(gen->failure, sizeof gen->failure, "for an unknown reason");
        break;
    case SG_MSG_DRAINING:
        gen->accepting = false;
        gen_close_removed(master);
        gen_settle(master);
        break;
    case SG_MSG_RENEW: master->restart_wanted = true; break;
    case SG_MSG_REOPENED:
        fd = sg_msg_take_fd(msg, SG_TAG_LOG_FD);
        if (fd != -1)
            sg_log_take_fd(fd);
        break;
    default: break;
    }
}

void
sg_master_receive(struct sg_master *master, struct sg_gen *gen)
{
    struct sg_msg msg;
    int got;

    while ((got = sg_msg_recv(gen->channel, &msg)) == 1) {
        gen_message(master, gen, &msg);
        sg_msg_close_fds(&msg);
    }
    if (got == 0) {
        (void)close(gen->channel);
        gen->channel = -1;
    }
}

void
sg_master_gen_died(struct sg_master *master, struct sg_gen *gen, int status)
{
    const enum sg_gen_state state = gen->state;
    char text[64];

    if (gen->channel != -1)
        sg_master_receive(master, gen);
    (void)sg_proc_status_text(status, text, sizeof text);
    if (state == SG_GEN_LOADING && gen->failure[0] == '\0')
        (void)snprintf(gen->failure, sizeof gen->failure, "the generation ended: %s", text);
    if (state == SG_GEN_CURRENT || (state != SG_GEN_LOADING && status != 0))
        sg_logf(SG_LOG_ERR, "generation %u (pid %d) ended: %s", gen->number, (int)gen->pid, text);
    if (state == SG_GEN_CURRENT && !master->quitting) {
        sg_notifyf(SG_NOTIFY_STATUS, "generation %u has ended: %s; it is restarted", gen->number, text);
        master->restart_wanted = true;
    }
    gen->state = SG_GEN_NONE;
    if (state == SG_GEN_LOADING && !master->quitting)
        gen_failed(master, gen, gen->failure);
    if (gen->accepting)
        gen_close_removed(master);
    if (gen->channel != -1)
        (void)close(gen->channel);
    if (gen->text_fd != -1)
        (void)close(gen->text_fd);
    sg_sockets_clear(&gen->bound);
    gen_settle(master);
}
