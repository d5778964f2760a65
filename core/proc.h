/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc.h - making and shaping processes.
 */
#ifndef SG_PROC_H
#define SG_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Who a process becomes; looked up before it is forked. */
struct sg_rights {
    bool change; /* false: we are no root, everything stays as it is */
    uid_t uid;
    gid_t gid;
    int n_groups;
    gid_t groups[64];
};

/* A SEQPACKET pair, close-on-exec, non-blocking. */
int sg_proc_channel(int pair[2]);
int sg_proc_rights(const char *user, struct sg_rights *rights_out); /* -1: no such user */
/* Gives up everything for good; 0, or -1 and a message in the log. Call in the child. */
int sg_proc_drop(const struct sg_rights *rights);
/* Closes all descriptors but 0-2 and the `n` given. */
void sg_proc_close_others(const int *keep, size_t n);
/* Forks and executes `binary` with `--option FD`; in the child only FD and the standard descriptors stay. -1 and errno. */
pid_t sg_proc_spawn(const char *binary, const char *option, int fd);

/* The argument vector's memory, for sg_proc_title(): at the start of main(). */
void sg_proc_title_init(int argc, char **argv);
void sg_proc_title(const char *comm, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Only the master obeys signals: everything that it obeys is ignored, and SIGPIPE. Handlers are set back first. */
void sg_proc_ignore_signals(void);
int sg_proc_pidfd(pid_t pid);
/* When a process was born, in the kernel's ticks; 0: there is none. A pid and this name it for good. */
int64_t sg_proc_born(pid_t pid);
/* Is the process of that number and birth alive? Where /proc hides it (hidepid), the number alone decides. */
bool sg_proc_lives(pid_t pid, int64_t born);
/* How many entries a folder below /proc/self has, to be compared with another time: "fd", "task". 0 without /proc. */
unsigned sg_proc_count(const char *folder);
/*
 * Makes the runtime directory and, for a prefix that nobody has used yet, the folders above it. -1 and errno; EPERM: it is
 * somebody else's, or others can write there.
 */
int sg_proc_runtime_dir(const char *dir);
/* "killed by SIGSEGV", "exit status 1". */
const char *sg_proc_status_text(int status, char *text, size_t size);
bool sg_proc_crashed(int status);

#endif
