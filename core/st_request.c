/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st_request.c - the request and the question whether it is allowed (RFC 1928 section 4).
 */
#include "evaluate.h"
#include "filter_core.h"
#include "states.h"

static void
request_done(struct sg_run *run, enum sg_outcome outcome)
{
    struct sg_session *s = run->session;
    const struct sg_refusal refusal = sg_evaluate_request(s, run, outcome);

    sg_session_asked(s);
    if (refusal.reason != SG_REASON_NONE) {
        sg_session_fail(s, refusal.reason, 0, refusal.rep);
        return;
    }
    sg_session_goto(s, SG_STATE_COMMAND);
    sg_command_begin(s);
}

/* Frames until the plain octets make a request. False: a frame is not complete, or the session is over. */
static bool
request_unwrap(struct sg_session *s)
{
    if (!s->encapsulated)
        return false;
    switch (sg_filter_unwrap(s, &s->filter->plain)) {
    case 1: return true;
    case 0: return false;
    default: sg_session_finish(s, SG_REASON_FILTER_ERROR, 0); return false;
    }
}

bool
sg_request_input(struct sg_session *s)
{
    struct sg_buf *input = sg_session_input(s);
    struct sg_wire_request wire;
    struct sg_refusal refusal;
    size_t len;
    const uint8_t *octets = sg_buf_data(input, &len);
    const ssize_t n = sg_session_protocol(s)->parse_request(octets, len, &wire);

    if (n == 0)
        return request_unwrap(s);
    sg_session_wait(s, false);
    sg_deadline_disarm(&s->phase);
    if (n == -1) {
        sg_evaluate_malformed(s, &wire);
        sg_session_fail(s, SG_REASON_PROTOCOL_ERROR, 0, wire.rep);
        return false;
    }
    refusal = sg_evaluate_wire(s, &wire);
    sg_buf_consume(input, (size_t)n);
    if (refusal.reason != SG_REASON_NONE) {
        sg_session_fail(s, refusal.reason, 0, refusal.rep);
    } else {
        sg_session_goto(s, SG_STATE_ACCESS);
        sg_session_ask(s, SG_PHASE_REQUEST, request_done);
    }
    return false;
}
