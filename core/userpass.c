/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * userpass.c - the messages of RFC 1929.
 */
#include "userpass.h"

#include <string.h>

static ssize_t
userpass_malformed(struct sg_userpass *out, enum sg_userpass_wrong wrong)
{
    out->wrong = wrong;
    return -1;
}

ssize_t
sg_userpass_parse(const uint8_t *p, size_t n, struct sg_userpass *out)
{
    *out = (struct sg_userpass){ .wrong = SG_USERPASS_GOOD };
    if (n < 1)
        return 0;
    if (p[0] != SG_USERPASS_VER)
        return userpass_malformed(out, SG_USERPASS_WRONG_VER);
    if (n < 2)
        return 0;
    if (p[1] == 0)
        return userpass_malformed(out, SG_USERPASS_WRONG_ULEN);
    if (n < 3u + p[1] || n < 3u + p[1] + p[2 + p[1]])
        return 0;
    out->ulen = p[1];
    out->uname = p + 2;
    out->plen = p[2 + out->ulen];
    out->passwd = p + 3 + out->ulen;
    if (memchr(out->uname, 0, out->ulen) != NULL || memchr(out->passwd, 0, out->plen) != NULL)
        return userpass_malformed(out, SG_USERPASS_WRONG_NUL);
    return 3 + (ssize_t)out->ulen + out->plen;
}

void
sg_userpass_put_status(uint8_t out[SG_USERPASS_STATUS_LEN], uint8_t status)
{
    out[0] = SG_USERPASS_VER;
    out[1] = status;
}
