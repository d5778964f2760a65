/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * question.c - a session without a connection, led through the phases up to the point where it would dial.
 */
#include "question.h"

#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "clock.h"
#include "container.h"
#include "evaluate.h"
#include "session.h"

#define QUESTION_LIMIT_MS 10000
#define QUESTION_TICK_S 0.02

static struct {
    struct sg_worker_boot boot;
    struct sg_worker_status status;
    struct sg_worker_listener *listeners;
    ev_timer tick; /* so that a turn of the loop ends although nothing happens */
} asking;

/* One question on its way. */
struct question_walk {
    struct sg_run run;
    bool done;
    enum sg_outcome outcome;
};

static const char *const reply_names[] = { "deny", "allow", "lookup" };

const char *
sg_reply_name(enum sg_reply_kind kind)
{
    return reply_names[kind];
}

static void
question_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)timer, (void)revents;
}

int
sg_questions_open(const struct sg_load *load)
{
    const struct sg_conf *conf = load->conf;

    asking.listeners = calloc(conf->listeners.n, sizeof *asking.listeners);
    if (asking.listeners == NULL)
        return -1;
    for (size_t i = 0; i < conf->listeners.n; i++)
        asking.listeners[i] = (struct sg_worker_listener){ sg_conf_listener(conf, i), &load->hooks[i], -1 };
    asking.boot = (struct sg_worker_boot){ .conf = conf,
                                           .instances = load->instances,
                                           .listeners = asking.listeners,
                                           .n_listeners = conf->listeners.n,
                                           .hosts = load->hosts,
                                           .channel = -1,
                                           .journal = { -1, -1, -1 },
                                           .n_records = 1,
                                           .status = &asking.status,
                                           .n_workers = 1 };
    if (sg_worker_open(&asking.boot) == -1)
        return -1;
    if (sg_instances_start(load->instances, SG_PROCESS_WORKER) == -1)
        return -1;
    sg_ownaddr_refresh(-1);
    ev_timer_init(&asking.tick, question_tick, QUESTION_TICK_S, QUESTION_TICK_S);
    ev_timer_start(sg_worker_loop(), &asking.tick);
    return 0;
}

void
sg_questions_close(void)
{
    ev_timer_stop(sg_worker_loop(), &asking.tick);
    sg_instances_stop(asking.boot.instances);
    sg_worker_close();
    free(asking.listeners);
    asking.listeners = NULL;
}

/* Turns the loop until *done. False: it took too long. */
static bool
question_wait(const bool *done)
{
    const int64_t until = sg_mono_ms() + QUESTION_LIMIT_MS;

    while (!*done && sg_mono_ms() < until)
        (void)ev_run(sg_worker_loop(), EVRUN_ONCE);
    return *done;
}

static void
question_answered(struct sg_run *run, enum sg_outcome outcome)
{
    struct question_walk *walk = SG_CONTAINER(run, struct question_walk, run);

    walk->done = true;
    walk->outcome = outcome;
}

/* One phase. -1: a module has not answered. */
static int
question_phase(struct sg_session *s, struct question_walk *walk, enum sg_phase phase, const struct sg_addr *addr)
{
    *walk = (struct question_walk){ .done = false };
    sg_run_start(&walk->run, s, phase, phase == SG_PHASE_TARGET && s->undecided, addr, question_answered);
    if (question_wait(&walk->done))
        return 0;
    sg_run_cancel(&walk->run);
    return -1;
}

static void
question_rule(struct sg_policy_reply *reply, const struct sg_run *run)
{
    const struct sg_decision *decision = &run->decision;

    if (run->decider == NULL)
        return;
    (void)snprintf(reply->label, sizeof reply->label, "%s", decision->label != NULL ? decision->label : "");
    reply->file = decision->file;
    reply->line = decision->line;
}

static void
question_refuse(struct sg_policy_reply *reply, enum sg_reason reason, int rep)
{
    reply->kind = SG_REPLY_DENY;
    reply->reason = reason;
    reply->rep = rep;
}

/* ---- the phases */

/* -1: no answer; 0: go on; 1: refused. */
static int
question_client(struct sg_session *s, struct sg_policy_reply *reply)
{
    struct question_walk walk;
    char client[SG_ADDR_TEXT];

    if (!sg_evaluate_client(s->listener, &s->rec->client)) {
        sg_trace_core(s->trace, &s->listener->conf->where, "client %s is outside `clients` of the listener \"%s\"",
                      sg_addr_format_ip(&s->rec->client, client, sizeof client), s->listener->conf->name);
        question_refuse(reply, SG_REASON_CLIENT_RANGE, -1);
        return 1;
    }
    if (question_phase(s, &walk, SG_PHASE_CLIENT, NULL) == -1)
        return -1;
    if (walk.outcome == SG_OUTCOME_GRANT)
        return 0;
    question_rule(reply, &walk.run);
    question_refuse(reply, walk.outcome == SG_OUTCOME_REFUSE ? SG_REASON_ACCESS_CLIENT : SG_REASON_MODULE_ERROR, -1);
    return 1;
}

