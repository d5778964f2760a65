/* SPDX-License-Identifier: BSD-2-Clause */
/* max_message.c - an exchange whose messages have no bound. */
#include <sockgate/module.h>

static enum sg_verdict
unbounded_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
                   struct sg_answer *answer)
{
    (void)inst, (void)s, (void)in, (void)out, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops max_message_auth = {
    .size = sizeof max_message_auth,
    .method = SG_METHOD_PRIVATE_FIRST,
    .exchange = unbounded_exchange,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("max_message"), .auth = &max_message_auth };
