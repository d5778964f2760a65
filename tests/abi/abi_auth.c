/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi_auth.c - buffers, answers and filters, by a METHOD X'81' of one message: the client sends "hello\n" and is alice.
 * The filter turns every octet around (xor FF) and frames nothing: a chunk of octets is a frame.
 */
#include <string.h>

#include "expect.h"

#define HELLO "hello\n"
#define HELLO_LEN (sizeof HELLO - 1)
#define CHUNK_MAX 1024

static size_t filters; /* that live in this process */

static int
chunk_turn(const uint8_t *octets, size_t len, struct sg_buf *out)
{
    uint8_t turned[CHUNK_MAX];

    for (size_t i = 0; i < len; i++)
        turned[i] = octets[i] ^ 0xff;
    return sg_buf_append(out, turned, len);
}

static int
abi_wrap(void *state, const uint8_t *plain, size_t len, struct sg_buf *out)
{
    (void)state;
    return chunk_turn(plain, len, out);
}

static ssize_t
abi_unwrap(void *state, const uint8_t *wire, size_t len, struct sg_buf *out)
{
    size_t taken = len < CHUNK_MAX ? len : CHUNK_MAX;

    (void)state;
    return chunk_turn(wire, taken, out) == -1 ? -1 : (ssize_t)taken;
}

static int
abi_unwrap_datagram(void *state, const uint8_t *wire, size_t len, struct sg_buf *out)
{
    return abi_wrap(state, wire, len, out);
}

static void
abi_filter_free(void *state)
{
    size_t *count = state;

    (*count)--;
}

static const struct sg_filter_ops abi_filter = {
    .size = sizeof abi_filter,
    .max_plain = CHUNK_MAX,
    .max_overhead = 0,
    .wrap = abi_wrap,
    .unwrap = abi_unwrap,
    .wrap_datagram = abi_wrap,
    .unwrap_datagram = abi_unwrap_datagram,
    .free = abi_filter_free,
};

static const struct sg_filter_ops abi_bad_filter = {
    .size = sizeof abi_bad_filter,
    .max_plain = 0,
    .max_overhead = 0,
    .wrap = abi_wrap,
    .unwrap = abi_unwrap,
};

static void
abi_buffers(struct sg_instance *inst, struct sg_buf *in, struct sg_buf *out)
{
    static const uint8_t octets[1];
    size_t room = sg_buf_room(out), len;

    EXPECT(inst, room > 0);
    EXPECT(inst, sg_buf_append(out, octets, room + 1) == -1 && sg_buf_room(out) == room);
    EXPECT(inst, sg_buf_append(out, "xwelcome\n", 9) == 0 && sg_buf_room(out) == room - 9);
    sg_buf_consume(out, 1);
    EXPECT(inst, memcmp(sg_buf_data(out, &len), "welcome\n", 8) == 0 && len == 8);
    sg_buf_consume(in, HELLO_LEN);
}

static void
abi_answers(struct sg_instance *inst, struct sg_answer *answer)
{
    EXPECT(inst, sg_answer_name(answer, "alice", 5) == 0);
    EXPECT(inst, sg_answer_group(answer, "staff") == 0 && sg_answer_group(answer, "wheel") == 0);
    sg_answer_assurance(answer, SG_ASSURANCE_KERBEROS);
    sg_answer_reason(answer, "she said hello");
    sg_answer_delay(answer, 5);
    sg_answer_cd(answer, SG_CD_NO_IDENTD);
}

static enum sg_verdict
abi_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
             struct sg_answer *answer)
{
    size_t len;
    const uint8_t *octets = sg_buf_data(in, &len);

    if (len < HELLO_LEN)
        return SG_UNDECIDED;
    if (memcmp(octets, HELLO, HELLO_LEN) != 0)
        return SG_DENY;
    abi_buffers(inst, in, out);
    abi_answers(inst, answer);
    EXPECT(inst, sg_session_set_filter(s, &abi_bad_filter, NULL) == -1);
    filters++;
    EXPECT(inst, sg_session_set_filter(s, &abi_filter, &filters) == 0);
    EXPECT(inst, sg_session_set_filter(s, &abi_filter, &filters) == -1);
    return SG_OK;
}

static int
abi_init(struct sg_instance *inst)
{
    EXPECT(inst, sg_auth_watch(inst, "relative") == -1);
    EXPECT(inst, sg_auth_watch(inst, "/nowhere/at/all") == 0);
    sg_auth_changed(inst);
    return 0;
}

static void
abi_stop(struct sg_instance *inst)
{
    EXPECT(inst, filters == 0);
}

static const struct sg_auth_ops abi_auth = {
    .size = sizeof abi_auth,
    .method = SG_METHOD_PRIVATE_FIRST + 1,
    .assurance = SG_ASSURANCE_PASSWORD,
    .exchange = abi_exchange,
    .max_message = 64,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("abi_auth"),
    .init = abi_init,
    .stop = abi_stop,
    .auth = &abi_auth,
};
