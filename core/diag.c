/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diag.c - collects messages, then shows them in the order of the text.
 */
#include "diag.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "conf_text.h"
#include "log.h"

#define DIAG_ENTRIES_MAX 1000 /* who has more mistakes than that will read them in portions */
#define DIAG_SHOWN 160        /* octets of a line in an excerpt */
#define DIAG_BEFORE 60        /* of these, before the caret of a long line */

#define COLUMN_UNKNOWN SIZE_MAX

struct diag_line {
    struct diag_line *next;
    const char *text;
};

struct diag_entry {
    struct sg_where where;
    int level;
    unsigned number; /* order of arrival, to keep it within a line */
    unsigned order;  /* of the line in the whole text; while showing */
    size_t column;   /* COLUMN_UNKNOWN: where `mark` is */
    const char *mark;
    const char *text;
    struct diag_line *more, **more_end; /* below it */
};

struct diag_hidden {
    struct diag_hidden *next;
    struct sg_where where;
};

struct sg_diag {
    struct sg_arena *arena;
    struct diag_entry **entries;
    struct diag_hidden *hidden;
    unsigned n, errors, left_out;
};

struct sg_diag *
sg_diag_new(void)
{
    struct sg_arena *arena = sg_arena_new();
    struct sg_diag *diag = sg_arena_alloc(arena, sizeof *diag);

    diag->arena = arena;
    diag->entries = sg_arena_alloc(arena, DIAG_ENTRIES_MAX * sizeof *diag->entries);
    return diag;
}

void
sg_diag_free(struct sg_diag *diag)
{
    if (diag != NULL)
        sg_arena_free(diag->arena);
}

static bool
diag_same_place(const struct sg_where *a, const struct sg_where *b)
{
    return a->line == b->line && strcmp(a->file, b->file) == 0;
}

static bool
diag_known(const struct sg_diag *diag, const struct sg_where *where, size_t column, const char *text)
{
    for (unsigned i = 0; i < diag->n; i++) {
        const struct diag_entry *e = diag->entries[i];

        if (e->column == column && diag_same_place(&e->where, where) && strcmp(e->text, text) == 0)
            return true;
    }
    return false;
}

/* A copy: a message may outlive the text that it speaks of. */
static struct sg_where
diag_place(const struct sg_diag *diag, const struct sg_where *where)
{
    const char *file = where->file != NULL ? where->file : "configuration";

    return (struct sg_where){ sg_arena_strndup(diag->arena, file, strlen(file)), where->line };
}

static void SG_PRINTF(6, 0) diag_add(struct sg_diag *diag, int level, const struct sg_where *where, const char *mark,
                                     size_t column, const char *format, va_list args)
{
    char text[1024];
    const struct sg_where place = diag_place(diag, where);
    struct diag_entry *e;

    (void)vsnprintf(text, sizeof text, format, args);
    if (diag_known(diag, &place, column, text))
        return;
    if (level == SG_LOG_EMERG)
        diag->errors++;
    if (diag->n == DIAG_ENTRIES_MAX) {
        diag->left_out++;
        return;
    }
    e = sg_arena_alloc(diag->arena, sizeof *e);
    *e = (struct diag_entry){ .where = place, .level = level, .number = diag->n, .column = column };
    e->mark = mark != NULL && *mark != '\0' ? sg_arena_strndup(diag->arena, mark, strlen(mark)) : NULL;
    e->text = sg_arena_strndup(diag->arena, text, strlen(text));
    e->more_end = &e->more;
    diag->entries[diag->n++] = e;
}

void
sg_diag_error(struct sg_diag *diag, const struct sg_where *where, const char *mark, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    diag_add(diag, SG_LOG_EMERG, where, mark, COLUMN_UNKNOWN, format, args);
    va_end(args);
}

void
sg_diag_error_at(struct sg_diag *diag, const struct sg_where *where, size_t column, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    diag_add(diag, SG_LOG_EMERG, where, NULL, column, format, args);
    va_end(args);
}

void
sg_diag_more(struct sg_diag *diag, const char *text)
{
    struct diag_entry *e = diag->n > 0 ? diag->entries[diag->n - 1] : NULL;
    struct diag_line *line = sg_arena_alloc(diag->arena, sizeof *line);

    if (e == NULL)
        return;
    line->text = sg_arena_strndup(diag->arena, text, strlen(text));
    *e->more_end = line;
    e->more_end = &line->next;
}

void
sg_diag_note(struct sg_diag *diag, const struct sg_where *where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    diag_add(diag, SG_LOG_WARN, where, NULL, COLUMN_UNKNOWN, format, args);
    va_end(args);
}

void
sg_diag_hide(struct sg_diag *diag, const struct sg_where *where)
{
    struct diag_hidden *hidden = sg_arena_alloc(diag->arena, sizeof *hidden);

    hidden->where = diag_place(diag, where);
    hidden->next = diag->hidden;
    diag->hidden = hidden;
}

