/* SPDX-License-Identifier: BSD-2-Clause */
/* check_gssapi.c - a check for a METHOD that has messages of its own. */
#include <sockgate/module.h>

static enum sg_verdict
gssapi_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)creds, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops check_gssapi_auth = {
    .size = sizeof check_gssapi_auth,
    .method = SG_METHOD_GSSAPI,
    .in_worker = true,
    .check = gssapi_check,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("check_gssapi"), .auth = &check_gssapi_auth };
