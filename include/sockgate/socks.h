/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socks.h - the numbers of the SOCKS memos, under the names that the memos use.
 *
 * RFC 1928 (SOCKS5), RFC 1929 (username/password), the SOCKS4 and SOCKS4a memos.
 */
#ifndef SOCKGATE_SOCKS_H
#define SOCKGATE_SOCKS_H

/* VER: the first octet of every SOCKS5 message (RFC 1928 section 3). */
#define SG_SOCKS5_VER 0x05

/* VN: the first octet of every SOCKS4 request. */
#define SG_SOCKS4_VN 0x04

/* METHOD: how the client authenticates (RFC 1928 section 3). 0x03-0x7f are IANA's, 0x80-0xfe are private. */
enum sg_method {
    SG_METHOD_NONE = 0x00,
    SG_METHOD_GSSAPI = 0x01,
    SG_METHOD_USERPASS = 0x02,
    SG_METHOD_PRIVATE_FIRST = 0x80,
    SG_METHOD_PRIVATE_LAST = 0xfe,
    SG_METHOD_NO_ACCEPTABLE = 0xff
};

/* CMD: what the client wants done (RFC 1928 section 4). */
enum sg_cmd { SG_CMD_CONNECT = 0x01, SG_CMD_BIND = 0x02, SG_CMD_UDP_ASSOCIATE = 0x03 };

/* ATYP: the kind of address that follows (RFC 1928 section 5). */
enum sg_atyp { SG_ATYP_IPV4 = 0x01, SG_ATYP_DOMAINNAME = 0x03, SG_ATYP_IPV6 = 0x04 };

/* REP: the outcome told to the client (RFC 1928 section 6). Nothing above 0x08 is ever sent. */
enum sg_rep {
    SG_REP_SUCCEEDED = 0x00,
    SG_REP_GENERAL_FAILURE = 0x01,
    SG_REP_NOT_ALLOWED = 0x02,
    SG_REP_NETWORK_UNREACHABLE = 0x03,
    SG_REP_HOST_UNREACHABLE = 0x04,
    SG_REP_CONNECTION_REFUSED = 0x05,
    SG_REP_TTL_EXPIRED = 0x06,
    SG_REP_COMMAND_NOT_SUPPORTED = 0x07,
    SG_REP_ATYP_NOT_SUPPORTED = 0x08
};

/* CD of a SOCKS4 reply. */
enum sg_cd {
    SG_CD_GRANTED = 90,
    SG_CD_REJECTED = 91,     /* or failed */
    SG_CD_NO_IDENTD = 92,    /* identd of the client is not reachable */
    SG_CD_IDENT_DIFFERS = 93 /* identd names another user */
};

#endif
