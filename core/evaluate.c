/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evaluate.c - what the core makes of a request and of verdicts. No input or output here.
 */
#include "evaluate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "trace.h"

static const struct sg_refusal go_on = { SG_REASON_NONE, SG_REP_SUCCEEDED };

bool
sg_evaluate_client(const struct sg_worker_listener *listener, const struct sg_addr *client)
{
    return listener->conf->clients.n == 0 || sg_ranges_contain(&listener->conf->clients, client);
}

void
sg_evaluate_datagram(const struct sg_wire_request *wire, const char *name, struct sg_request *req_out)
{
    *req_out = (struct sg_request){ .size = sizeof *req_out,
                                    .ver = wire->ver,
                                    .cmd = wire->cmd,
                                    .atyp = wire->atyp,
                                    .port = wire->port,
                                    .addr = wire->addr,
                                    .name = wire->name != NULL ? name : NULL,
                                    .name_len = wire->name_len };
    if (wire->name != NULL)
        req_out->addr = (struct sg_addr){ .family = SG_FAMILY_NONE };
}

/* Of an association DST says where the client sends from; where to is not known yet. */
static void
evaluate_open(struct sg_request *req, const struct sg_wire_request *wire)
{
    req->source = wire->addr; /* a name says nothing: what is left is the port */
    req->source.port = wire->port;
    req->addr = (struct sg_addr){ .family = SG_FAMILY_NONE };
    req->name = NULL;
    req->name_len = 0;
    req->port = 0;
}

/* The name is kept in the record: it is bounded there and lives as long as the session. */
static int
evaluate_keep(struct sg_session *s, const struct sg_wire_request *wire)
{
    struct sg_record *rec = s->rec;

    rec->ver = wire->ver;
    rec->requested = true;
    rec->cmd = wire->cmd;
    rec->port = wire->port;
    if (wire->name == NULL && wire->cmd != SG_CMD_UDP_ASSOCIATE)
        rec->target = wire->addr;
    if (wire->name != NULL)
        (void)sg_record_put(rec, &rec->name, wire->name, wire->name_len); /* user and host always fit */
    s->request = malloc(sizeof *s->request);
    if (s->request == NULL)
        return -1;
    sg_evaluate_datagram(wire, sg_record_get(rec, &rec->name), s->request);
    if (wire->cmd == SG_CMD_UDP_ASSOCIATE)
        evaluate_open(s->request, wire);
    return 0;
}

void
sg_evaluate_malformed(struct sg_session *s, const struct sg_wire_request *wire)
{
    if (wire->name == NULL)
        return;
    s->rec->ver = wire->ver;
    s->rec->requested = true;
    s->rec->cmd = wire->cmd;
    s->rec->port = wire->port;
    (void)sg_record_put(s->rec, &s->rec->name, wire->name, wire->name_len);
}

/* An address as the text of a SOCKS4a name: BIND could not tell the client where it listens. */
static bool
evaluate_no_ipv6(const struct sg_session *s, const struct sg_wire_request *wire)
{
    return wire->ver == SG_SOCKS4_VN && wire->addr.family == SG_FAMILY_IPV6 &&
           (wire->cmd != SG_CMD_CONNECT || !s->listener->conf->socks4_ipv6);
}

struct sg_refusal
sg_evaluate_wire(struct sg_session *s, const struct sg_wire_request *wire)
{
    const bool strict = sg_worker_boot()->conf->core.strict;

    if (evaluate_keep(s, wire) == -1)
        return (struct sg_refusal){ SG_REASON_SHORTAGE, SG_REP_GENERAL_FAILURE };
    if ((wire->rsv != 0 && strict) || (wire->cmd == SG_CMD_CONNECT && wire->port == 0)) {
        sg_trace_core(s->trace, NULL, wire->rsv != 0 && strict ? "RSV is not 0" : "CONNECT to port 0 reaches nobody");
        return (struct sg_refusal){ SG_REASON_PROTOCOL_ERROR, SG_REP_GENERAL_FAILURE };
    }
    if (evaluate_no_ipv6(s, wire)) {
        sg_trace_core(s->trace, &s->listener->conf->where, "SOCKS4 has no room for an IPv6 address");
        return (struct sg_refusal){ SG_REASON_PROTOCOL_ERROR, SG_REP_ATYP_NOT_SUPPORTED };
    }
    if (s->listener->hooks->command[wire->cmd] == NULL || (wire->ver == SG_SOCKS4_VN && wire->cmd > SG_CMD_BIND)) {
        sg_trace_core(s->trace, &s->listener->conf->where, "the listener \"%s\" has no module for CMD %02x",
                      s->listener->conf->name, wire->cmd);
        return (struct sg_refusal){ SG_REASON_COMMAND_UNKNOWN, SG_REP_COMMAND_NOT_SUPPORTED };
    }
    return go_on;
}

