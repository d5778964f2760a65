/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp.h - the association of a session (RFC 1928 section 7): its sockets, whom it listens to, what it lets through.
 *
 *   udp.c         the association: opened, idle, ended          udp_io.c      many datagrams with one system call
 *   udp_relay.c   the way of a datagram, up and down            udp_header.c  the header, a codec
 *   udp_judge.c   is a destination allowed?                     udp_dest.c    what was said about which
 *
 * A datagram is dropped without a word, and counted by reason in the session's record.
 */
#ifndef SG_UDP_H
#define SG_UDP_H

#include <sockgate/udp.h>

#include "bucket.h"
#include "quota.h"
#include "session.h"
#include "udp_dest.h"
#include "udp_io.h"

/*
 * Of one association: datagrams that wait for a verdict, destinations that are being judged, and those of them whose name
 * is being looked up. Slow names must leave room for who needs no name server.
 */
#define SG_UDP_WAITING 64
#define SG_UDP_WAITING_OCTETS 131072
#define SG_UDP_JUDGINGS 64
#define SG_UDP_LOOKUPS 16

enum { SG_UDP_IPV4, SG_UDP_IPV6, SG_UDP_FAMILIES };

struct sg_udp {
    struct sg_session *session;
    struct sg_udp_options options;
    uint32_t *drops; /* by enum sg_udp_drop; in the record */
    int fd;          /* the client's side */
    ev_io io;
    union sg_udp_name peer; /* the client: its address; its port is 0 until it is known */
    struct {
        int fd; /* -1: nothing was sent with this family so far */
        ev_io io;
    } targets[SG_UDP_FAMILIES];
    ev_timer idle;
    int64_t active_ms; /* when something was relayed last */

    struct sg_udp_dests dests;
    unsigned images; /* the state of images that the verdicts are based on */
    struct sg_udp_judging *judgings;
    unsigned n_judgings, n_lookups, n_waiting;
    size_t waiting_octets;

    /* For the end of the record. */
    unsigned n_tried;
    struct sg_addr tried[SG_RECORD_TRIED_MAX];
    bool tried_more;
    const char *dry_run_label; /* of the first rule on trial that would have decided; NULL: none */
    enum sg_verdict dry_run_verdict;

    sg_quota user_quota, client_quota;
    struct sg_bucket up, down; /* for the session's limits, if it has some */
};

/* The session ends: closes the sockets, stops what is under way, completes the record. NULL is ignored. */
void sg_udp_stop(struct sg_udp *udp);
void sg_udp_free(struct sg_udp *udp); /* NULL is ignored */
/* Stops every judging; what waits for one is counted. */
void sg_udp_judgings_stop(struct sg_udp *udp);

void sg_udp_drop(struct sg_udp *udp, enum sg_udp_drop why, unsigned n);
/* Watchers of the sockets. */
void sg_udp_client_ready(struct ev_loop *loop, ev_io *io, int revents);
void sg_udp_target_ready(struct ev_loop *loop, ev_io *io, int revents);

/*
 * Asks access modules and resolver about a destination. The verdict may be there on return (dest->state is no longer
 * JUDGED), or comes later. -1: too much is under way, or no memory.
 */
int sg_udp_judge(struct sg_udp *udp, struct sg_udp_dest *dest) SG_CHECK;
/* A datagram for a destination that is being judged. The octets are copied. -1: no room. */
int sg_udp_wait(struct sg_udp *udp, struct sg_udp_dest *dest, const uint8_t *octets, size_t len) SG_CHECK;
/* To a destination that is allowed; goes out with the next sg_udp_relay_flush(). */
void sg_udp_relay_up(struct sg_udp *udp, struct sg_udp_dest *dest, const uint8_t *octets, size_t len);
void sg_udp_relay_flush(struct sg_udp *udp);

#endif
