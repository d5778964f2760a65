/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.c - two flows, one each way; what all ways of moving octets have in common (relay_flow.h has those).
 *
 *              up:    client --recv--> shared block --send--> target            copy: messages
 *              down:  target --splice--> pipe --splice--> client                splice: streams
 *              up:    client --recv--> frames --filter--> send--> target        filter: a METHOD that encapsulates
 *                                          |
 *                        what was not taken is held (<= 64 KiB, or a pipe), and nothing more is read until it is gone,
 *                        nor while a limit (relay_limit.h) has been reached
 *
 * A flow: OPEN --end of file--> DRY --nothing is held, shutdown()--> SHUT. Both SHUT: the session has ended well.
 */
#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "container.h"
#include "relay_flow.h"
#include "relay_limit.h"

/* So many reads in a row that filled the shared block are a stream. */
#define RELAY_STREAM 2
/* What fits into one segment wherever TCP runs: Nagle cannot hold back a part of it. */
#define RELAY_SEGMENT 512
/* Beside events in `ready` of the flow up: no step has been made. */
#define RELAY_FIRST 0x80

/* ---- what movers share */

/* A socket has failed: the other side gets a reset, whatever had already been sent. */
enum sg_moved
sg_flow_lost(struct sg_session *s, bool client, int err)
{
    sg_session_reason(s,
                      client ? sg_session_lost(err, SG_REASON_CLIENT_RESET, SG_REASON_CLIENT_UNREACHABLE)
                             : sg_session_lost(err, SG_REASON_TARGET_RESET, SG_REASON_TARGET_UNREACHABLE),
                      err);
    sg_session_end(s, true);
    return SG_MOVED_LOST;
}

enum sg_moved
sg_flow_broken(struct sg_session *s, enum sg_reason reason)
{
    sg_session_reason(s, reason, 0);
    sg_session_end(s, true);
    return SG_MOVED_LOST;
}

void
sg_flow_count(struct sg_flow *flow, enum sg_path path, size_t len)
{
    *flow->count += len;
    sg_worker_add(&sg_worker_boot()->status->moved[path], len);
}

/*
 * Nagle's algorithm holds a segment back only behind octets that are not acknowledged yet. So the option is not needed
 * before the second message, and many sessions have no second one. The client's socket has it from the listening one.
 */
