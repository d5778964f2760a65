/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SOCKS4 codec: bounds, one answer for each message however much of it has come, names and USERIDs that lie inside
 * the input and hold no NUL, and a reply that a client could read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "addrs.h"
#include "socks4.h"

static void
check_text(const uint8_t *text, size_t len, const uint8_t *data, size_t end)
{
    if (text < data || text + len >= data + end || memchr(text, '\0', len) != NULL)
        abort();
}

static void
check_request(const struct sg_wire_request *request, const uint8_t *data, size_t end)
{
    if (request->ver != SG_SOCKS4_VN || request->userid_len > SG_SOCKS4_USERID_MAX)
        abort();
    check_text(request->userid, request->userid_len, data, end);
    if ((request->name == NULL) == (request->addr.family == SG_FAMILY_NONE))
        abort();
    if (request->name != NULL) {
        check_text(request->name, request->name_len, data, end);
        if (request->name_len == 0 || request->name_len > 253 || request->atyp != SG_ATYP_DOMAINNAME)
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_wire_request request, again;
    uint8_t reply[SG_REPLY_MAX];
    const ssize_t n = sg_socks4.parse_request(data, size, &request);

    if (n == -1 && request.rep != SG_REP_GENERAL_FAILURE)
        abort();
    if (n == 0 && size > 8 + SG_SOCKS4_USERID_MAX + 1 + 254)
        abort();
    if (n <= 0)
        return 0;
    if ((size_t)n > size || sg_socks4.parse_request(data, (size_t)n - 1, &again) != 0)
        abort();
    check_request(&request, data, (size_t)n);
    if (sg_socks4.put_reply(reply, 0, &request.addr) != SG_SOCKS4_REPLY || reply[0] != 0)
        abort();
    return 0;
}
