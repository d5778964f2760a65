/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st_command.c - hands the request to the command module, and what that module can do with it.
 */
#include "advertise.h"
#include "clock.h"
#include "journal.h"
#include "pending.h"
#include "relay.h"
#include "states.h"

/* A client that has its answer gets no second one; a success can only be taken back by the end of the connection. */
static void
command_failed(struct sg_session *s, enum sg_reason reason, uint8_t rep)
{
    if (s->rec->started) {
        sg_session_reason(s, reason, 0);
        sg_session_end(s, true);
    } else if (s->rec->replied) {
        sg_session_finish(s, reason, 0);
    } else {
        sg_session_fail(s, reason, 0, rep);
    }
}

static void
command_outcome(struct sg_session *s, enum sg_verdict verdict)
{
    struct sg_instance *inst = s->listener->hooks->command[s->request->cmd];
    enum sg_reason reason = SG_REASON_MODULE_ERROR;
    uint8_t rep = s->command_rep != SG_REP_SUCCEEDED ? s->command_rep : (uint8_t)SG_REP_GENERAL_FAILURE;

    switch (sg_verdict_judge(inst, s, SG_PHASE_COMMAND, verdict)) {
    case SG_OUTCOME_GRANT:
        if (s->state == SG_STATE_COMMAND)
            sg_command_over(s);
        return;
    case SG_OUTCOME_WAIT: return;
    case SG_OUTCOME_REFUSE:
        reason = SG_REASON_COMMAND_DENIED;
        rep = SG_REP_NOT_ALLOWED;
        break;
    default: break;
    }
    command_failed(s, reason, rep);
}

static void
command_resume(struct sg_pending *pending, enum sg_verdict verdict, void *owner)
{
    (void)pending;
    command_outcome(owner, verdict);
}

void
sg_command_begin(struct sg_session *s)
{
    struct sg_instance *inst = s->listener->hooks->command[s->request->cmd];
    enum sg_verdict verdict;
    uint32_t before;

    before = sg_worker_enter(inst);
    sg_pending_window_open(inst, s);
    verdict = inst->mod->command->start(inst, s, s->request);
    (void)sg_pending_window_close(&verdict, command_resume, s);
    sg_worker_leave(before);
    command_outcome(s, verdict);
}

void
sg_command_over(struct sg_session *s)
{
    if (!s->rec->replied)
        sg_session_fail(s, SG_REASON_MODULE_ERROR, 0, SG_REP_GENERAL_FAILURE);
    else
        sg_session_finish(s, s->rec->rep == SG_REP_SUCCEEDED ? SG_REASON_CLOSED : SG_REASON_CONNECT_FAILED, 0);
}

/* Published first: no success leaves that is not written down. */
static void
reply_publish(struct sg_session *s, const struct sg_addr *bnd)
{
    if (s->rec->started)
        return;
    if (bnd != NULL)
        s->rec->bind = *bnd;
    s->rec->started = true;
    s->rec->connected_mono_ms = sg_mono_ms();
    sg_journal_publish(s->rec, SG_RECORD_STARTED);
    sg_deadline_arm(sg_worker_queue(SG_QUEUE_MAX_SESSION), &s->setup);
}

int
sg_reply(struct sg_session *s, uint8_t rep, const struct sg_addr *bnd)
{
    uint8_t reply[SG_REPLY_MAX];
    struct sg_addr told;

    if (s->state != SG_STATE_COMMAND || s->ending || rep > SG_REP_ATYP_NOT_SUPPORTED ||
        (s->rec->replied && s->rec->rep != SG_REP_SUCCEEDED))
        return -1;
    told = bnd != NULL ? *bnd : (struct sg_addr){ .family = SG_FAMILY_NONE };
    if (rep == SG_REP_SUCCEEDED && !s->rec->started)
        sg_advertise(s, &told, &told); /* a second success tells of the peer */
    s->rec->rep = rep;
    s->rec->replied = true;
    if (rep == SG_REP_SUCCEEDED)
        reply_publish(s, bnd);
    if (sg_session_send(s, reply, sg_session_protocol(s)->put_reply(reply, rep, &told)) == -1) {
        sg_session_end_soon(s, s->encapsulated ? SG_REASON_FILTER_ERROR : SG_REASON_SHORTAGE, 0);
        return -1;
    }
    return 0;
}

int
sg_relay_start(struct sg_session *s, struct sg_conn *conn)
{
    if (s->state != SG_STATE_COMMAND || !s->rec->started || s->relay != NULL || conn == NULL || conn != s->conn ||
        s->ending)
        return -1;
    if (sg_relay_new(s) == -1) {
        sg_session_end_soon(s, SG_REASON_SHORTAGE, 0);
        return -1;
    }
    sg_session_goto(s, SG_STATE_RELAY);
    sg_session_kick(s);
    return 0;
}

void
sg_session_set_rep(struct sg_session *s, uint8_t rep)
{
    s->command_rep = rep > SG_REP_SUCCEEDED && rep <= SG_REP_ATYP_NOT_SUPPORTED ? rep : SG_REP_GENERAL_FAILURE;
}
