/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_udp.c - clients that send datagrams to an echo. Each keeps a window of datagrams under way.
 *
 * Each datagram that comes back has passed the proxy twice, and counts as two. What has not come back after a while is
 * given up, counted, and sent anew.
 */
#include "loads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* RSV FRAG ATYP DST.ADDR DST.PORT */
#define UDP_HEADER 10
#define UDP_GIVE_UP_NS 50000000

struct udp_client {
    struct load_watch watch;
    size_t under_way;
    int64_t heard_ns;
};

static struct {
    struct udp_client *v;
    struct load_watch timer;
    size_t n_busy, header_len;
    unsigned char *datagram;
} udp;

/* The time of sending comes back with it. */
static void
udp_send(struct udp_client *client)
{
    const int64_t now = load_now_ns();

    memcpy(udp.datagram + udp.header_len, &now, sizeof now);
    (void)!send(client->watch.fd, udp.datagram, udp.header_len + load.size, MSG_DONTWAIT);
    client->under_way++;
}

static void
udp_finish(struct udp_client *client)
{
    (void)close(client->watch.fd);
    client->watch.fd = -1;
    udp.n_busy--;
}

static void
udp_ready(struct load_watch *watch, uint32_t events)
{
    static unsigned char in[65536];
    struct udp_client *client = (struct udp_client *)(void *)watch;
    ssize_t n;

    (void)events;
    while (client->under_way > 0 && (n = recv(watch->fd, in, sizeof in, MSG_DONTWAIT)) != -1) {
        int64_t sent;

        if ((size_t)n != udp.header_len + load.size) {
            load.errors++;
            continue;
        }
        memcpy(&sent, in + udp.header_len, sizeof sent);
        client->heard_ns = load_now_ns();
        client->under_way--;
        load.count += 2;
        load_latency(client->heard_ns - sent);
        if (!load_enough())
            udp_send(client);
    }
    if (load.over && client->under_way == 0)
        udp_finish(client);
}

/* Looks after those that have heard nothing for a while. */
static void
udp_tick(struct load_watch *watch, uint32_t events)
{
    const int64_t now = load_now_ns();
    uint64_t ticks;

    (void)events;
    (void)!read(watch->fd, &ticks, sizeof ticks);
    for (size_t i = 0; i < load.n_clients; i++) {
        struct udp_client *client = &udp.v[i];

        if (client->watch.fd == -1 || now - client->heard_ns < UDP_GIVE_UP_NS)
            continue;
        load.lost += client->under_way;
        client->under_way = 0;
        client->heard_ns = now;
        if (load_enough())
            udp_finish(client);
        else
            while (client->under_way < load.window)
                udp_send(client);
    }
}

static void
udp_prepare(void)
{
    const unsigned char head[] = { 0, 0, 0, 1 };
    const struct itimerspec each = { { 0, UDP_GIVE_UP_NS / 2 }, { 0, UDP_GIVE_UP_NS / 2 } };

    udp.header_len = load.raw ? 0 : UDP_HEADER;
    udp.datagram = calloc(1, UDP_HEADER + load.size);
    udp.v = calloc(load.n_clients, sizeof *udp.v);
    if (udp.datagram == NULL || udp.v == NULL)
        load_fail("no memory");
    if (!load.raw) {
        memcpy(udp.datagram, head, sizeof head);
        memcpy(udp.datagram + 4, &load.target.sin_addr, 4);
        memcpy(udp.datagram + 8, &load.target.sin_port, 2);
    }
    udp.timer = (struct load_watch){ .ready = udp_tick, .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) };
    if (timerfd_settime(udp.timer.fd, 0, &each, NULL) == -1)
        load_fail("timerfd: %s", strerror(errno));
    load_add(&udp.timer, EPOLLIN);
}

void
load_udp_open(void)
{
    udp_prepare();
    for (size_t i = 0; i < load.n_clients; i++) {
        struct sockaddr_in to = load.proxy;

        if (!load.raw)
            load_associate(&to);
        udp.v[i].watch = (struct load_watch){ .ready = udp_ready, .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
        if (connect(udp.v[i].watch.fd, (const struct sockaddr *)&to, sizeof to) == -1)
            load_fail("UDP: %s", strerror(errno));
        load_add(&udp.v[i].watch, EPOLLIN);
    }
}

void
load_udp_go(void)
{
    udp.n_busy = load.n_clients;
    for (size_t i = 0; i < load.n_clients; i++) {
        udp.v[i].heard_ns = load_now_ns();
        while (udp.v[i].under_way < load.window)
            udp_send(&udp.v[i]);
    }
}

bool
load_udp_done(void)
{
    return udp.n_busy == 0;
}
