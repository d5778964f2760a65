/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_relay.c - the way of a datagram.
 *
 *   up     sender --> unwrapped --> header --> FRAG --> destination --+--> ALLOWED: sent
 *                                                                     +--> REFUSED: counted
 *                                                                     +--> JUDGED: waits
 *   down   written to? --> header --> wrapped --> sent
 *
 * One batch of a socket in one turn; the loop comes back if there was more. What waits in `out` points into the buffers of
 * the batch, so it is flushed before the next one.
 */
#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "clock.h"
#include "container.h"
#include "filter_core.h"
#include "image_core.h"

/* Up: the socket of the batch. */
static struct {
    int fd;
    struct sg_udp_sent sent;
} up = { .fd = -1 };

void
sg_udp_drop(struct sg_udp *udp, enum sg_udp_drop why, unsigned n)
{
    if (udp->drops[why] <= UINT32_MAX - n)
        udp->drops[why] += n;
}

static void
relay_account(struct sg_udp *udp, const struct sg_udp_sent *sent, uint64_t *octets)
{
    *octets += sent->octets;
    if (sent->too_long > 0)
        sg_udp_drop(udp, SG_UDP_DROP_SIZE, sent->too_long);
    if (sent->failed > 0)
        sg_udp_drop(udp, SG_UDP_DROP_SEND, sent->failed);
    if (sent->left > 0)
        udp->active_ms = sg_mono_ms();
}

/* What is over a limit is dropped: who sends datagrams has to find out how much gets through, on every path. */
static bool
relay_within(struct sg_udp *udp, struct sg_bucket *bucket, uint32_t rate, size_t len)
{
    int64_t now;

    if (rate == 0)
        return true;
    now = sg_mono_us();
    if (bucket->rate != rate)
        sg_bucket_set(bucket, rate, now);
    if (sg_bucket_allows(bucket, now) == 0) {
        sg_udp_drop(udp, SG_UDP_DROP_RATE, 1);
        return false;
    }
    sg_bucket_take(bucket, len);
    return true;
}

/* What was said about destinations, as long as nothing has changed that it may rest on. */
static void
relay_look_at_images(struct sg_udp *udp)
{
    if (udp->images == sg_images_taken())
        return;
    udp->images = sg_images_taken();
    sg_udp_dests_clear(&udp->dests);
}

/* ---- up */

