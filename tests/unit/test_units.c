/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_units.c - values with units, and "did you mean".
 */
#include <criterion/criterion.h>
#include <stdint.h>

#include "schema.h"
#include "units.h"

#define REFUSED (-1)

static const struct unit {
    const char *text;
    int64_t value;
    const char *printed; /* NULL: as it was */
} durations[] = {
    { "0", 0, NULL },
    { "0s", 0, "0" },
    { "1ms", 1, NULL },
    { "500ms", 500, NULL },
    { "1000ms", 1000, "1s" },
    { "1500ms", 1500, NULL },
    { "30s", 30000, NULL },
    { "60s", 60000, "1m" },
    { "90m", 5400000, NULL },
    { "24h", 86400000, "1d" },
    { "7d", 604800000, NULL },
    { "106751991167d", 106751991167 * 86400000, NULL },
    { "106751991168d", REFUSED, NULL },
    { "9223372036854775807ms", INT64_MAX, NULL },
    { "9223372036854775808ms", REFUSED, NULL },
    { "99999999999999999999s", REFUSED, NULL },
    { "", REFUSED, NULL },
    { "s", REFUSED, NULL },
    { "30", REFUSED, NULL },
    { "-1s", REFUSED, NULL },
    { "+1s", REFUSED, NULL },
    { " 1s", REFUSED, NULL },
    { "1 s", REFUSED, NULL },
    { "1s ", REFUSED, NULL },
    { "1.5s", REFUSED, NULL },
    { "1S", REFUSED, NULL },
    { "1m30s", REFUSED, NULL },
    { "1w", REFUSED, NULL },
    { "0x10s", REFUSED, NULL },
}, sizes[] = {
    { "0", 0, NULL },
    { "1", 1, NULL },
    { "1023", 1023, NULL },
    { "1024", 1024, "1K" },
    { "64K", 65536, NULL },
    { "1536K", 1572864, NULL },
    { "5M", 5242880, NULL },
    { "2G", 2147483648, NULL },
    { "8589934591G", 9223372035781033984, NULL },
    { "8589934592G", REFUSED, NULL },
    { "9223372036854775807", INT64_MAX, NULL },
    { "9223372036854775808", REFUSED, NULL },
    { "", REFUSED, NULL },
    { "K", REFUSED, NULL },
    { "1k", REFUSED, NULL },
    { "1KB", REFUSED, NULL },
    { "-1", REFUSED, NULL },
    { "1.5M", REFUSED, NULL },
};

static void
read_and_print(const struct unit *units, size_t n, int (*parse)(const char *text, int64_t *out),
               const char *(*format)(int64_t value, char *text, size_t size))
{
    for (const struct unit *unit = units; unit < units + n; unit++) {
        int64_t value = REFUSED;
        char printed[32];
        const int result = parse(unit->text, &value);

        cr_expect_eq(result, unit->value == REFUSED ? -1 : 0, "\"%s\"", unit->text);
        if (result == -1)
            continue;
        cr_expect_eq(value, unit->value, "\"%s\": %jd", unit->text, (intmax_t)value);
        cr_expect_str_eq(format(value, printed, sizeof printed), unit->printed != NULL ? unit->printed : unit->text);
    }
}

Test(units, durations)
{
    read_and_print(durations, sizeof durations / sizeof durations[0], sg_parse_duration, sg_format_duration);
}

Test(units, sizes)
{
    read_and_print(sizes, sizeof sizes / sizeof sizes[0], sg_parse_size, sg_format_size);
}

static const struct {
    const char *text;
    int first, last; /* -1: refused */
} spans[] = {
    { "0", 0, 0 },           { "80", 80, 80 },      { "65535", 65535, 65535 },
    { "1-65535", 1, 65535 }, { "80-80", 80, 80 },   { "65536", -1, -1 },
    { "1-65536", -1, -1 },   { "81-80", -1, -1 },   { "", -1, -1 },
    { "-", -1, -1 },         { "80-", -1, -1 },     { "-80", -1, -1 },
    { "80-90-100", -1, -1 }, { "80 - 90", -1, -1 }, { "http", -1, -1 },
    { "80,443", -1, -1 },    { "0x50", -1, -1 },    { "99999999999999999999", -1, -1 },
};

Test(units, ports)
{
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        uint16_t first = 0, last = 0;
        const int result = sg_parse_port_span(spans[i].text, &first, &last);

        cr_expect_eq(result, spans[i].first == -1 ? -1 : 0, "\"%s\"", spans[i].text);
        if (result == 0)
            cr_expect(first == spans[i].first && last == spans[i].last, "\"%s\": %u-%u", spans[i].text, first, last);
    }
}

static const struct sg_conf_word words[] = {
    { "address", 0 }, { "port", 0 }, { "protocols", 0 }, { "clients", 0 }, { "handshake", 0 }, { "a", 0 }, { NULL, 0 },
};

/* What somebody wrote, and what is suggested. */
static const struct {
    const char *word, *suggestion;
} misspelt[] = {
    { "prot", "port" },
    { "ports", "port" },
    { "Port", "port" },
    { "adress", "address" },
    { "addres", "address" },
    { "addrss", "address" },
    { "client", "clients" },
    { "cleints", "clients" },
    { "handshaek", "handshake" },
    { "hand_shake", "handshake" },
    { "protocol", "protocols" },
    { "PROTOCOLS", "protocols" },
    { "b", NULL },
    { "", NULL },
    { "idle", NULL },
    { "timeout", NULL },
    { "advertise", NULL },
    { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", NULL },
};

Test(units, suggestions)
{
    for (size_t i = 0; i < sizeof misspelt / sizeof misspelt[0]; i++) {
        const char *near = sg_suggest_word(misspelt[i].word, words);

        if (misspelt[i].suggestion == NULL)
            cr_expect_null(near, "\"%s\": %s", misspelt[i].word, near);
        else
            cr_expect(near != NULL && strcmp(near, misspelt[i].suggestion) == 0, "\"%s\": %s", misspelt[i].word,
                      near != NULL ? near : "nothing");
    }
}
