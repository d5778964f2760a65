/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record.c - the lines of the session log, octet by octet, and the writer below them.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "json.h"
#include "log.h"
#include "record.h"

static int log_fd;

static void
open_log(void)
{
    log_fd = memfd_create("log", MFD_CLOEXEC);
    cr_assert_neq(log_fd, -1);
    sg_log_init(SG_LOG_DEBUG);
    sg_log_take_fd(dup(log_fd));
}

static const char *
logged(void)
{
    static char text[16384];
    const ssize_t n = pread(log_fd, text, sizeof text - 1, 0);

    cr_assert_geq(n, 0);
    text[n] = '\0';
    return text;
}

static struct sg_addr
ipv4(uint8_t last, uint16_t port)
{
    return (struct sg_addr){ .family = SG_FAMILY_IPV4, .port = port, .ip = { 192, 0, 2, last } };
}

/* All that a record can hold. */
static struct sg_record
full(void)
{
    struct sg_record rec = { .id = "0123456789abcdef0001000000000007",
                             .started = true,
                             .identified = true,
                             .reason = SG_REASON_TARGET_RESET,
                             .rep = 0,
                             .replied = true,
                             .ver = 5,
                             .method = 0x80,
                             .cmd = 1,
                             .assurance = 20,
                             .err = ECONNRESET,
                             .listener = "lan",
                             .auth_instance = "x80",
                             .rule = "web",
                             .rule_file = "/etc/a.conf",
                             .rule_line = 12,
                             .phase = "relay",
                             .reason_text = "why",
                             .client = ipv4(1, 40000),
                             .target = ipv4(7, 80),
                             .bind = ipv4(9, 50000),
                             .user = "alice",
                             .user_len = 5,
                             .name = "www.example.com",
                             .name_len = 15,
                             .port = 80,
                             .n_tried = 2,
                             .accepted_wall_ms = 1769860800000,
                             .accepted_mono_ms = 1000,
                             .connected_mono_ms = 1123,
                             .ended_mono_ms = 3007,
                             .bytes_up = 5,
                             .bytes_down = 1099511627776 };

    rec.tried[0] = (struct sg_addr){ .family = SG_FAMILY_IPV6, .port = 80, .ip = { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };
    rec.tried[1] = ipv4(7, 80);
    return rec;
}

#define HEAD(time, event)                                                                                              \
    "{\"time\":\"2026-01-31T12:00:" time "Z\",\"event\":\"" event "\",\"id\":\"0123456789abcdef0001000000000007\","    \
    "\"listener\":\"lan\",\"client\":\"192.0.2.1:40000\""
#define MIDDLE                                                                                                         \
    ",\"method\":\"80\",\"instance\":\"x80\",\"user\":\"alice\",\"assurance\":20,\"command\":\"connect\","             \
    "\"host\":\"www.example.com\",\"port\":80,\"target\":\"192.0.2.7:80\",\"bind\":\"192.0.2.9:50000\","               \
    "\"rule\":\"web\",\"rule_at\":\"/etc/a.conf:12\",\"tried\":[\"[2001:db8::1]:80\",\"192.0.2.7:80\"],\"rep\":\"00\""

Test(record, start_and_end)
{
    const struct sg_record rec = full();

    open_log();
    sg_record_write(&rec, SG_EVENT_SESSION_START);
    sg_record_write(&rec, SG_EVENT_SESSION_END);
    cr_assert_str_eq(logged(), HEAD("00.123", "session_start") MIDDLE "}\n" HEAD("02.007", "session_end") MIDDLE
                     ",\"phase\":\"relay\",\"reason\":\"target_reset\",\"reason_text\":\"why\","
                     "\"error\":\"ECONNRESET\",\"bytes_up\":5,\"bytes_down\":1099511627776,\"duration_ms\":2007}\n");
}

/* Nothing but the client is known; and a login that failed: METHOD and instance are known, the user is not. */
Test(record, refused)
{
    struct sg_record rec = full();
    const struct sg_record bare = { .id = "0123456789abcdef0001000000000007",
                                    .reason = SG_REASON_NO_METHOD,
                                    .listener = "lan",
                                    .phase = "greeting",
                                    .client = rec.client,
                                    .accepted_wall_ms = rec.accepted_wall_ms };

    open_log();
    sg_record_write(&bare, SG_EVENT_SESSION_REFUSED);
    rec = bare;
    rec.reason = SG_REASON_LOGIN_DENIED;
    rec.method = 0x80;
    rec.auth_instance = "x80";
    sg_record_write(&rec, SG_EVENT_SESSION_REFUSED);
    cr_assert_str_eq(
        logged(),
        HEAD("00.000", "session_refused") ",\"phase\":\"greeting\",\"reason\":\"no_method\","
                                          "\"duration_ms\":0}\n" HEAD(
                                              "00.000", "session_refused") ",\"method\":\"80\",\"instance\":\"x80\","
                                                                           "\"phase\":\"greeting\",\"reason\":\"login_"
                                                                           "denied\",\"duration_ms\":0}\n");
}

Test(record, unknown_command_and_errno)
{
    struct sg_record rec = { .ver = 5, .cmd = 0x7f, .listener = "l", .err = 99999, .n_tried = 1, .tried_more = true };

    open_log();
    rec.tried[0] = ipv4(7, 80);
    sg_record_write(&rec, SG_EVENT_SESSION_FAILED);
    cr_assert_not_null(strstr(logged(), "\"command\":\"7f\",\"port\":0,\"tried\":[\"192.0.2.7:80\"],"
                                        "\"tried_more\":true,"));
    cr_assert_not_null(strstr(logged(), "\"error\":\"unknown\""));
}

/* The longest user and host that there are, of the octets that need most room: the record still is one line, whole. */
Test(record, longest)
{
    struct sg_record rec = full();

    memset(rec.user, 1, 255);
    rec.user_len = 255;
    memset(rec.name, 0xff, 253);
    rec.name_len = 253;
    open_log();
    sg_record_write(&rec, SG_EVENT_SESSION_END);
    cr_assert_null(strstr(logged(), "\"cut\""));
    cr_assert_leq(strlen(logged()), 4096, "a pipe takes more than that in pieces, and other processes write there too");
    cr_assert_str_eq(strstr(logged(), "\"duration_ms\""), "\"duration_ms\":2007}\n");
}

/* Scripts grep for these words: each once, and words only. */
Test(record, words)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < SG_REASON_COUNT; i++) {
        const char *name = sg_reason_name((enum sg_reason)i);

        cr_expect(name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name), "%s", name);
        refused += sg_reason_refused((enum sg_reason)i);
        for (unsigned j = 0; j < i; j++)
            cr_expect_str_neq(name, sg_reason_name((enum sg_reason)j));
    }
    cr_expect_eq(refused, 9);
    cr_expect(sg_reason_refused(SG_REASON_LOGIN_DENIED) && !sg_reason_refused(SG_REASON_CONNECT_FAILED));
    cr_expect_str_eq(sg_event_name(SG_EVENT_SESSION_FAILED), "session_failed");
}

