/* SPDX-License-Identifier: BSD-2-Clause */
/* command_empty.c - a command that cannot be started. */
#include <sockgate/module.h>

static const struct sg_command_ops empty = { .size = sizeof empty, .cmd = SG_CMD_CONNECT };

const struct sg_module sg_module = { SG_MODULE_HEAD("command_empty"), .command = &empty };
