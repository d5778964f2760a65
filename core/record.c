/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - what is put into the record of a session, and how it is read back.
 */
#include "record.h"

#include <string.h>

#include "clock.h"
#include "digits.h"

/* Nobody looks whether these fit: the longest user and host, beside the words of a module or the longest USERID. */
_Static_assert(SG_RECORD_ARENA >= 255 + 253 + 127, "the arena is too small");

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
    (void)sg_digits_hex(text, high, 16);
    (void)sg_digits_hex(text + 16, low, 16);
    text[32] = '\0';
}

void
sg_record_id(const struct sg_record *rec, char text[33])
{
    record_id_text(rec->id_high, rec->id_low, text);
}

bool
sg_record_cause(const struct sg_record *rec, char text[33])
{
    const char *octets = sg_record_get(rec, &rec->cause);
    uint64_t id[2];

    if (octets == NULL || rec->cause.len != sizeof id)
        return false;
    memcpy(id, octets, sizeof id);
    record_id_text(id[0], id[1], text);
    return true;
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
