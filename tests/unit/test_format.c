/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_format.c - formats of logs: what may be asked for, and that every line can be taken apart again.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockgate/event.h>

#include "format.h"
#include "tables.h"

static const char *
no_name(const struct sg_record_names *names, uint16_t number)
{
    (void)names;
    return number == 1 ? "lan" : NULL;
}

static const struct sg_record_names names = { no_name };

static struct sg_record *
session(const void *user, size_t user_len, const void *host, size_t host_len)
{
    struct sg_record *rec = tables_record();

    rec->id_high = 0x0123456789abcdef;
    rec->id_low = 0x0001000000000007;
    rec->accepted_wall_ms = 1769860800000;
    rec->listener = rec->instance = 1;
    rec->identified = rec->started = true;
    rec->ver = 5;
    rec->requested = true;
    rec->cmd = 1;
    rec->port = 80;
    rec->reason = SG_REASON_CLOSED;
    cr_assert(sg_record_put(rec, &rec->user, user, user_len) && sg_record_put(rec, &rec->name, host, host_len));
    return rec;
}

static const char *
printed(const char *text, const struct sg_record *rec, enum sg_event event, size_t size)
{
    static char line[SG_EVENT_LINE_MAX];
    const struct sg_event_info info = { .event = event, .rec = rec, .names = &names };
    char error[256] = "";
    struct sg_event_format *format = sg_format_compile(text, error, sizeof error);

    cr_assert(format, "%s", error);
    cr_assert_eq(sg_event_print(format, &info, line, size), strlen(line));
    sg_event_format_free(format);
    return line;
}

/* ---- what may be asked for */

static const struct {
    const char *text, *error;
} wrong[] = {
    { "", "\"\" is not the name of a format, and has no variable" },
    { "jsn", "there is no format \"jsn\", did you mean \"json\"?" },
    { "no variable at all", "\"no variable at all\" is not the name of a format, and has no variable" },
    { "$tme", "there is no variable \"$tme\", did you mean \"$time\"?" },
    { "${User}", "there is no variable \"$User\", did you mean \"$user\"?" },
    { "$xyzzyxyzzy", "there is no variable \"$xyzzyxyzzy\"" },
    { "$time $", "behind \"$\" stands the name of a variable; write \"$$\" for a dollar" },
    { "$ time", "behind \"$\" stands the name of a variable; write \"$$\" for a dollar" },
    { "${}", "behind \"$\" stands the name of a variable; write \"$$\" for a dollar" },
    { "${time $user", "\"${time $user\" has no \"}\"" },
    { "$time\n$user", "a format has printable ASCII characters, spaces and tabs, no octet 0a" },
    { "$time gr\xc3\xbc\xc3\x9f", "a format has printable ASCII characters, spaces and tabs, no octet c3" },
    { "$time $user,$host",
      "between \"$user\" and \"$host\" there must be a space, a tab, a quotation mark or a backslash: "
      "anything else could be part of a value" },
    { "$user$host", "between \"$user\" and \"$host\" there must be a space, a tab, a quotation mark or a backslash: "
                    "anything else could be part of a value" },
};

Test(format, mistakes)
{
    char error[256];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_null(sg_format_compile(wrong[i].text, error, sizeof error), "%s", wrong[i].text);
        cr_expect_str_eq(error, wrong[i].error);
    }
}

Test(format, bounds)
{
    char text[4096], error[256];
    struct sg_event_format *format;

    for (size_t n = 64; n <= 65; n++) {
        text[0] = '\0';
        for (size_t i = 0; i < n; i++)
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s$user", i > 0 ? " " : "");
        format = sg_format_compile(text, error, sizeof error);
        cr_expect_eq(format != NULL, n == 64);
        sg_event_format_free(format);
    }
    cr_expect_str_eq(error, "it is too long: 64 variables are allowed");
    for (size_t n = 1024; n <= 1025; n++) {
        memset(text, 'x', n);
        memcpy(text + n, " $user", sizeof " $user");
        format = sg_format_compile(text + 1, error, sizeof error);
        cr_expect_eq(format != NULL, n == 1024);
        sg_event_format_free(format);
    }
    cr_expect_str_eq(error, "it is too long: 1024 characters outside variables are allowed");
}

