/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_udp.c - an association with everything at its default, and the ways not to get one. */
#include "expect.h"

static enum sg_verdict
abi_start(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    const struct sg_udp_options options = { .size = sizeof options }, older = { .size = 0 };

    EXPECT(inst, req->addr.family == SG_FAMILY_NONE && req->name == NULL && req->port == 0);
    EXPECT(inst, req->source.family == SG_FAMILY_IPV4 && req->source.port == 0);
    EXPECT(inst, sg_udp_associate(s, &older) == -1);
    if (sg_udp_associate(s, &options) == -1)
        return SG_ERROR;
    EXPECT(inst, sg_udp_associate(s, &options) == -1);
    EXPECT(inst, sg_reply(s, SG_REP_SUCCEEDED, NULL) == -1);
    sg_log(inst, SG_LOG_NOTICE, "abi: associated");
    return SG_OK;
}

static const struct sg_command_ops abi_command = {
    .size = sizeof abi_command,
    .cmd = SG_CMD_UDP_ASSOCIATE,
    .start = abi_start,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("abi_udp"), .command = &abi_command };
