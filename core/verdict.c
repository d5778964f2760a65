/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdict.c - what the core makes of a verdict, and the walk through a list of access modules.
 */
#include <string.h>

#include "hooks.h"
#include "pending.h"
#include "session.h"
#include "trace.h"
#include "worker.h"

/* Enough for any list that makes sense; beyond it modules keep a session waiting for nothing. */
#define RUN_RESUMED_MAX 64
#define LABEL_MAX_OCTETS 63
#define VERDICTS 6

/* What each verdict means, in the order of the manual. */
#define ROW(error, ok, declined, undecided, deny, again)                                                               \
    {                                                                                                                  \
        [SG_ERROR] = SG_OUTCOME_##error, [SG_OK] = SG_OUTCOME_##ok, [SG_DECLINED] = SG_OUTCOME_##declined,             \
        [SG_UNDECIDED] = SG_OUTCOME_##undecided, [SG_DENY] = SG_OUTCOME_##deny, [SG_AGAIN] = SG_OUTCOME_##again        \
    }

static const enum sg_outcome meanings[SG_PHASES][VERDICTS] = {
    [SG_PHASE_CLIENT] = ROW(ERROR, NEXT, NEXT, NEXT, REFUSE, WAIT),
    [SG_PHASE_REQUEST] = ROW(ERROR, GRANT, NEXT, REMEMBER, REFUSE, WAIT),
    [SG_PHASE_TARGET] = ROW(ERROR, GRANT, NEXT, MISUSE, REFUSE, WAIT),
    [SG_PHASE_AUTH_CHECK] = ROW(ERROR, GRANT, NEXT, MISUSE, REFUSE, MISUSE),
    [SG_PHASE_AUTH_EXCHANGE] = ROW(ERROR, GRANT, MISUSE, MORE, REFUSE, WAIT),
    [SG_PHASE_COMMAND] = ROW(ERROR, GRANT, MISUSE, MISUSE, REFUSE, WAIT),
};

static const char *const phase_names[SG_PHASES] = {
    [SG_PHASE_CLIENT] = "client()",          [SG_PHASE_REQUEST] = "request()",
    [SG_PHASE_TARGET] = "target()",          [SG_PHASE_AUTH_CHECK] = "check()",
    [SG_PHASE_AUTH_EXCHANGE] = "exchange()", [SG_PHASE_COMMAND] = "start() of a command",
};

static const char *const verdict_names[VERDICTS] = {
    [SG_ERROR] = "ERROR",         [SG_OK] = "OK",     [SG_DECLINED] = "DECLINED",
    [SG_UNDECIDED] = "UNDECIDED", [SG_DENY] = "DENY", [SG_AGAIN] = "AGAIN",
};

static bool
verdict_known(enum sg_verdict verdict)
{
    return (unsigned)verdict < VERDICTS;
}

enum sg_outcome
sg_verdict_meaning(enum sg_phase phase, enum sg_verdict verdict)
{
    return verdict_known(verdict) ? meanings[phase][verdict] : SG_OUTCOME_MISUSE;
}

enum sg_outcome
sg_verdict_judge(struct sg_instance *inst, struct sg_session *s, enum sg_phase phase, enum sg_verdict verdict)
{
    enum sg_outcome outcome = sg_verdict_meaning(phase, verdict);

    if (outcome != SG_OUTCOME_MISUSE)
        return outcome;
    if (verdict_known(verdict))
        sg_module_error(inst, s, "%s is no answer of %s", verdict_names[verdict], phase_names[phase]);
    else
        sg_module_error(inst, s, "%s answered %d, which is no verdict", phase_names[phase], (int)verdict);
    return SG_OUTCOME_ERROR;
}

enum sg_outcome
sg_verdict_at_end(enum sg_phase phase, bool undecided)
{
    switch (phase) {
    case SG_PHASE_CLIENT: return SG_OUTCOME_GRANT;
    case SG_PHASE_REQUEST: return undecided ? SG_OUTCOME_UNDECIDED : SG_OUTCOME_REFUSE;
    case SG_PHASE_TARGET: return undecided ? SG_OUTCOME_REFUSE : SG_OUTCOME_GRANT;
    default: return SG_OUTCOME_REFUSE;
    }
}

static void
run_end(struct sg_run *run, struct sg_instance *decider, enum sg_outcome outcome)
{
    run->decider = decider;
    run->done(run, outcome);
}

static bool
run_label_fits(const char *label)
{
    return label == NULL || strnlen(label, LABEL_MAX_OCTETS + 1) <= LABEL_MAX_OCTETS;
}

