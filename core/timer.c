/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.c - timers for modules.
 */
#include <sockgate/timer.h>

#include <stdlib.h>

#include "log.h"
#include "loop.h"
#include "timers.h"

struct sg_timer {
    ev_timer ev; /* first member */
    struct sg_instance *inst;
    struct sg_session *session;
    void (*fire)(struct sg_instance *inst, struct sg_session *s, void *arg);
    void *arg;
    struct sg_timer *next, **prev; /* of the session */
};

static size_t n_timers;

static void
timer_free(struct sg_timer *timer)
{
    ev_timer_stop(sg_worker_loop(), &timer->ev);
    if (timer->prev != NULL) {
        *timer->prev = timer->next;
        if (timer->next != NULL)
            timer->next->prev = timer->prev;
    }
    free(timer);
    n_timers--;
}

static void
timer_fired(struct ev_loop *loop, ev_timer *ev, int revents)
{
    struct sg_timer *timer = (struct sg_timer *)ev;
    const struct sg_timer copy = *timer;
    uint32_t before;

    (void)loop, (void)revents;
    timer_free(timer);
    before = sg_worker_enter(copy.inst);
    copy.fire(copy.inst, copy.session, copy.arg);
    sg_worker_leave(before);
}

struct sg_timer *
sg_timer_start(struct sg_instance *inst, struct sg_session *s, int64_t ms,
               void (*fire)(struct sg_instance *inst, struct sg_session *s, void *arg), void *arg)
{
    struct ev_loop *loop = sg_worker_loop();
    struct sg_timer *timer = loop != NULL && n_timers < SG_LOOP_TIMERS ? calloc(1, sizeof *timer) : NULL;

    if (timer == NULL)
        return NULL;
    n_timers++;
    timer->inst = inst;
    timer->session = s;
    timer->fire = fire;
    timer->arg = arg;
    if (s != NULL) {
        timer->next = s->timers;
        timer->prev = &s->timers;
        if (timer->next != NULL)
            timer->next->prev = &timer->next;
        s->timers = timer;
    }
    ev_now_update(loop); /* the loop's own time is that of the beginning of the turn */
    ev_timer_init(&timer->ev, timer_fired, (ev_tstamp)(ms > 0 ? ms : 0) / 1000, 0.);
    ev_timer_start(loop, &timer->ev);
    return timer;
}

void
sg_timer_cancel(struct sg_timer *timer)
{
    if (timer != NULL)
        timer_free(timer);
}

void
sg_timers_end(struct sg_session *s)
{
    for (struct sg_timer *timer = s->timers, *next; timer != NULL; timer = next) {
        next = timer->next;
        timer->prev = NULL; /* the list goes as a whole */
        timer_free(timer);
    }
    s->timers = NULL;
}
