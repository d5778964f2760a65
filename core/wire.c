/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c - ports and names, which the protocols write alike.
 */
#include "wire.h"

#include "addrs.h"

#define WIRE_NAME_MAX 253 /* RFC 1035: what fits into 255 octets on the wire of DNS */
#define WIRE_LABEL_MAX 63

uint16_t
sg_wire_port(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

ssize_t
sg_wire_malformed(struct sg_wire_request *out, uint8_t rep)
{
    out->rep = rep;
    return -1;
}

/*
 * Labels of the length that DNS can carry, without octets that no host name has, whatever its script: controls, blanks,
 * NUL, and the backslash, which resolvers take for an escape.
 */
static bool
wire_name_good(const uint8_t *name, size_t len)
{
    size_t label = 0;

    if (len == 0 || len > WIRE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= 0x20 || name[i] == 0x7f || name[i] == '\\')
            return false;
        if (name[i] == '.' && label == 0)
            return false;
        label = name[i] == '.' ? 0 : label + 1;
        if (label > WIRE_LABEL_MAX)
            return false;
    }
    return label > 0;
}

int
sg_wire_name(const uint8_t *name, size_t len, struct sg_wire_request *out)
{
    const size_t came = len;

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (!wire_name_good(name, len)) {
        out->name = name;
        out->name_len = (uint8_t)came;
        return -1;
    }
    if (sg_addr_parse_loose((const char *)name, len, &out->addr) == -1) {
        out->name = name;
        out->name_len = (uint8_t)len;
    }
    return 0;
}
