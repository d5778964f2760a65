/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_addr.c - spellings (T46), canonical forms, special classes, ranges.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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
    { "::ffff:0.0.0.0/96", "0.0.0.0/0", "10.1.2.3", "2001:db8::1" },
    { "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2" },
    { "64:ff9b::192.0.2.0/120", "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
    { "::192.0.2.0/120", "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
    { "2002:a00::/24", "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
    { "2002:c000:201::/48", "192.0.2.1", "192.0.2.1", "192.0.2.0" },
    { "2002:c000:201:1::/64", "192.0.2.1", "192.0.2.1", "192.0.2.0" },
    { "2002::/15", "2002::/15", "2003::1", "10.0.0.1" },
    { "::/0", "::/0", "2001:db8::1", "10.0.0.1" },
    { "::/96", "::/96", "::1", "0.0.0.1" },
    { "::1", "::1", "::1", "127.0.0.1" },
    { "10.0.0.1/8", NULL, NULL, NULL },
    { "10.0.0.0/33", NULL, NULL, NULL },
    { "10.0.0.0/", NULL, NULL, NULL },
    { "10.0.0.0/8x", NULL, NULL, NULL },
    { "10.0.0.0/-1", NULL, NULL, NULL },
    { "10.0.0.0/ 8", NULL, NULL, NULL },
    { "10.0.0.0/4294967304", NULL, NULL, NULL },
    { "10.0.0.0/99999999999999999999", NULL, NULL, NULL },
    { "2001:db8::1/64", NULL, NULL, NULL },
    { "::1/129", NULL, NULL, NULL },
    { "fe80::1%lo", NULL, NULL, NULL },
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

/* What -1 leaves behind: the range that was probably meant, or none. */
Test(addr, ranges_meant)
{
    struct sg_range range;
    char text[SG_ADDR_TEXT + 8];

    cr_assert_eq(sg_range_parse("10.1.2.3/8", &range), -1);
    cr_expect_str_eq(sg_range_format(&range, text, sizeof text), "10.0.0.0/8");
    cr_assert_eq(sg_range_parse("2001:db8::1/33", &range), -1);
    cr_expect_str_eq(sg_range_format(&range, text, sizeof text), "2001:db8::/33");
    cr_assert_eq(sg_range_parse("10.0.0.0/40", &range), -1);
    cr_expect_eq(range.base.family, SG_FAMILY_NONE);
}

/* inet_aton() reads any number of zeros; a resolver would too, if we took such a text for a name. */
Test(addr, leading_zeros)
{
    char text[256];
    struct sg_addr addr;

    memset(text, '0', sizeof text);
    memcpy(text + 255 - 9, "177.0.0.1", 9);
    cr_assert_eq(sg_addr_parse_loose(text, 255, &addr), 0);
    cr_expect_neq(sg_addr_special(&addr) & SG_SPECIAL_LOOPBACK, 0);
    cr_expect_eq(sg_addr_parse_loose(text, 0, &addr), -1);
    cr_expect_eq(sg_addr_parse_loose("127.0.0.1\0", 10, &addr), -1);
    cr_expect_eq(addr.family, SG_FAMILY_NONE);
}

static const struct {
    const char *ip;
    uint16_t port;
    const char *text;
} formats[] = {
    { "192.0.2.1", 80, "192.0.2.1:80" },
    { "0.0.0.0", 0, "0.0.0.0:0" },
    { "2001:db8::1", 443, "[2001:db8::1]:443" },
    { "::", 65535, "[::]:65535" },
    { "2001:db8:0:0:1:0:0:1", 1, "[2001:db8::1:0:0:1]:1" },
};

Test(addr, formats_and_sockaddrs)
{
    const struct sg_addr none = { .family = SG_FAMILY_NONE };
    struct sockaddr_storage ss;
    char text[SG_ADDR_TEXT];

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct sg_addr addr, back;

        cr_assert_eq(sg_addr_parse(formats[i].ip, &addr), 0);
        addr.port = formats[i].port;
        cr_expect_str_eq(sg_addr_format(&addr, text, sizeof text), formats[i].text);
        cr_expect_eq(sg_addr_to_sockaddr(&addr, &ss),
                     addr.family == SG_FAMILY_IPV4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        cr_assert_eq(sg_addr_from_sockaddr(&ss, &back), 0);
        cr_expect(memcmp(&addr, &back, sizeof addr) == 0, "%s", text);
    }
    cr_expect_str_eq(sg_addr_format(&none, text, sizeof text), "-");
    cr_expect_eq(sg_addr_to_sockaddr(&none, &ss), 0);
    ss.ss_family = AF_UNIX;
    cr_expect_eq(sg_addr_from_sockaddr(&ss, &(struct sg_addr){ 0 }), -1);
}

/* What a socket of both families reports is canonical too. */
Test(addr, mapped_sockaddr)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
    struct sockaddr_storage ss = { 0 };
    struct sg_addr addr;
    char text[SG_ADDR_TEXT];

    cr_assert_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
    memcpy(&ss, &in6, sizeof in6);
    cr_assert_eq(sg_addr_from_sockaddr(&ss, &addr), 0);
    cr_expect_str_eq(sg_addr_format(&addr, text, sizeof text), "192.0.2.1:80");
}

/* ---- the addresses of this machine, in a network namespace where we may change them */

static void
lo_add(const char *ip)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct ifreq request = { .ifr_name = "lo:1" };

    cr_assert_neq(fd, -1);
    cr_assert_eq(inet_pton(AF_INET, ip, &in.sin_addr), 1);
    memcpy(&request.ifr_addr, &in, sizeof in);
    cr_assert_eq(ioctl(fd, SIOCSIFADDR, &request), 0, "%s", strerror(errno));
    (void)close(fd);
}

static unsigned
special_of(const char *ip)
{
    struct sg_addr addr;

    cr_assert_eq(sg_addr_parse(ip, &addr), 0);
    return sg_addr_special(&addr);
}

Test(addr, own_addresses)
{
    struct pollfd change = { .events = POLLIN };

    if (unshare(CLONE_NEWNET) == -1 && unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1)
        cr_skip_test("no network namespace can be made here");
    change.fd = sg_ownaddr_open();
    cr_assert_neq(change.fd, -1);
    sg_ownaddr_refresh(change.fd);
    cr_expect_eq(special_of("192.0.2.77"), 0);
    cr_assert_eq(poll(&change, 1, 0), 0, "nothing has changed");

    lo_add("192.0.2.77");
    cr_assert_eq(poll(&change, 1, 10000), 1, "the kernel tells");
    sg_ownaddr_refresh(change.fd);
    cr_expect_eq(special_of("192.0.2.77"), SG_SPECIAL_SELF);
    cr_expect_eq(special_of("192.0.2.78"), 0);
    cr_assert_eq(poll(&change, 1, 0), 0, "all that was told has been read");

    lo_add("169.254.7.7");
    cr_assert_eq(poll(&change, 1, 10000), 1);
    sg_ownaddr_refresh(change.fd);
    cr_expect_eq(special_of("169.254.7.7"), SG_SPECIAL_SELF | SG_SPECIAL_LINK_LOCAL, "a rule must name both");
    cr_expect_eq(special_of("192.0.2.77"), 0, "no longer ours");

    lo_add("127.0.0.1");
    cr_assert_eq(poll(&change, 1, 10000), 1);
    sg_ownaddr_refresh(change.fd);
    cr_expect_eq(special_of("127.0.0.1"), SG_SPECIAL_LOOPBACK, "ours, but a rule need not say so");
    (void)close(change.fd);
}
