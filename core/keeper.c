/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keeper.c - the folder of tables, and the logger.
 */
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "login_throttle.h"
#include "logger.h"
#include "msg.h"

#define KEEPER_LOOK_MS 1000

/* ---- the folder */

static int
keeper_folder(struct sg_keeper *keeper, const char *runtime_dir)
{
    int runtime;

    if (sg_proc_runtime_dir(runtime_dir) == -1)
        return -1;
    runtime = open(runtime_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (runtime == -1)
        return -1;
    if (mkdirat(runtime, "journal", 0700) == 0 || errno == EEXIST)
        keeper->dir = openat(runtime, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    (void)close(runtime);
    if (keeper->dir == -1)
        return -1;
    if (mkfifoat(keeper->dir, "bell", 0600) == -1 && errno != EEXIST)
        return -1;
    keeper->bell = openat(keeper->dir, "bell", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    keeper->lock = openat(keeper->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return keeper->bell == -1 || keeper->lock == -1 ? -1 : 0;
}

static void
keeper_add_name(struct sg_keeper *keeper, const char *name)
{
    for (size_t i = 0; i < keeper->n_names; i++)
        if (strcmp(keeper->names[i], name) == 0)
            return;
    keeper->names[keeper->n_names++] = name;
}

/* What records may name: listeners, instances, the files in which rules stand. */
static int
keeper_names(struct sg_keeper *keeper)
{
    const struct sg_conf *conf = keeper->boot->conf;

    keeper->names = calloc((conf->listeners.n + conf->modules.n) * 2, sizeof *keeper->names);
    if (keeper->names == NULL)
        return -1;
    keeper->n_names = 0;
    for (size_t i = 0; i < conf->listeners.n; i++) {
        keeper_add_name(keeper, sg_conf_listener(conf, i)->name);
        keeper_add_name(keeper, sg_conf_listener(conf, i)->where.file);
    }
    for (size_t i = 0; i < conf->modules.n; i++) {
        keeper_add_name(keeper, sg_conf_module(conf, i)->name);
        keeper_add_name(keeper, sg_conf_module(conf, i)->where.file);
    }
    return 0;
}

int
sg_keeper_open(struct sg_keeper *keeper, const char *runtime_dir)
{
    keeper->dir = keeper->bell = keeper->lock = keeper->channel = -1;
    for (size_t i = 0; i < SG_TABLE_LOGS_MAX; i++)
        keeper->files[i].fd = -1;
    keeper->status = mmap(NULL, sizeof *keeper->status, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (keeper->status != MAP_FAILED && keeper_folder(keeper, runtime_dir) == 0 && keeper_names(keeper) == 0)
        return 0;
    sg_logf(SG_LOG_EMERG, "runtime_dir %s: %s%s", runtime_dir, strerror(errno),
            errno == EPERM ? ": it must be a folder of who starts sockgate, writable for nobody else" : "");
    return -1;
}

int
sg_keeper_table(struct sg_keeper *keeper, uint16_t serial, size_t n_slots, struct sg_journal_fds *fds_out)
{
    struct sg_journal_fds logger_fds;
    char name[32];
    int status;

    (void)snprintf(name, sizeof name, "%016" PRIx64 "-%04x", keeper->epoch, (unsigned)serial);
    status = sg_journal_create(keeper->dir, name, n_slots, keeper->epoch, keeper->names, keeper->n_names, fds_out,
                               &logger_fds);
    if (logger_fds.table != -1)
        (void)close(logger_fds.table);
    if (logger_fds.acks != -1)
        (void)close(logger_fds.acks);
    fds_out->bell = keeper->bell;
    keeper->look_at_ms = 0; /* the logger is to see it soon */
    return status;
}

void
sg_keeper_born(const struct sg_journal_fds *fds, pid_t pid)
{
    const int64_t who[2] = { pid, sg_proc_born(pid) };

    (void)!pwrite(fds->table, who, sizeof who, offsetof(struct sg_table_head, pid));
}

/* ---- what the logger is shown */

static bool
keeper_knows(const struct sg_keeper *keeper, const char *name)
{
    for (size_t i = 0; i < keeper->n_known; i++)
        if (strcmp(keeper->known[i], name) == 0)
            return true;
    return false;
}

static bool
keeper_note(struct sg_keeper *keeper, const char *name)
{
    if (keeper->n_known == keeper->size_known) {
        const size_t more = keeper->size_known * 2 + 16;
        void *p = reallocarray(keeper->known, more, sizeof *keeper->known);

        if (p == NULL)
            return false;
        keeper->known = p;
        keeper->size_known = more;
    }
    (void)snprintf(keeper->known[keeper->n_known++], sizeof *keeper->known, "%s", name);
    return true;
}

/* One table, by its name without suffix. */
static void
keeper_show(struct sg_keeper *keeper, const char *name)
{
    char path[80];
    struct sg_msg msg;
    int table, acks;

    if (keeper_knows(keeper, name))
        return;
    (void)snprintf(path, sizeof path, "%s.table", name);
    table = openat(keeper->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    (void)snprintf(path, sizeof path, "%s.acks", name);
    acks = openat(keeper->dir, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (table != -1 && acks != -1) {
        sg_msg_begin(&msg, SG_MSG_TABLE);
        sg_msg_put_str(&msg, SG_TAG_KEY, name);
        sg_msg_put_fd(&msg, SG_TAG_FD, table);
        sg_msg_put_fd(&msg, SG_TAG_ACKS_FD, acks);
        if (sg_msg_send(keeper->channel, &msg) == 0)
            (void)keeper_note(keeper, name);
    }
    if (table != -1)
        (void)close(table);
    if (acks != -1)
        (void)close(acks);
}

/* Other generations make tables here too. */
static void
keeper_look_around(struct sg_keeper *keeper)
{
    const int copy = openat(keeper->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy != -1 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        char name[64];

        if (dot == NULL || strcmp(dot, ".table") != 0 || (size_t)(dot - entry->d_name) >= sizeof name)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)(dot - entry->d_name), entry->d_name);
        keeper_show(keeper, name);
    }
    if (dir != NULL)
        (void)closedir(dir);
    else if (copy != -1)
        (void)close(copy);
}

/* Everything in it is written. */
static void
keeper_remove(struct sg_keeper *keeper, const char *name)
{
    char path[80];

    (void)snprintf(path, sizeof path, "%s.table", name);
    (void)unlinkat(keeper->dir, path, 0);
    (void)snprintf(path, sizeof path, "%s.acks", name);
    (void)unlinkat(keeper->dir, path, 0);
    for (size_t i = 0; i < keeper->n_known; i++)
        if (strcmp(keeper->known[i], name) == 0) {
            memcpy(keeper->known[i], keeper->known[--keeper->n_known], sizeof *keeper->known);
            break;
        }
}

/* ---- the logger */

static void
keeper_child(struct sg_keeper *keeper, int channel)
{
    const struct sg_logger_boot boot = { .conf = keeper->boot->conf,
                                         .instances = keeper->boot->instances,
                                         .channel = channel,
                                         .bell = keeper->bell,
                                         .lock = keeper->lock,
                                         .status = keeper->status,
                                         .files = keeper->files,
                                         .epoch = keeper->epoch,
                                         .master = keeper->master };
    int keep[4 + SG_TABLE_LOGS_MAX] = { channel, keeper->bell, keeper->lock, sg_log_fd() };
    sigset_t none;

    for (size_t i = 0; i < SG_TABLE_LOGS_MAX; i++)
        keep[4 + i] = keeper->files[i].fd;
    sg_proc_close_others(keep, sizeof keep / sizeof keep[0]);
    sg_journal_close(); /* the generation's */
    sg_brake_unmap(keeper->boot->brake);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    sg_log_role("logger");
    sg_proc_title("sockgate-log", "sockgate: logger (generation %u)", keeper->generation);
    if (sg_proc_drop(&keeper->rights) == -1)
        _exit(1);
    exit(sg_logger_main(&boot));
}

static void
keeper_start(struct sg_keeper *keeper, int64_t now_ms)
{
    int pair[2], old = keeper->lock;

    keeper->start_at_ms = now_ms + 1000;
    memset(keeper->status, 0, sizeof *keeper->status);
    keeper->dog = (struct sg_watchdog){ 0 };
    if (sg_proc_channel(pair) == -1)
        return;
    /* Of its own: a lock belongs to what was opened, and is let go when the last who has it is gone. */
    keeper->lock = openat(keeper->dir, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    keeper->pid = keeper->lock != -1 ? fork() : -1;
    if (keeper->pid == 0)
        keeper_child(keeper, pair[1]);
    if (keeper->lock != -1)
        (void)close(keeper->lock);
    keeper->lock = old;
    (void)close(pair[1]);
    if (keeper->pid == -1) {
        sg_logf(SG_LOG_ERR, "cannot start the logger: %s", strerror(errno));
        keeper->pid = 0;
        (void)close(pair[0]);
        return;
    }
    keeper->channel = pair[0];
    keeper->ready = false;
    keeper->n_known = 0;
    keeper->look_at_ms = 0;
}

void
sg_keeper_look(struct sg_keeper *keeper, int64_t now_ms)
{
    if (keeper->pid == 0 && !keeper->winding_up && now_ms >= keeper->start_at_ms)
        keeper_start(keeper, now_ms);
    if (keeper->channel == -1 || now_ms < keeper->look_at_ms)
        return;
    keeper->look_at_ms = now_ms + KEEPER_LOOK_MS;
    keeper_look_around(keeper);
}

/* What a log writes to from now on: kept for the logger that comes after this one. */
static void
keeper_take_file(struct sg_keeper *keeper, const char *name, int fd)
{
    struct sg_logger_file *file = NULL;

    for (size_t i = 0; i < SG_TABLE_LOGS_MAX && file == NULL; i++)
        if (keeper->files[i].fd == -1 || strcmp(keeper->files[i].name, name) == 0)
            file = &keeper->files[i];
    if (file == NULL) {
        if (fd != -1)
            (void)close(fd); /* of no log of ours: whoever sends that may send more */
        return;
    }
    if (fd == -1)
        return;
    if (file->fd != -1)
        (void)close(file->fd);
    file->fd = fd;
    (void)snprintf(file->name, sizeof file->name, "%s", name);
}

void
sg_keeper_receive(struct sg_keeper *keeper)
{
    char name[64];
    struct sg_msg msg;
    int got;

    while ((got = sg_msg_recv(keeper->channel, &msg)) == 1) {
        if (msg.type == SG_MSG_WORKER_READY) {
            keeper->ready = true;
            sg_throttle_ready(&keeper->throttle);
        } else if (msg.type == SG_MSG_LOG_FILE && sg_msg_get_str(&msg, SG_TAG_NAME, name, sizeof name)) {
            keeper_take_file(keeper, name, sg_msg_take_fd(&msg, SG_TAG_FD));
        } else if (msg.type == SG_MSG_TABLE_DONE && sg_msg_get_str(&msg, SG_TAG_KEY, name, sizeof name) &&
                   keeper_knows(keeper, name)) {
            keeper_remove(keeper, name);
        }
        sg_msg_close_fds(&msg);
    }
    if (got == 0) {
        (void)close(keeper->channel);
        keeper->channel = -1;
    }
}

void
sg_keeper_reaped(struct sg_keeper *keeper, int status, int64_t now_ms)
{
    const bool expected = keeper->winding_up && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    char text[64];

    sg_logf(expected ? SG_LOG_INFO : SG_LOG_ERR, "the logger (pid %d) ended: %s", (int)keeper->pid,
            sg_proc_status_text(status, text, sizeof text));
    keeper->failed = !keeper->ready;
    if (!keeper->ready)
        sg_throttle_failed(&keeper->throttle, now_ms);
    keeper->start_at_ms = sg_throttle_next(&keeper->throttle, now_ms);
    keeper->pid = 0;
    keeper->ready = false;
    if (keeper->channel != -1)
        (void)close(keeper->channel);
    keeper->channel = -1;
}

void
sg_keeper_tell(struct sg_keeper *keeper, int type)
{
    struct sg_msg msg;

    if (type != SG_MSG_REOPEN) {
        keeper->winding_up = true;
        sg_journal_end(); /* of this process: there is nothing to tell any more */
    }
    if (keeper->channel == -1)
        return;
    /* Before it is told to finish it must know everything that there is to finish. */
    keeper_look_around(keeper);
    sg_msg_begin(&msg, (enum sg_msg_type)type);
    if (type == SG_MSG_REOPEN)
        sg_msg_put_fd(&msg, SG_TAG_LOG_FD, sg_log_fd());
    (void)sg_msg_send(keeper->channel, &msg);
}

void
sg_keeper_kill(struct sg_keeper *keeper)
{
    keeper->winding_up = true;
    if (keeper->pid != 0)
        (void)kill(keeper->pid, SIGKILL);
}
