/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending.h - handles for answers that come later.
 *
 * The core opens a window around each callback that may return SG_AGAIN (sg_pending_window); inside it sg_pending_new()
 * makes a handle. If the callback returns something else the handle is dropped without a call of cancel(). A handle ends
 * by resolve (its `resume` is run from the worker's defer queue) or by sg_pending_cancel (cancel() of the module).
 */
#ifndef SG_PENDING_H
#define SG_PENDING_H

#include "hooks.h"
#include "worker.h"

struct sg_pending {
    struct sg_defer defer; /* first member: runs `resume` */
    unsigned magic;
    struct sg_instance *inst;
    struct sg_session *session;
    enum sg_verdict verdict;
    bool resolved;
    unsigned resumed;                /* how often this chain was resumed: a runner stops one that never ends */
    void (*resume)(struct sg_pending *pending, enum sg_verdict verdict, void *owner);
    void *owner;
    struct sg_pending *next, **prev; /* all of a session */
};

/* Opens the window for one callback of `inst`. */
void sg_pending_window_open(struct sg_instance *inst, struct sg_session *s);
/* Closes it; returns the handle if the callback returned SG_AGAIN and made one (else NULL, and the verdict is MISUSE). */
struct sg_pending *sg_pending_window_close(enum sg_verdict *verdict, void (*resume)(struct sg_pending *, enum sg_verdict, void *owner),
                                           void *owner);
void sg_pending_cancel(struct sg_pending *pending);
void sg_pending_cancel_all(struct sg_session *s); /* session end */

#endif
