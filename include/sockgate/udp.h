/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp.h - UDP ASSOCIATE, for the module that serves the command.
 *
 * The module decides whether there is an association, and with which settings; the core does the rest:
 *
 *   client --[header, octets]--> client's socket --> sender? header? FRAG? --> destination known? ----> IPv4 or IPv6 socket
 *                                                                                  | new: the datagram waits
 *                                                                                  v
 *                                             access.request(), name lookup, access.target(), special-range guard
 *   client <--[header, octets]-- client's socket <-- written to before? <------------------------- IPv4 or IPv6 socket
 *
 * Every destination is judged like the target of a CONNECT, with a struct sg_request of its own; what was said is kept
 * for a while. Nothing is ever answered to a datagram that is dropped; the session's record counts it, by reason.
 */
#ifndef SOCKGATE_UDP_H
#define SOCKGATE_UDP_H

#include <stddef.h>
#include <stdint.h>

#include <sockgate/conf.h>
#include <sockgate/session.h>
#include <sockgate/visibility.h>

/* Whose datagrams may come back to the client. */
enum sg_udp_filter {
    SG_UDP_ADDRESS = 1,      /* from addresses that it has written to, whatever the port */
    SG_UDP_ADDRESS_PORT = 2, /* from addresses and ports that it has written to */
    SG_UDP_ANY = 3           /* from anywhere: no policy is asked about who sends */
};

/* How one association works. What is zero takes the value in brackets. */
struct sg_udp_options {
    size_t size;                   /* sizeof(struct sg_udp_options) */
    const struct sg_ports *ports;  /* where the client sends to: one of these ports [NULL: any] */
    int64_t idle;                  /* milliseconds without a datagram relayed, then the session ends [1 minute] */
    int64_t recheck;               /* milliseconds for which a verdict about a destination is kept [1 minute] */
    uint32_t destinations;         /* so many are remembered; the one unused for longest makes room [256] */
    uint32_t filter;               /* enum sg_udp_filter [ADDRESS] */
    uint32_t per_user, per_client; /* associations of one user, and of one client address, in all workers [no limit] */
};

/*
 * Makes the association that the session's request asks for: opens the socket that the client is to send to, sends the
 * success reply, relays from then on, and ends with the client's TCP connection. Called from start() of a command, which
 * then returns SG_OK. Who announced a source port is held to it; the announced address neither admits nor excludes.
 * Owner:  caller keeps @options, but for @options->ports, which must live as long as the session.
 * Blocks: never.
 * Errors: -1 if a limit is reached, no port is free, descriptors or memory are short, or the session's METHOD
 *         encapsulates but not datagrams. The reason is in the session's record and the REP is set: return SG_ERROR.
 * RFC:    1928 sections 6 and 7.
 */
SG_API int sg_udp_associate(struct sg_session *s, const struct sg_udp_options *options) SG_CHECK;

#endif
