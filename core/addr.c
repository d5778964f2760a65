/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.c - addresses: text, kernel form, canonical form, ranges.
 */
#include "addrs.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

static unsigned
addr_bits(const struct sg_addr *addr)
{
    return addr->family == SG_FAMILY_IPV4 ? 32 : addr->family == SG_FAMILY_IPV6 ? 128 : 0;
}

/* Are the first `bits` bits the same? */
static bool
addr_prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* ---- as text: the log is full of them */

static size_t
addr_put_ipv4(char *out, const uint8_t ip[4])
{
    size_t n = 0;

    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            out[n++] = '.';
        n += sg_digits(out + n, ip[i]);
    }
    return n;
}

/* The longest run of groups that are zero, the first of such; one alone is none. */
static void
addr_zeros(const unsigned groups[8], size_t *from_out, size_t *to_out)
{
    *from_out = *to_out = 0;
    for (size_t from = 0; from < 8; from++) {
        size_t to = from;

        while (to < 8 && groups[to] == 0)
            to++;
        if (to - from > *to_out - *from_out && to - from > 1) {
            *from_out = from;
            *to_out = to;
        }
    }
}

static size_t
addr_put_group(char *out, unsigned group)
{
    return sg_digits_hex(out, group, group > 0xfff ? 4 : group > 0xff ? 3 : group > 0xf ? 2 : 1);
}

/* RFC 5952; the IPv4 address in a mapped or compatible one is shown as such. */
static size_t
addr_put_ipv6(char *out, const uint8_t ip[16])
{
    unsigned groups[8];
    size_t from, to, n = 0;

    for (size_t i = 0; i < 8; i++)
        groups[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
    addr_zeros(groups, &from, &to);
    for (size_t i = 0; i < 8; i++) {
        if (i == 0 ? to > from && from == 0 : i <= from || i >= to)
            out[n++] = ':';
        if (i >= from && i < to)
            continue;
        if (i == 6 && from == 0 && (to == 6 || (to == 5 && groups[5] == 0xffff)))
            return n + addr_put_ipv4(out + n, ip + 12);
        n += addr_put_group(out + n, groups[i]);
    }
    if (to == 8)
        out[n++] = ':';
    return n;
}

static size_t
addr_put_ip(char *out, const struct sg_addr *addr)
{
    if (addr->family == SG_FAMILY_IPV4)
        return addr_put_ipv4(out, addr->ip);
    if (addr->family == SG_FAMILY_IPV6)
        return addr_put_ipv6(out, addr->ip);
    out[0] = '-';
    return 1;
}

static const char *
addr_cut(const char *octets, size_t len, char *text, size_t size)
{
    if (size == 0)
        return text;
    len = len < size ? len : size - 1;
    memcpy(text, octets, len);
    text[len] = '\0';
    return text;
}

const char *
sg_addr_format_ip(const struct sg_addr *addr, char *text, size_t size)
{
    char whole[SG_ADDR_TEXT];

    return addr_cut(whole, addr_put_ip(whole, addr), text, size);
}

size_t
sg_addr_put(const struct sg_addr *addr, char text[SG_ADDR_TEXT])
{
    const bool ipv6 = addr->family == SG_FAMILY_IPV6;
    size_t n = 0;

    if (ipv6)
        text[n++] = '[';
    n += addr_put_ip(text + n, addr);
    if (ipv6)
        text[n++] = ']';
    if (addr_bits(addr) != 0) {
        text[n++] = ':';
        n += sg_digits(text + n, addr->port);
    }
    return n;
}

const char *
sg_addr_format(const struct sg_addr *addr, char *text, size_t size)
{
    char whole[SG_ADDR_TEXT];

    return addr_cut(whole, sg_addr_put(addr, whole), text, size);
}

bool
sg_addr_same_ip(const struct sg_addr *a, const struct sg_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0 && a->scope_id == b->scope_id;
}

bool
sg_range_contains(const struct sg_range *range, const struct sg_addr *addr)
{
    return addr->family == range->base.family && addr_bits(addr) != 0 &&
           addr_prefix_equal(addr->ip, range->base.ip, range->bits);
}

bool
sg_ranges_contain(const struct sg_ranges *ranges, const struct sg_addr *addr)
{
    for (size_t i = 0; i < ranges->n; i++)
        if (sg_range_contains(&ranges->v[i].range, addr))
            return true;
    return false;
}

bool
sg_ports_contain(const struct sg_ports *ports, uint16_t port)
{
    for (size_t i = 0; i < ports->n; i++)
        if (port >= ports->v[i].first && port <= ports->v[i].last)
            return true;
    return false;
}

/* The IPv4 address that an IPv6 address carries, or NULL. `prefix_out`: where in it the IPv4 bits begin. */
static const uint8_t *
addr_embedded(const uint8_t ip[16], unsigned *prefix_out)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    static const uint8_t zeros[16] = { 0 };
    static const uint8_t one[16] = { [15] = 1 };

    *prefix_out = 96;
    if (memcmp(ip, mapped, sizeof mapped) == 0 || memcmp(ip, nat64, sizeof nat64) == 0)
        return ip + 12;
    if (memcmp(ip, zeros, 12) == 0 && memcmp(ip, zeros, 16) != 0 && memcmp(ip, one, 16) != 0)
        return ip + 12;
    *prefix_out = 16;
    return ip[0] == 0x20 && ip[1] == 0x02 ? ip + 2 : NULL;
}

