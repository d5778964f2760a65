/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind.c - a port for one peer.
 */
#include "bind.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "advertise.h"
#include "conn.h"
#include "container.h"
#include "evaluate.h"
#include "peers.h"
#include "pipes.h"
#include "sockets.h"

#define BIND_PORT_TRIES 1024 /* each is a system call or three, and others wait meanwhile */
#define BIND_BACKLOG 16
#define BIND_REFUSED_MAX 100 /* who is sent so many strangers is not waiting for one peer any more */

struct sg_bind {
    struct sg_session *session;
    struct sg_instance *inst;
    void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_bind_result *result, void *arg);
    void *arg;
    struct sg_bind_options options;
    struct sg_defer start;
    struct sg_peers peers; /* empty: whoever comes */
    bool any, over;
    int fd; /* that listens */
    ev_io io;
    ev_timer deadline;
    /* Who has come, while access is asked about it. */
    int peer_fd;
    struct sg_addr peer, asked; /* asked: with DST.PORT; the port that a peer comes from means nothing */
    struct sg_run run;
};

/* ---- the end */

static void
bind_close(int *fd, bool abort)
{
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    if (*fd == -1)
        return;
    if (abort)
        (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(*fd);
    *fd = -1;
}

void
sg_bind_stop(struct sg_bind *bind)
{
    if (bind == NULL || bind->over)
        return;
    bind->over = true;
    bind->session->stay = false;
    bind->run.pending = NULL; /* the session cancels all of its handles */
    sg_worker_undefer(&bind->start);
    sg_peers_stop(&bind->peers);
    ev_timer_stop(sg_worker_loop(), &bind->deadline);
    ev_io_stop(sg_worker_loop(), &bind->io);
    bind_close(&bind->fd, false);
    bind_close(&bind->peer_fd, true);
}

static void
bind_tell(struct sg_bind *bind, const struct sg_bind_result *result)
{
    const uint32_t before = sg_worker_enter(bind->inst);

    bind->done(bind->inst, bind->session, result, bind->arg);
    sg_worker_leave(before);
}

static void
bind_failed(struct sg_bind *bind, enum sg_reason reason, int err, uint8_t rep)
{
    const struct sg_bind_result result = { .size = sizeof result, .rep = rep };

    sg_bind_stop(bind);
    sg_session_reason(bind->session, reason, err);
    bind_tell(bind, &result);
}

/* ---- the peer */

static void
bind_won(struct sg_bind *bind)
{
    struct sg_session *s = bind->session;
    struct sg_bind_result result = { .size = sizeof result, .bnd = bind->peer };

    s->conn = result.conn = sg_conn_new(bind->peer_fd);
    if (s->conn == NULL) {
        bind_failed(bind, SG_REASON_SHORTAGE, ENOMEM, SG_REP_GENERAL_FAILURE);
        return;
    }
    bind->peer_fd = -1;
    s->rec->peer = bind->peer;
    if (s->rec->rule_len == 0 && bind->run.decider != NULL)
        sg_session_rule(s, &bind->run.decision); /* no rule could decide before this address was known */
    sg_bind_stop(bind);
    bind_tell(bind, &result);
}

/* SOCKS4 knows one peer only: the wrong one is the end of it. */
static void
bind_refuse(struct sg_bind *bind)
{
    struct sg_session *s = bind->session;

    bind_close(&bind->peer_fd, true);
    s->rec->peers_refused++;
    if (s->request->ver == SG_SOCKS4_VN || s->rec->peers_refused == BIND_REFUSED_MAX)
        bind_failed(bind, SG_REASON_PEER_MISMATCH, 0, SG_REP_NOT_ALLOWED);
}

static void
bind_judged(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_bind *bind = SG_CONTAINER(run, struct sg_bind, run);
    const struct sg_refusal refusal = sg_evaluate_target(bind->session, run, outcome);

    if (refusal.reason == SG_REASON_NONE)
        bind_won(bind);
    else
        bind_refuse(bind);
    if (!bind->over)
        sg_worker_watch(&bind->io, EV_READ);
}

/* True: there may be another. */
static bool
bind_accept(struct sg_bind *bind)
{
    struct sg_session *s = bind->session;
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    do
        bind->peer_fd = accept4(bind->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (bind->peer_fd == -1 && sg_pipes_spare(errno));
    if (bind->peer_fd == -1) {
        /* No descriptors, no memory: the socket would stay ready, and we would spin. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            bind_failed(bind, SG_REASON_SHORTAGE, errno, SG_REP_GENERAL_FAILURE);
        return false;
    }
    if (sg_addr_from_sockaddr(&ss, &bind->peer) == -1 || (!bind->any && !sg_peers_have(&bind->peers, &bind->peer))) {
        bind_refuse(bind);
        return !bind->over;
    }
    bind->asked = bind->peer;
    bind->asked.port = s->request->port;
    sg_worker_watch(&bind->io, 0); /* one at a time: the next waits until this one is judged */
    sg_run_start(&bind->run, s, SG_PHASE_TARGET, s->undecided, &bind->asked, bind_judged);
    return !bind->over && bind->peer_fd == -1;
}

static void
bind_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop;
    if ((revents & EV_ERROR) != 0) {
        bind_failed(io->data, SG_REASON_SHORTAGE, ENOMEM, SG_REP_GENERAL_FAILURE);
        return;
    }
    while (bind_accept(io->data))
        continue;
}

static void
bind_expired(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)revents;
    bind_failed(timer->data, SG_REASON_PEER_TIMEOUT, 0, SG_REP_TTL_EXPIRED);
}

/* ---- the port */

/* The address that packets to the peer leave from: it is the one on which the peer can reach us. */
static int
bind_route(const struct sg_addr *peer, struct sg_addr *local_out)
{
    struct sg_addr to = *peer;
    struct sockaddr_storage ss;
    socklen_t len;
    int fd, got = -1, err;

    to.port = 9; /* any will do: nothing is sent */
    len = sg_addr_to_sockaddr(&to, &ss);
    fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    if (connect(fd, (const struct sockaddr *)&ss, len) == 0) {
        len = sizeof ss;
        if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
            got = sg_addr_from_sockaddr(&ss, local_out);
    }
    err = errno;
    (void)close(fd);
    errno = err;
    return got;
}

/* Where to listen for peers of a family: the listener's `outgoing`, else what the routes say, else where the client is. */
static int
bind_local(const struct sg_bind *bind, uint8_t family, struct sg_addr *local_out)
{
    const struct sg_listener_conf *l = bind->session->listener->conf;
    const struct sg_addr *reached = &bind->session->rec->local;

    errno = EAFNOSUPPORT;
    if (l->outgoing.n > 0)
        *local_out = family == SG_FAMILY_IPV4 ? l->outgoing4 : l->outgoing6;
    else if (!bind->any)
        return bind_route(sg_peers_of_family(&bind->peers, family), local_out);
    else
        *local_out = reached->family == family ? *reached : (struct sg_addr){ .family = SG_FAMILY_NONE };
    return local_out->family == family ? 0 : -1;
}

static int
bind_try(const struct sg_addr *local)
{
    struct sockaddr_storage ss;
    const socklen_t len = sg_addr_to_sockaddr(local, &ss);
    const int one = 1;
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

    if (fd == -1)
        return -1;
    sg_socket_options(fd, &sg_worker_boot()->conf->core.timeouts); /* the peer's socket inherits them */
    /* A port whose last connection is still in TIME_WAIT is free all the same. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        (ss.ss_family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0) &&
        bind(fd, (const struct sockaddr *)&ss, len) == 0 && listen(fd, BIND_BACKLOG) == 0)
        return fd;
    err = errno;
    bind_close(&fd, false);
    errno = err;
    return -1;
}

static int
bind_listen(struct sg_bind *bind, struct sg_addr *local)
{
    static const struct sg_ports none;
    struct sg_port_walk walk;

    sg_port_walk(&walk, bind->options.ports != NULL ? bind->options.ports : &none, BIND_PORT_TRIES);
    errno = EADDRINUSE;
    while (bind->fd == -1 && errno == EADDRINUSE && sg_port_next(&walk, &local->port))
        bind->fd = bind_try(local);
    return bind->fd == -1 ? -1 : 0;
}

static void
bind_open(struct sg_bind *bind, uint8_t family)
{
    struct sg_session *s = bind->session;
    struct sg_bind_result result = { .size = sizeof result, .rep = SG_REP_SUCCEEDED };
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    if (bind_local(bind, family, &result.bnd) == -1) {
        sg_session_reason_text(s, "no address of ours leads to the peer");
        bind_failed(bind, SG_REASON_CONNECT_FAILED, errno, sg_evaluate_connect(errno));
        return;
    }
    if (bind_listen(bind, &result.bnd) == -1) {
        sg_session_reason_text(s, errno == EADDRINUSE ? "no port is free" : "cannot listen");
        bind_failed(bind, SG_REASON_SHORTAGE, errno, SG_REP_GENERAL_FAILURE);
        return;
    }
    if (getsockname(bind->fd, (struct sockaddr *)&ss, &len) == 0)
        (void)sg_addr_from_sockaddr(&ss, &result.bnd);
    ev_io_init(&bind->io, bind_ready, bind->fd, EV_READ);
    bind->io.data = bind;
    ev_io_start(sg_worker_loop(), &bind->io);
    ev_timer_set(&bind->deadline, (ev_tstamp)bind->options.wait_ms / 1000, 0.);
    ev_timer_start(sg_worker_loop(), &bind->deadline);
    s->stay = true;
    bind_tell(bind, &result);
}

/* ---- the beginning */

/* A peer that has both families is awaited over IPv4: every client can pass such an address on. */
static void
bind_peers(struct sg_peers *peers)
{
    struct sg_bind *bind = SG_CONTAINER(peers, struct sg_bind, peers);
    const bool ipv4 = sg_peers_of_family(peers, SG_FAMILY_IPV4) != NULL;

    if (peers->n > 0)
        bind_open(bind, ipv4 ? SG_FAMILY_IPV4 : SG_FAMILY_IPV6);
    else
        bind_failed(bind, peers->why.reason, 0, peers->why.rep);
}

static void
bind_start(struct sg_defer *defer)
{
    struct sg_bind *bind = SG_CONTAINER(defer, struct sg_bind, start);

    if (!bind->any) {
        sg_peers_find(&bind->peers, bind->session, bind_peers);
    } else if (bind->options.any_peer) {
        bind_open(bind, bind->session->request->addr.family);
    } else {
        sg_session_reason_text(bind->session, "any peer could connect, which is not allowed");
        bind_failed(bind, SG_REASON_COMMAND_DENIED, 0, SG_REP_NOT_ALLOWED);
    }
}

int
sg_bind(struct sg_instance *inst, struct sg_session *s, const struct sg_bind_options *options,
        void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_bind_result *result, void *arg),
        void *arg)
{
    struct sg_bind *bind;

    if (s->state != SG_STATE_COMMAND || s->ending || s->conn != NULL || s->dial != NULL || s->bind != NULL)
        return -1;
    bind = calloc(1, sizeof *bind);
    if (bind == NULL)
        return -1;
    bind->session = s;
    bind->inst = inst;
    bind->done = done;
    bind->arg = arg;
    bind->options = *options;
    bind->any = sg_evaluate_any_peer(s->request);
    bind->fd = bind->peer_fd = -1;
    bind->start.run = bind_start;
    ev_init(&bind->io, bind_ready);
    ev_init(&bind->deadline, bind_expired);
    bind->deadline.data = bind;
    s->bind = bind;
    sg_worker_defer(&bind->start);
    return 0;
}
