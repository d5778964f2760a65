/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - the role `command`: what one CMD does, and the services that it does it with.
 */
#ifndef SOCKGATE_COMMAND_H
#define SOCKGATE_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>
#include <sockgate/session.h>
#include <sockgate/visibility.h>

struct sg_instance;
struct sg_session;
struct sg_conn;

/*
 * The functions of the role. start() is called when access has granted the request. OK: done, a relay runs or a reply
 * was sent. AGAIN: with a handle. DENY: REP 02. ERROR: the REP that sg_session_set_rep() set, else 01. Never blocks.
 */
struct sg_command_ops {
    size_t size; /* sizeof(struct sg_command_ops) */
    uint8_t cmd; /* enum sg_cmd: the CMD that this module serves */
    enum sg_verdict (*start)(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req);
};

/* How a dial ended. */
struct sg_dial_result {
    size_t size;           /* sizeof(struct sg_dial_result) in the core */
    uint8_t rep;           /* enum sg_rep: SUCCEEDED, or what to tell the client */
    struct sg_conn *conn;  /* the connection, NULL on failure; the session's: it is closed with it */
    struct sg_addr remote; /* the address that was reached */
    struct sg_addr local;  /* our end of it: BND.ADDR and BND.PORT */
};

/*
 * Connects to the target of the session's request: each address is put to the access modules and to the special-range
 * guard before a packet is sent to it. @done is called once, from the loop, never inside this call; not at all when the
 * session ends first.
 * Owner:  @arg is the caller's, and must outlive the session or be freed in session_end().
 * Blocks: never.
 * Errors: -1 without memory, without a request, or when a dial is under way.
 * RFC:    1928 section 6.
 */
SG_API int sg_dial(struct sg_instance *inst, struct sg_session *s,
                   void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_dial_result *result,
                                void *arg),
                   void *arg) SG_CHECK;

/*
 * Sends a reply with REP and BND. A success is published in the session's record before it leaves.
 * Owner:  caller keeps @bnd; NULL or family NONE is sent as 0.0.0.0:0.
 * Blocks: never; what the client does not take waits in a bounded buffer.
 * Errors: -1 if the session cannot take one any more.
 * RFC:    1928 section 6.
 */
SG_API int sg_reply(struct sg_session *s, uint8_t rep, const struct sg_addr *bnd) SG_CHECK;

/*
 * Relays between client and @conn from now on, octets that the client sent early first.
 * Owner:  the session owns @conn.
 * Blocks: never.
 * Errors: -1 if no success was replied or a relay runs already.
 * RFC:    1928 section 6.
 */
SG_API int sg_relay_start(struct sg_session *s, struct sg_conn *conn) SG_CHECK;

/*
 * Sets the REP that the core sends when the command ends with SG_ERROR.
 * Owner:  none.
 * Blocks: never.
 * Errors: none; a value that is not a failure of RFC 1928 counts as 01.
 * RFC:    1928 section 6.
 */
SG_API void sg_session_set_rep(struct sg_session *s, uint8_t rep);

#endif
