/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_text.c - lines with their places, and the one string that libconfig gets.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_build.h"

struct sg_conf_text *
sg_conf_build_new(struct sg_diag *diag)
{
    struct sg_arena *arena = sg_arena_new();
    struct sg_conf_text *text = sg_arena_alloc(arena, sizeof *text);

    text->arena = arena;
    text->diag = diag;
    text->errors_before = sg_diag_errors(diag);
    sg_conf_scan_begin(&text->scan, diag);
    return text;
}

void
sg_conf_text_free(struct sg_conf_text *text)
{
    if (text != NULL)
        sg_arena_free(text->arena);
}

char *
sg_conf_build_slurp(struct sg_conf_text *text, int fd, size_t max, size_t *len_out)
{
    struct stat st;
    size_t len = 0;
    char *bytes;

    if (fstat(fd, &st) == -1)
        return NULL;
    if (st.st_size < 0 || (uintmax_t)st.st_size > max) {
        errno = EFBIG;
        return NULL;
    }
    bytes = sg_arena_alloc(text->arena, (size_t)st.st_size + 1);
    while (len < (size_t)st.st_size) {
        /* Not read(): the offset of a saved text is shared between processes. */
        const ssize_t n = pread(fd, bytes + len, (size_t)st.st_size - len, (off_t)len);

        if (n == 0)
            break;
        if (n == -1 && errno != EINTR)
            return NULL;
        len += n > 0 ? (size_t)n : 0;
    }
    *len_out = len;
    return bytes;
}

static void
build_add(struct sg_conf_text *text, const struct sg_conf_line *line)
{
    if (text->n_lines == text->lines_size) {
        const unsigned size = text->lines_size > 0 ? text->lines_size * 2 : 64;
        struct sg_conf_line *lines = sg_arena_alloc(text->arena, size * sizeof *lines);

        if (text->n_lines > 0)
            memcpy(lines, text->lines, text->n_lines * sizeof *lines);
        text->lines = lines;
        text->lines_size = size;
    }
    text->lines[text->n_lines++] = *line;
}

static void
build_line(struct sg_conf_text *text, const struct sg_where *where, const char *start, size_t len,
           struct sg_conf_includer *includer)
{
    const char *name;
    size_t name_len;
    const enum sg_conf_include include = sg_conf_scan_include(&text->scan, where, start, len, &name, &name_len);

    build_add(text, &(struct sg_conf_line){ *where, start, len, include != SG_CONF_INCLUDE_NONE });
    if (include == SG_CONF_INCLUDE_NONE)
        sg_conf_scan_line(&text->scan, where, start, len);
    else if (include == SG_CONF_INCLUDE_FILE && includer != NULL)
        includer->include(includer, where, name, name_len);
    else if (include == SG_CONF_INCLUDE_FILE)
        sg_diag_error(text->diag, where, "@include", "this text cannot include files: it is none itself");
}

void
sg_conf_build_lines(struct sg_conf_text *text, const char *file, unsigned first_line, const char *bytes, size_t len,
                    struct sg_conf_includer *includer)
{
    struct sg_where where = { sg_arena_strndup(text->arena, file, strlen(file)), first_line };

    for (size_t at = 0; at < len; where.line++) {
        const char *start = bytes + at;
        const char *end = memchr(start, '\n', len - at);
        size_t line_len = end != NULL ? (size_t)(end - start) : len - at;

        at += line_len + 1;
        while (line_len > 0 && start[line_len - 1] == '\r')
            line_len--;
        build_line(text, &where, start, line_len, includer);
    }
    sg_conf_scan_file_end(&text->scan);
}

struct sg_conf_text *
sg_conf_build_end(struct sg_conf_text *text, const char *name)
{
    size_t len = 0;
    char *p;

    sg_conf_scan_end(&text->scan);
    if (text->n_lines == 0)
        build_add(text,
                  &(struct sg_conf_line){ { sg_arena_strndup(text->arena, name, strlen(name)), 1 }, "", 0, false });
    for (unsigned i = 0; i < text->n_lines; i++)
        len += text->lines[i].len + 1;
    p = text->expanded = sg_arena_alloc(text->arena, len + 1);
    for (unsigned i = 0; i < text->n_lines; i++) {
        const struct sg_conf_line *line = &text->lines[i];

        if (!line->include) {
            memcpy(p, line->start, line->len);
            p += line->len;
        }
        *p++ = '\n';
    }
    text->good = sg_diag_errors(text->diag) == text->errors_before;
    text->diag = NULL;
    return text;
}

struct sg_conf_text *
sg_conf_text_from(const char *name, const char *bytes, size_t len, struct sg_diag *diag)
{
    struct sg_conf_text *text = sg_conf_build_new(diag);

    sg_conf_build_lines(text, name, 1, sg_arena_strndup(text->arena, bytes, len), len, NULL);
    return sg_conf_build_end(text, name);
}

const struct sg_digest *
sg_conf_text_files(const struct sg_conf_text *text, size_t *n_out)
{
    *n_out = text->n_files;
    return text->files;
}

bool
sg_conf_text_good(const struct sg_conf_text *text)
{
    return text->good;
}

const char *
sg_conf_text_expanded(const struct sg_conf_text *text)
{
    return text->expanded;
}

struct sg_where
sg_conf_text_where(const struct sg_conf_text *text, unsigned expanded_line)
{
    const unsigned line = expanded_line > text->n_lines ? text->n_lines : expanded_line;

    return text->lines[line > 0 ? line - 1 : 0].where;
}

bool
sg_conf_text_holds(const struct sg_conf_text *text, unsigned expanded_line, const char *what)
{
    const struct sg_conf_line *line;

    if (expanded_line == 0 || expanded_line > text->n_lines)
        return false;
    line = &text->lines[expanded_line - 1];
    return memmem(line->start, line->len, what, strlen(what)) != NULL;
}

unsigned
sg_conf_text_order(const struct sg_conf_text *text, const struct sg_where *where)
{
    for (unsigned i = 0; i < text->n_lines; i++)
        if (text->lines[i].where.line == where->line && strcmp(text->lines[i].where.file, where->file) == 0)
            return i + 1;
    return 0;
}

const char *
sg_conf_text_line(const struct sg_conf_text *text, const struct sg_where *where, size_t *len_out)
{
    const unsigned order = sg_conf_text_order(text, where);

    if (order == 0)
        return NULL;
    *len_out = text->lines[order - 1].len;
    return text->lines[order - 1].start;
}
