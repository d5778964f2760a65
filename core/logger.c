/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger.c - from tables to logs.
 *
 *   bell, pidfds, orders --> for each log, for each table: entries of the ring --> event() ... commit() --> acknowledged
 *                                                          a dead worker's open slots --> worker_lost
 */
#include "logger.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "msg.h"
#include "proc.h"
#include "sink.h"
#include "table.h"

#define LOGGER_BATCH 256 /* entries of one table between two commits */
#define LOGGER_LOCK_MS 20
#define LOGGER_ORPHAN_MS 200
#define LOGGER_NAMES_MAX 4096

struct logger_table {
    struct logger_table *next;
    struct sg_record_names names; /* first of its kind: SG_CONTAINER */
    char name[64];
    const struct sg_table_head *head;
    struct sg_table_acks *acks;
    size_t size;
    uint32_t n_slots, ring_size; /* checked copies */
    const char **name_list;
    uint32_t n_names;
    int pidfd; /* -1: dead, or not yet born */
    bool dead;
    uint8_t *pushed; /* dead: what the ring has of each slot's present use; bits of PUSHED_ */
};

enum { PUSHED_START = 1, PUSHED_LAST = 2 };

static struct {
    const struct sg_logger_boot *boot;
    struct logger_table *tables;
    bool locked, handing_over, finishing, orphan;
} logger;

/* ---- tables come and go */

static const char *
table_name(const struct sg_record_names *names, uint16_t number)
{
    const struct logger_table *table =
        (const struct logger_table *)(const void *)((const char *)names - offsetof(struct logger_table, names));

    return number >= 1 && number <= table->n_names ? table->name_list[number - 1] : NULL;
}

static const struct sg_record *
table_record(const struct logger_table *table, uint32_t slot)
{
    return (const struct sg_record *)(const void *)((const char *)table->head + sg_table_records_at(table->ring_size) +
                                                    (size_t)slot * SG_RECORD_SIZE);
}

static uint32_t
table_entry(const struct logger_table *table, uint64_t i)
{
    const uint32_t *ring = (const uint32_t *)(const void *)((const char *)table->head + sg_table_ring_at());

    return ring[i & (table->ring_size - 1)];
}

/* What the table says of itself must fit what the file is. */
static bool
table_sound(struct logger_table *table)
{
    const struct sg_table_head *head = table->head;

    if (table->size < sizeof *head || head->magic != SG_TABLE_MAGIC || head->layout != SG_RECORD_LAYOUT ||
        head->record_size != SG_RECORD_SIZE)
        return false;
    table->n_slots = head->n_slots;
    table->ring_size = head->ring_size;
    return table->n_slots >= 1 && table->n_slots <= SG_TABLE_SLOTS_MAX && table->ring_size >= table->n_slots * 2 &&
           table->ring_size <= SG_TABLE_SLOTS_MAX * 4 && (table->ring_size & (table->ring_size - 1)) == 0 &&
           sg_table_size(table->n_slots, table->ring_size) <= table->size;
}

static bool
table_list_names(struct logger_table *table)
{
    const char *at = table->head->names, *const end = at + SG_TABLE_NAMES_SIZE;
    const uint32_t n = table->head->n_names;

    table->name_list = n <= LOGGER_NAMES_MAX ? calloc(n + 1, sizeof *table->name_list) : NULL;
    if (table->name_list == NULL)
        return false;
    for (; table->n_names < n; table->n_names++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));

        if (nul == NULL)
            return false;
        table->name_list[table->n_names] = at;
        at = nul + 1;
    }
    return true;
}

static void
table_free(struct logger_table *table)
{
    if (table->head != NULL)
        (void)munmap((void *)(uintptr_t)table->head, table->size);
    if (table->acks != NULL)
        (void)munmap(table->acks, sizeof *table->acks);
    if (table->pidfd != -1)
        (void)close(table->pidfd);
    free(table->name_list);
    free(table->pushed);
    free(table);
}

