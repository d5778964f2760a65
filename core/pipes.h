/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipes.h - the pipes of a worker, through which streams are spliced. A flow has one only while octets are in it.
 */
#ifndef SG_PIPES_H
#define SG_PIPES_H

#include <stdbool.h>
#include <stddef.h>

#define SG_PIPE_SIZE 262144

struct sg_pipe {
    struct sg_pipe *next; /* while it is in the pool */
    int in, out;          /* written to, read from; both non-blocking */
    size_t held;          /* octets in it */
};

/* An empty pipe; NULL: there are too many, or descriptors, memory or the user's share of pipes are short. */
struct sg_pipe *sg_pipes_take(void);
/* One that still holds octets is closed with them. NULL is ignored. */
void sg_pipes_give(struct sg_pipe *pipe);
/* After a failure: if descriptors are short, closes what nobody uses. True: try again. */
bool sg_pipes_spare(int err);
void sg_pipes_trim(void);

#endif
