/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - the record of a session as one line of JSON.
 */
#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sockgate/socks.h>

#include "clock.h"
#include "json.h"
#include "session.h"

/* Nobody looks whether these fit: the longest user and host, beside the words of a module or the longest USERID. */
_Static_assert(SG_RECORD_ARENA >= 255 + 253 + 127, "the arena is too small");

static const char *const event_names[] = {
#define X(name, text) text,
    SG_EVENTS(X)
#undef X
};

static const char *const purpose_names[] = {
#define X(name, text) text,
    SG_PURPOSES(X)
#undef X
};

static const struct {
    const char *name;
    bool refused;
} reasons[] = {
#define X(name, text, refused) { text, refused },
    SG_REASONS(X)
#undef X
};

const char *
sg_event_name(enum sg_event event)
{
    return event_names[event];
}

const char *
sg_reason_name(enum sg_reason reason)
{
    return reasons[reason].name;
}

bool
sg_reason_refused(enum sg_reason reason)
{
    return reasons[reason].refused;
}

/* ---- the arena: strings from the front, addresses from the end */

#define TRIED_SIZE 19 /* family, port, address */
/* What addresses leave for the strings that come after them: a few words of a module. */
#define ARENA_KEPT 128

static size_t
record_room(const struct sg_record *rec)
{
    return SG_RECORD_ARENA - rec->arena_used - rec->arena_tried;
}

bool
sg_record_put(struct sg_record *rec, struct sg_record_text *text, const void *octets, size_t len)
{
    if (text->len > 0 || len == 0)
        return true;
    if (len > UINT8_MAX || len > record_room(rec))
        return false;
    memcpy(rec->arena + rec->arena_used, octets, len);
    *text = (struct sg_record_text){ rec->arena_used, (uint8_t)len, 0 };
    rec->arena_used = (uint16_t)(rec->arena_used + len);
    return true;
}

const char *
sg_record_get(const struct sg_record *rec, const struct sg_record_text *text)
{
    return text->len > 0 && (size_t)text->at + text->len <= SG_RECORD_ARENA ? rec->arena + text->at : NULL;
}

uint32_t *
sg_record_udp_drops(struct sg_record *rec)
{
    const uint16_t before = rec->arena_used;
    const uint32_t none[SG_UDP_DROP_COUNT] = { 0 };

    /* Aligned, so that no reader ever sees half a number. */
    while ((offsetof(struct sg_record, arena) + rec->arena_used) % sizeof none[0] != 0)
        rec->arena_used++;
    if (sg_record_put(rec, &rec->udp_drops, none, sizeof none))
        return (uint32_t *)(void *)(rec->arena + rec->udp_drops.at);
    rec->arena_used = before;
    return NULL;
}

void
sg_record_add_tried(struct sg_record *rec, const struct sg_addr *addr)
{
    char *at;

    if (rec->n_tried == SG_RECORD_TRIED_MAX || record_room(rec) < TRIED_SIZE + ARENA_KEPT) {
        rec->tried_more = true;
        return;
    }
    rec->n_tried++;
    rec->arena_tried = (uint16_t)(rec->arena_tried + TRIED_SIZE);
    at = rec->arena + SG_RECORD_ARENA - rec->arena_tried;
    at[0] = (char)addr->family;
    memcpy(at + 1, &addr->port, sizeof addr->port);
    memcpy(at + 3, addr->ip, sizeof addr->ip);
}

bool
sg_record_tried(const struct sg_record *rec, unsigned i, struct sg_addr *addr_out)
{
    const char *at = rec->arena + SG_RECORD_ARENA - (size_t)(i + 1) * TRIED_SIZE;

    if (i >= rec->n_tried || i >= SG_RECORD_TRIED_MAX)
        return false;
    *addr_out = (struct sg_addr){ .family = (uint8_t)at[0] };
    memcpy(&addr_out->port, at + 1, sizeof addr_out->port);
    memcpy(addr_out->ip, at + 3, sizeof addr_out->ip);
    return true;
}

static uint8_t
record_set_label(char to[SG_RECORD_LABEL_MAX], const char *label)
{
    const size_t len = label != NULL ? strnlen(label, SG_RECORD_LABEL_MAX) : 0;

    if (len > 0)
        memcpy(to, label, len);
    return (uint8_t)len;
}

