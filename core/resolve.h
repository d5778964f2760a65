/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.h - from a name to its addresses, on the worker's loop.
 *
 * A and AAAA are two lookups: who waits for both together waits for the slower one. A name is asked about as it is,
 * without search domains. Names that spell an address never come here.
 *
 *   sg_resolve() --> hosts --> cache --> c-ares --> name servers
 *        |             |         |                       |
 *        +-- known: the answer at once      done() <-----+  at the end of a batch of events
 */
#ifndef SG_RESOLVE_H
#define SG_RESOLVE_H

#include <sockgate/addr.h>

#include "worker.h"

#define SG_RESOLVE_ADDRS 16 /* of one family; more are left out */

enum sg_resolved {
    SG_RESOLVED_ADDRS,  /* at least one */
    SG_RESOLVED_NONE,   /* there is no such name, or it has no address of this family */
    SG_RESOLVED_FAILED, /* nobody could say */
    SG_RESOLVED_BUSY    /* too many lookups run already */
};

/* An answer. */
struct sg_found {
    enum sg_resolved result;
    const char *why; /* a few constant words if there is no address */
    unsigned n;
    struct sg_addr v[SG_RESOLVE_ADDRS]; /* canonical, port 0 */
};

/* Somebody who waits. Lives in its owner; zeroed before the first use. */
struct sg_lookup {
    struct sg_lookup *next, **prev; /* prev NULL: waits for nothing */
    void (*done)(struct sg_lookup *self, const struct sg_found *found);
};

/*
 * The answer if it is known, good until the next call; or NULL, and `lookup` waits: its done() is called once, never inside
 * this call. `family`: enum sg_family.
 */
const struct sg_found *sg_resolve(struct sg_lookup *lookup, const char *name, size_t len, uint8_t family);
/* It waits no longer; harmless when it does not. The question goes on, and its answer is kept. */
void sg_resolve_cancel(struct sg_lookup *lookup);

/* Around the worker's loop; needs sg_worker_loop(). -1 and a message in the log. */
int sg_resolver_open(const struct sg_worker_boot *boot);
void sg_resolver_close(void);

#endif
