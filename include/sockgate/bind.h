/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind.h - waiting for a peer, for command modules: what BIND does (RFC 1928 section 4, the SOCKS4 memo).
 */
#ifndef SOCKGATE_BIND_H
#define SOCKGATE_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>
#include <sockgate/conf.h>
#include <sockgate/visibility.h>

struct sg_conn;
struct sg_instance;
struct sg_session;

/* How to wait. */
struct sg_bind_options {
    size_t size;                  /* sizeof(struct sg_bind_options) */
    const struct sg_ports *ports; /* where to listen; NULL or empty: where the system likes. Lives with the instance */
    int64_t wait_ms;              /* for the peer */
    bool any_peer;                /* a DST.ADDR of zeros may wait for whoever comes */
};

/* What the client is to be told: one reply for each. */
struct sg_bind_result {
    size_t size;          /* sizeof(struct sg_bind_result) in the core */
    uint8_t rep;          /* enum sg_rep; a failure is the last */
    struct sg_conn *conn; /* NULL: we listen, and the peer is awaited, or failure; else the peer, and the last: relay */
    struct sg_addr bnd;   /* BND: where we listen, the peer, or family NONE */
};

/*
 * Listens for the peer that the session's request names, and waits for it. Before that each address of the peer is put
 * to the access modules and to the special-range guard, and who connects is put to them once more. Others that connect
 * are closed, and the wait goes on; with SOCKS4, and after a hundred of them, it ends. @done is called from the loop, never
 * inside this call: once with where we listen and once with the peer, or with a failure instead of either; not at all when
 * the session ends first. A client that leaves ends its session, and the port is free at once.
 * Owner:  caller keeps @options; @arg is the caller's, and must outlive the session or be freed in session_end().
 * Blocks: never.
 * Errors: -1 without memory, without a request, or when a dial or a wait is under way.
 * RFC:    1928 section 4.
 */
SG_API int sg_bind(struct sg_instance *inst, struct sg_session *s, const struct sg_bind_options *options,
                   void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_bind_result *result,
                                void *arg),
                   void *arg) SG_CHECK;

#endif
