/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_deadline.c - queues of deadlines on a real loop. The loop ends by itself when no timer is left.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "container.h"
#include "deadline.h"
#include "loop.h"

#define SPAN_MS 20

struct alarm {
    struct sg_deadline deadline;
    char name;
    struct sg_deadline_queue *again; /* arms itself there once more when it expires */
    struct alarm *drops;             /* disarms that one when it expires */
};

static struct ev_loop *loop;
static struct sg_deadline_queue queue, longer;
static struct alarm a, b, c;
static char order[16];

static void
alarm_expired(struct sg_deadline *deadline)
{
    struct alarm *alarm = SG_CONTAINER(deadline, struct alarm, deadline);
    const size_t n = strlen(order);

    cr_assert_null(deadline->queue, "an expired deadline is not armed");
    cr_assert_geq(sg_mono_ms(), deadline->due_ms, "too early");
    cr_assert_lt(n, sizeof order - 1);
    order[n] = alarm->name;
    order[n + 1] = '\0';
    if (alarm->drops != NULL)
        sg_deadline_disarm(&alarm->drops->deadline);
    if (alarm->again != NULL) {
        sg_deadline_arm(alarm->again, deadline);
        alarm->again = NULL;
    }
}

static void
setup(void)
{
    struct alarm *const all[] = { &a, &b, &c };

    loop = sg_loop_new();
    cr_assert_not_null(loop);
    sg_deadline_queue_init(&queue, loop, SPAN_MS);
    sg_deadline_queue_init(&longer, loop, SPAN_MS * 3);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] = (struct alarm){ .deadline.expired = alarm_expired, .name = (char)('a' + i) };
    order[0] = '\0';
}

static void
teardown(void)
{
    ev_loop_destroy(loop);
}

TestSuite(deadline, .init = setup, .fini = teardown, .timeout = 20);

Test(deadline, in_the_order_of_arming)
{
    const int64_t began = sg_mono_ms();

    sg_deadline_arm(&queue, &b.deadline);
    sg_deadline_arm(&queue, &a.deadline);
    sg_deadline_arm(&queue, &c.deadline);
    (void)ev_run(loop, 0);
    cr_assert_str_eq(order, "bac");
    cr_assert_geq(sg_mono_ms() - began, SPAN_MS);
    cr_assert(queue.head == NULL && queue.tail == NULL);
}

Test(deadline, armed_again_is_last)
{
    sg_deadline_arm(&queue, &a.deadline);
    sg_deadline_arm(&queue, &b.deadline);
    sg_deadline_arm(&queue, &c.deadline);
    sg_deadline_arm(&queue, &a.deadline);
    sg_deadline_arm(&queue, &b.deadline);
    cr_assert_eq(queue.head, &c.deadline);
    cr_assert_eq(queue.tail, &b.deadline);
    (void)ev_run(loop, 0);
    cr_assert_str_eq(order, "cab");
}

Test(deadline, moves_to_another_queue)
{
    sg_deadline_arm(&longer, &b.deadline);
    sg_deadline_arm(&queue, &a.deadline);
    sg_deadline_arm(&longer, &a.deadline);
    sg_deadline_arm(&queue, &c.deadline);
    cr_assert_eq(queue.head, &c.deadline);
    (void)ev_run(loop, 0);
    cr_assert_str_eq(order, "cba");
}

static unsigned n_expired;

static void
count_expired(struct sg_deadline *deadline)
{
    (void)deadline;
    n_expired++;
}

/* Others get their turn between them, and none is forgotten. */
Test(deadline, many_expire_in_several_turns)
{
    static struct sg_deadline many[1000];
    unsigned most = 0;

    for (size_t i = 0; i < 1000; i++) {
        many[i].expired = count_expired;
        sg_deadline_arm(&queue, &many[i]);
    }
    while (queue.head != NULL) {
        const unsigned before = n_expired;

        (void)ev_run(loop, EVRUN_ONCE);
        most = n_expired - before > most ? n_expired - before : most;
    }
    cr_assert_eq(n_expired, 1000);
    cr_assert_leq(most, 64, "%u in one turn", most);
}

/* Each place of a queue: head, middle, tail, the only one; and twice. */
Test(deadline, disarmed_does_not_expire)
{
    struct alarm *const all[] = { &a, &b, &c };

    for (size_t i = 0; i < 3; i++) {
        const char rest[] = { all[i == 0]->name, all[i == 2 ? 1 : 2]->name, '\0' };

        for (size_t j = 0; j < 3; j++)
            sg_deadline_arm(&queue, &all[j]->deadline);
        sg_deadline_disarm(&all[i]->deadline);
        sg_deadline_disarm(&all[i]->deadline);
        order[0] = '\0';
        (void)ev_run(loop, 0);
        cr_assert_str_eq(order, rest);
    }
    sg_deadline_arm(&queue, &a.deadline);
    sg_deadline_disarm(&a.deadline);
    order[0] = '\0';
    (void)ev_run(loop, 0);
    cr_assert_str_eq(order, "");
}

Test(deadline, may_change_the_queue_when_it_expires)
{
    a.again = &queue;
    a.drops = &b;
    sg_deadline_arm(&queue, &a.deadline);
    sg_deadline_arm(&queue, &b.deadline);
    sg_deadline_arm(&queue, &c.deadline);
    (void)ev_run(loop, 0);
    cr_assert_str_eq(order, "aca");
}

/* What traffic does to the idle deadline: the timer runs for the first arming, and nothing may expire with it. */
Test(deadline, armed_again_in_time_never_expires)
{
    sg_deadline_arm(&longer, &a.deadline);
    for (unsigned i = 0; i < 6; i++) {
        b.again = NULL;
        sg_deadline_arm(&queue, &b.deadline);
        while (b.deadline.queue != NULL)
            (void)ev_run(loop, EVRUN_ONCE);
        sg_deadline_arm(&longer, &a.deadline);
    }
    cr_assert_str_eq(order, "bbbbbb");
    (void)ev_run(loop, 0);
    cr_assert_str_eq(order, "bbbbbba");
}

Test(deadline, span_zero_never_expires)
{
    struct sg_deadline_queue never;

    sg_deadline_queue_init(&never, loop, 0);
    sg_deadline_arm(&queue, &a.deadline);
    sg_deadline_arm(&never, &a.deadline);
    cr_assert_null(a.deadline.queue);
    cr_assert_null(queue.head, "moving it to a queue that never expires takes it out of the other");
    (void)ev_run(loop, 0);
    cr_assert_str_eq(order, "");
}
