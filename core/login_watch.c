/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_watch.c - the state of files, without their content. The kernel says when something happens in their folders; a look
 * each second sees the rest: file systems of other machines, folders above that are replaced, links that lead elsewhere.
 */
#include "login_watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "file.h"

struct login_watch {
    struct login_watch *next;
    struct stat seen; /* all zero: it was not there */
    char path[];
};

static struct login_watch *watched;
static int notify = -1;

/* A file is written, or another one takes its place: either shows in its folder. Failing that, a second passes. */
static void
watch_folder(const char *path)
{
    const uint32_t what = IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    char *folder = strdup(path);

    if (notify == -1)
        notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (folder != NULL && notify != -1) {
        strrchr(folder, '/')[1] = '\0';
        (void)inotify_add_watch(notify, folder, what);
    }
    free(folder);
}

static struct stat
watch_state(const char *path)
{
    struct stat now;

    return stat(path, &now) == 0 ? now : (struct stat){ .st_size = 0 };
}

int
sg_auth_watch(struct sg_instance *inst, const char *path)
{
    const size_t len = strlen(path) + 1;
    struct login_watch *watch = path[0] == '/' ? malloc(sizeof *watch + len) : NULL;

    (void)inst; /* for all alike: what is remembered is forgotten as a whole */
    if (watch == NULL)
        return -1;
    memcpy(watch->path, path, len);
    watch->seen = watch_state(path);
    watch->next = watched;
    watched = watch;
    watch_folder(path);
    return 0;
}

int
sg_login_watch_fd(void)
{
    return notify;
}

bool
sg_login_watch_look(void)
{
    char ignored[4096];
    bool changed = false;

    while (notify != -1 && read(notify, ignored, sizeof ignored) > 0)
        continue;
    for (struct login_watch *watch = watched; watch != NULL; watch = watch->next) {
        const struct stat now = watch_state(watch->path);

        changed = changed || !sg_file_same(&now, &watch->seen);
        watch->seen = now;
    }
    return changed;
}

void
sg_login_watch_free(void)
{
    while (watched != NULL) {
        struct login_watch *watch = watched;

        watched = watch->next;
        free(watch);
    }
    if (notify != -1)
        (void)close(notify);
    notify = -1;
}
