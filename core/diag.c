/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diag.c - collects messages, then shows them in file order.
 */
#include "diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "conf_text.h"
#include "log.h"

struct diag_entry {
    struct diag_entry *next;
    struct sg_where where;
    int level;
    unsigned number; /* order of arrival, to keep it within a line */
    const char *mark;
    const char *text;
};

struct sg_diag {
    struct sg_arena *arena;
    struct diag_entry *entries;
    unsigned n, errors;
};

struct sg_diag *
sg_diag_new(void)
{
    struct sg_arena *arena = sg_arena_new();
    struct sg_diag *diag = sg_arena_alloc(arena, sizeof *diag);

    diag->arena = arena;
    return diag;
}

void
sg_diag_free(struct sg_diag *diag)
{
    if (diag != NULL)
        sg_arena_free(diag->arena);
}

static bool
diag_known(const struct sg_diag *diag, const struct sg_where *where, const char *text)
{
    for (const struct diag_entry *e = diag->entries; e != NULL; e = e->next)
        if (e->where.line == where->line && strcmp(e->where.file, where->file) == 0 && strcmp(e->text, text) == 0)
            return true;
    return false;
}

static bool
diag_add(struct sg_diag *diag, int level, const struct sg_where *where, const char *mark, const char *format,
         va_list args)
{
    char text[1024];
    struct sg_where place = { where->file != NULL ? where->file : "configuration", where->line };
    struct diag_entry *e;

    (void)vsnprintf(text, sizeof text, format, args);
    if (diag_known(diag, &place, text))
        return false;
    e = sg_arena_alloc(diag->arena, sizeof *e);
    /* Copied: a message may outlive the text that it speaks of. */
    e->where.file = sg_arena_strndup(diag->arena, place.file, strlen(place.file));
    e->where.line = place.line;
    e->level = level;
    e->number = diag->n++;
    e->mark = mark != NULL ? sg_arena_strndup(diag->arena, mark, strlen(mark)) : NULL;
    e->text = sg_arena_strndup(diag->arena, text, strlen(text));
    e->next = diag->entries;
    diag->entries = e;
    return true;
}

void
sg_diag_error(struct sg_diag *diag, const struct sg_where *where, const char *mark, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (diag_add(diag, SG_LOG_EMERG, where, mark, format, args))
        diag->errors++;
    va_end(args);
}

void
sg_diag_note(struct sg_diag *diag, const struct sg_where *where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)diag_add(diag, SG_LOG_WARN, where, NULL, format, args);
    va_end(args);
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
    const int by_file = strcmp(x->where.file, y->where.file);

    if (by_file != 0)
        return by_file;
    if (x->where.line != y->where.line)
        return x->where.line < y->where.line ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* Where the caret goes: the marked word as a whole word, else the first thing in the line. */
static size_t
diag_column(const char *line, size_t len, const char *mark)
{
    size_t first = 0;

    if (mark != NULL && *mark != '\0') {
        const char *found = memmem(line, len, mark, strlen(mark));

        if (found != NULL)
            return (size_t)(found - line);
    }
    while (first < len && (line[first] == ' ' || line[first] == '\t'))
        first++;
    return first;
}

/* The offending line and the caret. Very long lines are shown around the caret; tabs stay, so that the caret fits. */
static void
diag_excerpt(const struct diag_entry *e, const struct sg_conf_text *text,
             void (*line)(void *arg, int level, const char *text), void *arg)
{
    size_t len, column, start = 0;
    const char *source = sg_conf_text_line(text, &e->where, &len);
    char shown[161], caret[161];

    if (source == NULL || len == 0)
        return;
    column = diag_column(source, len, e->mark);
    if (column > 120)
        start = column - 60;
    len -= start;
    if (len > sizeof shown - 1)
        len = sizeof shown - 1;
    for (size_t i = 0; i < len; i++) {
        const char c = source[start + i];

        shown[i] = c == '\t' || (unsigned char)c >= 0x20 ? c : '?';
        caret[i] = c == '\t' ? '\t' : ' ';
    }
    shown[len] = '\0';
    column = column - start < len ? column - start : len - 1;
    caret[column] = '^';
    caret[column + 1] = '\0';
    line(arg, -1, shown);
    line(arg, -1, caret);
}

void
sg_diag_show(const struct sg_diag *diag, const struct sg_conf_text *text,
             void (*line)(void *arg, int level, const char *text), void *arg)
{
    const struct diag_entry **sorted;
    unsigned n = 0;

    if (diag->n == 0)
        return;
    sorted = sg_arena_alloc(diag->arena, diag->n * sizeof(const struct diag_entry *));
    for (const struct diag_entry *e = diag->entries; e != NULL; e = e->next)
        sorted[n++] = e;
    qsort(sorted, n, sizeof *sorted, diag_compare);
    for (unsigned i = 0; i < n; i++) {
        const struct diag_entry *e = sorted[i];
        char head[1400];

        if (e->where.line != 0)
            (void)snprintf(head, sizeof head, "%s:%u: %s", e->where.file, e->where.line, e->text);
        else
            (void)snprintf(head, sizeof head, "%s: %s", e->where.file, e->text);
        line(arg, e->level, head);
        if (text != NULL && e->where.line != 0)
            diag_excerpt(e, text, line, arg);
    }
}