void
sg_record_set_rule(struct sg_record *rec, const char *label)
{
    rec->rule_len = record_set_label(rec->rule, label);
}

void
sg_record_set_dry_run(struct sg_record *rec, const char *label, uint8_t verdict)
{
    rec->dry_run_rule_len = record_set_label(rec->dry_run_rule, label);
    rec->dry_run_verdict = verdict;
}

/* Only what names somebody is taken over: what led to his end is told with his end. */
static void
record_about(struct sg_record *rec, const struct sg_record *about)
{
    const uint64_t id[2] = { about->id_high, about->id_low };

    rec->listener = about->listener;
    rec->client = about->client;
    rec->local = about->local;
    rec->instance = about->instance;
    rec->identified = about->identified;
    rec->method = about->method;
    rec->assurance = about->assurance;
    rec->ver = about->ver;
    rec->requested = about->requested;
    rec->cmd = about->cmd;
    rec->port = about->port;
    rec->reason = about->reason;
    (void)sg_record_put(rec, &rec->cause, id, sizeof id); /* these fit into an empty arena */
    (void)sg_record_put(rec, &rec->user, about->arena + about->user.at, about->user.len);
    (void)sg_record_put(rec, &rec->name, about->arena + about->name.at, about->name.len);
}

void
sg_record_event_begin(struct sg_record *rec, enum sg_event event, const struct sg_record *about)
{
    rec->event = (uint8_t)event;
    rec->accepted_wall_ms = sg_clock_ms(CLOCK_REALTIME);
    if (about != NULL)
        record_about(rec, about);
}

static void
record_id_text(uint64_t high, uint64_t low, char text[33])
{
    (void)snprintf(text, 33, "%016" PRIx64 "%016" PRIx64, high, low);
}

void
sg_record_id(const struct sg_record *rec, char text[33])
{
    record_id_text(rec->id_high, rec->id_low, text);
}

/* ---- the line */

#define YEAR_MS ((int64_t)365 * 24 * 3600 * 1000)

/* Times of another process: what cannot be is zero. */
static int64_t
record_span(int64_t from, int64_t to)
{
    const uint64_t span = (uint64_t)to - (uint64_t)from;

    return span <= (uint64_t)(100 * YEAR_MS) ? (int64_t)span : 0;
}

static int64_t
record_wall(int64_t wall_ms)
{
    return wall_ms >= 0 && wall_ms <= 1000 * YEAR_MS ? wall_ms : 0;
}

static void
record_time(struct sg_json *json, int64_t wall_ms)
{
    const time_t seconds = (time_t)(wall_ms / 1000);
    char text[64];
    struct tm tm;
    size_t n;

    (void)gmtime_r(&seconds, &tm);
    n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, sizeof text - n, ".%03dZ", (int)(wall_ms % 1000));
    sg_json_string(json, "time", text);
}

static void
record_addr(struct sg_json *json, const char *name, const struct sg_addr *addr)
{
    char text[SG_ADDR_TEXT];

    if (addr->family != SG_FAMILY_NONE)
        sg_json_string(json, name, sg_addr_format(addr, text, sizeof text));
}

static void
record_hex(struct sg_json *json, const char *name, unsigned value)
{
    char text[8];

    (void)snprintf(text, sizeof text, "%02x", value & 0xff);
    sg_json_string(json, name, text);
}

static void
record_named(struct sg_json *json, const char *field, const struct sg_record_names *names, uint16_t number)
{
    const char *name = number != 0 ? names->name(names, number) : NULL;

    if (name != NULL)
        sg_json_string(json, field, name);
}

static void
record_text(struct sg_json *json, const char *field, const struct sg_record *rec, const struct sg_record_text *text)
{
    const char *octets = sg_record_get(rec, text);

    if (octets != NULL)
        sg_json_octets(json, field, octets, text->len);
}

static void
record_identity(struct sg_json *json, const struct sg_record *rec, const struct sg_record_names *names)
{
    if (rec->ver != 0)
        sg_json_number(json, "ver", rec->ver);
    if (rec->event == 0)
        record_text(json, "userid", rec, &rec->userid);
    if (rec->instance == 0)
        return;
    record_hex(json, "method", rec->method);
    record_named(json, "instance", names, rec->instance);
    if (!rec->identified)
        return;
    if (rec->user.len == 0)
        sg_json_string(json, "user", "");
    record_text(json, "user", rec, &rec->user);
    sg_json_number(json, "assurance", rec->assurance);
}

