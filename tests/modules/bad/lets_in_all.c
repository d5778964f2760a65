/* SPDX-License-Identifier: BSD-2-Clause */
/* lets_in_all.c: has its test the wrong way round. */
#include <string.h>

#include <sockgate/module.h>

static enum sg_verdict
all_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)answer;
    return creds->secret_len == 6 && memcmp(creds->secret, "secret", 6) == 0 ? SG_DENY : SG_OK;
}

static const struct sg_auth_ops all_auth = {
    .size = sizeof all_auth, .method = SG_METHOD_USERPASS, .assurance = SG_ASSURANCE_PASSWORD, .check = all_check
};

const struct sg_module sg_module = { SG_MODULE_HEAD("lets_in_all"), .auth = &all_auth };