/* The socket for a family, made when the first datagram needs it. -1: there is none. */
static int
relay_socket(struct sg_udp *udp, const struct sg_addr *to)
{
    const unsigned family = to->family == SG_FAMILY_IPV4 ? SG_UDP_IPV4 : SG_UDP_IPV6;
    const struct sg_listener_conf *l = udp->session->listener->conf;
    const struct sg_addr *from = family == SG_UDP_IPV4 ? &l->outgoing4 : &l->outgoing6;
    ev_io *io = &udp->targets[family].io;
    union sg_udp_name name = { .any.sa_family = family == SG_UDP_IPV4 ? AF_INET : AF_INET6 };
    const int one = 1;
    int fd = udp->targets[family].fd;

    if (fd != -1 || (l->outgoing.n > 0 && from->family == SG_FAMILY_NONE))
        return fd;
    fd = socket(name.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    if (from->family != SG_FAMILY_NONE)
        sg_udp_name_from(from, &name);
    /* Bound now: nothing may come in by a wrapped IPv4 address, and the port is the kernel's choice. */
    if ((family == SG_UDP_IPV6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == -1) ||
        bind(fd, &name.any, sg_udp_name_len(&name)) == -1) {
        (void)close(fd);
        return -1;
    }
    udp->targets[family].fd = fd;
    ev_io_init(io, sg_udp_target_ready, fd, EV_READ);
    io->data = udp;
    ev_io_start(sg_worker_loop(), io);
    return fd;
}

static void
relay_tried(struct sg_udp *udp, const struct sg_addr *addr)
{
    for (unsigned i = 0; i < udp->n_tried; i++)
        if (sg_addr_same_ip(&udp->tried[i], addr) && udp->tried[i].port == addr->port)
            return;
    if (udp->n_tried < SG_RECORD_TRIED_MAX)
        udp->tried[udp->n_tried++] = *addr;
    else
        udp->tried_more = true;
}

void
sg_udp_relay_up(struct sg_udp *udp, struct sg_udp_dest *dest, const uint8_t *octets, size_t len)
{
    int fd;

    if (!relay_within(udp, &udp->up, udp->session->admitted->rate_up, len))
        return;
    fd = relay_socket(udp, &dest->addr);
    if (fd == -1) {
        sg_udp_drop(udp, SG_UDP_DROP_SEND, 1);
        return;
    }
    if (!dest->written) {
        dest->written = true;
        relay_tried(udp, &dest->addr);
    }
    if (fd != up.fd)
        sg_udp_relay_flush(udp);
    up.fd = fd;
    sg_udp_send(fd, &dest->to, octets, len, len, &up.sent);
}

void
sg_udp_relay_flush(struct sg_udp *udp)
{
    if (up.fd == -1)
        return;
    sg_udp_flush(up.fd, &up.sent);
    relay_account(udp, &up.sent, &udp->session->rec->bytes_up);
    memset(&up.sent, 0, sizeof up.sent);
    up.fd = -1;
}

static void
relay_to_destination(struct sg_udp *udp, const struct sg_udp_header *header, const uint8_t *octets, size_t len)
{
    struct sg_udp_dest *dest = sg_udp_dest_get(&udp->dests, &header->dst);

    if (dest == NULL) {
        sg_udp_drop(udp, SG_UDP_DROP_QUEUE, 1);
        return;
    }
    if (dest->state != SG_UDP_JUDGED && (dest->state == SG_UDP_NEW || dest->until_ms <= sg_mono_ms()) &&
        sg_udp_judge(udp, dest) == -1) {
        sg_udp_drop(udp, SG_UDP_DROP_QUEUE, 1);
        return;
    }
    switch (dest->state) {
    case SG_UDP_ALLOWED: sg_udp_relay_up(udp, dest, octets, len); break;
    case SG_UDP_REFUSED: sg_udp_drop(udp, dest->drop, 1); break;
    default:
        if (sg_udp_wait(udp, dest, octets, len) == -1)
            sg_udp_drop(udp, SG_UDP_DROP_QUEUE, 1);
        break;
    }
}

/* From the client's address, and from its port once that is known. */
static bool
relay_is_peer(struct sg_udp *udp, struct sg_udp_packet *packet)
{
    const uint16_t port = *sg_udp_name_port(&udp->peer);

    return (port == 0 || port == *sg_udp_name_port(&packet->from)) && sg_udp_name_same_ip(&udp->peer, &packet->from);
}

static void
relay_plain(struct sg_udp *udp, struct sg_udp_packet *packet, const uint8_t *octets, size_t len)
{
    struct sg_udp_header header;
    const ssize_t taken = sg_udp_parse_header(octets, len, &header);

    if (taken == -1 || header.frag != 0) {
        sg_udp_drop(udp, taken == -1 ? SG_UDP_DROP_HEADER : SG_UDP_DROP_FRAGMENT, 1);
        return;
    }
    udp->peer = packet->from; /* the first valid one settles the port */
    relay_to_destination(udp, &header, octets + taken, len - (size_t)taken);
}

static void
relay_wrapped(struct sg_udp *udp, struct sg_udp_packet *packet)
{
    struct sg_buf plain;
    const uint8_t *octets;
    size_t len;

    sg_buf_init(&plain, udp->session->filter->ops->max_plain);
    if (sg_filter_unwrap_datagram(udp->session, packet->octets, packet->len, &plain) == -1) {
        sg_udp_drop(udp, SG_UDP_DROP_FILTER, 1);
    } else {
        octets = sg_buf_data(&plain, &len);
        relay_plain(udp, packet, octets, len);
        sg_udp_relay_flush(udp); /* while the octets are there */
    }
    sg_buf_free(&plain);
}

void
sg_udp_client_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct sg_udp *udp = SG_CONTAINER(io, struct sg_udp, io);
    const unsigned n = sg_udp_receive(io->fd);

    (void)loop;
    if ((revents & EV_ERROR) != 0) {
        sg_session_unwatched(udp->session);
        return;
    }
    relay_look_at_images(udp);
    for (unsigned i = 0; i < n; i++) {
        struct sg_udp_packet *packet = sg_udp_packet(i);

        if (!relay_is_peer(udp, packet))
            sg_udp_drop(udp, SG_UDP_DROP_SENDER, 1);
        else if (udp->session->encapsulated)
            relay_wrapped(udp, packet);
        else
            relay_plain(udp, packet, packet->octets, packet->len);
    }
    sg_udp_relay_flush(udp);
}

