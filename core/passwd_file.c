/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passwd_file.c - one line of a password file is changed, all others stay octet by octet. The file is replaced by a rename,
 * so that whoever reads it sees the old one or the new one; a lock on the file makes changes wait for each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "passwd.h"

#define PASSWD_FILE_MAX ((size_t)64 << 20) /* what auth_file reads */
#define PASSWD_MODE 0640

static int
passwd_failed(const char *path)
{
    (void)fprintf(stderr, "sockgatectl: %s: %s\n", path, strerror(errno));
    return -1;
}

/* ---- the text */

/* Where the line of the user begins; its end, behind the line feed, to `end_out`. NULL: there is none. */
static const char *
text_find(const char *text, size_t len, const char *user, const char **end_out)
{
    const char *const end = text + len;
    const size_t user_len = strlen(user);

    for (const char *line = text; line < end; line = *end_out) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));

        *end_out = newline != NULL ? newline + 1 : end;
        if ((size_t)(*end_out - line) > user_len && memcmp(line, user, user_len) == 0 && line[user_len] == ':')
            return line;
    }
    return NULL;
}

/* The groups of a line: behind the second colon, without the line feed. */
static const char *
line_groups(const char *line, const char *end, size_t *len)
{
    const char *hash = memchr(line, ':', (size_t)(end - line));
    const char *groups = hash != NULL ? memchr(hash + 1, ':', (size_t)(end - hash - 1)) : NULL;

    *len = groups != NULL ? (size_t)(end - groups - 1) : 0;
    *len -= *len > 0 && groups[*len] == '\n' ? 1 : 0;
    return groups != NULL ? groups + 1 : "";
}

/* Writes what the file is to hold. -1: told. */
static int
text_write(FILE *out, const struct sg_passwd_change *change, const char *text, size_t len)
{
    const char *end = text + len, *twin_end, *groups = change->groups != NULL ? change->groups : "";
    const char *line = text_find(text, len, change->user, &end);
    size_t groups_len = strlen(groups);

    if (line == NULL && change->hash == NULL) {
        (void)fprintf(stderr, "sockgatectl: %s has no user \"%s\"\n", change->path, change->user);
        return -1;
    }
    if (line == NULL)
        line = end = text + len;
    else if (text_find(end, (size_t)(text + len - end), change->user, &twin_end) != NULL) {
        (void)fprintf(stderr, "sockgatectl: %s has several lines for \"%s\": take all but one out\n", change->path,
                      change->user);
        return -1;
    } else if (change->groups == NULL)
        groups = line_groups(line, end, &groups_len);
    (void)fwrite(text, 1, (size_t)(line - text), out);
    if (line == text + len && len > 0 && text[len - 1] != '\n')
        (void)fputc('\n', out);
    if (change->hash != NULL)
        (void)fprintf(out, "%s:%s%s%.*s\n", change->user, change->hash, groups_len > 0 ? ":" : "", (int)groups_len,
                      groups);
    (void)fwrite(end, 1, (size_t)(text + len - end), out);
    return 0;
}

/* ---- the files */

/* The file itself, locked; its path without links to `real`. -1 and errno; EAGAIN: it was replaced while we waited. */
static int
passwd_lock_once(const struct sg_passwd_change *change, char real[PATH_MAX], bool *fresh)
{
    struct stat locked, now;
    int err, fd = open(change->path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    *fresh = fd == -1 && errno == ENOENT && change->hash != NULL;
    if (*fresh)
        fd = open(change->path, O_RDWR | O_CLOEXEC | O_CREAT, 0600);
    if (fd == -1)
        return -1;
    if (flock(fd, LOCK_EX) == 0 && fstat(fd, &locked) == 0 && realpath(change->path, real) != NULL &&
        stat(real, &now) == 0) {
        if (now.st_dev == locked.st_dev && now.st_ino == locked.st_ino)
            return fd;
        errno = ENOENT;
    }
    err = errno == ENOENT ? EAGAIN : errno;
    (void)close(fd);
    errno = err;
    return -1;
}

static int
passwd_lock(const struct sg_passwd_change *change, char real[PATH_MAX], bool *fresh)
{
    int fd;

    do
        fd = passwd_lock_once(change, real, fresh);
    while (fd == -1 && errno == EAGAIN);
    return fd != -1 ? fd : passwd_failed(change->path);
}

/* Written whole and in place of the old one, or not at all. */
static int
passwd_replace(const char *real, const struct stat *st, bool fresh, const struct sg_passwd_change *change,
               const char *text, size_t len)
{
    char temp[PATH_MAX + 8];
    FILE *out = NULL;
    int fd, status = -1;

    (void)snprintf(temp, sizeof temp, "%s.XXXXXX", real);
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd == -1 || (out = fdopen(fd, "w")) == NULL) {
        if (fd != -1)
            (void)close(fd);
        return passwd_failed(temp);
    }
    if (text_write(out, change, text, len) == 0) {
        if (fflush(out) == 0 && ferror(out) == 0 && fchown(fd, st->st_uid, st->st_gid) == 0 &&
            fchmod(fd, fresh ? PASSWD_MODE : st->st_mode & 07777) == 0 && fsync(fd) == 0 && rename(temp, real) == 0)
            status = 0;
        else
            (void)passwd_failed(real);
    }
    (void)fclose(out);
    if (status == -1)
        (void)unlink(temp);
    return status;
}

int
sg_passwd_apply(const struct sg_passwd_change *change)
{
    char real[PATH_MAX];
    struct stat st;
    bool fresh;
    const int fd = passwd_lock(change, real, &fresh);
    char *text;
    size_t len;
    int status;

    if (fd == -1)
        return -1;
    text = sg_file_read(real, PASSWD_FILE_MAX, &len, &st);
    if (text == NULL) {
        (void)close(fd);
        return passwd_failed(real);
    }
    status = passwd_replace(real, &st, fresh, change, text, len);
    if (status == 0 && fresh)
        (void)fprintf(stderr,
                      "sockgatectl: made %s with mode %04o: its group must be one that the helpers of auth_file have\n",
                      real, (unsigned)PASSWD_MODE);
    sodium_memzero(text, len);
    free(text);
    (void)close(fd);
    return status;
}
