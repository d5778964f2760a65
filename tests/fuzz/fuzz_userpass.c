/* SPDX-License-Identifier: BSD-2-Clause */
/* The login of RFC 1929: bounds, lengths, no NUL, and the same result with nothing behind the message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "userpass.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_userpass login, again;
    uint8_t status[SG_USERPASS_STATUS_LEN];
    const ssize_t n = sg_userpass_parse(data, size, &login);

    if ((n == -1) != (login.wrong != SG_USERPASS_GOOD))
        abort();
    if (n <= 0)
        return 0;
    if ((size_t)n > size || n > SG_USERPASS_MAX || n != 3 + login.ulen + login.plen || login.ulen == 0)
        abort();
    if (login.uname != data + 2 || login.passwd != login.uname + login.ulen + 1)
        abort();
    if (memchr(login.uname, 0, login.ulen) != NULL || memchr(login.passwd, 0, login.plen) != NULL)
        abort();
    if (sg_userpass_parse(data, (size_t)n - 1, &again) != 0 || sg_userpass_parse(data, (size_t)n, &again) != n)
        abort();
    sg_userpass_put_status(status, login.ulen);
    if (status[0] != SG_USERPASS_VER || status[1] != login.ulen)
        abort();
    return 0;
}
