/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * told.h - what a struct sg_diag would show, taken apart.
 */
#ifndef TOLD_H
#define TOLD_H

#include "conf_text.h"
#include "diag.h"

#define TOLD_MAX 32

struct told {
    size_t n;
    struct {
        int level;
        char text[600];  /* "FILE:LINE: TEXT" */
        char shown[200]; /* the excerpt, "" if there is none */
        int column;      /* of the caret, from 1; 0 without */
    } v[TOLD_MAX];
};

void told(const struct sg_diag *diag, const struct sg_conf_text *text, struct told *told_out);
/* Everything in one string, for the message of a failed test. Good until the next call. */
const char *told_all(const struct told *told);
/*
 * Is the n-th message this one? `wanted` is "LINE:COLUMN:words", the file's name left out; COLUMN 0: any or none. The words
 * must be somewhere in the text.
 */
bool told_is(const struct told *told, size_t n, const char *wanted);
/* That these, NULL at the end, are all, in this order; `source` is what was read. */
void told_expect(const struct told *told, const char *const *wanted, const char *source);

#endif
