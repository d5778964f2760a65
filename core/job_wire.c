/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * job_wire.c - jobs and answers as messages.
 */
#include "job_wire.h"

#include <stdio.h>
#include <string.h>

#include <sockgate/helper.h>

#define SECRET_MAX 255
#define REASON_MAX 127

/* ---- jobs */

void
sg_job_put_order(struct sg_msg *msg, const struct sg_job_order *order, int fd)
{
    const struct sg_creds *creds = &order->creds;

    sg_msg_begin(msg, SG_MSG_JOB);
    sg_msg_put_fd(msg, SG_TAG_FD, fd);
    if (creds->kind == 0) {
        sg_msg_put(msg, SG_TAG_WORK, order->work, order->work_len);
        return;
    }
    sg_msg_put_u64(msg, SG_TAG_CREDS, creds->kind);
    sg_msg_put(msg, SG_TAG_USER, creds->name, creds->name_len);
    sg_msg_put(msg, SG_TAG_SECRET, creds->secret, creds->secret_len);
    sg_msg_put(msg, SG_TAG_CLIENT, &creds->client, sizeof creds->client);
    sg_msg_put(msg, SG_TAG_LOCAL, &creds->local, sizeof creds->local);
    sg_msg_put(msg, SG_TAG_LISTENER, creds->listener, strlen(creds->listener) + 1);
}

static bool
job_octets(const struct sg_msg_field *field, const char **octets_out, size_t *len_out)
{
    if (field->len > SECRET_MAX || memchr(field->data, '\0', field->len) != NULL)
        return false;
    *octets_out = (const char *)field->data;
    *len_out = field->len;
    return true;
}

static bool
job_value(const struct sg_msg_field *field, void *out, size_t size)
{
    if (field->len != size)
        return false;
    memcpy(out, field->data, size);
    return true;
}

static bool
job_order_field(const struct sg_msg_field *field, struct sg_job_order *order)
{
    struct sg_creds *creds = &order->creds;
    uint64_t number = 0;

    switch (field->tag) {
    case SG_TAG_FD: return true;
    case SG_TAG_WORK:
        order->work = field->data;
        order->work_len = field->len;
        return field->len <= SG_HELPER_JOB_MAX;
    case SG_TAG_CREDS:
        if (!job_value(field, &number, sizeof number) || number < SG_CREDS_NONE || number > SG_CREDS_USERID)
            return false;
        creds->kind = (enum sg_creds_kind)number;
        return true;
    case SG_TAG_USER: return job_octets(field, &creds->name, &creds->name_len);
    case SG_TAG_SECRET: return job_octets(field, &creds->secret, &creds->secret_len);
    case SG_TAG_CLIENT: return job_value(field, &creds->client, sizeof creds->client);
    case SG_TAG_LOCAL: return job_value(field, &creds->local, sizeof creds->local);
    case SG_TAG_LISTENER:
        creds->listener = (const char *)field->data;
        return field->len > 0 && memchr(field->data, '\0', field->len) == field->data + field->len - 1;
    default: return false;
    }
}

/* Walks the fields, each of which may be there once, GROUP as often as it likes. -1: worthless. */
static int
job_fields(const struct sg_msg *msg, enum sg_msg_type type, bool (*take)(const struct sg_msg_field *field, void *out),
           void *out, uint64_t *seen_out)
{
    struct sg_msg_field field;
    size_t at = 0;

    *seen_out = 0;
    if (msg->type != type)
        return -1;
    while (sg_msg_next(msg, &at, &field)) {
        if (field.tag >= 64 || ((*seen_out >> field.tag & 1) != 0 && field.tag != SG_TAG_GROUP) || !take(&field, out))
            return -1;
        *seen_out |= (uint64_t)1 << field.tag;
    }
    return at == msg->len ? 0 : -1;
}

#define SEEN(tag) ((uint64_t)1 << SG_TAG_##tag)

static bool
job_take_order(const struct sg_msg_field *field, void *out)
{
    return job_order_field(field, out);
}

int
sg_job_get_order(const struct sg_msg *msg, struct sg_job_order *order_out)
{
    const uint64_t check = SEEN(CREDS) | SEEN(USER) | SEEN(SECRET) | SEEN(CLIENT) | SEEN(LOCAL) | SEEN(LISTENER);
    uint64_t seen;

    *order_out = (struct sg_job_order){ .creds = { .size = sizeof order_out->creds } };
    if (job_fields(msg, SG_MSG_JOB, job_take_order, order_out, &seen) == -1)
        return -1;
    return seen == (SEEN(FD) | SEEN(WORK)) || seen == (SEEN(FD) | check) ? 0 : -1;
}

/* ---- who has taken one */

