/* SPDX-License-Identifier: BSD-2-Clause */
#include "socks5.h"

#include <string.h>

#include "addrs.h"

#define SOCKS5_NAME_MAX 253 /* RFC 1035: what fits into 255 octets on the wire of DNS */
#define SOCKS5_LABEL_MAX 63

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

static uint16_t
socks5_port(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/*
 * Labels of the length that DNS can carry, without octets that no host name has, whatever its script: controls, blanks,
 * NUL, and the backslash, which resolvers take for an escape.
 */
static bool
socks5_name_good(const uint8_t *name, size_t len)
{
    size_t label = 0;

    if (len == 0 || len > SOCKS5_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= 0x20 || name[i] == 0x7f || name[i] == '\\')
            return false;
        if (name[i] == '.' && label == 0)
            return false;
        label = name[i] == '.' ? 0 : label + 1;
        if (label > SOCKS5_LABEL_MAX)
            return false;
    }
    return label > 0;
}

/* DST.ADDR as a name. Text that is an address becomes one here, so that no rule ever sees it as a name. */
static int
socks5_name(const uint8_t *name, size_t len, struct sg_socks5_request *out)
{
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (!socks5_name_good(name, len))
        return -1;
    if (sg_addr_parse_loose((const char *)name, len, &out->addr) == -1) {
        out->name = name;
        out->name_len = (uint8_t)len;
    }
    return 0;
}

static void
socks5_ip(const uint8_t *p, struct sg_socks5_request *out)
{
    out->addr.family = out->atyp;
    memcpy(out->addr.ip, p, out->atyp == SG_ATYP_IPV4 ? 4 : 16);
    sg_addr_canonical(&out->addr);
}

static ssize_t
socks5_malformed(struct sg_socks5_request *out, uint8_t rep)
{
    out->rep = rep;
    return -1;
}

ssize_t
sg_socks5_parse_dst(const uint8_t *p, size_t n, struct sg_socks5_request *out)
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
            return socks5_malformed(out, SG_REP_GENERAL_FAILURE);
    } else if (out->atyp == SG_ATYP_IPV4 || out->atyp == SG_ATYP_IPV6) {
        addr_len = out->atyp == SG_ATYP_IPV4 ? 4 : 16;
    } else {
        return socks5_malformed(out, SG_REP_ATYP_NOT_SUPPORTED);
    }
    if (n < from + addr_len + 2)
        return 0;
    if (out->atyp == SG_ATYP_DOMAINNAME) {
        if (socks5_name(p + from, addr_len, out) == -1)
            return socks5_malformed(out, SG_REP_GENERAL_FAILURE);
    } else {
        socks5_ip(p + from, out);
    }
    out->port = socks5_port(p + from + addr_len);
    out->addr.port = out->port;
    return (ssize_t)(from + addr_len + 2);
}

ssize_t
sg_socks5_parse_request(const uint8_t *p, size_t n, struct sg_socks5_request *out)
{
    ssize_t taken;

    memset(out, 0, sizeof *out);
    if (n < 1)
        return 0;
    if (p[0] != SG_SOCKS5_VER)
        return socks5_malformed(out, SG_REP_GENERAL_FAILURE);
    if (n < 4)
        return 0;
    out->cmd = p[1];
    out->rsv = p[2];
    taken = sg_socks5_parse_dst(p + 3, n - 3, out);
    return taken > 0 ? 3 + taken : taken;
}

size_t
sg_socks5_put_reply(uint8_t out[SG_SOCKS5_REPLY_MAX], uint8_t rep, const struct sg_addr *bnd)
{
    const bool ipv6 = bnd != NULL && bnd->family == SG_FAMILY_IPV6;
    const size_t addr_len = ipv6 ? 16 : 4;
    const uint16_t port = bnd != NULL && bnd->family != SG_FAMILY_NONE ? bnd->port : 0;

    memset(out, 0, SG_SOCKS5_REPLY_MAX);
    out[0] = SG_SOCKS5_VER;
    out[1] = rep;
    out[3] = ipv6 ? SG_ATYP_IPV6 : SG_ATYP_IPV4;
    if (bnd != NULL)
        memcpy(out + 4, bnd->ip, addr_len);
    out[4 + addr_len] = (uint8_t)(port >> 8);
    out[4 + addr_len + 1] = (uint8_t)port;
    return 4 + addr_len + 2;
}
