/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_judge.c - may datagrams go there? The way of a CONNECT up to the point where that would dial.
 *
 *   request phase --> an address -----------------------> target phase, guard --> ALLOWED
 *                 \-> a name: AAAA and A, at once --> each address in turn  \--> none left: REFUSED
 *
 * There is no connection that could fail, so the first address that is allowed and has a route is it. Everything
 * together has the time of `timeouts.resolve`.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "clock.h"
#include "container.h"
#include "evaluate.h"
#include "image_core.h"
#include "resolve.h"
#include "udp.h"

/* What could not be found out is asked again soon; the resolver remembers for itself, too. */
#define JUDGE_FAILED_MS 1000

struct judge_waiting {
    struct judge_waiting *next;
    size_t len;
    uint8_t octets[];
};

struct judge_family {
    struct sg_lookup lookup;
    struct sg_udp_judging *judging;
    bool open; /* the lookup has not ended */
    unsigned n, next;
    struct sg_addr addrs[SG_RESOLVE_ADDRS];
};

struct sg_udp_judging {
    struct sg_udp_judging *next, **prev; /* of the association */
    struct sg_udp *udp;
    struct sg_udp_dest *dest;
    struct sg_request request;
    struct sg_grant grant;
    struct sg_run run;
    unsigned images;                     /* the state of images when it began */
    bool asking;                         /* the run is open */
    bool named;                          /* counted as a lookup */
    struct sg_addr addr;                 /* that the target phase is about */
    struct sg_deadline deadline;         /* of it all */
    struct sg_deadline delay;            /* for AAAA, when A was there first */
    struct judge_family families[2];     /* IPv6, IPv4 */
    enum sg_udp_drop why;                /* what a refusal would be counted as */
    struct judge_waiting *first, **last; /* datagrams */
};

static const uint8_t judge_families[] = { SG_FAMILY_IPV6, SG_FAMILY_IPV4 };

/* ---- the end */

static void
judging_unlink(struct sg_udp_judging *judging)
{
    for (unsigned i = 0; i < 2; i++)
        sg_resolve_cancel(&judging->families[i].lookup);
    sg_deadline_disarm(&judging->deadline);
    sg_deadline_disarm(&judging->delay);
    judging->dest->judging = NULL;
    judging->udp->n_judgings--;
    judging->udp->n_lookups -= judging->named;
    *judging->prev = judging->next;
    if (judging->next != NULL)
        judging->next->prev = judging->prev;
}

/* The datagrams that waited are sent, or counted as what they were dropped for. */
static void
judging_free(struct sg_udp_judging *judging)
{
    struct sg_udp *udp = judging->udp;
    struct judge_waiting *waiting = judging->first;

    for (; waiting != NULL && judging->dest->state == SG_UDP_ALLOWED; waiting = waiting->next)
        sg_udp_relay_up(udp, judging->dest, waiting->octets, waiting->len);
    sg_udp_relay_flush(udp);
    while ((waiting = judging->first) != NULL) {
        judging->first = waiting->next;
        if (judging->dest->state != SG_UDP_ALLOWED)
            sg_udp_drop(udp, judging->why, 1);
        udp->n_waiting--;
        udp->waiting_octets -= waiting->len;
        free(waiting);
    }
    free(judging);
}

static void
judge_finish(struct sg_udp_judging *judging, bool allowed)
{
    struct sg_udp_dest *dest = judging->dest;
    const int64_t lasts = allowed || judging->why == SG_UDP_DROP_POLICY ? judging->udp->options.recheck
                          : judging->why == SG_UDP_DROP_NAME            ? JUDGE_FAILED_MS
                                                                        : 0;

    judging_unlink(judging);
    dest->state = allowed ? SG_UDP_ALLOWED : SG_UDP_REFUSED;
    dest->drop = judging->why;
    dest->written = false; /* whoever was there before: what waits is written now */
    dest->until_ms = sg_mono_ms() + lasts;
    if (judging->images != sg_images_taken())
        dest->until_ms = 0; /* it may rest on what has changed meanwhile: good for what waits, and for nothing more */
    if (allowed && dest->name_len > 0)
        sg_udp_dest_set_addr(&judging->udp->dests, dest, &judging->addr);
    judging_free(judging);
}

