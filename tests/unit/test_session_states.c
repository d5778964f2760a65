/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_states.c - every step from one state to another, allowed or not, and the clock of the handshake. The
 * sessions are real ones of a worker without listeners and modules; the client is a socket pair.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "here.h"
#include "relay_flow.h"

/* As the manual has it, written down once more: what may follow a state. */
static const struct {
    const char *state, *next;
} table[SG_STATES] = {
    [SG_STATE_CLIENT] = { "client", " greeting end " },
    [SG_STATE_GREETING] = { "greeting", " auth closing end " },
    [SG_STATE_AUTH] = { "auth", " request closing end " },
    [SG_STATE_REQUEST] = { "request", " access closing end " },
    [SG_STATE_ACCESS] = { "access", " command closing end " },
    [SG_STATE_COMMAND] = { "command", " relay association closing end " },
    [SG_STATE_RELAY] = { "relay", " end " },
    [SG_STATE_ASSOCIATION] = { "association", " end " },
    [SG_STATE_CLOSING] = { "closing", " end " },
    [SG_STATE_END] = { "end", " " },
};

static const char *const names[] = { "test", NULL };
static struct here here = { .names = names, .timeouts = { .handshake = 50, .linger = 50 }, .log_level = SG_LOG_DEBUG };
static int client_fd;

static void
setup(void)
{
    here_open(&here);
}

static void
teardown(void)
{
    here_close(&here);
}

TestSuite(session, .init = setup, .fini = teardown, .timeout = 20);

static struct sg_session *
session(void)
{
    return here_session(&here, &client_fd);
}

/* What has been logged since the last call. */
static const char *
logged(void)
{
    static char text[16384];
    const ssize_t n = pread(here.log_fd, text, sizeof text - 1, 0);

    cr_assert(n >= 0 && ftruncate(here.log_fd, 0) == 0 && lseek(here.log_fd, 0, SEEK_SET) == 0);
    text[n] = '\0';
    tables_read(&here.tables, names, true, text, sizeof text);
    return text;
}

static unsigned
count(const char *text, const char *word)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
        n++;
    return n;
}

static void
legal_step(struct sg_session *s, enum sg_state to)
{
    if (to == SG_STATE_END)
        sg_session_end(s, false);
    else
        sg_session_goto(s, to);
    cr_expect_eq(s->state, to, "%s", table[to].state);
    sg_session_end(s, false);
    cr_expect_eq(count(logged(), "\n"), 1, "one record, and nothing else to say");
}

static void
illegal_step(struct sg_session *s, enum sg_state from, enum sg_state to)
{
    char complaint[64];
    const char *text;

    sg_session_goto(s, to);
    text = logged();
    cr_expect_eq(s->state, SG_STATE_END);
    (void)snprintf(complaint, sizeof complaint, "%s cannot follow %s", table[to].state, table[from].state);
    cr_expect_eq(count(text, complaint), 1, "%s", text);
    if (from != SG_STATE_END)
        cr_expect_eq(count(text, "\"reason\":\"internal_error\""), 1, "%s", text);
}

Test(session, every_step)
{
    char word[32];

    for (enum sg_state from = 0; from < SG_STATES; from++)
        for (enum sg_state to = 0; to < SG_STATES; to++) {
            struct sg_session *s = session();
            bool legal;

            (void)snprintf(word, sizeof word, " %s ", table[to].state);
            legal = strstr(table[from].next, word) != NULL;
            cr_expect_str_eq(sg_state_name(to), table[to].state);
            cr_expect_eq(sg_state_may_follow(from, to), legal, "%s after %s", table[to].state, table[from].state);
            if (from == SG_STATE_END) {
                sg_session_end(s, false);
                (void)logged();
            } else {
                s->state = from;
            }
            s->rec->identified = to == SG_STATE_REQUEST;
            if (legal)
                legal_step(s, to);
            else
                illegal_step(s, from, to);
            cr_expect_eq(sg_session_count(), 0);
            cr_expect_eq(atomic_load(&here.status.sessions), 0u);
            (void)close(client_fd);
            sg_session_reap();
        }
}

