/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_io.c - the client's socket during setup and closing.
 *
 *   readable --> step: session_read() --> `in` --> the state's input function, until it needs more
 *   writable --> step: `out` --> the client
 *
 * A step is deferred work (worker.h): it runs behind the events, never inside a callback of a module.
 */
#include "session_io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bind.h"
#include "clock.h"
#include "container.h"
#include "dial.h"
#include "filter_core.h"
#include "pending.h"
#include "relay.h"
#include "states.h"
#include "wipe.h"

/* What a client may still send behind a failure reply before we stop listening to it. */
#define SESSION_DRAIN_MAX ((size_t)262144)
/* And on the connection of an association, where nothing is to be said. */
#define SESSION_ASSOCIATION_MAX ((size_t)65536)

enum sg_reason
sg_session_lost(int err, enum sg_reason reset, enum sg_reason unreachable)
{
    return err == ECONNRESET || err == EPIPE || err == ECONNABORTED ? reset : unreachable;
}

void
sg_session_kick(struct sg_session *s)
{
    if (s->state != SG_STATE_END)
        sg_worker_defer(&s->step);
}

void
sg_session_wait(struct sg_session *s, bool waiting)
{
    const int64_t now = sg_mono_ms();

    if (waiting == s->waiting)
        return;
    if (waiting)
        s->waited_since_ms = now;
    else
        s->waited_ms += (int32_t)(now - s->waited_since_ms);
    s->waiting = waiting;
    if (waiting && s->phase.queue == NULL)
        sg_deadline_arm(sg_worker_queue(s->waited_ms == 0 ? SG_QUEUE_HANDSHAKE : SG_QUEUE_TICK), &s->phase);
}

/* The phase deadline: handshake, idle, half_closed, linger, by state. */
static void
session_phase_expired(struct sg_deadline *deadline)
{
    struct sg_session *s = SG_CONTAINER(deadline, struct sg_session, phase);
    const int64_t budget = sg_worker_boot()->conf->core.timeouts.handshake;
    const int64_t waited = s->waited_ms + (s->waiting ? sg_mono_ms() - s->waited_since_ms : 0);

    if (s->state == SG_STATE_CLOSING) {
        sg_session_end(s, false);
    } else if (s->state == SG_STATE_RELAY) {
        sg_relay_expired(s);
    } else if (waited >= budget) {
        sg_session_reason(s, SG_REASON_HANDSHAKE_TIMEOUT, 0);
        sg_session_end(s, false);
    } else if (s->waiting) {
        /* The clock stood still for a while: look once a second from now on. */
        sg_deadline_arm(sg_worker_queue(SG_QUEUE_TICK), &s->phase);
    }
}

/* setup_max until the first reply, then max_session. */
static void
session_setup_expired(struct sg_deadline *deadline)
{
    struct sg_session *s = SG_CONTAINER(deadline, struct sg_session, setup);

    if (s->rec->started) {
        sg_session_reason(s, SG_REASON_MAX_SESSION, 0);
        sg_session_end(s, true);
    } else if (s->request != NULL && s->state != SG_STATE_CLOSING) {
        sg_session_fail(s, SG_REASON_SETUP_TIMEOUT, 0, SG_REP_GENERAL_FAILURE);
    } else {
        sg_session_reason(s, SG_REASON_SETUP_TIMEOUT, 0);
        sg_session_end(s, false);
    }
}

static void
session_receive_failed(struct sg_session *s, int err)
{
    sg_session_reason(s, sg_session_lost(err, SG_REASON_CLIENT_RESET, SG_REASON_CLIENT_UNREACHABLE), err);
    sg_session_end(s, false);
}

/* Does the connection only have to stay, whatever the client sends? */
static bool
session_deaf(const struct sg_session *s)
{
    return s->state == SG_STATE_CLOSING || s->state == SG_STATE_ASSOCIATION;
}

/* What the client still sends is thrown away; with CLOSING so that our reply is not lost to a reset. */
static void
session_discard(struct sg_session *s)
{
    const size_t most = s->state == SG_STATE_CLOSING ? SESSION_DRAIN_MAX : SESSION_ASSOCIATION_MAX;
    ssize_t n;

    while ((n = recv(s->fd, sg_worker_shared(), SG_SHARED_SIZE, 0)) > 0) {
        sg_wipe(sg_worker_shared(), (size_t)n); /* a password that came too late is one too */
        s->drained += (uint32_t)n;
        if (s->drained > most) {
            if (s->state == SG_STATE_ASSOCIATION)
                sg_session_reason(s, SG_REASON_PROTOCOL_ERROR, 0);
            sg_session_end(s, false);
            return;
        }
    }
    if (n == 0)
        s->eof = true;
    else if (errno != EAGAIN && errno != EINTR)
        session_receive_failed(s, errno);
}

static void
session_read(struct sg_session *s)
{
    size_t room = sg_buf_room(&s->in);
    uint8_t *to;
    ssize_t n;

    if (s->eof || room == 0)
        return;
    /* Into the shared block first: a buffer of the session's own is as large as what came, and no larger. */
    if (room > SG_SHARED_SIZE)
        room = SG_SHARED_SIZE;
    n = recv(s->fd, sg_worker_shared(), room, 0);
    if (n > 0) {
        to = sg_buf_reserve(&s->in, (size_t)n);
        if (to == NULL) {
            sg_session_reason(s, SG_REASON_SHORTAGE, ENOMEM);
            sg_session_end(s, false);
            return;
        }
        memcpy(to, sg_worker_shared(), (size_t)n);
        sg_buf_commit(&s->in, (size_t)n);
        sg_wipe(sg_worker_shared(), (size_t)n); /* it may be a password */
    } else if (n == 0) {
        s->eof = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        session_receive_failed(s, errno);
    }
}

