/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_copy.c - the way of messages: one read into the block that all sessions of the worker share, one write.
 */
#include "relay_flow.h"

static enum sg_moved
copy_move(struct sg_session *s, struct sg_flow *flow)
{
    uint8_t *shared = sg_worker_shared();
    size_t len;
    const int got = sg_flow_receive(s, flow, shared, SG_SHARED_SIZE, &len);
    ssize_t sent;

    if (got != 1)
        return got == 0 ? SG_MOVED_ALL : SG_MOVED_LOST;
    sent = sg_flow_send(s, flow, shared, len);
    if (sent == -1)
        return SG_MOVED_LOST;
    sg_flow_count(flow, SG_PATH_COPY, (size_t)sent);
    if (len < SG_SHARED_SIZE)
        flow->full = 0;
    else if (flow->full < UINT8_MAX)
        flow->full++;
    if ((size_t)sent < len)
        return sg_buf_append(&flow->waiting, shared + sent, len - (size_t)sent) == 0
                   ? SG_MOVED_ALL
                   : sg_flow_broken(s, SG_REASON_SHORTAGE);
    return len == SG_SHARED_SIZE ? SG_MOVED_MORE : SG_MOVED_ALL; /* a short read has emptied the source */
}

const struct sg_mover sg_mover_copy = { SG_PATH_COPY, 4, copy_move };
