/* SPDX-License-Identifier: BSD-2-Clause */
/* method_ff.c - claims the METHOD that means: none of yours. */
#include <sockgate/module.h>

static enum sg_verdict
ff_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
            struct sg_answer *answer)
{
    (void)inst, (void)s, (void)in, (void)out, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops method_ff_auth = {
    .size = sizeof method_ff_auth,
    .method = SG_METHOD_NO_ACCEPTABLE,
    .assurance = SG_ASSURANCE_PASSWORD,
    .exchange = ff_exchange,
    .max_message = 1,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("method_ff"), .auth = &method_ff_auth };
