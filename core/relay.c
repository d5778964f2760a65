/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.c - two flows, one each way.
 *
 *              up:    client --recv--> shared block --send--> target
 *              down:  target --recv--> shared block --send--> client
 *                                           |
 *                                  what was not taken --> waiting (<= 64 KiB), and nothing more is read until it is gone
 *
 * A flow: OPEN --end of file--> DRY --nothing waits, shutdown()--> SHUT. Both SHUT: the session has ended well.
 * With a filter the client's side of each flow is frames; `waiting` then always holds what comes out of it.
 */
#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "container.h"
#include "filter_core.h"

/* Reads of one flow in one go, before others get their turn. */
#define RELAY_ROUNDS 4

enum flow_state { FLOW_OPEN, FLOW_DRY, FLOW_SHUT };

struct flow {
    bool up;
    enum flow_state state;
    bool more;             /* whole frames may wait in `in`, of which no event of the source would tell */
    struct sg_buf waiting; /* on its way to the other side */
    size_t not_payload;    /* at the front of `waiting`: the rest of a reply, frames (counted when made) */
    uint64_t *count;
};

struct sg_relay {
    struct flow up, down;
};

static int
flow_source(const struct sg_session *s, const struct flow *flow)
{
    return flow->up ? s->fd : s->conn.fd;
}

static int
flow_sink(const struct sg_session *s, const struct flow *flow)
{
    return flow->up ? s->conn.fd : s->fd;
}

/* A socket has failed: the other side gets a reset, whatever had already been sent. */
static int
flow_lost(struct sg_session *s, bool client, int err)
{
    sg_session_reason(s,
                      client ? sg_session_lost(err, SG_REASON_CLIENT_RESET, SG_REASON_CLIENT_UNREACHABLE)
                             : sg_session_lost(err, SG_REASON_TARGET_RESET, SG_REASON_TARGET_UNREACHABLE),
                      err);
    sg_session_end(s, true);
    return -1;
}

static int
flow_broken(struct sg_session *s, enum sg_reason reason)
{
    sg_session_reason(s, reason, 0);
    sg_session_end(s, true);
    return -1;
}

