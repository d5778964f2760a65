/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_target.c - what the clients reach through the proxy. Over TCP it answers requests, over UDP it is an echo.
 */
#include "loads.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is handed to the kernel at once. */
#define TARGET_CHUNK ((size_t)256 << 10)
#define TARGET_DATAGRAM 65536

struct target {
    struct load_watch watch;
    unsigned char request[LOAD_REQUEST];
    size_t have;
    uint64_t left; /* of the answer */
    bool stream, waiting;
};

static char target_octets[TARGET_CHUNK];

static void
target_close(struct target *target)
{
    (void)close(target->watch.fd);
    free(target);
}

static void
target_wait(struct target *target, bool writable)
{
    if (target->waiting == writable)
        return;
    target->waiting = writable;
    load_change(&target->watch, writable ? EPOLLOUT : EPOLLIN);
}

/* Sends what there is room for. -1: the connection is gone. */
static int
target_send(struct target *target)
{
    while (target->left > 0 || target->stream) {
        const size_t len = target->stream || target->left > TARGET_CHUNK ? TARGET_CHUNK : (size_t)target->left;
        ssize_t n;

        if (target->stream && load_enough())
            return -1;
        n = send(target->watch.fd, target_octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1 && errno != EAGAIN)
            return -1;
        if (n == -1)
            break;
        target->left -= target->stream ? 0 : (uint64_t)n;
        if (target->stream) {
            load.bytes += (uint64_t)n;
            break; /* the others have their turn */
        }
    }
    target_wait(target, target->left > 0 || target->stream);
    return 0;
}

/* Takes a request in; what comes behind it waits in the kernel until the answer is out. -1: the connection has ended. */
static int
target_receive(struct target *target)
{
    const ssize_t n =
        recv(target->watch.fd, target->request + target->have, sizeof target->request - target->have, MSG_DONTWAIT);

    if (n == 0 || (n == -1 && errno != EAGAIN))
        return -1;
    target->have += n > 0 ? (size_t)n : 0;
    if (target->have < sizeof target->request)
        return 0;
    target->have = 0;
    memcpy(&target->left, target->request, sizeof target->left);
    target->stream = target->left == 0;
    return target_send(target);
}

static void
target_ready(struct load_watch *watch, uint32_t events)
{
    struct target *target = (struct target *)(void *)watch;

    (void)events;
    if ((target->waiting ? target_send(target) : target_receive(target)) == -1)
        target_close(target);
}

static void
target_accept(struct load_watch *watch, uint32_t events)
{
    int fd, yes = 1;

    (void)events;
    while ((fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
        struct target *target = calloc(1, sizeof *target);

        if (target == NULL)
            load_fail("no memory");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        target->watch = (struct load_watch){ .ready = target_ready, .fd = fd };
        load_add(&target->watch, EPOLLIN);
        /* The request of a client that waited for nothing may be there already. */
        if (target_receive(target) == -1)
            target_close(target);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        load_fail("accept: %s", strerror(errno));
}

static void
target_echo(struct load_watch *watch, uint32_t events)
{
    static char datagram[TARGET_DATAGRAM];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n;

    (void)events;
    while ((n = recvfrom(watch->fd, datagram, sizeof datagram, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len)) !=
           -1)
        (void)!sendto(watch->fd, datagram, (size_t)n, MSG_DONTWAIT, (const struct sockaddr *)&from, from_len);
}

void
load_target_open(void)
{
    static struct load_watch listener = { .ready = target_accept }, echo = { .ready = target_echo };
    struct load_watch *watch = load.mode == LOAD_UDP ? &echo : &listener;
    const int type = load.mode == LOAD_UDP ? SOCK_DGRAM : SOCK_STREAM, yes = 1;
    socklen_t len = sizeof load.target;

    watch->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(watch->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(watch->fd, (const struct sockaddr *)&load.target, len) == -1 ||
        getsockname(watch->fd, (struct sockaddr *)&load.target, &len) == -1 ||
        (load.mode != LOAD_UDP && listen(watch->fd, 4096) == -1))
        load_fail("the target's port %u: %s", ntohs(load.target.sin_port), strerror(errno));
    load_add(watch, EPOLLIN);
}
