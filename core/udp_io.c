/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_io.c - recvmmsg() and sendmmsg(), and several datagrams in one message where that is possible.
 *
 * The buffers are two megabytes of address space, of which the kernel gives memory for what is really used: short
 * datagrams touch a page each.
 */
#include "udp_io.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "addrs.h"

/* A header in front, which for IPv6 needs more than for IPv4. */
#define SLOT_SIZE (SG_UDP_HEADER_MAX + SG_UDP_SIZE_MAX)
/* One message with all its datagrams is at most what one datagram may be. */
#define RUN_OCTETS ((size_t)65000)

static struct {
    uint8_t slots[SG_UDP_BATCH][SLOT_SIZE];
    struct sg_udp_packet packets[SG_UDP_BATCH];
    struct mmsghdr msgs[SG_UDP_BATCH];
    struct iovec iov[SG_UDP_BATCH];
    unsigned used; /* of `msgs`, whose headers the kernel has written to */
    bool ready;
} in;

/*
 * Datagrams in a row to one address and of one length, of which the last may fall short, leave as one message: the
 * kernel takes it through its layers once and cuts it at the end (UDP_SEGMENT).
 */
struct flush_run {
    unsigned first, n;
    size_t octets;
};

struct flush_control {
    _Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(uint16_t))];
};

static struct {
    unsigned n;
    struct iovec iov[SG_UDP_BATCH];
    union sg_udp_name to[SG_UDP_BATCH];
    size_t payload[SG_UDP_BATCH];
    struct flush_run runs[SG_UDP_BATCH];
    struct mmsghdr msgs[SG_UDP_BATCH];
    struct flush_control controls[SG_UDP_BATCH];
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
    if (out.n == SG_UDP_BATCH)
        sg_udp_flush(fd, sent);
}

static bool
flush_fits(const struct flush_run *run, unsigned i)
{
    const size_t len = out.iov[run->first].iov_len, next = out.iov[i].iov_len;

    return out.iov[i - 1].iov_len == len && next > 0 && next <= len && run->octets + next <= RUN_OCTETS &&
           memcmp(&out.to[i], &out.to[run->first], sg_udp_name_len(&out.to[i])) == 0;
}

static void
flush_prepare(struct mmsghdr *msg, const struct flush_run *run)
{
    msg->msg_hdr = (struct msghdr){ .msg_name = &out.to[run->first],
                                    .msg_namelen = sg_udp_name_len(&out.to[run->first]),
                                    .msg_iov = &out.iov[run->first],
                                    .msg_iovlen = run->n };
}

/* Tells the kernel where to cut. */
static void
flush_mark(struct msghdr *msg, struct flush_control *control, uint16_t len)
{
    struct cmsghdr *head;

    msg->msg_control = control->octets;
    msg->msg_controllen = sizeof control->octets;
    head = CMSG_FIRSTHDR(msg);
    *head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof len), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT };
    memcpy(CMSG_DATA(head), &len, sizeof len);
}

/* All that waits, as runs; their number. */
static unsigned
flush_plan(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < out.n; i++) {
        if (n == 0 || !flush_fits(&out.runs[n - 1], i))
            out.runs[n++] = (struct flush_run){ .first = i };
        out.runs[n - 1].n++;
        out.runs[n - 1].octets += out.iov[i].iov_len;
    }
    for (unsigned r = 0; r < n; r++) {
        flush_prepare(&out.msgs[r], &out.runs[r]);
        if (out.runs[r].n > 1)
            flush_mark(&out.msgs[r].msg_hdr, &out.controls[r], (uint16_t)out.iov[out.runs[r].first].iov_len);
    }
    return n;
}

static void
flush_sent(const struct flush_run *run, struct sg_udp_sent *sent)
{
    for (unsigned i = 0; i < run->n; i++)
        sent->octets += out.payload[run->first + i];
    sent->left += run->n;
}

static void
flush_failed(int fd, const struct flush_run *run, int err, struct sg_udp_sent *sent)
{
    if (run->n == 1) {
        /* Without room in the socket the others would fare no better, but fail fast. */
        if (err == EMSGSIZE)
            sent->too_long++;
        else
            sent->failed++;
        return;
    }
    /* Not as a run, perhaps because each of them has to be fragmented: one by one. */
    for (unsigned i = 0; i < run->n; i++) {
        const struct flush_run one = { .first = run->first + i, .n = 1 };
        struct mmsghdr msg;

        flush_prepare(&msg, &one);
        if (sendmsg(fd, &msg.msg_hdr, MSG_NOSIGNAL | MSG_DONTWAIT) != -1)
            flush_sent(&one, sent);
        else
            flush_failed(fd, &one, errno, sent);
    }
}

void
sg_udp_flush(int fd, struct sg_udp_sent *sent)
{
    const unsigned n_runs = flush_plan();
    unsigned r = 0;

    while (r < n_runs) {
        const int n = sendmmsg(fd, out.msgs + r, n_runs - r, MSG_NOSIGNAL | MSG_DONTWAIT);

        for (int k = 0; k < n; k++)
            flush_sent(&out.runs[r++], sent);
        if (n <= 0 && errno != EINTR)
            flush_failed(fd, &out.runs[r++], errno, sent);
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
