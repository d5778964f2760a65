/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * utf8.h - one character of UTF-8 at a time.
 */
#ifndef SG_UTF8_H
#define SG_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the character at `p` and the character itself; 0 if it is not valid UTF-8 (RFC 3629). `n` > 0. */
size_t sg_utf8_next(const uint8_t *p, size_t n, uint32_t *character_out);
/* May it stand in a log as it is? Terminals and readers obey controls, line separators and marks of writing direction. */
bool sg_utf8_harmless(uint32_t character);

#endif
