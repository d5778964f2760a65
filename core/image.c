/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.c - files that all workers share: from text to a sealed block in memory, and its swap.
 */
#include "image_core.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "module.h"
#include "msg.h"

#define IMAGE_TEXT_MAX ((size_t)256 << 20)

struct sg_image {
    struct sg_image *next;
    unsigned number, change;
    struct sg_instance *inst;
    struct sg_where where; /* in the configuration */
    char *path;
    sg_image_build *build;
    void *arg;
    int fd; /* the block; -1 in workers that were told of a newer one */
    const void *block;
    size_t size;
    struct stat read; /* the file as it was read, or as it was refused */
    struct stat seen; /* as it was at the last look */
};

static struct {
    struct sg_image *first, **end;
    unsigned n, changes, taken;
} images;

/* ---- from a file to a block */

/* A memfd that nobody can change any more; -1 and errno. */
static int
image_seal(const void *octets, size_t size)
{
    const int fd = memfd_create("sockgate-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;
    int err;

    while (fd != -1 && done < size) {
        const ssize_t n = write(fd, (const char *)octets + done, size - done);

        if (n == -1 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd == -1 ||
        (done == size && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0))
        return fd;
    err = errno;
    (void)close(fd);
    errno = err;
    return -1;
}

/* The swap itself. Takes the descriptor; -1 and errno: the old block stays. */
static int
image_swap(struct sg_image *image, int fd)
{
    struct stat st;
    const void *block = MAP_FAILED;
    int err;

    if (fstat(fd, &st) == 0 && st.st_size > 0)
        block = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (block == MAP_FAILED) {
        err = errno;
        (void)close(fd);
        errno = err;
        return -1;
    }
    if (image->block != NULL)
        (void)munmap((void *)(uintptr_t)image->block, image->size);
    if (image->fd != -1)
        (void)close(image->fd);
    image->block = block;
    image->size = (size_t)st.st_size;
    image->fd = fd;
    return 0;
}

/* Runs build(). -1: refused, and build() has said why. */
static int
image_build(struct sg_image *image, const char *text, size_t len)
{
    const struct sg_image_source source = { sizeof source, image->path, text, len, image->arg };
    size_t size = 0;
    void *octets = image->build(image->inst, &source, &size);
    int fd;

    if (octets == NULL)
        return -1;
    fd = size > 0 ? image_seal(octets, size) : -1;
    free(octets);
    if (fd != -1 && image_swap(image, fd) == 0) {
        image->change = ++images.changes;
        return 0;
    }
    sg_conf_error(image->inst, &image->where, "%s: the block made of it cannot be kept: %s", image->path,
                  size > 0 ? strerror(errno) : "it is empty");
    return -1;
}

/* Reads the file and keeps what comes of it. -1: told, and nothing has changed. */
static int
image_read(struct sg_image *image)
{
    size_t len;
    char *text = sg_file_read(image->path, IMAGE_TEXT_MAX, &len, &image->read);
    int status;

    if (text == NULL) {
        sg_conf_error(image->inst, &image->where, "%s: %s", image->path,
                      errno == EFBIG    ? "over 256 MiB"
                      : errno == EINVAL ? "it is no regular file"
                                        : strerror(errno));
        return -1;
    }
    status = image_build(image, text, len);
    free(text);
    return status;
}

/* ---- what modules call */

/* Relative to the folder of the file in which it stands. NULL: no memory. */
static char *
image_path(const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');
    char cwd[PATH_MAX], *absolute;

    if (path[0] == '/')
        return strdup(path);
    if (from[0] != '/' && getcwd(cwd, sizeof cwd) == NULL)
        return NULL;
    if (asprintf(&absolute, "%s%s%.*s%s", from[0] == '/' ? "" : cwd, from[0] == '/' ? "" : "/",
                 slash != NULL ? (int)(slash - from) + 1 : 0, from, path) == -1)
        return NULL;
    return absolute;
}

static struct sg_image *
image_find(const struct sg_instance *inst, const char *path, sg_image_build *build, const void *arg)
{
    for (struct sg_image *image = images.first; image != NULL; image = image->next)
        if (image->inst == inst && image->build == build && image->arg == arg && strcmp(image->path, path) == 0)
            return image;
    return NULL;
}

static void
image_free(struct sg_image *image)
{
    if (image->block != NULL)
        (void)munmap((void *)(uintptr_t)image->block, image->size);
    if (image->fd != -1)
        (void)close(image->fd);
    free(image->path);
    free(image);
}

struct sg_image *
sg_image_new(struct sg_instance *inst, const struct sg_where *where, const char *path, sg_image_build *build, void *arg)
{
    struct sg_image *image = calloc(1, sizeof *image), *known;

    if (image == NULL || (image->path = image_path(where->file, path)) == NULL) {
        sg_conf_error(inst, where, "no memory for \"%s\"", path);
        free(image);
        return NULL;
    }
    image->fd = -1;
    image->inst = inst;
    image->where = *where;
    image->build = build;
    image->arg = arg;
    known = image_find(inst, image->path, build, arg);
    if (known != NULL || image_read(image) == -1) {
        image_free(image);
        return known;
    }
    image->seen = image->read;
    image->number = ++images.n;
    if (images.first == NULL)
        images.end = &images.first;
    *images.end = image;
    images.end = &image->next;
    return image;
}

const void *
sg_image_data(const struct sg_image *image, size_t *size_out)
{
    *size_out = image->size;
    return image->block;
}

const char *
sg_image_path(const struct sg_image *image)
{
    return image->path;
}

/* ---- the generation's side */

static void
image_look(struct sg_image *image)
{
    const int64_t began = sg_mono_ms();
    struct stat now = { 0 };
    bool settled;

    /* A file that is gone is a state like others: told once. */
    (void)stat(image->path, &now);
    settled = sg_file_same(&now, &image->seen);
    image->seen = now;
    if (!settled || sg_file_same(&now, &image->read))
        return;
    if (image_read(image) == -1) {
        image->read = now;
        sg_logf(SG_LOG_ERR, "%s:%u: module \"%s\": what was read from %s before stays in force", image->where.file,
                image->where.line, image->inst->name, image->path);
        return;
    }
    sg_logf(SG_LOG_NOTICE, "module \"%s\": %s has changed: %zu octets in memory, made in %lld ms", image->inst->name,
            image->path, image->size, (long long)(sg_mono_ms() - began));
}

void
sg_images_look(void)
{
    for (struct sg_image *image = images.first; image != NULL; image = image->next)
        image_look(image);
}

unsigned
sg_images_changes(void)
{
    return images.changes;
}

const struct sg_image *
sg_images_after(unsigned change)
{
    const struct sg_image *found = NULL;

    for (const struct sg_image *image = images.first; image != NULL; image = image->next)
        if (image->change > change && (found == NULL || image->change < found->change))
            found = image;
    return found;
}

unsigned
sg_image_number(const struct sg_image *image)
{
    return image->number;
}

int
sg_image_fd(const struct sg_image *image)
{
    return image->fd;
}

int
sg_images_send(int channel, unsigned *known)
{
    const struct sg_image *image;
    struct sg_msg msg;

    while ((image = sg_images_after(*known)) != NULL) {
        sg_msg_begin(&msg, SG_MSG_IMAGE);
        sg_msg_put_u64(&msg, SG_TAG_IMAGE, image->number);
        sg_msg_put_fd(&msg, SG_TAG_FD, image->fd);
        if (sg_msg_offer(channel, &msg) == -1)
            return -1;
        *known = image->change;
    }
    return 0;
}

/* ---- the side of workers and helpers */

int
sg_images_take(unsigned number, int fd)
{
    struct sg_image *image = images.first;

    while (image != NULL && image->number != number)
        image = image->next;
    if (image == NULL) {
        if (fd != -1)
            (void)close(fd);
        return 0;
    }
    image->fd = -1; /* that of the generation, closed in this process when it began */
    if (fd == -1 || image_swap(image, fd) == -1) {
        sg_logf_limited(SG_LOG_ERR,
                        "module \"%s\": the new block of %s cannot be mapped, the old one stays until it can: %s",
                        image->inst->name, image->path, fd != -1 ? strerror(errno) : "no descriptor is free");
        return -1;
    }
    (void)close(image->fd);
    image->fd = -1;
    images.taken++;
    return 0;
}

void
sg_images_receive(struct sg_msg *msg, int channel)
{
    struct sg_msg lost;
    uint64_t number = 0;

    (void)sg_msg_get_u64(msg, SG_TAG_IMAGE, &number);
    if (sg_images_take((unsigned)number, sg_msg_take_fd(msg, SG_TAG_FD)) == 0)
        return;
    sg_msg_begin(&lost, SG_MSG_IMAGE_LOST);
    (void)sg_msg_send(channel, &lost);
}

unsigned
sg_images_taken(void)
{
    return images.taken;
}

void
sg_images_free(void)
{
    while (images.first != NULL) {
        struct sg_image *image = images.first;

        images.first = image->next;
        image_free(image);
    }
    images.end = &images.first;
    images.n = 0;
}
