/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_text.c - files, includes, the line map.
 *
 * `files` are the bytes as read; `expanded` is what libconfig gets: the lines of all files in the order in which they
 * take effect, an @include line replaced by the lines of what it names; `lines[i]` tells where expanded line i + 1 is
 * from. Saving writes the expanded lines with their map, so loading needs no file system.
 */
#include "conf_text.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_scan.h"

#define TEXT_DEPTH_MAX 10
#define TEXT_SIZE_MAX ((size_t)16 << 20)
#define TEXT_SAVE_HEAD "sockgate-configuration 1\n"

struct text_line {
    struct sg_where where;
    const char *start;
    size_t len;
};

struct text_source {
    const char *path;
    const char *bytes;
    size_t len;
};

struct sg_conf_text {
    struct sg_arena *arena;
    struct sg_diag *diag; /* while reading */
    char *expanded;
    size_t len, size;
    struct text_line *lines;
    unsigned n_lines, lines_size;
    dev_t devs[TEXT_DEPTH_MAX]; /* of the files that are being read, to refuse loops */
    ino_t inos[TEXT_DEPTH_MAX];
    unsigned depth;
    bool failed;
};

static struct sg_conf_text *
text_new(struct sg_diag *diag)
{
    struct sg_conf_text *text = calloc(1, sizeof *text);

    if (text == NULL) {
        sg_diag_error(diag, &(struct sg_where){ "configuration", 0 }, NULL, "out of memory");
        return NULL;
    }
    text->arena = sg_arena_new();
    text->diag = diag;
    return text;
}

void
sg_conf_text_free(struct sg_conf_text *text)
{
    if (text == NULL)
        return;
    sg_arena_free(text->arena);
    free(text->expanded);
    free(text->lines);
    free(text);
}

static void
text_fail(struct sg_conf_text *text, const struct sg_where *where, const char *mark, const char *what, const char *path)
{
    sg_diag_error(text->diag, where, mark, "%s%s%s", path != NULL ? path : "", path != NULL ? ": " : "", what);
    text->failed = true;
}

static bool
text_grow(void **array, unsigned *size, unsigned wanted, size_t one)
{
    if (wanted > *size) {
        const unsigned more = wanted * 2;
        void *p = realloc(*array, more * one);

        if (p == NULL)
            return false;
        *array = p;
        *size = more;
    }
    return true;
}

/* One line goes to the expanded text. */
static void
text_append(struct sg_conf_text *text, const struct sg_where *where, const char *start, size_t len)
{
    void *lines = text->lines;

    if (text->len + len + 2 > text->size) {
        const size_t more = (text->len + len + 2) * 2;
        char *p = realloc(text->expanded, more);

        if (p == NULL) {
            text_fail(text, where, NULL, "out of memory", NULL);
            return;
        }
        text->expanded = p;
        text->size = more;
    }
    if (!text_grow(&lines, &text->lines_size, text->n_lines + 1, sizeof *text->lines)) {
        text_fail(text, where, NULL, "out of memory", NULL);
        return;
    }
    text->lines = lines;
    text->lines[text->n_lines++] = (struct text_line){ *where, start, len };
    memcpy(text->expanded + text->len, start, len);
    text->len += len;
    text->expanded[text->len++] = '\n';
    text->expanded[text->len] = '\0';
}

static void text_file(struct sg_conf_text *text, const char *path, const struct sg_where *from);

/* `@include "NAME"`: relative to the including file; shell patterns name any number of files, also none. */
static void
text_include(struct sg_conf_text *text, const struct sg_where *where, const char *name, size_t name_len)
{
    const char *slash = strrchr(where->file, '/');
    const int folder = name_len > 0 && name[0] == '/' ? 0 : slash == NULL ? 0 : (int)(slash - where->file) + 1;
    char pattern[PATH_MAX];
    glob_t found;
    const int n = snprintf(pattern, sizeof pattern, "%.*s%.*s", folder, where->file, (int)name_len, name);

    if (n < 0 || (size_t)n >= sizeof pattern) {
        text_fail(text, where, "@include", "the name is too long", NULL);
        return;
    }
    if (strpbrk(pattern, "*?[") == NULL) {
        text_file(text, pattern, where);
        return;
    }
    switch (glob(pattern, 0, NULL, &found)) {
    case 0:
        for (size_t i = 0; i < found.gl_pathc && !text->failed; i++)
            text_file(text, found.gl_pathv[i], where);
        globfree(&found);
        break;
    case GLOB_NOMATCH:
        break;
    default:
        text_fail(text, where, "@include", strerror(errno), pattern);
    }
}

