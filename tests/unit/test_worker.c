/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_worker.c - deferred work on the loop of a real worker without listeners, modules and sessions.
 */
#include <criterion/criterion.h>

#include "clock.h"
#include "container.h"
#include "tables.h"
#include "worker.h"

#define PIECES 60
/* Of a turn, as worker.c has it: so many pieces of 1 ms, however slow the machine is, are the most. */
#define SHARE 12

struct piece {
    struct sg_defer defer;
    bool again; /* it is deferred once more when it runs */
};

static struct sg_conf conf;
static struct sg_worker_status status;
static const char *const names[] = { "test", NULL };
static struct tables tables;
static struct sg_worker_boot boot = { .conf = &conf, .n_records = 8, .status = &status, .n_workers = 1 };
static struct piece pieces[PIECES];
static struct {
    unsigned piece, turn;
} ran[PIECES * 2];
static unsigned n_ran, wanted;

static void
setup(void)
{
    conf.core.resolver = (struct sg_resolver_conf){ .timeout = 1000, .tries = 1, .cache_entries = 16 };
    tables_open(&tables, boot.n_records, names);
    boot.journal = tables.worker;
    boot.journal.bell = -1;
    cr_assert_eq(sg_worker_open(&boot), 0);
}

static void
teardown(void)
{
    sg_worker_close();
    tables_close(&tables);
}

TestSuite(worker, .init = setup, .fini = teardown, .timeout = 20);

/* A millisecond of work, or two. */
static void
piece_run(struct sg_defer *defer)
{
    const int64_t until = sg_mono_ms() + 2;
    struct piece *piece = SG_CONTAINER(defer, struct piece, defer);

    while (sg_mono_ms() < until)
        continue;
    ran[n_ran].piece = (unsigned)(piece - pieces);
    ran[n_ran].turn = ev_iteration(sg_worker_loop());
    if (++n_ran == wanted)
        ev_break(sg_worker_loop(), EVBREAK_ALL);
    if (piece->again)
        sg_worker_defer(defer);
    piece->again = false;
}

/* Nothing else happens: a loop that waits for an event does so until the test is over. */
static void
run_until(unsigned n)
{
    wanted = n;
    for (unsigned i = 0; i < PIECES; i++) {
        pieces[i].defer.run = piece_run;
        sg_worker_defer(&pieces[i].defer);
    }
    (void)ev_run(sg_worker_loop(), 0);
    cr_assert_eq(n_ran, n);
}

/* So much that one turn is too short for it: it is done in order, in several turns. */
Test(worker, deferred_work_has_a_share_of_a_turn)
{
    run_until(PIECES);
    for (unsigned i = 0; i < PIECES; i++)
        cr_expect_eq(ran[i].piece, i);
    for (unsigned i = SHARE; i < PIECES; i++)
        cr_expect_gt(ran[i].turn, ran[i - SHARE].turn, "%u and all before it in one turn", i);
}

/* Who comes back at once comes behind those who were left over. */
Test(worker, nobody_starves)
{
    pieces[0].again = pieces[1].again = true;
    run_until(PIECES + 2);
    for (unsigned i = 0; i < PIECES + 2; i++)
        cr_expect_eq(ran[i].piece, i % PIECES);
}

static void
timer_fired(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)revents;
    cr_expect_leq(n_ran, 2u * SHARE);
    sg_worker_undefer(timer->data);
}

/* Timers, and so deadlines and orders, do not wait for all of it; and what is taken back meanwhile does not run. */
Test(worker, a_timer_comes_between)
{
    ev_timer timer;

    ev_timer_init(&timer, timer_fired, 0.001, 0.);
    timer.data = &pieces[PIECES - 1].defer;
    ev_timer_start(sg_worker_loop(), &timer);
    run_until(PIECES - 1);
    (void)ev_run(sg_worker_loop(), EVRUN_NOWAIT);
    cr_expect_eq(n_ran, PIECES - 1);
}
