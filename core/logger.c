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
#include "table_read.h"

#define LOGGER_BATCH 256 /* entries of one table between two commits */
#define LOGGER_LOCK_MS 20
#define LOGGER_ORPHAN_MS 200
#define LOGGER_FINISH_MS 1500

struct logger_table {
    struct sg_table table;
    struct logger_table *next;
    char name[64];
    struct sg_table_acks *acks;
    int pidfd; /* -1: dead, or not yet born */
    bool dead;
    uint8_t *pushed; /* dead: what the ring has of each slot's present use; bits of PUSHED_ */
};

enum { PUSHED_START = 1, PUSHED_LAST = 2 };

static struct {
    const struct sg_logger_boot *boot;
    struct logger_table *tables;
    bool locked, handing_over, finishing, orphan;
    int64_t finish_by_ms; /* whatever a broken log keeps; 0: not yet finishing */
} logger;

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
acks_map(struct logger_table *table, int fd)
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
table_free(struct logger_table *table)
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
    struct logger_table *table = calloc(1, sizeof *table);

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
    const struct sg_table_head *head = table->table.head;
    const pid_t pid = (pid_t)head->pid;
    struct pollfd poll_fd = { table->pidfd, POLLIN, 0 };

    if (table->dead)
        return;
    table->dead = atomic_load_explicit(&head->closed, memory_order_acquire) != 0;
    if (table->pidfd == -1 && head->born != 0 && sg_proc_lives(pid, head->born))
        table->pidfd = sg_proc_pidfd(pid);
    poll_fd.fd = table->pidfd;
    if (table->pidfd != -1 && poll(&poll_fd, 1, 0) == 0)
        return;
    /* Not yet born: its generation says when it never will be. */
    if (table->pidfd == -1 && head->born == 0 && head->epoch == logger.boot->epoch && !logger.finishing)
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

static struct sg_table_place
log_place(const struct sg_table_log *log)
{
    return log->places[atomic_load_explicit(&log->which, memory_order_relaxed) & 1];
}

static void
log_set_place(struct sg_table_log *log, const struct sg_table_place *place)
{
    const uint32_t which = (atomic_load_explicit(&log->which, memory_order_relaxed) & 1) ^ 1;

    log->places[which] = *place;
    atomic_store_explicit(&log->which, which, memory_order_release);
}

/* What goes from one table to one log between two commits. */
struct batch {
    struct sg_sink *sink;
    struct logger_table *table;
    struct sg_table_place place; /* as it will be */
    unsigned steps, events;
    bool failed; /* what is left of it is only counted */
};

static void
batch_event(struct batch *batch, const struct sg_record *rec, enum sg_event event)
{
    if (sg_sink_has(batch->sink, rec, event))
        return;
    batch->events++;
    if (!batch->failed && sg_sink_event(batch->sink, rec, &batch->table->table.names, event) == -1)
        batch->failed = true;
}

static void
batch_entry(struct batch *batch, uint32_t entry)
{
    const uint32_t slot = SG_TABLE_ENTRY_SLOT(entry);
    const struct sg_record *rec;

    if (slot >= batch->table->table.n_slots)
        return;
    rec = sg_table_record(&batch->table->table, slot);
    if ((rec->use & 0x7ffu) == SG_TABLE_ENTRY_USE(entry))
        batch_event(batch, rec, SG_TABLE_ENTRY_LAST(entry) ? sg_record_event(rec) : SG_EVENT_SESSION_START);
}

/* What the ring of a dead worker holds of each slot's last use. */
static bool
table_note_pushed(struct logger_table *table, uint64_t put)
{
    const uint32_t n_slots = table->table.n_slots, ring_size = table->table.ring_size;

    if (table->pushed != NULL)
        return true;
    table->pushed = calloc(n_slots, 1);
    if (table->pushed == NULL)
        return false;
    for (uint64_t i = put > ring_size ? put - ring_size : 0; i < put; i++) {
        const uint32_t entry = sg_table_entry(&table->table, i), slot = SG_TABLE_ENTRY_SLOT(entry);

        if (slot < n_slots && (sg_table_use(&table->table, slot) & 0x7ffu) == SG_TABLE_ENTRY_USE(entry))
            table->pushed[slot] |= SG_TABLE_ENTRY_LAST(entry) ? PUSHED_LAST : PUSHED_START;
    }
    return true;
}

/* A slot in which a dead worker has left a session. */
static void
batch_slot(struct batch *batch, uint32_t slot)
{
    const struct logger_table *table = batch->table;
    struct sg_record *rec = sg_table_record(&table->table, slot);
    const uint32_t state = atomic_load_explicit(&rec->state, memory_order_relaxed);

    if (state == SG_RECORD_FREE || state > SG_RECORD_ENDED || (table->pushed[slot] & PUSHED_LAST) != 0)
        return;
    /* It died before it published that: to the world there was no success. */
    if (state == SG_RECORD_OPEN)
        rec->started = false;
    if (state != SG_RECORD_ENDED) {
        /* One that had been refused, and was given time to read why, was refused. */
        if (rec->reason == SG_REASON_NONE) {
            rec->reason =
                table->table.head->epoch == logger.boot->epoch ? SG_REASON_WORKER_LOST : SG_REASON_UNCLEAN_STOP;
            rec->err = 0;
        }
        rec->ended_mono_ms = sg_mono_ms() > rec->accepted_mono_ms ? sg_mono_ms() : rec->accepted_mono_ms;
    }
    if (rec->started && rec->event == 0 && (table->pushed[slot] & PUSHED_START) == 0)
        batch_event(batch, rec, SG_EVENT_SESSION_START);
    batch_event(batch, rec, sg_record_event(rec));
}

