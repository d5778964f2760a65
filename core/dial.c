/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial.c - from a request to a connection.
 */
#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "container.h"
#include "sockets.h"

#define DIAL_CANDIDATES 16

struct sg_dial {
    struct sg_session *session;
    struct sg_instance *inst;
    void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_dial_result *result, void *arg);
    void *arg;
    struct sg_addr candidates[DIAL_CANDIDATES];
    unsigned n, next;
    struct sg_run run;
    struct sg_defer start;
    struct sg_deadline deadline;
    bool over;
    /* Why the last candidate failed; it becomes the session's reason only if all fail. */
    enum sg_reason reason;
    int err;
    uint8_t rep;
};

uint8_t
sg_dial_rep(int err)
{
    switch (err) {
    case ECONNREFUSED: return SG_REP_CONNECTION_REFUSED;
    case ENETUNREACH:
    case ENETDOWN:
    case EINVAL: /* a route that is a black hole, or none from the configured source */
    case EAFNOSUPPORT: return SG_REP_NETWORK_UNREACHABLE;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ETIMEDOUT: return SG_REP_HOST_UNREACHABLE;
    case EACCES:
    case EPERM: return SG_REP_NOT_ALLOWED; /* the system's own packet filter */
    default: return SG_REP_GENERAL_FAILURE;
    }
}

static bool
dial_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM || err == EADDRNOTAVAIL;
}

static void
dial_close(struct sg_conn *conn)
{
    if (conn->fd == -1)
        return;
    ev_io_stop(sg_worker_loop(), &conn->io);
    (void)close(conn->fd);
    conn->fd = -1;
}

void
sg_dial_stop(struct sg_dial *dial)
{
    if (dial == NULL || dial->over)
        return;
    dial->over = true;
    dial->run.pending = NULL; /* the session cancels all of its handles */
    sg_worker_undefer(&dial->start);
    sg_deadline_disarm(&dial->deadline);
    dial_close(&dial->session->conn);
}

void
sg_dial_free(struct sg_dial *dial)
{
    free(dial);
}

static void
dial_finish(struct sg_dial *dial, uint8_t rep)
{
    struct sg_session *s = dial->session;
    struct sg_dial_result result = { .size = sizeof result, .rep = rep };
    uint32_t before;

    dial->over = true;
    sg_deadline_disarm(&dial->deadline);
    if (rep == SG_REP_SUCCEEDED) {
        result.conn = &s->conn;
        result.remote = s->conn.remote;
        result.local = s->conn.local;
    } else {
        sg_session_reason(s, dial->reason, dial->err);
    }
    before = sg_worker_enter(dial->inst);
    dial->done(dial->inst, s, &result, dial->arg);
    sg_worker_leave(before);
}

static void dial_next(struct sg_dial *dial);

static void
dial_failed(struct sg_dial *dial, enum sg_reason reason, int err, uint8_t rep)
{
    dial->reason = reason;
    dial->err = err;
    dial->rep = rep;
    dial_close(&dial->session->conn);
    sg_deadline_disarm(&dial->deadline);
    dial_next(dial);
}

static void
dial_connect_failed(struct sg_dial *dial, int err)
{
    dial_failed(dial, dial_shortage(err) ? SG_REASON_SHORTAGE : SG_REASON_CONNECT_FAILED, err, sg_dial_rep(err));
}

static void
dial_connected(struct sg_dial *dial)
{
    struct sg_conn *conn = &dial->session->conn;
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    ev_io_stop(sg_worker_loop(), &conn->io);
    if (getsockname(conn->fd, (struct sockaddr *)&ss, &len) == 0)
        (void)sg_addr_from_sockaddr(&ss, &conn->local);
    dial->session->rec.target = conn->remote;
    dial_finish(dial, SG_REP_SUCCEEDED);
}

static void
dial_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct sg_dial *dial = io->data;
    int err = 0;
    socklen_t len = sizeof err;

    (void)loop, (void)revents;
    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
        err = errno;
    if (err == 0)
        dial_connected(dial);
    else
        dial_connect_failed(dial, err);
}

static void
dial_expired(struct sg_deadline *deadline)
{
    dial_connect_failed(SG_CONTAINER(deadline, struct sg_dial, deadline), ETIMEDOUT);
}

