/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange_00.c - claims to have messages for the METHOD that has none. */
#include <sockgate/module.h>

static enum sg_verdict
zero_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
              struct sg_answer *answer)
{
    (void)inst, (void)s, (void)in, (void)out, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops zero_auth = {
    .size = sizeof zero_auth,
    .method = SG_METHOD_NONE,
    .exchange = zero_exchange,
    .max_message = 1,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("exchange_00"), .auth = &zero_auth };
