/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socks5.h - the wire format of RFC 1928, as pure functions over octets: no I/O, no state, no allocation.
 *
 * A parser returns the octets it consumed, 0 if it needs more, -1 if the message is malformed. It consumes one whole
 * message; what follows belongs to the next step.
 */
#ifndef SG_SOCKS5_H
#define SG_SOCKS5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sockgate/addr.h>
#include <sockgate/socks.h>

struct sg_socks5_greeting {
    uint8_t nmethods;
    const uint8_t *methods; /* inside the input */
};

struct sg_socks5_request {
    uint8_t cmd, rsv, atyp;
    uint16_t port;
    struct sg_addr addr; /* ATYP IPv4, IPv6, or a name that is the text of an address; canonical, with port */
    const uint8_t *name; /* inside the input; NULL if addr is set */
    uint8_t name_len;    /* without a trailing dot */
    uint8_t rep;         /* if malformed: the REP that says so */
};

#define SG_SOCKS5_REPLY_MAX 22 /* VER REP RSV ATYP, IPv6 address, port */

ssize_t sg_socks5_parse_greeting(const uint8_t *p, size_t n, struct sg_socks5_greeting *out);
ssize_t sg_socks5_parse_request(const uint8_t *p, size_t n, struct sg_socks5_request *out);
/* ATYP, DST.ADDR and DST.PORT alone, as requests and datagrams have them; `out` must be zeroed. */
ssize_t sg_socks5_parse_dst(const uint8_t *p, size_t n, struct sg_socks5_request *out);
/* Octets written; `bnd` NULL or family NONE: 0.0.0.0:0. */
size_t sg_socks5_put_reply(uint8_t out[SG_SOCKS5_REPLY_MAX], uint8_t rep, const struct sg_addr *bnd);

#endif