/* The configured source address; without IP_BIND_ADDRESS_NO_PORT the ports of one address would run out early. */
static int
dial_source(struct sg_session *s, int fd, const struct sg_addr *to)
{
    const struct sg_listener_conf *l = s->listener->conf;
    const struct sg_addr *from = to->family == SG_FAMILY_IPV4 ? &l->outgoing4 : &l->outgoing6;
    struct sockaddr_storage ss;
    const int one = 1;

    if (l->outgoing.n == 0)
        return 0;
    if (from->family == SG_FAMILY_NONE) {
        sg_session_reason_text(s, "no outgoing address of that family");
        errno = EAFNOSUPPORT;
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, (const struct sockaddr *)&ss, sg_addr_to_sockaddr(from, &ss));
}

static void
dial_tried(struct sg_record *rec, const struct sg_addr *addr)
{
    if (rec->n_tried < sizeof rec->tried / sizeof rec->tried[0])
        rec->tried[rec->n_tried++] = *addr;
    else
        rec->tried_more = true;
}

static void
dial_connect(struct sg_dial *dial, const struct sg_addr *addr)
{
    struct sg_session *s = dial->session;
    struct sg_conn *conn = &s->conn;
    struct sockaddr_storage ss;
    const socklen_t len = sg_addr_to_sockaddr(addr, &ss);

    conn->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd == -1) {
        dial_connect_failed(dial, errno);
        return;
    }
    ev_io_init(&conn->io, dial_ready, conn->fd, EV_WRITE);
    conn->io.data = dial;
    conn->remote = *addr;
    sg_socket_options(conn->fd, &sg_worker_boot()->conf->core.timeouts);
    if (dial_source(s, conn->fd, addr) == -1) {
        dial_connect_failed(dial, errno);
        return;
    }
    dial_tried(&s->rec, addr);
    if (connect(conn->fd, (const struct sockaddr *)&ss, len) == -1 && errno != EINPROGRESS) {
        dial_connect_failed(dial, errno);
        return;
    }
    ev_io_start(sg_worker_loop(), &conn->io);
    sg_deadline_arm(sg_worker_queue(SG_QUEUE_CONNECT), &dial->deadline);
}

static void
dial_judged(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_dial *dial = SG_CONTAINER(run, struct sg_dial, run);
    struct sg_session *s = dial->session;
    unsigned allowed = s->special_allowed;

    /* At the end of a list the decision is that of a module which had no opinion. */
    if (run->decider != NULL) {
        allowed |= run->decision.special;
        sg_session_rule(s, &run->decision);
    }
    if (outcome == SG_OUTCOME_REFUSE)
        dial_failed(dial, SG_REASON_ACCESS_TARGET, 0, SG_REP_NOT_ALLOWED);
    else if (outcome != SG_OUTCOME_GRANT)
        dial_failed(dial, SG_REASON_MODULE_ERROR, 0, SG_REP_NOT_ALLOWED);
    else if ((sg_addr_special(run->addr) & ~allowed) != 0)
        dial_failed(dial, SG_REASON_SPECIAL_RANGE, 0, SG_REP_NOT_ALLOWED);
    else
        dial_connect(dial, run->addr);
}

static void
dial_next(struct sg_dial *dial)
{
    struct sg_session *s = dial->session;
    const struct sg_addr *addr;

    if (dial->next == dial->n) {
        dial_finish(dial, dial->rep);
        return;
    }
    addr = &dial->candidates[dial->next++];
    s->rec.target = *addr;
    sg_run_start(&dial->run, s, SG_PHASE_TARGET, s->undecided, addr, dial_judged);
}

static void
dial_start(struct sg_defer *defer)
{
    dial_next(SG_CONTAINER(defer, struct sg_dial, start));
}

int
sg_dial(struct sg_instance *inst, struct sg_session *s,
        void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_dial_result *result, void *arg),
        void *arg)
{
    struct sg_dial *dial;

    if (s->state != SG_STATE_COMMAND || s->ending || s->conn.fd != -1 || (s->dial != NULL && !s->dial->over))
        return -1;
    dial = calloc(1, sizeof *dial);
    if (dial == NULL)
        return -1;
    sg_dial_free(s->dial); /* one that has failed */
    dial->session = s;
    dial->inst = inst;
    dial->done = done;
    dial->arg = arg;
    dial->start.run = dial_start;
    dial->deadline.expired = dial_expired;
    if (s->request.addr.family != SG_FAMILY_NONE) {
        dial->candidates[dial->n++] = s->request.addr;
    } else {
        dial->reason = SG_REASON_RESOLVE_FAILED;
        dial->rep = SG_REP_HOST_UNREACHABLE;
        sg_session_reason_text(s, "this version does not look up names");
    }
    s->dial = dial;
    sg_worker_defer(&dial->start);
    return 0;
}
