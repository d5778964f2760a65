/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_saved.c - a configuration's text in a descriptor, from which another process gets the very same lines and places
 * without looking at the files again.
 *
 * A first line with the version, then runs of lines that follow each other in one file: four decimal numbers and a line
 * end (length of the file's name, first line, number of lines, octets in them), the name, the lines each with its end.
 * The lines of @include are empty: what they included follows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf_build.h"

static const char saved_head[] = "sockgate-configuration 1\n";
#define SAVED_MAX (4 * SG_CONF_BUILD_MAX)

static bool
saved_same_run(const struct sg_conf_line *before, const struct sg_conf_line *line)
{
    return line->where.line == before->where.line + 1 && strcmp(line->where.file, before->where.file) == 0;
}

/* Writes the run that begins at line `first`; where the next one begins. */
static unsigned
saved_put_run(const struct sg_conf_text *text, unsigned first, FILE *out)
{
    const struct sg_where *where = &text->lines[first].where;
    unsigned behind = first;
    size_t octets = 0;

    do {
        octets += text->lines[behind].include ? 1 : text->lines[behind].len + 1;
        behind++;
    } while (behind < text->n_lines && saved_same_run(&text->lines[behind - 1], &text->lines[behind]));
    (void)fprintf(out, "%zu %u %u %zu\n%s", strlen(where->file), where->line, behind - first, octets, where->file);
    for (unsigned i = first; i < behind; i++) {
        if (!text->lines[i].include)
            (void)fwrite(text->lines[i].start, 1, text->lines[i].len, out);
        (void)fputc('\n', out);
    }
    return behind;
}

int
sg_conf_text_save(const struct sg_conf_text *text, int fd)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *out = copy != -1 ? fdopen(copy, "w") : NULL;
    int err;

    if (out == NULL) {
        err = errno;
        if (copy != -1)
            (void)close(copy);
        errno = err;
        return -1;
    }
    (void)fputs(saved_head, out);
    for (unsigned i = 0; i < text->n_lines;)
        i = saved_put_run(text, i, out);
    err = ferror(out) != 0 ? EIO : 0;
    if (fclose(out) != 0)
        err = errno;
    errno = err;
    return err == 0 ? 0 : -1;
}

/* A decimal number and the octet behind it. */
static bool
saved_number(const char **at, const char *end, char behind, size_t *value_out)
{
    const char *p = *at;
    size_t value = 0;

    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (size_t)(*p - '0');
        if (value > SAVED_MAX)
            return false;
    }
    if (p == *at || p == end || *p != behind)
        return false;
    *value_out = value;
    *at = p + 1;
    return true;
}

static bool
saved_get_run(struct sg_conf_text *text, const char **at, const char *end)
{
    size_t file_len, line, n_lines, octets;
    const unsigned before = text->n_lines;
    const char *file;

    if (!saved_number(at, end, ' ', &file_len) || !saved_number(at, end, ' ', &line) ||
        !saved_number(at, end, ' ', &n_lines) || !saved_number(at, end, '\n', &octets) ||
        file_len > (size_t)(end - *at) || octets > (size_t)(end - *at) - file_len || line == 0)
        return false;
    file = sg_arena_strndup(text->arena, *at, file_len);
    *at += file_len;
    sg_conf_build_lines(text, file, (unsigned)line, *at, octets, NULL);
    *at += octets;
    return text->n_lines - before == n_lines;
}

struct sg_conf_text *
sg_conf_text_load(int fd, struct sg_diag *diag)
{
    static const char name[] = "(the configuration as it was loaded)";
    const struct sg_where nowhere = { name, 0 };
    struct sg_conf_text *text = sg_conf_build_new(diag);
    size_t len = 0;
    const char *bytes = sg_conf_build_slurp(text, fd, SAVED_MAX, &len), *at, *end;

    if (bytes == NULL) {
        sg_diag_error(diag, &nowhere, NULL, "cannot be read back: %s", strerror(errno));
    } else if (len < sizeof saved_head - 1 || memcmp(bytes, saved_head, sizeof saved_head - 1) != 0) {
        sg_diag_error(diag, &nowhere, NULL, "was saved by another version of sockgate");
    } else {
        for (at = bytes + sizeof saved_head - 1, end = bytes + len; at < end;)
            if (!saved_get_run(text, &at, end)) {
                sg_diag_error(diag, &nowhere, NULL, "is damaged");
                break;
            }
    }
    return sg_conf_build_end(text, name);
}
