/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers.c - from DST.ADDR to the addresses that may connect.
 */
#include "peers.h"

#include "container.h"

void
sg_peers_stop(struct sg_peers *peers)
{
    peers->done = NULL;
    peers->run.pending = NULL; /* the session cancels all of its handles */
    sg_deadline_disarm(&peers->deadline);
    for (unsigned i = 0; i < 2; i++)
        sg_resolve_cancel(&peers->lookups[i].lookup);
}

const struct sg_addr *
sg_peers_of_family(const struct sg_peers *peers, uint8_t family)
{
    for (unsigned i = 0; i < peers->n; i++)
        if (peers->v[i].family == family)
            return &peers->v[i];
    return NULL;
}

bool
sg_peers_have(const struct sg_peers *peers, const struct sg_addr *addr)
{
    for (unsigned i = 0; i < peers->n; i++)
        if (sg_addr_same_ip(&peers->v[i], addr))
            return true;
    return false;
}

static void
peers_finish(struct sg_peers *peers)
{
    struct sg_session *s = peers->session;
    void (*done)(struct sg_peers *) = peers->done;

    if (peers->found > 0) {
        s->rec->target = peers->told_addr;
        /* At the end of a list the decision is that of a module which had no opinion. */
        if (peers->told.decider != NULL)
            sg_session_rule(s, &peers->told.decision);
        sg_session_dry_run(s, &peers->told);
    } else {
        sg_session_reason_text(s, peers->text);
    }
    sg_peers_stop(peers);
    done(peers);
}

/* ---- each address is judged, one at a time */

static void
peers_judged(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_peers *peers = SG_CONTAINER(run, struct sg_peers, run);
    const struct sg_refusal refusal = sg_evaluate_target(peers->session, run, outcome);
    const struct sg_addr addr = peers->v[peers->next++];

    if (peers->n == 0) {
        peers->told = *run;
        peers->told_addr = addr;
        peers->why = refusal;
    }
    if (refusal.reason == SG_REASON_NONE)
        peers->v[peers->n++] = addr;
}

static void peers_judge(struct sg_peers *peers);

/* The walk has waited for an answer: go on from here. */
static void
peers_judged_later(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_peers *peers = SG_CONTAINER(run, struct sg_peers, run);

    peers_judged(run, outcome);
    if (!peers->judging)
        peers_judge(peers);
}

static void
peers_judge(struct sg_peers *peers)
{
    struct sg_session *s = peers->session;

    peers->judging = true;
    while (peers->next < peers->found) {
        const unsigned before = peers->next;

        sg_run_start(&peers->run, s, SG_PHASE_TARGET, s->undecided, &peers->v[before], peers_judged_later);
        if (peers->next == before) {
            peers->judging = false;
            return;
        }
    }
    peers->judging = false;
    peers_finish(peers);
}

/* ---- names */

static void
peers_take(struct sg_peers_lookup *lookup, const struct sg_found *found)
{
    struct sg_peers *peers = lookup->peers;

    lookup->open = false;
    for (unsigned i = 0; i < found->n && peers->found < SG_PEERS_MAX; i++) {
        peers->v[peers->found] = found->v[i];
        peers->v[peers->found++].port = peers->session->request->port;
    }
    /* That nobody could say outweighs that one family has nothing. */
    if (found->result == SG_RESOLVED_ADDRS || (found->result == SG_RESOLVED_NONE && peers->failed))
        return;
    peers->failed = found->result != SG_RESOLVED_NONE;
    peers->why.reason = found->result == SG_RESOLVED_BUSY ? SG_REASON_SHORTAGE : SG_REASON_RESOLVE_FAILED;
    peers->why.rep = peers->failed ? SG_REP_GENERAL_FAILURE : SG_REP_HOST_UNREACHABLE;
    peers->text = found->why;
}

static void
peers_answered(struct sg_peers *peers)
{
    if (peers->lookups[0].open || peers->lookups[1].open)
        return;
    sg_deadline_disarm(&peers->deadline);
    peers_judge(peers);
}

static void
peers_found(struct sg_lookup *lookup, const struct sg_found *found)
{
    struct sg_peers_lookup *of = SG_CONTAINER(lookup, struct sg_peers_lookup, lookup);

    peers_take(of, found);
    peers_answered(of->peers);
}

static void
peers_expired(struct sg_deadline *deadline)
{
    struct sg_peers *peers = SG_CONTAINER(deadline, struct sg_peers, deadline);
    const struct sg_found late = { .result = SG_RESOLVED_FAILED, .why = "no name server answered in time" };

    for (unsigned i = 0; i < 2; i++)
        if (peers->lookups[i].open) {
            sg_resolve_cancel(&peers->lookups[i].lookup);
            peers_take(&peers->lookups[i], &late);
        }
    peers_answered(peers);
}

static void
peers_look_up(struct sg_peers *peers, const struct sg_request *req)
{
    static const uint8_t families[2] = { SG_FAMILY_IPV4, SG_FAMILY_IPV6 };
    const unsigned n = req->ver == SG_SOCKS4_VN ? 1 : 2; /* SOCKS4 has no room for an IPv6 address */

    for (unsigned i = 0; i < n; i++)
        peers->lookups[i] = (struct sg_peers_lookup){ .lookup.done = peers_found, .peers = peers, .open = true };
    for (unsigned i = 0; i < n; i++) {
        const struct sg_found *found = sg_resolve(&peers->lookups[i].lookup, req->name, req->name_len, families[i]);

        if (found != NULL)
            peers_take(&peers->lookups[i], found);
    }
    if (peers->lookups[0].open || peers->lookups[1].open)
        sg_deadline_arm(sg_worker_queue(SG_QUEUE_RESOLVE), &peers->deadline);
    peers_answered(peers);
}

void
sg_peers_find(struct sg_peers *peers, struct sg_session *s, void (*done)(struct sg_peers *peers))
{
    peers->session = s;
    peers->done = done;
    peers->deadline.expired = peers_expired;
    if (s->request->name != NULL) {
        peers_look_up(peers, s->request);
        return;
    }
    peers->v[0] = s->request->addr;
    peers->found = 1;
    peers_judge(peers);
}
