/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socks5.h - the wire format of RFC 1928, as pure functions over octets: no I/O, no state, no allocation.
 * Request and reply are those of `sg_socks5` (wire.h).
 */
#ifndef SG_SOCKS5_H
#define SG_SOCKS5_H

#include "wire.h"

struct sg_socks5_greeting {
    uint8_t nmethods;
    const uint8_t *methods; /* inside the input */
};

/* Octets consumed, 0: needs more, -1: malformed. */
ssize_t sg_socks5_parse_greeting(const uint8_t *p, size_t n, struct sg_socks5_greeting *out);
/* ATYP, DST.ADDR and DST.PORT alone, as requests and datagrams have them; `out` must be zeroed. */
ssize_t sg_socks5_parse_dst(const uint8_t *p, size_t n, struct sg_wire_request *out);

#endif