void
sg_udp_judgings_stop(struct sg_udp *udp)
{
    while (udp->judgings != NULL) {
        struct sg_udp_judging *judging = udp->judgings;

        judging_unlink(judging);
        sg_run_cancel(&judging->run);
        judging->dest->state = SG_UDP_REFUSED;
        judging_free(judging);
    }
}

/* ---- addresses */

/* Nothing is sent; the kernel only says whether it would know a way. */
static bool
judge_has_route(const struct sg_udp *udp, const struct sg_addr *addr)
{
    const struct sg_listener_conf *l = udp->session->listener->conf;
    const struct sg_addr *from = addr->family == SG_FAMILY_IPV4 ? &l->outgoing4 : &l->outgoing6;
    union sg_udp_name to;
    bool found;
    int fd;

    if (l->outgoing.n > 0 && from->family == SG_FAMILY_NONE)
        return false;
    sg_udp_name_from(addr, &to);
    fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1)
        return false;
    found = connect(fd, &to.any, sg_udp_name_len(&to)) == 0;
    (void)close(fd);
    return found;
}

/* The next address of a name, from both families in turn. False: none waits. */
static bool
judge_next(struct sg_udp_judging *judging, struct sg_addr *addr_out)
{
    struct judge_family *six = &judging->families[0], *four = &judging->families[1];
    struct judge_family *family = six->next < six->n && six->next <= four->next ? six : four;

    if (family->next == family->n)
        family = six;
    if (family->next == family->n)
        return false;
    *addr_out = family->addrs[family->next++];
    addr_out->port = judging->request.port;
    return true;
}

static void
judge_dry_run(struct sg_udp *udp, const struct sg_run *run)
{
    if (udp->dry_run_label != NULL)
        return;
    udp->dry_run_label = run->dry_run_label;
    udp->dry_run_verdict = run->dry_run_verdict;
}

static void judge_try(struct sg_udp_judging *judging);

static void
judge_targeted(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_udp_judging *judging = SG_CONTAINER(run, struct sg_udp_judging, run);
    const struct sg_refusal refusal = sg_evaluate_address(run, outcome, &judging->grant);

    judging->asking = false;
    judge_dry_run(judging->udp, run);
    if (refusal.reason == SG_REASON_NONE) {
        sg_session_limit(judging->udp->session, &run->decision);
        judge_finish(judging, true);
        return;
    }
    judging->why = SG_UDP_DROP_POLICY;
    if (judging->request.name != NULL)
        judge_try(judging);
    else
        judge_finish(judging, false);
}

static void
judge_target(struct sg_udp_judging *judging)
{
    judging->asking = true;
    sg_run_start_for(&judging->run, judging->udp->session, &judging->request, SG_PHASE_TARGET, judging->grant.undecided,
                     &judging->addr, judge_targeted);
}

/* Asks about the next address; with none left, waits for those of the other family, or ends. */
static void
judge_try(struct sg_udp_judging *judging)
{
    while (judge_next(judging, &judging->addr))
        if (judge_has_route(judging->udp, &judging->addr)) {
            judge_target(judging);
            return;
        }
    if (!judging->families[0].open && !judging->families[1].open)
        judge_finish(judging, false);
}

/* ---- names */

static void
judge_take(struct judge_family *family, const struct sg_found *found)
{
    family->open = false;
    family->n = found->n;
    memcpy(family->addrs, found->v, found->n * sizeof *found->v);
}

/* Something has come: is it time to begin? A lone A waits a moment for AAAA (RFC 8305 section 3). */
static void
judge_answered(struct sg_udp_judging *judging)
{
    if (judging->asking)
        return;
    if (judging->families[0].open && judging->families[1].n > 0 && judging->delay.queue == NULL)
        sg_deadline_arm(sg_worker_queue(SG_QUEUE_RESOLUTION_DELAY), &judging->delay);
    else if (!judging->families[0].open)
        judge_try(judging);
}

static void
judge_found(struct sg_lookup *lookup, const struct sg_found *found)
{
    struct judge_family *family = SG_CONTAINER(lookup, struct judge_family, lookup);

    judge_take(family, found);
    judge_answered(family->judging);
}

static void
judge_delayed(struct sg_deadline *deadline)
{
    struct sg_udp_judging *judging = SG_CONTAINER(deadline, struct sg_udp_judging, delay);

    if (!judging->asking)
        judge_try(judging);
}

