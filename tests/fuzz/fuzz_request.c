/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request codec and the reply writer: bounds, canonical addresses, no octet that no name may have, and a reply that
 * a client could read.
 */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "addrs.h"
#include "socks5.h"

static void
check_name(const struct sg_wire_request *request, const uint8_t *data, size_t size)
{
    if (request->name < data || request->name + request->name_len > data + size || request->name_len == 0 ||
        request->name_len > 253)
        abort();
    for (unsigned i = 0; i < request->name_len; i++)
        if (request->name[i] <= 0x20 || request->name[i] == 0x7f)
            abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_wire_request request, again;
    uint8_t reply[SG_REPLY_MAX];
    struct sg_addr canonical;
    const ssize_t n = sg_socks5.parse_request(data, size, &request);

    if (n == -1 && request.rep != SG_REP_GENERAL_FAILURE && request.rep != SG_REP_ATYP_NOT_SUPPORTED)
        abort();
    if (n <= 0)
        return 0;
    if ((size_t)n > size || sg_socks5.parse_request(data, (size_t)n - 1, &again) > 0)
        abort();
    if ((request.name == NULL) == (request.addr.family == SG_FAMILY_NONE))
        abort();
    if (request.name != NULL)
        check_name(&request, data, size);
    canonical = request.addr;
    sg_addr_canonical(&canonical);
    if (!sg_addr_same_ip(&canonical, &request.addr))
        abort();
    (void)sg_addr_special(&request.addr);
    if (sg_socks5.put_reply(reply, 0, &request.addr) != (request.addr.family == SG_FAMILY_IPV6 ? 22u : 10u))
        abort();
    return 0;
}