static bool
table_map(struct logger_table *table, int fd, int acks_fd)
{
    struct stat st;
    void *head = MAP_FAILED, *acks = MAP_FAILED;

    if (fstat(fd, &st) == -1)
        return false;
    table->size = (size_t)st.st_size;
    if (table->size > 0)
        head = mmap(NULL, table->size, PROT_READ, MAP_SHARED, fd, 0);
    if (fstat(acks_fd, &st) == 0 && (size_t)st.st_size >= sizeof *table->acks)
        acks = mmap(NULL, sizeof *table->acks, PROT_READ | PROT_WRITE, MAP_SHARED, acks_fd, 0);
    table->head = head != MAP_FAILED ? head : NULL;
    table->acks = acks != MAP_FAILED ? acks : NULL;
    return table->head != NULL && table->acks != NULL && table_sound(table) && table_list_names(table);
}

static void
logger_take(const char *name, int fd, int acks_fd)
{
    struct logger_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return;
    table->pidfd = -1;
    table->names.name = table_name;
    (void)snprintf(table->name, sizeof table->name, "%s", name);
    if (!table_map(table, fd, acks_fd)) {
        sg_logf(SG_LOG_ERR, "the session table %s makes no sense: its sessions get no last record", name);
        table_free(table);
        return;
    }
    table->next = logger.tables;
    logger.tables = table;
}

static struct logger_table *
logger_find(const char *name)
{
    struct logger_table *table = logger.tables;

    while (table != NULL && strcmp(table->name, name) != 0)
        table = table->next;
    return table;
}

/* Is the worker alive? Its number may be somebody else's by now: the time of birth tells them apart. */
static void
table_look(struct logger_table *table)
{
    const pid_t pid = (pid_t)table->head->pid;
    struct pollfd poll_fd = { table->pidfd, POLLIN, 0 };

    if (table->dead)
        return;
    if (table->pidfd == -1 && table->head->born != 0 && sg_proc_born(pid) == table->head->born)
        table->pidfd = sg_proc_pidfd(pid);
    poll_fd.fd = table->pidfd;
    if (table->pidfd != -1 && poll(&poll_fd, 1, 0) == 0)
        return;
    /* Not yet born: its generation says when it never will be. */
    if (table->pidfd == -1 && table->head->born == 0 && table->head->epoch == logger.boot->epoch && !logger.finishing)
        return;
    table->dead = true;
}

/* ---- from a table to a log */

static struct sg_table_log *
table_log(struct logger_table *table, const char *name)
{
    struct sg_table_log *unused = NULL;

    for (size_t i = 0; i < SG_TABLE_LOGS_MAX; i++) {
        struct sg_table_log *log = &table->acks->logs[i];

        if (strncmp(log->name, name, sizeof log->name) == 0)
            return log;
        if (log->name[0] == '\0' && unused == NULL)
            unused = log;
    }
    if (unused != NULL)
        (void)snprintf(unused->name, sizeof unused->name, "%s", name);
    return unused;
}

/* A copy: what is checked is what is written. */
static const struct sg_record *
logger_copy(const struct sg_record *from)
{
    static _Alignas(struct sg_record) char copy[SG_RECORD_SIZE];

    memcpy(copy, from, sizeof copy);
    return (const struct sg_record *)(const void *)copy;
}

static int
logger_entry(struct sg_sink *sink, struct logger_table *table, uint32_t entry)
{
    const uint32_t slot = SG_TABLE_ENTRY_SLOT(entry);
    const struct sg_record *rec;

    if (slot >= table->n_slots)
        return 0;
    rec = logger_copy(table_record(table, slot));
    if ((rec->use & 0x7ffu) != SG_TABLE_ENTRY_USE(entry))
        return 0;
    return sg_sink_event(sink, rec, &table->names,
                         SG_TABLE_ENTRY_LAST(entry) ? sg_record_event(rec) : SG_EVENT_SESSION_START);
}