unsigned
sg_diag_errors(const struct sg_diag *diag)
{
    return diag->errors;
}

static int
diag_compare(const void *a, const void *b)
{
    const struct diag_entry *x = *(const struct diag_entry *const *)a;
    const struct diag_entry *y = *(const struct diag_entry *const *)b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->where.line != y->where.line)
        return x->where.line < y->where.line ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static bool
diag_word_char(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_' || c == '-';
}

/* `mark` as a whole word: "port" is not meant where "dst_port" stands. NULL if it is not in the line. */
static const char *
diag_find_word(const char *line, size_t len, const char *mark)
{
    const size_t mark_len = strlen(mark);
    const char *const end = line + len, *p = line;

    while ((p = memmem(p, (size_t)(end - p), mark, mark_len)) != NULL) {
        const bool joined_before = p > line && diag_word_char(p[-1]) && diag_word_char(mark[0]);
        const bool joined_behind =
            end - p > (ptrdiff_t)mark_len && diag_word_char(p[mark_len]) && diag_word_char(mark[mark_len - 1]);

        if (!joined_before && !joined_behind)
            return p;
        p++;
    }
    return NULL;
}

static size_t
diag_column(const struct diag_entry *e, const char *line, size_t len)
{
    const char *word = e->mark != NULL ? diag_find_word(line, len, e->mark) : NULL;
    size_t first = 0;

    if (e->column != COLUMN_UNKNOWN)
        return e->column < len ? e->column : len;
    if (word != NULL)
        return (size_t)(word - line);
    while (first < len && (line[first] == ' ' || line[first] == '\t'))
        first++;
    return first;
}

/* The blanks that put a caret below `column`: a tab stays one, a character of several octets takes one column. */
static void
diag_caret(char *caret, const char *line, size_t column)
{
    for (size_t i = 0; i < column; i++)
        if (line[i] == '\t')
            *caret++ = '\t';
        else if (((unsigned char)line[i] & 0xc0) != 0x80)
            *caret++ = ' ';
    *caret++ = '^';
    *caret = '\0';
}

/* The line in question and the caret; of a very long line, the part around the caret. */
static void
diag_excerpt(const struct diag_entry *e, const struct sg_conf_text *text,
             void (*line)(void *arg, int level, const char *text), void *arg)
{
    size_t len, column, start;
    const char *source = sg_conf_text_line(text, &e->where, &len);
    char shown[DIAG_SHOWN + 1], caret[DIAG_SHOWN + 2];

    if (source == NULL || len == 0)
        return;
    column = diag_column(e, source, len);
    start = column < DIAG_SHOWN - DIAG_BEFORE ? 0 : column - DIAG_BEFORE;
    len = len - start < DIAG_SHOWN ? len - start : DIAG_SHOWN;
    for (size_t i = 0; i < len; i++) {
        const char c = source[start + i];

        shown[i] = c == '\t' || (unsigned char)c >= 0x20 ? c : '?';
    }
    shown[len] = '\0';
    diag_caret(caret, source + start, column - start);
    line(arg, -1, shown);
    line(arg, -1, caret);
}

static bool
diag_may_show(const struct sg_diag *diag, const struct sg_where *where)
{
    for (const struct diag_hidden *hidden = diag->hidden; hidden != NULL; hidden = hidden->next)
        if (diag_same_place(&hidden->where, where))
            return false;
    return where->line != 0;
}

void
sg_diag_show(const struct sg_diag *diag, const struct sg_conf_text *text,
             void (*line)(void *arg, int level, const char *text), void *arg)
{
    char head[1400];

    for (unsigned i = 0; i < diag->n; i++)
        diag->entries[i]->order = text != NULL ? sg_conf_text_order(text, &diag->entries[i]->where) : 0;
    qsort(diag->entries, diag->n, sizeof *diag->entries, diag_compare);
    for (unsigned i = 0; i < diag->n; i++) {
        const struct diag_entry *e = diag->entries[i];

        if (e->where.line != 0)
            (void)snprintf(head, sizeof head, "%s:%u: %s", e->where.file, e->where.line, e->text);
        else
            (void)snprintf(head, sizeof head, "%s: %s", e->where.file, e->text);
        line(arg, e->level, head);
        if (text != NULL && diag_may_show(diag, &e->where))
            diag_excerpt(e, text, line, arg);
        for (const struct diag_line *more = e->more; more != NULL; more = more->next)
            line(arg, -1, more->text);
    }
    if (diag->left_out > 0) {
        (void)snprintf(head, sizeof head, "%u more mistakes are not shown", diag->left_out);
        line(arg, SG_LOG_EMERG, head);
    }
}
