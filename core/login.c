/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.c - the chain of checks.
 */
#include "login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "job.h"
#include "journal.h"
#include "login_cache.h"
#include "login_throttle.h"
#include "pool.h"
#include "session.h"
#include "units.h"
#include "wipe.h"

#define LOGIN_LIFETIME_MS 60000 /* of what is remembered, if `cache` is "auto" */
#define LOGIN_SWEEP 5.

static struct {
    const struct sg_worker_boot *boot;
    struct sg_login_cache *cache; /* NULL: nothing is remembered */
    ev_timer sweep;
} logins;

struct sg_login {
    sg_login_done *done;
    struct sg_job *job;
    size_t next; /* in the hook table */
    struct sg_try try;
    struct sg_login_key key;
    uint64_t changes;        /* of users, before anybody was asked */
    int64_t lifetime;        /* milliseconds: how long a success may be remembered */
    ev_timer hold;           /* before anybody is asked, or of a refusal that is held back; */
    enum sg_outcome outcome; /* these two with it */
    enum sg_reason reason;
    uint16_t delay_ms; /* the longest that those asked so far want it held back */
    enum sg_creds_kind kind;
    size_t name_len, secret_len;
    char octets[]; /* name, then secret */
};

/* ---- around */

static void
login_sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)revents;
    sg_login_cache_sweep(logins.cache, sg_mono_ms());
    if (sg_login_cache_count(logins.cache) == 0)
        ev_timer_stop(loop, timer);
}

int
sg_logins_open(const struct sg_worker_boot *boot)
{
    const struct sg_logins_conf *conf = &boot->conf->core.logins;

    logins.boot = boot;
    ev_timer_init(&logins.sweep, login_sweep, LOGIN_SWEEP, LOGIN_SWEEP);
    if (conf->cache_entries == 0)
        return 0;
    logins.cache = sg_login_cache_new((size_t)conf->cache_entries, (size_t)conf->cache_size);
    return logins.cache != NULL ? 0 : -1;
}

void
sg_logins_close(void)
{
    ev_timer_stop(sg_worker_loop(), &logins.sweep);
    sg_login_cache_free(logins.cache);
    logins.cache = NULL;
}

/* ---- one login */

/* Whose login it was. For one that succeeds the identity says it, which may have another name. A USERID is noted as such. */
static void
login_note(struct sg_session *s)
{
    if (s->login->kind == SG_CREDS_PASSWORD)
        (void)sg_record_put(s->rec, &s->rec->user, s->login->octets, s->login->name_len);
}

static void
login_free(struct sg_session *s)
{
    struct sg_login *login = s->login;

    s->login = NULL;
    ev_timer_stop(sg_worker_loop(), &login->hold);
    sg_job_withdraw(login->job);
    sg_brake_waited(&login->try);
    sg_wipe(login, sizeof *login + login->name_len + login->secret_len);
    free(login);
}

void
sg_login_cancel(struct sg_session *s)
{
    if (s->login == NULL)
        return;
    login_note(s);
    login_free(s);
}

bool
sg_login_runs(const struct sg_session *s)
{
    return s->login != NULL;
}

static void
login_over(struct sg_session *s, enum sg_outcome outcome, enum sg_reason reason)
{
    sg_login_done *done = s->login->done;

    login_free(s);
    done(s, outcome, reason);
}

static void
login_held(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct sg_session *s = timer->data;

    (void)loop, (void)revents;
    login_over(s, s->login->outcome, s->login->reason);
}

/* Nobody waits for it but the client; what it has shown is not kept that long. */
static void
login_hold(struct sg_session *s, enum sg_outcome outcome, enum sg_reason reason)
{
    struct sg_login *login = s->login;

    login->outcome = outcome;
    login->reason = reason;
    sg_wipe(login->octets + login->name_len, login->secret_len);
    ev_timer_init(&login->hold, login_held, (ev_tstamp)s->answer->delay_ms / 1000, 0.);
    login->hold.data = s;
    ev_timer_start(sg_worker_loop(), &login->hold);
}

/* What the brake learns. That a back end could not say is nobody's fault. */
static void
login_counted(struct sg_session *s, enum sg_outcome outcome, enum sg_reason reason)
{
    enum sg_try_end end = SG_TRY_UNKNOWN;

    if (outcome == SG_OUTCOME_GRANT)
        end = SG_TRY_RIGHT;
    else if (reason == SG_REASON_LOGIN_DENIED)
        end = SG_TRY_WRONG;
    sg_brake_end(logins.boot->brake, &logins.boot->conf->core.logins, sg_mono_ms(), &s->login->try, end);
}

/* What an instance has said may be remembered for so long. */
static int64_t
login_lifetime(const struct sg_instance *inst)
{
    if (inst->conf->cache != SG_CACHE_AUTO)
        return inst->conf->cache;
    return inst->mod->auth->in_worker ? 0 : LOGIN_LIFETIME_MS;
}

