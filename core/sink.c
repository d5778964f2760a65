/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink.c - one log each: what it has already, what it has lost, and when it is tried again.
 */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "table.h"

#define SINK_RETRY_MS 250
#define SINK_RETRY_MAX_MS 1000
#define SINK_SEEN_MAX 65536

struct sink_seen {
    char id[33];
    uint8_t event;
};

struct sg_sink {
    const char *name;
    struct sg_instance *inst; /* NULL: the error log */
    bool drop;                /* what cannot be written is given up */
    bool failing;
    int64_t retry_at_ms, retry_ms; /* twice as long with each failure */
    struct sink_seen *seen;
    size_t n_seen, size_seen;
};

static struct {
    size_t n;
    struct sg_sink v[SG_TABLE_LOGS_MAX];
    struct sg_instances *instances;
    struct sg_worker_status *status;
    const struct sg_logger_file *files;
} sinks;

/* ---- what modules ask about an event */

const char *
sg_event_kind(const struct sg_event_info *event)
{
    return sg_event_name(event->event);
}

bool
sg_event_required(const struct sg_instance *inst)
{
    return inst->conf->required;
}

/* ---- calls into modules: the watchdog is told whose code runs */

static void
sink_enter(const struct sg_sink *sink)
{
    atomic_store_explicit(&sinks.status->doing, sink->inst->number, memory_order_relaxed);
}

static void
sink_leave(void)
{
    atomic_store_explicit(&sinks.status->doing, 0, memory_order_relaxed);
}

static int
sink_event(const struct sg_sink *sink, const struct sg_event_info *info)
{
    int status;

    sink_enter(sink);
    status = sink->inst->mod->log->event(sink->inst, info);
    sink_leave();
    return status;
}

/* What needs nothing but the instance. */
static int
sink_call(const struct sg_sink *sink, int (*function)(struct sg_instance *inst))
{
    int status;

    sink_enter(sink);
    status = function(sink->inst);
    sink_leave();
    return status;
}

static int
sink_recover(struct sg_sink *sink, sg_event_seen *seen)
{
    int before = -1, status;

    for (size_t i = 0; i < SG_TABLE_LOGS_MAX; i++)
        if (strcmp(sinks.files[i].name, sink->name) == 0)
            before = sinks.files[i].fd;
    sink_enter(sink);
    status = sink->inst->mod->log->recover(sink->inst, before, seen, sink);
    sink_leave();
    return status;
}

/* ---- open and close */

bool
sg_logger_strict(const struct sg_conf *conf)
{
    for (size_t i = 0; i < conf->modules.n; i++)
        if (sg_conf_module(conf, i)->required && sg_conf_module(conf, i)->on_error == SG_LOG_REFUSE)
            return true;
    return false;
}

int
sg_sinks_open(const struct sg_logger_boot *boot)
{
    const struct sg_strings *names = &boot->conf->hooks.log;

    sinks.instances = boot->instances;
    sinks.status = boot->status;
    sinks.files = boot->files;
    if (names->n == 0)
        sinks.v[sinks.n++] = (struct sg_sink){ .name = "(error log)", .drop = true };
    for (size_t i = 0; i < names->n && sinks.n < SG_TABLE_LOGS_MAX; i++) {
        struct sg_instance *inst = sg_instance_find(boot->instances, names->v[i].text);

        sinks.v[sinks.n++] = (struct sg_sink){ .name = inst->name,
                                               .inst = inst,
                                               .drop = !inst->conf->required || inst->conf->on_error == SG_LOG_DROP };
    }
    return sg_instances_start(boot->instances, SG_PROCESS_LOGGER);
}

void
sg_sinks_close(void)
{
    sg_instances_stop(sinks.instances);
    for (size_t i = 0; i < sinks.n; i++)
        free(sinks.v[i].seen);
}

size_t
sg_sinks_count(void)
{
    return sinks.n;
}

struct sg_sink *
sg_sinks_get(size_t i)
{
    return &sinks.v[i];
}

int
sg_sink_descriptor(const struct sg_sink *sink)
{
    return sink->inst != NULL && sink->inst->mod->log->descriptor != NULL
               ? sink_call(sink, sink->inst->mod->log->descriptor)
               : -1;
}

const char *
sg_sink_name(const struct sg_sink *sink)
{
    return sink->name;
}

void
sg_sinks_reopen(void)
{
    for (size_t i = 0; i < sinks.n; i++) {
        const struct sg_sink *sink = &sinks.v[i];

        if (sink->inst != NULL && sink->inst->mod->log->reopen != NULL &&
            sink_call(sink, sink->inst->mod->log->reopen) == -1)
            sg_logf(SG_LOG_ERR, "module \"%s\": cannot open its files anew, the old ones stay: %s", sink->name,
                    strerror(errno));
    }
}

