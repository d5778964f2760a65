/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_file.c - METHOD X'02' against a password file.
 *
 *   # name:hash[:group,group]
 *   alice:$y$j9T$...:staff,web
 *
 * Hashes are kept by helper processes alone: init() reads the file to find its mistakes, wipes it, and start() reads it
 * again. Before each check a helper looks whether the file is still the one that it has read; a new one replaces the old as
 * a whole, a broken one is reported once and changes nothing. The core looks at it too, for logins that it remembers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sockgate/module.h>

#include "users.h"

#define FILE_MAX ((off_t)64 << 20)

struct file_conf {
    const char *path;
    bool legacy_hashes;
};

static const struct sg_conf_item file_items[] = {
    { .name = "path",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct file_conf, path),
      .required = true,
      .help = "the file with name:hash[:group,group] lines, absolute" },
    { .name = "legacy_hashes",
      .type = SG_CONF_BOOL,
      .offset = offsetof(struct file_conf, legacy_hashes),
      .def = "false",
      .help = "take hashes that crypt(3) calls outdated, too" },
    { .name = NULL },
};

struct file {
    uid_t owner;        /* who may own the file, beside root: who started sockgate */
    struct users users; /* from here on: helpers only */
    struct stat seen;   /* the file when it was read or refused; all zero: it was not there */
    unsigned char digest[crypto_generichash_BYTES]; /* of its text */
    bool young;                                     /* it may have changed since without looking so */
    struct crypt_data *crypt;                       /* malloc */
};

/* ---- reading the file */

/* The mistakes of one version of the file. Those of one that replaces a good one are told once. */
struct telling {
    struct sg_instance *inst;
    bool silent;
};

static void
file_line_wrong(void *arg, unsigned line, const char *text)
{
    const struct telling *telling = arg;
    const struct file_conf *conf = sg_instance_conf(telling->inst);
    const struct sg_where where = { conf->path, line };

    if (!telling->silent)
        sg_conf_error(telling->inst, &where, "%s", text);
}

/* -1 */
static int SG_PRINTF(2, 3) file_wrong(struct telling *telling, const char *format, ...)
{
    const struct file_conf *conf = sg_instance_conf(telling->inst);
    const struct sg_where where = sg_conf_where(telling->inst, "path");
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!telling->silent)
        sg_conf_error(telling->inst, &where, "path: %s %s", conf->path, text);
    return -1;
}

/* May it be trusted, and is it secret? */
static int
file_judge(struct telling *telling, const struct file *file, const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return file_wrong(telling, "is no regular file");
    if (st->st_uid != 0 && st->st_uid != file->owner)
        return file_wrong(telling, "belongs to uid %u: it must be root's, or of who starts sockgate",
                          (unsigned)st->st_uid);
    if ((st->st_mode & 027) != 0)
        return file_wrong(telling,
                          "has mode %04o: nobody but its owner may write it, and others may not read it (chmod 0640)",
                          (unsigned)st->st_mode & 07777);
    if (st->st_size > FILE_MAX)
        return file_wrong(telling, "is larger than %lld MiB", (long long)(FILE_MAX >> 20));
    return 0;
}