/* What the ring of a dead worker holds of each slot's last use. */
static bool
table_note_pushed(struct logger_table *table, uint64_t put)
{
    const uint64_t first = put > table->ring_size ? put - table->ring_size : 0;

    if (table->pushed != NULL)
        return true;
    table->pushed = calloc(table->n_slots, 1);
    if (table->pushed == NULL)
        return false;
    for (uint64_t i = first; i < put; i++) {
        const uint32_t entry = table_entry(table, i), slot = SG_TABLE_ENTRY_SLOT(entry);

        if (slot < table->n_slots && (table_record(table, slot)->use & 0x7ffu) == SG_TABLE_ENTRY_USE(entry))
            table->pushed[slot] |= SG_TABLE_ENTRY_LAST(entry) ? PUSHED_LAST : PUSHED_START;
    }
    return true;
}

/* A slot in which a dead worker has left a session. */
static int
logger_lost(struct sg_sink *sink, struct logger_table *table, uint32_t slot)
{
    struct sg_record *rec = (struct sg_record *)(uintptr_t)logger_copy(table_record(table, slot));
    const uint32_t state = atomic_load_explicit(&rec->state, memory_order_relaxed);

    if (state == SG_RECORD_FREE || state > SG_RECORD_ENDED || (table->pushed[slot] & PUSHED_LAST) != 0)
        return 0;
    /* It died before it published that: to the world there was no success. */
    if (state == SG_RECORD_OPEN)
        rec->started = false;
    if (state != SG_RECORD_ENDED) {
        rec->reason = table->head->epoch == logger.boot->epoch ? SG_REASON_WORKER_LOST : SG_REASON_UNCLEAN_STOP;
        rec->ended_mono_ms = sg_mono_ms() > rec->accepted_mono_ms ? sg_mono_ms() : rec->accepted_mono_ms;
        rec->err = 0;
    }
    if (rec->started && (table->pushed[slot] & PUSHED_START) == 0 &&
        sg_sink_event(sink, rec, &table->names, SG_EVENT_SESSION_START) == -1)
        return -1;
    return sg_sink_event(sink, rec, &table->names, sg_record_event(rec));
}

/*
 * A log that cannot be written now: its events wait in the table, for which they are made. But for a log that may miss some,
 * no more than leaves room for sessions.
 */
static void
logger_make_room(struct sg_sink *sink, const struct logger_table *table, struct sg_table_log *log, uint64_t put)
{
    const uint64_t done = atomic_load(&log->done), room = table->n_slots / 2;

    if (put - done > room && put - done <= table->ring_size && sg_sink_drop(sink, put - done - room))
        atomic_store_explicit(&log->done, put - room, memory_order_release);
}

/* One batch of a table for one log. The number of entries dealt with, 0: nothing was due; -1: the log has failed. */
static int
logger_batch(struct sg_sink *sink, struct logger_table *table)
{
    struct sg_table_log *log = table_log(table, sg_sink_name(sink));
    const uint64_t put = atomic_load_explicit(&table->head->put, memory_order_acquire);
    uint64_t done = log != NULL ? atomic_load(&log->done) : put;
    uint32_t lost = log != NULL ? atomic_load(&log->lost_done) : table->n_slots;
    int n = 0;

    if (!sg_sink_ready(sink)) {
        if (log != NULL)
            logger_make_room(sink, table, log, put);
        return 0;
    }
    if (put - done > table->ring_size) /* a number that cannot be */
        done = put > table->ring_size ? put - table->ring_size : 0;
    for (; done < put && n < LOGGER_BATCH; done++, n++)
        if (logger_entry(sink, table, table_entry(table, done)) == -1)
            return -1;
    if (table->dead && done == put && lost < table->n_slots && table_note_pushed(table, put))
        for (; lost < table->n_slots && n < LOGGER_BATCH; lost++, n++)
            if (logger_lost(sink, table, lost) == -1)
                return -1;
    if (n == 0)
        return 0;
    if (sg_sink_commit(sink) == -1)
        return -1;
    atomic_store_explicit(&log->done, done, memory_order_release);
    atomic_store_explicit(&log->lost_done, lost, memory_order_release);
    return n;
}

