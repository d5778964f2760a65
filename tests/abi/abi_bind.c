/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_bind.c - waiting for a peer: a BIND that also tries what it must not do. */
#include "expect.h"

static const struct sg_bind_options options = { .size = sizeof options, .wait_ms = 60000 };

static void
abi_due(struct sg_instance *inst, struct sg_session *s, const struct sg_bind_result *result, void *arg)
{
    struct sg_pending *pending = arg;

    EXPECT(inst, result->size == sizeof *result);
    EXPECT(inst, sg_bind(inst, s, &options, abi_due, pending) == -1);
    EXPECT(inst, sg_dial(inst, s, NULL, pending) == -1);
    EXPECT(inst, (result->rep == SG_REP_SUCCEEDED) == (result->bnd.family != SG_FAMILY_NONE));
    if (sg_reply(s, result->rep, &result->bnd) == -1) {
        sg_pending_resolve(pending, SG_ERROR);
    } else if (result->rep != SG_REP_SUCCEEDED) {
        EXPECT(inst, result->conn == NULL);
        sg_pending_resolve(pending, SG_OK);
    } else if (result->conn != NULL) {
        EXPECT(inst, sg_addr_same_ip(&result->bnd, &sg_session_request(s)->addr));
        EXPECT(inst, sg_relay_start(s, result->conn) == 0);
        sg_log(inst, SG_LOG_NOTICE, "abi: the peer is here");
        sg_pending_resolve(pending, SG_OK);
    }
}

static enum sg_verdict
abi_start(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    struct sg_pending *pending = sg_pending_new(inst, s);

    EXPECT(inst, req->cmd == SG_CMD_BIND);
    if (!pending)
        return SG_ERROR;
    EXPECT(inst, sg_bind(inst, s, &options, abi_due, pending) == 0);
    EXPECT(inst, sg_bind(inst, s, &options, abi_due, pending) == -1);
    return SG_AGAIN;
}

static const struct sg_command_ops abi_command = {
    .size = sizeof abi_command,
    .cmd = SG_CMD_BIND,
    .start = abi_start,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("abi_bind"), .command = &abi_command };
