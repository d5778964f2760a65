/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_io.h - datagrams in and out of the kernel, many with one call. One set of buffers for all associations of a
 * worker: what was received is good until the next receive, and what is to be sent must be flushed before that.
 */
#ifndef SG_UDP_IO_H
#define SG_UDP_IO_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>

#include "udp_header.h"

#define SG_UDP_BATCH 32
/* No datagram is longer: 16 bits of length, for IPv6 without the IP header. */
#define SG_UDP_SIZE_MAX 65536

/* As the kernel has it: nothing unwrapped, so that equal means equal. */
union sg_udp_name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct sg_udp_packet {
    uint8_t *octets; /* SG_UDP_HEADER_MAX octets before them are free for a header */
    size_t len;
    union sg_udp_name from;
};

/* What became of those that were flushed. */
struct sg_udp_sent {
    uint64_t octets; /* payload of those that left */
    unsigned left, too_long, failed;
};

/* The next packets of a socket: how many, at most SG_UDP_BATCH, 0 for none now. */
unsigned sg_udp_receive(int fd);
struct sg_udp_packet *sg_udp_packet(unsigned i);

/* Sends with the next flush, at the latest when SG_UDP_BATCH wait; `payload` octets of the `len` are counted. */
void sg_udp_send(int fd, const union sg_udp_name *to, const uint8_t *octets, size_t len, size_t payload,
                 struct sg_udp_sent *sent);
/* All to that socket; packets of several sockets do not mix. */
void sg_udp_flush(int fd, struct sg_udp_sent *sent);

void sg_udp_name_from(const struct sg_addr *addr, union sg_udp_name *name_out);
/* The address as it is, not made canonical. */
void sg_udp_name_to(const union sg_udp_name *name, struct sg_addr *addr_out);
socklen_t sg_udp_name_len(const union sg_udp_name *name);
bool sg_udp_name_same_ip(const union sg_udp_name *a, const union sg_udp_name *b);
uint16_t *sg_udp_name_port(union sg_udp_name *name); /* in network order */

#endif
