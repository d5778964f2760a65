/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fields.c - a function for each field: is it known, and what is it?
 *
 * Records were written by another process: every number in them is checked before it is used.
 */
#include "fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "addrs.h"
#include "digits.h"
#include "session.h"

/* ---- kinds of values */

static bool
value_octets(struct sg_field_value *value, const char *octets, size_t len)
{
    value->kind = SG_FIELD_IS_OCTETS;
    value->octets = octets;
    value->len = len;
    return octets != NULL;
}

static bool
value_string(struct sg_field_value *value, const char *text)
{
    return text != NULL && value_octets(value, text, strlen(text));
}

static bool
value_number(struct sg_field_value *value, int64_t number)
{
    value->kind = SG_FIELD_IS_NUMBER;
    value->number = number;
    return true;
}

static bool
value_hex(struct sg_field_value *value, unsigned octet)
{
    return value_octets(value, value->room[0], sg_digits_hex(value->room[0], octet, 2));
}

static bool
value_addr(struct sg_field_value *value, const struct sg_addr *addr)
{
    return addr->family != SG_FAMILY_NONE && value_octets(value, value->room[0], sg_addr_put(addr, value->room[0]));
}

static bool
value_text(struct sg_field_value *value, const struct sg_record *rec, const struct sg_record_text *text)
{
    return value_octets(value, sg_record_get(rec, text), text->len);
}

static bool
value_label(struct sg_field_value *value, const char *label, uint8_t len)
{
    return len > 0 && len <= SG_RECORD_LABEL_MAX && value_octets(value, label, len);
}

static const char *
info_name(const struct sg_event_info *info, uint16_t number)
{
    return number != 0 ? info->names->name(info->names, number) : NULL;
}

static bool
value_named(struct sg_field_value *value, const struct sg_event_info *info, uint16_t number)
{
    return value_string(value, info_name(info, number));
}

/* ---- times */

#define YEAR_MS ((int64_t)365 * 24 * 3600 * 1000)

/* Times of another process: what cannot be is zero. */
static int64_t
info_span(int64_t from, int64_t to)
{
    const uint64_t span = (uint64_t)to - (uint64_t)from;

    return span <= (uint64_t)(100 * YEAR_MS) ? (int64_t)span : 0;
}

static int64_t
info_wall(const struct sg_event_info *info)
{
    const struct sg_record *rec = info->rec;
    const int64_t wall_ms = rec->accepted_wall_ms;
    const int64_t then_ms = info->event == SG_EVENT_SESSION_START ? rec->connected_mono_ms : rec->ended_mono_ms;

    return (wall_ms >= 0 && wall_ms <= 1000 * YEAR_MS ? wall_ms : 0) + info_span(rec->accepted_mono_ms, then_ms);
}

/* Most events are of the same second as the one before. */
static struct {
    time_t second;
    size_t len; /* 0: there was none before */
    char text[32];
} fields_second;

static bool
field_time(const struct sg_event_info *info, struct sg_field_value *value)
{
    const int64_t wall_ms = info_wall(info);
    const time_t second = (time_t)(wall_ms / 1000);
    char *text = value->room[0];
    struct tm tm;
    size_t n;

    if (second != fields_second.second || fields_second.len == 0) {
        (void)gmtime_r(&second, &tm);
        fields_second.len = strftime(fields_second.text, sizeof fields_second.text, "%Y-%m-%dT%H:%M:%S.", &tm);
        fields_second.second = second;
    }
    n = fields_second.len;
    memcpy(text, fields_second.text, n);
    n += sg_digits_fixed(text + n, (uint64_t)wall_ms % 1000, 3);
    text[n++] = 'Z';
    return value_octets(value, text, n);
}

/* ---- the event */

static bool
field_event(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_string(value, sg_event_name(info->event));
}

static bool
field_id(const struct sg_event_info *info, struct sg_field_value *value)
{
    sg_record_id(info->rec, value->room[0]);
    return value_octets(value, value->room[0], 32);
}

static bool
value_cause(struct sg_field_value *value, const struct sg_event_info *info)
{
    return sg_record_cause(info->rec, value->room[0]) && value_string(value, value->room[0]);
}

static bool
field_session(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event != SG_EVENT_FILE_LOADED && value_cause(value, info);
}

static bool
field_reload(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event == SG_EVENT_FILE_LOADED && value_cause(value, info);
}

/* ---- who and where from */

static bool
field_listener(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_named(value, info, info->rec->listener);
}

static bool
field_client(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_addr(value, &info->rec->client);
}

static bool
field_ver(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->rec->ver != 0 && value_number(value, info->rec->ver);
}