/* ---- what is there already */

static int
sink_compare(const void *a, const void *b)
{
    const struct sink_seen *x = a, *y = b;
    const int order = memcmp(x->id, y->id, sizeof x->id);

    return order != 0 ? order : (int)x->event - (int)y->event;
}

static void
sink_note(void *arg, const char *id, const char *name)
{
    struct sg_sink *sink = arg;
    struct sink_seen seen = { .event = SG_EVENT_COUNT };

    for (enum sg_event event = 0; event < SG_EVENT_COUNT; event++)
        if (strcmp(sg_event_name(event), name) == 0)
            seen.event = (uint8_t)event;
    if (strlen(id) != sizeof seen.id - 1 || sink->n_seen == SINK_SEEN_MAX)
        return;
    memcpy(seen.id, id, sizeof seen.id);
    if (sink->n_seen == sink->size_seen) {
        const size_t more = sink->size_seen * 2 + 256;
        void *p = reallocarray(sink->seen, more, sizeof *sink->seen);

        if (p == NULL)
            return;
        sink->seen = p;
        sink->size_seen = more;
    }
    sink->seen[sink->n_seen++] = seen;
}

void
sg_sinks_recover(void)
{
    for (size_t i = 0; i < sinks.n; i++) {
        struct sg_sink *sink = &sinks.v[i];

        if (sink->inst == NULL || sink->inst->mod->log->recover == NULL)
            continue;
        if (sink_recover(sink, sink_note) == -1)
            sg_logf(SG_LOG_ERR, "module \"%s\": cannot read the end of its log: %s", sink->name, strerror(errno));
        if (sink->n_seen > 0)
            qsort(sink->seen, sink->n_seen, sizeof *sink->seen, sink_compare);
    }
}

bool
sg_sink_has(const struct sg_sink *sink, const struct sg_record *rec, enum sg_event event)
{
    struct sink_seen wanted = { .event = (uint8_t)event };

    if (sink->n_seen == 0)
        return false;
    sg_record_id(rec, wanted.id);
    return bsearch(&wanted, sink->seen, sink->n_seen, sizeof *sink->seen, sink_compare) != NULL;
}

/* ---- events */

bool
sg_sink_ready(const struct sg_sink *sink)
{
    return !sink->failing || sg_mono_ms() >= sink->retry_at_ms;
}

bool
sg_sink_drops(const struct sg_sink *sink)
{
    return sink->drop;
}

static int
sink_failed(struct sg_sink *sink, int err)
{
    if (!sink->failing)
        sg_logf(SG_LOG_ERR, "module \"%s\": the log cannot be written: %s; %s", sink->name, strerror(err),
                sink->drop ? "events are dropped and counted" : "no session begins until it can be");
    sink->retry_ms = sink->failing ? sink->retry_ms * 2 : SINK_RETRY_MS;
    if (sink->retry_ms > SINK_RETRY_MAX_MS)
        sink->retry_ms = SINK_RETRY_MAX_MS;
    sink->failing = true;
    sink->retry_at_ms = sg_mono_ms() + sink->retry_ms;
    return -1;
}

int
sg_sink_event(struct sg_sink *sink, const struct sg_record *rec, const struct sg_record_names *names,
              enum sg_event event)
{
    const struct sg_event_info info = { .event = event, .rec = rec, .names = names };
    char line[SG_EVENT_JSON_MAX];

    if (sink->inst == NULL) {
        sg_log_raw(line, sg_event_json(&info, line, sizeof line));
        return 0;
    }
    return sink_event(sink, &info) == -1 ? sink_failed(sink, ENOBUFS) : 0;
}

int
sg_sink_commit(struct sg_sink *sink)
{
    if (sink->inst != NULL && sink_call(sink, sink->inst->mod->log->commit) == -1)
        return sink_failed(sink, errno);
    if (sink->failing)
        sg_logf(SG_LOG_NOTICE, "module \"%s\": the log can be written again", sink->name);
    sink->failing = false;
    return 0;
}

bool
sg_sinks_failing(void)
{
    for (size_t i = 0; i < sinks.n; i++)
        if (sinks.v[i].failing)
            return true;
    return false;
}

bool
sg_sinks_refusing(void)
{
    for (size_t i = 0; i < sinks.n; i++)
        if (sinks.v[i].failing && !sinks.v[i].drop)
            return true;
    return false;
}