/* What every log has written is the worker's again. */
static void
logger_acknowledge(struct logger_table *table)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < sg_sinks_count(); i++) {
        const struct sg_table_log *log = table_log(table, sg_sink_name(sg_sinks_get(i)));

        if (log != NULL && atomic_load(&log->done) < least)
            least = atomic_load(&log->done);
    }
    if (least != UINT64_MAX)
        atomic_store_explicit(&table->acks->done, least, memory_order_release);
    atomic_store_explicit(&table->acks->refusing, sg_sinks_refusing(), memory_order_relaxed);
}

static bool
table_finished(struct logger_table *table)
{
    for (size_t i = 0; i < sg_sinks_count(); i++) {
        const struct sg_table_log *log = table_log(table, sg_sink_name(sg_sinks_get(i)));

        if (log != NULL && atomic_load(&log->lost_done) < table->n_slots)
            return false;
    }
    return table->dead;
}

/* Whoever made the files takes them away. */
static void
logger_forget(struct logger_table **at)
{
    struct logger_table *table = *at;
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_TABLE_DONE);
    sg_msg_put_str(&msg, SG_TAG_KEY, table->name);
    if (!logger.orphan)
        (void)sg_msg_send(logger.boot->channel, &msg);
    *at = table->next;
    table_free(table);
}

/* True: there may be more. */
static bool
logger_work(void)
{
    bool more = false;

    for (struct logger_table *table = logger.tables; table != NULL; table = table->next) {
        table_look(table);
        for (size_t i = 0; i < sg_sinks_count(); i++)
            more = logger_batch(sg_sinks_get(i), table) > 0 || more;
        logger_acknowledge(table);
    }
    for (struct logger_table **at = &logger.tables; *at != NULL;)
        if (table_finished(*at))
            logger_forget(at);
        else
            at = &(*at)->next;
    return more;
}

/* ---- orders */

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
    sg_sinks_recover();
}

static int
logger_timeout(void)
{
    if (!logger.locked)
        return LOGGER_LOCK_MS;
    return logger.orphan || logger.finishing || sg_sinks_refusing() ? LOGGER_ORPHAN_MS : 1000;
}

static void
logger_wait(void)
{
    struct pollfd fds[2 + 256] = { { logger.orphan ? -1 : logger.boot->channel, POLLIN, 0 },
                                   { logger.locked ? logger.boot->bell : -1, POLLIN, 0 } };
    nfds_t n = 2;
    char ignored[4096];

    for (const struct logger_table *table = logger.tables; table != NULL && n < sizeof fds / sizeof fds[0];
         table = table->next)
        if (!table->dead && logger.locked)
            fds[n++] = (struct pollfd){ table->pidfd, POLLIN, 0 };
    if (poll(fds, n, logger_timeout()) == -1 && errno != EINTR)
        sg_logf_limited(SG_LOG_ERR, "poll: %s", strerror(errno));
    if (fds[1].revents != 0)
        (void)!read(logger.boot->bell, ignored, sizeof ignored);
    if (fds[0].revents != 0)
        logger_orders();
}

static int
logger_ready(void)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_WORKER_READY);
    return sg_msg_send(logger.boot->channel, &msg);
}

int
sg_logger_main(const struct sg_logger_boot *boot)
{
    logger.boot = boot;
    if (sg_sinks_open(boot) == -1 || logger_ready() == -1)
        return 1;
    for (;;) {
        logger_wait();
        logger_lock();
        while (logger.locked && !logger.handing_over && logger_work())
            continue;
        if (logger.handing_over || (logger.finishing && logger.tables == NULL) || (logger.finishing && !logger.locked))
            break;
    }
    sg_sinks_close();
    return 0;
}
