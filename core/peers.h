/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers.h - the addresses that may connect for a request: those of DST.ADDR, each put to the access modules and to the
 * guard, before anything listens.
 *
 *   sg_peers_find() --> name: A, AAAA --> [target phase] --> guard --> the next --> done(): n that may, or why none
 *            \--> address -------------------^
 */
#ifndef SG_PEERS_H
#define SG_PEERS_H

#include "evaluate.h"
#include "resolve.h"
#include "session.h"

#define SG_PEERS_MAX 32

struct sg_peers;

struct sg_peers_lookup {
    struct sg_lookup lookup;
    struct sg_peers *peers;
    bool open;
};

/* Lives in its owner, zeroed before the first use. */
struct sg_peers {
    struct sg_session *session;
    void (*done)(struct sg_peers *peers);
    struct sg_addr v[SG_PEERS_MAX]; /* done(): the first n may connect */
    unsigned n;
    struct sg_refusal why; /* done() with n 0 */
    /* Ours. */
    struct sg_peers_lookup lookups[2];
    struct sg_deadline deadline; /* of the lookups */
    unsigned found, next;        /* of v */
    bool judging, failed;
    const char *text;        /* a few words of the resolver */
    struct sg_run run, told; /* told: the first that may, or the last that may not; it goes into the record */
    struct sg_addr told_addr;
};

/* done() is called once, maybe inside this call; never after sg_peers_stop(). */
void sg_peers_find(struct sg_peers *peers, struct sg_session *s, void (*done)(struct sg_peers *peers));
void sg_peers_stop(struct sg_peers *peers);
/* The first of that family, or NULL. */
const struct sg_addr *sg_peers_of_family(const struct sg_peers *peers, uint8_t family);
bool sg_peers_have(const struct sg_peers *peers, const struct sg_addr *addr);

#endif
