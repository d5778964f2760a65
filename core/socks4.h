/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socks4.h - the wire format of SOCKS4 and SOCKS4a, as pure functions over octets. Requests are read by `sg_socks4`
 * (wire.h), which also answers them, with the CD that comes nearest to a REP; what ident has said (st_auth.c) has its own.
 */
#ifndef SG_SOCKS4_H
#define SG_SOCKS4_H

#include "wire.h"

/* As much as a record can keep beside the longest user and host. */
#define SG_SOCKS4_USERID_MAX 64
#define SG_SOCKS4_REPLY 8 /* VN CD DSTPORT DSTIP */

/* `bnd` NULL or not IPv4: zeros, which mean nothing. */
size_t sg_socks4_put_reply(uint8_t out[SG_SOCKS4_REPLY], enum sg_cd cd, const struct sg_addr *bnd);

#endif
