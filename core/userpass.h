/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * userpass.h - the wire format of RFC 1929, as pure functions over octets: no I/O, no state, no allocation.
 *
 *   client    01 ULEN UNAME PLEN PASSWD
 *   gateway   01 STATUS
 */
#ifndef SG_USERPASS_H
#define SG_USERPASS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SG_USERPASS_VER 1 /* of this sub-negotiation, not of SOCKS */
#define SG_USERPASS_MAX 513
#define SG_USERPASS_STATUS_LEN 2

enum sg_userpass_status { SG_USERPASS_SUCCESS = 0, SG_USERPASS_FAILURE = 1 };

/* What is wrong with a malformed message. NUL: it is whole, and its parts are set: the record can say whose it was. */
enum sg_userpass_wrong {
    SG_USERPASS_GOOD,
    SG_USERPASS_WRONG_VER,
    SG_USERPASS_WRONG_ULEN, /* an empty UNAME */
    SG_USERPASS_WRONG_NUL   /* in UNAME or PASSWD, where a back end would take it for the end */
};

struct sg_userpass {
    const uint8_t *uname, *passwd; /* inside the input */
    uint8_t ulen, plen;            /* ULEN 1-255, PLEN 0-255 */
    enum sg_userpass_wrong wrong;
};

/* The octets consumed, 0 if it needs more, -1 if the message is malformed. What follows belongs to the next step. */
ssize_t sg_userpass_parse(const uint8_t *p, size_t n, struct sg_userpass *out);
void sg_userpass_put_status(uint8_t out[SG_USERPASS_STATUS_LEN], uint8_t status);

#endif
