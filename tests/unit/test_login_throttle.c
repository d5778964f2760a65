/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_login_throttle.c - T55, V49: how many passwords can be tried, by whom, and who else notices. Time is a number here.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addrs.h"
#include "login_throttle.h"

#define BOOT INT64_C(1000000)
#define MINUTE INT64_C(60000)
#define TRIES_MOST 40 /* in five minutes, of one address */

static struct sg_logins_conf conf = { .throttle = true, .delay = 2000, .max_delay = 15000 };
static struct sg_brake *brake;
static char name[32], secret[32];

static void
setup(void)
{
    const int fd = sg_brake_create();
    bool fresh;

    cr_assert(sg_brake_fits(fd));
    brake = sg_brake_map(fd, &fresh);
    cr_assert_not_null(brake);
    cr_assert_not(fresh);
    (void)close(fd);
}

static void
teardown(void)
{
    sg_brake_unmap(brake);
}

TestSuite(login_throttle, .init = setup, .fini = teardown);

/* Begins a login; what sg_brake_begin() says. */
static int64_t
begin(const char *client, const char *user, const char *password, int64_t now_ms, struct sg_try *try)
{
    struct sg_creds creds = { .size = sizeof creds,
                              .kind = SG_CREDS_PASSWORD,
                              .name = user,
                              .name_len = strlen(user),
                              .secret = password,
                              .secret_len = strlen(password),
                              .listener = "main" };

    cr_assert_eq(sg_addr_parse(client, &creds.client), 0);
    return sg_brake_look(brake, &conf, &creds, now_ms, try) ? sg_brake_begin(brake, &conf, now_ms, try) : -1;
}

/* One that fails when its time has come; the time it had to wait, -1: it was refused. */
static int64_t
wrong(const char *client, const char *user, const char *password, int64_t now_ms)
{
    struct sg_try try;
    const int64_t wait = begin(client, user, password, now_ms, &try);

    sg_brake_waited(&try);
    if (wait >= 0)
        sg_brake_end(brake, &conf, now_ms + wait, &try, SG_TRY_WRONG);
    return wait;
}

static int64_t
right(const char *client, const char *user, int64_t now_ms)
{
    struct sg_try try;
    const int64_t wait = begin(client, user, "right", now_ms, &try);

    sg_brake_waited(&try);
    if (wait >= 0)
        sg_brake_end(brake, &conf, now_ms + wait, &try, SG_TRY_RIGHT);
    return wait;
}

/* The next guess of somebody who never guesses the same twice. */
static int64_t
guess(const char *client, unsigned number, int64_t now_ms)
{
    (void)snprintf(name, sizeof name, "user%u", number % 7);
    (void)snprintf(secret, sizeof secret, "guess%u", number);
    return wrong(client, name, secret, now_ms);
}

Test(login_throttle, the_delay_grows)
{
    static const int64_t waits[] = { 0, 2000, 4000, 8000, 15000, 15000, 15000 };
    int64_t now_ms = BOOT;

    for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        const int64_t wait = guess("192.0.2.1", i, now_ms);

        cr_assert_eq(wait, waits[i], "try %u waits %lld", i, (long long)wait);
        now_ms += wait;
    }
    cr_assert_eq(guess("192.0.2.1", 99, now_ms + 16 * MINUTE), 0, "after some silence it is forgotten");
}

/* One after the other, without a pause. */
Test(login_throttle, a_patient_guesser)
{
    unsigned n = 0;

    for (int64_t now_ms = BOOT; now_ms < BOOT + 5 * MINUTE; n++) {
        const int64_t wait = guess("192.0.2.1", n, now_ms);

        now_ms += wait >= 0 ? wait : 1000;
    }
    cr_assert_leq(n, TRIES_MOST, "%u tries", n);
    cr_assert_geq(n, 10);
}

/* A hundred a second, all at once. */
Test(login_throttle, an_impatient_guesser)
{
    unsigned n = 0, number = 0;

    for (int64_t now_ms = BOOT; now_ms < BOOT + 5 * MINUTE; now_ms += 10)
        n += guess("192.0.2.1", number++, now_ms) >= 0;
    cr_assert_leq(n, TRIES_MOST, "%u tries", n);
    cr_assert_eq(right("192.0.2.2", "carol", BOOT + 5 * MINUTE), 0, "who is elsewhere does not notice");
}

/* From everywhere, for one name: its owner waits, but not long. */
Test(login_throttle, a_name_that_is_guessed_at)
{
    struct sg_try try;
    char client[32];

    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(client, sizeof client, "10.0.%u.%u", i / 250, i % 250);
        (void)snprintf(secret, sizeof secret, "guess%u", i);
        cr_assert_leq(begin(client, "alice", secret, BOOT, &try), 2000);
        sg_brake_waited(&try);
        sg_brake_end(brake, &conf, BOOT, &try, SG_TRY_WRONG);
    }
    cr_assert_leq(right("192.0.2.2", "alice", BOOT + 2000), 2000);
    cr_assert_eq(right("192.0.2.2", "carol", BOOT), 0);
}

/* Nobody waits for an answer: the tries count all the same. */
Test(login_throttle, tries_that_are_given_up)
{
    unsigned n = 0;
    struct sg_try try;

    for (int64_t now_ms = BOOT; now_ms < BOOT + 5 * MINUTE; now_ms += 10) {
        (void)snprintf(secret, sizeof secret, "guess%lld", (long long)now_ms);
        n += begin("192.0.2.1", "alice", secret, now_ms, &try) >= 0;
        sg_brake_waited(&try);
    }
    cr_assert_leq(n, TRIES_MOST, "%u tries", n);
}

