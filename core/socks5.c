/* SPDX-License-Identifier: BSD-2-Clause */
#include "socks5.h"

#include <string.h>

#include "addrs.h"

ssize_t
sg_socks5_parse_greeting(const uint8_t *p, size_t n, struct sg_socks5_greeting *out)
{
    if (n < 1)
        return 0;
    if (p[0] != SG_SOCKS5_VER)
        return -1;
    if (n < 2)
        return 0;
    if (n < 2u + p[1])
        return 0;
    out->nmethods = p[1];
    out->methods = p + 2;
    return 2 + (ssize_t)p[1];
}

static void
socks5_ip(const uint8_t *p, struct sg_wire_request *out)
{
    out->addr.family = out->atyp;
    memcpy(out->addr.ip, p, out->atyp == SG_ATYP_IPV4 ? 4 : 16);
    sg_addr_canonical(&out->addr);
}

ssize_t
sg_socks5_parse_dst(const uint8_t *p, size_t n, struct sg_wire_request *out)
{
    size_t addr_len, from = 1;

    if (n < 1)
        return 0;
    out->atyp = p[0];
    if (out->atyp == SG_ATYP_DOMAINNAME) {
        if (n < 2)
            return 0;
        addr_len = p[1];
        from = 2;
        if (addr_len == 0)
            return sg_wire_malformed(out, SG_REP_GENERAL_FAILURE);
    } else if (out->atyp == SG_ATYP_IPV4 || out->atyp == SG_ATYP_IPV6) {
        addr_len = out->atyp == SG_ATYP_IPV4 ? 4 : 16;
    } else {
        return sg_wire_malformed(out, SG_REP_ATYP_NOT_SUPPORTED);
    }
    if (n < from + addr_len + 2)
        return 0;
    out->port = sg_wire_port(p + from + addr_len);
    if (out->atyp == SG_ATYP_DOMAINNAME) {
        if (sg_wire_name(p + from, addr_len, out) == -1)
            return sg_wire_malformed(out, SG_REP_GENERAL_FAILURE);
    } else {
        socks5_ip(p + from, out);
    }
    out->addr.port = out->port;
    return (ssize_t)(from + addr_len + 2);
}

static ssize_t
socks5_parse_request(const uint8_t *p, size_t n, struct sg_wire_request *out)
{
    ssize_t taken;

    memset(out, 0, sizeof *out);
    out->ver = SG_SOCKS5_VER;
    if (n < 1)
        return 0;
    if (p[0] != SG_SOCKS5_VER)
        return sg_wire_malformed(out, SG_REP_GENERAL_FAILURE);
    if (n < 4)
        return 0;
    out->cmd = p[1];
    out->rsv = p[2];
    taken = sg_socks5_parse_dst(p + 3, n - 3, out);
    return taken > 0 ? 3 + taken : taken;
}

static size_t
socks5_put_reply(uint8_t out[SG_REPLY_MAX], uint8_t rep, const struct sg_addr *bnd)
{
    const bool ipv6 = bnd != NULL && bnd->family == SG_FAMILY_IPV6;
    const size_t addr_len = ipv6 ? 16 : 4;
    const uint16_t port = bnd != NULL && bnd->family != SG_FAMILY_NONE ? bnd->port : 0;

    memset(out, 0, SG_REPLY_MAX);
    out[0] = SG_SOCKS5_VER;
    out[1] = rep;
    out[3] = ipv6 ? SG_ATYP_IPV6 : SG_ATYP_IPV4;
    if (bnd != NULL)
        memcpy(out + 4, bnd->ip, addr_len);
    out[4 + addr_len] = (uint8_t)(port >> 8);
    out[4 + addr_len + 1] = (uint8_t)port;
    return 4 + addr_len + 2;
}

const struct sg_protocol sg_socks5 = {
    .ver = SG_SOCKS5_VER,
    .parse_request = socks5_parse_request,
    .put_reply = socks5_put_reply,
};
