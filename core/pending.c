/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending.c - handles for answers that come later.
 *
 * A handle that was resolved is out of the module's hands: if its session ends before resume() could run, it is dropped
 * without a call of cancel().
 */
#include <assert.h>
#include <stdlib.h>

#include "container.h"
#include "log.h"
#include "pending.h"
#include "session.h"

#define PENDING_LIVE 0x70656e64u
#define PENDING_OVER 0x6f766572u

static struct {
    struct sg_instance *inst; /* NULL: closed */
    struct sg_session *session;
    struct sg_pending *made;
} window;

static void
pending_free(struct sg_defer *defer)
{
    free(SG_CONTAINER(defer, struct sg_pending, defer));
}

/* The handle is over: nobody may use it any more, but somebody might. */
static void
pending_over(struct sg_pending *pending)
{
    if (pending->next)
        pending->next->prev = pending->prev;
    *pending->prev = pending->next;
    pending->magic = PENDING_OVER;
    sg_worker_undefer(&pending->defer);
    pending->defer.run = pending_free;
    sg_worker_defer(&pending->defer);
}

static void
pending_run(struct sg_defer *defer)
{
    struct sg_pending *pending = SG_CONTAINER(defer, struct sg_pending, defer);

    pending_over(pending);
    pending->resume(pending, pending->verdict, pending->owner);
}

void
sg_pending_window_open(struct sg_instance *inst, struct sg_session *s)
{
    assert(!window.inst);
    window.inst = inst;
    window.session = s;
    window.made = NULL;
}

struct sg_pending *
sg_pending_window_close(enum sg_verdict *verdict, sg_pending_resume *resume, void *owner)
{
    struct sg_instance *inst = window.inst;
    struct sg_pending *made = window.made;

    window.inst = NULL;
    window.made = NULL;
    if (*verdict != SG_AGAIN) {
        if (made)
            pending_over(made);
        return NULL;
    }
    if (!made) {
        sg_slog(inst, window.session, SG_LOG_ERR, "module_error: it returned SG_AGAIN without a handle");
        *verdict = SG_ERROR;
        return NULL;
    }
    made->resume = resume;
    made->owner = owner;
    return made;
}

struct sg_pending *
sg_pending_new(struct sg_instance *inst, struct sg_session *s)
{
    struct sg_pending *pending;

    if (window.inst != inst || window.session != s || window.made) {
        sg_log(inst, SG_LOG_ERR, "module_error: sg_pending_new() %s",
               window.made ? "was called twice in one callback" : "is for callbacks that may return SG_AGAIN");
        return NULL;
    }
    pending = calloc(1, sizeof *pending);
    if (!pending)
        return NULL;
    pending->magic = PENDING_LIVE;
    pending->inst = inst;
    pending->session = s;
    pending->next = s->pendings;
    pending->prev = &s->pendings;
    if (pending->next)
        pending->next->prev = &pending->next;
    s->pendings = pending;
    window.made = pending;
    return pending;
}

void
sg_pending_resolve(struct sg_pending *pending, enum sg_verdict verdict)
{
    if (pending->magic != PENDING_LIVE || pending->resolved) {
        sg_log(pending->inst, SG_LOG_ERR, "module_error: sg_pending_resolve() for a handle that was %s",
               pending->resolved ? "resolved before" : "cancelled");
        return;
    }
    if (verdict == SG_AGAIN) {
        sg_slog(pending->inst, pending->session, SG_LOG_ERR, "module_error: SG_AGAIN is no answer to SG_AGAIN");
        verdict = SG_ERROR;
    }
    pending->resolved = true;
    pending->verdict = verdict;
    pending->defer.run = pending_run;
    sg_worker_defer(&pending->defer);
}

void
sg_pending_cancel(struct sg_pending *pending)
{
    uint32_t before;

    if (!pending)
        return;
    pending_over(pending);
    if (pending->resolved || !pending->inst->mod->cancel)
        return;
    before = sg_worker_enter(pending->inst);
    pending->inst->mod->cancel(pending->inst, pending);
    sg_worker_leave(before);
}

void
sg_pending_cancel_all(struct sg_session *s)
{
    while (s->pendings)
        sg_pending_cancel(s->pendings);
}
