/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rules_set.c - entries from text and sets of them, beside a search that looks at every entry.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"
#include "rules.h"

static const struct {
    const char *text, *meant; /* meant: "range", or the name with what is meant of it; NULL: refused */
} entries[] = {
    { "10.0.0.0/8", "range" },
    { "::ffff:10.0.0.0/104", "range" },
    { "www.Example.COM", "1 www.example.com" },
    { "*.example.com", "2 example.com" },
    { ".example.com.", "3 example.com" },
    { "com", "1 com" },
    { "_sip.x-y.test", "1 _sip.x-y.test" },
    { "1.2.3.test", "1 1.2.3.test" },
    { "b\xc3\xbc"
      "cher.test",
      "1 b\xc3\xbc"
      "cher.test" },
    { "10.0.0.1/8", NULL },
    { "10.0.0.0/33", NULL },
    { "10.0.0", NULL },
    { "300.1.1.1", NULL },
    { "1.2.3.4.5", NULL },
    { "a.0x7f", NULL },
    { "::g", NULL },
    { "a..b", NULL },
    { "*", NULL },
    { "*.", NULL },
    { ".", NULL },
    { "", NULL },
    { "a.*.b", NULL },
    { "a b.test", NULL },
    { "a@b.test", NULL },
    { "http://a.test", NULL },
    { "0123456789012345678901234567890123456789012345678901234567890123.test", NULL },
};

Test(rules_entry, what_could_be_a_misspelt_range_is_no_name)
{
    struct rule_entry entry;
    char meant[300], why[384];

    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const int status = rule_entry_parse(entries[i].text, &entry, why, sizeof why);

        cr_expect((status == 0) == (entries[i].meant != NULL), "\"%s\"", entries[i].text);
        if (status == -1 || !entries[i].meant)
            continue;
        (void)snprintf(meant, sizeof meant, "%u %s", entry.kinds, entry.name);
        cr_expect_str_eq(entry.kinds == 0 ? "range" : meant, entries[i].meant);
    }
}

/* Small numbers, so that ranges meet and addresses fall into them. */
static uint32_t
number(uint32_t below)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20) % below;
}

#define ENTRIES 3000
#define ASKED 20000

static struct rule_entry all[ENTRIES];

static size_t
write_entry(char *to, size_t size, unsigned kind)
{
    static const char *const forms[] = { "n%u.t%u.test", "*.n%u.t%u.test", ".n%u.t%u.test", "n%u.n%u.t1.test" };

    if (kind == 0)
        return (size_t)snprintf(to, size, "10.%u.%u.%u/%u", number(4), number(256), number(4) * 64, 26);
    if (kind == 1)
        return (size_t)snprintf(to, size, "10.%u.%u.%u", number(4), number(256), number(256));
    if (kind == 2)
        return (size_t)snprintf(to, size, "2001:db8:%x:%x::/64", number(4), number(512));
    return (size_t)snprintf(to, size, forms[number(4)], number(40), number(60));
}

static bool
naive_addr(const struct sg_addr *addr)
{
    for (size_t i = 0; i < ENTRIES; i++)
        if (all[i].kinds == 0 && sg_range_contains(&all[i].range, addr))
            return true;
    return false;
}

static bool
naive_name(const char *name, size_t len)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        const size_t n = all[i].len;

        if ((all[i].kinds & RULE_NAME_SELF) != 0 && len == n && memcmp(name, all[i].name, n) == 0)
            return true;
        if ((all[i].kinds & RULE_NAME_BELOW) != 0 && len > n + 1 && name[len - n - 1] == '.' &&
            memcmp(name + len - n, all[i].name, n) == 0)
            return true;
    }
    return false;
}

static void *
build(size_t *size)
{
    static char names[] = "names", path[] = "/set";
    static struct sg_module mod = { .name = "rules" };
    static struct sg_instance inst = { .name = "rules", .mod = &mod };
    char *text = malloc(ENTRIES * 64), why[384];
    struct sg_image_source source = { sizeof source, path, text, 0, names };
    void *set;

    cr_assert(text);
    for (size_t i = 0; i < ENTRIES; i++) {
        char *line = text + source.len;
        const size_t len = write_entry(line, 64, number(5));

        cr_assert(rule_entry_parse(line, &all[i], why, sizeof why) == 0, "%s", why);
        line[len] = '\n';
        source.len += len + 1;
    }
    set = rule_set_build(&inst, &source, size);
    free(text);
    return set;
}

Test(rules_set, as_a_search_through_all_entries)
{
    unsigned addrs = 0, names = 0;
    size_t size;
    void *set = build(&size);

    cr_assert(set && size > 0 && rule_set_has_ranges(set));
    for (unsigned i = 0; i < ASKED; i++) {
        struct sg_addr addr = { .family = SG_FAMILY_IPV4,
                                .ip = { 10, (uint8_t)number(5), (uint8_t)number(256), (uint8_t)number(256) } };
        const struct sg_addr addr6 = { .family = SG_FAMILY_IPV6,
                                       .ip = { 0x20, 1, 0x0d, 0xb8, 0, (uint8_t)number(5), (uint8_t)number(3),
                                               (uint8_t)number(256), [15] = (uint8_t)number(3) } };
        char name[64];
        const size_t len =
            (size_t)snprintf(name, sizeof name, i % 2 ? "n%u.t%u.test" : "x.n%u.n%u.t1.test", number(44), number(66));

        if (i % 2)
            addr = addr6;
        cr_expect(rule_set_has_addr(set, &addr) == naive_addr(&addr));
        cr_expect(rule_set_has_name(set, name, len) == naive_name(name, len), "%s", name);
        addrs += naive_addr(&addr);
        names += naive_name(name, len);
    }
    cr_expect(addrs > ASKED / 20 && addrs < ASKED && names > ASKED / 20 && names < ASKED, "%u %u", addrs, names);
    free(set);
}

/* Both ends of the number space, ranges that touch, the whole space. */
Test(rules_set, the_edges)
{
    static char text[] = "0.0.0.0/32\n255.255.255.255\n10.0.0.0/9\n10.128.0.0/9\n::/128\n"
                         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n";
    static char all_text[] = "0.0.0.0/0\n::/0\n";
    static struct sg_module mod = { .name = "rules" };
    static struct sg_instance inst = { .name = "rules", .mod = &mod };
    struct sg_image_source source = { sizeof source, "/set", text, sizeof text - 1, NULL };
    struct sg_addr addr = { .family = SG_FAMILY_IPV4 };
    size_t size;
    void *set = rule_set_build(&inst, &source, &size);

    cr_assert(set);
    cr_expect(rule_set_has_addr(set, &addr));
    memset(addr.ip, 0xff, 4);
    cr_expect(rule_set_has_addr(set, &addr));
    addr.ip[0] = 10;
    cr_expect(rule_set_has_addr(set, &addr));
    addr.ip[0] = 11;
    cr_expect(!rule_set_has_addr(set, &addr));
    addr = (struct sg_addr){ .family = SG_FAMILY_IPV6 };
    cr_expect(rule_set_has_addr(set, &addr));
    addr.ip[0] = 1;
    cr_expect(!rule_set_has_addr(set, &addr));
    memset(addr.ip, 0xff, 16);
    cr_expect(rule_set_has_addr(set, &addr));
    free(set);
    source.text = all_text;
    source.len = sizeof all_text - 1;
    set = rule_set_build(&inst, &source, &size);
    cr_assert(set);
    cr_expect(rule_set_has_addr(set, &addr) && !rule_set_has_name(set, "a.test", 6));
    free(set);
}
