/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc.c - making and shaping processes.
 */
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

static struct {
    char *start;
    size_t size;
} title;

int
sg_proc_channel(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

int
sg_proc_rights(const char *user, struct sg_rights *rights_out)
{
    const struct passwd *pw;

    *rights_out = (struct sg_rights){ .change = geteuid() == 0 };
    if (!rights_out->change)
        return 0;
    pw = getpwnam(user);
    if (pw == NULL)
        return -1;
    rights_out->uid = pw->pw_uid;
    rights_out->gid = pw->pw_gid;
    rights_out->n_groups = sizeof rights_out->groups / sizeof rights_out->groups[0];
    return getgrouplist(user, pw->pw_gid, rights_out->groups, &rights_out->n_groups) == -1 ? -1 : 0;
}

static void
proc_limits(void)
{
    struct rlimit limit;

    /* As many descriptors as we may have; no core file with what clients sent in it. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

int
sg_proc_drop(const struct sg_rights *rights)
{
    proc_limits();
    (void)umask(077);
    if (chdir("/") == -1)
        return -1;
    if (rights->change && (setgroups((size_t)rights->n_groups, rights->groups) == -1 ||
                           setresgid(rights->gid, rights->gid, rights->gid) == -1 ||
                           setresuid(rights->uid, rights->uid, rights->uid) == -1)) {
        sg_logf(SG_LOG_EMERG, "cannot give up rights: %s", strerror(errno));
        return -1;
    }
    if (rights->change && rights->uid != 0 && (setuid(0) == 0 || geteuid() == 0)) {
        sg_logf(SG_LOG_EMERG, "rights can be taken back: refusing to go on");
        return -1;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) {
        sg_logf(SG_LOG_EMERG, "prctl: %s", strerror(errno));
        return -1;
    }
    return 0;
}

static int
proc_compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void
sg_proc_close_others(const int *keep, size_t n)
{
    int sorted[1024];
    unsigned from = 3;

    if (n > sizeof sorted / sizeof sorted[0])
        return;
    memcpy(sorted, keep, n * sizeof *keep);
    qsort(sorted, n, sizeof *sorted, proc_compare);
    for (size_t i = 0; i < n; i++) {
        if (sorted[i] < (int)from)
            continue;
        if ((unsigned)sorted[i] > from)
            (void)close_range(from, (unsigned)sorted[i] - 1, 0);
        from = (unsigned)sorted[i] + 1;
    }
    (void)close_range(from, ~0u, 0);
}

pid_t
sg_proc_spawn(const char *binary, const char *option, int fd)
{
    /* The padding is where the new process, and those it forks, write their titles. */
    char name[128], number[16];
    char *const argv[] = { name, (char *)(uintptr_t)option, number, NULL };
    sigset_t none;
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    memset(name, ' ', sizeof name - 1);
    memcpy(name, "sockgate", strlen("sockgate"));
    name[sizeof name - 1] = '\0';
    (void)snprintf(number, sizeof number, "%d", fd);
    (void)fcntl(fd, F_SETFD, 0);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv(binary, argv);
    sg_logf(SG_LOG_EMERG, "%s: %s", binary, strerror(errno));
    _exit(1);
}

void
sg_proc_title_init(int argc, char **argv)
{
    title.start = argv[0];
    title.size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0]);
}

void
sg_proc_title(const char *comm, const char *format, ...)
{
    char text[128];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)prctl(PR_SET_NAME, comm, 0, 0, 0);
    if (title.start == NULL || n < 0)
        return;
    memset(title.start, 0, title.size);
    memcpy(title.start, text, (size_t)n < title.size - 1 ? (size_t)n : title.size - 1);
}

void
sg_proc_ignore_signals(void)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE };
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)sigaction(ignored[i], &ignore, NULL);
}

int
sg_proc_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

const char *
sg_proc_status_text(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        (void)snprintf(text, size, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
    else
        (void)snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    return text;
}

bool
sg_proc_crashed(int status)
{
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS };

    for (size_t i = 0; WIFSIGNALED(status) && i < sizeof crashes / sizeof crashes[0]; i++)
        if (WTERMSIG(status) == crashes[i])
            return true;
    return false;
}

int
sg_proc_runtime_dir(const char *dir)
{
    char path[4096];
    struct stat st;

    for (const char *slash = strchr(dir + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(path, sizeof path, "%.*s", (int)(slash - dir), dir);
        if (mkdir(path, 0755) == -1 && errno != EEXIST)
            return -1;
    }
    if (mkdir(dir, geteuid() == 0 ? 0755 : 0700) == 0)
        return 0;
    if (errno != EEXIST || lstat(dir, &st) == -1)
        return -1;
    /* It may lie in /tmp: nobody else may have made it, or be able to put files there. */
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

/* When it was born, and the letter of its state; 0: /proc shows no such process. */
static int64_t
proc_stat(pid_t pid, char *state_out)
{
    char path[64], text[1024];
    const char *at;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return 0;
    n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    /* The name may hold blanks and brackets; what follows the last bracket is numbers, and birth is the twentieth. */
    at = strrchr(text, ')');
    *state_out = at != NULL && at[1] != '\0' ? at[2] : '\0';
    for (int field = 0; at != NULL && field < 20; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoll(at, NULL, 10) : 0;
}

int64_t
sg_proc_born(pid_t pid)
{
    char state;

    return proc_stat(pid, &state);
}

bool
sg_proc_lives(pid_t pid, int64_t born)
{
    char state;
    const int64_t seen = proc_stat(pid, &state);

    if (seen != 0)
        return seen == born && state != 'Z' && state != 'X';
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

unsigned
sg_proc_count(const char *folder)
{
    char path[64];
    unsigned n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/self/%s", folder);
    dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL)
        n++;
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}