/* Fails only once every address of the /64 has; the /56 and the /48 bound who has more. */
Test(login_throttle, ipv6)
{
    char client[64];
    unsigned n = 0, n56 = 0, n48 = 0;

    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(client, sizeof client, "2001:db8:1:2:%x::1", i);
        n += guess(client, i, BOOT) >= 0;
    }
    cr_assert_leq(n, TRIES_MOST);
    for (unsigned i = 0; i < 2560; i++) {
        (void)snprintf(client, sizeof client, "2001:db8:2:%x::1", i % 256);
        n56 += guess(client, i, BOOT) >= 0;
    }
    cr_assert_eq(n56, 40);
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(client, sizeof client, "2001:db8:3:%x::1", i);
        n48 += guess(client, i, BOOT) >= 0;
    }
    cr_assert_eq(n48, 160);
    cr_assert_eq(right("2001:db8:4::1", "carol", BOOT), 0);
}

/* Whoever fills the table makes nobody forgotten. */
Test(login_throttle, a_full_table)
{
    char client[64];
    unsigned number = 0, n = 0;

    while (guess("192.0.2.1", number, BOOT) >= 0)
        number++;
    for (unsigned i = 0; i < 200000; i++) {
        (void)snprintf(client, sizeof client, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        (void)guess(client, i, BOOT);
    }
    for (unsigned i = 0; i < 100; i++)
        n += guess("192.0.2.1", ++number, BOOT) >= 0;
    cr_assert_eq(n, 0);
    cr_assert_eq(right("192.0.2.2", "carol", BOOT + 30 * MINUTE), 0, "and it gets empty by itself");
}

Test(login_throttle, the_same_password_again)
{
    int64_t now_ms = BOOT;

    cr_assert_eq(wrong("192.0.2.1", "alice", "old", now_ms), 0);
    for (unsigned i = 0; i < 100; i++, now_ms += 2000)
        cr_assert_leq(wrong("192.0.2.1", "alice", "old", now_ms), 2000);
    cr_assert_eq(wrong("192.0.2.1", "alice", "other", now_ms + 2000), 0);
    cr_assert_eq(wrong("192.0.2.1", "alice", "third", now_ms + 2000), 4000, "which was the second one that counts");
}

Test(login_throttle, many_behind_one_address)
{
    struct sg_try tries[9];
    int64_t now_ms = BOOT;

    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "user%u", i);
        cr_assert_eq(right("192.0.2.1", name, now_ms), 0);
    }
    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(name, sizeof name, "user%u", i);
        cr_assert_eq(begin("192.0.2.1", name, "right", now_ms, &tries[i]), 0, "at once");
    }
    for (unsigned i = 0; i < 9; i++)
        sg_brake_end(brake, &conf, now_ms, &tries[i], i % 2 == 0 ? SG_TRY_RIGHT : SG_TRY_UNKNOWN);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(right("192.0.2.1", "carol", now_ms), 0, "tokens have come back");
}

Test(login_throttle, waiting_is_bounded)
{
    struct sg_try tries[10], one_more;

    cr_assert_eq(wrong("192.0.2.1", "alice", "old", BOOT), 0);
    for (unsigned i = 0; i < 10; i++)
        cr_assert_eq(begin("192.0.2.1", "alice", "old", BOOT, &tries[i]), 2000);
    cr_assert_eq(begin("192.0.2.1", "alice", "old", BOOT, &one_more), -1);
    sg_brake_waited(&one_more);
    sg_brake_waited(&tries[3]);
    sg_brake_waited(&tries[3]);
    cr_assert_eq(begin("192.0.2.1", "alice", "old", BOOT, &one_more), 2000);
    cr_assert_eq(begin("192.0.2.1", "alice", "old", BOOT, &one_more), -1);
}

Test(login_throttle, who_is_not_counted)
{
    struct sg_range_item none[1] = { 0 };
    struct sg_logins_conf before = conf;

    cr_assert_eq(sg_range_parse("192.0.2.0/24", &none[0].range), 0);
    conf.exempt = (struct sg_ranges){ .n = 1, .v = none };
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(guess("192.0.2.1", i, BOOT), 0);
    cr_assert_eq(guess("198.51.100.1", 0, BOOT), 0);
    cr_assert_eq(guess("198.51.100.1", 1, BOOT), 2000);
    conf = before;
    conf.throttle = false;
    cr_assert_eq(guess("198.51.100.1", 2, BOOT), 0);
    conf = before;
}

/* Many processes count in one table; none is lost, and a child that is killed in the middle leaves a table that works. */
Test(login_throttle, workers_share_it)
{
    pid_t children[4];
    unsigned n = 0;
    int status;

    for (unsigned c = 0; c < 4; c++) {
        children[c] = fork();
        if (children[c] == 0) {
            for (unsigned i = 0; i < 1000; i++)
                n += guess("192.0.2.1", c * 1000 + i, BOOT) >= 0;
            _exit((int)n);
        }
    }
    for (unsigned c = 0; c < 4; c++) {
        cr_assert_eq(waitpid(children[c], &status, 0), children[c]);
        cr_assert(WIFEXITED(status));
        n += (unsigned)WEXITSTATUS(status);
    }
    cr_assert_eq(n, 10);
}

Test(login_throttle, another_layout)
{
    const int fd = sg_brake_create();
    struct sg_brake *own;
    bool fresh;

    cr_assert_eq(pwrite(fd, "another!", 8, 0), 8);
    cr_assert_not(sg_brake_fits(fd));
    own = sg_brake_map(fd, &fresh);
    cr_assert_not_null(own);
    cr_assert(fresh);
    sg_brake_unmap(own);
    cr_assert_eq(ftruncate(fd, 100), 0);
    cr_assert_not(sg_brake_fits(fd));
    cr_assert_not(sg_brake_fits(-1));
    (void)close(fd);
}