/* A label that does not fit into a record is a mistake like a verdict out of place: nothing is cut. */
static enum sg_outcome
run_judge(struct sg_run *run, struct sg_instance *inst, enum sg_verdict verdict)
{
    struct sg_decision *decision = &run->decision;

    if (!run_label_fits(decision->label) || !run_label_fits(decision->dry_run_label)) {
        sg_module_error(inst, run->session, "the label of its decision has more than %d octets", LABEL_MAX_OCTETS);
        decision->label = decision->dry_run_label = NULL;
        return SG_OUTCOME_ERROR;
    }
    if (run->dry_run_label == NULL) {
        run->dry_run_label = decision->dry_run_label;
        run->dry_run_verdict = decision->dry_run_verdict;
    }
    if (run->session->trace != NULL && verdict != SG_AGAIN && verdict_known(verdict))
        sg_trace_core(run->session->trace, &inst->conf->where, "%s of \"%s\": %s", phase_names[run->phase], inst->name,
                      verdict_names[verdict]);
    return sg_verdict_judge(inst, run->session, run->phase, verdict);
}

/* False: the next module is to be asked. True: the list has ended, or waits; `run` may be gone. */
static bool
run_settled(struct sg_run *run, struct sg_instance *inst, enum sg_verdict verdict)
{
    enum sg_outcome outcome = run_judge(run, inst, verdict);

    switch (outcome) {
    case SG_OUTCOME_NEXT: return false;
    case SG_OUTCOME_REMEMBER: run->undecided = true; return false;
    case SG_OUTCOME_WAIT: return true;
    default: break;
    }
    if (run->phase == SG_PHASE_REQUEST && outcome == SG_OUTCOME_GRANT && run->undecided)
        outcome = SG_OUTCOME_UNDECIDED;
    run_end(run, inst, outcome);
    return true;
}

static void run_resumed(struct sg_pending *pending, enum sg_verdict verdict, void *owner);

static bool
run_can_ask(const struct sg_run *run, const struct sg_access_ops *ops)
{
    switch (run->phase) {
    case SG_PHASE_CLIENT: return ops->client != NULL;
    case SG_PHASE_REQUEST: return ops->request != NULL;
    default: return ops->target != NULL;
    }
}

static enum sg_verdict
run_ask(struct sg_run *run, struct sg_instance *inst)
{
    const struct sg_access_ops *ops = inst->mod->access;
    struct sg_session *s = run->session;
    enum sg_verdict verdict;
    uint32_t before;

    run->decision = (struct sg_decision){ .size = sizeof run->decision, .trace = s->trace };
    before = sg_worker_enter(inst);
    sg_pending_window_open(inst, s);
    switch (run->phase) {
    case SG_PHASE_CLIENT: verdict = ops->client(inst, s, &run->decision); break;
    case SG_PHASE_REQUEST: verdict = ops->request(inst, s, run->request, &run->decision); break;
    default: verdict = ops->target(inst, s, run->request, run->addr, &run->decision); break;
    }
    run->pending = sg_pending_window_close(&verdict, run_resumed, run);
    sg_worker_leave(before);
    return verdict;
}

static void
run_go_on(struct sg_run *run)
{
    const struct sg_hooks *hooks = run->session->listener->hooks;

    while (run->next < hooks->n_access) {
        struct sg_instance *inst = hooks->access[run->next++];

        if (run_can_ask(run, inst->mod->access) && run_settled(run, inst, run_ask(run, inst)))
            return;
    }
    run_end(run, NULL, sg_verdict_at_end(run->phase, run->undecided));
}

static void
run_resumed(struct sg_pending *pending, enum sg_verdict verdict, void *owner)
{
    struct sg_run *run = owner;

    run->pending = NULL;
    if (++run->resumed > RUN_RESUMED_MAX) {
        sg_module_error(pending->inst, run->session, "more than %d answers had to be waited for", RUN_RESUMED_MAX);
        run_end(run, pending->inst, SG_OUTCOME_ERROR);
        return;
    }
    if (!run_settled(run, pending->inst, verdict))
        run_go_on(run);
}

void
sg_run_start_for(struct sg_run *run, struct sg_session *s, const struct sg_request *request, enum sg_phase phase,
                 bool undecided, const struct sg_addr *addr, void (*done)(struct sg_run *run, enum sg_outcome outcome))
{
    *run = (struct sg_run){
        .session = s, .phase = phase, .undecided = undecided, .request = request, .addr = addr, .done = done
    };
    run_go_on(run);
}

void
sg_run_start(struct sg_run *run, struct sg_session *s, enum sg_phase phase, bool undecided, const struct sg_addr *addr,
             void (*done)(struct sg_run *run, enum sg_outcome outcome))
{
    sg_run_start_for(run, s, s->request, phase, undecided, addr, done);
}

void
sg_run_cancel(struct sg_run *run)
{
    struct sg_pending *pending = run->pending;

    run->pending = NULL;
    sg_pending_cancel(pending);
}
