/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_splice.c - the way of streams: the kernel moves pages from socket to pipe to socket, and no octet is touched.
 *
 * A pipe is filled only when it is empty: then EAGAIN means that the source has nothing, and never that the pipe is full.
 * But for one thing: at an octet that was sent as urgent splice() stops for good, and says EAGAIN, or 0 if an end of file
 * is somewhere behind it. recv() steps over that octet.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "relay_flow.h"

/* Less than this in one go is no stream any more: the copy is as cheap then. */
#define SPLICE_STREAM_MIN 16384

enum sg_moved
sg_flow_flush_pipe(struct sg_session *s, struct sg_flow *flow)
{
    struct sg_pipe *pipe = flow->pipe;

    while (pipe->held > 0) {
        ssize_t n;

        sg_flow_sending(s, flow, pipe->held);
        /* Not more than there is: else the kernel would wait for the rest before it sends the last segment. */
        n = splice(pipe->out, NULL, sg_flow_sink(s, flow), NULL, pipe->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n > 0) {
            pipe->held -= (size_t)n;
            sg_flow_count(flow, SG_PATH_SPLICE, (size_t)n);
        } else if (n == 0 || errno == EAGAIN) {
            return SG_MOVED_ALL;
        } else if (errno != EINTR) {
            return sg_flow_lost(s, !flow->up, errno);
        }
    }
    flow->pipe = NULL;
    sg_pipes_give(pipe);
    return SG_MOVED_ALL;
}

static enum sg_moved
splice_move(struct sg_session *s, struct sg_flow *flow)
{
    struct sg_pipe *pipe = flow->pipe;
    const ssize_t n = splice(sg_flow_source(s, flow), NULL, pipe->in, NULL, sg_flow_most(s, flow, SG_PIPE_SIZE),
                             SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (n <= 0) {
        /* Asked first: an answer leaves errno alone. */
        const bool urgent = (n == 0 || errno == EAGAIN) && sockatmark(sg_flow_source(s, flow)) == 1;

        flow->pipe = NULL;
        sg_pipes_give(pipe);
        if (!urgent)
            return sg_flow_nothing(s, flow, n) == -1 ? SG_MOVED_LOST : SG_MOVED_ALL;
        flow->mover = &sg_mover_copy;
        return flow->mover->move(s, flow);
    }
    pipe->held = (size_t)n;
    sg_flow_read(s, flow, (size_t)n);
    if (n < SPLICE_STREAM_MIN)
        flow->full = 0;
    if (sg_flow_flush_pipe(s, flow) == SG_MOVED_LOST)
        return SG_MOVED_LOST;
    /* A pipe of many small packets is full before its time: only little means that the source is empty. */
    return flow->pipe == NULL && n >= SPLICE_STREAM_MIN ? SG_MOVED_MORE : SG_MOVED_ALL;
}

const struct sg_mover sg_mover_splice = { SG_PATH_SPLICE, 1, splice_move };
