/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_io.c - recvmmsg() and sendmmsg().
 *
 * The buffers are two megabytes of address space, of which the kernel gives memory for what is really used: short
 * datagrams touch a page each.
 */
#include "udp_io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "addrs.h"

/* A header in front, which for IPv6 needs more than for IPv4. */
#define SLOT_SIZE (SG_UDP_HEADER_MAX + SG_UDP_SIZE_MAX)

static struct {
    uint8_t slots[SG_UDP_BATCH][SLOT_SIZE];
    struct sg_udp_packet packets[SG_UDP_BATCH];
    struct mmsghdr msgs[SG_UDP_BATCH];
    struct iovec iov[SG_UDP_BATCH];
    unsigned used; /* of `msgs`, whose headers the kernel has written to */
    bool ready;
} in;

static struct {
    unsigned n;
    struct mmsghdr msgs[SG_UDP_BATCH];
    struct iovec iov[SG_UDP_BATCH];
    union sg_udp_name to[SG_UDP_BATCH];
    size_t payload[SG_UDP_BATCH];
} out;

struct sg_udp_packet *
sg_udp_packet(unsigned i)
{
    return &in.packets[i];
}

static void
receive_prepare(unsigned i)
{
    in.packets[i].octets = in.slots[i] + SG_UDP_HEADER_MAX;
    in.iov[i] = (struct iovec){ in.packets[i].octets, SG_UDP_SIZE_MAX };
    in.msgs[i].msg_hdr = (struct msghdr){ .msg_name = &in.packets[i].from,
                                          .msg_namelen = sizeof in.packets[i].from,
                                          .msg_iov = &in.iov[i],
                                          .msg_iovlen = 1 };
}

unsigned
sg_udp_receive(int fd)
{
    int n;

    for (unsigned i = 0; i < (in.ready ? in.used : SG_UDP_BATCH); i++)
        receive_prepare(i);
    in.ready = true;
    /* An error that somebody's ICMP message has left is told once; what waits is told of again by the loop. */
    n = recvmmsg(fd, in.msgs, SG_UDP_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        in.packets[i].len = in.msgs[i].msg_len;
    in.used = n > 0 ? (unsigned)n : 0;
    return in.used;
}

void
sg_udp_send(int fd, const union sg_udp_name *to, const uint8_t *octets, size_t len, size_t payload,
            struct sg_udp_sent *sent)
{
    const unsigned i = out.n++;

    out.to[i] = *to;
    out.iov[i] = (struct iovec){ (void *)(uintptr_t)octets, len };
    out.payload[i] = payload;
    out.msgs[i].msg_hdr = (struct msghdr){
        .msg_name = &out.to[i], .msg_namelen = sg_udp_name_len(to), .msg_iov = &out.iov[i], .msg_iovlen = 1
    };
    if (out.n == SG_UDP_BATCH)
        sg_udp_flush(fd, sent);
}

void
sg_udp_flush(int fd, struct sg_udp_sent *sent)
{
    unsigned i = 0;

    while (i < out.n) {
        const int n = sendmmsg(fd, out.msgs + i, out.n - i, MSG_NOSIGNAL | MSG_DONTWAIT);

        for (int k = 0; k < n; k++)
            sent->octets += out.payload[i + (unsigned)k];
        if (n > 0) {
            sent->left += (unsigned)n;
            i += (unsigned)n;
        } else if (errno != EINTR) {
            /* The first one is the culprit; without room in the socket the others would fare no better, but fail fast. */
            if (errno == EMSGSIZE)
                sent->too_long++;
            else
                sent->failed++;
            i++;
        }
    }
    out.n = 0;
}

void
sg_udp_name_from(const struct sg_addr *addr, union sg_udp_name *name_out)
{
    struct sockaddr_storage ss;
    const socklen_t len = sg_addr_to_sockaddr(addr, &ss);

    memcpy(name_out, &ss, len);
}

void
sg_udp_name_to(const union sg_udp_name *name, struct sg_addr *addr_out)
{
    *addr_out = (struct sg_addr){ .family = SG_FAMILY_NONE };
    if (name->any.sa_family == AF_INET) {
        addr_out->family = SG_FAMILY_IPV4;
        addr_out->port = ntohs(name->v4.sin_port);
        memcpy(addr_out->ip, &name->v4.sin_addr, 4);
    } else {
        addr_out->family = SG_FAMILY_IPV6;
        addr_out->port = ntohs(name->v6.sin6_port);
        memcpy(addr_out->ip, &name->v6.sin6_addr, 16);
        addr_out->scope_id = name->v6.sin6_scope_id;
    }
}

socklen_t
sg_udp_name_len(const union sg_udp_name *name)
{
    return name->any.sa_family == AF_INET ? sizeof name->v4 : sizeof name->v6;
}

bool
sg_udp_name_same_ip(const union sg_udp_name *a, const union sg_udp_name *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0 &&
           a->v6.sin6_scope_id == b->v6.sin6_scope_id;
}

uint16_t *
sg_udp_name_port(union sg_udp_name *name)
{
    return name->any.sa_family == AF_INET ? &name->v4.sin_port : &name->v6.sin6_port;
}