Test(session, ids_and_limit)
{
    const struct sg_session *first = session(), *second = session();

    cr_expect_str_eq(sg_session_id(first), "0123456789abcdef0007000000000000");
    cr_expect_str_eq(sg_session_id(second), "0123456789abcdef0007000000000001");
    cr_expect_eq(atomic_load(&here.status.sessions), 2u);
    cr_expect(!sg_session_reserve(), "limits.sessions");
    sg_session_end_all(SG_REASON_STOPPED);
    cr_expect_eq(count(logged(), "\"reason\":\"stopped\""), 2);
    cr_expect(sg_session_reserve());
    cr_expect_eq(atomic_load(&here.status.accepted), 2u);
}

/* One turn of the loop after another, until the session has ended. */
static void
turn_until_end(void)
{
    while (sg_session_count() > 0)
        (void)ev_run(sg_worker_loop(), EVRUN_ONCE);
}

/* S5-M10: a client that says nothing. */
Test(session, silent_client)
{
    const int64_t began = sg_mono_ms();
    struct sg_session *s = session();

    cr_assert_eq(s->state, SG_STATE_GREETING);
    turn_until_end();
    cr_expect_geq(sg_mono_ms() - began, here.timeouts.handshake);
    cr_expect_eq(count(logged(), "\"phase\":\"greeting\",\"reason\":\"handshake_timeout\""), 1);
}

/* S5-M10: while the gateway waits for somebody else the client's time stands still, and then it goes on where it stood. */
Test(session, handshake_clock_stands_still)
{
    struct sg_session *s = session();
    int64_t goes_on, left;

    sg_session_wait(s, false);
    while (s->phase.queue != NULL)
        (void)ev_run(sg_worker_loop(), EVRUN_ONCE);
    cr_assert_eq(s->state, SG_STATE_GREETING, "the deadline has come, but the time is not used up");
    left = here.timeouts.handshake - s->waited_ms;
    cr_expect_gt(left, 0);
    goes_on = sg_mono_ms();
    sg_session_wait(s, true);
    turn_until_end();
    cr_expect_geq(sg_mono_ms() - goes_on, left);
    cr_expect_eq(count(logged(), "\"reason\":\"handshake_timeout\""), 1);
}

static void
must_not_expire(struct sg_deadline *deadline)
{
    (void)deadline;
    cr_assert_fail("the client has closed, and the session still waited for `linger`");
}

/* A client that never closes is left after `linger`; one that closes, at once. */
Test(session, linger)
{
    const int64_t began = sg_mono_ms();
    struct sg_session *s = session();

    sg_session_finish(s, SG_REASON_NO_METHOD, 0);
    turn_until_end();
    cr_expect_geq(sg_mono_ms() - began, here.timeouts.linger);
    cr_expect_eq(count(logged(), "\"phase\":\"greeting\",\"reason\":\"no_method\""), 1);

    s = session();
    s->phase.expired = must_not_expire;
    sg_session_finish(s, SG_REASON_NO_METHOD, 0);
    (void)close(client_fd);
    turn_until_end();
    cr_expect_eq(count(logged(), "\"reason\":\"no_method\""), 1);
}

/* What there is for every client: with a record of 1,024 octets, 456 (464 as malloc() counts) keep an incomplete handshake at
 * 1.5 KiB, and one that relays and is idle (conn and relay beside it) below 2 KiB. */
Test(session, sizes)
{
    cr_expect_leq(sizeof(struct sg_session), 408);
    cr_expect_leq(sizeof(struct sg_conn), 104);
    cr_expect_leq(sizeof(struct sg_relay), 136);
    cr_expect_leq(sizeof(struct sg_buf), 24);
    cr_expect_eq(SG_RECORD_SIZE, 1024);
}
