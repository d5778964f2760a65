/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_run.c - the walk through a list of access modules, and the handles of those that answer later.
 *
 * A list is written as a string, one letter a module: O ok, D declined, U undecided, N deny, E error, X no verdict at
 * all, - no function for this phase. In lower case the module makes a handle and the test resolves it with that verdict;
 * A says AGAIN and has no handle, d makes a handle and says DECLINED all the same.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "pending.h"
#include "session.h"
#include "tables.h"
#include "worker.h"

#define MODULES_MAX 80

struct fake {
    struct sg_instance inst;
    struct sg_module mod;
    struct sg_access_ops ops;
    char answer;
    unsigned asked, cancelled;
    struct sg_pending *pending;
};

static struct fake fakes[MODULES_MAX];
static struct sg_instance *list[MODULES_MAX];
static struct sg_hooks hooks;
static struct sg_worker_listener listener;
static struct sg_request request;
static struct sg_session session;
static struct sg_record *record;
static struct sg_run run;
static unsigned ended;
static enum sg_outcome outcome;
static int log_fd;

static enum sg_verdict
verdict_of(char letter)
{
    switch (toupper((unsigned char)letter)) {
    case 'O': return SG_OK;
    case 'D': return SG_DECLINED;
    case 'U': return SG_UNDECIDED;
    case 'N': return SG_DENY;
    case 'E': return SG_ERROR;
    case 'A': return SG_AGAIN;
    default: return (enum sg_verdict)99;
    }
}

static enum sg_verdict
fake_answer(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    struct fake *fake = sg_instance_data(inst);

    cr_expect(decision->size == sizeof *decision && !decision->label && decision->special == 0);
    fake->asked++;
    decision->label = inst->name;
    if (isupper((unsigned char)fake->answer))
        return verdict_of(fake->answer);
    fake->pending = sg_pending_new(inst, s);
    cr_assert(fake->pending);
    return SG_AGAIN;
}

static enum sg_verdict
fake_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, struct sg_decision *decision)
{
    cr_expect(req == s->request);
    return fake_answer(inst, s, decision);
}

static enum sg_verdict
fake_target(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
            struct sg_decision *decision)
{
    cr_expect(req == s->request && addr == run.addr && addr->port == 80);
    return fake_answer(inst, s, decision);
}

static void
fake_cancel(struct sg_instance *inst, struct sg_pending *pending)
{
    struct fake *fake = sg_instance_data(inst);

    cr_expect(pending == fake->pending);
    fake->cancelled++;
}

static void
run_done(struct sg_run *the_run, enum sg_outcome with)
{
    cr_expect(the_run == &run);
    ended++;
    outcome = with;
}

static void
begin(const char *answers)
{
    static const char name[] = "fake";
    size_t n = strlen(answers);

    cr_assert(n <= MODULES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct fake *fake = &fakes[i];

        *fake = (struct fake){ .answer = answers[i] };
        if (answers[i] != '-')
            fake->ops = (struct sg_access_ops){ sizeof fake->ops, fake_answer, fake_request, fake_target };
        fake->mod = (struct sg_module){ .name = "fake", .cancel = fake_cancel, .access = &fake->ops };
        fake->inst = (struct sg_instance){ .number = 1, .name = name, .mod = &fake->mod, .data = fake };
        list[i] = &fake->inst;
    }
    hooks = (struct sg_hooks){ .n_access = n, .access = list };
    listener = (struct sg_worker_listener){ .hooks = &hooks };
    record = record ? record : tables_record();
    free(session.id);
    session = (struct sg_session){ .listener = &listener, .rec = record, .request = &request };
    ended = 0;
}

static void
start(const char *answers, enum sg_phase phase, bool undecided)
{
    static const struct sg_addr addr = { .family = SG_FAMILY_IPV4, .port = 80, .ip = { 192, 0, 2, 7 } };

    begin(answers);
    sg_run_start(&run, &session, phase, undecided, phase == SG_PHASE_TARGET ? &addr : NULL, run_done);
}

/* Resolves what waits, one after the other, until the walk has ended. */
static void
resolve_all(size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fakes[i].pending && ended == 0) {
            cr_expect(run.pending == fakes[i].pending);
            sg_pending_resolve(fakes[i].pending, verdict_of(fakes[i].answer));
            cr_expect(ended == 0, "resolve must not go on by itself");
            sg_worker_run_deferred();
        }
}