Test(format, lines)
{
    struct sg_record *rec = session("al ice", 6, "www.example.com", 15);

    cr_expect_str_eq(printed("$time $event by=${user} $$", rec, SG_EVENT_SESSION_END, 2048),
                     "2026-01-31T12:00:00.000Z session_end by=al%20ice $\n");
    cr_expect_str_eq(printed("\t\"$host\"\\${port}", rec, SG_EVENT_SESSION_END, 2048), "\t\"www.example.com\"\\80\n");
    cr_expect_str_eq(printed("common", rec, SG_EVENT_SESSION_START, 2048),
                     "2026-01-31T12:00:00.000Z session_start 0123456789abcdef0001000000000007 - al%20ice connect "
                     "www.example.com 80 - - - - - -\n");
    cr_expect_str_eq(
        printed("structured_data", rec, SG_EVENT_SESSION_START, 2048),
        "[sockgate@32473 time=\"2026-01-31T12:00:00.000Z\" event=\"session_start\" "
        "id=\"0123456789abcdef0001000000000007\" listener=\"lan\" ver=\"5\" method=\"00\" instance=\"lan\" "
        "user=\"al ice\" assurance=\"0\" command=\"connect\" host=\"www.example.com\" port=\"80\"]\n");
    free(rec);
}

Test(format, no_session)
{
    struct sg_record *rec = tables_record();

    rec->id_low = 0xff;
    rec->count = 7;
    cr_expect_str_eq(printed("$event $count $user", rec, SG_EVENT_RECORDS_LOST, 2048), "records_lost 7 -\n");
    cr_expect_str_eq(printed("json_ascii", rec, SG_EVENT_RECORDS_LOST, 2048),
                     "{\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"records_lost\","
                     "\"id\":\"000000000000000000000000000000ff\",\"count\":7}\n");
    free(rec);
}

Test(format, lists)
{
    struct sg_record *rec = session("a", 1, "b", 1);
    const struct sg_addr six = { .family = SG_FAMILY_IPV6, .port = 80, .ip = { [15] = 1 } };
    const struct sg_addr four = { .family = SG_FAMILY_IPV4, .port = 80, .ip = { 192, 0, 2, 7 } };

    sg_record_add_tried(rec, &six);
    sg_record_add_tried(rec, &four);
    rec->tried_more = true;
    cr_expect_str_eq(printed("$tried $tried_more", rec, SG_EVENT_SESSION_END, 2048), "[::1]:80,192.0.2.7:80 true\n");
    cr_expect(strstr(printed("structured_data", rec, SG_EVENT_SESSION_END, 2048),
                     " tried=\"[::1\\]:80,192.0.2.7:80\" tried_more=\"true\""));
    free(rec);
}

/* Nothing known, nothing in it, and what looks like that, are four things. */
Test(format, nothing)
{
    static const struct {
        const char *user, *line;
    } cases[] = { { "", "<%>\n" }, { "-", "<%2D>\n" }, { "--", "<-->\n" }, { "%", "<%25>\n" }, { "%2D", "<%252D>\n" } };
    struct sg_record *rec;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rec = session(cases[i].user, strlen(cases[i].user), "x", 1);
        cr_expect_str_eq(printed("<$user>", rec, SG_EVENT_SESSION_END, 2048), cases[i].line);
        /* A login that failed: whose it was to be, if it was anybody's. */
        rec->identified = false;
        cr_expect_str_eq(printed("<$user>", rec, SG_EVENT_SESSION_END, 2048), i == 0 ? "<->\n" : cases[i].line);
        free(rec);
    }
}

/* ---- taken apart again, as doc/log.md describes it */

static size_t
unescape(const char *text, size_t len, uint8_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < len; n++) {
        const char hex[] = { text[i + 1 < len ? i + 1 : i], text[i + 2 < len ? i + 2 : i], '\0' };

        out[n] = text[i] == '%' ? (uint8_t)strtoul(hex, NULL, 16) : (uint8_t)text[i];
        i += text[i] == '%' ? 3 : 1;
    }
    return n;
}

/* The value of a parameter: to the next quotation mark without a backslash. */
static size_t
param(const char *line, const char *name, uint8_t *out)
{
    char text[SG_EVENT_LINE_MAX];
    const char *p = strstr(line, name);
    size_t n = 0;

    cr_assert(p, "%s", line);
    for (p += strlen(name); *p != '"'; p++) {
        p += *p == '\\';
        text[n++] = *p;
    }
    return unescape(text, n, out);
}

