/* SPDX-License-Identifier: BSD-2-Clause */
/* check_blocks.c - a check for a helper process. */
#include <sockgate/module.h>

static enum sg_verdict
blocks_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)creds, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops check_blocks_auth = {
    .size = sizeof check_blocks_auth,
    .method = SG_METHOD_NONE,
    .check = blocks_check,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("check_blocks"), .auth = &check_blocks_auth };