void
sg_flow_sending(struct sg_session *s, struct sg_flow *flow, size_t len)
{
    const int one = 1;

    if (!flow->nagle)
        return;
    if (len > RELAY_SEGMENT || flow->sent) {
        (void)setsockopt(sg_flow_sink(s, flow), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        flow->nagle = false;
    }
    flow->sent = true;
}

ssize_t
sg_flow_send(struct sg_session *s, struct sg_flow *flow, const uint8_t *octets, size_t len)
{
    size_t sent = 0;

    sg_flow_sending(s, flow, len);
    while (sent < len) {
        const ssize_t n = send(sg_flow_sink(s, flow), octets + sent, len - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return sg_flow_lost(s, !flow->up, errno);
    }
    return (ssize_t)sent;
}

int
sg_flow_nothing(struct sg_session *s, struct sg_flow *flow, ssize_t n)
{
    if (n == 0)
        flow->state = SG_FLOW_DRY;
    else if (errno != EAGAIN && errno != EINTR)
        return sg_flow_lost(s, flow->up, errno);
    return 0;
}

int
sg_flow_receive(struct sg_session *s, struct sg_flow *flow, uint8_t *to, size_t size, size_t *len_out)
{
    const ssize_t n = recv(sg_flow_source(s, flow), to, sg_flow_most(s, flow, size), 0);

    if (n <= 0)
        return sg_flow_nothing(s, flow, n);
    sg_flow_read(s, flow, (size_t)n);
    *len_out = (size_t)n;
    return 1;
}

/* ---- one flow */

static int
flow_flush(struct sg_session *s, struct sg_flow *flow)
{
    size_t len;
    const uint8_t *octets = sg_buf_data(&flow->waiting, &len);
    ssize_t sent;
    size_t apart;

    if (flow->pipe != NULL)
        return sg_flow_flush_pipe(s, flow);
    if (len == 0)
        return 0;
    sent = sg_flow_send(s, flow, octets, len);
    if (sent == -1)
        return -1;
    apart = flow->not_payload < (size_t)sent ? flow->not_payload : (size_t)sent;
    flow->not_payload -= (uint32_t)apart;
    sg_flow_count(flow, flow->mover->path, (size_t)sent - apart);
    sg_buf_consume(&flow->waiting, (size_t)sent);
    return 0;
}

/* The one place where it is chosen how octets move. */
static const struct sg_mover *
flow_mover(const struct sg_session *s, struct sg_flow *flow)
{
    const int64_t path = sg_worker_boot()->conf->core.relay_path;

    if (s->encapsulated)
        return flow->up ? &sg_mover_unwrap : &sg_mover_wrap;
    if (path == SG_RELAY_COPY || (path == SG_RELAY_AUTO && flow->full < RELAY_STREAM))
        return &sg_mover_copy;
    flow->pipe = sg_pipes_take();
    return flow->pipe != NULL ? &sg_mover_splice : &sg_mover_copy;
}

static int
flow_shutdown(struct sg_session *s, struct sg_flow *flow)
{
    const struct sg_flow *other = flow->up ? &s->relay->down : &s->relay->up;

    flow->state = SG_FLOW_SHUT;
    /* When the other one has ended before, both sockets are closed now, which says the same. */
    if (other->state != SG_FLOW_SHUT && shutdown(sg_flow_sink(s, flow), SHUT_WR) == -1 && errno != ENOTCONN)
        return sg_flow_lost(s, !flow->up, errno);
    return 0;
}

/* Moves what can be moved now. 1: there was more than one turn's share; -1: the session is over. */
static int
flow_step(struct sg_session *s, struct sg_flow *flow)
{
    for (unsigned round = 0; round < flow->mover->rounds; round++) {
        enum sg_moved moved;

        if (flow_flush(s, flow) == -1)
            return -1;
        if (sg_flow_held(flow))
            return 0;
        if (flow->state == SG_FLOW_DRY)
            return flow_shutdown(s, flow);
        if (flow->state == SG_FLOW_SHUT || !sg_limits_allow(s, flow))
            return 0;
        flow->mover = flow_mover(s, flow);
        moved = flow->mover->move(s, flow);
        if (moved == SG_MOVED_LOST)
            return -1;
        if (moved == SG_MOVED_ALL && flow->state == SG_FLOW_OPEN)
            return 0;
    }
    /* An end that was found in the last round: no event will tell of it again. */
    if (flow->state == SG_FLOW_DRY && !sg_flow_held(flow))
        return flow_shutdown(s, flow);
    return 1;
}

/* ---- both of them */

/* One socket: reading for its own flow, writing for the other's. */
static int
relay_events(const struct sg_flow *from, const struct sg_flow *to)
{
    int events = 0;

    if (from->state == SG_FLOW_OPEN && !sg_flow_held(from) && !from->paused)
        events |= EV_READ;
    if (sg_flow_held(to) || to->more)
        events |= EV_WRITE;
    return events;
}

static void
relay_rest(struct sg_session *s)
{
    const struct sg_relay *relay = s->relay;
    const bool half = relay->up.state != SG_FLOW_OPEN || relay->down.state != SG_FLOW_OPEN;

    if (relay->up.state == SG_FLOW_SHUT && relay->down.state == SG_FLOW_SHUT) {
        sg_session_reason(s, SG_REASON_CLOSED, 0);
        sg_session_end(s, false);
        return;
    }
    sg_deadline_arm(sg_worker_queue(half ? SG_QUEUE_HALF_CLOSED : SG_QUEUE_IDLE), &s->phase);
    sg_worker_watch(&s->io, relay_events(&relay->up, &relay->down));
    sg_worker_watch(&s->conn->io, relay_events(&relay->down, &relay->up));
    sg_limits_wait(s->relay);
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

/*
 * Only a flow that an event was about is tried: on the other one a read would find nothing. But at first what came early
 * goes out, and no event tells of frames that came early.
 */
void
sg_relay_step(struct sg_session *s)
{
    struct sg_relay *relay = s->relay;
    const bool first = (relay->up.ready & RELAY_FIRST) != 0, down = relay->down.ready != 0;
    bool up = (relay->up.ready & ~RELAY_FIRST) != 0;

    relay->up.ready = relay->down.ready = 0;
    if (first) {
        if (flow_flush(s, &relay->up) == -1 || flow_flush(s, &relay->down) == -1)
            return;
        up = up || s->encapsulated || relay->up.state == SG_FLOW_DRY;
    }
    relay_step(s, up, down);
}

static void
relay_again(struct sg_session *s)
{
    s->relay->up.ready |= (uint8_t)(s->relay->up.paused ? EV_READ : 0);
    s->relay->down.ready |= (uint8_t)(s->relay->down.paused ? EV_READ : 0);
    sg_session_kick(s);
}

/* One socket: the source of one flow, the sink of the other. */
static void
relay_note(struct sg_flow *from, struct sg_flow *to, int revents)
{
    from->ready |= (uint8_t)(revents & EV_READ);
    to->ready |= (uint8_t)(revents & EV_WRITE);
}

void
sg_relay_client_ready(struct sg_session *s, int revents)
{
    relay_note(&s->relay->up, &s->relay->down, revents);
}

static void
relay_target_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct sg_session *s = io->data;

    (void)loop;
    if ((revents & EV_ERROR) != 0) {
        sg_session_unwatched(s);
        return;
    }
    relay_note(&s->relay->down, &s->relay->up, revents);
    sg_session_kick(s);
}

void
sg_relay_expired(struct sg_session *s)
{
    const bool half = s->relay->up.state != SG_FLOW_OPEN || s->relay->down.state != SG_FLOW_OPEN;

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
    relay->down.not_payload = (uint32_t)len;
    sg_buf_consume(&s->out, len);
    if (s->eof && !s->encapsulated)
        relay->up.state = SG_FLOW_DRY;
    return 0;
}

int
sg_relay_new(struct sg_session *s)
{
    struct sg_relay *relay = calloc(1, sizeof *relay);
    const size_t most = s->encapsulated ? s->filter->ops->max_plain + s->filter->ops->max_overhead + SG_SETUP_IN_MAX
                                        : (size_t)SG_SHARED_SIZE;

    if (relay == NULL)
        return -1;
    relay->up.up = relay->up.nagle = true;
    relay->up.ready = RELAY_FIRST;
    relay->up.mover = s->encapsulated ? &sg_mover_unwrap : &sg_mover_copy;
    relay->down.mover = s->encapsulated ? &sg_mover_wrap : &sg_mover_copy;
    relay->up.count = &s->rec->bytes_up;
    relay->down.count = &s->rec->bytes_down;
    sg_buf_init(&relay->up.waiting, most);
    sg_buf_init(&relay->down.waiting, most);
    if (relay_take_early(s, relay) == -1 || sg_limits_new(s, relay, relay_again) == -1) {
        sg_relay_free(relay);
        return -1;
    }
    s->relay = relay;
    ev_io_init(&s->conn->io, relay_target_ready, s->conn->fd, EV_READ);
    s->conn->io.data = s;
    return 0;
}

static void
flow_drop(struct sg_flow *flow)
{
    sg_buf_free(&flow->waiting);
    sg_pipes_give(flow->pipe);
}

void
sg_relay_free(struct sg_relay *relay)
{
    if (relay == NULL)
        return;
    flow_drop(&relay->up);
    flow_drop(&relay->down);
    sg_limits_free(relay->limits);
    free(relay);
}