static void
login_remember(const struct sg_session *s)
{
    const struct sg_login *login = s->login;
    const struct sg_login_grant grant = { s->auth, login->changes, sg_mono_ms() + login->lifetime };

    if (logins.cache == NULL || login->kind != SG_CREDS_PASSWORD || login->lifetime == 0)
        return;
    sg_login_cache_put(logins.cache, &login->key, &grant, s->answer);
    if (!ev_is_active(&logins.sweep))
        ev_timer_again(sg_worker_loop(), &logins.sweep);
}

/* The one place where a login ends with an answer. */
static void
login_end(struct sg_session *s, enum sg_outcome outcome, enum sg_reason reason)
{
    if (outcome == SG_OUTCOME_GRANT && s->answer->failed) {
        sg_module_error(s->auth, s, "its answer did not fit: the login fails");
        outcome = SG_OUTCOME_ERROR;
        reason = SG_REASON_MODULE_ERROR;
    }
    login_counted(s, outcome, reason);
    if (outcome == SG_OUTCOME_GRANT) {
        login_remember(s);
    } else {
        login_note(s);
        sg_answer_delay(s->answer, s->login->delay_ms);
    }
    if (outcome != SG_OUTCOME_GRANT && s->answer->delay_ms > 0)
        login_hold(s, outcome, reason);
    else
        login_over(s, outcome, reason);
}

/* ---- one instance */

static struct sg_creds
login_creds(const struct sg_session *s)
{
    const struct sg_login *login = s->login;

    return (struct sg_creds){ .size = sizeof(struct sg_creds),
                              .kind = login->kind,
                              .name = login->octets,
                              .name_len = login->name_len,
                              .secret = login->octets + login->name_len,
                              .secret_len = login->secret_len,
                              .client = s->rec->client,
                              .local = s->rec->local,
                              .listener = s->listener->conf->name };
}

static enum sg_verdict
login_check(struct sg_session *s)
{
    const struct sg_creds creds = login_creds(s);
    const uint32_t before = sg_worker_enter(s->auth);
    const enum sg_verdict verdict = s->auth->mod->auth->check(s->auth, &creds, s->answer);

    sg_worker_leave(before);
    return verdict;
}

/* False: the next is to be asked. */
static bool
login_settled(struct sg_session *s, enum sg_verdict verdict)
{
    switch (sg_verdict_judge(s->auth, s, SG_PHASE_AUTH_CHECK, verdict)) {
    case SG_OUTCOME_NEXT: return false;
    case SG_OUTCOME_GRANT: login_end(s, SG_OUTCOME_GRANT, SG_REASON_NONE); break;
    case SG_OUTCOME_REFUSE: login_end(s, SG_OUTCOME_REFUSE, SG_REASON_LOGIN_DENIED); break;
    default: login_end(s, SG_OUTCOME_ERROR, SG_REASON_MODULE_ERROR); break;
    }
    return true;
}

/* Nothing was found out: neither yes nor no, and nobody else is asked instead. */
static void
login_unavailable(struct sg_session *s, enum sg_job_end end)
{
    char span[32], text[96];

    switch (end) {
    case SG_JOB_LATE:
        (void)snprintf(text, sizeof text, "no answer in %s",
                       sg_format_duration(s->auth->conf->helper.timeout, span, sizeof span));
        break;
    case SG_JOB_LOST: (void)snprintf(text, sizeof text, "the helper died"); break;
    default: (void)snprintf(text, sizeof text, "the helper gave an answer that breaks the rules"); break;
    }
    sg_answer_reason(s->answer, text);
    login_end(s, SG_OUTCOME_ERROR, SG_REASON_LOGIN_UNAVAILABLE);
}

static void login_walk(struct sg_session *s);

static void
login_answered(void *owner, enum sg_job_end end, enum sg_verdict verdict, struct sg_answer *answer)
{
    struct sg_session *s = owner;

    s->login->job = NULL;
    if (end != SG_JOB_ANSWERED) {
        login_unavailable(s, end);
        return;
    }
    *s->answer = *answer;
    *answer = (struct sg_answer){ 0 };
    if (!login_settled(s, verdict))
        login_walk(s);
}

/* A helper checks. The session goes on in login_answered(), or has failed. */
static void
login_submit(struct sg_session *s)
{
    const struct sg_job_order order = { .creds = login_creds(s) };

    s->login->job = sg_job_submit(s->auth, &order, login_answered, s);
    if (s->login->job != NULL)
        return;
    if (errno == EBUSY) {
        login_end(s, SG_OUTCOME_ERROR, SG_REASON_BUSY);
    } else {
        sg_answer_reason(s->answer, strerrordesc_np(errno));
        login_end(s, SG_OUTCOME_ERROR, SG_REASON_SHORTAGE);
    }
}

