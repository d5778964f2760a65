/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c - the life of a session: its states, its beginning, its end.
 */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "bind.h"
#include "clock.h"
#include "container.h"
#include "dial.h"
#include "evaluate.h"
#include "filter_core.h"
#include "journal.h"
#include "listener.h"
#include "log.h"
#include "pending.h"
#include "relay.h"
#include "session_io.h"
#include "states.h"
#include "timers.h"
#include "udp.h"

#define REASON_TEXT_MAX 127
#define BIT(state) (1u << SG_STATE_##state)

/* What every state may end in. */
#define ENDS (BIT(CLOSING) | BIT(END))

static const struct {
    const char *name;
    unsigned next;
    bool (*input)(struct sg_session *s); /* NULL: octets of the client wait */
} states[SG_STATES] = {
    [SG_STATE_CLIENT] = { "client", BIT(GREETING) | BIT(END), NULL },
    [SG_STATE_GREETING] = { "greeting", BIT(AUTH) | ENDS, sg_greeting_input },
    [SG_STATE_AUTH] = { "auth", BIT(REQUEST) | ENDS, sg_auth_input },
    [SG_STATE_REQUEST] = { "request", BIT(ACCESS) | ENDS, sg_request_input },
    [SG_STATE_ACCESS] = { "access", BIT(COMMAND) | ENDS, NULL },
    [SG_STATE_COMMAND] = { "command", BIT(RELAY) | BIT(ASSOCIATION) | ENDS, NULL },
    [SG_STATE_RELAY] = { "relay", BIT(END), NULL },
    [SG_STATE_ASSOCIATION] = { "association", BIT(END), NULL },
    [SG_STATE_CLOSING] = { "closing", BIT(END), NULL },
    [SG_STATE_END] = { "end", 0, NULL },
};

static struct {
    struct sg_session *all, *dead, *spare;
    size_t n;
} sessions;

const char *
sg_state_name(enum sg_state state)
{
    return states[state].name;
}

bool
sg_state_may_follow(enum sg_state from, enum sg_state to)
{
    return (states[from].next & (1u << to)) != 0;
}

bool
sg_session_feed(struct sg_session *s)
{
    return states[s->state].input != NULL && states[s->state].input(s);
}

void
sg_session_goto(struct sg_session *s, enum sg_state to)
{
    /* Whoever asks for a request has logged in: whatever else goes wrong, this holds. */
    if (!sg_state_may_follow(s->state, to) || (to == SG_STATE_REQUEST && !s->rec->identified)) {
        sg_logf(SG_LOG_ERR, "session %s: %s cannot follow %s: this is a bug", sg_session_id(s), states[to].name,
                states[s->state].name);
        sg_session_reason(s, SG_REASON_INTERNAL_ERROR, 0);
        if (s->state != SG_STATE_END && to != SG_STATE_END)
            sg_session_end(s, true);
        return;
    }
    s->state = (uint8_t)to;
}

bool
sg_session_reserve(void)
{
    const struct sg_worker_boot *boot = sg_worker_boot();
    const size_t limit = ((size_t)boot->conf->core.limits.sessions + boot->n_workers - 1) / boot->n_workers;

    if (sessions.n >= limit || !sg_journal_room())
        return false;
    if (sessions.spare == NULL)
        sessions.spare = calloc(1, sizeof *sessions.spare);
    return sessions.spare != NULL;
}

static void
session_record(struct sg_session *s)
{
    struct sg_record *rec = s->rec;

    rec->listener = sg_journal_name(s->listener->conf->name);
    rec->accepted_wall_ms = sg_clock_ms(CLOCK_REALTIME);
    rec->accepted_mono_ms = sg_mono_ms();
}

void
sg_session_ask(struct sg_session *s, enum sg_phase phase, void (*done)(struct sg_run *run, enum sg_outcome outcome))
{
    s->run = malloc(sizeof *s->run);
    if (s->run == NULL)
        sg_session_end_soon(s, SG_REASON_SHORTAGE, ENOMEM);
    else
        sg_run_start(s->run, s, phase, false, NULL, done);
}

void
sg_session_asked(struct sg_session *s)
{
    free(s->run);
    s->run = NULL;
}

