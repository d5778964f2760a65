/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_none - METHOD X'00': everybody is welcome, nobody has a name.
 */
#include <sockgate/module.h>

static enum sg_verdict
none_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)creds, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops none_auth = {
    .size = sizeof none_auth,
    .method = SG_METHOD_NONE,
    .assurance = SG_ASSURANCE_NONE,
    .in_worker = true,
    .check = none_check,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("auth_none"), .version = "0.1.0", .auth = &none_auth };