static bool
file_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* All octets with a NUL behind them, from malloc; NULL has been told. */
static char *
file_text(struct telling *telling, int fd, const struct stat *st)
{
    const size_t size = (size_t)st->st_size;
    char *text = malloc(size + 1);
    struct stat after;
    size_t len = 0;
    ssize_t n = 1;

    while (text != NULL && len < size && n > 0) {
        n = read(fd, text + len, size - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (text == NULL || n == -1)
        (void)file_wrong(telling, "cannot be read: %s", strerror(errno));
    else if (len < size || fstat(fd, &after) == -1 || !file_same(st, &after))
        (void)file_wrong(telling, "changed while it was being read: replace it by a rename");
    else {
        text[len] = '\0';
        return text;
    }
    if (text != NULL)
        sodium_memzero(text, len);
    free(text);
    return NULL;
}

/* -1 has been told. What the file was goes to `seen`, all zero if it cannot be opened; its digest to the third one. */
static int
file_read(struct telling *telling, const struct file *file, struct users *users, struct stat *seen,
          unsigned char digest[crypto_generichash_BYTES])
{
    const struct file_conf *conf = sg_instance_conf(telling->inst);
    const int fd = open(conf->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text;
    int status = -1;

    if (fd == -1) {
        (void)file_wrong(telling, "cannot be opened: %s", strerror(errno));
        if (stat(conf->path, seen) == -1)
            *seen = (struct stat){ .st_size = 0 };
        return -1;
    }
    if (fstat(fd, seen) == 0 && file_judge(telling, file, seen) == 0 && (text = file_text(telling, fd, seen)) != NULL) {
        (void)crypto_generichash(digest, crypto_generichash_BYTES, (const unsigned char *)text, (size_t)seen->st_size,
                                 NULL, 0);
        status = users_read(users, text, (size_t)seen->st_size, conf->legacy_hashes, file_line_wrong, telling);
    }
    (void)close(fd);
    return status;
}

/* A change within the same tick of the clock as the reading would leave the times of the file as they are. */
static bool
file_young(const struct stat *st)
{
    struct timespec now;

    return clock_gettime(CLOCK_REALTIME, &now) == -1 || st->st_ctim.tv_sec + 1 >= now.tv_sec;
}

/* A new version of the file takes the place of the old one, if it is good. */
static void
file_refresh(struct sg_instance *inst, struct file *file)
{
    const struct file_conf *conf = sg_instance_conf(inst);
    struct telling telling = { .inst = inst };
    unsigned char digest[crypto_generichash_BYTES];
    struct users users;
    struct stat now;

    if (stat(conf->path, &now) == -1)
        now = (struct stat){ .st_size = 0 };
    telling.silent = file_same(&now, &file->seen);
    if (telling.silent && !file->young)
        return;
    if (file_read(&telling, file, &users, &file->seen, digest) == 0) {
        users_free(&file->users);
        file->users = users;
        if (memcmp(digest, file->digest, sizeof digest) != 0)
            sg_auth_changed(inst);
        memcpy(file->digest, digest, sizeof digest);
    } else if (!telling.silent) {
        sg_log(inst, SG_LOG_ERR, "%s is not taken: the %zu users that were read before stay", conf->path,
               file->users.n);
    }
    file->young = file->seen.st_ino != 0 && file_young(&file->seen);
}

/* ---- the life of an instance */

static int
file_init(struct sg_instance *inst)
{
    const struct file_conf *conf = sg_instance_conf(inst);
    const struct sg_where where = sg_conf_where(inst, "path");
    struct telling telling = { .inst = inst };
    struct file *file;
    struct users users;
    struct stat seen;

    if (conf->path[0] != '/') {
        sg_conf_error(inst, &where, "path: \"%s\" is not absolute", conf->path);
        return -1;
    }
    file = calloc(1, sizeof *file);
    if (file == NULL)
        return -1;
    file->owner = geteuid();
    if (file_read(&telling, file, &users, &seen, file->digest) == -1) {
        free(file);
        return -1;
    }
    sg_instance_set_data(inst, file);
    if (sg_auth_watch(inst, conf->path) == -1)
        sg_log(inst, SG_LOG_WARN, "no memory to look at %s: logins are remembered although it changes", conf->path);
    if (users.n == 0)
        sg_log(inst, SG_LOG_WARN, "%s has no users: `sockgatectl passwd` makes some", conf->path);
    if (users.unusual > 0)
        sg_log(inst, SG_LOG_WARN,
               "%s: %zu of %zu users have hashes of another cost than most: by the time of a refusal, strangers can "
               "tell their names from those that do not exist",
               conf->path, users.unusual, users.n);
    users_free(&users);
    return 0;
}

static int
file_start(struct sg_instance *inst, enum sg_process process)
{
    struct telling telling = { .inst = inst };
    struct file *file = sg_instance_data(inst);

    if (process != SG_PROCESS_HELPER)
        return 0;
    file->crypt = calloc(1, sizeof *file->crypt);
    if (file->crypt == NULL || file_read(&telling, file, &file->users, &file->seen, file->digest) == -1) {
        free(file->crypt);
        file->crypt = NULL;
        return -1;
    }
    file->young = file_young(&file->seen);
    return 0;
}

static void
file_stop(struct sg_instance *inst)
{
    struct file *file = sg_instance_data(inst);

    users_free(&file->users);
    free(file->crypt);
    file->crypt = NULL;
}

static void
file_fini(struct sg_instance *inst)
{
    free(sg_instance_data(inst));
}

/* ---- a login */

static enum sg_verdict
file_granted(const struct user *user, struct sg_answer *answer)
{
    char group[USERS_GROUP_MAX + 1];

    if (sg_answer_name(answer, user->name, user->name_len) == -1)
        return SG_ERROR;
    for (const char *at = user->groups; at != NULL;) {
        const size_t len = strcspn(at, ",");

        (void)snprintf(group, sizeof group, "%.*s", (int)len, at);
        if (sg_answer_group(answer, group) == -1)
            return SG_ERROR;
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return SG_OK;
}

static enum sg_verdict
file_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    struct file *file = sg_instance_data(inst);
    const struct user *user;

    if (creds->kind != SG_CREDS_PASSWORD)
        return SG_DECLINED;
    file_refresh(inst, file);
    user = users_find(&file->users, creds->name, creds->name_len);
    switch (users_check(&file->users, user, creds->secret, creds->secret_len, file->crypt)) {
    case USERS_RIGHT: return file_granted(user, answer);
    case USERS_WRONG: sg_answer_reason(answer, "wrong password"); return SG_DENY;
    case USERS_UNKNOWN: sg_answer_reason(answer, "unknown user"); return SG_DECLINED;
    default: sg_answer_reason(answer, "crypt(3) failed"); return SG_ERROR;
    }
}

static const struct sg_auth_ops file_auth = {
    .size = sizeof file_auth,
    .method = SG_METHOD_USERPASS,
    .assurance = SG_ASSURANCE_PASSWORD,
    .check = file_check,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("auth_file"), .version = "0.1.0",  .conf = file_items, .conf_size = sizeof(struct file_conf),
    .init = file_init,           .start = file_start, .stop = file_stop,  .fini = file_fini,
    .auth = &file_auth,
};
