/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.h - IP addresses with a port, ranges of them, and the classes that the special-range guard knows.
 *
 * An address inside sockgate is always canonical: an IPv4 address that arrives wrapped in IPv6 (mapped ::ffff:a.b.c.d,
 * compatible ::a.b.c.d, NAT64 64:ff9b::/96, 6to4 2002::/16) is turned into the IPv4 address before any rule sees it.
 * Names are not addresses; they live in struct sg_request.
 */
#ifndef SOCKGATE_ADDR_H
#define SOCKGATE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/visibility.h>

/* What struct sg_addr holds. The numbers are those of ATYP, so that an address can be written as it is. */
enum sg_family { SG_FAMILY_NONE = 0, SG_FAMILY_IPV4 = 1, SG_FAMILY_IPV6 = 4 };

/* One IP address and port. A plain value: copy it freely. All zeroes means "no address". */
struct sg_addr {
    uint8_t family;    /* enum sg_family */
    uint8_t pad;       /* 0 */
    uint16_t port;     /* host byte order */
    uint32_t scope_id; /* interface of a link-local IPv6 address, else 0 */
    uint8_t ip[16];    /* network byte order; IPv4 uses the first four octets, the others are 0 */
};

/* All addresses whose first `bits` bits equal those of `base` (CIDR). The port of `base` is 0. */
struct sg_range {
    struct sg_addr base;
    uint8_t bits; /* 0-32 or 0-128 */
};

/* Classes of addresses that a rule must name before they can be reached. One bit each, to be or-ed. */
enum sg_special {
    SG_SPECIAL_LOOPBACK = 1 << 0,    /* 127.0.0.0/8, ::1 */
    SG_SPECIAL_LINK_LOCAL = 1 << 1,  /* 169.254.0.0/16, fe80::/10 */
    SG_SPECIAL_METADATA = 1 << 2,    /* where clouds serve credentials: 169.254.169.254, fd00:ec2::254, ... */
    SG_SPECIAL_MULTICAST = 1 << 3,   /* 224.0.0.0/4, 255.255.255.255, ff00::/8 */
    SG_SPECIAL_UNSPECIFIED = 1 << 4, /* 0.0.0.0/8, :: */
    SG_SPECIAL_SELF = 1 << 5         /* an address of this very machine */
};

/* Enough for any text that sg_addr_format() writes, the closing NUL included. */
#define SG_ADDR_TEXT 64

/*
 * Writes "192.0.2.1:80" or "[2001:db8::1]:80" to @text and returns @text; "-" if there is no address.
 * With port 0 the port is still written.
 * Owner:  caller keeps both.
 * Blocks: never.
 * Errors: none; what does not fit in @size is cut, SG_ADDR_TEXT octets always fit.
 * RFC:    5952 for the IPv6 form.
 */
SG_API const char *sg_addr_format(const struct sg_addr *addr, char *text, size_t size);

/*
 * As sg_addr_format(), but the address alone, without port and brackets.
 * Owner:  caller keeps both.
 * Blocks: never.
 * Errors: none.
 * RFC:    5952 for the IPv6 form.
 */
SG_API const char *sg_addr_format_ip(const struct sg_addr *addr, char *text, size_t size);

/*
 * Is the IP address the same? Ports are not compared.
 * Owner:  caller keeps both.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API bool sg_addr_same_ip(const struct sg_addr *a, const struct sg_addr *b);

/*
 * Reads "10.0.0.0/8" or "::1" (then all bits count). A range of wrapped IPv4 addresses becomes the range of those.
 * Owner:  caller keeps both.
 * Blocks: never.
 * Errors: -1 if it is malformed, and @range_out has family NONE; also -1 if bits are set behind the prefix, and
 *         @range_out is then the range without them, for a message.
 * RFC:    4632, 4291.
 */
SG_API int sg_range_parse(const char *text, struct sg_range *range_out) SG_CHECK;

/*
 * Is the address inside the range? Families must be equal: canonical addresses need no more.
 * Owner:  caller keeps both.
 * Blocks: never.
 * Errors: none; an address of family NONE is in no range.
 * RFC:    4632.
 */
SG_API bool sg_range_contains(const struct sg_range *range, const struct sg_addr *addr);

/*
 * The special classes that @addr belongs to, as bits of enum sg_special; SG_SPECIAL_SELF is known in workers only.
 * Owner:  caller keeps it.
 * Blocks: never.
 * Errors: none.
 * RFC:    6890.
 */
SG_API unsigned sg_addr_special(const struct sg_addr *addr);

#endif
