/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_filter.c - the way of octets that are frames on the client's side. `waiting` always holds what comes out of the
 * filter, for nobody can say how long that will be.
 */
#include <string.h>

#include "filter_core.h"
#include "relay_flow.h"

/* Frames of the client: one at a time into `waiting`. A frame may need several reads. */
static enum sg_moved
filter_unwrap(struct sg_session *s, struct sg_flow *flow)
{
    const int got = sg_filter_unwrap(s, &flow->waiting);
    size_t room, len;
    uint8_t *to;
    int received;

    if (got == -1)
        return sg_flow_broken(s, SG_REASON_FILTER_ERROR);
    if (got == 1)
        return SG_MOVED_MORE;
    if (s->eof) {
        flow->state = SG_FLOW_DRY;
        return sg_buf_len(&s->in) > 0 ? sg_flow_broken(s, SG_REASON_FILTER_ERROR) : SG_MOVED_ALL;
    }
    room = sg_buf_room(&s->in);
    room = room < SG_SHARED_SIZE ? room : SG_SHARED_SIZE;
    received = sg_flow_receive(s, flow, sg_worker_shared(), room, &len);
    if (flow->state == SG_FLOW_DRY && sg_buf_len(&s->in) > 0)
        return sg_flow_broken(s, SG_REASON_FILTER_ERROR); /* the end inside a frame */
    if (received != 1)
        return received == 0 ? SG_MOVED_ALL : SG_MOVED_LOST;
    to = sg_buf_reserve(&s->in, len);
    if (to == NULL)
        return sg_flow_broken(s, SG_REASON_SHORTAGE);
    memcpy(to, sg_worker_shared(), len);
    sg_buf_commit(&s->in, len);
    return SG_MOVED_MORE;
}

/* Octets of the target become frames; the payload is counted here, since frames have no length that means anything. */
static enum sg_moved
filter_wrap(struct sg_session *s, struct sg_flow *flow)
{
    const size_t most = s->filter->ops->max_plain < SG_SHARED_SIZE ? s->filter->ops->max_plain : SG_SHARED_SIZE;
    size_t len;
    const int got = sg_flow_receive(s, flow, sg_worker_shared(), most, &len);

    if (got != 1)
        return got == 0 ? SG_MOVED_ALL : SG_MOVED_LOST;
    if (sg_filter_wrap(s, sg_worker_shared(), len, &flow->waiting) == -1)
        return sg_flow_broken(s, SG_REASON_FILTER_ERROR);
    flow->not_payload = (uint32_t)sg_buf_len(&flow->waiting);
    sg_flow_count(flow, SG_PATH_FILTER, len);
    return SG_MOVED_MORE;
}

const struct sg_mover sg_mover_unwrap = { SG_PATH_FILTER, 4, filter_unwrap };
const struct sg_mover sg_mover_wrap = { SG_PATH_FILTER, 4, filter_wrap };
