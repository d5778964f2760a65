/* SPDX-License-Identifier: BSD-2-Clause */
/* command_bind.c - a command module that serves BIND. */
#include <sockgate/module.h>

static enum sg_verdict
bind_start(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    (void)inst, (void)s, (void)req;
    return SG_ERROR;
}

static const struct sg_command_ops bind_command = {
    .size = sizeof bind_command,
    .cmd = SG_CMD_BIND,
    .start = bind_start,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("command_bind"), .command = &bind_command };