/* Splits a source into lines; an include is recognised only where libconfig would: outside comments and strings. */
static void
text_source(struct sg_conf_text *text, const struct text_source *source, bool includes)
{
    struct sg_conf_scan scan;
    size_t at = 0;
    unsigned line = 0;

    sg_conf_scan_begin(&scan, text->diag, source->path);
    while (at < source->len && !text->failed) {
        const char *start = source->bytes + at;
        const char *end = memchr(start, '\n', source->len - at);
        const size_t len = end != NULL ? (size_t)(end - start) : source->len - at;
        const struct sg_where where = { source->path, ++line };
        const char *name;
        size_t name_len;

        at += len + 1;
        sg_conf_scan_line(&scan, start, len, line, &name, &name_len);
        if (name == NULL)
            text_append(text, &where, start, len);
        else if (includes)
            text_include(text, &where, name, name_len);
        else
            text_fail(text, &where, "@include", "there is nothing to include from here", NULL);
    }
    sg_conf_scan_end(&scan); /* what it found is in the diag; the text is kept, to show the lines */
}

static char *
text_slurp(struct sg_conf_text *text, int fd, size_t *len_out)
{
    size_t size = 16384, len = 0;
    char *bytes = malloc(size), *kept = NULL;

    while (bytes != NULL) {
        const ssize_t n = read(fd, bytes + len, size - len);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            break;
        if (n == 0) {
            kept = sg_arena_strndup(text->arena, bytes, len);
            *len_out = len;
            break;
        }
        len += (size_t)n;
        if (text->len + len > TEXT_SIZE_MAX) {
            errno = EFBIG;
            break;
        }
        if (len == size) {
            char *more = realloc(bytes, size *= 2);

            if (more == NULL)
                break;
            bytes = more;
        }
    }
    free(bytes);
    return kept;
}

static void
text_file(struct sg_conf_text *text, const char *path, const struct sg_where *from)
{
    const char *mark = from->line != 0 ? "@include" : NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct text_source source = { sg_arena_strndup(text->arena, path, strlen(path)), NULL, 0 };
    struct stat st;

    if (fd == -1 || fstat(fd, &st) == -1) {
        text_fail(text, from, mark, strerror(errno), from->line != 0 ? path : NULL);
    } else if (!S_ISREG(st.st_mode)) {
        text_fail(text, from, mark, S_ISDIR(st.st_mode) ? "is a folder, not a file" : "is not a regular file",
                  from->line != 0 ? path : NULL);
    } else if (text->depth == TEXT_DEPTH_MAX) {
        text_fail(text, from, mark, "more than 10 files inside each other", NULL);
    } else {
        for (unsigned i = 0; i < text->depth; i++)
            if (text->devs[i] == st.st_dev && text->inos[i] == st.st_ino)
                text_fail(text, from, mark, "includes itself", path);
        if (!text->failed && (source.bytes = text_slurp(text, fd, &source.len)) == NULL)
            text_fail(text, from, mark, strerror(errno), path);
    }
    if (!text->failed) {
        text->devs[text->depth] = st.st_dev;
        text->inos[text->depth++] = st.st_ino;
        text_source(text, &source, true);
        text->depth--;
    }
    if (fd != -1)
        (void)close(fd);
}

static struct sg_conf_text *
text_whole(struct sg_conf_text *text, const char *name)
{
    if (!text->failed && text->n_lines == 0)
        text_append(text, &(struct sg_where){ sg_arena_strndup(text->arena, name, strlen(name)), 1 }, "", 0);
    if (text->failed) {
        sg_conf_text_free(text);
        return NULL;
    }
    text->diag = NULL;
    return text;
}

struct sg_conf_text *
sg_conf_text_read(const char *path, struct sg_diag *diag)
{
    struct sg_conf_text *text = text_new(diag);

    if (text == NULL)
        return NULL;
    text_file(text, path, &(struct sg_where){ path, 0 });
    return text_whole(text, path);
}