/* A log that must not be missed stops at its first failure: it will get all of it again. */
static bool
batch_goes_on(const struct batch *batch)
{
    return batch->steps < LOGGER_BATCH && (!batch->failed || sg_sink_drops(batch->sink));
}

static void
batch_fill(struct batch *batch)
{
    struct logger_table *table = batch->table;
    struct sg_table_place *place = &batch->place;
    const uint64_t put = sg_table_put(&table->table);

    if (put - place->done > table->table.ring_size) /* a number that cannot be */
        place->done = put > table->table.ring_size ? put - table->table.ring_size : 0;
    for (; place->done < put && batch_goes_on(batch); batch->steps++)
        batch_entry(batch, sg_table_entry(&table->table, place->done++));
    if (!table->dead || place->done != put || !table_note_pushed(table, put))
        return;
    for (; place->slots < table->table.n_slots && batch_goes_on(batch); batch->steps++)
        batch_slot(batch, place->slots++);
}

/*
 * True: something was dealt with. `give_up`: the log cannot be written now. What is due waits, for which the table is made;
 * but only so much of it as leaves room for sessions, the rest is counted.
 */
static bool
logger_batch(struct sg_sink *sink, struct logger_table *table, bool give_up)
{
    struct sg_table_log *log = table_log(table, sg_sink_name(sink));
    struct batch batch = { .sink = sink, .table = table, .failed = give_up };

    if (log == NULL)
        return false;
    batch.place = log_place(log);
    if (give_up && sg_table_put(&table->table) - batch.place.done <= table->table.n_slots / 2)
        return false;
    batch_fill(&batch);
    if (batch.steps == 0)
        return false;
    if (!batch.failed && batch.events > 0 && sg_sink_commit(sink) == -1)
        batch.failed = true;
    if (batch.failed && !sg_sink_drops(sink))
        return false;
    if (batch.failed)
        batch.place.lost += batch.events;
    log_set_place(log, &batch.place);
    return true;
}

/* Its id says of which table, and which time: told twice, it is told once. */
static int
logger_tell(struct sg_sink *sink, struct logger_table *table, struct sg_table_log *log, uint64_t n)
{
    static _Alignas(struct sg_record) char memory[SG_RECORD_SIZE];
    struct sg_record *rec = (struct sg_record *)(void *)memory;
    struct sg_table_place place = log_place(log);

    memset(memory, 0, sizeof memory);
    sg_record_event_begin(rec, SG_EVENT_RECORDS_LOST, NULL);
    rec->count = n;
    rec->id_high = table->table.head->epoch;
    rec->id_low =
        strtoull(table->name + strcspn(table->name, "-") + 1, NULL, 16) << 48 | SG_TABLE_ID_LOST | place.tellings;
    if (!sg_sink_has(sink, rec, SG_EVENT_RECORDS_LOST) &&
        (sg_sink_event(sink, rec, &table->table.names, SG_EVENT_RECORDS_LOST) == -1 || sg_sink_commit(sink) == -1))
        return -1;
    place.unrecorded += n - place.lost;
    place.lost = 0;
    place.tellings++;
    log_set_place(log, &place);
    return 0;
}

/* What was lost is told before anything else is. -1: the log cannot be written. */
static int
logger_tell_lost(struct sg_sink *sink)
{
    for (struct logger_table *table = logger.tables; table != NULL; table = table->next) {
        struct sg_table_log *log = table_log(table, sg_sink_name(sink));
        const uint64_t unrecorded = atomic_load_explicit(&table->table.head->unrecorded, memory_order_relaxed);
        struct sg_table_place place;

        if (log == NULL)
            continue;
        place = log_place(log);
        if (place.lost + unrecorded - place.unrecorded > 0 &&
            logger_tell(sink, table, log, place.lost + unrecorded - place.unrecorded) == -1)
            return -1;
    }
    return 0;
}

/* True: something was dealt with. */
static bool
logger_serve(struct sg_sink *sink)
{
    bool any = false, give_up;

    give_up = !sg_sink_ready(sink) || logger_tell_lost(sink) == -1;
    for (struct logger_table *table = logger.tables; table != NULL && (!give_up || sg_sink_drops(sink));
         table = table->next)
        any = logger_batch(sink, table, give_up) || any;
    return any;
}

/* What every log has written is the worker's again. */
static void
logger_acknowledge(struct logger_table *table)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < sg_sinks_count(); i++) {
        const struct sg_table_log *log = table_log(table, sg_sink_name(sg_sinks_get(i)));

        if (log != NULL && log_place(log).done < least)
            least = log_place(log).done;
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
        struct sg_table_place place;

        if (log == NULL)
            continue;
        place = log_place(log);
        if (place.slots < table->table.n_slots || place.lost > 0)
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

    for (struct logger_table *table = logger.tables; table != NULL; table = table->next)
        table_look(table);
    for (size_t i = 0; i < sg_sinks_count(); i++)
        more = logger_serve(sg_sinks_get(i)) || more;
    for (struct logger_table *table = logger.tables; table != NULL; table = table->next)
        logger_acknowledge(table);
    for (struct logger_table **at = &logger.tables; *at != NULL;)
        if (table_finished(*at))
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
    logger.boot = boot;
    if (sg_sinks_open(boot) == -1 || logger_ready() == -1)
        return 1;
    for (;;) {
        logger_wait();
        logger_turn();
        logger_lock();
        while (logger.locked && !logger.handing_over && logger_work())
            logger_turn();
        if (logger_ended())
            break;
    }
    sg_sinks_close();
    /* The end of a process takes its time; the next logger need not wait for that. */
    (void)flock(logger.boot->lock, LOCK_UN);
    return 0;
}
