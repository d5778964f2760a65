/* SPDX-License-Identifier: BSD-2-Clause */
/* keeps_creds.c: remembers who was here last by a pointer, and is too late when it looks. */
#include <string.h>

#include <sockgate/module.h>

static const char *last;
static size_t last_len;

static enum sg_verdict
keeps_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    const bool same = last && last_len == creds->name_len && memcmp(last, creds->name, last_len) == 0;

    (void)inst, (void)answer;
    last = creds->name;
    last_len = creds->name_len;
    return same ? SG_DENY : SG_DECLINED;
}

static const struct sg_auth_ops keeps_auth = {
    .size = sizeof keeps_auth, .method = SG_METHOD_USERPASS, .assurance = SG_ASSURANCE_PASSWORD, .check = keeps_check
};

const struct sg_module sg_module = { SG_MODULE_HEAD("keeps_creds"), .auth = &keeps_auth };