static void
comes_back(const uint8_t *octets, size_t len)
{
    struct sg_record *rec = session(octets, len, octets, len);
    const char *line = printed("$user $host", rec, SG_EVENT_SESSION_END, 2048);
    const char *space = strchr(line, ' '), *end = strchr(line, '\n');
    uint8_t back[SG_EVENT_LINE_MAX];

    cr_assert(space && end[1] == '\0' && strchr(space + 1, ' ') == NULL);
    cr_assert(unescape(line, (size_t)(space - line), back) == len && memcmp(back, octets, len) == 0);
    cr_assert(unescape(space + 1, (size_t)(end - space) - 1, back) == len && memcmp(back, octets, len) == 0);
    line = printed("structured_data", rec, SG_EVENT_SESSION_END, 2048);
    cr_assert(param(line, " user=\"", back) == len && memcmp(back, octets, len) == 0);
    cr_assert(param(line, " host=\"", back) == len && memcmp(back, octets, len) == 0);
    for (; *line != '\n'; line++)
        cr_assert(*line >= ' ' && *line < 0x7f);
    free(rec);
}

Test(format, every_pair_comes_back)
{
    for (unsigned i = 0; i < 0x10000; i++) {
        const uint8_t pair[2] = { (uint8_t)(i >> 8), (uint8_t)i };

        comes_back(pair, 2);
        if (i < 0x100 && i != '-')
            comes_back(pair + 1, 1);
    }
}

/* Beyond ASCII: the same values, in pairs of UTF-16 where one unit is not enough. */
Test(format, json_ascii)
{
    struct sg_record *rec = session("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xff\x7f", 11, "x", 1);

    cr_expect(strstr(printed("json_ascii", rec, SG_EVENT_SESSION_END, 2048),
                     "\"user\":\"\\u00fc\\u20ac\\ud83d\\ude00\\udbff\\udfff\\u007f\""));
    free(rec);
}

/* The longest record that there is, as long as escaping makes it: SG_EVENT_LINE_MAX holds all of it. */
Test(format, longest)
{
    static const char *const texts[] = { "json", "json_ascii", "structured_data", "common", "$user $user $user $user" };
    char octets[255], label[SG_RECORD_LABEL_MAX + 1];
    struct sg_record *rec;
    size_t longest = 0;

    memset(octets, 0xff, sizeof octets);
    memset(label, '\x01', SG_RECORD_LABEL_MAX);
    label[SG_RECORD_LABEL_MAX] = '\0';
    rec = session(octets, 255, octets, 255);
    for (size_t n = 255; n > 0 && !sg_record_put(rec, &rec->reason_text, octets, n);)
        n--;
    sg_record_set_rule(rec, label);
    sg_record_set_dry_run(rec, label, SG_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *line = printed(texts[i], rec, SG_EVENT_SESSION_END, SG_EVENT_LINE_MAX);

        cr_expect(!strstr(line, "cut") && !strstr(line, "%%"), "%s", texts[i]);
        longest = strlen(line) > longest ? strlen(line) : longest;
        line = printed(texts[i], rec, SG_EVENT_SESSION_END, SG_EVENT_LINE_MIN);
        cr_expect(strlen(line) < SG_EVENT_LINE_MIN && line[strlen(line) - 1] == '\n');
    }
    cr_expect_leq(longest, SG_EVENT_LINE_MAX / 4 * 3, "%zu", longest);
    cr_expect(strstr(printed("json_ascii", rec, SG_EVENT_SESSION_END, SG_EVENT_LINE_MIN), ",\"cut\":true}\n"));
    cr_expect(strstr(printed("structured_data", rec, SG_EVENT_SESSION_END, SG_EVENT_LINE_MIN), "\" cut=\"true\"]\n"));
    cr_expect(strstr(printed("$user $user $user $port", rec, SG_EVENT_SESSION_END, SG_EVENT_LINE_MIN), "FF %% 80\n"));
    free(rec);
}

Test(format, too_small_a_line)
{
    struct sg_record *rec = tables_record();
    const struct sg_event_info info = { .event = SG_EVENT_RECORDS_LOST, .rec = rec, .names = &names };
    char line[SG_EVENT_LINE_MIN - 1] = "x", error[256];
    struct sg_event_format *format = sg_format_compile("common", error, sizeof error);

    cr_expect_eq(sg_event_print(format, &info, line, sizeof line), 0);
    cr_expect_str_empty(line);
    free(rec);
    sg_event_format_free(format);
}

