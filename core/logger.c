/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger.c - the loop of the logger: which tables there are, whose workers live, what it is told to do.
 *
 *   bell, pidfds, orders --> for each log: logger_write.c --> acknowledged; a table that is finished goes
 */
#include "logger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "logger_write.h"
#include "msg.h"
#include "proc.h"
#include "sink.h"

#define LOGGER_LOCK_MS 20
#define LOGGER_ORPHAN_MS 200
#define LOGGER_FINISH_MS 1500

static struct {
    const struct sg_logger_boot *boot;
    struct sg_logger_table *tables;
    int epoll; /* the channel, the bell once it is ours, the workers that live */
    bool locked, handing_over, finishing, orphan;
    int64_t finish_by_ms; /* whatever a broken log keeps; 0: not yet finishing */
} logger;

/* What epoll says of a descriptor that is no table's worker. */
static char logger_channel, logger_bell;

static int
logger_watch(int fd, void *whose)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = whose } };

    return epoll_ctl(logger.epoll, EPOLL_CTL_ADD, fd, &event);
}

/* ---- tables come and go */

/* What a logger of the layout before has written down, in a file that ends there. */
static void
acks_from_old(struct sg_table_acks *acks)
{
    for (size_t i = 0; i < SG_TABLE_LOGS_MAX; i++) {
        const struct sg_table_log_old *old = &acks->old[i];
        struct sg_table_log *log = &acks->logs[i];

        if (log->name[0] != '\0' || old->name[0] == '\0')
            continue;
        log->places[0] = (struct sg_table_place){ .done = atomic_load(&old->done), .slots = atomic_load(&old->slots) };
        (void)snprintf(log->name, sizeof log->name, "%.63s", old->name);
    }
}

static bool
acks_map(struct sg_logger_table *table, int fd)
{
    struct stat st;
    void *acks;

    if (fstat(fd, &st) == -1 || st.st_size < (off_t)offsetof(struct sg_table_acks, logs))
        return false;
    if (st.st_size < (off_t)sizeof *table->acks && ftruncate(fd, sizeof *table->acks) == -1)
        return false;
    acks = mmap(NULL, sizeof *table->acks, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (acks == MAP_FAILED)
        return false;
    table->acks = acks;
    if (table->table.layout < SG_RECORD_LAYOUT)
        acks_from_old(table->acks);
    return true;
}

static void
table_free(struct sg_logger_table *table)
{
    if (table->table.head != NULL)
        sg_table_close(&table->table);
    if (table->acks != NULL)
        (void)munmap(table->acks, sizeof *table->acks);
    if (table->pidfd != -1)
        (void)close(table->pidfd);
    free(table->pushed);
    free(table);
}

static void
logger_take(const char *name, int fd, int acks_fd)
{
    struct sg_logger_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return;
    table->pidfd = -1;
    (void)snprintf(table->name, sizeof table->name, "%s", name);
    if (!sg_table_map(&table->table, fd) || !acks_map(table, acks_fd)) {
        sg_logf(SG_LOG_ERR, "the session table %s makes no sense: its sessions get no last record", name);
        table_free(table);
        return;
    }
    table->next = logger.tables;
    logger.tables = table;
}

static struct sg_logger_table *
logger_find(const char *name)
{
    struct sg_logger_table *table = logger.tables;

    while (table != NULL && strcmp(table->name, name) != 0)
        table = table->next;
    return table;
}

/* Is the worker alive? Its number may be somebody else's by now: the time of birth tells them apart. */
static void
table_look(struct sg_logger_table *table)
{
    const struct sg_table_head *head = table->table.head;
    const pid_t pid = (pid_t)head->pid;

    if (atomic_load_explicit(&head->closed, memory_order_acquire) != 0)
        table->dead = true;
    if (table->dead || table->pidfd != -1)
        return;
    /* Not yet born: its generation says when it never will be. */
    if (head->born == 0 && head->epoch == logger.boot->epoch && !logger.finishing)
        return;
    table->dead = head->born == 0 || !sg_proc_lives(pid, head->born);
    if (table->dead)
        return;
    table->pidfd = sg_proc_pidfd(pid);
    if (table->pidfd == -1 || logger_watch(table->pidfd, table) == 0)
        return;
    /* It is looked for anew in each turn. */
    (void)close(table->pidfd);
    table->pidfd = -1;
}

/* ---- what there is to do */

/* Whoever made the files takes them away. */
static void
logger_forget(struct sg_logger_table **at)
{
    struct sg_logger_table *table = *at;
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_TABLE_DONE);
    sg_msg_put_str(&msg, SG_TAG_KEY, table->name);
    if (!logger.orphan)
        (void)sg_msg_send(logger.boot->channel, &msg);
    *at = table->next;
    table_free(table);
}

/* True: there is more. What is published later rings the bell again. */
static bool
logger_work(void)
{
    bool more = false;

    for (struct sg_logger_table *table = logger.tables; table != NULL; table = table->next)
        table_look(table);
    for (size_t i = 0; i < sg_sinks_count(); i++)
        more = sg_logger_serve(sg_sinks_get(i), logger.tables, logger.boot->epoch) || more;
    for (struct sg_logger_table *table = logger.tables; table != NULL; table = table->next)
        sg_logger_acknowledge(table);
    for (struct sg_logger_table **at = &logger.tables; *at != NULL;)
        if (sg_logger_finished(*at))
            logger_forget(at);
        else
            at = &(*at)->next;
    return more;
}