static void
record_request(struct sg_json *json, const struct sg_record *rec)
{
    static const char *const commands[] = { "", "connect", "bind", "udp_associate" };

    if (!rec->requested)
        return;
    if (rec->cmd < sizeof commands / sizeof commands[0] && rec->cmd != 0)
        sg_json_string(json, "command", commands[rec->cmd]);
    else
        record_hex(json, "command", rec->cmd);
    record_text(json, "host", rec, &rec->name);
    sg_json_number(json, "port", rec->port);
}

/* Who came for a BIND. */
static void
record_peer(struct sg_json *json, const struct sg_record *rec)
{
    record_addr(json, "peer", &rec->peer);
    if (rec->peers_refused > 0)
        sg_json_number(json, "peers_refused", rec->peers_refused);
}

static void
record_label(struct sg_json *json, const char *field, const char *label, uint8_t len)
{
    if (len > 0 && len <= SG_RECORD_LABEL_MAX)
        sg_json_octets(json, field, label, len);
}

static void
record_rule(struct sg_json *json, const struct sg_record *rec, const struct sg_record_names *names)
{
    const char *file = rec->rule_file != 0 ? names->name(names, rec->rule_file) : NULL;
    char at[512];

    record_label(json, "rule", rec->rule, rec->rule_len);
    if (rec->rule_len > 0 && file != NULL) {
        (void)snprintf(at, sizeof at, "%.480s:%u", file, rec->rule_line);
        sg_json_string(json, "rule_at", at);
    }
}

static void
record_dry_run(struct sg_json *json, const struct sg_record *rec)
{
    if (rec->dry_run_rule_len == 0)
        return;
    record_label(json, "dry_run_rule", rec->dry_run_rule, rec->dry_run_rule_len);
    sg_json_string(json, "dry_run", rec->dry_run_verdict == SG_OK ? "allow" : "deny");
}

static void
record_tried(struct sg_json *json, const struct sg_record *rec)
{
    char texts[SG_RECORD_TRIED_MAX][SG_ADDR_TEXT];
    const char *list[SG_RECORD_TRIED_MAX];
    struct sg_addr addr;
    unsigned n = 0;

    while (n < SG_RECORD_TRIED_MAX && sg_record_tried(rec, n, &addr)) {
        list[n] = sg_addr_format(&addr, texts[n], sizeof texts[n]);
        n++;
    }
    if (n == 0)
        return;
    sg_json_strings(json, "tried", list, n);
    if (rec->tried_more)
        sg_json_true(json, "tried_more");
}

static void
record_udp(struct sg_json *json, const struct sg_record *rec)
{
    static const char *const names[] = {
#define X(name, text) text,
        SG_UDP_DROPS(X)
#undef X
    };
    const char *octets = sg_record_get(rec, &rec->udp_drops);
    uint32_t drops[SG_UDP_DROP_COUNT];

    if (octets == NULL || rec->udp_drops.len != sizeof drops)
        return;
    memcpy(drops, octets, sizeof drops);
    sg_json_counts(json, "udp_drops", names, drops, SG_UDP_DROP_COUNT);
}

static void
record_cause(struct sg_json *json, const struct sg_record *rec, enum sg_event event)
{
    const char *octets = sg_record_get(rec, &rec->cause);
    char text[33];
    uint64_t id[2];

    if (octets == NULL || rec->cause.len != sizeof id)
        return;
    memcpy(id, octets, sizeof id);
    record_id_text(id[0], id[1], text);
    sg_json_string(json, event == SG_EVENT_FILE_LOADED ? "reload" : "session", text);
}

static void
record_file(struct sg_json *json, const struct sg_record *rec)
{
    const char *octets = sg_record_get(rec, &rec->digest);
    char text[65];

    record_text(json, "file", rec, &rec->file);
    if (octets == NULL || rec->digest.len != 32)
        return;
    for (unsigned i = 0; i < 32; i++)
        (void)snprintf(text + (size_t)i * 2, 3, "%02x", (unsigned)(uint8_t)octets[i]);
    sg_json_string(json, "sha256", text);
}

