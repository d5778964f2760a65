/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_scan.h - reads the text of a configuration, line by line, before libconfig does.
 *
 * libconfig ends at its first mistake with a bare "syntax error", and passes over others in silence: a comment or string
 * that never ends, a number that does not fit. Its grammar is small, so the scan knows all of it: every mistake is told
 * at its place with what would be right, and libconfig only ever gets text that it can parse.
 *
 * In two points the scan is stricter than libconfig. A string ends on the line where it begins (texts that stand behind
 * each other are one), so that a forgotten quote is told where it was forgotten. And a decimal number does not begin
 * with 0, since some versions of libconfig take that for an octal one.
 */
#ifndef SG_CONF_SCAN_H
#define SG_CONF_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

#define SG_CONF_SCAN_DEPTH 64

/* What may come next. */
enum sg_conf_expect {
    SG_CONF_EXPECT_NAME,   /* of a setting; or the group ends */
    SG_CONF_EXPECT_EQUALS, /* = or : behind a name */
    SG_CONF_EXPECT_VALUE,  /* of a setting */
    SG_CONF_EXPECT_FIRST,  /* element of a list; or the list ends */
    SG_CONF_EXPECT_NEXT,   /* element, behind a comma */
    SG_CONF_EXPECT_END     /* of a setting or element; a further piece of the same string */
};

struct sg_conf_bracket {
    char mark;    /* { [ ( */
    int elements; /* of an array: the type that all must have; 0: none yet */
    struct sg_where where;
    size_t column;
};

struct sg_conf_scan {
    struct sg_diag *diag;
    struct sg_where where;   /* the line that is being read */
    struct sg_where comment; /* where an open comment began; line 0: none is open */
    struct sg_where comma;   /* EXPECT_NEXT: the comma before */
    size_t comma_column;
    enum sg_conf_expect expect;
    bool in_string; /* EXPECT_END: the value was a string */
    bool lost;      /* brackets or settings do not fit together: what follows would only be told as mistakes too */
    unsigned depth;
    struct sg_conf_bracket brackets[SG_CONF_SCAN_DEPTH];
};

enum sg_conf_include { SG_CONF_INCLUDE_NONE, SG_CONF_INCLUDE_FILE, SG_CONF_INCLUDE_BAD };

void sg_conf_scan_begin(struct sg_conf_scan *scan, struct sg_diag *diag);
/*
 * Is this line an @include? FILE: its name is in `name_out`, inside the line. BAD: it was meant to be one, the diag says
 * what is wrong. Only with NONE the line is for sg_conf_scan_line().
 */
enum sg_conf_include sg_conf_scan_include(struct sg_conf_scan *scan, const struct sg_where *where, const char *line,
                                          size_t len, const char **name_out, size_t *name_len_out);
void sg_conf_scan_line(struct sg_conf_scan *scan, const struct sg_where *where, const char *line, size_t len);
/* The end of one file: a comment must not go beyond it. */
void sg_conf_scan_file_end(struct sg_conf_scan *scan);
/* The end of all text. */
void sg_conf_scan_end(struct sg_conf_scan *scan);

#endif
