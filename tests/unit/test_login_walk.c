/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_login_walk.c - T41: every sequence of events up to a length, with every verdict that a check can give: no session
 * gets past AUTH without a login that was granted. The check runs in the worker, the client is a socket pair.
 */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "here.h"

#define STEPS 4
#define NO_VERDICT 77

enum event { GREETING_00, GREETING_02, GREETING_BOTH, LOGIN, EMPTY_LOGIN, REQUEST, GARBAGE, EXPIRY, EVENTS };

static const struct {
    const char *octets;
    size_t len;
} sent[EVENTS] = {
    [GREETING_00] = { "\5\1\0", 3 }, [GREETING_02] = { "\5\1\2", 3 },  [GREETING_BOTH] = { "\5\2\0\2", 4 },
    [LOGIN] = { "\1\1a\1b", 5 },     [EMPTY_LOGIN] = { "\1\1a\0", 4 }, [REQUEST] = { "\5\1\0\1\300\0\2\1\0\120", 10 },
    [GARBAGE] = { "\377", 1 },
};

static const int verdicts[] = { SG_ERROR, SG_OK, SG_DECLINED, SG_UNDECIDED, SG_DENY, SG_AGAIN, NO_VERDICT };

static int verdict; /* of the check */
static bool granted;

static enum sg_verdict
walk_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)creds, (void)answer;
    granted = granted || verdict == SG_OK;
    return (enum sg_verdict)verdict;
}

static const struct sg_auth_ops walk_none = {
    .size = sizeof walk_none, .method = SG_METHOD_NONE, .in_worker = true, .check = walk_check
};
static const struct sg_auth_ops walk_password = {
    .size = sizeof walk_password, .method = SG_METHOD_USERPASS, .in_worker = true, .check = walk_check
};
static enum sg_verdict
walk_stub_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)creds, (void)answer;
    cr_assert_fail("a stub was asked");
    return SG_OK;
}

static const struct sg_auth_ops walk_stub = {
    .size = sizeof walk_stub, .method = SG_METHOD_USERPASS, .in_worker = true, .check = walk_stub_check, .stub = true
};
static const struct sg_module walk_modules[] = { { .name = "none", .auth = &walk_none },
                                                 { .name = "password", .auth = &walk_password },
                                                 { .name = "stub", .auth = &walk_stub } };
static const struct sg_module_conf module_conf;
static struct sg_instance walk_instances[] = {
    { .number = 1, .name = "none", .mod = &walk_modules[0], .conf = &module_conf },
    { .number = 2, .name = "password", .mod = &walk_modules[1], .conf = &module_conf },
    { .number = 3, .name = "stub", .mod = &walk_modules[2], .conf = &module_conf },
};
static struct sg_instance *auth[] = { &walk_instances[0], &walk_instances[1], &walk_instances[2] };
static const char *const names[] = { "test", "none", "password", "stub", NULL };
static struct here here = { .names = names,
                            .instances = { .n = 3, .v = walk_instances },
                            .hooks = { .n_auth = 3, .auth = auth },
                            .timeouts = { .handshake = 60000, .linger = 60000, .setup_max = 60000 },
                            .log_level = SG_LOG_EMERG };

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

TestSuite(login_walk, .init = setup, .fini = teardown, .timeout = 120);

/* One session at a time: when none is counted, `s` is gone. */
static bool
alive(const struct sg_session *s)
{
    return sg_session_count() > 0 && s->state < SG_STATE_CLOSING;
}

/* One event, and all that follows from it at once. */
static void
walk_event(struct sg_session *s, int client, enum event event)
{
    enum sg_state before;
    char octet;

    if (event == EXPIRY) {
        s->setup.expired(&s->setup);
        return;
    }
    cr_assert_eq(send(client, sent[event].octets, sent[event].len, MSG_NOSIGNAL), (ssize_t)sent[event].len);
    do {
        before = s->state;
        (void)ev_run(sg_worker_loop(), EVRUN_NOWAIT);
        /* Until nothing waits and nothing has changed. */
    } while (alive(s) && (s->state != before || recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) != -1));
}

/* A sequence is a number in base EVENTS. True: it got past AUTH. */
static bool
walk(unsigned sequence)
{
    int client;
    struct sg_session *s = here_session(&here, &client);
    bool past = false;

    granted = false;
    for (unsigned step = 0; step < STEPS && alive(s); step++, sequence /= EVENTS) {
        walk_event(s, client, (enum event)(sequence % EVENTS));
        if (!alive(s))
            break;
        past = past || s->state > SG_STATE_AUTH;
        cr_assert_eq(s->rec->identified, granted, "an identity without a login, or the other way round");
        cr_assert(!past || granted, "past AUTH without a login");
    }
    sg_session_end_all(SG_REASON_STOPPED);
    sg_session_reap();
    (void)close(client);
    return past;
}

Test(login_walk, no_way_round)
{
    unsigned sequences = 1, walks = 0, past = 0;

    for (unsigned i = 0; i < STEPS; i++)
        sequences *= EVENTS;
    for (size_t v = 0; v < sizeof verdicts / sizeof verdicts[0]; v++)
        for (unsigned sequence = 0; sequence < sequences; sequence++, walks++) {
            verdict = verdicts[v];
            past += walk(sequence);
            atomic_store(&here.tables.acks->done, atomic_load(&here.tables.head->put));
        }
    (void)printf("%u walks, %u got past AUTH\n", walks, past);
    cr_expect_gt(past, 0, "the walk itself gets there with a good login");
}

/* Whatever is possible, the table has no way to RELAY that leaves a state out. */
Test(login_walk, the_table_has_one_road)
{
    static const enum sg_state road[] = { SG_STATE_CLIENT, SG_STATE_GREETING, SG_STATE_AUTH, SG_STATE_REQUEST,
                                          SG_STATE_ACCESS, SG_STATE_COMMAND,  SG_STATE_RELAY };

    for (size_t i = 1; i < sizeof road / sizeof road[0]; i++)
        for (enum sg_state from = 0; from < SG_STATES; from++)
            cr_expect_eq(sg_state_may_follow(from, road[i]), from == road[i - 1], "%s after %s", sg_state_name(road[i]),
                         sg_state_name(from));
}