/* Octets taken, maybe 0; -1: the session is over. */
static ssize_t
flow_send(struct sg_session *s, struct flow *flow, const uint8_t *octets, size_t len)
{
    size_t sent = 0;

    while (sent < len) {
        const ssize_t n = send(flow_sink(s, flow), octets + sent, len - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return flow_lost(s, !flow->up, errno);
    }
    return (ssize_t)sent;
}

static int
flow_send_waiting(struct sg_session *s, struct flow *flow)
{
    size_t len;
    const uint8_t *octets = sg_buf_data(&flow->waiting, &len);
    ssize_t sent;
    size_t apart;

    if (len == 0)
        return 0;
    sent = flow_send(s, flow, octets, len);
    if (sent == -1)
        return -1;
    apart = flow->not_payload < (size_t)sent ? flow->not_payload : (size_t)sent;
    flow->not_payload -= apart;
    *flow->count += (uint64_t)sent - apart;
    sg_buf_consume(&flow->waiting, (size_t)sent);
    return 0;
}

/* 1: octets came, 0: none now, or the end (the state says so); -1: the session is over. */
static int
flow_receive(struct sg_session *s, struct flow *flow, uint8_t *to, size_t size, size_t *len_out)
{
    const ssize_t n = recv(flow_source(s, flow), to, size, 0);

    if (n > 0) {
        *len_out = (size_t)n;
        return 1;
    }
    if (n == 0)
        flow->state = FLOW_DRY;
    else if (errno != EAGAIN && errno != EINTR)
        return flow_lost(s, flow->up, errno);
    return 0;
}

static int
flow_move_plain(struct sg_session *s, struct flow *flow)
{
    uint8_t *shared = sg_worker_shared();
    size_t len;
    const int got = flow_receive(s, flow, shared, SG_SHARED_SIZE, &len);
    ssize_t sent;

    if (got != 1)
        return got;
    sent = flow_send(s, flow, shared, len);
    if (sent == -1)
        return -1;
    *flow->count += (uint64_t)sent;
    if ((size_t)sent == len)
        return len == SG_SHARED_SIZE ? 1 : 0; /* a short read has emptied the source */
    return sg_buf_append(&flow->waiting, shared + sent, len - (size_t)sent) == 0 ? 0
                                                                                 : flow_broken(s, SG_REASON_SHORTAGE);
}

/* Frames of the client: one at a time into `waiting`. A frame may need several reads. */
static int
flow_move_frames(struct sg_session *s, struct flow *flow)
{
    const int got = sg_filter_unwrap(s, &flow->waiting);
    size_t room, len;
    uint8_t *to;
    int received;

    if (got == -1)
        return flow_broken(s, SG_REASON_FILTER_ERROR);
    if (got == 1)
        return 1;
    if (s->eof) {
        flow->state = FLOW_DRY;
        return sg_buf_len(&s->in) > 0 ? flow_broken(s, SG_REASON_FILTER_ERROR) : 0;
    }
    room = sg_buf_room(&s->in);
    room = room < SG_SHARED_SIZE ? room : SG_SHARED_SIZE;
    received = flow_receive(s, flow, sg_worker_shared(), room, &len);
    if (flow->state == FLOW_DRY && sg_buf_len(&s->in) > 0)
        return flow_broken(s, SG_REASON_FILTER_ERROR); /* the end inside a frame */
    if (received != 1)
        return received;
    to = sg_buf_reserve(&s->in, len);
    if (to == NULL)
        return flow_broken(s, SG_REASON_SHORTAGE);
    memcpy(to, sg_worker_shared(), len);
    sg_buf_commit(&s->in, len);
    return 1;
}

/* Octets of the target become frames; the payload is counted here, since frames have no length that means anything. */
static int
flow_move_wrapped(struct sg_session *s, struct flow *flow)
{
    const size_t most = s->filter->max_plain < SG_SHARED_SIZE ? s->filter->max_plain : SG_SHARED_SIZE;
    size_t len;
    const int got = flow_receive(s, flow, sg_worker_shared(), most, &len);

    if (got != 1)
        return got;
    if (sg_filter_wrap(s, sg_worker_shared(), len, &flow->waiting) == -1)
        return flow_broken(s, SG_REASON_FILTER_ERROR);
    flow->not_payload = sg_buf_len(&flow->waiting);
    *flow->count += len;
    return 1;
}

static int
flow_shutdown(struct sg_session *s, struct flow *flow)
{
    if (shutdown(flow_sink(s, flow), SHUT_WR) == -1 && errno != ENOTCONN)
        return flow_lost(s, !flow->up, errno);
    flow->state = FLOW_SHUT;
    return 0;
}

/* Moves what can be moved now. 1: there was more than one turn's share; -1: the session is over. */
static int
flow_step(struct sg_session *s, struct flow *flow)
{
    for (unsigned round = 0; round < RELAY_ROUNDS; round++) {
        int moved;

        if (flow_send_waiting(s, flow) == -1)
            return -1;
        if (sg_buf_len(&flow->waiting) > 0)
            return 0;
        if (flow->state == FLOW_DRY)
            return flow_shutdown(s, flow);
        if (flow->state == FLOW_SHUT)
            return 0;
        moved = !s->encapsulated ? flow_move_plain(s, flow)
                : flow->up       ? flow_move_frames(s, flow)
                                 : flow_move_wrapped(s, flow);
        if (moved == -1)
            return -1;
        if (moved == 0 && flow->state == FLOW_OPEN)
            return 0;
    }
    /* An end that was found in the last round: no event will tell of it again. */
    if (flow->state == FLOW_DRY && sg_buf_len(&flow->waiting) == 0)
        return flow_shutdown(s, flow);
    return 1;
}

/* One socket: reading for its own flow, writing for the other's. */
static int
relay_events(const struct flow *from, const struct flow *to)
{
    int events = 0;

    if (from->state == FLOW_OPEN && sg_buf_len(&from->waiting) == 0)
        events |= EV_READ;
    if (sg_buf_len(&to->waiting) > 0 || to->more)
        events |= EV_WRITE;
    return events;
}

static void
relay_rest(struct sg_session *s)
{
    const struct sg_relay *relay = s->relay;
    const bool half = relay->up.state != FLOW_OPEN || relay->down.state != FLOW_OPEN;

    if (relay->up.state == FLOW_SHUT && relay->down.state == FLOW_SHUT) {
        sg_session_reason(s, SG_REASON_CLOSED, 0);
        sg_session_end(s, false);
        return;
    }
    sg_deadline_arm(sg_worker_queue(half ? SG_QUEUE_HALF_CLOSED : SG_QUEUE_IDLE), &s->phase);
    sg_worker_watch(&s->io, relay_events(&relay->up, &relay->down));
    sg_worker_watch(&s->conn.io, relay_events(&relay->down, &relay->up));
}

static void
relay_step(struct sg_session *s, bool up, bool down)
{
    struct sg_relay *relay = s->relay;
    const int more = up ? flow_step(s, &relay->up) : relay->up.more;

    if (more == -1 || (down && flow_step(s, &relay->down) == -1))
        return;
    /* The sink tells when to go on, in a turn of its own: one session's stream must not keep the others waiting. */
    relay->up.more = more == 1 && s->encapsulated;
    relay_rest(s);
}

void
sg_relay_step(struct sg_session *s)
{
    relay_step(s, true, true);
}

/* Only the flow that an event is about is tried: on the other one a read would find nothing. */
void
sg_relay_client_ready(struct sg_session *s, int revents)
{
    relay_step(s, (revents & EV_READ) != 0, (revents & EV_WRITE) != 0);
}

static void
relay_target_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop;
    relay_step(io->data, (revents & EV_WRITE) != 0, (revents & EV_READ) != 0);
}

