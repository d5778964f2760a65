/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vectors.h - reads tests/vectors/NAME.txt: every message of a client, with what a codec is to make of it.
 */
#ifndef SG_TEST_VECTORS_H
#define SG_TEST_VECTORS_H

#include <stddef.h>
#include <stdint.h>

struct vector_case {
    const char *file;
    unsigned line;
    const char *codec;     /* "greeting", "request", ... */
    const char *expect;    /* what follows the codec's name */
    const uint8_t *octets; /* from where the codec begins to the end of the message */
    size_t len;
};

/* Calls `check` for every `=` line behind a `>` message, and (reply true) for those behind `<`. The number of them. */
unsigned vectors_each(char direction, void (*check)(const struct vector_case *c));
/* The value of `key=` in a case, or NULL. Good until the next call. */
const char *vector_field(const struct vector_case *c, const char *key);

#endif