static bool
field_userid(const struct sg_event_info *info, struct sg_field_value *value)
{
    return sg_event_of_session(info->event) && value_text(value, info->rec, &info->rec->userid);
}

static bool
field_method(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->rec->instance != 0 && value_hex(value, info->rec->method);
}

static bool
field_instance(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_named(value, info, info->rec->instance);
}

static bool
info_identified(const struct sg_event_info *info)
{
    return info->rec->instance != 0 && info->rec->identified;
}

static bool
field_user(const struct sg_event_info *info, struct sg_field_value *value)
{
    if (info_identified(info) && info->rec->user.len == 0)
        return value_string(value, "");
    /* Of a login that failed: whose it was to be. */
    return info->rec->instance != 0 && value_text(value, info->rec, &info->rec->user);
}

static bool
field_assurance(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info_identified(info) && value_number(value, info->rec->assurance);
}

/* ---- where to */

static bool
field_command(const struct sg_event_info *info, struct sg_field_value *value)
{
    static const char *const commands[] = { NULL, "connect", "bind", "udp_associate" };
    const struct sg_record *rec = info->rec;

    if (!rec->requested)
        return false;
    if (rec->cmd != 0 && rec->cmd < sizeof commands / sizeof commands[0])
        return value_string(value, commands[rec->cmd]);
    return value_hex(value, rec->cmd);
}

static bool
field_host(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->rec->requested && value_text(value, info->rec, &info->rec->name);
}

static bool
field_port(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->rec->requested && value_number(value, info->rec->port);
}

static bool
field_target(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_addr(value, &info->rec->target);
}

static bool
field_bind(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_addr(value, &info->rec->bind);
}

static bool
field_tried(const struct sg_event_info *info, struct sg_field_value *value)
{
    struct sg_addr addr;
    size_t n = 0;

    for (; n < SG_RECORD_TRIED_MAX && sg_record_tried(info->rec, (unsigned)n, &addr); n++)
        value->list[n] = sg_addr_format(&addr, value->room[n], sizeof value->room[n]);
    value->kind = SG_FIELD_IS_LIST;
    value->len = n;
    return n > 0;
}

static bool
field_tried_more(const struct sg_event_info *info, struct sg_field_value *value)
{
    value->kind = SG_FIELD_IS_TRUE;
    return info->rec->n_tried > 0 && info->rec->tried_more;
}

/* ---- by which rule */

static bool
field_rule(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_label(value, info->rec->rule, info->rec->rule_len);
}

static bool
field_rule_at(const struct sg_event_info *info, struct sg_field_value *value)
{
    const char *file = info_name(info, info->rec->rule_file);
    char *text = (char *)value->room;
    size_t n;

    if (info->rec->rule_len == 0 || file == NULL)
        return false;
    n = strnlen(file, 480);
    memcpy(text, file, n);
    text[n++] = ':';
    return value_octets(value, text, n + sg_digits(text + n, info->rec->rule_line));
}

static bool
field_dry_run_rule(const struct sg_event_info *info, struct sg_field_value *value)
{
    return value_label(value, info->rec->dry_run_rule, info->rec->dry_run_rule_len);
}

static bool
field_dry_run(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->rec->dry_run_rule_len != 0 &&
           value_string(value, info->rec->dry_run_verdict == SG_OK ? "allow" : "deny");
}

/* ---- what is no session's state */

static const char *const purpose_names[] = {
#define X(name, text) text,
    SG_PURPOSES(X)
#undef X
};

static bool
field_module(const struct sg_event_info *info, struct sg_field_value *value)
{
    return !sg_event_of_session(info->event) && value_named(value, info, info->rec->module);
}

static bool
field_purpose(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event == SG_EVENT_RELOAD && info->rec->reload.purpose < SG_PURPOSE_COUNT &&
           value_string(value, purpose_names[info->rec->reload.purpose]);
}

static bool
field_result(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event == SG_EVENT_RELOAD && value_string(value, info->rec->reload.failed ? "failed" : "ok");
}

static bool
field_generation(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event == SG_EVENT_RELOAD && value_number(value, info->rec->reload.generation);
}

static bool
info_asked(const struct sg_event_info *info)
{
    return info->event == SG_EVENT_RELOAD && info->rec->reload.by_pid != 0;
}

static bool
field_by_uid(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info_asked(info) && value_number(value, info->rec->reload.by_uid);
}

static bool
field_by_pid(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info_asked(info) && value_number(value, info->rec->reload.by_pid);
}

static bool
field_count(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event == SG_EVENT_RECORDS_LOST && value_number(value, (int64_t)info->rec->count);
}