void
sg_relay_expired(struct sg_session *s)
{
    const bool half = s->relay->up.state != FLOW_OPEN || s->relay->down.state != FLOW_OPEN;

    sg_session_reason(s, half ? SG_REASON_HALF_CLOSED_TIMEOUT : SG_REASON_IDLE_TIMEOUT, 0);
    sg_session_end(s, true);
}

/* What was read before the relay: without a filter `in` is payload, with one it is frames and `plain` is payload. */
static int
relay_take_early(struct sg_session *s, struct sg_relay *relay)
{
    struct sg_buf *early = sg_session_input(s);
    size_t len;
    const uint8_t *octets = sg_buf_data(early, &len);

    if (len > 0 && sg_buf_append(&relay->up.waiting, octets, len) == -1)
        return -1;
    sg_buf_consume(early, len);
    octets = sg_buf_data(&s->out, &len);
    if (len > 0 && sg_buf_append(&relay->down.waiting, octets, len) == -1)
        return -1;
    relay->down.not_payload = len;
    sg_buf_consume(&s->out, len);
    if (s->eof && !s->encapsulated)
        relay->up.state = FLOW_DRY;
    return 0;
}

int
sg_relay_new(struct sg_session *s)
{
    struct sg_relay *relay = calloc(1, sizeof *relay);
    const size_t most =
        s->encapsulated ? s->filter->max_plain + s->filter->max_overhead + SG_SETUP_IN_MAX : (size_t)SG_SHARED_SIZE;

    if (relay == NULL)
        return -1;
    relay->up.up = true;
    relay->up.count = &s->rec->bytes_up;
    relay->down.count = &s->rec->bytes_down;
    sg_buf_init(&relay->up.waiting, most);
    sg_buf_init(&relay->down.waiting, most);
    if (relay_take_early(s, relay) == -1) {
        sg_relay_free(relay);
        return -1;
    }
    s->relay = relay;
    ev_io_init(&s->conn.io, relay_target_ready, s->conn.fd, EV_READ);
    s->conn.io.data = s;
    return 0;
}

void
sg_relay_free(struct sg_relay *relay)
{
    if (relay == NULL)
        return;
    sg_buf_free(&relay->up.waiting);
    sg_buf_free(&relay->down.waiting);
    free(relay);
}
