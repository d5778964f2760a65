/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reply of RFC 1413: what is found lies within the line, and less input never means a different answer.
 */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "ident.h"

static void
within(const char *octets, size_t n, const char *field, size_t len)
{
    if (len > 0 && (field < octets || field + len > octets + n))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *octets = (const char *)data;
    struct ident_reply reply, again;
    const ssize_t n = ident_parse(octets, size, &reply);

    if (n <= 0)
        return 0;
    if ((size_t)n > size || octets[n - 1] != '\n' || ident_parse(octets, (size_t)n - 1, &again) != 0)
        abort();
    if ((reply.kind == IDENT_ERROR) != (reply.error_len > 0) || (reply.kind == IDENT_ERROR) == (reply.user_len > 0))
        abort();
    within(octets, (size_t)n, reply.system, reply.system_len);
    within(octets, (size_t)n, reply.user, reply.user_len);
    within(octets, (size_t)n, reply.error, reply.error_len);
    return 0;
}
