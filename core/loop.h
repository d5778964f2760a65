/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h - event loops that never want memory once they are there.
 */
#ifndef SG_LOOP_H
#define SG_LOOP_H

#include <ev.h>

/* Timers of modules that may run at once in this process; descriptors are bounded by their limit. */
#define SG_LOOP_TIMERS 65536u

/* NULL and errno. Ends with ev_loop_destroy(). */
struct ev_loop *sg_loop_new(void);

#endif
