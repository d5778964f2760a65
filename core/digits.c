/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digits.c - numbers as text.
 */
#include "digits.h"

size_t
sg_digits(char *out, uint64_t number)
{
    size_t width = 1;

    for (uint64_t bound = 10; width < SG_DIGITS_MAX && number >= bound; bound *= 10)
        width++;
    return sg_digits_fixed(out, number, width);
}

size_t
sg_digits_signed(char *out, int64_t number)
{
    if (number >= 0)
        return sg_digits(out, (uint64_t)number);
    out[0] = '-';
    /* The least of all has no positive counterpart: it is negated as what it is without a sign. */
    return 1 + sg_digits(out + 1, -(uint64_t)number);
}

size_t
sg_digits_fixed(char *out, uint64_t number, size_t width)
{
    for (size_t i = width; i > 0; number /= 10)
        out[--i] = (char)('0' + number % 10);
    return width;
}

size_t
sg_digits_hex(char *out, uint64_t number, size_t width)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = width; i > 0; number >>= 4)
        out[--i] = digits[number & 15];
    return width;
}
