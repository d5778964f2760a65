/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - what the protocols have in common: a request as its client sent it, and the functions that read and answer
 * it. The session works on these; which octets they are is known to socks5.c and socks4.c alone.
 */
#ifndef SG_WIRE_H
#define SG_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sockgate/addr.h>
#include <sockgate/socks.h>

struct sg_wire_request {
    uint8_t ver, cmd, rsv, atyp; /* atyp: of SOCKS4 the one that says the same */
    uint16_t port;
    struct sg_addr addr;   /* an address, or a name that is the text of one; canonical, with port */
    const uint8_t *name;   /* inside the input; NULL if addr is set. Malformed: one that no host has, as it came */
    const uint8_t *userid; /* SOCKS4: inside the input */
    uint8_t name_len;      /* without a trailing dot */
    uint8_t userid_len;
    uint8_t rep; /* if malformed: the REP that says so */
};

#define SG_REPLY_MAX 22 /* VER REP RSV ATYP, IPv6 address, port */

/* A protocol, chosen by the first octet that a client sends. */
struct sg_protocol {
    uint8_t ver;
    bool at_once; /* one message is the login and the request: a login that is refused is told in a reply */
    /* Octets consumed, 0: needs more, -1: malformed. One whole message; what follows belongs to the next step. */
    ssize_t (*parse_request)(const uint8_t *p, size_t n, struct sg_wire_request *out);
    /* Octets written; `bnd` NULL or family NONE: 0.0.0.0:0. */
    size_t (*put_reply)(uint8_t out[SG_REPLY_MAX], uint8_t rep, const struct sg_addr *bnd);
};
extern const struct sg_protocol sg_socks5, sg_socks4;

/* ---- for the codecs */

uint16_t sg_wire_port(const uint8_t *p);
/* A host name; text that is an address becomes one, so that no rule ever sees it as a name. -1: no host has such
 * a name. */
int sg_wire_name(const uint8_t *name, size_t len, struct sg_wire_request *out) SG_CHECK;
/* -1, for who has nothing better to say. */
ssize_t sg_wire_malformed(struct sg_wire_request *out, uint8_t rep);

#endif