static char *
log_text(void)
{
    static char text[16384];
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void
setup(void)
{
    log_fd = memfd_create("log", MFD_CLOEXEC);
    sg_log_init(SG_LOG_NOTICE);
    sg_log_take_fd(fcntl(log_fd, F_DUPFD_CLOEXEC, 3));
}

TestSuite(run, .init = setup);

#define CLIENT SG_PHASE_CLIENT
#define REQUEST SG_PHASE_REQUEST
#define TARGET SG_PHASE_TARGET

static const struct {
    enum sg_phase phase;
    bool undecided; /* target: the request was */
    const char *answers;
    enum sg_outcome outcome;
    unsigned asked; /* how many modules */
    int decider;    /* index, -1: the end of the list */
} rows[] = {
    /* client: DENY and ERROR close, anything else goes on */
    { CLIENT, false, "", SG_OUTCOME_GRANT, 0, -1 },
    { CLIENT, false, "--", SG_OUTCOME_GRANT, 0, -1 },
    { CLIENT, false, "ODU", SG_OUTCOME_GRANT, 3, -1 },
    { CLIENT, false, "ON", SG_OUTCOME_REFUSE, 2, 1 },
    { CLIENT, false, "DNO", SG_OUTCOME_REFUSE, 2, 1 },
    { CLIENT, false, "EO", SG_OUTCOME_ERROR, 1, 0 },
    { CLIENT, false, "XO", SG_OUTCOME_ERROR, 1, 0 },
    { CLIENT, false, "AO", SG_OUTCOME_ERROR, 1, 0 },
    { CLIENT, false, "on", SG_OUTCOME_REFUSE, 2, 1 },
    /* request: the first DENY is final, the first OK ends the list */
    { REQUEST, false, "", SG_OUTCOME_REFUSE, 0, -1 },
    { REQUEST, false, "-", SG_OUTCOME_REFUSE, 0, -1 },
    { REQUEST, false, "DD", SG_OUTCOME_REFUSE, 2, -1 },
    { REQUEST, false, "-DO", SG_OUTCOME_GRANT, 2, 2 },
    { REQUEST, false, "ON", SG_OUTCOME_GRANT, 1, 0 },
    { REQUEST, false, "NO", SG_OUTCOME_REFUSE, 1, 0 },
    { REQUEST, false, "DE", SG_OUTCOME_ERROR, 2, 1 },
    { REQUEST, false, "X", SG_OUTCOME_ERROR, 1, 0 },
    { REQUEST, false, "A", SG_OUTCOME_ERROR, 1, 0 },
    { REQUEST, false, "o", SG_OUTCOME_GRANT, 1, 0 },
    { REQUEST, false, "dn", SG_OUTCOME_REFUSE, 2, 1 },
    { REQUEST, false, "de", SG_OUTCOME_ERROR, 2, 1 },
    { REQUEST, false, "dx", SG_OUTCOME_ERROR, 2, 1 },
    /* UNDECIDED is remembered, the list goes on, a later OK does not override it; a DENY still is final */
    { REQUEST, false, "U", SG_OUTCOME_UNDECIDED, 1, -1 },
    { REQUEST, false, "UO", SG_OUTCOME_UNDECIDED, 2, 1 },
    { REQUEST, false, "UDO", SG_OUTCOME_UNDECIDED, 3, 2 },
    { REQUEST, false, "UN", SG_OUTCOME_REFUSE, 2, 1 },
    { REQUEST, false, "UE", SG_OUTCOME_ERROR, 2, 1 },
    { REQUEST, false, "ONU", SG_OUTCOME_GRANT, 1, 0 },
    { REQUEST, false, "uo", SG_OUTCOME_UNDECIDED, 2, 1 },
    { REQUEST, false, "uDn", SG_OUTCOME_REFUSE, 3, 2 },
    /* target after an OK at request: only a DENY refuses */
    { TARGET, false, "", SG_OUTCOME_GRANT, 0, -1 },
    { TARGET, false, "-", SG_OUTCOME_GRANT, 0, -1 },
    { TARGET, false, "DD", SG_OUTCOME_GRANT, 2, -1 },
    { TARGET, false, "ON", SG_OUTCOME_GRANT, 1, 0 },
    { TARGET, false, "DN", SG_OUTCOME_REFUSE, 2, 1 },
    { TARGET, false, "E", SG_OUTCOME_ERROR, 1, 0 },
    { TARGET, false, "U", SG_OUTCOME_ERROR, 1, 0 },
    { TARGET, false, "do", SG_OUTCOME_GRANT, 2, 1 },
    /* target after UNDECIDED: it needs an OK */
    { TARGET, true, "", SG_OUTCOME_REFUSE, 0, -1 },
    { TARGET, true, "-", SG_OUTCOME_REFUSE, 0, -1 },
    { TARGET, true, "DD", SG_OUTCOME_REFUSE, 2, -1 },
    { TARGET, true, "DO", SG_OUTCOME_GRANT, 2, 1 },
    { TARGET, true, "NO", SG_OUTCOME_REFUSE, 1, 0 },
    { TARGET, true, "EO", SG_OUTCOME_ERROR, 1, 0 },
    { TARGET, true, "dd", SG_OUTCOME_REFUSE, 2, -1 },
};

Test(run, every_row_of_the_access_table)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].answers);
        unsigned asked = 0;

        start(rows[i].answers, rows[i].phase, rows[i].undecided);
        resolve_all(n);
        for (size_t j = 0; j < n; j++) {
            cr_expect(fakes[j].asked <= 1 && fakes[j].cancelled == 0);
            asked += fakes[j].asked;
        }
        cr_expect(ended == 1 && outcome == rows[i].outcome, "row %zu (%s): ended %u times, outcome %d", i,
                  rows[i].answers, ended, (int)outcome);
        cr_expect(asked == rows[i].asked, "row %zu (%s): %u were asked", i, rows[i].answers, asked);
        cr_expect(run.decider == (rows[i].decider == -1 ? NULL : list[rows[i].decider]), "row %zu (%s)", i,
                  rows[i].answers);
        cr_expect(!run.pending && !session.pendings);
    }
}

