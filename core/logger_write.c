/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger_write.c - from tables to a log.
 *
 *   for each table: entries of the ring --> event() ... commit() --> how far it has come is noted
 *                   a dead worker's open slots --> worker_lost
 */
#include "logger_write.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define WRITE_BATCH 256 /* entries of one table between two commits */

enum { PUSHED_START = 1, PUSHED_LAST = 2 };

static struct sg_table_log *
table_log(struct sg_logger_table *table, const char *name)
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
    struct sg_logger_table *table;
    uint64_t epoch;
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
table_note_pushed(struct sg_logger_table *table, uint64_t put)
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
    const struct sg_logger_table *table = batch->table;
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
            rec->reason = table->table.head->epoch == batch->epoch ? SG_REASON_WORKER_LOST : SG_REASON_UNCLEAN_STOP;
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
    return batch->steps < WRITE_BATCH && (!batch->failed || sg_sink_drops(batch->sink));
}

static void
batch_fill(struct batch *batch)
{
    struct sg_logger_table *table = batch->table;
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
 * True: there is more. `give_up`: the log cannot be written now. What is due waits, for which the table is made;
 * but only so much of it as leaves room for sessions, the rest is counted.
 */
static bool
write_batch(struct sg_sink *sink, struct sg_logger_table *table, uint64_t epoch, bool give_up)
{
    struct sg_table_log *log = table_log(table, sg_sink_name(sink));
    struct batch batch = { .sink = sink, .table = table, .epoch = epoch, .failed = give_up };

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
    return batch.steps == WRITE_BATCH;
}

/* Its id says of which table, and which time: told twice, it is told once. */
static int
write_tell(struct sg_sink *sink, struct sg_logger_table *table, struct sg_table_log *log, uint64_t n)
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
write_tell_lost(struct sg_sink *sink, struct sg_logger_table *tables)
{
    for (struct sg_logger_table *table = tables; table != NULL; table = table->next) {
        struct sg_table_log *log = table_log(table, sg_sink_name(sink));
        const uint64_t unrecorded = atomic_load_explicit(&table->table.head->unrecorded, memory_order_relaxed);
        struct sg_table_place place;

        if (log == NULL)
            continue;
        place = log_place(log);
        if (place.lost + unrecorded - place.unrecorded > 0 &&
            write_tell(sink, table, log, place.lost + unrecorded - place.unrecorded) == -1)
            return -1;
    }
    return 0;
}

bool
sg_logger_serve(struct sg_sink *sink, struct sg_logger_table *tables, uint64_t epoch)
{
    bool more = false, give_up;

    give_up = !sg_sink_ready(sink) || write_tell_lost(sink, tables) == -1;
    for (struct sg_logger_table *table = tables; table != NULL && (!give_up || sg_sink_drops(sink));
         table = table->next)
        more = write_batch(sink, table, epoch, give_up) || more;
    return more;
}

void
sg_logger_acknowledge(struct sg_logger_table *table)
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

bool
sg_logger_finished(struct sg_logger_table *table)
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
