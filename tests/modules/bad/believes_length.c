/* SPDX-License-Identifier: BSD-2-Clause */
/* believes_length.c: copies as much as the client says, into less. */
#include <string.h>

#include <sockgate/module.h>

struct believes_slot {
    uint8_t name[32];
};

static enum sg_verdict
believes_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
                  struct sg_answer *answer)
{
    struct believes_slot *slot = sg_session_slot(inst, s);
    size_t len;
    const uint8_t *octets = sg_buf_data(in, &len);

    (void)out, (void)answer;
    if (!slot)
        return SG_ERROR;
    if (len < 2 || len < 2u + octets[1])
        return SG_UNDECIDED;
    memcpy(slot->name, octets + 2, octets[1]);
    return SG_DENY;
}

static const struct sg_auth_ops believes_auth = { .size = sizeof believes_auth,
                                                  .method = 0x81,
                                                  .assurance = SG_ASSURANCE_ASSERTED,
                                                  .exchange = believes_exchange,
                                                  .max_message = 257 };

const struct sg_module sg_module = { SG_MODULE_HEAD("believes_length"), .session_size = sizeof(struct believes_slot),
                                     .auth = &believes_auth };
