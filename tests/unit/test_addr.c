/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_addr.c - spellings (T46), canonical forms, special classes, ranges.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"

static unsigned
class_of(const char *word)
{
    for (const struct sg_conf_word *w = sg_special_words; w->word != NULL; w++)
        if (strcmp(w->word, word) == 0)
            return (unsigned)w->number;
    return 0;
}

/* \xHH back to octets. */
static size_t
unescape(char *text)
{
    size_t n = 0;

    for (char *p = text; *p != '\0'; n++) {
        if (p[0] == '\\' && p[1] == 'x') {
            char hex[3] = { p[2], p[3], '\0' };

            text[n] = (char)strtoul(hex, NULL, 16);
            p += 4;
        } else {
            text[n] = *p++;
        }
    }
    return n;
}

static void
spelling(char *line, unsigned number)
{
    char *text = line, *kind = strchr(text, '\t'), *canonical, *special, out[SG_ADDR_TEXT];
    struct sg_addr addr;
    size_t len;
    int got;

    *kind++ = '\0';
    canonical = strchr(kind, '\t');
    *canonical++ = '\0';
    special = strchr(canonical, '\t');
    *special++ = '\0';
    len = unescape(text);
    if (len > 0 && text[len - 1] == '.')
        len--;
    got = sg_addr_parse_loose(text, len, &addr);
    cr_expect_eq(got, strncmp(kind, "literal", 7) == 0 ? 0 : -1, "line %u", number);
    if (got == -1)
        return;
    cr_expect_str_eq(sg_addr_format_ip(&addr, out, sizeof out), canonical, "line %u", number);
    if (strcmp(special, "-") == 0)
        cr_expect_eq(sg_addr_special(&addr), 0, "line %u", number);
    else
        cr_expect_neq(sg_addr_special(&addr) & class_of(special), 0, "line %u: %s", number, special);
}

Test(addr, spellings)
{
    FILE *in = fopen(SG_SOURCE "/tests/vectors/addresses.tsv", "r");
    char line[2048];
    unsigned number = 0, n = 0;

    cr_assert_not_null(in);
    while (fgets(line, sizeof line, in) != NULL) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || strchr(line, '\t') == NULL)
            continue;
        spelling(line, number);
        n++;
    }
    (void)fclose(in);
    cr_assert_geq(n, 150);
}

static const struct {
    const char *range, *canonical, *in, *out; /* canonical NULL: refused */
} ranges[] = {
    { "10.0.0.0/8", "10.0.0.0/8", "10.255.255.255", "11.0.0.0" },
    { "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2" },
    { "0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", "::2:3" },
    { "2001:db8::/33", "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
    { "::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3", "2001:db8::1" },
    { "::1", "::1", "::1", "127.0.0.1" },
    { "10.0.0.1/8", NULL, NULL, NULL },
    { "10.0.0.0/33", NULL, NULL, NULL },
    { "10.0.0.0/", NULL, NULL, NULL },
    { "10.0.0.0/8x", NULL, NULL, NULL },
    { "10.0.0/8", NULL, NULL, NULL },
    { "example.com", NULL, NULL, NULL },
    { "", NULL, NULL, NULL },
};

Test(addr, ranges)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct sg_range range;
        struct sg_addr in, out;
        char text[SG_ADDR_TEXT + 8];
        const int got = sg_range_parse(ranges[i].range, &range);

        cr_assert_eq(got, ranges[i].canonical != NULL ? 0 : -1, "%s", ranges[i].range);
        if (got == -1)
            continue;
        cr_expect_str_eq(sg_range_format(&range, text, sizeof text), ranges[i].canonical);
        cr_assert_eq(sg_addr_parse(ranges[i].in, &in), 0);
        cr_assert_eq(sg_addr_parse(ranges[i].out, &out), 0);
        cr_expect(sg_range_contains(&range, &in), "%s holds %s", ranges[i].range, ranges[i].in);
        cr_expect_not(sg_range_contains(&range, &out), "%s does not hold %s", ranges[i].range, ranges[i].out);
    }
}