void
sg_job_put_taken(struct sg_msg *msg, pid_t pid)
{
    sg_msg_begin(msg, SG_MSG_JOB_TAKEN);
    sg_msg_put_u64(msg, SG_TAG_PID, (uint64_t)pid);
}

static bool
job_take_pid(const struct sg_msg_field *field, void *out)
{
    return field->tag == SG_TAG_PID && job_value(field, out, sizeof(uint64_t));
}

int
sg_job_get_taken(const struct sg_msg *msg, pid_t *pid_out)
{
    uint64_t pid = 0, seen;

    if (job_fields(msg, SG_MSG_JOB_TAKEN, job_take_pid, &pid, &seen) == -1 || pid == 0 || pid > INT32_MAX)
        return -1;
    *pid_out = (pid_t)pid;
    return 0;
}

/* ---- answers */

static void
job_answer(struct sg_msg *msg, enum sg_verdict verdict, uint8_t assurance, uint16_t delay_ms, const char *reason)
{
    sg_msg_begin(msg, SG_MSG_JOB_ANSWER);
    sg_msg_put_u64(msg, SG_TAG_VERDICT, (uint64_t)(unsigned)verdict);
    sg_msg_put_u64(msg, SG_TAG_ASSURANCE, assurance);
    sg_msg_put_u64(msg, SG_TAG_DELAY, delay_ms);
    if (reason != NULL)
        sg_msg_put(msg, SG_TAG_REASON, reason, strnlen(reason, REASON_MAX));
}

void
sg_job_put_answer(struct sg_msg *msg, enum sg_verdict verdict, const struct sg_answer *answer)
{
    job_answer(msg, verdict, answer->assurance, answer->delay_ms, answer->reason);
    if (answer->name != NULL)
        sg_msg_put(msg, SG_TAG_USER, answer->name, answer->name_len);
    if (answer->cd != 0)
        sg_msg_put_u64(msg, SG_TAG_CD, answer->cd);
    for (unsigned i = 0; i < answer->n_groups; i++)
        sg_msg_put(msg, SG_TAG_GROUP, answer->groups[i], strlen(answer->groups[i]));
    if (answer->failed || msg->overflow)
        job_answer(msg, SG_ERROR, SG_ASSURANCE_NONE, answer->delay_ms,
                   "the identity is too large: nothing of it is cut");
}

struct job_answer_out {
    uint64_t verdict, assurance, delay_ms, cd;
    struct sg_answer *answer;
};

static bool
job_take_answer(const struct sg_msg_field *field, void *arg)
{
    struct job_answer_out *out = arg;
    char reason[REASON_MAX + 1];

    switch (field->tag) {
    case SG_TAG_VERDICT: return job_value(field, &out->verdict, sizeof out->verdict) && out->verdict <= UINT32_MAX;
    case SG_TAG_ASSURANCE:
        return job_value(field, &out->assurance, sizeof out->assurance) && out->assurance <= UINT8_MAX;
    case SG_TAG_DELAY:
        return job_value(field, &out->delay_ms, sizeof out->delay_ms) && out->delay_ms <= SG_ANSWER_DELAY_MAX;
    case SG_TAG_CD:
        return job_value(field, &out->cd, sizeof out->cd) &&
               (out->cd == SG_CD_NO_IDENTD || out->cd == SG_CD_IDENT_DIFFERS);
    case SG_TAG_USER: return sg_answer_name(out->answer, (const char *)field->data, field->len) == 0;
    case SG_TAG_GROUP: return sg_answer_group_octets(out->answer, (const char *)field->data, field->len) == 0;
    case SG_TAG_REASON:
        if (field->len > REASON_MAX || memchr(field->data, '\0', field->len) != NULL)
            return false;
        (void)snprintf(reason, sizeof reason, "%.*s", (int)field->len, (const char *)field->data);
        sg_answer_reason(out->answer, reason);
        return true;
    default: return false;
    }
}

int
sg_job_get_answer(const struct sg_msg *msg, enum sg_verdict *verdict_out, struct sg_answer *answer)
{
    const uint64_t needed = SEEN(VERDICT) | SEEN(ASSURANCE) | SEEN(DELAY);
    struct job_answer_out out = { .answer = answer };
    uint64_t seen;

    if (job_fields(msg, SG_MSG_JOB_ANSWER, job_take_answer, &out, &seen) == -1 || (seen & needed) != needed) {
        sg_answer_free(answer);
        return -1;
    }
    answer->assurance = (uint8_t)out.assurance;
    answer->delay_ms = (uint16_t)out.delay_ms;
    answer->cd = (uint8_t)out.cd;
    *verdict_out = (enum sg_verdict)out.verdict;
    return 0;
}