static const struct {
    const char *octets;
    size_t len;
    const char *json;
} strings[] = {
    { "", 0, "" },
    { "alice", 5, "alice" },
    { "a\"b\\c/d", 7, "a\\\"b\\\\c/d" },
    { "a\r\nb\tc", 6, "a\\u000d\\u000ab\\u0009c" },
    { "a\0b", 3, "a\\u0000b" },
    { "\x1b[2J\x7f", 5, "\\u001b[2J\\u007f" },
    { "gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f" },
    { "\xe2\x82\xac \xf0\x9f\x98\x80", 8, "\xe2\x82\xac \xf0\x9f\x98\x80" },
    { "\xc2\x85\xe2\x80\xa8\xe2\x80\xae", 8, "\\u0085\\u2028\\u202e" },
    { "\xef\xbb\xbf", 3, "\\ufeff" },
    { "\xfc", 1, "\xf4\x8f\xbf\xbc" },
    { "a\xc3", 2, "a\xf4\x8f\xbf\x83" },
    { "\xc0\xaf", 2, "\xf4\x8f\xbf\x80\xf4\x8f\xbe\xaf" },
    { "\xed\xa0\x80", 3, "\xf4\x8f\xbf\xad\xf4\x8f\xbe\xa0\xf4\x8f\xbe\x80" },
    { "\xf4\x8f\xbf\xbc", 4, "\xf4\x8f\xbf\xb4\xf4\x8f\xbe\x8f\xf4\x8f\xbe\xbf\xf4\x8f\xbe\xbc" },
    { "\xf4\x8f\xbd\xbf", 4, "\xf4\x8f\xbd\xbf" },
};

