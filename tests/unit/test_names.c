/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_names.c - the table of answers, the table of hosts, and texts that name a server.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addrs.h"
#include "hosts.h"
#include "resolve_cache.h"

/* ---- the cache */

static struct sg_cache_entry *
get(struct sg_cache *cache, const char *name, uint8_t family, int64_t now_ms, bool *new_out)
{
    return sg_cache_get(cache, name, strlen(name), family, now_ms, new_out);
}

static void
answer(struct sg_cache *cache, const char *name, int64_t expires_ms)
{
    bool is_new;
    struct sg_cache_entry *entry = get(cache, name, SG_FAMILY_IPV4, 0, &is_new);

    cr_assert(entry && is_new, "%s", name);
    entry->expires_ms = expires_ms;
}

static bool
knows(struct sg_cache *cache, const char *name, int64_t now_ms)
{
    bool is_new;
    struct sg_cache_entry *entry = get(cache, name, SG_FAMILY_IPV4, now_ms, &is_new);

    cr_assert(entry);
    if (is_new)
        sg_cache_drop(entry);
    return !is_new;
}

Test(resolve_cache, answers_live_as_long_as_they_may)
{
    struct sg_cache *cache = sg_cache_new(16);
    bool is_new;

    answer(cache, "a.test", 1000);
    cr_expect(knows(cache, "a.test", 999));
    cr_expect(get(cache, "a.test", SG_FAMILY_IPV6, 0, &is_new) && is_new, "the other family is another question");
    cr_expect(!knows(cache, "a.tes", 0) && !knows(cache, "a.test.", 0));
    cr_expect(!knows(cache, "a.test", 1000));
    sg_cache_free(cache);
}

Test(resolve_cache, the_least_recently_used_makes_room)
{
    struct sg_cache *cache = sg_cache_new(16);
    char name[16];

    for (int i = 0; i < 16; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        answer(cache, name, 1000);
    }
    cr_expect(knows(cache, "n0", 0));
    answer(cache, "more", 1000);
    cr_expect(knows(cache, "n0", 0) && knows(cache, "n2", 0) && knows(cache, "more", 0));
    cr_expect(!knows(cache, "n1", 0), "the oldest went");
    sg_cache_free(cache);
}

Test(resolve_cache, what_is_asked_stays)
{
    struct sg_cache *cache = sg_cache_new(16);
    struct sg_cache_entry *first = NULL;
    bool is_new;
    char name[16];

    for (int i = 0; i < 16; i++) {
        struct sg_cache_entry *entry;

        (void)snprintf(name, sizeof name, "n%d", i);
        entry = get(cache, name, SG_FAMILY_IPV4, 0, &is_new);
        cr_assert(entry && is_new);
        entry->asking = true;
        first = first ? first : entry;
    }
    cr_expect(!get(cache, "more", SG_FAMILY_IPV4, 0, &is_new));
    cr_expect(get(cache, "n0", SG_FAMILY_IPV4, INT64_MAX, &is_new) == first && !is_new, "no question expires");
    first->asking = false;
    cr_expect(get(cache, "more", SG_FAMILY_IPV4, 0, &is_new) && is_new);
    sg_cache_free(cache);
}

/* ---- hosts */

static const char hosts_text[] = "127.0.0.1 localhost\n"
                                 "# 192.0.2.9 not.test\n"
                                 "192.0.2.1\tone.test  ONE # 192.0.2.9\n"
                                 "2001:db8::1 one.test\r\n"
                                 "192.0.2.2 one.test\n"
                                 "\n"
                                 "nonsense two.test\n"
                                 "192.0.2.3\n"
                                 "::ffff:192.0.2.4 mapped.test\n"
                                 "192.0.2.5 last.test";