static void
session_client_done(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_session *s = run->session;

    if (outcome == SG_OUTCOME_REFUSE)
        sg_session_rule(s, &run->decision);
    sg_session_asked(s);
    if (outcome == SG_OUTCOME_GRANT) {
        sg_session_goto(s, SG_STATE_GREETING);
        sg_session_wait(s, true);
        sg_session_kick(s);
        return;
    }
    sg_session_reason(s, outcome == SG_OUTCOME_REFUSE ? SG_REASON_ACCESS_CLIENT : SG_REASON_MODULE_ERROR, 0);
    sg_session_end(s, false);
}

struct sg_session *
sg_session_new(const struct sg_worker_listener *listener, int fd, const struct sg_addr *client,
               const struct sg_addr *local)
{
    struct sg_session *s = sessions.spare;
    struct sg_worker_status *status = sg_worker_boot()->status;

    sessions.spare = NULL;
    s->listener = listener;
    s->fd = fd;
    s->rec = sg_journal_take();
    s->rec->client = *client;
    s->rec->local = *local;
    sg_buf_init(&s->in, SG_SETUP_IN_MAX);
    s->in.secret = true;
    sg_buf_init(&s->out, SG_SETUP_OUT_MAX);
    sg_session_io_init(s);
    session_record(s);
    sg_journal_publish(s->rec, SG_RECORD_OPEN);
    s->next = sessions.all;
    s->prev = &sessions.all;
    if (s->next != NULL)
        s->next->prev = &s->next;
    sessions.all = s;
    sessions.n++;
    atomic_fetch_add_explicit(&status->accepted, 1, memory_order_relaxed);
    atomic_store_explicit(&status->sessions, (uint32_t)sessions.n, memory_order_relaxed);
    if (!sg_evaluate_client(listener, client)) {
        sg_session_reason(s, SG_REASON_CLIENT_RANGE, 0);
        sg_session_end(s, false);
        return s;
    }
    sg_session_ask(s, SG_PHASE_CLIENT, session_client_done);
    return s;
}

void
sg_session_reason(struct sg_session *s, enum sg_reason reason, int err)
{
    if (s->rec->reason != SG_REASON_NONE)
        return;
    s->rec->reason = (uint8_t)reason;
    s->rec->err = err;
}

void
sg_session_reason_text(struct sg_session *s, const char *text)
{
    if (text != NULL)
        (void)sg_record_put(s->rec, &s->rec->reason_text, text, strnlen(text, REASON_TEXT_MAX));
}

static void
session_lower(uint32_t *rate, uint32_t to)
{
    if (to != 0 && (*rate == 0 || to < *rate))
        *rate = to;
}

void
sg_session_limit(struct sg_session *s, const struct sg_decision *decision)
{
    if (s->admitted == NULL)
        return;
    session_lower(&s->admitted->rate_up, decision->rate_up);
    session_lower(&s->admitted->rate_down, decision->rate_down);
}

int
sg_session_admit(struct sg_session *s)
{
    s->admitted = malloc(sizeof *s->admitted);
    if (s->admitted == NULL)
        return -1;
    *s->admitted =
        (struct sg_admitted){ .identity = { .size = sizeof s->admitted->identity, .name = "", .instance = "" } };
    return 0;
}

void
sg_session_rule(struct sg_session *s, const struct sg_decision *decision)
{
    sg_record_set_rule(s->rec, decision->label);
    s->rec->rule_file = sg_journal_name(decision->file);
    s->rec->rule_line = decision->line;
    sg_session_reason_text(s, decision->reason);
    sg_session_limit(s, decision);
}

void
sg_session_dry_run(struct sg_session *s, const struct sg_run *run)
{
    if (run->dry_run_label == NULL)
        return;
    sg_record_set_dry_run(s->rec, run->dry_run_label, (uint8_t)run->dry_run_verdict);
}

static void
session_write_end(struct sg_session *s)
{
    struct sg_record *rec = s->rec;

    if (rec->reason == SG_REASON_NONE)
        rec->reason = SG_REASON_CLOSED;
    if (rec->phase == 0)
        rec->phase = (uint8_t)(s->state + 1);
    rec->ended_mono_ms = sg_mono_ms();
    sg_journal_publish(rec, SG_RECORD_ENDED);
    s->rec = sg_journal_nowhere(); /* the other one may be somebody's in a moment */
}

