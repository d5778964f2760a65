/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_text.h - the text of a configuration: the main file and all that it includes, read once, kept.
 *
 * We expand `@include "FILE"` ourselves (relative to the including file, shell patterns allowed, depth and size bounded)
 * and hand libconfig one string, so that versions 1.5 to 1.8 behave alike, every setting maps back to FILE:LINE, and
 * the very bytes that were loaded can be given to a restarted generation (`sg_conf_text_save`).
 * A pre-scan reports what libconfig would pass over in silence: an unterminated comment or string, a decimal number
 * over 2147483647 without L.
 */
#ifndef SG_CONF_TEXT_H
#define SG_CONF_TEXT_H

#include <stdbool.h>

#include "arena.h"
#include "diag.h"

struct sg_conf_text;

/* Reads `path` and its includes. NULL if anything cannot be read. What the scan finds is in `diag` too: look there. */
struct sg_conf_text *sg_conf_text_read(const char *path, struct sg_diag *diag);
/* From memory, under the name `name`, without includes (embedded default, tests, fuzzing). */
struct sg_conf_text *sg_conf_text_from(const char *name, const char *bytes, size_t len, struct sg_diag *diag);
/* All files in one descriptor (a memfd), and back again. */
int sg_conf_text_save(const struct sg_conf_text *text, int fd);
struct sg_conf_text *sg_conf_text_load(int fd, struct sg_diag *diag);
void sg_conf_text_free(struct sg_conf_text *text);

const char *sg_conf_text_expanded(const struct sg_conf_text *text);        /* NUL-terminated, for libconfig */
struct sg_where sg_conf_text_where(const struct sg_conf_text *text, unsigned expanded_line);
const char *sg_conf_text_line(const struct sg_conf_text *text, const struct sg_where *where, size_t *len_out); /* or NULL */

#endif