/* A module that has request() alone can grant: nobody objects to the address. */
Test(run, request_alone_can_grant)
{
    start("O", REQUEST, false);
    cr_expect(ended == 1 && outcome == SG_OUTCOME_GRANT);
    start("-", TARGET, false);
    cr_expect(ended == 1 && outcome == SG_OUTCOME_GRANT);
}

/* Behind one that needs the address it is still asked, and can refuse; granting is for who sees the address. */
Test(run, who_stands_behind_an_undecided_one_is_still_asked)
{
    start("UN", REQUEST, false);
    cr_expect(fakes[1].asked == 1 && outcome == SG_OUTCOME_REFUSE);
    start("UO", REQUEST, false);
    cr_expect(fakes[1].asked == 1 && outcome == SG_OUTCOME_UNDECIDED);
    start("D-", TARGET, true);
    cr_expect(outcome == SG_OUTCOME_REFUSE);
    start("O-", TARGET, true);
    cr_expect(outcome == SG_OUTCOME_GRANT);
}

Test(run, a_chain_without_end_is_stopped)
{
    char answers[MODULES_MAX + 1] = "";

    memset(answers, 'd', 64);
    start(answers, CLIENT, false);
    resolve_all(64);
    cr_expect(ended == 1 && outcome == SG_OUTCOME_GRANT);
    memset(answers, 'd', MODULES_MAX);
    start(answers, CLIENT, false);
    resolve_all(MODULES_MAX);
    cr_expect(ended == 1 && outcome == SG_OUTCOME_ERROR);
    cr_expect(strstr(log_text(), "module \"fake\": session 00000000000000000000000000000000, client -, while client: "
                                 "module_error: more than 64"),
              "%s", log_text());
}

Test(run, a_label_that_fits_no_record_is_an_error)
{
    char label[65];

    memset(label, 'x', 64);
    label[64] = '\0';
    begin("O");
    fakes[0].inst.name = label;
    sg_run_start(&run, &session, REQUEST, false, NULL, run_done);
    cr_expect(outcome == SG_OUTCOME_ERROR && !run.decision.label);
    label[63] = '\0';
    sg_run_start(&run, &session, REQUEST, false, NULL, run_done);
    cr_expect(outcome == SG_OUTCOME_GRANT);
    cr_expect_str_eq(run.decision.label, label);
}

/* ---- handles */

Test(run, cancel_tells_the_module_once)
{
    start("o", REQUEST, false);
    sg_run_cancel(&run);
    sg_run_cancel(&run);
    sg_worker_run_deferred();
    cr_expect(fakes[0].cancelled == 1 && ended == 0 && !session.pendings);
    start("o", REQUEST, false);
    sg_pending_cancel_all(&session);
    cr_expect(fakes[0].cancelled == 1 && !session.pendings);
    sg_worker_run_deferred();
    cr_expect(ended == 0);
}

Test(run, what_was_resolved_is_not_cancelled)
{
    start("o", REQUEST, false);
    sg_pending_resolve(fakes[0].pending, SG_OK);
    sg_pending_cancel_all(&session);
    sg_worker_run_deferred();
    cr_expect(fakes[0].cancelled == 0 && ended == 0);
}

Test(run, one_session_may_have_several_handles)
{
    struct sg_pending *first, *second;
    enum sg_verdict verdict = SG_AGAIN;

    begin("oo");
    sg_pending_window_open(list[0], &session);
    first = sg_pending_new(list[0], &session);
    cr_expect(first && !sg_pending_new(list[0], &session), "one callback, one handle");
    cr_expect(!sg_pending_new(list[1], &session), "somebody else's callback");
    cr_expect(sg_pending_window_close(&verdict, NULL, NULL) == first);
    cr_expect(!sg_pending_new(list[0], &session), "outside of a callback");
    sg_pending_window_open(list[1], &session);
    second = sg_pending_new(list[1], &session);
    cr_expect(sg_pending_window_close(&verdict, NULL, NULL) == second && second != first);
    cr_expect(session.pendings == second && second->next == first);
    fakes[1].pending = second;
    sg_pending_cancel(second);
    cr_expect(session.pendings == first && fakes[0].cancelled == 0 && fakes[1].cancelled == 1);
    fakes[0].pending = first;
    sg_pending_cancel_all(&session);
    sg_worker_run_deferred();
    cr_expect(fakes[0].cancelled == 1);
}

