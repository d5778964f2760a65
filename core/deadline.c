/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deadline.c - queues of deadlines.
 *
 *   head --> oldest --> ... --> youngest <-- tail      arm: append; disarm: unlink
 *
 * The timer runs for the head as it was when the timer was started. An entry that leaves does not touch the timer: it
 * comes up early, finds nothing due and is set to what is the head by then. So traffic that re-arms an idle deadline
 * with every message costs two pointer swaps and no timer call.
 */
#include "deadline.h"

#include "clock.h"

/* So many expire in one turn of the loop: thousands may be due at once, and their ends must not keep others waiting. */
#define DEADLINE_BATCH 64

static void
queue_schedule(struct sg_deadline_queue *queue, int64_t now_ms)
{
    int64_t wait_ms;

    if (!queue->head)
        return;
    wait_ms = queue->head->due_ms > now_ms ? queue->head->due_ms - now_ms : 0;
    ev_timer_set(&queue->timer, (ev_tstamp)wait_ms / 1000, 0.);
    ev_timer_start(queue->loop, &queue->timer);
}

static void
queue_timer_fired(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct sg_deadline_queue *queue = timer->data;
    int64_t now_ms = sg_mono_ms();

    (void)loop, (void)revents;
    /* The rest is due in the next turn. */
    for (unsigned n = 0; n < DEADLINE_BATCH && queue->head && queue->head->due_ms <= now_ms; n++) {
        struct sg_deadline *deadline = queue->head;

        sg_deadline_disarm(deadline);
        deadline->expired(deadline);
    }
    if (!ev_is_active(timer))
        queue_schedule(queue, now_ms);
}

void
sg_deadline_queue_init(struct sg_deadline_queue *queue, struct ev_loop *loop, int64_t ms)
{
    *queue = (struct sg_deadline_queue){ .loop = loop, .span_ms = ms };
    ev_timer_init(&queue->timer, queue_timer_fired, 0., 0.);
    queue->timer.data = queue;
}

void
sg_deadline_queue_stop(struct sg_deadline_queue *queue)
{
    ev_timer_stop(queue->loop, &queue->timer);
}

void
sg_deadline_arm(struct sg_deadline_queue *queue, struct sg_deadline *deadline)
{
    int64_t now_ms = sg_mono_ms();

    sg_deadline_disarm(deadline);
    if (queue->span_ms == 0)
        return;
    deadline->due_ms = now_ms + queue->span_ms;
    deadline->queue = queue;
    deadline->next = NULL;
    deadline->prev = queue->tail;
    if (queue->tail)
        queue->tail->next = deadline;
    else
        queue->head = deadline;
    queue->tail = deadline;
    if (!ev_is_active(&queue->timer))
        queue_schedule(queue, now_ms);
}

void
sg_deadline_disarm(struct sg_deadline *deadline)
{
    struct sg_deadline_queue *queue = deadline->queue;

    if (!queue)
        return;
    if (deadline->prev)
        deadline->prev->next = deadline->next;
    else
        queue->head = deadline->next;
    if (deadline->next)
        deadline->next->prev = deadline->prev;
    else
        queue->tail = deadline->prev;
    deadline->queue = NULL;
    deadline->next = deadline->prev = NULL;
}