static const struct {
    const char *name;
    uint8_t family;
    bool listed;
    const char *found; /* with blanks between them */
} hosts_asked[] = {
    { "one.test", SG_FAMILY_IPV4, true, "192.0.2.1 192.0.2.2" },
    { "one.test", SG_FAMILY_IPV6, true, "2001:db8::1" },
    { "one", SG_FAMILY_IPV4, true, "192.0.2.1" },
    { "one", SG_FAMILY_IPV6, true, "" },
    { "not.test", SG_FAMILY_IPV4, false, "" },
    { "two.test", SG_FAMILY_IPV4, false, "" },
    { "mapped.test", SG_FAMILY_IPV4, true, "192.0.2.4" },
    { "last.test", SG_FAMILY_IPV4, true, "192.0.2.5" },
    { "localhost", SG_FAMILY_IPV4, true, "127.0.0.1" },
    { "localhost", SG_FAMILY_IPV6, true, "" }, /* the file says what it is */
    { "x.localhost", SG_FAMILY_IPV6, true, "::1" },
    { "xlocalhost", SG_FAMILY_IPV4, false, "" },
    { "one.tes", SG_FAMILY_IPV4, false, "" },
};

static void
hosts_check(const struct sg_hosts *hosts, size_t i)
{
    struct sg_addr addrs[16];
    char found[256] = "", ip[SG_ADDR_TEXT];
    unsigned n;
    const bool listed =
        sg_hosts_find(hosts, hosts_asked[i].name, strlen(hosts_asked[i].name), hosts_asked[i].family, addrs, 16, &n);

    for (unsigned a = 0; a < n; a++)
        (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", a > 0 ? " " : "",
                       sg_addr_format_ip(&addrs[a], ip, sizeof ip));
    cr_expect(listed == hosts_asked[i].listed, "row %zu", i);
    cr_expect_str_eq(found, hosts_asked[i].found, "row %zu", i);
}

Test(hosts, names_are_found_as_the_file_has_them)
{
    char path[] = "/tmp/sockgate-hosts-XXXXXX";
    const int fd = mkstemp(path);
    struct sg_hosts *hosts;

    cr_assert(fd != -1 && write(fd, hosts_text, sizeof hosts_text - 1) == (ssize_t)sizeof hosts_text - 1);
    hosts = sg_hosts_read(path);
    cr_assert(hosts);
    for (size_t i = 0; i < sizeof hosts_asked / sizeof hosts_asked[0]; i++)
        hosts_check(hosts, i);
    sg_hosts_free(hosts);
    cr_expect(unlink(path) == 0 && close(fd) == 0);
    cr_expect(!sg_hosts_read(path) && !sg_hosts_read("/"));
}

Test(hosts, localhost_needs_no_file)
{
    struct sg_addr addr;
    unsigned n;

    cr_expect(sg_hosts_find(NULL, "localhost", 9, SG_FAMILY_IPV6, &addr, 1, &n) && n == 1 && addr.ip[15] == 1);
    cr_expect(!sg_hosts_find(NULL, "www.test", 8, SG_FAMILY_IPV6, &addr, 1, &n) && n == 0);
}

/* ---- servers */

static const struct {
    const char *text, *meant; /* meant NULL: refused */
} servers[] = {
    { "192.0.2.53", "192.0.2.53:53" },
    { "192.0.2.53:5353", "192.0.2.53:5353" },
    { "2001:db8::53", "[2001:db8::53]:53" },
    { "[2001:db8::53]", "[2001:db8::53]:53" },
    { "[2001:db8::53]:5353", "[2001:db8::53]:5353" },
    { "192.0.2.53:", NULL },
    { "192.0.2.53:x", NULL },
    { "192.0.2.53:65536", NULL },
    { "192.0.2.53:-1", NULL },
    { "[192.0.2.53]:53", NULL },
    { "[2001:db8::53", NULL },
    { "[2001:db8::53]x:1", NULL },
    { "[2001:db8::53]1", NULL },
    { "ns.test:53", NULL },
    { ":53", NULL },
    { "[]:53", NULL },
    { "", NULL },
    { "11111111111111111111111111111111111111111111111111111111111111111111:1", NULL },
};

Test(addr, address_and_port)
{
    struct sg_addr addr;
    char text[SG_ADDR_TEXT];

    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        const int status = sg_addr_parse_port(servers[i].text, 53, &addr);

        cr_expect((status == 0) == (servers[i].meant != NULL), "%s", servers[i].text);
        if (status == 0 && servers[i].meant)
            cr_expect_str_eq(sg_addr_format(&addr, text, sizeof text), servers[i].meant);
    }
}
