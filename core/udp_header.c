/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_header.c - the header of datagrams, read and written.
 */
#include "udp_header.h"

#include <string.h>

#define HEADER_FIXED 3 /* RSV, FRAG */

ssize_t
sg_udp_parse_header(const uint8_t *p, size_t n, struct sg_udp_header *out)
{
    ssize_t taken;

    memset(out, 0, sizeof *out);
    if (n < HEADER_FIXED || p[0] != 0 || p[1] != 0)
        return -1;
    out->frag = p[2];
    out->dst.ver = SG_SOCKS5_VER;
    out->dst.cmd = SG_CMD_UDP_ASSOCIATE;
    taken = sg_socks5_parse_dst(p + HEADER_FIXED, n - HEADER_FIXED, &out->dst);
    return taken > 0 && out->dst.port != 0 ? HEADER_FIXED + taken : -1;
}

size_t
sg_udp_put_header(uint8_t out[SG_UDP_HEADER_MAX], const struct sg_addr *from)
{
    const size_t addr_len = from->family == SG_FAMILY_IPV6 ? 16 : 4;
    const size_t port_at = HEADER_FIXED + 1 + addr_len;

    memset(out, 0, HEADER_FIXED);
    out[HEADER_FIXED] = from->family;
    memcpy(out + HEADER_FIXED + 1, from->ip, addr_len);
    out[port_at] = (uint8_t)(from->port >> 8);
    out[port_at + 1] = (uint8_t)from->port;
    return port_at + 2;
}
