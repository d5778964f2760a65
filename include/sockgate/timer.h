/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.h - timers on the worker's loop, for modules.
 */
#ifndef SOCKGATE_TIMER_H
#define SOCKGATE_TIMER_H

#include <stdint.h>

#include <sockgate/visibility.h>

struct sg_instance;
struct sg_session;
struct sg_timer;

/*
 * Calls @fire(inst, s, arg) once, @ms milliseconds from now, on the loop of this worker. With @s, the timer dies silently
 * with the session; without, it lives until it fires or is cancelled.
 * Owner:  the core owns the timer; the handle is dead once it has fired or its session has ended. @arg is the caller's.
 * Blocks: never.
 * Errors: NULL without memory, or outside a worker.
 * RFC:    none.
 */
SG_API struct sg_timer *sg_timer_start(struct sg_instance *inst, struct sg_session *s, int64_t ms,
                                       void (*fire)(struct sg_instance *inst, struct sg_session *s, void *arg),
                                       void *arg) SG_CHECK;

/*
 * Stops a timer that has not fired; it will not be called any more.
 * Owner:  the handle is dead afterwards. NULL is ignored.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_timer_cancel(struct sg_timer *timer);

#endif
