/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record.c - the lines of the session log, octet by octet, and the writer below them.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "session.h"
#include "tables.h"

static const char *const names[] = { "lan", "x80", "/etc/a.conf", NULL };

static struct sg_addr
ipv4(uint8_t last, uint16_t port)
{
    return (struct sg_addr){ .family = SG_FAMILY_IPV4, .port = port, .ip = { 192, 0, 2, last } };
}

/* Who came, and where. */
static struct sg_record *
bare(void)
{
    struct sg_record *rec = tables_record();

    rec->id_high = 0x0123456789abcdef;
    rec->id_low = 0x0001000000000007;
    rec->listener = 1;
    rec->client = ipv4(1, 40000);
    rec->accepted_wall_ms = 1769860800000;
    return rec;
}

/* All that a record can hold. */
static struct sg_record *
full(void)
{
    const struct sg_addr six = { .family = SG_FAMILY_IPV6, .port = 80, .ip = { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };
    const struct sg_addr four = ipv4(7, 80);
    struct sg_record *rec = bare();

    rec->started = rec->identified = rec->replied = true;
    rec->reason = SG_REASON_TARGET_RESET;
    rec->ver = 5;
    rec->requested = true;
    rec->method = 0x80;
    rec->cmd = 1;
    rec->assurance = 20;
    rec->err = ECONNRESET;
    rec->instance = 2;
    rec->rule_file = 3;
    rec->rule_line = 12;
    rec->phase = SG_STATE_RELAY + 1;
    rec->target = four;
    rec->bind = ipv4(9, 50000);
    rec->port = 80;
    rec->accepted_mono_ms = 1000;
    rec->connected_mono_ms = 1123;
    rec->ended_mono_ms = 3007;
    rec->bytes_up = 5;
    rec->bytes_down = 1099511627776;
    sg_record_set_rule(rec, "web");
    cr_assert(sg_record_put(rec, &rec->user, "alice", 5) && sg_record_put(rec, &rec->name, "www.example.com", 15));
    cr_assert(sg_record_put(rec, &rec->reason_text, "why", 3));
    sg_record_add_tried(rec, &six);
    sg_record_add_tried(rec, &four);
    return rec;
}

#define HEAD(time, event)                                                                                              \
    "{\"time\":\"2026-01-31T12:00:" time "Z\",\"event\":\"" event "\",\"id\":\"0123456789abcdef0001000000000007\","    \
    "\"listener\":\"lan\",\"client\":\"192.0.2.1:40000\""
#define MIDDLE                                                                                                         \
    ",\"ver\":5,\"method\":\"80\",\"instance\":\"x80\",\"user\":\"alice\",\"assurance\":20,\"command\":\"connect\","   \
    "\"host\":\"www.example.com\",\"port\":80,\"target\":\"192.0.2.7:80\",\"bind\":\"192.0.2.9:50000\","               \
    "\"rule\":\"web\",\"rule_at\":\"/etc/a.conf:12\",\"tried\":[\"[2001:db8::1]:80\",\"192.0.2.7:80\"],\"rep\":\"00\""

Test(record, start_and_end)
{
    struct sg_record *rec = full();

    cr_expect_str_eq(tables_line(rec, SG_EVENT_SESSION_START, names), HEAD("00.123", "session_start") MIDDLE "}\n");
    cr_expect_str_eq(tables_line(rec, SG_EVENT_SESSION_END, names), HEAD("02.007", "session_end") MIDDLE
                     ",\"phase\":\"relay\",\"reason\":\"target_reset\",\"reason_text\":\"why\","
                     "\"error\":\"ECONNRESET\",\"bytes_up\":5,\"bytes_down\":1099511627776,\"duration_ms\":2007}\n");
    sg_record_set_dry_run(rec, "soon", SG_DENY);
    cr_expect(
        strstr(tables_line(rec, SG_EVENT_SESSION_START, names), "\"dry_run_rule\":\"soon\",\"dry_run\":\"deny\""));
    free(rec);
}

/* Nothing but the client is known; and a login that failed: METHOD and instance are known, the user is not. */
Test(record, refused)
{
    struct sg_record *rec = bare();

    rec->reason = SG_REASON_NO_METHOD;
    rec->phase = SG_STATE_GREETING + 1;
    cr_expect_str_eq(
        tables_line(rec, SG_EVENT_SESSION_REFUSED, names),
        HEAD("00.000", "session_refused") ",\"phase\":\"greeting\",\"reason\":\"no_method\",\"duration_ms\":0}\n");
    rec->reason = SG_REASON_LOGIN_DENIED;
    rec->method = 0x80;
    rec->instance = 2;
    cr_expect_str_eq(tables_line(rec, SG_EVENT_SESSION_REFUSED, names),
                     HEAD("00.000", "session_refused") ",\"method\":\"80\",\"instance\":\"x80\",\"phase\":\"greeting\","
                                                       "\"reason\":\"login_denied\",\"duration_ms\":0}\n");
    free(rec);
}

/* SOCKS4, and who came for a BIND: known when session_start is long out. */
Test(record, claims_and_peers)
{
    struct sg_record *rec = bare();
    const char *line;

    rec->started = rec->replied = rec->requested = true;
    rec->ver = 4;
    rec->cmd = 2;
    rec->rep = 6;
    rec->target = ipv4(7, 21);
    rec->peer = ipv4(7, 20);
    rec->peers_refused = 3;
    cr_assert(sg_record_put(rec, &rec->userid, "joe", 3));
    line = tables_line(rec, SG_EVENT_SESSION_START, names);
    cr_expect(strstr(line, "\"ver\":4,\"userid\":\"joe\",\"command\":\"bind\"") != NULL, "%s", line);
    cr_expect(strstr(line, "peer") == NULL && strstr(line, "\"rep\":\"00\"") != NULL, "%s", line);
    line = tables_line(rec, SG_EVENT_SESSION_END, names);
    cr_expect(strstr(line, "\"peer\":\"192.0.2.7:20\",\"peers_refused\":3,\"rep\":\"06\"") != NULL, "%s", line);
    free(rec);
}

Test(record, unknown_command_and_errno)
{
    const struct sg_addr tried = ipv4(7, 80);
    struct sg_record *rec = bare();
    const char *line;

    rec->ver = 5;
    rec->requested = true;
    rec->cmd = 0x7f;
    rec->err = 99999;
    sg_record_add_tried(rec, &tried);
    rec->tried_more = true;
    line = tables_line(rec, SG_EVENT_SESSION_FAILED, names);
    cr_expect(strstr(line, "\"command\":\"7f\",\"port\":0,\"tried\":[\"192.0.2.7:80\"],\"tried_more\":true,"));
    cr_expect(strstr(line, "\"error\":\"unknown\""));
    free(rec);
}

/* Counters of dropped datagrams: those that are not 0, as they are at that moment; an object in any case. */
Test(record, udp_drops)
{
    struct sg_record *rec = bare();
    uint32_t *drops;
    const char *line;

    cr_assert(sg_record_put(rec, &rec->user, "a", 1)); /* so that the arena is not aligned by chance */
    drops = sg_record_udp_drops(rec);
    cr_assert(drops != NULL && (uintptr_t)drops % sizeof *drops == 0);
    line = tables_line(rec, SG_EVENT_SESSION_END, names);
    cr_expect(strstr(line, "\"udp_drops\":{},") != NULL, "%s", line);
    drops[SG_UDP_DROP_SENDER] = 3;
    drops[SG_UDP_DROP_SOURCE] = UINT32_MAX;
    line = tables_line(rec, SG_EVENT_SESSION_END, names);
    cr_expect(strstr(line, "\"udp_drops\":{\"sender\":3,\"source\":4294967295},") != NULL, "%s", line);
    cr_expect(strstr(tables_line(rec, SG_EVENT_SESSION_START, names), "udp_drops") == NULL);
    rec->udp_drops.len = 3;
    cr_expect(strstr(tables_line(rec, SG_EVENT_SESSION_END, names), "udp_drops") == NULL);
    free(rec);
}

/* `ver` 4: a USERID of `userid` octets is there first, and what remains is for the reason. */
static void
longest_fits(uint8_t ver, size_t userid, size_t reason)
{
    struct sg_record *rec = bare();
    char octets[255], label[SG_RECORD_LABEL_MAX + 1];
    const struct sg_addr tried = ipv4(7, 80);
    const char *line;

    memset(octets, 0xff, sizeof octets);
    memset(label, 'l', SG_RECORD_LABEL_MAX);
    label[SG_RECORD_LABEL_MAX] = '\0';
    rec->started = rec->identified = true;
    rec->instance = 2;
    rec->ver = ver;
    rec->requested = true;
    cr_assert(sg_record_put(rec, &rec->userid, octets, userid));
    cr_assert(sg_record_put(rec, &rec->user, octets, 255) && sg_record_put(rec, &rec->name, octets, 253));
    for (unsigned i = 0; i < 20; i++)
        sg_record_add_tried(rec, &tried);
    cr_expect(rec->tried_more);
    cr_assert(sg_record_put(rec, &rec->reason_text, octets, reason), "%zu octets of arena", SG_RECORD_ARENA);
    sg_record_set_rule(rec, label);
    sg_record_set_dry_run(rec, label, SG_OK);
    line = tables_line(rec, SG_EVENT_SESSION_END, names);
    cr_expect(!strstr(line, "\"cut\""));
    cr_expect_leq(strlen(line), 4096, "a pipe takes more than that in pieces, and other processes write there too");
    free(rec);
}

/* The longest user, host, rule and reason that there are fit, and still make one line; so does the longest USERID. */
Test(record, longest)
{
    longest_fits(5, 0, 127);
    longest_fits(4, 64, 0);
}

/* Without long strings every address has its place. */
Test(record, sixteen_addresses)
{
    struct sg_record *rec = full();
    const struct sg_addr four = ipv4(8, 81);
    struct sg_addr back;

    for (unsigned i = 0; i < 14; i++)
        sg_record_add_tried(rec, &four);
    cr_expect(rec->n_tried == 16 && !rec->tried_more);
    cr_expect(sg_record_tried(rec, 0, &back) && back.family == SG_FAMILY_IPV6 && back.port == 80);
    cr_expect(sg_record_tried(rec, 15, &back) && sg_addr_same_ip(&back, &four) && back.port == 81);
    cr_expect(!sg_record_tried(rec, 16, &back));
    sg_record_add_tried(rec, &four);
    cr_expect(rec->n_tried == 16 && rec->tried_more);
    free(rec);
}

/* Whoever reads another process's table may find anything in it: no octet outside is looked at. */
Test(record, nonsense)
{
    struct sg_record *rec = tables_record();
    uint32_t state = 1;

    for (unsigned round = 0; round < 20000; round++) {
        for (size_t i = 0; i < SG_RECORD_SIZE; i++) {
            state = state * 1664525 + 1013904223;
            ((uint8_t *)rec)[i] = (uint8_t)(state >> 24);
        }
        for (enum sg_event event = 0; event < SG_EVENT_COUNT; event++)
            cr_assert(strlen(tables_line(rec, event, names)) > 2);
    }
    free(rec);
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
    cr_expect_eq(refused, 12);
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
