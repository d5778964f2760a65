/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of datagrams: bounds, canonical addresses, and what is written can be read. The corpus has a datagram a file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "addrs.h"
#include "udp_header.h"

static void
check_name(const struct sg_wire_request *dst, const uint8_t *data, size_t header)
{
    if (dst->name < data || dst->name + dst->name_len > data + header || dst->name_len == 0 || dst->name_len > 253)
        abort();
    for (unsigned i = 0; i < dst->name_len; i++)
        if (dst->name[i] <= 0x20 || dst->name[i] == 0x7f)
            abort();
}

static void
check_written(const struct sg_addr *addr)
{
    uint8_t octets[SG_UDP_HEADER_MAX];
    struct sg_udp_header again;
    const size_t len = sg_udp_put_header(octets, addr);

    if (sg_udp_parse_header(octets, len, &again) != (ssize_t)len || again.frag != 0 || again.dst.port != addr->port ||
        !sg_addr_same_ip(&again.dst.addr, addr))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_udp_header header, again;
    const ssize_t n = sg_udp_parse_header(data, size, &header);
    uint8_t *just;

    if (n == -1)
        return 0;
    if (n < 8 || (size_t)n > size || n > 262 || header.dst.port == 0 || header.frag != data[2])
        abort();
    /* In a block of just its size: nothing is read behind it, and nothing less is enough. */
    just = malloc((size_t)n);
    if (just == NULL)
        return 0;
    memcpy(just, data, (size_t)n);
    if (sg_udp_parse_header(just, (size_t)n, &again) != n || sg_udp_parse_header(just, (size_t)n - 1, &again) != -1)
        abort();
    free(just);
    if ((header.dst.name == NULL) == (header.dst.addr.family == SG_FAMILY_NONE))
        abort();
    if (header.dst.name != NULL)
        check_name(&header.dst, data, (size_t)n);
    else
        check_written(&header.dst.addr);
    return 0;
}
