/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_old.c - from the layout before to today's.
 */
#include "record_old.h"

#include <string.h>

#define OLD_ARENA (SG_RECORD_SIZE - offsetof(struct sg_record_old, arena))
#define OLD_TRIED_SIZE 19

/* Nothing is believed: the other process may have been anything. */
static void
old_text(const struct sg_record_old *old, const struct sg_record_text *from, struct sg_record *rec,
         struct sg_record_text *to)
{
    if (from->len > 0 && (size_t)from->at + from->len <= OLD_ARENA)
        (void)sg_record_put(rec, to, old->arena + from->at, from->len);
}

static void
old_tried(const struct sg_record_old *old, struct sg_record *rec)
{
    for (unsigned i = 0; i < old->n_tried && i < SG_RECORD_TRIED_MAX; i++) {
        const char *at = old->arena + OLD_ARENA - (size_t)(i + 1) * OLD_TRIED_SIZE;
        struct sg_addr addr = { .family = (uint8_t)at[0] };

        memcpy(&addr.port, at + 1, sizeof addr.port);
        memcpy(addr.ip, at + 3, sizeof addr.ip);
        sg_record_add_tried(rec, &addr);
    }
}

static void
old_numbers(const struct sg_record_old *old, struct sg_record *rec)
{
    rec->use = old->use;
    rec->rule_line = old->rule_line;
    rec->id_high = old->id_high;
    rec->id_low = old->id_low;
    rec->accepted_wall_ms = old->accepted_wall_ms;
    rec->accepted_mono_ms = old->accepted_mono_ms;
    rec->connected_mono_ms = old->connected_mono_ms;
    rec->ended_mono_ms = old->ended_mono_ms;
    rec->bytes_up = old->bytes_up;
    rec->bytes_down = old->bytes_down;
    rec->client = old->client;
    rec->local = old->local;
    rec->target = old->target;
    rec->bind = old->bind;
    rec->err = old->err;
    rec->port = old->port;
    rec->listener = old->listener;
    rec->instance = old->instance;
    rec->rule_file = old->rule_file;
    rec->reason = old->reason;
    rec->rep = old->rep;
    rec->started = old->started;
    rec->identified = old->identified;
    rec->replied = old->replied;
    rec->tried_more = old->tried_more;
    rec->ver = old->ver;
    rec->requested = old->ver != 0; /* it was known with the request, and no sooner */
    rec->method = old->method;
    rec->cmd = old->cmd;
    rec->assurance = old->assurance;
    rec->phase = old->phase;
}

void
sg_record_from_old(const struct sg_record_old *old, struct sg_record *rec)
{
    memset(rec, 0, SG_RECORD_SIZE);
    atomic_store_explicit(&rec->state, atomic_load_explicit(&old->state, memory_order_acquire), memory_order_relaxed);
    old_numbers(old, rec);
    memcpy(rec->rule, old->rule, sizeof rec->rule);
    memcpy(rec->dry_run_rule, old->dry_run_rule, sizeof rec->dry_run_rule);
    rec->rule_len = old->rule_len;
    rec->dry_run_rule_len = old->dry_run_rule_len;
    rec->dry_run_verdict = old->dry_run_verdict;
    old_text(old, &old->user, rec, &rec->user);
    old_text(old, &old->name, rec, &rec->name);
    old_text(old, &old->reason_text, rec, &rec->reason_text);
    old_tried(old, rec);
}
