/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_socks5.c - the codecs of SOCKS5 and SOCKS4 against the transcripts: whole, octet by octet (every split is a beginning), with octets
 * behind, and the replies.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "socks4.h"
#include "socks5.h"
#include "vectors.h"

#define IN_CASE "%s:%u", c->file, c->line

static unsigned long
number(const struct vector_case *c, const char *key, int base)
{
    const char *text = vector_field(c, key);

    cr_assert_not_null(text, "%s:%u: %s", c->file, c->line, key);
    return strtoul(text, NULL, base);
}

/* A copy of the beginning in a block of just that size. */
static uint8_t *
beginning(const struct vector_case *c, size_t n)
{
    return memcpy(malloc(n + (n == 0)), c->octets, n);
}

static void
greeting_whole(const struct vector_case *c, const struct sg_socks5_greeting *g)
{
    const char *methods = vector_field(c, "methods");
    char text[1024] = "";

    for (unsigned i = 0; i < g->nmethods; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%02x", i > 0 ? "," : "", g->methods[i]);
    /* The longest list is longer than a field is kept. */
    cr_expect_eq(strncasecmp(text, methods, strlen(methods)), 0, IN_CASE);
}

static void
greeting_case(const struct vector_case *c)
{
    const bool malformed = strstr(c->expect, "malformed") != NULL, more = strstr(c->expect, "more") != NULL;
    const size_t known = malformed ? number(c, "at", 10) : more ? c->len + 1 : number(c, "consumed", 10);

    for (size_t n = 0; n <= c->len; n++) {
        uint8_t *octets = beginning(c, n);
        struct sg_socks5_greeting g;
        const ssize_t got = sg_socks5_parse_greeting(octets, n, &g);

        cr_expect_eq(got,
                     n < known   ? 0
                     : malformed ? -1
                                 : (ssize_t)known,
                     "%s:%u: %zu octets: %zd", c->file, c->line, n, got);
        if (got > 0)
            greeting_whole(c, &g);
        free(octets);
    }
}

static void
request_whole(const struct vector_case *c, const struct sg_wire_request *r)
{
    char canonical[600], text[SG_ADDR_TEXT];
    const char *field = vector_field(c, "canon");

    (void)snprintf(canonical, sizeof canonical, "%s", field != NULL ? field : vector_field(c, "addr"));
    cr_expect_eq(r->cmd, number(c, "cmd", 10), IN_CASE);
    cr_expect_eq(r->atyp, number(c, "atyp", 10), IN_CASE);
    cr_expect_eq(r->port, number(c, "port", 10), IN_CASE);
    cr_expect_eq(r->rsv, vector_field(c, "rsv") != NULL ? number(c, "rsv", 16) : 0, IN_CASE);
    if (r->name == NULL)
        cr_expect_str_eq(sg_addr_format_ip(&r->addr, text, sizeof text), canonical, IN_CASE);
    else if (canonical[strlen(canonical) - 1] == '.')
        cr_expect_eq(r->name_len, strlen(canonical) - 1, IN_CASE);
    else
        cr_expect(r->name_len == strlen(canonical) && memcmp(r->name, canonical, r->name_len) == 0, IN_CASE);
}

static void
userid_whole(const struct vector_case *c, const struct sg_wire_request *r)
{
    char text[SG_SOCKS4_USERID_MAX * 4 + 1] = "";

    for (unsigned i = 0; i < r->userid_len; i++)
        (void)snprintf(text + strlen(text), 5, r->userid[i] > 0x20 && r->userid[i] < 0x7f ? "%c" : "\\x%02X",
                       r->userid[i]);
    cr_expect_str_eq(text, vector_field(c, "userid"), IN_CASE);
}

static void
request_case(const struct vector_case *c, const struct sg_protocol *protocol)
{
    const bool malformed = strstr(c->expect, "malformed") != NULL, more = strstr(c->expect, " more") != NULL;
    const size_t known = malformed ? number(c, "at", 10) : more ? c->len + 1 : number(c, "consumed", 10);

    for (size_t n = 0; n <= c->len; n++) {
        uint8_t *octets = beginning(c, n);
        struct sg_wire_request r;
        const ssize_t got = protocol->parse_request(octets, n, &r);

        cr_expect_eq(got,
                     n < known   ? 0
                     : malformed ? -1
                                 : (ssize_t)known,
                     "%s:%u: %zu octets: %zd", c->file, c->line, n, got);
        if (got == -1)
            cr_expect_eq(r.rep, number(c, "rep", 16), IN_CASE);
        if (got > 0)
            request_whole(c, &r);
        if (got > 0 && protocol == &sg_socks4)
            userid_whole(c, &r);
        free(octets);
    }
}

static unsigned greetings, requests, requests4, replies, replies4;

static void
client_case(const struct vector_case *c)
{
    if (strcmp(c->codec, "greeting") == 0) {
        greetings++;
        greeting_case(c);
    } else if (strcmp(c->codec, "request") == 0) {
        requests++;
        request_case(c, &sg_socks5);
    } else if (strcmp(c->codec, "request4") == 0) {
        requests4++;
        request_case(c, &sg_socks4);
    }
}

static void
reply_case(const struct vector_case *c)
{
    uint8_t out[SG_REPLY_MAX];
    struct sg_addr addr;
    size_t len;

    if (strcmp(c->codec, "reply") != 0 && strcmp(c->codec, "reply4") != 0)
        return;
    cr_assert_eq(sg_addr_parse(vector_field(c, "addr"), &addr), 0, IN_CASE);
    addr.port = (uint16_t)number(c, "port", 10);
    if (strcmp(c->codec, "reply") == 0) {
        replies++;
        len = sg_socks5.put_reply(out, (uint8_t)number(c, "rep", 16), &addr);
    } else {
        replies4++;
        len = sg_socks4_put_reply(out, (enum sg_cd)number(c, "cd", 10), &addr);
    }
    cr_assert_eq(len, c->len, IN_CASE);
    cr_expect_arr_eq(out, c->octets, c->len, IN_CASE);
}

Test(socks5, transcripts)
{
    (void)vectors_each('>', client_case);
    (void)printf("%u greetings, %u requests, %u of SOCKS4\n", greetings, requests, requests4);
    cr_assert_geq(greetings, 30);
    cr_assert_geq(requests, 90);
    cr_assert_geq(requests4, 30);
}

Test(socks5, replies)
{
    (void)vectors_each('<', reply_case);
    cr_assert_geq(replies, 25);
    cr_assert_geq(replies4, 5);
}

/* S5-R06: without an address a reply is as long as with one. */
Test(socks5, failure_reply_is_full_length)
{
    static const uint8_t wanted[10] = { 5, 2, 0, 1 };
    uint8_t out[SG_REPLY_MAX];

    cr_assert_eq(sg_socks5.put_reply(out, 2, NULL), 10);
    cr_assert_arr_eq(out, wanted, 10);
}
