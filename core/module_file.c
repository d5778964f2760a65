/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module_file.c - who could have written this file? Links are resolved first, so the file that counts is judged.
 */
#include "module_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
file_trusted(const char *path, const struct stat *st, char *why, size_t size)
{
    if (st->st_uid != 0 && st->st_uid != geteuid()) {
        (void)snprintf(why, size, "%s is owned by uid %lu: it must be root's or of who starts sockgate (uid %lu)", path,
                       (unsigned long)st->st_uid, (unsigned long)geteuid());
        return -1;
    }
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)snprintf(why, size, "%s is writable for others (mode %04o): remove it with chmod go-w", path,
                       (unsigned)(st->st_mode & 07777));
        return -1;
    }
    return 0;
}

/* The folders above the file, up to the module directory. */
static int
file_folders(const char *real_dir, const char *path, char *why, size_t size)
{
    char folder[PATH_MAX];
    const size_t top = strlen(real_dir);
    const bool inside = strncmp(path, real_dir, top) == 0 && path[top] == '/';
    struct stat st;

    (void)snprintf(folder, sizeof folder, "%s", path);
    do {
        char *slash = strrchr(folder, '/');

        if (slash == NULL || slash == folder)
            return 0;
        *slash = '\0';
        if (stat(folder, &st) == -1) {
            (void)snprintf(why, size, "%s: %s", folder, strerror(errno));
            return -1;
        }
        if (file_trusted(folder, &st, why, size) == -1)
            return -1;
    } while (inside && strlen(folder) > top);
    return 0;
}

/* dlopen() says little about a file that is no library; and a file that is cut short kills who maps it. */
static int
file_elf(const char *path, const struct stat *st, char *why, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    Elf64_Ehdr head;
    ssize_t n;

    if (fd == -1) {
        (void)snprintf(why, size, "%s: %s", path, strerror(errno));
        return -1;
    }
    n = pread(fd, &head, sizeof head, 0);
    (void)close(fd);
    if (n != (ssize_t)sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) || head.e_type != ET_DYN) {
        (void)snprintf(why, size, "%s is not a shared object for this machine", path);
        return -1;
    }
    if (head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize > (uint64_t)st->st_size) {
        (void)snprintf(why, size, "%s is cut short: install it again", path);
        return -1;
    }
    return 0;
}

int
sg_module_file_check(const char *dir, const char *file, char path_out[PATH_MAX], char *why, size_t size)
{
    char wanted[PATH_MAX], real_dir[PATH_MAX];
    struct stat st;
    const int n = snprintf(wanted, sizeof wanted, "%s%s%s", file[0] == '/' ? "" : dir, file[0] == '/' ? "" : "/", file);

    if (n < 0 || (size_t)n >= sizeof wanted || realpath(wanted, path_out) == NULL || stat(path_out, &st) == -1) {
        (void)snprintf(why, size, "%s: %s", wanted, strerror(errno));
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        (void)snprintf(why, size, "%s is not a regular file", path_out);
        return -1;
    }
    if (realpath(dir, real_dir) == NULL)
        (void)snprintf(real_dir, sizeof real_dir, "%s", dir);
    if (file_trusted(path_out, &st, why, size) == -1 || file_folders(real_dir, path_out, why, size) == -1)
        return -1;
    return file_elf(path_out, &st, why, size);
}
