/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_x80.c - a METHOD of our own, X'80', made like GSSAPI: messages both ways, then everything is encapsulated.
 *
 *   client                         gateway
 *   01 LEN name                ->
 *                              <-  01 08 nonce
 *   02 08 proof                ->               proof: nonce xor secret, octet by octet
 *                              <-  02 01 00     and from here on frames; 02 01 01: refused
 *   80 LEN16 octets xor key   <->               key: the nonce, running on from frame to frame, each way by itself
 *
 * It protects nothing. It shows that the ABI carries a METHOD which does.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <sockgate/module.h>

#define METHOD_X80 0x80
#define TYPE_HELLO 1
#define TYPE_PROOF 2
#define NONCE_LEN 8
#define FRAME_HEAD 3
#define FRAME_PLAIN_MAX 4096

struct x80_conf {
    const char *secret;
    int64_t delay; /* the proof is checked that much later: milliseconds */
    bool datagrams;
};

static const struct sg_conf_item x80_items[] = {
    { .name = "secret",
      .type = SG_CONF_SECRET,
      .offset = offsetof(struct x80_conf, secret),
      .def = "sockgate",
      .help = "what the proof is made with" },
    { .name = "delay",
      .type = SG_CONF_DURATION,
      .offset = offsetof(struct x80_conf, delay),
      .def = "0",
      .help = "how long the proof is thought about" },
    { .name = "datagrams",
      .type = SG_CONF_BOOL,
      .offset = offsetof(struct x80_conf, datagrams),
      .def = "true",
      .help = "are datagrams encapsulated too" },
    { .name = NULL },
};

struct x80_slot {
    bool greeted;
    uint8_t nonce[NONCE_LEN];
    uint8_t name_len;
    char name[255];
    struct sg_pending *pending;
};

/* ---- the filter */

struct x80_filter {
    uint8_t key[NONCE_LEN];
    size_t sent, received; /* octets so far: where each way stands in the key */
};

static void
filter_crypt(const struct x80_filter *filter, size_t *position, uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = from[i] ^ filter->key[(*position)++ % NONCE_LEN];
}

static int
filter_wrap(void *state, const uint8_t *plain, size_t len, struct sg_buf *out)
{
    struct x80_filter *filter = state;
    uint8_t frame[FRAME_HEAD + FRAME_PLAIN_MAX] = { METHOD_X80, (uint8_t)(len >> 8), (uint8_t)len };

    filter_crypt(filter, &filter->sent, frame + FRAME_HEAD, plain, len);
    return sg_buf_append(out, frame, FRAME_HEAD + len);
}

static ssize_t
filter_unwrap(void *state, const uint8_t *wire, size_t len, struct sg_buf *out)
{
    struct x80_filter *filter = state;
    uint8_t plain[FRAME_PLAIN_MAX];
    size_t plain_len;

    if (len > 0 && wire[0] != METHOD_X80)
        return -1;
    if (len < FRAME_HEAD)
        return 0;
    plain_len = (size_t)wire[1] << 8 | wire[2];
    if (plain_len == 0 || plain_len > FRAME_PLAIN_MAX)
        return -1;
    if (len < FRAME_HEAD + plain_len)
        return 0;
    filter_crypt(filter, &filter->received, plain, wire + FRAME_HEAD, plain_len);
    if (sg_buf_append(out, plain, plain_len) == -1)
        return -1;
    return (ssize_t)(FRAME_HEAD + plain_len);
}

/* A datagram begins at the beginning of the key, whatever came before it. */
static int
filter_wrap_datagram(void *state, const uint8_t *plain, size_t len, struct sg_buf *out)
{
    struct x80_filter filter = *(struct x80_filter *)state;

    filter.sent = 0;
    return filter_wrap(&filter, plain, len, out);
}

static int
filter_unwrap_datagram(void *state, const uint8_t *wire, size_t len, struct sg_buf *out)
{
    struct x80_filter filter = *(struct x80_filter *)state;

    filter.received = 0;
    return len > 0 && filter_unwrap(&filter, wire, len, out) == (ssize_t)len ? 0 : -1;
}

static const struct sg_filter_ops x80_filter_ops = {
    .size = sizeof x80_filter_ops,
    .max_plain = FRAME_PLAIN_MAX,
    .max_overhead = FRAME_HEAD,
    .wrap = filter_wrap,
    .unwrap = filter_unwrap,
    .wrap_datagram = filter_wrap_datagram,
    .unwrap_datagram = filter_unwrap_datagram,
    .free = free,
};

static const struct sg_filter_ops x80_filter_no_datagrams = {
    .size = sizeof x80_filter_no_datagrams,
    .max_plain = FRAME_PLAIN_MAX,
    .max_overhead = FRAME_HEAD,
    .wrap = filter_wrap,
    .unwrap = filter_unwrap,
    .free = free,
};

