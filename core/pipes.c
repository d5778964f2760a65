/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipes.c - a pool of pipes.
 *
 * A pipe that each session kept for itself would cost two descriptors and some kilobytes of the kernel's memory. So a
 * flow takes one for a read and gives it back when the sink has taken everything: the pool is as large as the number of
 * streams whose readers are slower than their senders, and it has a bound.
 */
#include "pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* The kernel gives a user 16,384 pages for pipes (fs.pipe-user-pages-soft): 64 of these are a quarter of that. */
#define PIPES_MAX 64
/* Smaller than this a pipe is dearer than a buffer. */
#define PIPES_SIZE_MIN 65536
/* When none could be made: so many are not even tried. */
#define PIPES_PATIENCE 1024

static struct {
    struct sg_pipe *free;
    unsigned n;
    unsigned not_now; /* so often no pipe is made */
} pipes;

/* The last quarter of the descriptors is for sessions: the lowest free number tells how many there are. */
static bool
pipes_crowded(int fd)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd >= limit.rlim_cur - limit.rlim_cur / 4;
}

static void
pipes_close(struct sg_pipe *pipe)
{
    (void)close(pipe->in);
    (void)close(pipe->out);
    free(pipe);
    pipes.n--;
}

static struct sg_pipe *
pipes_make(void)
{
    struct sg_pipe *pipe = malloc(sizeof *pipe);
    int ends[2];

    if (pipe == NULL)
        return NULL;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) == -1) {
        free(pipe);
        return NULL;
    }
    *pipe = (struct sg_pipe){ .in = ends[1], .out = ends[0] };
    pipes.n++;
    if (pipes_crowded(ends[1]) ||
        (fcntl(pipe->in, F_SETPIPE_SZ, SG_PIPE_SIZE) == -1 && fcntl(pipe->in, F_GETPIPE_SZ) < PIPES_SIZE_MIN)) {
        pipes_close(pipe);
        return NULL;
    }
    return pipe;
}

struct sg_pipe *
sg_pipes_take(void)
{
    struct sg_pipe *pipe = pipes.free;

    if (pipe != NULL) {
        pipes.free = pipe->next;
        return pipe;
    }
    if (pipes.not_now > 0) {
        pipes.not_now--;
        return NULL;
    }
    if (pipes.n < PIPES_MAX)
        pipe = pipes_make();
    if (pipe == NULL)
        pipes.not_now = PIPES_PATIENCE;
    return pipe;
}

void
sg_pipes_give(struct sg_pipe *pipe)
{
    if (pipe == NULL)
        return;
    if (pipe->held > 0) {
        pipes_close(pipe);
        return;
    }
    pipe->next = pipes.free;
    pipes.free = pipe;
}

bool
sg_pipes_spare(int err)
{
    const bool spare = (err == EMFILE || err == ENFILE) && pipes.free != NULL;

    if (spare)
        sg_pipes_trim();
    return spare;
}

void
sg_pipes_trim(void)
{
    while (pipes.free != NULL) {
        struct sg_pipe *pipe = pipes.free;

        pipes.free = pipe->next;
        pipes_close(pipe);
    }
}
