/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_connect.c - CONNECT (RFC 1928 section 4): dial the target, tell the client, relay.
 *
 *   start() -- sg_dial() ... dialled() -- sg_reply() -- sg_relay_start() -- sg_pending_resolve()
 *      |
 *      +-- SG_AGAIN: the handle keeps the session waiting for dialled()
 *
 * The handle travels as the argument of the dial, so there is nothing to keep and nothing to free: when the session
 * ends first, the core forgets the dial and the handle together.
 */
#include <sockgate/module.h>

static void
connect_dialled(struct sg_instance *inst, struct sg_session *s, const struct sg_dial_result *result, void *arg)
{
    struct sg_pending *pending = arg;

    (void)inst;
    if (result->rep != SG_REP_SUCCEEDED) {
        sg_session_set_rep(s, result->rep);
        sg_pending_resolve(pending, SG_ERROR);
    } else if (sg_reply(s, SG_REP_SUCCEEDED, &result->local) == -1 || sg_relay_start(s, result->conn) == -1) {
        sg_pending_resolve(pending, SG_ERROR);
    } else {
        sg_pending_resolve(pending, SG_OK);
    }
}

static enum sg_verdict
connect_start(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    struct sg_pending *pending = sg_pending_new(inst, s);

    (void)req; /* the dial knows it */
    if (pending == NULL || sg_dial(inst, s, connect_dialled, pending) == -1)
        return SG_ERROR;
    sg_session_doing(s, "dialling the target");
    return SG_AGAIN;
}

static const struct sg_command_ops connect_command = {
    .size = sizeof connect_command,
    .cmd = SG_CMD_CONNECT,
    .start = connect_start,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("cmd_connect"), .version = "0.1.0", .command = &connect_command };
