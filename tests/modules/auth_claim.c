/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_claim.c - a METHOD for tests, X'81': the client says who it is, and is believed.
 *
 *   client                                                     gateway
 *   01 NLEN name ASSURANCE NGROUPS { GLEN group } ...      ->
 *                                                          <-  01 00
 */
#include <string.h>

#include <sockgate/module.h>

#define METHOD_CLAIM 0x81
#define CLAIM_VER 1

/* Reads the groups behind `at`; the length of the message, 0: not whole, -1: refused. */
static ssize_t
claim_groups(const uint8_t *message, size_t len, size_t at, struct sg_answer *answer)
{
    const size_t n = message[at++];
    char group[256];

    for (size_t i = 0; i < n; i++) {
        if (len < at + 1 || len < at + 1 + message[at])
            return 0;
        memcpy(group, message + at + 1, message[at]);
        group[message[at]] = '\0';
        at += 1 + (size_t)message[at];
        if (answer && sg_answer_group(answer, group) == -1)
            return -1;
    }
    return (ssize_t)at;
}

static enum sg_verdict
claim_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
               struct sg_answer *answer)
{
    static const uint8_t reply[] = { CLAIM_VER, 0 };
    size_t len, name_len;
    const uint8_t *message = sg_buf_data(in, &len);
    ssize_t whole;

    (void)inst, (void)s;
    if (len > 0 && message[0] != CLAIM_VER)
        return SG_DENY;
    if (len < 2 || len < 4 + (name_len = message[1]) || (whole = claim_groups(message, len, 3 + name_len, NULL)) == 0)
        return SG_UNDECIDED;
    if (sg_answer_name(answer, (const char *)message + 2, name_len) == -1 ||
        claim_groups(message, len, 3 + name_len, answer) == -1 || sg_buf_append(out, reply, sizeof reply) == -1)
        return SG_ERROR;
    sg_answer_assurance(answer, message[2 + name_len]);
    sg_buf_consume(in, (size_t)whole);
    return SG_OK;
}

static const struct sg_auth_ops claim_auth = {
    .size = sizeof claim_auth,
    .method = METHOD_CLAIM,
    .assurance = SG_ASSURANCE_NONE,
    .exchange = claim_exchange,
    .max_message = 4096,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("auth_claim"), .version = "1.0", .auth = &claim_auth };