/* The request phase, about the request as the session has it. */
static int
question_judge(struct sg_session *s, struct sg_policy_reply *reply)
{
    struct question_walk walk;
    struct sg_refusal refusal;

    if (question_phase(s, &walk, SG_PHASE_REQUEST, NULL) == -1)
        return -1;
    refusal = sg_evaluate_request(s, &walk.run, walk.outcome);
    question_rule(reply, &walk.run);
    if (refusal.reason == SG_REASON_NONE)
        return 0;
    question_refuse(reply, refusal.reason, refusal.rep);
    return 1;
}

static int
question_request(struct sg_session *s, const struct sg_wire_request *wire, struct sg_policy_reply *reply)
{
    const struct sg_refusal refusal = sg_evaluate_wire(s, wire);

    if (refusal.reason == SG_REASON_NONE)
        return question_judge(s, reply);
    question_refuse(reply, refusal.reason, refusal.rep);
    return 1;
}

static int
question_target(struct sg_session *s, const struct sg_addr *addr, struct sg_policy_reply *reply)
{
    struct question_walk walk;
    struct sg_refusal refusal;
    char text[SG_ADDR_TEXT];

    sg_trace_core(s->trace, NULL, "address %s", sg_addr_format_ip(addr, text, sizeof text));
    if (question_phase(s, &walk, SG_PHASE_TARGET, addr) == -1)
        return -1;
    refusal = sg_evaluate_target(s, &walk.run, walk.outcome);
    question_rule(reply, &walk.run);
    if (refusal.reason != SG_REASON_NONE) {
        question_refuse(reply, refusal.reason, refusal.rep);
        return 1;
    }
    reply->kind = SG_REPLY_ALLOW;
    reply->reason = SG_REASON_NONE;
    reply->rep = SG_REP_SUCCEEDED;
    reply->addr = *addr;
    return 0;
}

/* ---- addresses */

struct question_lookup {
    struct sg_lookup lookup;
    bool done;
    struct sg_found found;
};

static void
question_found(struct sg_lookup *lookup, const struct sg_found *found)
{
    struct question_lookup *q = SG_CONTAINER(lookup, struct question_lookup, lookup);

    q->done = true;
    q->found = *found;
}

/* What the name servers say, in the order in which it would be tried. */
static void
question_resolve(const struct sg_session *s, struct sg_question_addrs *addrs)
{
    static const uint8_t families[] = { SG_FAMILY_IPV6, SG_FAMILY_IPV4 };

    for (size_t f = 0; f < sizeof families; f++) {
        struct question_lookup q = { .lookup = { .done = question_found } };
        const struct sg_found *found = sg_resolve(&q.lookup, s->request->name, s->request->name_len, families[f]);

        if (found == NULL && question_wait(&q.done))
            found = &q.found;
        sg_resolve_cancel(&q.lookup);
        if (found == NULL || found->n == 0)
            sg_trace_core(s->trace, NULL, "no %s address: %s", families[f] == SG_FAMILY_IPV6 ? "IPv6" : "IPv4",
                          found != NULL ? found->why : "no answer in time");
        for (unsigned i = 0; found != NULL && i < found->n && addrs->n < SG_QUESTION_ADDRS; i++)
            addrs->v[addrs->n++] = found->v[i];
    }
}

/* The first address of the family from *at on; NULL: none is left. */
static const struct sg_addr *
question_next(const struct sg_question_addrs *all, uint8_t family, unsigned *at)
{
    while (*at < all->n)
        if (all->v[(*at)++].family == family)
            return &all->v[*at - 1];
    return NULL;
}

/* Families in turn, IPv6 first, as a dial takes them. */
static void
question_order(struct sg_question_addrs *addrs)
{
    struct sg_question_addrs in_turn = { .n = 0 };
    unsigned at6 = 0, at4 = 0;

    while (in_turn.n < addrs->n) {
        const struct sg_addr *six = question_next(addrs, SG_FAMILY_IPV6, &at6);
        const struct sg_addr *four = question_next(addrs, SG_FAMILY_IPV4, &at4);

        if (six != NULL)
            in_turn.v[in_turn.n++] = *six;
        if (four != NULL)
            in_turn.v[in_turn.n++] = *four;
    }
    *addrs = in_turn;
}

