/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.h - the role `access`: may this client do this?
 *
 * Asked up to three times: about the client's address at accept, about the request as sent, and about each address that
 * would really be dialled. A function that is NULL is not asked. All may return SG_AGAIN with a handle, none may block.
 *
 *   phase    rule
 *   client   DENY and ERROR close the connection; anything else goes on
 *   request  the first DENY is final (REP 02, no lookup); the first OK ends the list; UNDECIDED is remembered and the
 *            list goes on, a later OK does not override it; neither at the end: REP 02, no lookup; ERROR: REP 01
 *   target   the first OK or DENY ends the list for that address, ERROR refuses it; after an OK at request only a DENY
 *            or the special-range guard refuses it; after UNDECIDED it needs an OK; all addresses refused: REP 02
 */
#ifndef SOCKGATE_ACCESS_H
#define SOCKGATE_ACCESS_H

#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>
#include <sockgate/conf.h>
#include <sockgate/session.h>
#include <sockgate/visibility.h>

/* Somebody who wants to know how a verdict came about: `sockgatectl explain`, a policy test that failed. */
struct sg_trace;

/*
 * Why: filled by the module with every verdict, zeroed by the core before every call. Strings are the module's and live
 * as long as the process. After SG_AGAIN it stays good until the handle ends.
 */
struct sg_decision {
    size_t size;        /* sizeof(struct sg_decision) in the core */
    const char *label;  /* the rule that decided, at most 63 octets */
    const char *reason; /* a few words for the log, NULL if the label says it */
    const char *file;   /* where the rule stands */
    unsigned line;
    unsigned special; /* with SG_OK: the special ranges that may be reached, bits of enum sg_special */
    /*
     * With SG_OK: octets a second that the session may move from the client (up) and to it (down), 0 for no limit. Who
     * grants the request and who grants the address may both say something; the lowest holds for the whole session.
     */
    uint32_t rate_up, rate_down;
    struct sg_trace *trace; /* set by the core; NULL: nobody asks, so say nothing */
    /* A rule on trial that would have decided before the verdict was found; for the log, it changes nothing. */
    const char *dry_run_label;       /* at most 63 octets; NULL: none */
    enum sg_verdict dry_run_verdict; /* SG_OK or SG_DENY */
};

/*
 * Adds one line to the trace: what was looked at, and why it matched or not. With decision->trace NULL it does nothing;
 * a caller that would have to compute something for the line asks that first.
 * Owner:  caller keeps @where (NULL: no place) and the text.
 * Blocks: never.
 * Errors: none; a line over 511 octets is cut.
 * RFC:    none.
 */
SG_API void sg_trace(const struct sg_decision *decision, const struct sg_where *where, const char *format, ...)
    SG_PRINTF(3, 4);

/* The functions of the role. */
struct sg_access_ops {
    size_t size; /* sizeof(struct sg_access_ops) */
    enum sg_verdict (*client)(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision);
    enum sg_verdict (*request)(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
                               struct sg_decision *decision);
    enum sg_verdict (*target)(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
                              const struct sg_addr *addr, struct sg_decision *decision);
};

#endif