static void
session_blank_step(struct sg_defer *defer)
{
    (void)defer; /* nothing to go on with */
}

struct sg_session *
sg_session_blank(const struct sg_worker_listener *listener, const struct sg_addr *client)
{
    struct sg_session *s = calloc(1, sizeof *s + SG_RECORD_SIZE);

    if (s == NULL)
        return NULL;
    s->listener = listener;
    s->fd = -1;
    s->step.run = session_blank_step;
    s->rec = (struct sg_record *)(s + 1);
    s->rec->client = *client;
    s->rec->local = listener->conf->address;
    return s;
}

static void
session_close(int *fd, ev_io *io, bool abort)
{
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    if (*fd == -1)
        return;
    ev_io_stop(sg_worker_loop(), io);
    if (abort)
        (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(*fd);
    *fd = -1;
}

static void
session_modules_end(struct sg_session *s)
{
    const struct sg_instances *all = sg_worker_boot()->instances;

    if (s->slots == NULL)
        return;
    for (size_t i = 0; i < all->n; i++) {
        uint32_t before;

        if (s->slots[i] == NULL)
            continue;
        if (all->v[i].mod->session_end != NULL) {
            before = sg_worker_enter(&all->v[i]);
            all->v[i].mod->session_end(&all->v[i], s);
            sg_worker_leave(before);
        }
        free(s->slots[i]);
    }
    free(s->slots);
    s->slots = NULL;
}

void
sg_session_blank_end(struct sg_session *s)
{
    sg_pending_cancel_all(s);
    sg_timers_end(s);
    session_modules_end(s);
    sg_worker_undefer(&s->step);
    free(s->admitted);
    free(s->request);
    free(s->id);
    free(s);
}

void
sg_session_end(struct sg_session *s, bool abort)
{
    if (s->state == SG_STATE_END)
        return;
    sg_login_cancel(s);
    /* Modules that are told of the end may ask for the id, which goes with the record. */
    if (s->slots != NULL || s->pendings != NULL)
        (void)sg_session_id(s);
    sg_udp_stop(s->udp); /* it has something to say in the record */
    session_write_end(s);
    sg_session_goto(s, SG_STATE_END);
    sg_dial_stop(s->dial);
    sg_bind_stop(s->bind);
    sg_pending_cancel_all(s);
    s->asking = false;
    sg_timers_end(s);
    session_modules_end(s);
    sg_worker_undefer(&s->step);
    sg_deadline_disarm(&s->phase);
    sg_deadline_disarm(&s->setup);
    session_close(&s->fd, &s->io, abort);
    if (s->conn != NULL) {
        sg_deadline_disarm(&s->conn->settle);
        session_close(&s->conn->fd, &s->conn->io, abort);
    }
    *s->prev = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    s->next = sessions.dead;
    sessions.dead = s;
    sessions.n--;
    atomic_store_explicit(&sg_worker_boot()->status->sessions, (uint32_t)sessions.n, memory_order_relaxed);
    sg_listeners_room();
}

void
sg_session_end_soon(struct sg_session *s, enum sg_reason reason, int err)
{
    sg_session_reason(s, reason, err);
    s->ending = true;
    sg_session_kick(s);
}

void
sg_session_end_all(enum sg_reason reason)
{
    while (sessions.all != NULL) {
        sg_session_reason(sessions.all, reason, 0);
        sg_session_end(sessions.all, sessions.all->relay != NULL);
    }
}

size_t
sg_session_count(void)
{
    return sessions.n;
}

void
sg_session_reap(void)
{
    while (sessions.dead != NULL) {
        struct sg_session *s = sessions.dead;

        sessions.dead = s->next;
        sg_relay_free(s->relay);
        sg_udp_free(s->udp);
        sg_dial_free(s->dial);
        free(s->bind);
        sg_filter_free(s);
        sg_answer_free(s->answer);
        free(s->answer);
        free(s->admitted);
        free(s->run);
        free(s->request);
        free(s->conn);
        sg_buf_free(&s->in);
        sg_buf_free(&s->out);
        free(s->id);
        free(s);
    }
}
