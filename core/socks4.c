/* SPDX-License-Identifier: BSD-2-Clause */
#include "socks4.h"

#include <string.h>

#define SOCKS4_FIXED 8      /* VN CD DSTPORT DSTIP */
#define SOCKS4_NAME_MAX 254 /* the longest name, and a dot behind it */

/* Octets up to a NUL. 1: `*len_out` of them, without it; 0: needs more; -1: they are more than `max`. */
static int
socks4_text(const uint8_t *p, size_t n, size_t max, size_t *len_out)
{
    const uint8_t *nul = memchr(p, '\0', n < max + 1 ? n : max + 1);

    if (nul == NULL)
        return n > max ? -1 : 0;
    *len_out = (size_t)(nul - p);
    return 1;
}

/* SOCKS4a: 0.0.0.x with x other than 0 means that a name follows. */
static bool
socks4_names(const uint8_t *dstip)
{
    return dstip[0] == 0 && dstip[1] == 0 && dstip[2] == 0 && dstip[3] != 0;
}

static ssize_t
socks4_parse_request(const uint8_t *p, size_t n, struct sg_wire_request *out)
{
    const uint8_t *name;
    size_t len;
    int got;

    memset(out, 0, sizeof *out);
    out->ver = SG_SOCKS4_VN;
    if (n < 1)
        return 0;
    if (p[0] != SG_SOCKS4_VN)
        return sg_wire_malformed(out, SG_REP_GENERAL_FAILURE);
    if (n < SOCKS4_FIXED)
        return 0;
    out->cmd = p[1];
    out->port = out->addr.port = sg_wire_port(p + 2);
    got = socks4_text(p + SOCKS4_FIXED, n - SOCKS4_FIXED, SG_SOCKS4_USERID_MAX, &len);
    if (got != 1)
        return got == 0 ? 0 : sg_wire_malformed(out, SG_REP_GENERAL_FAILURE);
    out->userid = p + SOCKS4_FIXED;
    out->userid_len = (uint8_t)len;
    name = out->userid + len + 1;
    if (!socks4_names(p + 4)) {
        out->atyp = out->addr.family = SG_ATYP_IPV4;
        memcpy(out->addr.ip, p + 4, 4);
        return name - p;
    }
    out->atyp = SG_ATYP_DOMAINNAME;
    got = socks4_text(name, n - (size_t)(name - p), SOCKS4_NAME_MAX, &len);
    if (got == 0)
        return 0;
    if (got == -1 || sg_wire_name(name, len, out) == -1)
        return sg_wire_malformed(out, SG_REP_GENERAL_FAILURE);
    out->addr.port = out->port; /* of a name that is the text of an address */
    return name + len + 1 - p;
}

size_t
sg_socks4_put_reply(uint8_t out[SG_SOCKS4_REPLY], enum sg_cd cd, const struct sg_addr *bnd)
{
    memset(out, 0, SG_SOCKS4_REPLY);
    out[1] = (uint8_t)cd;
    if (bnd != NULL && bnd->family == SG_FAMILY_IPV4) {
        out[2] = (uint8_t)(bnd->port >> 8);
        out[3] = (uint8_t)bnd->port;
        memcpy(out + 4, bnd->ip, 4);
    }
    return SG_SOCKS4_REPLY;
}

/* What a REP says finer than 91 is in the record. */
static size_t
socks4_put_reply(uint8_t out[SG_REPLY_MAX], uint8_t rep, const struct sg_addr *bnd)
{
    return sg_socks4_put_reply(out, rep == SG_REP_SUCCEEDED ? SG_CD_GRANTED : SG_CD_REJECTED, bnd);
}

const struct sg_protocol sg_socks4 = {
    .ver = SG_SOCKS4_VN,
    .at_once = true,
    .parse_request = socks4_parse_request,
    .put_reply = socks4_put_reply,
};