static void
record_reload(struct sg_json *json, const struct sg_record_reload *reload)
{
    if (reload->purpose < SG_PURPOSE_COUNT)
        sg_json_string(json, "purpose", purpose_names[reload->purpose]);
    sg_json_string(json, "result", reload->failed ? "failed" : "ok");
    sg_json_number(json, "generation", reload->generation);
    if (reload->by_pid == 0)
        return;
    sg_json_number(json, "by_uid", reload->by_uid);
    sg_json_number(json, "by_pid", reload->by_pid);
}

/* What an event tells that is no session's state. */
static void
record_beside(struct sg_json *json, const struct sg_record *rec, enum sg_event event,
              const struct sg_record_names *names)
{
    record_named(json, "module", names, rec->module);
    if (event == SG_EVENT_RELOAD)
        record_reload(json, &rec->reload);
    if (event == SG_EVENT_RECORDS_LOST)
        sg_json_number(json, "count", (int64_t)rec->count);
    record_file(json, rec);
    if (rec->reason != SG_REASON_NONE && rec->reason < SG_REASON_COUNT)
        sg_json_string(json, "reason", sg_reason_name(rec->reason));
    record_text(json, "reason_text", rec, &rec->reason_text);
}

static void
record_end(struct sg_json *json, const struct sg_record *rec, enum sg_event event)
{
    if (rec->phase > 0 && rec->phase <= SG_STATES)
        sg_json_string(json, "phase", sg_state_name((enum sg_state)(rec->phase - 1)));
    sg_json_string(json, "reason", rec->reason < SG_REASON_COUNT ? sg_reason_name(rec->reason) : "unknown");
    record_text(json, "reason_text", rec, &rec->reason_text);
    if (rec->err != 0)
        sg_json_string(json, "error", strerrorname_np(rec->err) != NULL ? strerrorname_np(rec->err) : "unknown");
    if (event == SG_EVENT_SESSION_END) {
        sg_json_number(json, "bytes_up", (int64_t)rec->bytes_up);
        sg_json_number(json, "bytes_down", (int64_t)rec->bytes_down);
        record_udp(json, rec);
    }
    sg_json_number(json, "duration_ms", record_span(rec->accepted_mono_ms, rec->ended_mono_ms));
}

size_t
sg_record_json(const struct sg_record *rec, enum sg_event event, const struct sg_record_names *names, char *line,
               size_t size)
{
    struct sg_json json;
    char id[33];
    const int64_t since = record_span(rec->accepted_mono_ms,
                                      event == SG_EVENT_SESSION_START ? rec->connected_mono_ms : rec->ended_mono_ms);

    sg_record_id(rec, id);
    sg_json_begin(&json, line, size);
    record_time(&json, record_wall(rec->accepted_wall_ms) + since);
    sg_json_string(&json, "event", sg_event_name(event));
    sg_json_string(&json, "id", id);
    record_cause(&json, rec, event);
    record_named(&json, "listener", names, rec->listener);
    record_addr(&json, "client", &rec->client);
    record_identity(&json, rec, names);
    record_request(&json, rec);
    record_addr(&json, "target", &rec->target);
    record_addr(&json, "bind", &rec->bind);
    if (rec->event == 0 && event != SG_EVENT_SESSION_START)
        record_peer(&json, rec);
    record_rule(&json, rec, names);
    record_dry_run(&json, rec);
    record_tried(&json, rec);
    if (rec->replied) /* BIND may be told something else in its second reply */
        record_hex(&json, "rep", event == SG_EVENT_SESSION_START ? SG_REP_SUCCEEDED : rec->rep);
    if (!sg_event_of_session(event))
        record_beside(&json, rec, event, names);
    else if (event != SG_EVENT_SESSION_START)
        record_end(&json, rec, event);
    return sg_json_end(&json);
}

enum sg_event
sg_record_event(const struct sg_record *rec)
{
    if (rec->event != 0)
        return rec->event < SG_EVENT_COUNT ? (enum sg_event)rec->event : SG_EVENT_MODULE_ERROR;
    if (rec->started)
        return SG_EVENT_SESSION_END;
    return rec->reason < SG_REASON_COUNT && sg_reason_refused(rec->reason) ? SG_EVENT_SESSION_REFUSED
                                                                           : SG_EVENT_SESSION_FAILED;
}
