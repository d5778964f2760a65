/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_socks4.c - what the transcripts do not say of SOCKS4: CD for every REP, and requests of both protocols that come
 * in pieces.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "socks4.h"

/* S4-02: eight octets, the first 00; 90 for a success, 91 for every failure; an address that is not IPv4 is zeros. */
Test(socks4, replies)
{
    static const uint8_t granted[] = { 0, 90, 0x12, 0x34, 192, 0, 2, 1 }, no_room[] = { 0, 90, 0, 0, 0, 0, 0, 0 };
    const struct sg_addr four = { .family = SG_FAMILY_IPV4, .port = 0x1234, .ip = { 192, 0, 2, 1 } };
    const struct sg_addr six = { .family = SG_FAMILY_IPV6, .port = 0x1234, .ip = { 0x20, 1 } };
    uint8_t out[SG_REPLY_MAX];

    cr_assert_eq(sg_socks4.put_reply(out, SG_REP_SUCCEEDED, &four), 8);
    cr_expect_arr_eq(out, granted, 8);
    cr_assert_eq(sg_socks4.put_reply(out, SG_REP_SUCCEEDED, &six), 8);
    cr_expect_arr_eq(out, no_room, 8);
    for (unsigned rep = 1; rep <= 0xff; rep++) {
        cr_assert_eq(sg_socks4.put_reply(out, (uint8_t)rep, NULL), 8);
        cr_expect(out[0] == 0 && out[1] == SG_CD_REJECTED && out[7] == 0);
    }
}

/* What the session sees of a message that arrives in pieces: where each request ends, or where it is malformed. */
struct seen {
    unsigned n;
    ssize_t ends[4];
};

/* `cuts`: bit i set: a piece ends behind octet i. */
static struct seen
see(const struct sg_protocol *protocol, const uint8_t *octets, size_t len, uint32_t cuts)
{
    struct seen seen = { 0 };
    size_t from = 0;

    for (size_t have = 1; have <= len; have++) {
        struct sg_wire_request request;
        ssize_t n;

        if (have < len && (cuts & 1u << (have - 1)) == 0)
            continue;
        while (seen.n < 4 && (n = protocol->parse_request(octets + from, have - from, &request)) != 0) {
            seen.ends[seen.n++] = n == -1 ? -1 : (ssize_t)from + n;
            if (n == -1)
                return seen;
            from += (size_t)n;
        }
    }
    return seen;
}

/* Every way to cut each message into pieces gives what the whole gives: 2^(n-1) ways for n octets. */
Test(socks4, every_split)
{
    static const struct {
        const struct sg_protocol *protocol;
        const char *octets;
        size_t len;
        struct seen seen;
    } messages[] = {
#define MESSAGE(protocol, text, ...)                                                                                   \
    {                                                                                                                  \
        (protocol), (text), sizeof(text) - 1,                                                                          \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
        MESSAGE(&sg_socks4, "\4\1\0\x50\xc0\0\2\1joe\0", 1, { 12 }),
        MESSAGE(&sg_socks4, "\4\1\0\x50\0\0\0\1jo\0a.de\0", 1, { 16 }),
        MESSAGE(&sg_socks4, "\4\2\0\x15\0\0\0\1\0\0", 1, { -1 }),
        MESSAGE(&sg_socks4, "\4\1\0\x50\xc0\0\2\1\0\4\1\0\x50\0\0\0\0\0", 2, { 9, 18 }),
        MESSAGE(&sg_socks4, "\4\1\0\x50\0\0\0\1\0a b\0GET", 1, { -1 }),
        MESSAGE(&sg_socks5, "\5\1\0\1\xc0\0\2\1\0\x50", 1, { 10 }),
        MESSAGE(&sg_socks5, "\5\1\0\3\4a.de\0\x50\5\1\0\1", 1, { 11 }),
        MESSAGE(&sg_socks5, "\5\1\0\2\xc0\0\2\1", 1, { -1 }),
#undef MESSAGE
    };
    unsigned ways = 0;

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        for (uint32_t cuts = 0; cuts < 1u << (messages[i].len - 1); cuts++) {
            const struct seen seen =
                see(messages[i].protocol, (const uint8_t *)messages[i].octets, messages[i].len, cuts);

            cr_assert(memcmp(&seen, &messages[i].seen, sizeof seen) == 0, "message %zu, cuts %x", i, cuts);
            ways++;
        }
    (void)printf("%u ways\n", ways);
    cr_assert_gt(ways, 200000);
}
