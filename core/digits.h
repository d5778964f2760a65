/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digits.h - numbers as text, for lines that are written by the hundred thousand: no format is read to write one, and no
 * NUL put behind it. Each function tells how many octets it has written.
 */
#ifndef SG_DIGITS_H
#define SG_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#define SG_DIGITS_MAX 20 /* of a number of 64 bits, also with its sign */

size_t sg_digits(char *out, uint64_t number);
size_t sg_digits_signed(char *out, int64_t number);
size_t sg_digits_fixed(char *out, uint64_t number, size_t width); /* the last `width` of them, with leading zeros */
size_t sg_digits_hex(char *out, uint64_t number, size_t width);   /* likewise */

#endif