/* ---- the list */

/* An empty password is asked about only where the operator says that there are such. */
static bool
login_concerns(const struct sg_session *s, const struct sg_instance *inst)
{
    const struct sg_module_conf *conf = inst->conf;

    return inst->mod->auth->method == s->rec->method && inst->mod->auth->check != NULL && !inst->mod->auth->stub &&
           (conf->clients.n == 0 || sg_ranges_contain(&conf->clients, &s->rec->client)) &&
           (s->login->kind != SG_CREDS_PASSWORD || s->login->secret_len > 0 || conf->empty_password);
}

static void
login_walk(struct sg_session *s)
{
    const struct sg_hooks *hooks = s->listener->hooks;

    while (s->login->next < hooks->n_auth) {
        struct sg_instance *inst = hooks->auth[s->login->next++];

        if (!login_concerns(s, inst))
            continue;
        s->auth = inst;
        s->rec->instance = sg_journal_name(inst->name);
        /* Else the time of the refusal would tell whom the first instance knows. */
        if (s->answer->delay_ms > s->login->delay_ms)
            s->login->delay_ms = s->answer->delay_ms;
        if (login_lifetime(inst) < s->login->lifetime)
            s->login->lifetime = login_lifetime(inst);
        sg_answer_free(s->answer);
        sg_answer_init(s->answer, inst->mod->auth->assurance);
        if (!inst->mod->auth->in_worker) {
            login_submit(s);
            return;
        }
        if (login_settled(s, login_check(s)))
            return;
    }
    login_end(s, SG_OUTCOME_REFUSE, SG_REASON_LOGIN_DENIED);
}

/* ---- before anybody is asked */

static bool
login_known(struct sg_session *s)
{
    struct sg_login *login = s->login;
    const struct sg_creds creds = login_creds(s);
    struct sg_answer answer = { 0 };
    struct sg_instance *inst;

    if (logins.cache == NULL || login->kind != SG_CREDS_PASSWORD)
        return false;
    sg_login_cache_key(logins.cache, &creds, s->rec->method, &login->key);
    if (!sg_login_cache_find(logins.cache, &login->key, login->changes, sg_mono_ms(), &answer, &inst))
        return false;
    sg_answer_free(s->answer);
    *s->answer = answer;
    s->auth = inst;
    s->rec->instance = sg_journal_name(inst->name);
    login_over(s, SG_OUTCOME_GRANT, SG_REASON_NONE);
    return true;
}

static void
login_throttled(struct sg_session *s)
{
    sg_answer_reason(s->answer, "too many logins from this address have failed, or wait");
    login_end(s, SG_OUTCOME_REFUSE, SG_REASON_THROTTLED);
}

static void
login_waited(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct sg_session *s = timer->data;

    (void)loop, (void)revents;
    sg_brake_waited(&s->login->try);
    login_walk(s);
}

/*
 * What is remembered is asked for only while there are tries left: otherwise a stranger at the address of somebody who has
 * just logged in could guess without end, by who gets an answer at once.
 */
static void
login_admit(struct sg_session *s)
{
    const struct sg_logins_conf *conf = &logins.boot->conf->core.logins;
    struct sg_brake *brake = logins.boot->brake;
    struct sg_login *login = s->login;
    const struct sg_creds creds = login_creds(s);
    const int64_t now_ms = sg_mono_ms();
    int64_t wait;

    login->changes = sg_pools_changes(logins.boot->pools);
    if (!sg_brake_look(brake, conf, &creds, now_ms, &login->try)) {
        login_throttled(s);
        return;
    }
    if (login_known(s))
        return;
    wait = sg_brake_begin(brake, conf, now_ms, &login->try);
    if (wait == -1) {
        login_throttled(s);
    } else if (wait == 0) {
        login_walk(s);
    } else {
        ev_timer_init(&login->hold, login_waited, (ev_tstamp)wait / 1000, 0.);
        login->hold.data = s;
        ev_timer_start(sg_worker_loop(), &login->hold);
    }
}

int
sg_login_start(struct sg_session *s, const struct sg_login_creds *creds, sg_login_done *done)
{
    struct sg_login *login = malloc(sizeof *login + creds->name_len + creds->secret_len + 1);

    if (login == NULL)
        return -1;
    *login = (struct sg_login){ .done = done,
                                .kind = creds->kind,
                                .name_len = creds->name_len,
                                .secret_len = creds->secret_len,
                                .lifetime = INT64_MAX };
    if (creds->name_len > 0)
        memcpy(login->octets, creds->name, creds->name_len);
    if (creds->secret_len > 0)
        memcpy(login->octets + login->name_len, creds->secret, creds->secret_len);
    s->login = login;
    login_admit(s);
    return 0;
}
