/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st_auth.c - the login: a chain of checks, or a METHOD's own exchange.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "filter_core.h"
#include "pending.h"
#include "states.h"

static void
auth_ended(struct sg_session *s, enum sg_reason reason)
{
    sg_session_reason(s, reason, 0);
    sg_session_reason_text(s, s->answer->reason);
    sg_event_login(s, false, s->answer->reason);
    if (sg_session_protocol(s)->at_once)
        sg_session_fail(s, reason, 0, SG_REP_NOT_ALLOWED);
    else
        sg_session_finish(s, reason, 0);
}

/* Who has no name and no group needs no strings, for as long as the session lasts. */
static void
auth_forget(struct sg_session *s)
{
    if (s->answer->name != NULL || s->answer->groups != NULL)
        return;
    sg_answer_free(s->answer);
    free(s->answer);
    s->answer = NULL;
}

/* The answer becomes the identity, for good. */
static void
auth_granted(struct sg_session *s)
{
    struct sg_record *rec = s->rec;

    if (s->answer->failed) {
        sg_module_error(s->auth, s, "its answer did not fit: the login fails");
        auth_ended(s, SG_REASON_MODULE_ERROR);
        return;
    }
    s->identity.name = s->answer->name != NULL ? s->answer->name : "";
    s->identity.name_len = s->answer->name_len;
    s->identity.method = s->auth->mod->auth->method;
    s->identity.assurance = s->answer->assurance;
    s->identity.n_groups = s->answer->n_groups;
    s->identity.groups = (const char *const *)s->answer->groups;
    s->identity.instance = s->auth->name;
    (void)sg_record_put(rec, &rec->user, s->identity.name, s->identity.name_len);
    rec->assurance = s->identity.assurance;
    rec->identified = true;
    if (s->identity.name_len > 0)
        sg_event_login(s, true, s->answer->reason);
    auth_forget(s);
    sg_buf_bound(&s->in, SG_SETUP_IN_MAX);
    if (s->filter != NULL) {
        s->encapsulated = true;
        sg_buf_bound(&s->in, sg_filter_frame_max(s));
        sg_buf_init(&s->filter->plain, s->filter->ops->max_plain + SG_SETUP_IN_MAX);
    }
    sg_session_goto(s, SG_STATE_REQUEST);
    sg_session_wait(s, true);
}

/* True: go on at once. */
static bool
auth_outcome(struct sg_session *s, enum sg_phase phase, enum sg_verdict verdict)
{
    switch (sg_verdict_judge(s->auth, s, phase, verdict)) {
    case SG_OUTCOME_GRANT: auth_granted(s); return true;
    case SG_OUTCOME_NEXT: return true;
    case SG_OUTCOME_MORE: sg_session_wait(s, true); return false;
    case SG_OUTCOME_WAIT: sg_session_wait(s, false); return false;
    case SG_OUTCOME_REFUSE: auth_ended(s, SG_REASON_LOGIN_DENIED); return false;
    default: auth_ended(s, SG_REASON_MODULE_ERROR); return false;
    }
}

static enum sg_verdict
auth_check(struct sg_session *s)
{
    const char *userid = sg_record_get(s->rec, &s->rec->userid);
    struct sg_creds creds = { .size = sizeof creds,
                              .kind = sg_session_protocol(s)->at_once ? SG_CREDS_USERID : SG_CREDS_NONE,
                              .name = userid != NULL ? userid : "",
                              .name_len = s->rec->userid.len,
                              .secret = "",
                              .client = s->rec->client,
                              .local = s->rec->local,
                              .listener = s->listener->conf->name };
    enum sg_verdict verdict;
    uint32_t before;

    sg_answer_free(s->answer);
    sg_answer_init(s->answer, s->auth->mod->auth->assurance);
    before = sg_worker_enter(s->auth);
    verdict = s->auth->mod->auth->check(s->auth, &creds, s->answer);
    sg_worker_leave(before);
    return verdict;
}

/* The instances that share the METHOD, in order, from the chosen one on, until one does not decline. */
static bool
auth_chain(struct sg_session *s)
{
    const struct sg_hooks *hooks = s->listener->hooks;
    const uint8_t method = s->auth->mod->auth->method;
    bool chosen = false;

    for (size_t i = 0; i < hooks->n_auth; i++) {
        struct sg_instance *inst = hooks->auth[i];
        const struct sg_ranges *clients = &inst->conf->clients;

        chosen = chosen || inst == s->auth;
        if (!chosen || inst->mod->auth->method != method ||
            (clients->n > 0 && !sg_ranges_contain(clients, &s->rec->client)))
            continue;
        s->auth = inst;
        s->rec->instance = sg_journal_name(inst->name);
        if (!auth_outcome(s, SG_PHASE_AUTH_CHECK, auth_check(s)))
            return false;
        if (s->state != SG_STATE_AUTH)
            return true;
    }
    auth_ended(s, SG_REASON_LOGIN_DENIED);
    return false;
}

static void
auth_resume(struct sg_pending *pending, enum sg_verdict verdict, void *owner)
{
    struct sg_session *s = owner;

    (void)pending;
    s->asking = false;
    s->unconsumed = 0; /* whatever waits has to be offered again */
    (void)auth_outcome(s, SG_PHASE_AUTH_EXCHANGE, verdict);
    sg_session_kick(s);
}

static bool
auth_exchange(struct sg_session *s)
{
    const struct sg_auth_ops *auth = s->auth->mod->auth;
    const size_t waits = sg_buf_len(&s->in);
    enum sg_verdict verdict;
    uint32_t before;

    if (s->asking || (s->asked && waits <= s->unconsumed))
        return false;
    if (!s->asked) {
        s->asked = true;
        sg_buf_bound(&s->in, auth->max_message > SG_SETUP_IN_MAX ? auth->max_message : SG_SETUP_IN_MAX);
        sg_answer_init(s->answer, auth->assurance);
    }
    before = sg_worker_enter(s->auth);
    sg_pending_window_open(s->auth, s);
    verdict = auth->exchange(s->auth, s, &s->in, &s->out, s->answer);
    s->asking = sg_pending_window_close(&verdict, auth_resume, s) != NULL;
    sg_worker_leave(before);
    s->unconsumed = (uint32_t)sg_buf_len(&s->in);
    if (verdict == SG_UNDECIDED && sg_buf_room(&s->in) == 0 && s->unconsumed == waits) {
        sg_session_reason_text(s, "a message of the login is too long");
        sg_session_finish(s, SG_REASON_PROTOCOL_ERROR, 0);
        return false;
    }
    if (verdict == SG_UNDECIDED && s->unconsumed > 0 && s->unconsumed < waits) {
        s->unconsumed = 0; /* one message was taken; what is behind it may be another */
        return true;
    }
    return auth_outcome(s, SG_PHASE_AUTH_EXCHANGE, verdict);
}

bool
sg_auth_input(struct sg_session *s)
{
    if (s->answer == NULL)
        s->answer = calloc(1, sizeof *s->answer);
    if (s->answer == NULL) {
        sg_session_finish(s, SG_REASON_SHORTAGE, ENOMEM);
        return false;
    }
    return s->auth->mod->auth->check != NULL ? auth_chain(s) : auth_exchange(s);
}
