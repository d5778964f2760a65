/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.h - the worker's side of the listening sockets: when to accept, and when not.
 */
#ifndef SG_LISTENER_H
#define SG_LISTENER_H

#include "worker.h"

int sg_listeners_open(const struct sg_worker_boot *boot); /* watches nothing yet; -1: no memory */
void sg_listeners_go(void);                               /* accept from now on */
void sg_listeners_close(void);                            /* never again: closes this process's descriptors */
void sg_listeners_room(void);                             /* a session has ended: try again if accepting was paused */

#endif
