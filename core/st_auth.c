/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st_auth.c - the login: a check (RFC 1929 for METHOD 02, nothing to read for 00), or a METHOD's own exchange.
 */
#include <errno.h>
#include <stdlib.h>

#include "events.h"
#include "filter_core.h"
#include "pending.h"
#include "socks4.h"
#include "states.h"
#include "userpass.h"

/* SOCKS4 has words for what ident has found out. */
static void
auth_reply4(struct sg_session *s)
{
    const enum sg_cd cd = s->answer->cd != 0 ? (enum sg_cd)s->answer->cd : SG_CD_REJECTED;
    uint8_t reply[SG_SOCKS4_REPLY];

    s->rec->rep = SG_REP_NOT_ALLOWED;
    s->rec->replied = sg_session_send(s, reply, sg_socks4_put_reply(reply, cd, NULL)) == 0;
}

static void
auth_ended(struct sg_session *s, enum sg_reason reason)
{
    sg_session_reason(s, reason, 0);
    sg_session_reason_text(s, s->answer->reason);
    sg_event_login(s, false, s->answer->reason);
    if (sg_session_protocol(s)->at_once)
        auth_reply4(s);
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
    struct sg_identity *identity = &s->admitted->identity;

    if (s->answer->name != NULL)
        identity->name = s->answer->name;
    identity->name_len = s->answer->name_len;
    identity->method = s->auth->mod->auth->method;
    identity->assurance = s->answer->assurance;
    identity->n_groups = s->answer->n_groups;
    identity->groups = (const char *const *)s->answer->groups;
    identity->instance = s->auth->name;
    (void)sg_record_put(rec, &rec->user, identity->name, identity->name_len);
    rec->assurance = identity->assurance;
    rec->identified = true;
    if (identity->name_len > 0)
        sg_event_login(s, true, s->answer->reason);
    auth_forget(s);
    sg_buf_bound(&s->in, SG_SETUP_IN_MAX);
    if (s->filter != NULL) {
        s->encapsulated = true;
        s->in.secret = false;
        sg_buf_bound(&s->in, sg_filter_frame_max(s));
        sg_buf_init(&s->filter->plain, s->filter->ops->max_plain + SG_SETUP_IN_MAX);
    }
    sg_session_goto(s, SG_STATE_REQUEST);
    sg_session_wait(s, true);
}

/* ---- a check */

/* METHOD 02 tells the client how its login went, and nothing about why. */
static void
auth_checked(struct sg_session *s, enum sg_outcome outcome, enum sg_reason reason)
{
    const bool granted = outcome == SG_OUTCOME_GRANT;
    uint8_t status[SG_USERPASS_STATUS_LEN];

    sg_userpass_put_status(status, granted ? SG_USERPASS_SUCCESS : SG_USERPASS_FAILURE);
    if (s->rec->method == SG_METHOD_USERPASS && sg_session_send(s, status, sizeof status) == -1) {
        sg_session_reason(s, SG_REASON_SHORTAGE, ENOMEM);
        sg_session_end(s, false);
        return;
    }
    if (granted)
        auth_granted(s);
    else
        auth_ended(s, reason);
    sg_session_kick(s);
}

/* True: go on at once. */
static bool
auth_ask(struct sg_session *s, const struct sg_login_creds *creds)
{
    sg_session_wait(s, false);
    if (sg_login_start(s, creds, auth_checked) == -1)
        auth_checked(s, SG_OUTCOME_ERROR, SG_REASON_SHORTAGE);
    return s->state == SG_STATE_REQUEST;
}

/* No back end gets to see it. */
static void
auth_malformed(struct sg_session *s, const struct sg_userpass *login)
{
    static const char *const words[] = { [SG_USERPASS_WRONG_VER] = "VER of the login is not 01",
                                         [SG_USERPASS_WRONG_ULEN] = "UNAME is empty",
                                         [SG_USERPASS_WRONG_NUL] = "a NUL in UNAME or PASSWD" };

    sg_session_wait(s, false);
    (void)sg_record_put(s->rec, &s->rec->user, login->uname, login->ulen);
    sg_answer_reason(s->answer, words[login->wrong]);
    auth_checked(s, SG_OUTCOME_ERROR,
                 login->wrong == SG_USERPASS_WRONG_VER ? SG_REASON_PROTOCOL_ERROR : SG_REASON_LOGIN_DENIED);
}

static bool
auth_userpass(struct sg_session *s)
{
    struct sg_userpass login;
    size_t len;
    const uint8_t *octets = sg_buf_data(&s->in, &len);
    const ssize_t n = sg_userpass_parse(octets, len, &login);
    bool on;

    if (n == 0)
        return false;
    if (n == -1) {
        auth_malformed(s, &login);
        return false;
    }
    on = auth_ask(s, &(struct sg_login_creds){ .kind = SG_CREDS_PASSWORD,
                                               .name = login.uname,
                                               .name_len = login.ulen,
                                               .secret = login.passwd,
                                               .secret_len = login.plen });
    sg_buf_consume(&s->in, (size_t)n);
    return on;
}

static bool
auth_check(struct sg_session *s)
{
    if (sg_login_runs(s))
        return false;
    if (s->rec->method == SG_METHOD_USERPASS)
        return auth_userpass(s);
    if (sg_session_protocol(s)->at_once)
        return auth_ask(s, &(struct sg_login_creds){ .kind = SG_CREDS_USERID,
                                                     .name = sg_record_get(s->rec, &s->rec->userid),
                                                     .name_len = s->rec->userid.len });
    return auth_ask(s, &(struct sg_login_creds){ .kind = SG_CREDS_NONE });
}

/* ---- an exchange */

/* True: go on at once. */
static bool
auth_outcome(struct sg_session *s, enum sg_verdict verdict)
{
    switch (sg_verdict_judge(s->auth, s, SG_PHASE_AUTH_EXCHANGE, verdict)) {
    case SG_OUTCOME_GRANT:
        if (!s->answer->failed) {
            auth_granted(s);
            return true;
        }
        sg_module_error(s->auth, s, "its answer did not fit: the login fails");
        break;
    case SG_OUTCOME_MORE: sg_session_wait(s, true); return false;
    case SG_OUTCOME_WAIT: sg_session_wait(s, false); return false;
    case SG_OUTCOME_REFUSE: auth_ended(s, SG_REASON_LOGIN_DENIED); return false;
    default: break;
    }
    auth_ended(s, SG_REASON_MODULE_ERROR);
    return false;
}

static void
auth_resume(struct sg_pending *pending, enum sg_verdict verdict, void *owner)
{
    struct sg_session *s = owner;

    (void)pending;
    s->asking = false;
    s->unconsumed = 0; /* whatever waits has to be offered again */
    (void)auth_outcome(s, verdict);
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
    return auth_outcome(s, verdict);
}

bool
sg_auth_input(struct sg_session *s)
{
    if (s->answer == NULL)
        s->answer = calloc(1, sizeof *s->answer);
    if (s->answer == NULL || (s->admitted == NULL && sg_session_admit(s) == -1)) {
        sg_session_finish(s, SG_REASON_SHORTAGE, ENOMEM);
        return false;
    }
    return s->auth->mod->auth->check != NULL ? auth_check(s) : auth_exchange(s);
}