/* Each address in its turn until one is allowed, as the dial does. */
static int
question_targets(struct sg_session *s, const struct sg_question *q, struct sg_policy_reply *reply)
{
    const bool any = s->request->cmd == SG_CMD_BIND && sg_evaluate_any_peer(s->request);
    struct sg_question_addrs addrs = q->addrs;
    int status = 1;

    if (s->request->name == NULL && !any)
        return question_target(s, &s->request->addr, reply);
    if (any)
        sg_trace_core(s->trace, NULL,
                      "any peer: each is judged when it comes, if the instance for BIND waits for such at all");
    if (addrs.n == 0 && (any || !q->resolve)) {
        reply->any_peer = any;
        reply->kind = s->undecided || any ? SG_REPLY_LOOKUP : SG_REPLY_ALLOW;
        reply->rep = s->undecided || any ? -1 : SG_REP_SUCCEEDED;
        return 0;
    }
    if (addrs.n == 0)
        question_resolve(s, &addrs);
    question_refuse(reply, SG_REASON_RESOLVE_FAILED, SG_REP_HOST_UNREACHABLE); /* unless there is an address */
    question_order(&addrs);
    for (unsigned i = 0; i < addrs.n && status == 1; i++) {
        addrs.v[i].port = s->request->port;
        status = question_target(s, &addrs.v[i], reply);
    }
    return status;
}

/*
 * A datagram to that place: first the association, of which nobody knows where datagrams will go, then the request that
 * the datagram makes.
 */
static int
question_datagram(struct sg_session *s, const struct sg_wire_request *wire, struct sg_policy_reply *reply)
{
    const struct sg_wire_request association = {
        .ver = wire->ver, .cmd = wire->cmd, .atyp = SG_ATYP_IPV4, .addr = { .family = SG_FAMILY_IPV4 }
    };
    int status;

    sg_trace_core(s->trace, NULL, "association");
    status = question_request(s, &association, reply);
    if (status != 0)
        return status;
    sg_trace_core(s->trace, NULL, "datagram");
    sg_evaluate_datagram(wire, (const char *)wire->name, s->request);
    return question_judge(s, reply);
}

/* ---- the question */

static const struct sg_worker_listener *
question_listener(const struct sg_question *q)
{
    for (size_t i = 0; i < asking.boot.n_listeners; i++)
        if (q->listener == NULL || strcmp(asking.listeners[i].conf->name, q->listener) == 0)
            return &asking.listeners[i];
    return NULL;
}

static void
question_identity(const struct sg_question *q, struct sg_identity *identity)
{
    const bool known = q->user != NULL && q->user[0] != '\0';

    *identity = (struct sg_identity){ .size = sizeof *identity,
                                      .name = known ? q->user : "",
                                      .name_len = known ? strlen(q->user) : 0,
                                      .n_groups = q->n_groups,
                                      .groups = q->groups,
                                      .instance = "" };
    identity->method = (uint8_t)(q->method != -1 ? q->method : known ? SG_METHOD_USERPASS : SG_METHOD_NONE);
    identity->assurance = (uint8_t)(q->assurance != -1 ? q->assurance
                                    : known            ? SG_ASSURANCE_PASSWORD
                                                       : SG_ASSURANCE_NONE);
}

static int
question_walk(struct sg_session *s, const struct sg_question *q, struct sg_policy_reply *reply)
{
    uint8_t octets[SG_QUESTION_WIRE_MAX];
    struct sg_wire_request wire;
    int status = question_client(s, reply);

    if (status != 0)
        return status;
    question_identity(q, &s->admitted->identity);
    if (sg_socks5.parse_request(octets, sg_question_wire(q, octets), &wire) == -1) {
        sg_trace_core(s->trace, NULL, "this is no request that could be served: a malformed name");
        question_refuse(reply, SG_REASON_PROTOCOL_ERROR, wire.rep);
        return 1;
    }
    status = wire.cmd == SG_CMD_UDP_ASSOCIATE ? question_datagram(s, &wire, reply) : question_request(s, &wire, reply);
    if (status == 0)
        status = question_targets(s, q, reply);
    if (status == 1 && s->request != NULL && s->request->cmd == SG_CMD_UDP_ASSOCIATE && s->request->port != 0)
        reply->rep = -1; /* nobody is told of a datagram that is dropped */
    return status;
}

int
sg_question_ask(const struct sg_question *q, struct sg_policy_reply *reply_out, char *why, size_t size)
{
    const struct sg_worker_listener *listener = question_listener(q);
    struct sg_session *s;
    int status;

    *reply_out = (struct sg_policy_reply){ .kind = SG_REPLY_DENY, .rep = -1 };
    if (listener == NULL) {
        (void)snprintf(why, size, "there is no listener \"%.63s\"", q->listener);
        return -1;
    }
    if (q->to == NULL) {
        (void)snprintf(why, size, "to: a target is missing, as in \"www.example.com:443\"");
        return -1;
    }
    s = sg_session_blank(listener, &q->client);
    if (s == NULL || sg_session_admit(s) == -1) {
        if (s != NULL)
            sg_session_blank_end(s);
        (void)snprintf(why, size, "no memory");
        return -1;
    }
    s->trace = q->trace;
    status = question_walk(s, q, reply_out);
    sg_session_blank_end(s);
    if (status == -1)
        (void)snprintf(why, size, "an access module did not answer in %d s", QUESTION_LIMIT_MS / 1000);
    return status == -1 ? -1 : 0;
}
