/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * here.h - a worker that is the test itself: a table and a loop, no listener that accepts, and real sessions, whose clients
 * are socket pairs.
 */
#ifndef HERE_H
#define HERE_H

#include "hooks.h"
#include "log.h"
#include "session.h"
#include "tables.h"

struct here {
    /* what the test says before here_open() */
    const char *const *names; /* what the table names, the listener first; NULL at the end */
    struct sg_instances instances;
    struct sg_hooks hooks;
    struct sg_timeouts_conf timeouts;
    enum sg_log_level log_level;
    /* what it finds then */
    int log_fd; /* what has been logged */
    struct tables tables;
    struct sg_worker_status status;
    /* what the worker refers to */
    struct sg_conf conf;
    struct sg_listener_conf listener_conf;
    struct sg_worker_listener listener;
    struct sg_worker_boot boot;
};

/* There is room for two sessions; ids begin with 0123456789abcdef0007. */
void here_open(struct here *here);
void here_close(struct here *here);
/* A session that begins; its client's end goes to `client_out`. */
struct sg_session *here_session(struct here *here, int *client_out);

#endif
