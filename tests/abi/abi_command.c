/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_command.c - dial, reply and relay: a CONNECT that also tries what it must not do. */
#include "expect.h"

static void
abi_dialled(struct sg_instance *inst, struct sg_session *s, const struct sg_dial_result *result, void *arg)
{
    struct sg_pending *pending = arg;

    EXPECT(inst, result->size == sizeof *result);
    EXPECT(inst, (result->rep == SG_REP_SUCCEEDED) == (result->conn != NULL));
    if (result->rep != SG_REP_SUCCEEDED) {
        sg_session_set_rep(s, result->rep);
        sg_pending_resolve(pending, SG_ERROR);
        return;
    }
    EXPECT(inst, sg_addr_same_ip(&result->remote, &sg_session_request(s)->addr));
    EXPECT(inst, result->local.family == result->remote.family && result->local.port != 0);
    EXPECT(inst, sg_relay_start(s, result->conn) == -1);
    EXPECT(inst, sg_reply(s, SG_REP_SUCCEEDED, &result->local) == 0);
    EXPECT(inst, sg_relay_start(s, result->conn) == 0);
    EXPECT(inst, sg_relay_start(s, result->conn) == -1);
    sg_log(inst, SG_LOG_NOTICE, "abi: relaying");
    sg_pending_resolve(pending, SG_OK);
}

static enum sg_verdict
abi_start(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    struct sg_pending *pending = sg_pending_new(inst, s);

    EXPECT(inst, req == sg_session_request(s));
    if (!pending)
        return SG_ERROR;
    EXPECT(inst, sg_dial(inst, s, abi_dialled, pending) == 0);
    EXPECT(inst, sg_dial(inst, s, abi_dialled, pending) == -1);
    return SG_AGAIN;
}

static const struct sg_command_ops abi_command = {
    .size = sizeof abi_command,
    .cmd = SG_CMD_CONNECT,
    .start = abi_start,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("abi_command"), .command = &abi_command };
