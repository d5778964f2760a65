/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diag.h - the list of everything that is wrong (or worth a note) in a configuration.
 *
 * Errors are collected, then shown together in file order: `sockgate: [emerg] FILE:LINE: TEXT`, the offending line and
 * a caret below it. The text of the files is kept by struct sg_conf_text.
 */
#ifndef SG_DIAG_H
#define SG_DIAG_H

#include <stdio.h>

#include <sockgate/conf.h>

struct sg_conf_text;
struct sg_diag;

struct sg_diag *sg_diag_new(void);
void sg_diag_free(struct sg_diag *diag);

/* `mark`: the word below which the caret goes, searched in the line; NULL: the first word of the line. */
void sg_diag_error(struct sg_diag *diag, const struct sg_where *where, const char *mark, const char *format, ...)
    SG_PRINTF(4, 5);
/* The same for who knows the column: octets before the place in question. */
void sg_diag_error_at(struct sg_diag *diag, const struct sg_where *where, size_t column, const char *format, ...)
    SG_PRINTF(4, 5);
/* A line that belongs to the last message, shown below it. */
void sg_diag_more(struct sg_diag *diag, const char *text);
/* Something that an operator should know but that opens nothing: shown as [warn], does not fail. */
void sg_diag_note(struct sg_diag *diag, const struct sg_where *where, const char *format, ...) SG_PRINTF(3, 4);

/* The line holds a secret: it is never shown. */
void sg_diag_hide(struct sg_diag *diag, const struct sg_where *where);

unsigned sg_diag_errors(const struct sg_diag *diag);
/*
 * Shows all messages through `line(arg, level, text)`, one call a line; level -1: an excerpt that belongs to the message
 * before it. `text` may be NULL: no excerpts.
 */
void sg_diag_show(const struct sg_diag *diag, const struct sg_conf_text *text,
                  void (*line)(void *arg, int level, const char *text), void *arg);

#endif