/* ---- orders */

/* Should we die, our successor has to look into them. */
static void
logger_show_files(void)
{
    struct sg_msg msg;

    for (size_t i = 0; i < sg_sinks_count(); i++) {
        const int fd = sg_sink_descriptor(sg_sinks_get(i));

        if (fd == -1 || logger.orphan)
            continue;
        sg_msg_begin(&msg, SG_MSG_LOG_FILE);
        sg_msg_put_str(&msg, SG_TAG_NAME, sg_sink_name(sg_sinks_get(i)));
        sg_msg_put_fd(&msg, SG_TAG_FD, fd);
        (void)sg_msg_send(logger.boot->channel, &msg);
    }
}

static void
logger_order(struct sg_msg *msg)
{
    char name[64];
    int fd, acks_fd;

    switch (msg->type) {
    case SG_MSG_TABLE:
        fd = sg_msg_take_fd(msg, SG_TAG_FD);
        acks_fd = sg_msg_take_fd(msg, SG_TAG_ACKS_FD);
        if (fd != -1 && acks_fd != -1 && sg_msg_get_str(msg, SG_TAG_KEY, name, sizeof name) &&
            logger_find(name) == NULL)
            logger_take(name, fd, acks_fd);
        if (fd != -1)
            (void)close(fd);
        if (acks_fd != -1)
            (void)close(acks_fd);
        break;
    case SG_MSG_REOPEN:
        fd = sg_msg_take_fd(msg, SG_TAG_LOG_FD);
        if (fd != -1)
            sg_log_take_fd(fd);
        sg_sinks_reopen();
        logger_show_files();
        break;
    case SG_MSG_DRAIN: logger.handing_over = true; break;
    case SG_MSG_STOP: logger.finishing = true; break;
    default: break;
    }
}

static void
logger_orders(void)
{
    struct sg_msg msg;
    int got;

    while ((got = sg_msg_recv(logger.boot->channel, &msg)) == 1) {
        logger_order(&msg);
        sg_msg_close_fds(&msg);
    }
    if (got != 0)
        return;
    (void)epoll_ctl(logger.epoll, EPOLL_CTL_DEL, logger.boot->channel, NULL);
    /* With a master there will be another generation, whose logger goes on; without one nobody else will. */
    logger.orphan = true;
    logger.finishing = true;
    logger.handing_over = getppid() == logger.boot->master;
}

/* ---- the loop */

static void
logger_lock(void)
{
    if (logger.locked || flock(logger.boot->lock, LOCK_EX | LOCK_NB) == -1)
        return;
    logger.locked = true;
    if (logger_watch(logger.boot->bell, &logger_bell) == -1)
        sg_logf(SG_LOG_ERR, "the bell cannot be heard, records are looked for once a second: %s", strerror(errno));
    sg_sinks_recover();
    logger_show_files();
}

static int
logger_timeout(void)
{
    if (!logger.locked)
        return LOGGER_LOCK_MS;
    return logger.orphan || logger.finishing || sg_sinks_refusing() ? LOGGER_ORPHAN_MS : 1000;
}

static void
logger_wait(int timeout)
{
    struct epoll_event ready[64];
    char ignored[4096];
    const int n = epoll_wait(logger.epoll, ready, sizeof ready / sizeof ready[0], timeout);

    if (n == -1 && errno != EINTR)
        sg_logf_limited(SG_LOG_ERR, "epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct sg_logger_table *table = ready[i].data.ptr;

        if (ready[i].data.ptr == &logger_channel)
            logger_orders();
        else if (ready[i].data.ptr == &logger_bell)
            (void)!read(logger.boot->bell, ignored, sizeof ignored);
        else
            table->dead = true;
    }
}

static int
logger_ready(void)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_WORKER_READY);
    return sg_msg_send(logger.boot->channel, &msg);
}

static void
logger_turn(void)
{
    atomic_store_explicit(&logger.boot->status->turn_began_ms, sg_mono_ms(), memory_order_relaxed);
}

static bool
logger_ended(void)
{
    if (logger.handing_over)
        return true;
    if (!logger.finishing)
        return false;
    if (logger.finish_by_ms == 0)
        logger.finish_by_ms = sg_mono_ms() + LOGGER_FINISH_MS;
    /* Without the lock nothing is known of what there is to write: whoever had it before us is about to let go. */
    if (logger.locked && logger.tables == NULL)
        return true;
    if ((logger.locked && !sg_sinks_failing()) || sg_mono_ms() < logger.finish_by_ms)
        return false;
    sg_logf(SG_LOG_ERR, "what cannot be written down now stays in the runtime directory until the next start");
    return true;
}

int
sg_logger_main(const struct sg_logger_boot *boot)
{
    bool more = false;

    logger.boot = boot;
    logger.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (logger.epoll == -1 || logger_watch(boot->channel, &logger_channel) == -1) {
        sg_logf(SG_LOG_EMERG, "epoll: %s", strerror(errno));
        return 1;
    }
    if (sg_sinks_open(boot) == -1 || logger_ready() == -1)
        return 1;
    do {
        logger_wait(more ? 0 : logger_timeout());
        logger_turn();
        logger_lock();
        more = logger.locked && !logger.handing_over && logger_work();
    } while (!logger_ended());
    (void)close(logger.epoll);
    sg_sinks_close();
    /* The end of a process takes its time; the next logger need not wait for that. */
    (void)flock(logger.boot->lock, LOCK_UN);
    return 0;
}
