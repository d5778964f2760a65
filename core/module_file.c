/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module_file.c - who could have written this file, and is it whole? Symbolic links are resolved first, so that what is
 * judged is what will be loaded.
 */
#include "module_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
file_trusted(const char *path, const struct stat *st, char *why, size_t size)
{
    if (st->st_uid != 0 && st->st_uid != geteuid()) {
        (void)snprintf(why, size, "%s belongs to uid %lu: it must be root's, or of who starts sockgate (uid %lu)", path,
                       (unsigned long)st->st_uid, (unsigned long)geteuid());
        return -1;
    }
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)snprintf(why, size, "%s can be written by others (mode %04o): use chmod go-w", path,
                       (unsigned)(st->st_mode & 07777));
        return -1;
    }
    return 0;
}

static bool
file_inside(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* The folder of the file and those above it, up to `dir` if it lies there. */
static int
file_folders(const char *path, const char *dir, char *why, size_t size)
{
    char folder[PATH_MAX];
    struct stat st;

    (void)snprintf(folder, sizeof folder, "%s", path);
    do {
        *strrchr(folder, '/') = '\0';
        if (stat(folder[0] != '\0' ? folder : "/", &st) == -1) {
            (void)snprintf(why, size, "%s: %s", folder, strerror(errno));
            return -1;
        }
        if (file_trusted(folder, &st, why, size) == -1)
            return -1;
    } while (file_inside(folder, dir));
    return 0;
}

static bool
file_read(int fd, void *to, size_t len, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, to, len, (off_t)offset) == (ssize_t)len;
}

/* For this machine means: as this program itself is. */
static bool
file_is_object(const ElfW(Ehdr) * head)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ElfW(Ehdr) own;
    bool same = fd != -1 && file_read(fd, &own, sizeof own, 0) && memcmp(head->e_ident, own.e_ident, EI_VERSION) == 0 &&
                head->e_machine == own.e_machine && head->e_type == ET_DYN;

    if (fd != -1)
        (void)close(fd);
    return same;
}

/* Who maps a file that was cut short dies of it: everything that its headers speak of must be there. */
static bool
file_is_whole(int fd, const ElfW(Ehdr) * head, uint64_t file_size)
{
    ElfW(Phdr) segment;

    if (head->e_shoff + (uint64_t)head->e_shnum * head->e_shentsize > file_size || head->e_phentsize != sizeof segment)
        return false;
    for (unsigned i = 0; i < head->e_phnum; i++)
        if (!file_read(fd, &segment, sizeof segment, head->e_phoff + i * sizeof segment) ||
            segment.p_offset > file_size || segment.p_filesz > file_size - segment.p_offset)
            return false;
    return true;
}

/* dlopen() says little about a file that is no library. */
static int
file_elf(const char *path, uint64_t file_size, char *why, size_t size)
{
    const char *wrong = NULL;
    ElfW(Ehdr) head;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);

    if (fd == -1) {
        (void)snprintf(why, size, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (!file_read(fd, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        wrong = "is not a shared object";
    else if (!file_is_object(&head))
        wrong = "is not a shared object for this machine";
    else if (!file_is_whole(fd, &head, file_size))
        wrong = "was cut short: install it again";
    (void)close(fd);
    if (wrong == NULL)
        return 0;
    (void)snprintf(why, size, "%s %s", path, wrong);
    return -1;
}

int
sg_module_file_check(const char *dir, const char *file, struct sg_module_file *file_out, char *why, size_t size)
{
    bool absolute = file[0] == '/';
    char wanted[PATH_MAX], real_dir[PATH_MAX];
    struct stat st;
    int n = snprintf(wanted, sizeof wanted, "%s%s%s", absolute ? "" : dir, absolute ? "" : "/", file);

    if ((size_t)n >= sizeof wanted) {
        (void)snprintf(why, size, "%.64s...: %s", wanted, strerror(ENAMETOOLONG));
        return -1;
    }
    if (realpath(wanted, file_out->path) == NULL || lstat(file_out->path, &st) == -1) {
        (void)snprintf(why, size, "%s: %s", wanted, strerror(errno));
        return -1;
    }
    if (realpath(dir, real_dir) == NULL)
        (void)snprintf(real_dir, sizeof real_dir, "%s", dir);
    if (!absolute && !file_inside(file_out->path, real_dir)) {
        (void)snprintf(why, size, "%s leads to %s, outside the module directory: give that path itself", wanted,
                       file_out->path);
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        (void)snprintf(why, size, "%s is not a regular file", file_out->path);
        return -1;
    }
    file_out->dev = st.st_dev;
    file_out->ino = st.st_ino;
    if (file_trusted(file_out->path, &st, why, size) == -1 || file_folders(file_out->path, real_dir, why, size) == -1)
        return -1;
    return file_elf(file_out->path, (uint64_t)st.st_size, why, size);
}

bool
sg_module_file_same(const struct sg_module_file *file)
{
    struct stat st;

    return lstat(file->path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino;
}

const char *
sg_module_dir_default(void)
{
    const char *dir = getenv("SOCKGATE_MODULE_DIR");
    struct stat st;

    /* Only for who built this binary: nobody else may choose what it loads. */
    if (dir != NULL && dir[0] == '/' && geteuid() == getuid() && stat("/proc/self/exe", &st) == 0 &&
        st.st_uid == getuid())
        return dir;
    return SG_MODULE_DIR;
}
