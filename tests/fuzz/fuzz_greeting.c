/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The greeting codec: what it consumes lies within the input, and less input never means a different answer.
 */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "socks5.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_socks5_greeting greeting;
    const ssize_t n = sg_socks5_parse_greeting(data, size, &greeting);
    volatile uint8_t seen = 0;

    if (n > 0) {
        if ((size_t)n > size || (size_t)n != 2u + greeting.nmethods)
            abort();
        for (unsigned i = 0; i < greeting.nmethods; i++)
            seen = (uint8_t)(seen ^ greeting.methods[i]);
        if (sg_socks5_parse_greeting(data, (size_t)n - 1, &greeting) != 0)
            abort();
    }
    return 0;
}
