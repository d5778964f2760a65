/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_files.c - a configuration from its files.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_build.h"
#include "container.h"

#define FILES_DEPTH_MAX 10
#define FILES_MAX 1000

struct files_reader {
    struct sg_conf_includer includer;
    struct sg_conf_text *text;
    size_t octets;
    unsigned n_files, depth;
    struct {
        dev_t dev;
        ino_t ino;
    } open[FILES_DEPTH_MAX]; /* those that are being read, to refuse loops */
};

/* A mistake with a file, told where it was asked for: at an @include line, or nowhere for the main file. */
static void
files_error(const struct files_reader *reader, const struct sg_where *from, const char *path, const char *what)
{
    if (from->line == 0)
        sg_diag_error(reader->text->diag, from, NULL, "cannot be read: %s", what);
    else
        sg_diag_error(reader->text->diag, from, "@include", "cannot include \"%s\": %s", path, what);
}

/* Files are few: the list is copied when it is full. */
static void
files_note(struct sg_conf_text *text, const char *path, const char *bytes, size_t len)
{
    struct sg_digest *digest;

    if ((text->n_files & (text->n_files + 1)) == 0) {
        struct sg_digest *more = sg_arena_alloc(text->arena, (text->n_files * 2 + 1) * sizeof *more);

        if (text->n_files > 0)
            memcpy(more, text->files, text->n_files * sizeof *more);
        text->files = more;
    }
    digest = &text->files[text->n_files++];
    digest->path = sg_arena_strndup(text->arena, path, strlen(path));
    sg_digest_octets(digest, bytes, len);
}

static const char *
files_refusal(const struct files_reader *reader, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return "it is a folder";
    if (!S_ISREG(st->st_mode))
        return "it is no regular file";
    for (unsigned i = 0; i < reader->depth; i++)
        if (reader->open[i].dev == st->st_dev && reader->open[i].ino == st->st_ino)
            return "it would include itself";
    if (reader->depth == FILES_DEPTH_MAX)
        return "more than 10 files inside each other";
    if (reader->n_files == FILES_MAX)
        return "more than 1000 files in all";
    return NULL;
}

static void
files_read(struct files_reader *reader, const char *path, const struct sg_where *from)
{
    struct stat st = { 0 };
    const char *why = NULL, *bytes = NULL;
    size_t len = 0;
    int fd;

    if (reader->n_files > FILES_MAX) /* told once is enough */
        return;
    /* O_NONBLOCK: nobody need write into a FIFO for us to find out that it is one. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd == -1 || fstat(fd, &st) == -1)
        why = strerror(errno);
    else if ((why = files_refusal(reader, &st)) == NULL &&
             (bytes = sg_conf_build_slurp(reader->text, fd, SG_CONF_BUILD_MAX - reader->octets, &len)) == NULL)
        why = errno == EFBIG ? "more than 16 MiB in all" : strerror(errno);
    if (fd != -1)
        (void)close(fd);
    if (why != NULL) {
        files_error(reader, from, path, why);
        reader->n_files += reader->n_files == FILES_MAX ? 1 : 0;
        return;
    }
    files_note(reader->text, path, bytes, len);
    reader->octets += len;
    reader->n_files++;
    reader->open[reader->depth].dev = st.st_dev;
    reader->open[reader->depth++].ino = st.st_ino;
    sg_conf_build_lines(reader->text, path, 1, bytes, len, &reader->includer);
    reader->depth--;
}

/* Copies `len` octets to `*at`, with a backslash before what a shell pattern would take for its own. */
static int
files_quote(char **at, const char *end, const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (end - *at < 3)
            return -1;
        if (strchr("*?[\\", from[i]) != NULL)
            *(*at)++ = '\\';
        *(*at)++ = from[i];
    }
    **at = '\0';
    return 0;
}

/* A pattern in the folder: every file that fits, in the order of their names; none is no mistake. */
static void
files_glob(struct files_reader *reader, const struct sg_where *where, const char *folder, size_t folder_len,
           const char *name, size_t name_len)
{
    char pattern[PATH_MAX], *at = pattern;
    glob_t found = { 0 };
    int error = GLOB_NOSPACE;

    if (files_quote(&at, pattern + sizeof pattern, folder, folder_len) == 0 &&
        name_len < (size_t)(pattern + sizeof pattern - at)) {
        memcpy(at, name, name_len);
        at[name_len] = '\0';
        error = glob(pattern, 0, NULL, &found);
    }
    if (error != 0 && error != GLOB_NOMATCH)
        files_error(reader, where, pattern, "the pattern cannot be followed");
    for (size_t i = 0; error == 0 && i < found.gl_pathc; i++)
        files_read(reader, found.gl_pathv[i], where);
    globfree(&found);
}

/* `@include "NAME"`: relative to the folder of the including file. */
static void
files_include(struct sg_conf_includer *self, const struct sg_where *where, const char *name, size_t name_len)
{
    struct files_reader *reader = SG_CONTAINER(self, struct files_reader, includer);
    const char *slash = name[0] == '/' ? NULL : strrchr(where->file, '/');
    const size_t folder_len = slash != NULL ? (size_t)(slash - where->file) + 1 : 0;
    char path[PATH_MAX];

    if (memchr(name, '*', name_len) != NULL || memchr(name, '?', name_len) != NULL ||
        memchr(name, '[', name_len) != NULL)
        files_glob(reader, where, where->file, folder_len, name, name_len);
    else if (folder_len + name_len >= sizeof path)
        files_error(reader, where, "...", strerror(ENAMETOOLONG));
    else {
        (void)snprintf(path, sizeof path, "%.*s%.*s", (int)folder_len, where->file, (int)name_len, name);
        files_read(reader, path, where);
    }
}

struct sg_conf_text *
sg_conf_text_read(const char *path, struct sg_diag *diag)
{
    struct files_reader reader = { .includer = { files_include }, .text = sg_conf_build_new(diag) };

    files_read(&reader, path, &(struct sg_where){ path, 0 });
    return sg_conf_build_end(reader.text, path);
}