static int
filter_install(struct sg_instance *inst, struct sg_session *s, const struct x80_slot *slot)
{
    const struct x80_conf *conf = sg_instance_conf(inst);
    struct x80_filter *filter = calloc(1, sizeof *filter);

    if (!filter)
        return -1;
    memcpy(filter->key, slot->nonce, sizeof filter->key);
    if (sg_session_set_filter(s, conf->datagrams ? &x80_filter_ops : &x80_filter_no_datagrams, filter) == -1) {
        free(filter);
        return -1;
    }
    return 0;
}

/* ---- the messages */

static enum sg_verdict
x80_hello(struct x80_slot *slot, const uint8_t *name, uint8_t name_len, struct sg_buf *out)
{
    uint8_t reply[2 + NONCE_LEN] = { TYPE_HELLO, NONCE_LEN };

    if (getrandom(slot->nonce, sizeof slot->nonce, GRND_NONBLOCK) != (ssize_t)sizeof slot->nonce)
        return SG_ERROR;
    memcpy(slot->name, name, name_len);
    slot->name_len = name_len;
    slot->greeted = true;
    memcpy(reply + 2, slot->nonce, NONCE_LEN);
    return sg_buf_append(out, reply, sizeof reply) == -1 ? SG_ERROR : SG_UNDECIDED;
}

static bool
x80_proven(const struct x80_slot *slot, const char *secret, const uint8_t *proof, size_t len)
{
    size_t secret_len = strlen(secret);
    uint8_t differs = 0;

    if (len != NONCE_LEN || secret_len == 0)
        return false;
    for (size_t i = 0; i < NONCE_LEN; i++)
        differs |= (uint8_t)(proof[i] ^ slot->nonce[i] ^ (uint8_t)secret[i % secret_len]);
    return differs == 0;
}

static void
x80_thought(struct sg_instance *inst, struct sg_session *s, void *arg)
{
    struct x80_slot *slot = arg;

    (void)inst, (void)s;
    sg_pending_resolve(slot->pending, SG_OK);
}

static enum sg_verdict
x80_proof(struct sg_instance *inst, struct sg_session *s, struct x80_slot *slot, const uint8_t *proof, size_t len,
          struct sg_buf *out, struct sg_answer *answer)
{
    const struct x80_conf *conf = sg_instance_conf(inst);
    bool proven = x80_proven(slot, conf->secret, proof, len);
    const uint8_t reply[] = { TYPE_PROOF, 1, proven ? 0 : 1 };

    if (sg_buf_append(out, reply, sizeof reply) == -1)
        return SG_ERROR;
    if (!proven) {
        sg_answer_reason(answer, "the proof is wrong");
        return SG_DENY;
    }
    if (sg_answer_name(answer, slot->name, slot->name_len) == -1 || sg_answer_group(answer, "x80") == -1 ||
        filter_install(inst, s, slot) == -1)
        return SG_ERROR;
    if (conf->delay == 0)
        return SG_OK;
    slot->pending = sg_pending_new(inst, s);
    if (!slot->pending || !sg_timer_start(inst, s, conf->delay, x80_thought, slot))
        return SG_ERROR;
    return SG_AGAIN;
}

static enum sg_verdict
x80_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
             struct sg_answer *answer)
{
    struct x80_slot *slot = sg_session_slot(inst, s);
    enum sg_verdict verdict;
    const uint8_t *message;
    size_t len;

    if (!slot)
        return SG_ERROR;
    message = sg_buf_data(in, &len);
    if (len > 0 && message[0] != (slot->greeted ? TYPE_PROOF : TYPE_HELLO)) {
        sg_answer_reason(answer, "not the message that was expected");
        return SG_DENY;
    }
    if (len < 2 || len < 2 + (size_t)message[1])
        return SG_UNDECIDED;
    if (!slot->greeted)
        verdict = x80_hello(slot, message + 2, message[1], out);
    else
        verdict = x80_proof(inst, s, slot, message + 2, message[1], out, answer);
    sg_buf_consume(in, 2 + (size_t)message[1]);
    return verdict;
}

static void
x80_session_end(struct sg_instance *inst, struct sg_session *s)
{
    sg_slog(inst, s, SG_LOG_INFO, "the slot is freed");
}

static const struct sg_auth_ops x80_auth = {
    .size = sizeof x80_auth,
    .method = METHOD_X80,
    .assurance = SG_ASSURANCE_PASSWORD,
    .exchange = x80_exchange,
    .max_message = 2 + 255,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("auth_x80"),
    .version = "1.0",
    .conf = x80_items,
    .conf_size = sizeof(struct x80_conf),
    .session_size = sizeof(struct x80_slot),
    .session_end = x80_session_end,
    .auth = &x80_auth,
};
