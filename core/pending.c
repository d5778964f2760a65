/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending.c - handles. A dead handle is kept until the end of the turn, with another magic, so that a module that uses
 * it once more in the same breath is caught instead of corrupting memory.
 */
#include "pending.h"

#include <stdlib.h>

#include "job.h"
#include "session.h"

#define PENDING_ALIVE 0x50656e64u
#define PENDING_DEAD 0x44656164u

/* The callback that may make a handle now. Windows do not nest: no callback of a module runs inside another's. */
static struct {
    struct sg_instance *inst;
    struct sg_session *session;
    struct sg_pending *made;
} window;

static void
pending_unlink(struct sg_pending *pending)
{
    if (pending->prev != NULL) {
        *pending->prev = pending->next;
        if (pending->next != NULL)
            pending->next->prev = pending->prev;
    }
    pending->prev = NULL;
}

static void
pending_free(struct sg_defer *defer)
{
    free((struct sg_pending *)defer);
}

/* The answer has come from elsewhere, or is no longer wanted. */
static void
pending_withdraw(struct sg_pending *pending)
{
    struct sg_job *job = pending->job;

    pending->job = NULL;
    sg_job_withdraw(job);
}

/* From now on the handle is a trap; it is freed when this batch of events is over. */
static void
pending_bury(struct sg_pending *pending)
{
    pending_unlink(pending);
    pending_withdraw(pending);
    sg_worker_undefer(&pending->defer);
    pending->magic = PENDING_DEAD;
    pending->defer.run = pending_free;
    sg_worker_defer(&pending->defer);
}

static void
pending_run(struct sg_defer *defer)
{
    struct sg_pending *pending = (struct sg_pending *)defer;
    const enum sg_verdict verdict = pending->verdict;
    void (*resume)(struct sg_pending *, enum sg_verdict, void *) = pending->resume;
    void *owner = pending->owner;

    pending_bury(pending);
    resume(pending, verdict, owner);
}

void
sg_pending_window_open(struct sg_instance *inst, struct sg_session *s)
{
    window.inst = inst;
    window.session = s;
    window.made = NULL;
}

struct sg_pending *
sg_pending_new(struct sg_instance *inst, struct sg_session *s)
{
    struct sg_pending *pending;

    if (window.session != s || window.inst != inst || window.made != NULL) {
        sg_module_error(inst, s, "sg_pending_new() outside a callback that may return SG_AGAIN, or twice in one");
        return NULL;
    }
    pending = calloc(1, sizeof *pending);
    if (pending == NULL)
        return NULL;
    pending->magic = PENDING_ALIVE;
    pending->inst = inst;
    pending->session = s;
    pending->defer.run = pending_run;
    pending->next = s->pendings;
    pending->prev = &s->pendings;
    if (pending->next != NULL)
        pending->next->prev = &pending->next;
    s->pendings = pending;
    window.made = pending;
    return pending;
}

struct sg_pending *
sg_pending_window_close(enum sg_verdict *verdict,
                        void (*resume)(struct sg_pending *pending, enum sg_verdict verdict, void *owner), void *owner)
{
    struct sg_pending *made = window.made;
    struct sg_instance *inst = window.inst;
    struct sg_session *s = window.session;

    window.inst = NULL;
    window.session = NULL;
    window.made = NULL;
    if (*verdict == SG_AGAIN && made != NULL) {
        made->resume = resume;
        made->owner = owner;
        return made;
    }
    if (made != NULL)
        pending_bury(made);
    if (*verdict == SG_AGAIN) {
        sg_module_error(inst, s, "SG_AGAIN without a handle from sg_pending_new()");
        *verdict = SG_ERROR;
    }
    return NULL;
}

void
sg_pending_resolve(struct sg_pending *pending, enum sg_verdict verdict)
{
    if (pending->magic != PENDING_ALIVE || pending->resolved) {
        sg_module_error(pending->inst, NULL, "sg_pending_resolve() of a handle that is %s",
                        pending->magic == PENDING_ALIVE ? "resolved already" : "dead");
        return;
    }
    if (verdict == SG_AGAIN) {
        sg_module_error(pending->inst, pending->session, "SG_AGAIN is no answer to SG_AGAIN");
        verdict = SG_ERROR;
    }
    pending_withdraw(pending);
    pending->resolved = true;
    pending->verdict = verdict;
    sg_worker_defer(&pending->defer);
}

void
sg_pending_cancel(struct sg_pending *pending)
{
    struct sg_instance *inst;
    uint32_t before;

    if (pending == NULL)
        return;
    inst = pending->inst;
    pending_bury(pending);
    if (pending->resolved || inst->mod->cancel == NULL)
        return;
    before = sg_worker_enter(inst);
    inst->mod->cancel(inst, pending);
    sg_worker_leave(before);
}

void
sg_pending_cancel_all(struct sg_session *s)
{
    while (s->pendings != NULL)
        sg_pending_cancel(s->pendings);
}
