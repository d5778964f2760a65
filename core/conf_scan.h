/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_scan.h - looks over configuration text line by line, before libconfig sees it, for what libconfig would pass over
 * in silence: a comment or string that never ends, a decimal number that does not fit, a NUL octet. Also finds @include.
 */
#ifndef SG_CONF_SCAN_H
#define SG_CONF_SCAN_H

#include <stddef.h>

#include "diag.h"

struct sg_conf_scan {
    struct sg_diag *diag;
    const char *file;
    unsigned comment_from; /* line where an open comment began; 0: none */
    unsigned string_from;
};

void sg_conf_scan_begin(struct sg_conf_scan *scan, struct sg_diag *diag, const char *file);
/* An include's name goes to `name_out`, else NULL. What is wrong goes to the diag. */
void sg_conf_scan_line(struct sg_conf_scan *scan, const char *line, size_t len, unsigned number, const char **name_out,
                       size_t *name_len_out);
void sg_conf_scan_end(struct sg_conf_scan *scan);
/* What a line that libconfig calls a "syntax error" probably wanted, or NULL. `mark_out`: the word in question. */
const char *sg_conf_scan_hint(const char *line, size_t len, char *mark_out, size_t mark_size);

#endif
