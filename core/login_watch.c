/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_watch.c - the state of files, without their content. Polling is enough: a second is short against the lifetime of a
 * remembered login, and it sees every way to replace a file, on every file system.
 */
#include "login_watch.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"

struct login_watch {
    struct login_watch *next;
    struct stat seen; /* all zero: it was not there */
    char path[];
};

static struct login_watch *watched;

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
    return 0;
}

bool
sg_login_watch_look(void)
{
    bool changed = false;

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
}
