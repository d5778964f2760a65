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
#include "session.h"

#define LISTENER_BATCH 16
#define LISTENER_PAUSE 0.25

struct listener {
    ev_io io; /* first member */
    const struct sg_worker_listener *conf;
};

static struct {
    struct listener *v;
    size_t n;
    bool going, paused;
    ev_timer retry;
} listeners;

static void
listeners_watch(bool on)
{
    for (size_t i = 0; i < listeners.n; i++)
        sg_worker_watch(&listeners.v[i].io, on ? EV_READ : 0);
}

static void
listeners_pause(const char *why)
{
    sg_logf_limited(SG_LOG_WARN, "not accepting for the moment: %s", why);
    listeners.paused = true;
    listeners_watch(false);
    /* Set each time: a timer that has fired keeps no delay. */
    ev_timer_set(&listeners.retry, LISTENER_PAUSE, 0.);
    ev_timer_start(sg_worker_loop(), &listeners.retry);
}

static void
listeners_resume(void)
{
    if (!listeners.paused)
        return;
    listeners.paused = false;
    ev_timer_stop(sg_worker_loop(), &listeners.retry);
    listeners_watch(listeners.going);
}

static void
listeners_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)timer, (void)revents;
    listeners_resume();
}

void
sg_listeners_room(void)
{
    listeners_resume();
}

/* True: one was taken, and there may be more. */
static bool
listener_accept(struct listener *listener)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct sg_addr client;
    int fd;

    if (!sg_session_reserve()) {
        listeners_pause("limits.sessions is reached, a required log cannot be written, or memory is short");
        return false;
    }
    fd = accept4(listener->io.fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -1) {
        /* No descriptors, no memory, or nothing that we know: the socket stays ready, and we would spin. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            listeners_pause(strerror(errno));
        return false;
    }
    if (sg_addr_from_sockaddr(&ss, &client) == -1) {
        (void)close(fd);
        return true;
    }
    (void)sg_session_new(listener->conf, fd, &client);
    return true;
}

static void
listener_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    /* Another worker may be idle: take more than one only when there is nothing else to do. */
    for (unsigned i = 0; i < LISTENER_BATCH; i++)
        if (!listener_accept((struct listener *)io) || ev_pending_count(loop) > 0)
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
        listeners.v[i].conf = &boot->listeners[i];
        ev_io_init(&listeners.v[i].io, listener_ready, boot->listeners[i].fd, EV_READ);
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
