/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * master_state.c - upgrade in place: the state goes into a memory file, descriptors by their numbers.
 */
#include "master_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "msg.h"
#include "notify.h"

/* Which descriptors survive execve(): all that the state names, for the moment of the call. */
static void
state_inherit(const struct sg_master *master, bool inherit)
{
    const int flags = inherit ? 0 : FD_CLOEXEC;
    const int own[] = { master->pid_fd, master->text_fd, master->ids_fd, master->logins_fd,
                        sg_log_fd() > 2 ? sg_log_fd() : -1 };

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (own[i] != -1)
            (void)fcntl(own[i], F_SETFD, flags);
    for (size_t i = 0; i < master->sockets.n; i++)
        (void)fcntl(master->sockets.v[i].fd, F_SETFD, flags);
    for (unsigned g = 0; g < SG_GENERATIONS_MAX; g++) {
        const struct sg_gen *gen = &master->gens[g];

        if (gen->state == SG_GEN_NONE)
            continue;
        if (gen->channel != -1)
            (void)fcntl(gen->channel, F_SETFD, flags);
        if (gen->text_fd != -1)
            (void)fcntl(gen->text_fd, F_SETFD, flags);
        for (size_t i = 0; i < gen->bound.n; i++)
            (void)fcntl(gen->bound.v[i].fd, F_SETFD, flags);
    }
}

static int
state_write_sockets(int fd, const struct sg_sockets *sockets, enum sg_msg_type type)
{
    struct sg_msg msg;

    for (size_t i = 0; i < sockets->n; i++) {
        sg_msg_begin(&msg, type);
        sg_msg_put_str(&msg, SG_TAG_KEY, sockets->v[i].key);
        sg_msg_put_u64(&msg, SG_TAG_FD, (uint64_t)sockets->v[i].fd);
        if (sg_msg_write(fd, &msg) == -1)
            return -1;
    }
    return 0;
}

/* 0 is none: what a reader finds that knows the tag, in a state whose writer did not. */
static void
state_put_fd(struct sg_msg *msg, enum sg_msg_tag tag, int fd)
{
    sg_msg_put_u64(msg, tag, fd == -1 ? 0 : (uint64_t)fd + 1);
}

static int
state_write_gen(int fd, const struct sg_gen *gen)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_STATE_GENERATION);
    sg_msg_put_u64(&msg, SG_TAG_PID, (uint64_t)gen->pid);
    state_put_fd(&msg, SG_TAG_FD, gen->channel);
    state_put_fd(&msg, SG_TAG_TEXT_FD, gen->text_fd);
    sg_msg_put_u64(&msg, SG_TAG_STATE, (uint64_t)gen->state);
    sg_msg_put_u64(&msg, SG_TAG_PURPOSE, (uint64_t)gen->purpose);
    sg_msg_put_u64(&msg, SG_TAG_NUMBER, gen->number);
    sg_msg_put_u64(&msg, SG_TAG_WORKERS, gen->workers);
    sg_msg_put_u64(&msg, SG_TAG_ACCEPTING, gen->accepting);
    sg_msg_put_u64(&msg, SG_TAG_BEGAN, (uint64_t)gen->began_ms);
    sg_msg_put_u64(&msg, SG_TAG_WHO_PID, (uint64_t)gen->who_pid);
    sg_msg_put_u64(&msg, SG_TAG_WHO_UID, (uint64_t)gen->who_uid);
    if (sg_msg_write(fd, &msg) == -1)
        return -1;
    return state_write_sockets(fd, &gen->bound, SG_MSG_STATE_BOUND);
}

static int
state_write(const struct sg_master *master, int fd)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_STATE_MASTER);
    sg_msg_put_u64(&msg, SG_TAG_STATE_VERSION, SG_STATE_VERSION);
    if (master->conf_path != NULL)
        sg_msg_put_str(&msg, SG_TAG_CONF_PATH, master->conf_path);
    sg_msg_put_str(&msg, SG_TAG_BINARY, master->binary);
    sg_msg_put_str(&msg, SG_TAG_PID_FILE, master->pid_file);
    sg_msg_put_str(&msg, SG_TAG_RUNTIME_DIR, master->runtime_dir);
    state_put_fd(&msg, SG_TAG_PID_FD, master->pid_fd);
    state_put_fd(&msg, SG_TAG_TEXT_FD, master->text_fd);
    state_put_fd(&msg, SG_TAG_IDS_FD, master->ids_fd);
    state_put_fd(&msg, SG_TAG_LOGINS_FD, master->logins_fd);
    state_put_fd(&msg, SG_TAG_LOG_FD, sg_log_fd());
    sg_msg_put_u64(&msg, SG_TAG_LOG_LEVEL, (uint64_t)sg_log_level());
    sg_msg_put_u64(&msg, SG_TAG_NUMBER, master->numbers);
    sg_msg_put_u64(&msg, SG_TAG_RELOAD_WANTED, master->reload_wanted);
    sg_msg_put_u64(&msg, SG_TAG_RESTART_WANTED, master->restart_wanted);
    if (sg_msg_write(fd, &msg) == -1 || state_write_sockets(fd, &master->sockets, SG_MSG_STATE_LISTENER) == -1)
        return -1;
    for (unsigned g = 0; g < SG_GENERATIONS_MAX; g++)
        if (master->gens[g].state != SG_GEN_NONE && state_write_gen(fd, &master->gens[g]) == -1)
            return -1;
    return 0;
}

