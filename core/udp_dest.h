/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_dest.h - the destinations of one association: what was said about each, and who has been written to.
 *
 *            find: none, or stale                    verdict
 *   (new) ------------------------> JUDGED <------+-----------> ALLOWED, REFUSED ---- recheck ----> stale
 *                                     datagrams wait
 *
 * A bounded table: the destination that was not used for longest makes room, unless it is being judged.
 */
#ifndef SG_UDP_DEST_H
#define SG_UDP_DEST_H

#include <stdbool.h>
#include <stdint.h>

#include <sockgate/addr.h>

#include "record.h"
#include "udp_io.h"
#include "wire.h"

#define SG_UDP_BUCKETS 64

enum sg_udp_state { SG_UDP_NEW, SG_UDP_JUDGED, SG_UDP_ALLOWED, SG_UDP_REFUSED };

struct sg_udp_judging;

struct sg_udp_dest {
    struct sg_udp_dest *newer, *older;         /* by last use */
    struct sg_udp_dest *next_name, *next_addr; /* in their buckets */
    enum sg_udp_state state;
    enum sg_udp_drop drop; /* REFUSED: what its datagrams are counted as */
    bool written;          /* `addr` may answer */
    int64_t until_ms;      /* how long the state holds */
    struct sg_addr addr;   /* canonical; of a name, the one that was allowed last */
    union sg_udp_name to;  /* the same, as the kernel takes it */
    struct sg_udp_judging *judging;
    uint16_t port;
    uint8_t name_len; /* 0: the client writes an address */
    char name[];      /* in lower case */
};

struct sg_udp_dests {
    unsigned n, most;
    struct sg_udp_dest *newest, *oldest;
    struct sg_udp_dest *names[SG_UDP_BUCKETS], *addrs[SG_UDP_BUCKETS];
};

/* The one that is meant, a NEW one if there is none; now the newest. NULL: no room, or no memory. */
struct sg_udp_dest *sg_udp_dest_get(struct sg_udp_dests *all, const struct sg_wire_request *dst);
/* From now on it is where that name's datagrams go. */
void sg_udp_dest_set_addr(struct sg_udp_dests *all, struct sg_udp_dest *dest, const struct sg_addr *addr);
/* Has somebody at this address been written to; `port`: at this port? */
bool sg_udp_dest_written(const struct sg_udp_dests *all, const struct sg_addr *from, bool port);
/* Forgets all but those that are being judged: somebody waits for these. */
void sg_udp_dests_clear(struct sg_udp_dests *all);

#endif
