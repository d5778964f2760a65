/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_loop.c - libev's tables grow to all that they can need, in memory that was there before.
 */
#include <criterion/criterion.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loop.h"

#define TIMERS 20000

static unsigned fired;

TestSuite(event_loop, .timeout = 20);

static void
timer_fired(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)timer, (void)revents;
    fired++;
}

static void
io_fired(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    fired++;
    ev_io_stop(loop, io);
}

Test(event_loop, the_highest_descriptor)
{
    struct ev_loop *loop = sg_loop_new();
    struct rlimit limit;
    int pair[2];
    ev_io io;

    cr_assert_not_null(loop);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(pipe(pair), 0);
    cr_assert_eq(dup2(pair[0], (int)limit.rlim_cur - 1), (int)limit.rlim_cur - 1);
    cr_assert_eq(write(pair[1], "x", 1), 1);
    ev_io_init(&io, io_fired, (int)limit.rlim_cur - 1, EV_READ);
    ev_io_start(loop, &io);
    (void)ev_run(loop, 0);
    cr_expect_eq(fired, 1);
    ev_loop_destroy(loop);
}

Test(event_loop, many_timers)
{
    static ev_timer timers[TIMERS];
    struct ev_loop *loop = sg_loop_new(), *other = sg_loop_new();

    cr_assert_not_null(loop);
    cr_assert_not_null(other);
    for (unsigned i = 0; i < TIMERS; i++) {
        ev_timer_init(&timers[i], timer_fired, i % 2 == 0 ? 0.001 : 0., 0.);
        ev_timer_start(i % 7 == 0 ? other : loop, &timers[i]);
    }
    (void)ev_run(loop, 0);
    (void)ev_run(other, 0);
    cr_expect_eq(fired, TIMERS);
    ev_loop_destroy(other);
    ev_loop_destroy(loop);
    loop = sg_loop_new();
    cr_assert_not_null(loop, "what a loop had is free again");
    ev_loop_destroy(loop);
}