int
sg_master_exec(struct sg_master *master)
{
    const int fd = memfd_create("sockgate-state", 0);
    char name[] = "sockgate", option[] = "--upgrade", number[16];
    char *const argv[] = { name, option, number, NULL };
    int err;

    if (fd == -1)
        return -1;
    if (state_write(master, fd) == 0 && lseek(fd, 0, SEEK_SET) == 0) {
        (void)snprintf(number, sizeof number, "%d", fd);
        state_inherit(master, true);
        sg_notify_inherit(true);
        (void)execv(master->binary, argv);
        err = errno;
        sg_notify_inherit(false);
        state_inherit(master, false);
    } else {
        err = errno;
    }
    (void)close(fd);
    errno = err;
    return -1;
}

/* A number of the state; the default if it is not there, as from an older version. */
static uint64_t
state_number(const struct sg_msg *msg, enum sg_msg_tag tag)
{
    uint64_t value = 0;

    (void)sg_msg_get_u64(msg, tag, &value);
    return value;
}

static int
state_fd(const struct sg_msg *msg, enum sg_msg_tag tag)
{
    return (int)state_number(msg, tag) - 1;
}

static void
state_read_master(struct sg_master *master, const struct sg_msg *msg)
{
    char path[4096];
    const int log_fd = state_fd(msg, SG_TAG_LOG_FD);

    master->conf_path = sg_msg_get_str(msg, SG_TAG_CONF_PATH, path, sizeof path) ? strdup(path) : NULL;
    master->binary = sg_msg_get_str(msg, SG_TAG_BINARY, path, sizeof path) ? strdup(path) : NULL;
    (void)sg_msg_get_str(msg, SG_TAG_PID_FILE, master->pid_file, sizeof master->pid_file);
    (void)sg_msg_get_str(msg, SG_TAG_RUNTIME_DIR, master->runtime_dir, sizeof master->runtime_dir);
    master->pid_fd = state_fd(msg, SG_TAG_PID_FD);
    master->text_fd = state_fd(msg, SG_TAG_TEXT_FD);
    master->ids_fd = state_fd(msg, SG_TAG_IDS_FD);
    master->logins_fd = state_fd(msg, SG_TAG_LOGINS_FD);
    master->numbers = (unsigned)state_number(msg, SG_TAG_NUMBER);
    master->reload_wanted = state_number(msg, SG_TAG_RELOAD_WANTED) != 0;
    master->restart_wanted = state_number(msg, SG_TAG_RESTART_WANTED) != 0;
    if (log_fd > 2)
        sg_log_take_fd(log_fd);
    sg_log_set_level((enum sg_log_level)state_number(msg, SG_TAG_LOG_LEVEL));
}

static void
state_read_gen(struct sg_gen *gen, const struct sg_msg *msg)
{
    *gen = (struct sg_gen){
        .pid = (pid_t)state_number(msg, SG_TAG_PID),
        .channel = state_fd(msg, SG_TAG_FD),
        .text_fd = state_fd(msg, SG_TAG_TEXT_FD),
        .state = (enum sg_gen_state)state_number(msg, SG_TAG_STATE),
        .purpose = (enum sg_purpose)state_number(msg, SG_TAG_PURPOSE),
        .number = (unsigned)state_number(msg, SG_TAG_NUMBER),
        .workers = (unsigned)state_number(msg, SG_TAG_WORKERS),
        .accepting = state_number(msg, SG_TAG_ACCEPTING) != 0,
        .began_ms = (int64_t)state_number(msg, SG_TAG_BEGAN),
        .who_pid = (pid_t)state_number(msg, SG_TAG_WHO_PID),
        .who_uid = (uid_t)state_number(msg, SG_TAG_WHO_UID),
    };
}

int
sg_master_restore(struct sg_master *master, int fd)
{
    struct sg_gen *gen = NULL;
    struct sg_msg msg;
    unsigned g = 0;
    char key[SG_KEY_MAX];
    int got;

    while ((got = sg_msg_read(fd, &msg)) == 1) {
        const bool keyed = sg_msg_get_str(&msg, SG_TAG_KEY, key, sizeof key);

        if (msg.type == SG_MSG_STATE_MASTER) {
            state_read_master(master, &msg);
        } else if (msg.type == SG_MSG_STATE_LISTENER && keyed) {
            (void)sg_sockets_add(&master->sockets, key, (int)state_number(&msg, SG_TAG_FD));
        } else if (msg.type == SG_MSG_STATE_GENERATION && g < SG_GENERATIONS_MAX) {
            gen = &master->gens[g++];
            state_read_gen(gen, &msg);
        } else if (msg.type == SG_MSG_STATE_BOUND && gen != NULL && keyed) {
            (void)sg_sockets_add(&gen->bound, key, (int)state_number(&msg, SG_TAG_FD));
        }
    }
    (void)close(fd);
    state_inherit(master, false);
    return got == 0 && master->binary != NULL ? 0 : -1;
}
