/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_build.h - how a struct sg_conf_text is put together, whether from files, from memory or from what was saved.
 */
#ifndef SG_CONF_BUILD_H
#define SG_CONF_BUILD_H

#include <sys/types.h>

#include "conf_scan.h"
#include "conf_text.h"
#include "digest.h"

#define SG_CONF_BUILD_MAX ((size_t)16 << 20) /* octets in all files together */

struct sg_conf_line {
    struct sg_where where;
    const char *start; /* without the end of the line */
    size_t len;
    bool include; /* an @include: shown, but not for libconfig */
};

struct sg_conf_text {
    struct sg_arena *arena;
    struct sg_conf_line *lines; /* of all files, in the order in which they take effect */
    unsigned n_lines, lines_size;
    struct sg_digest *files; /* that were read, in that order; none when the text was saved or compiled in */
    unsigned n_files;
    char *expanded; /* NULL until all lines are there */
    bool good;
    struct sg_diag *diag; /* these two while it is built */
    unsigned errors_before;
    struct sg_conf_scan scan;
};

/* What an @include line leads to; what is wrong with it goes to the diag. */
struct sg_conf_includer {
    void (*include)(struct sg_conf_includer *self, const struct sg_where *where, const char *name, size_t name_len);
};

struct sg_conf_text *sg_conf_build_new(struct sg_diag *diag);
/* All octets of an open file, at most `max`, NUL-terminated, in the text's arena; NULL and errno. */
char *sg_conf_build_slurp(struct sg_conf_text *text, int fd, size_t max, size_t *len_out);
/* Scans and adds the lines of one file, or a part of them; `includer` NULL: an @include is a mistake. */
void sg_conf_build_lines(struct sg_conf_text *text, const char *file, unsigned first_line, const char *bytes,
                         size_t len, struct sg_conf_includer *includer);
/* Behind the last line: `name` is what a text without any line is called. */
struct sg_conf_text *sg_conf_build_end(struct sg_conf_text *text, const char *name);

#endif
