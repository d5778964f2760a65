/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - what a METHOD that encapsulates (as GSSAPI does) puts between the client and everything after the login.
 *
 * A filter turns plain octets into frames and frames into plain octets. The core uses it on the client's side for the
 * request, the replies and the relayed octets, and on datagrams, each of which is one frame. Codec convention: pure functions over octets.
 */
#ifndef SOCKGATE_FILTER_H
#define SOCKGATE_FILTER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sockgate/buf.h>
#include <sockgate/visibility.h>

struct sg_session;

/* The functions of a filter; one constant struct for all sessions. `state` is what the module gave for the session. */
struct sg_filter_ops {
    size_t size;         /* sizeof(struct sg_filter_ops) */
    size_t max_plain;    /* largest plain chunk that wrap() takes and that one frame can hold, 1-65536 */
    size_t max_overhead; /* a frame is at most its plain chunk plus this, at most 65536 */

    /* Appends one frame made of the @len plain octets to @out, which has room for len + max_overhead. 0, or -1: the
     * session ends. */
    int (*wrap)(void *state, const uint8_t *plain, size_t len, struct sg_buf *out);

    /* Takes at most one frame from the front of @wire and appends its plain octets to @out, which has room for
     * max_plain. Returns the octets consumed, 0 if the frame is not complete yet, -1 if it is malformed: the session
     * ends. */
    ssize_t (*unwrap)(void *state, const uint8_t *wire, size_t len, struct sg_buf *out);

    /*
     * The same for datagrams: one frame holds the whole of one, headers included. Datagrams may be lost, doubled and come
     * in any order, so these must not depend on what came before. -1: that datagram is dropped, the session goes on. Both
     * NULL: the METHOD does not encapsulate datagrams, and UDP ASSOCIATE is refused.
     */
    int (*wrap_datagram)(void *state, const uint8_t *plain, size_t len, struct sg_buf *out);
    int (*unwrap_datagram)(void *state, const uint8_t *wire, size_t len, struct sg_buf *out);

    /* The session ends: free the state. May be NULL. */
    void (*free)(void *state);
};

/*
 * Installs the filter of a session. Called from exchange() before it returns SG_OK: octets already in its `out` go to
 * the client as they are, octets left in its `in` and all later ones pass through the filter.
 * Owner:  @ops must be constant; @state passes to the core, which calls ops->free(state) once.
 * Blocks: never.
 * Errors: -1 if the session has a filter already, is past AUTH, the sizes in @ops are out of bounds, or there is no
 *         memory; @state stays with the caller then.
 * RFC:    1928 section 3 (encapsulation), 1961 section 5.
 */
SG_API int sg_session_set_filter(struct sg_session *s, const struct sg_filter_ops *ops, void *state) SG_CHECK;

#endif
