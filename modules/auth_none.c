/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_none.c - METHOD X'00' of RFC 1928: everybody may come in, and nobody says who they are.
 *
 * The smallest module that ships. A module is a shared object with one constant, `sg_module`, which says what it is and
 * which functions it has; all the rest is optional. This one has one role, `auth`, with one function.
 */
#include <sockgate/module.h>

static enum sg_verdict
none_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    /* No name is put into the answer: the identity stays empty. */
    (void)inst, (void)creds, (void)answer;
    return SG_OK;
}

static const struct sg_auth_ops none_auth = {
    .size = sizeof none_auth,
    .method = SG_METHOD_NONE,
    .assurance = SG_ASSURANCE_NONE,
    .in_worker = true, /* it cannot block, so it needs no helper process */
    .check = none_check,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("auth_none"), .version = "0.1.0", .auth = &none_auth };
