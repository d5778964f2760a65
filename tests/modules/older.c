/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * older.c - as if it was made for a version with shorter structs: what lies behind their sizes was not there then, and
 * must not be seen now.
 */
#include <sockgate/module.h>

static enum sg_verdict
older_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    (void)inst, (void)s, (void)req, (void)decision;
    return SG_DECLINED;
}

static enum sg_verdict
older_target(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
             struct sg_decision *decision)
{
    (void)inst, (void)s, (void)req, (void)addr, (void)decision;
    return SG_OK;
}

static const struct sg_access_ops older_access = {
    .size = offsetof(struct sg_access_ops, target),
    .request = older_request,
    .target = older_target,
};

static const struct sg_command_ops older_command = { .size = 0 };

const struct sg_module sg_module = {
    .magic = SG_MODULE_MAGIC,
    .abi_major = SG_ABI_MAJOR,
    .abi_minor = SG_ABI_MINOR,
    .size = offsetof(struct sg_module, command),
    .conf_item_size = sizeof(struct sg_conf_item),
    .name = "older",
    .access = &older_access,
    .command = &older_command,
};
