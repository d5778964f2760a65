/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evaluate.h - what follows from a request and from the access modules' verdicts about it. The session asks, and
 * `sockgatectl explain` and the policy tests ask the same functions: that is why their answers are those of the gateway.
 *
 *   wire --> sg_evaluate_wire() --> [request phase] --> sg_evaluate_request() --+--> dial each address:
 *            no such command, port 0     access modules    REP 02, or go on     |    [target phase] --> sg_evaluate_target()
 *
 * DST of a UDP ASSOCIATE is where the client sends from (RFC 1928 section 7). So its request phase is asked without a
 * destination, and each destination of a datagram goes through both phases by itself.
 */
#ifndef SG_EVALUATE_H
#define SG_EVALUATE_H

#include "session.h"
#include "wire.h"

/* What a refusal is told and recorded as; reason NONE: go on. */
struct sg_refusal {
    enum sg_reason reason;
    uint8_t rep;
};

/* What the request phase leaves for the target phase. */
struct sg_grant {
    bool undecided;   /* each address needs an OK of its own */
    unsigned special; /* special ranges that the OK allows */
};

/* Room for what the guard says of an address in all ranges. */
#define SG_EVALUATE_TEXT 224

/* May this client connect at all? The listener's `clients`, before any module. */
bool sg_evaluate_client(const struct sg_worker_listener *listener, const struct sg_addr *client);
/* A request that cannot be: no module hears of it, but a name that no host has stands in the record. */
void sg_evaluate_malformed(struct sg_session *s, const struct sg_wire_request *wire);
/* From the wire to what modules see: fills s->request and its part of the record. */
struct sg_refusal sg_evaluate_wire(struct sg_session *s, const struct sg_wire_request *wire);
/* The request phase has ended: remembers what the target phase needs, and the rule. */
struct sg_refusal sg_evaluate_request(struct sg_session *s, const struct sg_run *run, enum sg_outcome outcome);
/* DST.ADDR of zeros, of a BIND: the client does not know who will come. */
bool sg_evaluate_any_peer(const struct sg_request *req);
/* The target phase has ended for one address. */
struct sg_refusal sg_evaluate_target(const struct sg_session *s, const struct sg_run *run, enum sg_outcome outcome);
/* The session ends because the guard of special ranges refused this address: the record says which range. */
void sg_evaluate_special(struct sg_session *s, const struct sg_run *run);
/* What a failed connect() is told as. */
uint8_t sg_evaluate_connect(int err);

/*
 * The same for the destination of a datagram, where the session's request and record have been settled already. `name`
 * is where the octets of a name are kept.
 */
void sg_evaluate_datagram(const struct sg_wire_request *wire, const char *name, struct sg_request *req_out);
struct sg_refusal sg_evaluate_granted(const struct sg_run *run, enum sg_outcome outcome, struct sg_grant *grant_out);
struct sg_refusal sg_evaluate_address(const struct sg_run *run, enum sg_outcome outcome, const struct sg_grant *grant);

#endif
