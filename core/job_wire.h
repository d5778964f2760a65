/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * job_wire.h - what worker and helper say to each other, as pure functions over messages (msg.h).
 *
 *   worker                                helper
 *   JOB, with one end of a channel   ->                  over the pool's socket: whoever is free takes it
 *                                    <-   JOB_TAKEN      over that channel: this is who I am
 *                                    <-   JOB_ANSWER     and the end: an answer counts when nothing can follow it
 *
 * Neither believes the other: what is missing, there twice, unknown, or too long makes the whole message worthless.
 */
#ifndef SG_JOB_WIRE_H
#define SG_JOB_WIRE_H

#include <sys/types.h>

#include <sockgate/auth.h>

#include "answer.h"
#include "msg.h"

/* What is to be done: a check, or, with creds.kind 0, the work of a module. Pointers lie in the message. */
struct sg_job_order {
    struct sg_creds creds;
    const void *work;
    size_t work_len;
};

/* `fd`: the helper's end of the channel. */
void sg_job_put_order(struct sg_msg *msg, const struct sg_job_order *order, int fd);
int sg_job_get_order(const struct sg_msg *msg, struct sg_job_order *order_out); /* -1: worthless */
void sg_job_put_taken(struct sg_msg *msg, pid_t pid);
int sg_job_get_taken(const struct sg_msg *msg, pid_t *pid_out);
/* An answer that did not fit goes as SG_ERROR, with that as the reason. */
void sg_job_put_answer(struct sg_msg *msg, enum sg_verdict verdict, const struct sg_answer *answer);
/* `answer`: empty; on -1 it is empty again. */
int sg_job_get_answer(const struct sg_msg *msg, enum sg_verdict *verdict_out, struct sg_answer *answer);

#endif
