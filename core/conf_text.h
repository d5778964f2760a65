/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_text.h - the text of a configuration: the main file and all that it includes, read once, kept.
 *
 * We expand `@include "FILE"` ourselves (relative to the including file, shell patterns allowed, depth and size bounded)
 * and hand libconfig one string, so that versions 1.5 to 1.8 behave alike, every setting maps back to FILE:LINE, and
 * the very bytes that were loaded can be given to a restarted generation (`sg_conf_text_save`). While it is read, every
 * line is scanned (conf_scan.h).
 */
#ifndef SG_CONF_TEXT_H
#define SG_CONF_TEXT_H

#include <stdbool.h>

#include "arena.h"
#include "diag.h"
#include "digest.h"

struct sg_conf_text;

/*
 * Reads `path` and its includes. What is wrong is in `diag`: look at sg_diag_errors(). The text is there all the same, as
 * far as it was read, to show the lines in question.
 */
struct sg_conf_text *sg_conf_text_read(const char *path, struct sg_diag *diag);
/* From memory, under the name `name`, without includes (embedded default, tests, fuzzing). */
struct sg_conf_text *sg_conf_text_from(const char *name, const char *bytes, size_t len, struct sg_diag *diag);
/* All text with its line map into one descriptor (a memfd), and back again. -1 and errno. */
int sg_conf_text_save(const struct sg_conf_text *text, int fd);
struct sg_conf_text *sg_conf_text_load(int fd, struct sg_diag *diag);
void sg_conf_text_free(struct sg_conf_text *text); /* NULL is ignored */

/* The files that it was read from, the main one first; none when it was saved, or is the embedded default. */
const struct sg_digest *sg_conf_text_files(const struct sg_conf_text *text, size_t *n_out);
bool sg_conf_text_good(const struct sg_conf_text *text);            /* nothing was wrong: libconfig may have it */
const char *sg_conf_text_expanded(const struct sg_conf_text *text); /* NUL-terminated, for libconfig */
/* Where a line of the expanded text comes from; a number out of range gives the first or last line. */
struct sg_where sg_conf_text_where(const struct sg_conf_text *text, unsigned expanded_line);
/* Does that line of the expanded text hold this? */
bool sg_conf_text_holds(const struct sg_conf_text *text, unsigned expanded_line, const char *what);
/* The other way: the line's number in the expanded text, 0 if it is not there. */
unsigned sg_conf_text_order(const struct sg_conf_text *text, const struct sg_where *where);
const char *sg_conf_text_line(const struct sg_conf_text *text, const struct sg_where *where,
                              size_t *len_out); /* or NULL */

#endif