Test(json, strings)
{
    char text[256], wanted[256];
    struct sg_json json;

    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        sg_json_begin(&json, text, sizeof text);
        sg_json_octets(&json, "x", strings[i].octets, strings[i].len);
        (void)snprintf(wanted, sizeof wanted, "{\"x\":\"%s\"}\n", strings[i].json);
        cr_expect_eq(sg_json_end(&json), strlen(wanted), "%zu", i);
        cr_expect_str_eq(text, wanted);
    }
}

/* As a reader of the log does it: json.h describes how. */
static size_t
octets_of(const char *json, uint8_t *out)
{
    const uint8_t *p = (const uint8_t *)json;
    size_t n = 0;

    while (*p != '"') {
        if (p[0] == '\\' && p[1] == 'u') {
            const char hex[] = { (char)p[4], (char)p[5], '\0' };

            cr_assert(p[2] == '0' && p[3] == '0');
            out[n++] = (uint8_t)strtoul(hex, NULL, 16);
            p += 6;
        } else if (p[0] == '\\') {
            out[n++] = p[1];
            p += 2;
        } else if (p[0] == 0xf4 && p[1] == 0x8f && p[2] >= 0xbe) {
            out[n++] = (uint8_t)(p[2] << 6 | (p[3] & 0x3f));
            p += 4;
        } else {
            out[n++] = *p++;
        }
    }
    return n;
}

/* Every pair of octets comes back as it was, and what was written is free of controls. C1 controls are left to `strings`. */
Test(json, every_pair_comes_back)
{
    char text[64];
    uint8_t back[8];
    struct sg_json json;

    for (unsigned i = 0; i < 0x10000; i++) {
        const uint8_t pair[2] = { (uint8_t)(i >> 8), (uint8_t)i };
        size_t len;

        if (pair[0] == 0xc2 && pair[1] >= 0x80 && pair[1] < 0xa0)
            continue;
        sg_json_begin(&json, text, sizeof text);
        sg_json_octets(&json, "x", pair, 2);
        len = sg_json_end(&json);
        for (size_t at = 0; at < len - 1; at++)
            cr_assert((uint8_t)text[at] >= 0x20 && text[at] != 0x7f, "%04x", i);
        cr_assert_eq(octets_of(text + 6, back), 2, "%04x: %s", i, text);
        cr_assert_arr_eq(back, pair, 2, "%04x: %s", i, text);
    }
}

/* A member is there whole or not at all, whatever the size; the object always ends well and says that it was cut. */
Test(json, cut)
{
    static const char whole[] = "{\"a\":\"first\",\"list\":[\"one\",\"two\"],\"n\":-1234567890123}\n";
    static const char *const list[] = { "one", "two" };
    char text[sizeof whole + 64];
    struct sg_json json;
    bool seen_whole = false;

    for (size_t size = 64; size <= sizeof text; size++) {
        sg_json_begin(&json, text, size);
        sg_json_string(&json, "a", "first");
        sg_json_strings(&json, "list", list, 2);
        sg_json_number(&json, "n", -1234567890123);
        cr_assert_lt(sg_json_end(&json), size);
        if (!json.cut) {
            cr_assert_str_eq(text, whole);
            seen_whole = true;
        } else {
            cr_assert_str_eq(text, "{\"a\":\"first\",\"list\":[\"one\",\"two\"],\"cut\":true}\n");
        }
    }
    cr_assert(seen_whole);
    sg_json_begin(&json, text, 64);
    sg_json_string(&json, "a", "a text that is far too long for a buffer of sixty-four octets");
    sg_json_number(&json, "n", 1);
    (void)sg_json_end(&json);
    cr_assert_str_eq(text, "{\"n\":1,\"cut\":true}\n");
}
