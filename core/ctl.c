/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.c - signals by name; waits for what the signal brings about.
 */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "clock.h"
#include "load.h"
#include "log.h"
#include "proc.h"
#include "status.h"
#include "units.h"

#define CTL_STOP_MS 10000
#define CTL_RELOAD_MS 60000 /* beyond what the load may take: the old generation has to stop accepting */

static const struct {
    const char *name;
    int signo;
} ctl_signals[] = {
    { "stop", SIGTERM }, { "quit", SIGQUIT }, { "reload", SIGHUP }, { "reopen", SIGUSR1 }, { "upgrade", SIGUSR2 },
};

static int
ctl_signal(const char *name)
{
    for (size_t i = 0; i < sizeof ctl_signals / sizeof ctl_signals[0]; i++)
        if (strcmp(ctl_signals[i].name, name) == 0)
            return ctl_signals[i].signo;
    return -1;
}

bool
sg_ctl_knows(const char *signal_name)
{
    return ctl_signal(signal_name) != -1;
}

/* Who holds the lock of the pid file: the file's content could be anybody's. */
static pid_t
ctl_find(const char *pid_file)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    const int fd = open(pid_file, O_RDONLY | O_CLOEXEC);
    pid_t pid = -1;

    if (fd == -1) {
        sg_logf(SG_LOG_EMERG, "%s: %s: is sockgate running with this configuration?", pid_file, strerror(errno));
        return -1;
    }
    if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        pid = lock.l_pid;
    else
        sg_logf(SG_LOG_EMERG, "%s is not locked: no sockgate is running with this configuration", pid_file);
    (void)close(fd);
    return pid;
}

/* Until the process is gone. */
static int
ctl_wait_end(pid_t pid, int pidfd)
{
    struct pollfd fd = { pidfd, POLLIN, 0 };

    if (poll(&fd, 1, CTL_STOP_MS) == 1)
        return 0;
    sg_logf(SG_LOG_EMERG, "pid %ld has not ended within 10 s", (long)pid);
    return 1;
}

static int
ctl_reload_result(const struct sg_status *status, bool quiet)
{
    if (!status->ok) {
        sg_logf(SG_LOG_EMERG, "reload failed, generation %u goes on", status->generation);
        (void)fprintf(stderr, "%s\n", status->text);
        return 1;
    }
    if (!quiet)
        sg_logf(SG_LOG_NOTICE, "reload done: generation %u", status->generation);
    return 0;
}

/* Until a load that began after `since_ms` has ended. */
static int
ctl_wait_reload(const struct sg_core_conf *core, int pidfd, int64_t since_ms, bool quiet, int notify)
{
    const int64_t until = since_ms + core->timeouts.load + CTL_RELOAD_MS;
    struct sg_status status;
    char ignored[4096], span[32];

    for (;;) {
        struct pollfd fds[2] = { { notify, POLLIN, 0 }, { pidfd, POLLIN, 0 } };
        const int64_t now = sg_mono_ms();

        if (sg_status_read(core->runtime_dir, &status) == 0 && status.load_began_ms >= since_ms)
            return ctl_reload_result(&status, quiet);
        if (now >= until) {
            sg_logf(SG_LOG_EMERG, "no result within %s: look into the error log",
                    sg_format_duration(until - since_ms, span, sizeof span));
            return 1;
        }
        (void)poll(fds, 2, (int)(until - now));
        if (fds[1].revents != 0) {
            sg_logf(SG_LOG_EMERG, "sockgate ended while it was reloading");
            return 1;
        }
        if (read(notify, ignored, sizeof ignored) == -1 && errno != EAGAIN)
            return 1;
    }
}

int
sg_ctl_main(const char *conf_path, const char *signal_name, bool quiet)
{
    const int signo = ctl_signal(signal_name);
    struct sg_load load = { .diag = sg_diag_new() };
    int status = 1, pidfd = -1, notify = -1;
    int64_t now;
    pid_t pid;

    sg_load_conf(&load, conf_path);
    if (load.conf == NULL || load.conf->core.pid_file == NULL) {
        sg_load_show(&load, NULL, 0);
        goto out;
    }
    pid = ctl_find(load.conf->core.pid_file);
    if (pid == -1)
        goto out;
    pidfd = sg_proc_pidfd(pid);
    notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (notify != -1)
        (void)inotify_add_watch(notify, load.conf->core.runtime_dir, IN_MOVED_TO);
    now = sg_mono_ms();
    if (pidfd == -1 || kill(pid, signo) == -1)
        sg_logf(SG_LOG_EMERG, "cannot signal pid %ld: %s", (long)pid, strerror(errno));
    else if (signo == SIGTERM)
        status = ctl_wait_end(pid, pidfd);
    else if (signo == SIGHUP)
        status = ctl_wait_reload(&load.conf->core, pidfd, now, quiet, notify);
    else
        status = 0;
out:
    if (pidfd != -1)
        (void)close(pidfd);
    if (notify != -1)
        (void)close(notify);
    sg_load_free(&load);
    return status;
}
