/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What worker and helper say to each other: the first octet is the type of the message less 80, the rest its fields. What
 * is taken for an order or an answer has only strings that can be used as such, and can be said again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "job_wire.h"

static struct sg_msg msg, again;

static void
fuzz_order(void)
{
    struct sg_job_order order, same;

    if (sg_job_get_order(&msg, &order) == -1)
        return;
    sg_job_put_order(&again, &order, 0);
    if (sg_job_get_order(&again, &same) == -1 || same.work_len != order.work_len ||
        same.creds.kind != order.creds.kind || same.creds.secret_len != order.creds.secret_len)
        abort();
    if (order.creds.kind == 0)
        return;
    if (order.creds.name_len > 255 || memchr(order.creds.name, 0, order.creds.name_len) != NULL ||
        order.creds.secret_len > 255 || memchr(order.creds.secret, 0, order.creds.secret_len) != NULL ||
        strlen(order.creds.listener) >= msg.len)
        abort();
}

static void
fuzz_answer(void)
{
    struct sg_answer answer = { 0 }, same = { 0 };
    enum sg_verdict verdict, said;

    if (sg_job_get_answer(&msg, &verdict, &answer) == 0) {
        if (answer.name != NULL && strlen(answer.name) != answer.name_len)
            abort();
        sg_job_put_answer(&again, verdict, &answer);
        if (sg_job_get_answer(&again, &said, &same) == -1 || said != verdict || same.n_groups != answer.n_groups)
            abort();
    } else if (answer.name != NULL || answer.groups != NULL) {
        abort();
    }
    sg_answer_free(&answer);
    sg_answer_free(&same);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pid_t pid, same;

    if (size < 1 || size - 1 > sizeof msg.data)
        return 0;
    sg_msg_begin(&msg, (enum sg_msg_type)(SG_MSG_JOB + data[0]));
    memcpy(msg.data, data + 1, size - 1);
    msg.len = size - 1;
    fuzz_order();
    fuzz_answer();
    if (sg_job_get_taken(&msg, &pid) == 0) {
        sg_job_put_taken(&again, pid);
        if (pid <= 0 || sg_job_get_taken(&again, &same) == -1 || same != pid)
            abort();
    }
    return 0;
}
