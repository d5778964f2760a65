/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * special.c - the classes of addresses that the special-range guard knows.
 */
#include <stddef.h>

#include "addrs.h"

#define IP4(a, b, c, d, bits)                                                                                          \
    {                                                                                                                  \
        .base = { .family = SG_FAMILY_IPV4, .ip = { a, b, c, d } }, bits                                               \
    }
#define IP6(bits, ...)                                                                                                 \
    {                                                                                                                  \
        .base = { .family = SG_FAMILY_IPV6, .ip = { __VA_ARGS__ } }, bits                                              \
    }

static const struct {
    unsigned special;
    struct sg_range range;
} special_ranges[] = {
    { SG_SPECIAL_LOOPBACK, IP4(127, 0, 0, 0, 8) },
    { SG_SPECIAL_LOOPBACK, IP6(128, [15] = 1) },
    { SG_SPECIAL_LINK_LOCAL, IP4(169, 254, 0, 0, 16) },
    { SG_SPECIAL_LINK_LOCAL, IP6(10, 0xfe, 0x80) },
    { SG_SPECIAL_METADATA, IP4(169, 254, 169, 254, 32) },
    { SG_SPECIAL_METADATA, IP4(100, 100, 100, 200, 32) }, /* Alibaba Cloud */
    { SG_SPECIAL_METADATA, IP4(168, 63, 129, 16, 32) },   /* Azure */
    { SG_SPECIAL_METADATA, IP6(128, 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54) },
    { SG_SPECIAL_MULTICAST, IP4(224, 0, 0, 0, 4) },
    { SG_SPECIAL_MULTICAST, IP4(255, 255, 255, 255, 32) },
    { SG_SPECIAL_MULTICAST, IP6(8, 0xff) },
    { SG_SPECIAL_UNSPECIFIED, IP4(0, 0, 0, 0, 8) },
    { SG_SPECIAL_UNSPECIFIED, IP6(128, 0) },
};

const struct sg_conf_word sg_special_words[] = {
    { "loopback", SG_SPECIAL_LOOPBACK },
    { "link_local", SG_SPECIAL_LINK_LOCAL },
    { "metadata", SG_SPECIAL_METADATA },
    { "multicast", SG_SPECIAL_MULTICAST },
    { "unspecified", SG_SPECIAL_UNSPECIFIED },
    { "self", SG_SPECIAL_SELF },
    { NULL, 0 },
};

unsigned
sg_addr_special(const struct sg_addr *addr)
{
    unsigned special = 0;

    for (size_t i = 0; i < sizeof special_ranges / sizeof special_ranges[0]; i++)
        if (sg_range_contains(&special_ranges[i].range, addr))
            special |= special_ranges[i].special;
    /* Loopback is this machine by definition; "self" means its other addresses. */
    if ((special & SG_SPECIAL_LOOPBACK) == 0 && sg_ownaddr_has(addr))
        special |= SG_SPECIAL_SELF;
    return special;
}
