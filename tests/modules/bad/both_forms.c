/* SPDX-License-Identifier: BSD-2-Clause */
/* both_forms.c - check and exchange at once. */
#include <sockgate/module.h>

static enum sg_verdict
both_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    (void)inst, (void)creds, (void)answer;
    return SG_OK;
}

static enum sg_verdict
both_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
              struct sg_answer *answer)
{
    (void)inst, (void)s, (void)in, (void)out, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops both_forms_auth = {
    .size = sizeof both_forms_auth,
    .method = SG_METHOD_PRIVATE_FIRST,
    .in_worker = true,
    .check = both_check,
    .exchange = both_exchange,
    .max_message = 1,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("both_forms"), .auth = &both_forms_auth };