/* Most clients have sent their greeting by the time that we accept: that is tried without being told. */
static void
session_take(struct sg_session *s)
{
    const bool early = s->state == SG_STATE_GREETING && sg_buf_len(&s->in) == 0;

    if (s->state == SG_STATE_RELAY || !(s->readable || early))
        return;
    s->readable = false;
    if (session_deaf(s))
        session_discard(s);
    else
        session_read(s);
}

static void
session_flush(struct sg_session *s)
{
    size_t len;
    const uint8_t *octets;

    while ((octets = sg_buf_data(&s->out, &len)), len > 0) {
        const ssize_t n = send(s->fd, octets, len, MSG_NOSIGNAL);

        if (n > 0) {
            sg_buf_consume(&s->out, (size_t)n);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            session_receive_failed(s, errno);
            return;
        }
    }
}

/* CLOSING: our side ends when all is out; the session ends when the client's side has ended too, or after `linger`. */
static void
session_closing(struct sg_session *s)
{
    if (!s->shut && sg_buf_len(&s->out) == 0) {
        s->shut = true;
        (void)shutdown(s->fd, SHUT_WR);
    }
    if (s->shut && s->eof)
        sg_session_end(s, false);
}

static void
session_watch(struct sg_session *s)
{
    int events = 0;

    if (s->state == SG_STATE_END || s->state == SG_STATE_RELAY)
        return;
    if (!s->eof && (session_deaf(s) || sg_buf_room(&s->in) > 0))
        events |= EV_READ;
    if (sg_buf_len(&s->out) > 0)
        events |= EV_WRITE;
    sg_worker_watch(&s->io, events);
}

/* It has ended its side, and what it has sent is not enough to go on. */
static bool
session_deserted(const struct sg_session *s)
{
    return s->eof && (s->waiting || s->stay || (sg_login_runs(s) && sg_buf_len(&s->in) == 0));
}

static void
session_step(struct sg_defer *defer)
{
    struct sg_session *s = SG_CONTAINER(defer, struct sg_session, step);

    if (s->ending) {
        sg_session_end(s, true);
        return;
    }
    session_take(s);
    while (s->state != SG_STATE_END && sg_session_feed(s))
        continue;
    if (s->state == SG_STATE_END)
        return;
    if (s->state == SG_STATE_RELAY) {
        sg_dial_free(s->dial); /* its work is done, and many sessions stay long */
        s->dial = NULL;
        sg_relay_step(s);
        return;
    }
    if (session_deserted(s)) {
        sg_session_reason(s, SG_REASON_CLIENT_GONE, 0);
        sg_session_end(s, false);
        return;
    }
    session_flush(s);
    if (s->state == SG_STATE_CLOSING)
        session_closing(s);
    else if (s->state == SG_STATE_ASSOCIATION && s->eof)
        sg_session_end(s, false);
    session_watch(s);
}

void
sg_session_unwatched(struct sg_session *s)
{
    sg_session_reason(s, SG_REASON_SHORTAGE, ENOMEM);
    sg_session_end(s, true);
}

static void
session_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct sg_session *s = SG_CONTAINER(io, struct sg_session, io);

    (void)loop;
    if ((revents & EV_ERROR) != 0) {
        sg_session_unwatched(s);
        return;
    }
    if (s->state == SG_STATE_RELAY)
        sg_relay_client_ready(s, revents);
    else if ((revents & EV_READ) != 0)
        s->readable = true;
    sg_session_kick(s);
}

void
sg_session_io_init(struct sg_session *s)
{
    s->step.run = session_step;
    s->phase.expired = session_phase_expired;
    s->setup.expired = session_setup_expired;
    ev_io_init(&s->io, session_ready, s->fd, EV_READ);
    sg_deadline_arm(sg_worker_queue(SG_QUEUE_SETUP), &s->setup);
}

struct sg_buf *
sg_session_input(struct sg_session *s)
{
    return s->encapsulated ? &s->filter->plain : &s->in;
}

int
sg_session_send(struct sg_session *s, const uint8_t *octets, size_t len)
{
    sg_session_kick(s);
    return s->encapsulated ? sg_filter_wrap(s, octets, len, &s->out) : sg_buf_append(&s->out, octets, len);
}

void
sg_session_finish(struct sg_session *s, enum sg_reason reason, int err)
{
    if (s->state == SG_STATE_END || s->state == SG_STATE_CLOSING)
        return;
    sg_session_reason(s, reason, err);
    s->rec->phase = (uint8_t)(s->state + 1);
    s->waiting = false;
    sg_deadline_disarm(&s->setup);
    sg_login_cancel(s);
    sg_dial_stop(s->dial);
    sg_bind_stop(s->bind);
    sg_pending_cancel_all(s);
    s->asking = false;
    sg_buf_free(&s->in); /* nobody reads it any more, and a login that was refused may be in there */
    sg_session_goto(s, SG_STATE_CLOSING);
    sg_deadline_arm(sg_worker_queue(SG_QUEUE_LINGER), &s->phase);
    sg_session_kick(s);
}

void
sg_session_fail(struct sg_session *s, enum sg_reason reason, int err, uint8_t rep)
{
    uint8_t reply[SG_REPLY_MAX];

    if (s->state == SG_STATE_END || s->state == SG_STATE_CLOSING)
        return;
    s->rec->rep = rep;
    s->rec->replied = sg_session_send(s, reply, sg_session_protocol(s)->put_reply(reply, rep, NULL)) == 0;
    sg_session_finish(s, reason, err);
}