static bool
field_file(const struct sg_event_info *info, struct sg_field_value *value)
{
    return !sg_event_of_session(info->event) && value_text(value, info->rec, &info->rec->file);
}

static bool
field_sha256(const struct sg_event_info *info, struct sg_field_value *value)
{
    const char *octets = sg_record_get(info->rec, &info->rec->digest);
    char *text = (char *)value->room;

    if (sg_event_of_session(info->event) || octets == NULL || info->rec->digest.len != 32)
        return false;
    for (size_t i = 0; i < 32; i++)
        (void)sg_digits_hex(text + i * 2, (uint8_t)octets[i], 2);
    return value_octets(value, text, 64);
}

/* ---- how it went */

static bool
info_ended(const struct sg_event_info *info)
{
    return sg_event_of_session(info->event) && info->event != SG_EVENT_SESSION_START;
}

/* Who came for a BIND was not known at session_start, whose record may be read later. */
static bool
field_peer(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info_ended(info) && value_addr(value, &info->rec->peer);
}

static bool
field_peers_refused(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info_ended(info) && info->rec->peers_refused > 0 && value_number(value, info->rec->peers_refused);
}

/* The second reply to a BIND may be another than the first. */
static bool
field_rep(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->rec->replied &&
           value_hex(value, info->event == SG_EVENT_SESSION_START ? SG_REP_SUCCEEDED : info->rec->rep);
}

static bool
field_phase(const struct sg_event_info *info, struct sg_field_value *value)
{
    const uint8_t phase = info->rec->phase;

    return info_ended(info) && phase > 0 && phase <= SG_STATES &&
           value_string(value, sg_state_name((enum sg_state)(phase - 1)));
}

/* The end of a session has one in any case, other events may. */
static bool
field_reason(const struct sg_event_info *info, struct sg_field_value *value)
{
    const uint8_t reason = info->rec->reason;

    if (reason < SG_REASON_COUNT && (info_ended(info) || reason != SG_REASON_NONE))
        return info->event != SG_EVENT_SESSION_START && value_string(value, sg_reason_name(reason));
    return info_ended(info) && value_string(value, "unknown");
}

static bool
field_reason_text(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event != SG_EVENT_SESSION_START && value_text(value, info->rec, &info->rec->reason_text);
}

static bool
field_error(const struct sg_event_info *info, struct sg_field_value *value)
{
    const char *name = info->rec->err != 0 ? strerrorname_np(info->rec->err) : NULL;

    return info_ended(info) && info->rec->err != 0 && value_string(value, name != NULL ? name : "unknown");
}

static bool
field_bytes_up(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event == SG_EVENT_SESSION_END && value_number(value, (int64_t)info->rec->bytes_up);
}

static bool
field_bytes_down(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info->event == SG_EVENT_SESSION_END && value_number(value, (int64_t)info->rec->bytes_down);
}

static bool
field_udp_drops(const struct sg_event_info *info, struct sg_field_value *value)
{
    static const char *const words[] = {
#define X(name, text) text,
        SG_UDP_DROPS(X)
#undef X
    };
    const char *octets = sg_record_get(info->rec, &info->rec->udp_drops);
    uint32_t drops[SG_UDP_DROP_COUNT];

    if (info->event != SG_EVENT_SESSION_END || octets == NULL || info->rec->udp_drops.len != sizeof drops)
        return false;
    memcpy(drops, octets, sizeof drops);
    value->kind = SG_FIELD_IS_COUNTS;
    value->len = 0;
    for (size_t i = 0; i < SG_UDP_DROP_COUNT; i++)
        if (drops[i] > 0) {
            value->list[value->len] = words[i];
            value->counts[value->len++] = drops[i];
        }
    return true;
}

static bool
field_duration_ms(const struct sg_event_info *info, struct sg_field_value *value)
{
    return info_ended(info) && value_number(value, info_span(info->rec->accepted_mono_ms, info->rec->ended_mono_ms));
}

/* ---- the table */

static const struct {
    const char *name, *meaning;
    bool (*get)(const struct sg_event_info *info, struct sg_field_value *value);
} fields[] = {
#define X(NAME, name, meaning) { #name, meaning, field_##name },
    SG_FIELDS(X)
#undef X
};

const char *
sg_field_name(enum sg_field field)
{
    return fields[field].name;
}

const char *
sg_field_meaning(enum sg_field field)
{
    return fields[field].meaning;
}

bool
sg_field_get(const struct sg_event_info *info, enum sg_field field, struct sg_field_value *value_out)
{
    return fields[field].get(info, value_out);
}