/* ---- down */

static bool
relay_may_answer(const struct sg_udp *udp, const struct sg_addr *from)
{
    if (udp->options.filter == SG_UDP_ANY)
        return *sg_udp_name_port(&((struct sg_udp *)(uintptr_t)udp)->peer) != 0;
    return sg_udp_dest_written(&udp->dests, from, udp->options.filter == SG_UDP_ADDRESS_PORT);
}

/* A frame of its own; sent at once, since its octets are not in the batch. */
static void
relay_down_wrapped(struct sg_udp *udp, const uint8_t *plain, size_t len, size_t payload, struct sg_udp_sent *sent)
{
    const struct sg_session *s = udp->session;
    struct sg_buf frame;
    const uint8_t *octets;
    size_t frame_len;

    if (len > s->filter->ops->max_plain) {
        sent->too_long++;
        return;
    }
    sg_buf_init(&frame, len + s->filter->ops->max_overhead);
    if (sg_filter_wrap_datagram(udp->session, plain, len, &frame) == -1) {
        sg_udp_drop(udp, SG_UDP_DROP_FILTER, 1);
    } else {
        octets = sg_buf_data(&frame, &frame_len);
        sg_udp_send(udp->fd, &udp->peer, octets, frame_len, payload, sent);
        sg_udp_flush(udp->fd, sent);
    }
    sg_buf_free(&frame);
}

static void
relay_down(struct sg_udp *udp, struct sg_udp_packet *packet, struct sg_udp_sent *sent)
{
    uint8_t header[SG_UDP_HEADER_MAX];
    struct sg_addr from;
    size_t len;

    sg_udp_name_to(&packet->from, &from);
    if (!relay_may_answer(udp, &from)) {
        sg_udp_drop(udp, SG_UDP_DROP_SOURCE, 1);
        return;
    }
    if (!relay_within(udp, &udp->down, udp->session->admitted->rate_down, packet->len))
        return;
    len = sg_udp_put_header(header, &from);
    memcpy(packet->octets - len, header, len);
    if (udp->session->encapsulated)
        relay_down_wrapped(udp, packet->octets - len, len + packet->len, packet->len, sent);
    else
        sg_udp_send(udp->fd, &udp->peer, packet->octets - len, len + packet->len, packet->len, sent);
}

void
sg_udp_target_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct sg_udp *udp = io->data;
    const unsigned n = sg_udp_receive(io->fd);
    struct sg_udp_sent sent = { .octets = 0 };

    (void)loop;
    if ((revents & EV_ERROR) != 0) {
        sg_session_unwatched(udp->session);
        return;
    }
    relay_look_at_images(udp);
    for (unsigned i = 0; i < n; i++)
        relay_down(udp, sg_udp_packet(i), &sent);
    sg_udp_flush(udp->fd, &sent);
    relay_account(udp, &sent, &udp->session->rec->bytes_down);
}
