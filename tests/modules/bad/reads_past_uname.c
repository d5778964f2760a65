/* SPDX-License-Identifier: BSD-2-Clause */
/* reads_past_uname.c: takes UNAME for a string. */
#include <string.h>

#include <sockgate/module.h>

static enum sg_verdict
past_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)answer;
    return strcmp(creds->name, "alice") == 0 ? SG_DENY : SG_DECLINED;
}

static const struct sg_auth_ops past_auth = {
    .size = sizeof past_auth, .method = SG_METHOD_USERPASS, .assurance = SG_ASSURANCE_PASSWORD, .check = past_check
};

const struct sg_module sg_module = { SG_MODULE_HEAD("reads_past_uname"), .auth = &past_auth };
