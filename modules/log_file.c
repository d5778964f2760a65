/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_file.c - events as lines in a file: of JSON, or as the operator wants them.
 *
 * A batch is written with one call. If that fails in the middle (a full disk), the file is cut back to where it was: there
 * is never half a line, but for the one that a killed logger leaves behind, which the next one cuts off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sockgate/module.h>

/* The lines between two commits; the core commits long before that is full. */
#define FILE_BUFFER ((size_t)4 << 20)
/* How much of the end is read to see what is there already: more than one batch. */
#define FILE_TAIL ((size_t)2 << 20)

struct file_conf {
    const char *path, *format;
};

static const struct sg_conf_item file_items[] = {
    { .name = "path",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct file_conf, path),
      .required = true,
      .help = "the file, absolute; its folder must let core.log_user make files" },
    { .name = "format",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct file_conf, format),
      .def = "json",
      .help = "json, json_ascii, structured_data, common, or a text with $variables" },
    { .name = NULL },
};

/* The format is made by init(), the rest by start(). */
struct file {
    struct sg_event_format *format;
    int fd;
    size_t len;
    char *lines;
};

static void
file_check_path(struct sg_instance *inst, const char *path)
{
    const struct sg_where where = sg_conf_where(inst, "path");
    char folder[4096];
    struct stat st;

    if (path[0] != '/') {
        sg_conf_error(inst, &where, "path: \"%s\" is not absolute", path);
        return;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        sg_conf_error(inst, &where, "path: %s is no regular file", path);
        return;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    if (stat(folder, &st) == -1 || !S_ISDIR(st.st_mode))
        sg_conf_error(inst, &where, "path: there is no folder for %s", path);
}

static int
file_init(struct sg_instance *inst)
{
    const struct file_conf *conf = sg_instance_conf(inst);
    const struct sg_where where = sg_conf_where(inst, "format");
    struct file *file = calloc(1, sizeof *file);

    if (conf->path == NULL || file == NULL) {
        free(file);
        return -1;
    }
    file_check_path(inst, conf->path);
    if (sg_event_required(inst) && strcmp(conf->format, "json") != 0 && strcmp(conf->format, "json_ascii") != 0)
        sg_conf_error(inst, &where,
                      "format: a required log is written as \"json\" or \"json_ascii\", which have every field and the "
                      "id by which an event is known again");
    file->format = sg_event_format_new(inst, "format", conf->format);
    sg_instance_set_data(inst, file);
    return 0;
}

static void
file_fini(struct sg_instance *inst)
{
    struct file *file = sg_instance_data(inst);

    if (file != NULL)
        sg_event_format_free(file->format);
    free(file);
}

#define FILE_FLAGS (O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW)

/* A new file may be read by its group, whatever the umask says: that is how auditors get at it. */
static int
file_open(const struct sg_instance *inst)
{
    const struct file_conf *conf = sg_instance_conf(inst);
    int fd = open(conf->path, FILE_FLAGS);

    if (fd != -1 || errno != ENOENT)
        return fd;
    fd = open(conf->path, FILE_FLAGS | O_CREAT, 0640);
    if (fd != -1)
        (void)!fchmod(fd, 0640);
    return fd;
}

static int
file_start(struct sg_instance *inst, enum sg_process process)
{
    const struct file_conf *conf = sg_instance_conf(inst);
    struct file *file = sg_instance_data(inst);

    if (process != SG_PROCESS_LOGGER)
        return 0;
    file->lines = malloc(FILE_BUFFER);
    file->fd = file_open(inst);
    if (file->lines != NULL && file->fd != -1)
        return 0;
    sg_log(inst, SG_LOG_EMERG, "%s: %s", conf->path, strerror(errno));
    if (file->fd != -1)
        (void)close(file->fd);
    free(file->lines);
    return -1;
}

static void
file_stop(struct sg_instance *inst)
{
    struct file *file = sg_instance_data(inst);

    (void)close(file->fd);
    free(file->lines);
}

static int
file_event(struct sg_instance *inst, const struct sg_event_info *event)
{
    struct file *file = sg_instance_data(inst);

    if (FILE_BUFFER - file->len < SG_EVENT_LINE_MAX) {
        file->len = 0; /* all of the batch comes again */
        return -1;
    }
    file->len += sg_event_print(file->format, event, file->lines + file->len, FILE_BUFFER - file->len);
    return 0;
}

/* Takes back the last octets, keeps errno. Nobody else appends: only one logger writes. */
static void
file_cut_back(const struct file *file, size_t n)
{
    const int err = errno;
    struct stat st;

    if (n > 0 && fstat(file->fd, &st) == 0 && st.st_size >= (off_t)n)
        (void)!ftruncate(file->fd, st.st_size - (off_t)n);
    errno = err;
}

static int
file_commit(struct sg_instance *inst)
{
    struct file *file = sg_instance_data(inst);
    const size_t len = file->len;
    size_t done = 0;

    file->len = 0;
    while (done < len) {
        const ssize_t n = write(file->fd, file->lines + done, len - done);

        if (n == -1 && errno != EINTR) {
            file_cut_back(file, done);
            return -1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int
file_reopen(struct sg_instance *inst)
{
    struct file *file = sg_instance_data(inst);
    const int fd = file_open(inst);

    if (fd == -1)
        return -1;
    (void)close(file->fd);
    file->fd = fd;
    return 0;
}

/* The lines of the tail; its first may be the end of a longer one. The octets behind the last line feed are cut off. */
static int
file_tail(struct file *file, int fd, sg_event_seen *seen, void *arg)
{
    struct stat st;
    size_t want, at = 0;
    ssize_t len;

    if (fstat(fd, &st) == -1)
        return -1;
    want = (size_t)st.st_size < FILE_TAIL ? (size_t)st.st_size : FILE_TAIL;
    len = pread(fd, file->lines, want, st.st_size - (off_t)want);
    if (len == -1)
        return -1;
    while (at < (size_t)len) {
        const char *newline = memchr(file->lines + at, '\n', (size_t)len - at);

        if (newline == NULL)
            break;
        (void)sg_event_scan(file->format, file->lines + at, (size_t)(newline - file->lines) - at, seen, arg);
        at = (size_t)(newline - file->lines) + 1;
    }
    return at == (size_t)len ? 0 : ftruncate(fd, st.st_size - (off_t)((size_t)len - at));
}

/* Who died between a renaming and the order to open anew has left its last lines in the file behind `before`. */
static int
file_recover(struct sg_instance *inst, int before, sg_event_seen *seen, void *arg)
{
    struct file *file = sg_instance_data(inst);
    struct stat then, now;

    if (before != -1 && fstat(before, &then) == 0 && fstat(file->fd, &now) == 0 &&
        (then.st_dev != now.st_dev || then.st_ino != now.st_ino) && file_tail(file, before, seen, arg) == -1)
        return -1;
    return file_tail(file, file->fd, seen, arg);
}

static int
file_descriptor(struct sg_instance *inst)
{
    const struct file *file = sg_instance_data(inst);

    return file->fd;
}

static const struct sg_log_ops file_log = {
    .size = sizeof file_log,
    .event = file_event,
    .commit = file_commit,
    .reopen = file_reopen,
    .recover = file_recover,
    .descriptor = file_descriptor,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("log_file"), .version = "0.1.0",  .conf = file_items, .conf_size = sizeof(struct file_conf),
    .init = file_init,          .start = file_start, .stop = file_stop,  .fini = file_fini,
    .log = &file_log,
};