static unsigned resumed;
static enum sg_verdict resumed_with;

static void
count_resume(struct sg_pending *pending, enum sg_verdict verdict, void *owner)
{
    (void)pending;
    cr_expect(owner == &resumed);
    resumed++;
    resumed_with = verdict;
}

/* What a callback makes and then returns. */
static struct sg_pending *
callback(enum sg_verdict *verdict, bool resolve)
{
    struct sg_pending *pending;

    sg_pending_window_open(list[0], &session);
    pending = sg_pending_new(list[0], &session);
    cr_assert(pending);
    if (resolve)
        sg_pending_resolve(pending, SG_DENY);
    return sg_pending_window_close(verdict, count_resume, &resumed);
}

Test(run, handles_and_what_the_callback_returned)
{
    enum sg_verdict verdict = SG_OK;

    begin("o");
    cr_expect(!callback(&verdict, false) && verdict == SG_OK, "dropped");
    cr_expect(!callback(&verdict, true) && verdict == SG_OK, "dropped, resolved or not");
    sg_worker_run_deferred();
    cr_expect(resumed == 0 && fakes[0].cancelled == 0 && !session.pendings);
    verdict = SG_AGAIN;
    cr_expect(callback(&verdict, true) && resumed == 0, "resolved before the callback returned");
    sg_worker_run_deferred();
    cr_expect(resumed == 1 && resumed_with == SG_DENY);
    cr_expect(log_text()[0] == '\0', "%s", log_text());
}

/* Each of these is told against the instance and does nothing else. */
Test(run, mistakes_with_handles)
{
    enum sg_verdict verdict = SG_AGAIN;
    struct sg_pending *pending;

    begin("o");
    pending = callback(&verdict, false);
    sg_pending_resolve(pending, SG_OK);
    sg_pending_resolve(pending, SG_DENY);
    cr_expect(
        strstr(log_text(), "module \"fake\": module_error: sg_pending_resolve() of a handle that is resolved already"));
    sg_worker_run_deferred();
    cr_expect(resumed == 1 && resumed_with == SG_OK);

    fakes[0].pending = pending = callback(&verdict, false);
    sg_pending_cancel(pending);
    sg_pending_resolve(pending, SG_OK);
    cr_expect(strstr(log_text(), "sg_pending_resolve() of a handle that is dead"));
    sg_worker_run_deferred();
    cr_expect(resumed == 1);

    pending = callback(&verdict, false);
    sg_pending_resolve(pending, SG_AGAIN);
    sg_worker_run_deferred();
    cr_expect(resumed == 2 && resumed_with == SG_ERROR);

    sg_pending_window_open(list[0], &session);
    cr_expect(!sg_pending_window_close(&verdict, count_resume, &resumed) && verdict == SG_ERROR);
    cr_expect(strstr(log_text(), "module_error: SG_AGAIN without a handle"));
}

/* ---- what instances write about sessions */

static unsigned
lines_with(const char *words)
{
    unsigned n = 0;

    for (const char *at = strstr(log_text(), words); at; at = strstr(at + 1, words))
        n++;
    return n;
}

Test(run, lines_that_strangers_provoke_are_bounded)
{
    static char id[] = "0123456789abcdef";
    struct sg_instance *inst;

    begin("o");
    inst = list[0];
    inst->lines.second = INT64_MAX; /* as if the second was new */
    session.id = id;
    sg_session_doing(&session, "testing");
    for (unsigned i = 0; i < 25; i++)
        sg_slog(inst, &session, i == 20 ? SG_LOG_DEBUG : SG_LOG_WARN, "line %u", i);
    /* At most one second has turned meanwhile. */
    cr_expect(lines_with("while testing: line ") == 10 || lines_with("while testing: line ") == 20);
    cr_expect(lines_with("[warn] module \"fake\": session 0123456789abcdef, client -, while testing: line 0\n") == 1);
    cr_expect(inst->lines.left_out + lines_with("while testing: line ") == 24 || lines_with("were left out") == 1);
    inst->lines.second--;
    sg_module_error(inst, NULL, "after %d", 1);
    cr_expect(lines_with("lines before this one were left out") >= 1 && inst->lines.left_out == 0);
    cr_expect(lines_with("[err] module \"fake\": module_error: after 1\n") == 1);
}