/* ---- a line read back for recover() */

static char seen[128];

static void
note(void *arg, const char *id, const char *name)
{
    (void)snprintf(arg, sizeof seen, "%s %s", name, id);
}

static bool
scanned(const char *text, const char *line, size_t len)
{
    char error[256], copy[SG_EVENT_LINE_MAX];
    struct sg_event_format *format = sg_format_compile(text, error, sizeof error);
    bool found;

    memcpy(copy, line, len);
    seen[0] = '\0';
    found = sg_event_scan(format, copy, len, note, seen);
    cr_assert_eq(found, seen[0] != '\0');
    sg_event_format_free(format);
    return found;
}

Test(format, scan)
{
    static const char *const texts[] = { "json",
                                         "json_ascii",
                                         "structured_data",
                                         "common",
                                         "$event:$$ ${id}x",
                                         "id=$id user=$user event=$event",
                                         "\"$id\" \"$event\"x" };
    static const char *const users[] = { "alice", "a\" id=\"b\",\"id\":\"c\" event=\"d", "x $id=1 event=y", "" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t j = 0; j < sizeof users / sizeof users[0]; j++) {
            struct sg_record *rec = session(users[j], strlen(users[j]), "x", 1);
            const char *line = printed(texts[i], rec, SG_EVENT_SESSION_END, SG_EVENT_LINE_MAX);

            cr_expect(scanned(texts[i], line, strlen(line) - 1), "%s: %s", texts[i], line);
            cr_expect_str_eq(seen, "session_end 0123456789abcdef0001000000000007");
            for (size_t cut = 1; cut < strlen(line) && texts[i][0] == '$'; cut++)
                (void)scanned(texts[i], line + cut, strlen(line) - 1 - cut);
            free(rec);
        }
    cr_expect(!scanned("$time $user", "2026-01-31T12:00:00.000Z alice", 30));
    cr_expect(!scanned("$id $event", "0123456789abcdef0001000000000007", 32));
    cr_expect(!scanned("$id $event!", "0123456789abcdef0001000000000007 x", 34));
    cr_expect(!scanned("json", "no line of ours", 15));
}

/* ---- the documentation */

static char *
read_document(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(path, "re");

    cr_assert(text && file, "%s", path);
    cr_assert_gt(fread(text, 1, (1 << 20) - 1, file), 0);
    (void)fclose(file);
    return text;
}

/* The rows of the table behind a heading: each begins with a word in code. */
static size_t
rows(const char *text, const char *heading)
{
    const char *at = strstr(text, heading), *end = at ? strstr(at + 1, "\n## ") : NULL;
    size_t n = 0;

    cr_assert(at, "no %s", heading);
    while ((at = strstr(at, "\n| `")) != NULL && (end == NULL || at < end)) {
        at++;
        n++;
    }
    return n;
}

/* doc/log.md has every event, reason and field, and no others. */
Test(format, documented)
{
    char *text = read_document(SG_SOURCE "/doc/log.md"), row[256];

    for (enum sg_event event = 0; event < SG_EVENT_COUNT; event++) {
        (void)snprintf(row, sizeof row, "\n| `%s` | ", sg_event_name(event));
        cr_expect(strstr(text, row), "missing: %s", row);
    }
    for (enum sg_reason reason = 0; reason < SG_REASON_COUNT; reason++) {
        (void)snprintf(row, sizeof row, "\n| `%s` | `session_%s` | ", sg_reason_name(reason),
                       sg_reason_refused(reason) ? "refused" : "failed");
        cr_expect(strstr(text, row), "missing: %s", row);
    }
    for (enum sg_field field = 0; field < SG_N_FIELDS; field++) {
        (void)snprintf(row, sizeof row, "\n| `%s` | %s |\n", sg_field_name(field), sg_field_meaning(field));
        cr_expect(strstr(text, row), "missing: %s", row);
    }
    cr_expect_eq(rows(text, "\n## Events"), SG_EVENT_COUNT);
    cr_expect_eq(rows(text, "\n## Reasons"), SG_REASON_COUNT);
    cr_expect_eq(rows(text, "\n## Fields"), SG_N_FIELDS);
    free(text);
}