static void
judge_look_up(struct sg_udp_judging *judging)
{
    const struct sg_request *req = &judging->request;

    if (judging->udp->n_lookups == SG_UDP_LOOKUPS) {
        judging->why = SG_UDP_DROP_QUEUE;
        judge_finish(judging, false);
        return;
    }
    judging->named = true;
    judging->udp->n_lookups++;
    judging->families[0].open = judging->families[1].open = true;
    for (unsigned i = 0; i < 2; i++) {
        const struct sg_found *found =
            sg_resolve(&judging->families[i].lookup, req->name, req->name_len, judge_families[i]);

        if (found != NULL)
            judge_take(&judging->families[i], found);
    }
    judge_answered(judging);
}

/* ---- the beginning */

static void
judge_expired(struct sg_deadline *deadline)
{
    struct sg_udp_judging *judging = SG_CONTAINER(deadline, struct sg_udp_judging, deadline);

    sg_run_cancel(&judging->run);
    judge_finish(judging, false);
}

static void
judge_requested(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_udp_judging *judging = SG_CONTAINER(run, struct sg_udp_judging, run);

    judging->asking = false;
    judge_dry_run(judging->udp, run);
    if (sg_evaluate_granted(run, outcome, &judging->grant).reason != SG_REASON_NONE) {
        judge_finish(judging, false);
        return;
    }
    sg_session_limit(judging->udp->session, &run->decision);
    if (judging->request.name == NULL) {
        judge_target(judging);
    } else {
        judging->why = SG_UDP_DROP_NAME;
        judge_look_up(judging);
    }
}

static struct sg_udp_judging *
judging_new(struct sg_udp *udp, struct sg_udp_dest *dest)
{
    struct sg_udp_judging *judging = udp->n_judgings < SG_UDP_JUDGINGS ? calloc(1, sizeof *judging) : NULL;
    struct sg_wire_request wire = {
        .ver = SG_SOCKS5_VER, .cmd = SG_CMD_UDP_ASSOCIATE, .port = dest->port, .addr = dest->addr
    };

    if (judging == NULL)
        return NULL;
    judging->udp = udp;
    judging->dest = dest;
    judging->addr = dest->addr;
    judging->images = sg_images_taken();
    judging->why = SG_UDP_DROP_POLICY;
    judging->last = &judging->first;
    judging->deadline.expired = judge_expired;
    judging->delay.expired = judge_delayed;
    for (unsigned i = 0; i < 2; i++) {
        judging->families[i].judging = judging;
        judging->families[i].lookup.done = judge_found;
    }
    wire.atyp = dest->name_len > 0 ? SG_ATYP_DOMAINNAME : dest->addr.family;
    wire.name = dest->name_len > 0 ? (const uint8_t *)dest->name : NULL;
    wire.name_len = dest->name_len;
    sg_evaluate_datagram(&wire, dest->name, &judging->request);
    judging->next = udp->judgings;
    judging->prev = &udp->judgings;
    if (judging->next != NULL)
        judging->next->prev = &judging->next;
    udp->judgings = judging;
    udp->n_judgings++;
    return judging;
}

int
sg_udp_judge(struct sg_udp *udp, struct sg_udp_dest *dest)
{
    struct sg_udp_judging *judging = judging_new(udp, dest);

    if (judging == NULL)
        return -1;
    dest->judging = judging;
    dest->state = SG_UDP_JUDGED;
    sg_deadline_arm(sg_worker_queue(SG_QUEUE_RESOLVE), &judging->deadline);
    judging->asking = true;
    sg_run_start_for(&judging->run, udp->session, &judging->request, SG_PHASE_REQUEST, false, NULL, judge_requested);
    return 0;
}

int
sg_udp_wait(struct sg_udp *udp, struct sg_udp_dest *dest, const uint8_t *octets, size_t len)
{
    struct sg_udp_judging *judging = dest->judging;
    struct judge_waiting *waiting;

    if (udp->n_waiting == SG_UDP_WAITING || len > SG_UDP_WAITING_OCTETS - udp->waiting_octets)
        return -1;
    waiting = malloc(sizeof *waiting + len);
    if (waiting == NULL)
        return -1;
    waiting->next = NULL;
    waiting->len = len;
    memcpy(waiting->octets, octets, len);
    *judging->last = waiting;
    judging->last = &waiting->next;
    udp->n_waiting++;
    udp->waiting_octets += len;
    return 0;
}
