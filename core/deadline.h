/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deadline.h - many deadlines of few durations. One queue a duration: all its entries have the same span, so it is
 * sorted by itself, arming and re-arming are O(1), and one ev_timer a queue is enough.
 */
#ifndef SG_DEADLINE_H
#define SG_DEADLINE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct sg_deadline_queue;

struct sg_deadline {
    struct sg_deadline *next, *prev;
    struct sg_deadline_queue *queue;           /* NULL: not armed */
    int64_t due_ms;                            /* on the monotonic clock */
    void (*expired)(struct sg_deadline *self); /* called unarmed */
};

struct sg_deadline_queue {
    struct ev_loop *loop;
    struct sg_deadline *head, *tail;
    int64_t span_ms;
    ev_timer timer;
};

void sg_deadline_queue_init(struct sg_deadline_queue *queue, struct ev_loop *loop,
                            int64_t ms); /* ms 0: never expires */
void sg_deadline_queue_stop(struct sg_deadline_queue *queue);
void sg_deadline_arm(struct sg_deadline_queue *queue, struct sg_deadline *deadline); /* moves it if armed */
void sg_deadline_disarm(struct sg_deadline *deadline);

#endif