void
sg_addr_canonical(struct sg_addr *addr)
{
    unsigned prefix;
    const uint8_t *inner;
    uint8_t ip4[4];

    if (addr->family != SG_FAMILY_IPV6 || (inner = addr_embedded(addr->ip, &prefix)) == NULL)
        return;
    memcpy(ip4, inner, sizeof ip4);
    memset(addr->ip, 0, sizeof addr->ip);
    memcpy(addr->ip, ip4, sizeof ip4);
    addr->family = SG_FAMILY_IPV4;
    addr->scope_id = 0;
}

int
sg_addr_parse(const char *text, struct sg_addr *addr_out)
{
    *addr_out = (struct sg_addr){ .family = SG_FAMILY_IPV4 };
    if (inet_pton(AF_INET, text, addr_out->ip) == 1)
        return 0;
    *addr_out = (struct sg_addr){ .family = SG_FAMILY_IPV6 };
    if (inet_pton(AF_INET6, text, addr_out->ip) == 1)
        return 0;
    *addr_out = (struct sg_addr){ .family = SG_FAMILY_NONE };
    return -1;
}

/* The text behind the last ':', if that is a port. */
static int
addr_port(const char *text, uint16_t *port_out)
{
    char *end;
    const unsigned long port = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || port > UINT16_MAX)
        return -1;
    *port_out = (uint16_t)port;
    return 0;
}

int
sg_addr_parse_port(const char *text, uint16_t port, struct sg_addr *addr_out)
{
    const char *colon = strrchr(text, ':');
    const bool bracket = text[0] == '[';
    char ip[SG_ADDR_TEXT];
    size_t len = strlen(text);

    *addr_out = (struct sg_addr){ .family = SG_FAMILY_NONE };
    if (bracket || (colon != NULL && strchr(text, ':') == colon)) {
        const char *end = bracket ? strchr(text, ']') : colon;

        if (end == NULL || (bracket && end[1] != '\0' && end + 1 != colon))
            return -1;
        if (end[0] == ':' || end[1] == ':') {
            if (addr_port(colon + 1, &port) == -1)
                return -1;
        }
        text += bracket;
        len = (size_t)(end - text);
    }
    if (len >= sizeof ip)
        return -1;
    memcpy(ip, text, len);
    ip[len] = '\0';
    if (sg_addr_parse(ip, addr_out) == -1 || (bracket && addr_out->family != SG_FAMILY_IPV6))
        return -1;
    addr_out->port = port;
    return 0;
}

int
sg_addr_parse_loose(const char *text, size_t len, struct sg_addr *addr_out)
{
    char copy[256]; /* a name is no longer; inet_aton() takes any number of leading zeros */
    struct in_addr in;

    *addr_out = (struct sg_addr){ .family = SG_FAMILY_NONE };
    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (sg_addr_parse(copy, addr_out) == -1) {
        /* inet_aton() stops at white space and calls it a success: that is no whole address. */
        if (copy[strspn(copy, "0123456789abcdefABCDEFxX.")] != '\0' || inet_aton(copy, &in) == 0)
            return -1;
        addr_out->family = SG_FAMILY_IPV4;
        memcpy(addr_out->ip, &in.s_addr, sizeof in.s_addr);
    }
    sg_addr_canonical(addr_out);
    return 0;
}

