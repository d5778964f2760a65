/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st_request.c - the request and the question whether it is allowed (RFC 1928 section 4).
 */
#include <string.h>

#include "container.h"
#include "filter_core.h"
#include "socks5.h"
#include "states.h"

static void
request_done(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_session *s = SG_CONTAINER(run, struct sg_session, run);

    /* At the end of a list the decision is that of a module which had no opinion. */
    if (run->decider != NULL)
        sg_session_rule(s, &run->decision);
    switch (outcome) {
    case SG_OUTCOME_GRANT: s->special_allowed = run->decision.special; break;
    case SG_OUTCOME_UNDECIDED: s->undecided = true; break;
    case SG_OUTCOME_REFUSE: sg_session_fail(s, SG_REASON_ACCESS_REQUEST, 0, SG_REP_NOT_ALLOWED); return;
    default: sg_session_fail(s, SG_REASON_MODULE_ERROR, 0, SG_REP_GENERAL_FAILURE); return;
    }
    sg_session_goto(s, SG_STATE_COMMAND);
    sg_command_begin(s);
}

/* From the wire to what modules see. The name is kept in the record: it is bounded there and lives as long. */
static void
request_keep(struct sg_session *s, const struct sg_socks5_request *wire)
{
    struct sg_record *rec = &s->rec;

    rec->ver = SG_SOCKS5_VER;
    rec->cmd = wire->cmd;
    rec->port = wire->port;
    if (wire->name != NULL) {
        memcpy(rec->name, wire->name, wire->name_len);
        rec->name_len = wire->name_len;
    } else {
        rec->target = wire->addr;
    }
    s->request = (struct sg_request){ .size = sizeof s->request,
                                      .ver = SG_SOCKS5_VER,
                                      .cmd = wire->cmd,
                                      .atyp = wire->atyp,
                                      .port = wire->port,
                                      .addr = wire->addr,
                                      .name = wire->name != NULL ? rec->name : NULL,
                                      .name_len = wire->name_len };
    if (wire->name != NULL)
        s->request.addr = (struct sg_addr){ .family = SG_FAMILY_NONE };
    s->have_request = true;
}

/* Frames until the plain octets make a request. False: a frame is not complete, or the session is over. */
static bool
request_unwrap(struct sg_session *s)
{
    if (!s->encapsulated)
        return false;
    switch (sg_filter_unwrap(s, &s->plain)) {
    case 1: return true;
    case 0: return false;
    default:
        sg_session_finish(s, SG_REASON_FILTER_ERROR, 0);
        return false;
    }
}

bool
sg_request_input(struct sg_session *s)
{
    struct sg_buf *input = sg_session_input(s);
    struct sg_socks5_request wire;
    size_t len;
    const uint8_t *octets = sg_buf_data(input, &len);
    const ssize_t n = sg_socks5_parse_request(octets, len, &wire);

    if (n == 0)
        return request_unwrap(s);
    sg_session_wait(s, false);
    sg_deadline_disarm(&s->phase);
    if (n == -1) {
        sg_session_fail(s, SG_REASON_PROTOCOL_ERROR, 0, wire.rep);
        return false;
    }
    request_keep(s, &wire);
    sg_buf_consume(input, (size_t)n);
    if ((wire.rsv != 0 && sg_worker_boot()->conf->core.strict) || (wire.cmd == SG_CMD_CONNECT && wire.port == 0)) {
        sg_session_fail(s, SG_REASON_PROTOCOL_ERROR, 0, SG_REP_GENERAL_FAILURE);
    } else if (s->listener->hooks->command[wire.cmd] == NULL) {
        sg_session_fail(s, SG_REASON_COMMAND_UNKNOWN, 0, SG_REP_COMMAND_NOT_SUPPORTED);
    } else {
        sg_session_goto(s, SG_STATE_ACCESS);
        sg_run_start(&s->run, s, SG_PHASE_REQUEST, false, NULL, request_done);
    }
    return false;
}
