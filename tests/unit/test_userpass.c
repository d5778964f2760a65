/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_userpass.c - the login of RFC 1929 against the transcripts: every beginning of every message (UP-01, UP-02,
 * UP-06), and the answers (UP-03).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userpass.h"
#include "vectors.h"

#define IN_CASE "%s:%u", c->file, c->line

static unsigned logins, answers;

/* A part of the message as transcripts write it. */
static void
same_octets(const struct vector_case *c, const char *key, const uint8_t *octets, size_t len)
{
    char text[1100] = "";
    size_t at = 0;

    for (size_t i = 0; i < len; i++)
        at +=
            (size_t)snprintf(text + at, sizeof text - at,
                             octets[i] >= 0x21 && octets[i] <= 0x7e && octets[i] != '\\' ? "%c" : "\\x%02X", octets[i]);
    cr_expect_str_eq(text, vector_field(c, key), IN_CASE);
}

static ssize_t
expected(const struct vector_case *c, size_t n)
{
    const bool malformed = strstr(c->expect, "malformed") != NULL;
    const char *known = vector_field(c, malformed ? "at" : "consumed");

    if (known == NULL || n < strtoul(known, NULL, 10))
        return 0;
    return malformed ? -1 : strtol(known, NULL, 10);
}

static void
login_case(const struct vector_case *c)
{
    if (strcmp(c->codec, "userpass") != 0)
        return;
    logins++;
    for (size_t n = 0; n <= c->len; n++) {
        /* A block of just that size: an octet too far is seen. */
        uint8_t *octets = memcpy(malloc(n + (n == 0)), c->octets, n);
        struct sg_userpass login;
        const ssize_t got = sg_userpass_parse(octets, n, &login);

        cr_expect_eq(got, expected(c, n), "%s:%u: %zu octets: %zd", c->file, c->line, n, got);
        cr_expect_eq(login.wrong != SG_USERPASS_GOOD, got == -1, IN_CASE);
        if (got > 0) {
            same_octets(c, "user", login.uname, login.ulen);
            same_octets(c, "pass", login.passwd, login.plen);
        }
        free(octets);
    }
}

static void
answer_case(const struct vector_case *c)
{
    uint8_t out[SG_USERPASS_STATUS_LEN];

    if (strcmp(c->codec, "status") != 0)
        return;
    answers++;
    sg_userpass_put_status(out, (uint8_t)strtoul(vector_field(c, "status"), NULL, 16));
    cr_assert_eq(c->len, sizeof out, IN_CASE);
    cr_expect_arr_eq(out, c->octets, sizeof out, IN_CASE);
}

Test(userpass, transcripts)
{
    (void)vectors_each('>', login_case);
    (void)vectors_each('<', answer_case);
    (void)printf("%u logins, %u answers\n", logins, answers);
    cr_assert_geq(logins, 20);
    cr_assert_geq(answers, 6);
}

/* UP-06: who it was can be told although the message is refused. */
Test(userpass, nul_has_its_parts)
{
    static const uint8_t octets[] = { 1, 3, 'a', 0, 'b', 1, 'x' };
    struct sg_userpass login;

    cr_assert_eq(sg_userpass_parse(octets, sizeof octets, &login), -1);
    cr_expect_eq(login.wrong, SG_USERPASS_WRONG_NUL);
    cr_expect(login.ulen == 3 && memcmp(login.uname, octets + 2, 3) == 0);
}
