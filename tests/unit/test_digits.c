/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_digits.c - numbers and addresses as text, beside what the library makes of them.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockgate/addr.h>

#include "digits.h"

static void
expect(const char *octets, size_t len, const char *text)
{
    cr_expect(len == strlen(text) && memcmp(octets, text, len) == 0, "\"%.*s\" in place of \"%s\"", (int)len, octets,
              text);
}

static void
expect_number(uint64_t number)
{
    char octets[SG_DIGITS_MAX], text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    expect(octets, sg_digits(octets, number), text);
    (void)snprintf(text, sizeof text, "%" PRId64, (int64_t)number);
    expect(octets, sg_digits_signed(octets, (int64_t)number), text);
    (void)snprintf(text, sizeof text, "%03u", (unsigned)(number % 1000));
    expect(octets, sg_digits_fixed(octets, number, 3), text);
    (void)snprintf(text, sizeof text, "%016" PRIx64, number);
    expect(octets, sg_digits_hex(octets, number, 16), text);
    (void)snprintf(text, sizeof text, "%02x", (unsigned)(number & 0xff));
    expect(octets, sg_digits_hex(octets, number, 2), text);
}

Test(digits, numbers)
{
    expect_number(0);
    expect_number(UINT64_MAX);
    expect_number((uint64_t)INT64_MIN);
    expect_number(INT64_MAX);
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
        expect_number(power - 1);
        expect_number(power);
        expect_number(power + 1);
    }
    for (unsigned bit = 0; bit < 64; bit++)
        expect_number((uint64_t)1 << bit);
}

/* Every pattern of groups that are zero or not; of the others, each a number of as many digits as its place says. */
Test(digits, addresses)
{
    char octets[SG_ADDR_TEXT], text[SG_ADDR_TEXT];

    for (unsigned pattern = 0; pattern < 1u << 10; pattern++) {
        struct sg_addr addr = { .family = SG_FAMILY_IPV6 };

        for (unsigned i = 0; i < 8; i++) {
            unsigned group = (pattern >> i & 1) != 0 ? 0xabcdu >> 4 * ((i + (pattern >> 8)) & 3) : 0;

            if (i == 5 && group != 0 && pattern >> 8 == 3)
                group = 0xffff;
            addr.ip[2 * i] = (uint8_t)(group >> 8);
            addr.ip[2 * i + 1] = (uint8_t)group;
        }
        cr_assert_not_null(inet_ntop(AF_INET6, addr.ip, text, sizeof text));
        cr_expect_str_eq(sg_addr_format_ip(&addr, octets, sizeof octets), text);
        addr.family = SG_FAMILY_IPV4;
        cr_assert_not_null(inet_ntop(AF_INET, addr.ip, text, sizeof text));
        cr_expect_str_eq(sg_addr_format_ip(&addr, octets, sizeof octets), text);
    }
}
