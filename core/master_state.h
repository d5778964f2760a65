/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * master_state.h - the master's state, and how it passes from one binary to the next.
 */
#ifndef SG_MASTER_STATE_H
#define SG_MASTER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "purpose.h"
#include "sockets.h"
#include "throttle.h"

/* Raised when a new binary could not make sense of what an old one writes. A generation refuses to start with another. */
#define SG_STATE_VERSION 1

#define SG_GENERATIONS_MAX 8

enum sg_gen_state { SG_GEN_NONE, SG_GEN_LOADING, SG_GEN_CURRENT, SG_GEN_DRAINING, SG_GEN_STOPPING };

/* One generation as the master sees it. */
struct sg_gen {
    pid_t pid;
    int channel;
    enum sg_gen_state state;
    enum sg_purpose purpose;
    unsigned number, workers;
    bool accepting;   /* has not said yet that it accepts no more */
    bool unreported;  /* current, and whoever asked for it has not been told: older ones still accept */
    int64_t began_ms; /* of the load */
    int64_t limit_ms; /* LOADING: how long it may take; 0: it was ended for that */
    char doing[64];   /* the instance that is being loaded, "" for none */
    pid_t who_pid;
    uid_t who_uid;
    struct sg_sockets bound; /* keys that it uses; fd -1 once it serves: the master has the socket */
    int text_fd;
    char failure[4096];
};

struct sg_master {
    const char *conf_path; /* NULL: the embedded default */
    char *binary;
    char pid_file[4096], runtime_dir[4096];
    int pid_fd, text_fd, ids_fd, logins_fd;
    unsigned numbers; /* of generations so far */
    struct sg_sockets sockets;
    struct sg_gen gens[SG_GENERATIONS_MAX];
    struct sg_throttle throttle;
    bool reload_wanted, restart_wanted, quitting, stopping;
    pid_t who_pid;
    uid_t who_uid;
    int64_t kill_at_ms;
    int signals;
};

/* Executes `master->binary` in place, with everything. Returns only if that failed (-1 and errno); all is as before. */
int sg_master_exec(struct sg_master *master);
/* In the new binary: takes everything over from `fd`. -1: cannot be read. */
int sg_master_restore(struct sg_master *master, int fd);

#endif
