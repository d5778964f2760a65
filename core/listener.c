/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.c - accepting. All workers watch the same sockets, so a connection that one cannot take another takes.
 *
 *   accepting --- no room, no descriptors ---> paused --- a session ended, or 250 ms ---> accepting
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "log.h"
#include "pipes.h"
#include "session.h"

#define LISTENER_BATCH 16
#define LISTENER_PAUSE 0.25

struct listener {
    ev_io io; /* first member */
    const struct sg_worker_listener *conf;
    struct sg_addr local; /* of every session; family NONE: each has its own */
    unsigned turn;        /* of the loop, in which the last one was accepted */
};

static struct {
    struct listener *v;
    size_t n;
    bool going, paused;
    ev_timer retry;
} listeners;

/* Set each time: a timer that has fired keeps no delay. */
static void
listeners_look_again(void)
{
    ev_timer_stop(sg_worker_loop(), &listeners.retry);
    ev_timer_set(&listeners.retry, LISTENER_PAUSE, 0.);
    ev_timer_start(sg_worker_loop(), &listeners.retry);
}

/* On: looks soon whether it really is, since the kernel may have no room for one more, and nothing else might wake us. */
static void
listeners_watch(bool on)
{
    for (size_t i = 0; i < listeners.n; i++)
        sg_worker_watch(&listeners.v[i].io, on ? EV_READ : 0);
    if (on)
        listeners_look_again();
}

static void
listeners_pause(const char *why)
{
    sg_logf_limited(SG_LOG_WARN, "not accepting for the moment: %s", why);
    listeners.paused = true;
    listeners_watch(false);
    listeners_look_again();
}

static void
listeners_resume(void)
{
    if (!listeners.paused)
        return;
    listeners.paused = false;
    listeners_watch(listeners.going);
}

static bool
listeners_deaf(void)
{
    for (size_t i = 0; i < listeners.n; i++)
        if (!ev_is_active(&listeners.v[i].io))
            return listeners.going;
    return false;
}

static void
listeners_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)timer, (void)revents;
    if (listeners.paused)
        listeners_resume();
    else if (listeners_deaf())
        listeners_pause("a listening socket cannot be watched");
}

void
sg_listeners_room(void)
{
    listeners_resume();
}

/* The address that a socket has here; -1: none that we know. */
static int
listener_name(int fd, struct sg_addr *addr_out)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 ? sg_addr_from_sockaddr(&ss, addr_out) : -1;
}

static int
listener_local(const struct listener *listener, int fd, struct sg_addr *local_out)
{
    if (listener->local.family == SG_FAMILY_NONE)
        return listener_name(fd, local_out);
    *local_out = listener->local;
    return 0;
}

/* True: one was taken, and there may be more. */
static bool
listener_accept(struct listener *listener)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct sg_addr client, local = { .family = SG_FAMILY_NONE };
    int fd;

    if (!sg_session_reserve()) {
        listeners_pause("limits.sessions is reached, a required log cannot be written, or memory is short");
        return false;
    }
    do
        fd = accept4(listener->io.fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd == -1 && sg_pipes_spare(errno));
    if (fd == -1) {
        /* No descriptors, no memory, or nothing that we know: the socket stays ready, and we would spin. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            listeners_pause(strerror(errno));
        return false;
    }
    /* Whatever cannot be found out of it: what was accepted has a session, and so a record. */
    if (sg_addr_from_sockaddr(&ss, &client) == -1)
        client = (struct sg_addr){ .family = SG_FAMILY_NONE };
    (void)listener_local(listener, fd, &local);
    (void)sg_session_new(listener->conf, fd, &client, &local);
    return true;
}

static void
listener_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct listener *listener = (struct listener *)io;
    const unsigned turn = ev_iteration(loop);
    /* Two turns in a row are a queue. Another worker may be idle: take it only when there is nothing else to do. */
    const unsigned n = turn - listener->turn <= 1 ? LISTENER_BATCH : 1;

    if ((revents & EV_ERROR) != 0)
        return; /* the timer sees it, too */
    listener->turn = turn;
    for (unsigned i = 0; i < n; i++)
        if (!listener_accept(listener) || ev_pending_count(loop) > 0)
            return;
}

int
sg_listeners_open(const struct sg_worker_boot *boot)
{
    listeners.v = calloc(boot->n_listeners, sizeof *listeners.v);
    if (listeners.v == NULL)
        return -1;
    listeners.n = boot->n_listeners;
    for (size_t i = 0; i < listeners.n; i++) {
        struct listener *listener = &listeners.v[i];

        listener->conf = &boot->listeners[i];
        if (listener_name(listener->conf->fd, &listener->local) == -1 ||
            (sg_addr_special(&listener->local) & SG_SPECIAL_UNSPECIFIED) != 0)
            listener->local.family = SG_FAMILY_NONE;
        ev_io_init(&listener->io, listener_ready, boot->listeners[i].fd, EV_READ);
    }
    ev_init(&listeners.retry, listeners_retry);
    return 0;
}

void
sg_listeners_go(void)
{
    listeners.going = true;
    if (!listeners.paused)
        listeners_watch(true);
}

void
sg_listeners_close(void)
{
    listeners_watch(false);
    listeners.going = false;
    for (size_t i = 0; i < listeners.n; i++)
        (void)close(listeners.v[i].io.fd);
    listeners.n = 0;
    free(listeners.v);
    listeners.v = NULL;
}