/* A range of wrapped IPv4 addresses is the range of those addresses, as long as the prefix reaches into them. */
static void
range_canonical(struct sg_range *range)
{
    unsigned prefix;

    if (range->base.family != SG_FAMILY_IPV6 || addr_embedded(range->base.ip, &prefix) == NULL || range->bits < prefix)
        return;
    sg_addr_canonical(&range->base);
    range->bits = range->bits - prefix > 32 ? 32 : (uint8_t)(range->bits - prefix);
}

/* Clears what is behind the prefix; was there anything? */
static bool
range_clear_rest(struct sg_range *range)
{
    bool any = false;

    for (unsigned bit = range->bits; bit < addr_bits(&range->base); bit++) {
        const uint8_t mask = (uint8_t)(0x80u >> (bit % 8));

        any = any || (range->base.ip[bit / 8] & mask) != 0;
        range->base.ip[bit / 8] &= (uint8_t)~mask;
    }
    return any;
}

/* "192.0.2.0/24" or a bare address, as it is written. */
static int
range_read(const char *text, struct sg_range *range)
{
    const char *slash = strchr(text, '/');
    const size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char ip[SG_ADDR_TEXT], *end;
    unsigned long bits;

    if (len >= sizeof ip)
        return -1;
    memcpy(ip, text, len);
    ip[len] = '\0';
    if (sg_addr_parse(ip, &range->base) == -1)
        return -1;
    bits = addr_bits(&range->base);
    if (slash != NULL) {
        if (slash[1] < '0' || slash[1] > '9')
            return -1;
        bits = strtoul(slash + 1, &end, 10);
        if (*end != '\0' || bits > addr_bits(&range->base))
            return -1;
    }
    range->bits = (uint8_t)bits;
    return 0;
}

int
sg_range_parse(const char *text, struct sg_range *range_out)
{
    struct sg_range range;

    *range_out = (struct sg_range){ .bits = 0 };
    if (range_read(text, &range) == -1)
        return -1;
    *range_out = range;
    if (range_clear_rest(range_out))
        return -1;
    range_canonical(range_out);
    return 0;
}

const char *
sg_range_format(const struct sg_range *range, char *text, size_t size)
{
    char ip[SG_ADDR_TEXT];

    (void)sg_addr_format_ip(&range->base, ip, sizeof ip);
    if (range->bits == addr_bits(&range->base))
        (void)snprintf(text, size, "%s", ip);
    else
        (void)snprintf(text, size, "%s/%u", ip, range->bits);
    return text;
}

int
sg_addr_from_sockaddr(const struct sockaddr_storage *ss, struct sg_addr *addr_out)
{
    *addr_out = (struct sg_addr){ .family = SG_FAMILY_NONE };
    if (ss->ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, ss, sizeof in);
        addr_out->family = SG_FAMILY_IPV4;
        addr_out->port = ntohs(in.sin_port);
        memcpy(addr_out->ip, &in.sin_addr, 4);
    } else if (ss->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, ss, sizeof in6);
        addr_out->family = SG_FAMILY_IPV6;
        addr_out->port = ntohs(in6.sin6_port);
        memcpy(addr_out->ip, &in6.sin6_addr, 16);
        addr_out->scope_id = in6.sin6_scope_id;
        sg_addr_canonical(addr_out);
    } else {
        return -1;
    }
    return 0;
}

socklen_t
sg_addr_to_sockaddr(const struct sg_addr *addr, struct sockaddr_storage *ss_out)
{
    memset(ss_out, 0, sizeof *ss_out);
    if (addr->family == SG_FAMILY_IPV4) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(addr->port) };

        memcpy(&in.sin_addr, addr->ip, 4);
        memcpy(ss_out, &in, sizeof in);
        return sizeof in;
    }
    if (addr->family == SG_FAMILY_IPV6) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                    .sin6_port = htons(addr->port),
                                    .sin6_scope_id = addr->scope_id };

        memcpy(&in6.sin6_addr, addr->ip, 16);
        memcpy(ss_out, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}
