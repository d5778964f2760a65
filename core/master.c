/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * master.c - sockets, signals, generations.
 *
 *   start:    spawn --> READY --> lock pid file, listen, GO
 *   reload:   spawn --> READY --> listen on what is new, GO --> old: DRAIN --> DRAINING --> close what is gone
 *   upgrade:  spawn the new binary --> READY --> execute it in place (master_state.c) --> then as a reload
 *   restart:  the current generation has died: spawn with the configuration that it had
 */
#include "master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "log.h"
#include "login_throttle.h"
#include "master_gen.h"
#include "master_state.h"
#include "msg.h"
#include "notify.h"
#include "supervise.h"

#define MASTER_STOP_MS 4500

static struct sg_master master = { .pid_fd = -1, .text_fd = -1, .ids_fd = -1, .logins_fd = -1 };

static int
master_signals(void)
{
    static const int obeyed[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
    sigset_t set;

    (void)sigaction(SIGPIPE, &(const struct sigaction){ .sa_handler = SIG_IGN }, NULL);
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof obeyed / sizeof obeyed[0]; i++)
        (void)sigaddset(&set, obeyed[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
master_ids(void)
{
    const int fd = memfd_create("sockgate-ids", MFD_CLOEXEC);
    struct sg_ids ids = { 0 };

    randombytes_buf(&ids.epoch, sizeof ids.epoch);
    if (fd != -1 && write(fd, &ids, sizeof ids) != (ssize_t)sizeof ids) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Workers of a generation that was killed: they drain, and know nobody who could tell them to stop. */
static void
master_signal_orphans(int signo)
{
    char path[64], *line = NULL, *at, *end;
    size_t size = 0;
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    in = fopen(path, "re");
    if (in != NULL && getline(&line, &size, in) > 0)
        for (at = line;; at = end) {
            const pid_t pid = (pid_t)strtol(at, &end, 10);

            if (end == at)
                break;
            if (sg_master_gen_by_pid(&master, pid) == NULL || signo == SIGKILL)
                (void)kill(pid, signo);
        }
    free(line);
    if (in != NULL)
        (void)fclose(in);
}

static void
master_stop(void)
{
    if (master.stopping)
        return;
    sg_logf(SG_LOG_NOTICE, "stopping");
    sg_notifyf(SG_NOTIFY_STOPPING, "stopping");
    master.stopping = master.quitting = true;
    master.kill_at_ms = sg_mono_ms() + MASTER_STOP_MS;
    sg_master_tell_all(&master, SG_MSG_STOP, SG_GEN_STOPPING);
    master_signal_orphans(SIGTERM);
}

static void
master_quit(void)
{
    if (master.quitting)
        return;
    sg_logf(SG_LOG_NOTICE, "draining, then stopping");
    /* Not STOPPING yet: for a stop the manager has less patience than sessions may have. */
    sg_notifyf(SG_NOTIFY_STATUS, "draining, then stopping");
    master.quitting = true;
    sg_sockets_clear(&master.sockets);
    sg_master_tell_all(&master, SG_MSG_DRAIN, SG_GEN_DRAINING);
}

static void
master_asked_by(const struct signalfd_siginfo *info)
{
    master.who_pid = (pid_t)info->ssi_pid;
    master.who_uid = info->ssi_uid;
}

static void
master_signal(const struct signalfd_siginfo *info)
{
    switch (info->ssi_signo) {
    case SIGTERM:
    case SIGINT: master_stop(); break;
    case SIGQUIT: master_quit(); break;
    case SIGHUP:
        master.reload_wanted = true;
        master_asked_by(info);
        break;
    case SIGUSR1: sg_master_tell_all(&master, SG_MSG_REOPEN, SG_GEN_NONE); break;
    case SIGUSR2:
        if (sg_master_loading(&master) != NULL) {
            sg_logf(SG_LOG_WARN, "a load is under way: upgrade ignored, ask again");
            break;
        }
        master_asked_by(info);
        (void)sg_master_spawn(&master, SG_PURPOSE_UPGRADE);
        break;
    default: break; /* SIGCHLD: who has died is looked up */
    }
}

static void
master_reap(void)
{
    char text[64];
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct sg_gen *gen = sg_master_gen_by_pid(&master, pid);

        if (gen != NULL)
            sg_master_gen_died(&master, gen, status);
        else
            sg_logf(SG_LOG_INFO, "an orphaned process (pid %d) ended: %s", (int)pid,
                    sg_proc_status_text(status, text, sizeof text));
    }
}

/* What is due: a load that was asked for, a restart, the end of our patience. */
static void
master_due(int64_t now_ms)
{
    if (!master.quitting && sg_master_loading(&master) == NULL) {
        if (master.reload_wanted) {
            master.reload_wanted = false;
            (void)sg_master_spawn(&master, SG_PURPOSE_RELOAD);
        } else if (master.restart_wanted && sg_throttle_next(&master.throttle, now_ms) <= now_ms) {
            master.restart_wanted = false;
            (void)sg_master_spawn(&master, SG_PURPOSE_RESTART);
        }
    }
    sg_master_load_look(&master, now_ms);
    if (master.kill_at_ms != 0 && now_ms >= master.kill_at_ms) {
        sg_logf(SG_LOG_ERR, "not everything ended in time: killing the rest");
        master_signal_orphans(SIGKILL);
        master.kill_at_ms = now_ms + 1000;
    }
}

static int
master_timeout(int64_t now_ms)
{
    int64_t until = sg_notify_watchdog(now_ms);

    if (sg_master_load_due(&master) < until)
        until = sg_master_load_due(&master);
    if (master.kill_at_ms != 0 && master.kill_at_ms < until)
        until = master.kill_at_ms;
    if (master.restart_wanted && sg_throttle_next(&master.throttle, now_ms) < until)
        until = sg_throttle_next(&master.throttle, now_ms);
    if (until == INT64_MAX)
        return -1;
    return until > now_ms ? (int)(until - now_ms) : 0;
}

/* Nothing left to wait for? */
static bool
master_done(void)
{
    siginfo_t info = { 0 };

    return (master.quitting || sg_master_hopeless(&master)) &&
           waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

static void
master_turn(void)
{
    struct pollfd fds[SG_GENERATIONS_MAX + 1] = { { master.signals, POLLIN, 0 } };
    struct signalfd_siginfo info;

    for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++)
        fds[i + 1] = (struct pollfd){ master.gens[i].state != SG_GEN_NONE ? master.gens[i].channel : -1, POLLIN, 0 };
    if (poll(fds, SG_GENERATIONS_MAX + 1, master_timeout(sg_mono_ms())) == -1 && errno != EINTR)
        return;
    /* What a generation said before it died comes before its death. */
    for (unsigned i = 0; i < SG_GENERATIONS_MAX; i++)
        if (fds[i + 1].revents != 0 && master.gens[i].state != SG_GEN_NONE)
            sg_master_receive(&master, &master.gens[i]);
    while (read(master.signals, &info, sizeof info) == (ssize_t)sizeof info)
        master_signal(&info);
    master_reap();
    master_due(sg_mono_ms());
}

static int
master_run(void)
{
    while (!master_done())
        master_turn();
    if (!master.quitting)
        return 1; /* the first generation could not be started: it has said why */
    if (master.pid_fd != -1)
        (void)unlink(master.pid_file);
    if (!master.stopping)
        sg_notifyf(SG_NOTIFY_STOPPING, "stopped");
    sg_logf(SG_LOG_NOTICE, "stopped");
    return 0;
}

int
sg_master_main(const char *conf_path)
{
    char binary[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", binary, sizeof binary - 1);

    sg_notify_init();
    master.conf_path = conf_path;
    master.signals = master_signals();
    master.ids_fd = master_ids();
    master.logins_fd = sg_brake_create(); /* without one each generation counts for itself, and says so */
    if (n == -1 || master.signals == -1 || master.ids_fd == -1 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1) {
        sg_logf(SG_LOG_EMERG, "cannot start: %s", strerror(errno));
        return 1;
    }
    binary[n] = '\0';
    master.binary = strdup(binary);
    sg_sockets_inherit(&master.sockets);
    if (master.binary == NULL || sg_master_spawn(&master, SG_PURPOSE_START) == -1)
        return 1;
    return master_run();
}

int
sg_master_resume(int state_fd)
{
    sg_notify_init();
    master.signals = master_signals();
    if (master.signals == -1 || sg_master_restore(&master, state_fd) == -1) {
        sg_logf(SG_LOG_EMERG, "the state of the old master cannot be taken over");
        return 1;
    }
    sg_log_role("master");
    if (!sg_brake_fits(master.logins_fd)) { /* of an older binary */
        if (master.logins_fd != -1)
            (void)close(master.logins_fd);
        master.logins_fd = sg_brake_create();
    }
    sg_master_commit_upgrade(&master);
    return master_run();
}
