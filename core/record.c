/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - the record of a session as one line of JSON.
 */
#include "record.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sockgate/socks.h>

#include "json.h"
#include "log.h"

#define RECORD_LINE_MAX 4096

static const char *const event_names[] = {
#define X(name, text) text,
    SG_EVENTS(X)
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
record_identity(struct sg_json *json, const struct sg_record *rec)
{
    if (rec->auth_instance == NULL)
        return;
    record_hex(json, "method", rec->method);
    sg_json_string(json, "instance", rec->auth_instance);
    if (!rec->identified)
        return;
    sg_json_octets(json, "user", rec->user, rec->user_len);
    sg_json_number(json, "assurance", rec->assurance);
}

static void
record_request(struct sg_json *json, const struct sg_record *rec)
{
    static const char *const commands[] = { "", "connect", "bind", "udp_associate" };

    if (rec->ver == 0)
        return;
    if (rec->cmd < sizeof commands / sizeof commands[0] && rec->cmd != 0)
        sg_json_string(json, "command", commands[rec->cmd]);
    else
        record_hex(json, "command", rec->cmd);
    if (rec->name_len > 0)
        sg_json_octets(json, "host", rec->name, rec->name_len);
    sg_json_number(json, "port", rec->port);
}

static void
record_rule(struct sg_json *json, const struct sg_record *rec)
{
    char at[512];

    if (rec->rule == NULL)
        return;
    sg_json_string(json, "rule", rec->rule);
    if (rec->rule_file != NULL) {
        (void)snprintf(at, sizeof at, "%s:%u", rec->rule_file, rec->rule_line);
        sg_json_string(json, "rule_at", at);
    }
}

static void
record_dry_run(struct sg_json *json, const struct sg_record *rec)
{
    if (rec->dry_run_rule == NULL)
        return;
    sg_json_string(json, "dry_run_rule", rec->dry_run_rule);
    sg_json_string(json, "dry_run", rec->dry_run_verdict == SG_OK ? "allow" : "deny");
}

static void
record_tried(struct sg_json *json, const struct sg_record *rec)
{
    char texts[16][SG_ADDR_TEXT];
    const char *list[16];

    if (rec->n_tried == 0)
        return;
    for (size_t i = 0; i < rec->n_tried; i++)
        list[i] = sg_addr_format(&rec->tried[i], texts[i], sizeof texts[i]);
    sg_json_strings(json, "tried", list, rec->n_tried);
    if (rec->tried_more)
        sg_json_true(json, "tried_more");
}

static void
record_end(struct sg_json *json, const struct sg_record *rec, enum sg_event event)
{
    if (event == SG_EVENT_SESSION_START)
        return;
    sg_json_string(json, "phase", rec->phase);
    sg_json_string(json, "reason", sg_reason_name(rec->reason));
    if (rec->reason_text[0] != '\0')
        sg_json_string(json, "reason_text", rec->reason_text);
    if (rec->err != 0)
        sg_json_string(json, "error", strerrorname_np(rec->err) != NULL ? strerrorname_np(rec->err) : "unknown");
    if (event == SG_EVENT_SESSION_END) {
        sg_json_number(json, "bytes_up", (int64_t)rec->bytes_up);
        sg_json_number(json, "bytes_down", (int64_t)rec->bytes_down);
    }
    sg_json_number(json, "duration_ms", rec->ended_mono_ms - rec->accepted_mono_ms);
}

void
sg_record_write(const struct sg_record *rec, enum sg_event event)
{
    char line[RECORD_LINE_MAX];
    struct sg_json json;
    const int64_t since =
        (event == SG_EVENT_SESSION_START ? rec->connected_mono_ms : rec->ended_mono_ms) - rec->accepted_mono_ms;

    sg_json_begin(&json, line, sizeof line);
    record_time(&json, rec->accepted_wall_ms + since);
    sg_json_string(&json, "event", sg_event_name(event));
    sg_json_string(&json, "id", rec->id);
    sg_json_string(&json, "listener", rec->listener);
    record_addr(&json, "client", &rec->client);
    record_identity(&json, rec);
    record_request(&json, rec);
    record_addr(&json, "target", &rec->target);
    record_addr(&json, "bind", &rec->bind);
    record_rule(&json, rec);
    record_dry_run(&json, rec);
    record_tried(&json, rec);
    if (rec->replied)
        record_hex(&json, "rep", rec->rep);
    record_end(&json, rec, event);
    sg_log_raw(line, sg_json_end(&json));
}
