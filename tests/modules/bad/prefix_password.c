/* SPDX-License-Identifier: BSD-2-Clause */
/* prefix_password.c: compares as many octets as the client has sent. */
#include <string.h>

#include <sockgate/module.h>

static enum sg_verdict
prefix_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    static const char secret[] = "secret";

    (void)inst, (void)answer;
    if (creds->name_len != 5 || memcmp(creds->name, "alice", 5) != 0)
        return SG_DECLINED;
    return creds->secret_len < sizeof secret && memcmp(creds->secret, secret, creds->secret_len) == 0 ? SG_OK : SG_DENY;
}

static const struct sg_auth_ops prefix_auth = {
    .size = sizeof prefix_auth, .method = SG_METHOD_USERPASS, .assurance = SG_ASSURANCE_PASSWORD, .check = prefix_check
};

const struct sg_module sg_module = { SG_MODULE_HEAD("prefix_password"), .auth = &prefix_auth };