struct sg_conf_text *
sg_conf_text_from(const char *name, const char *bytes, size_t len, struct sg_diag *diag)
{
    struct sg_conf_text *text = text_new(diag);
    struct text_source source;

    if (text == NULL)
        return NULL;
    source.path = sg_arena_strndup(text->arena, name, strlen(name));
    source.bytes = sg_arena_strndup(text->arena, bytes, len);
    source.len = len;
    text_source(text, &source, false);
    return text_whole(text, name);
}

int
sg_conf_text_save(const struct sg_conf_text *text, int fd)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *out = copy != -1 ? fdopen(copy, "w") : NULL;

    if (out == NULL) {
        if (copy != -1)
            (void)close(copy);
        return -1;
    }
    (void)fputs(TEXT_SAVE_HEAD, out);
    for (unsigned i = 0; i < text->n_lines; i++) {
        const struct text_line *l = &text->lines[i];

        (void)fprintf(out, "%u %zu %zu ", l->where.line, strlen(l->where.file), l->len);
        (void)fwrite(l->where.file, 1, strlen(l->where.file), out);
        (void)fwrite(l->start, 1, l->len, out);
        (void)fputc('\n', out);
    }
    if (ferror(out) != 0) {
        (void)fclose(out);
        return -1;
    }
    return fclose(out) == 0 ? 0 : -1;
}

/* One saved line from `*at` on; false at the end or on a malformed rest. */
static bool
text_load_line(struct sg_conf_text *text, const char **at, const char *end)
{
    unsigned line;
    size_t file_len, len;
    int head = 0;
    struct sg_where where;

    if (*at >= end || sscanf(*at, "%u %zu %zu%n", &line, &file_len, &len, &head) != 3)
        return false;
    *at += head + 1;
    if (*at > end || file_len > (size_t)(end - *at) || len > (size_t)(end - *at) - file_len)
        return false;
    /* The lines of a file follow each other: share its name. */
    if (text->n_lines > 0 && strlen(text->lines[text->n_lines - 1].where.file) == file_len &&
        memcmp(text->lines[text->n_lines - 1].where.file, *at, file_len) == 0)
        where.file = text->lines[text->n_lines - 1].where.file;
    else
        where.file = sg_arena_strndup(text->arena, *at, file_len);
    where.line = line;
    text_append(text, &where, *at + file_len, len);
    *at += file_len + len + 1;
    return !text->failed;
}

struct sg_conf_text *
sg_conf_text_load(int fd, struct sg_diag *diag)
{
    const char *name = "(configuration as it was loaded)";
    struct sg_conf_text *text = text_new(diag);
    size_t len = 0;
    const char *bytes, *at;

    if (text == NULL)
        return NULL;
    bytes = lseek(fd, 0, SEEK_SET) == 0 ? text_slurp(text, fd, &len) : NULL;
    if (bytes == NULL || strncmp(bytes, TEXT_SAVE_HEAD, strlen(TEXT_SAVE_HEAD)) != 0) {
        text_fail(text, &(struct sg_where){ name, 0 }, NULL, "cannot be read back", NULL);
        return text_whole(text, name);
    }
    at = bytes + strlen(TEXT_SAVE_HEAD);
    while (text_load_line(text, &at, bytes + len))
        continue;
    if (at < bytes + len)
        text_fail(text, &(struct sg_where){ name, 0 }, NULL, "is damaged", NULL);
    return text_whole(text, name);
}

const char *
sg_conf_text_expanded(const struct sg_conf_text *text)
{
    return text->expanded;
}

struct sg_where
sg_conf_text_where(const struct sg_conf_text *text, unsigned expanded_line)
{
    if (expanded_line == 0)
        expanded_line = 1;
    if (expanded_line > text->n_lines)
        expanded_line = text->n_lines;
    return text->lines[expanded_line - 1].where;
}

const char *
sg_conf_text_line(const struct sg_conf_text *text, const struct sg_where *where, size_t *len_out)
{
    for (unsigned i = 0; i < text->n_lines; i++)
        if (text->lines[i].where.line == where->line && strcmp(text->lines[i].where.file, where->file) == 0) {
            *len_out = text->lines[i].len;
            return text->lines[i].start;
        }
    return NULL;
}
