/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status.h - how the last load went, in a file of the runtime directory that is replaced as a whole. `sockgate -s reload`
 * waits for it: a load that began after the signal was sent is the answer to it.
 */
#ifndef SG_STATUS_H
#define SG_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sg_status {
    int64_t load_began_ms; /* monotonic */
    bool ok;
    unsigned generation; /* that is current now */
    pid_t who_pid;       /* who asked; 0: nobody */
    uid_t who_uid;
    char text[4096]; /* why not */
};

int sg_status_write(const char *runtime_dir, const struct sg_status *status); /* -1 and errno */
int sg_status_read(const char *runtime_dir, struct sg_status *status_out);    /* -1: none, or not readable */

#endif
