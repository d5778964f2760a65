/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_header.h - the header in front of every datagram between client and gateway (RFC 1928 section 7): pure functions.
 *
 *   RSV 00 00 | FRAG | ATYP | DST.ADDR | DST.PORT | DATA
 */
#ifndef SG_UDP_HEADER_H
#define SG_UDP_HEADER_H

#include "socks5.h"

struct sg_udp_header {
    uint8_t frag;               /* 00: the datagram stands alone */
    struct sg_wire_request dst; /* CMD is UDP ASSOCIATE; a name is inside the input */
};

#define SG_UDP_HEADER_MAX 22 /* of what we write: always an address, at most an IPv6 one */

/* The octets of the header; -1: malformed. A datagram is whole, so there is no "more". Port 0 reaches nobody: malformed. */
ssize_t sg_udp_parse_header(const uint8_t *p, size_t n, struct sg_udp_header *out);
/* Octets written: a header with FRAG 00 that names `from`, of either family. */
size_t sg_udp_put_header(uint8_t out[SG_UDP_HEADER_MAX], const struct sg_addr *from);

#endif
