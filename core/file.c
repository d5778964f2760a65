/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.c - a whole file at once.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static int
file_refusal(const struct stat *st, size_t max)
{
    if (S_ISDIR(st->st_mode))
        return EISDIR;
    if (!S_ISREG(st->st_mode))
        return EINVAL;
    return (uintmax_t)st->st_size > max ? EFBIG : 0;
}

/* What is there, up to `size` octets: a file may shrink while it is read. -1 and errno. */
static ssize_t
file_fill(int fd, char *to, size_t size)
{
    size_t len = 0;

    while (len < size) {
        const ssize_t n = read(fd, to + len, size - len);

        if (n == -1 && errno != EINTR)
            return -1;
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

static char *
file_text(int fd, size_t max, size_t *len_out, struct stat *st_out)
{
    char *text;
    ssize_t len;
    int err;

    if (fstat(fd, st_out) == -1)
        return NULL;
    errno = file_refusal(st_out, max);
    if (errno != 0 || (text = malloc((size_t)st_out->st_size + 1)) == NULL)
        return NULL;
    len = file_fill(fd, text, (size_t)st_out->st_size);
    if (len == -1) {
        err = errno;
        free(text);
        errno = err;
        return NULL;
    }
    text[len] = '\0';
    *len_out = (size_t)len;
    return text;
}

char *
sg_file_read(const char *path, size_t max, size_t *len_out, struct stat *st_out)
{
    /* O_NONBLOCK: nobody need write into a FIFO for us to find out that it is one. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text;
    int err;

    if (fd == -1)
        return NULL;
    text = file_text(fd, max, len_out, st_out);
    err = errno;
    (void)close(fd);
    errno = err;
    return text;
}

bool
sg_file_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}
