/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending.h - handles for answers that come later.
 *
 * The core opens a window around each callback that may return SG_AGAIN; inside it sg_pending_new() makes one handle.
 *
 *   window_open -- callback: sg_pending_new() -- window_close -- ... -- sg_pending_resolve() -- [defer] -- resume()
 *                                                     |            \
 *                                   another verdict: dropped        sg_pending_cancel(): cancel() of the module
 *
 * A handle that is over stays in memory until the end of the batch of events, so that a module which uses it once more
 * is told so instead of writing into somebody else's memory.
 */
#ifndef SG_PENDING_H
#define SG_PENDING_H

#include "hooks.h"
#include "worker.h"

struct sg_job;

typedef void sg_pending_resume(struct sg_pending *pending, enum sg_verdict verdict, void *owner);

struct sg_pending {
    struct sg_defer defer; /* resolved: calls `resume`; over: frees */
    unsigned magic;
    struct sg_instance *inst;
    struct sg_session *session;
    enum sg_verdict verdict;
    bool resolved;
    sg_pending_resume *resume; /* NULL while the window is open */
    struct sg_job *job;        /* whose verdict resolves it; NULL: none */
    void *owner;
    struct sg_pending *next, **prev; /* all of a session */
};

/* Opens the window for one callback of `inst`. Windows do not nest. */
void sg_pending_window_open(struct sg_instance *inst, struct sg_session *s);
/*
 * Closes it with what the callback returned. SG_AGAIN: the handle, which ends by one call of resume(owner) or by
 * sg_pending_cancel(); without a handle the verdict becomes SG_ERROR and the module is blamed. Anything else: NULL, and
 * a handle that was made is dropped without a word.
 */
struct sg_pending *sg_pending_window_close(enum sg_verdict *verdict, sg_pending_resume *resume, void *owner);
/* The answer is no longer wanted: cancel() of the module. NULL is ignored. */
void sg_pending_cancel(struct sg_pending *pending);
void sg_pending_cancel_all(struct sg_session *s); /* session end */

#endif