struct sg_refusal
sg_evaluate_granted(const struct sg_run *run, enum sg_outcome outcome, struct sg_grant *grant_out)
{
    *grant_out = (struct sg_grant){ .undecided = outcome == SG_OUTCOME_UNDECIDED };
    switch (outcome) {
    case SG_OUTCOME_GRANT: grant_out->special = run->decision.special; return go_on;
    case SG_OUTCOME_UNDECIDED: return go_on;
    case SG_OUTCOME_REFUSE: return (struct sg_refusal){ SG_REASON_ACCESS_REQUEST, SG_REP_NOT_ALLOWED };
    default: return (struct sg_refusal){ SG_REASON_MODULE_ERROR, SG_REP_GENERAL_FAILURE };
    }
}

struct sg_refusal
sg_evaluate_request(struct sg_session *s, const struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_refusal refusal;
    struct sg_grant grant;

    /* At the end of a list the decision is that of a module which had no opinion. */
    if (run->decider != NULL)
        sg_session_rule(s, &run->decision);
    sg_session_dry_run(s, run);
    refusal = sg_evaluate_granted(run, outcome, &grant);
    s->undecided = grant.undecided;
    s->special_allowed = (uint8_t)grant.special;
    return refusal;
}

/* The special ranges that the address is in, and that neither a rule nor the request's grant allows. */
static unsigned
evaluate_special(const struct sg_run *run, unsigned granted)
{
    return sg_addr_special(run->addr) & ~(granted | (run->decider != NULL ? run->decision.special : 0));
}

static void
evaluate_special_text(const struct sg_run *run, unsigned special, char *text, size_t size)
{
    char addr[SG_ADDR_TEXT];
    size_t len = (size_t)snprintf(text, size, "%s is in a range (", sg_addr_format_ip(run->addr, addr, sizeof addr));
    const char *between = "";

    for (const struct sg_conf_word *word = sg_special_words; word->word != NULL; word++)
        if ((special & (unsigned)word->number) != 0 && len < size) {
            len += (size_t)snprintf(text + len, size - len, "%s%s", between, word->word);
            between = ", ";
        }
    if (len < size)
        (void)snprintf(text + len, size - len, ") that no rule names with \"special\"");
}

struct sg_refusal
sg_evaluate_address(const struct sg_run *run, enum sg_outcome outcome, const struct sg_grant *grant)
{
    struct sg_trace *trace = run->session->trace;
    const unsigned special = evaluate_special(run, grant->special);
    char text[SG_EVALUATE_TEXT];

    if (outcome == SG_OUTCOME_REFUSE)
        return (struct sg_refusal){ SG_REASON_ACCESS_TARGET, SG_REP_NOT_ALLOWED };
    if (outcome != SG_OUTCOME_GRANT)
        return (struct sg_refusal){ SG_REASON_MODULE_ERROR, SG_REP_NOT_ALLOWED };
    if (special == 0)
        return go_on;
    if (trace != NULL) {
        evaluate_special_text(run, special, text, sizeof text);
        sg_trace_core(trace, NULL, "special-range guard: %s", text);
    }
    return (struct sg_refusal){ SG_REASON_SPECIAL_RANGE, SG_REP_NOT_ALLOWED };
}

void
sg_evaluate_special(struct sg_session *s, const struct sg_run *run)
{
    char text[SG_EVALUATE_TEXT];

    evaluate_special_text(run, evaluate_special(run, s->special_allowed), text, sizeof text);
    sg_session_reason_text(s, text);
}

uint8_t
sg_evaluate_connect(int err)
{
    switch (err) {
    case ECONNREFUSED: return SG_REP_CONNECTION_REFUSED;
    case ENETUNREACH:
    case ENETDOWN:
    case EINVAL: /* a route that is a black hole, or none from the configured source */
    case EAFNOSUPPORT: return SG_REP_NETWORK_UNREACHABLE;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ETIMEDOUT: return SG_REP_HOST_UNREACHABLE;
    case EACCES:
    case EPERM: return SG_REP_NOT_ALLOWED; /* the system's own packet filter */
    default: return SG_REP_GENERAL_FAILURE;
    }
}

bool
sg_evaluate_any_peer(const struct sg_request *req)
{
    static const uint8_t zeros[sizeof req->addr.ip];

    return req->name == NULL && memcmp(req->addr.ip, zeros, sizeof zeros) == 0;
}

/* What a rule has said of zeros is not said of the peer that comes to such a BIND, once a rule has judged that. */
static unsigned
evaluate_allowed(const struct sg_session *s, const struct sg_run *run)
{
    return run->decider != NULL && s->request->cmd == SG_CMD_BIND && sg_evaluate_any_peer(s->request)
               ? 0
               : s->special_allowed;
}

struct sg_refusal
sg_evaluate_target(const struct sg_session *s, const struct sg_run *run, enum sg_outcome outcome)
{
    const struct sg_grant grant = { s->undecided, evaluate_allowed(s, run) };

    return sg_evaluate_address(run, outcome, &grant);
}
