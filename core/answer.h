/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.h - what an auth module says about a client: filled through the sg_answer_*() calls, then taken over by the
 * session as its identity. Everything is copied; what does not fit makes the answer a failure, nothing is cut.
 */
#ifndef SG_ANSWER_H
#define SG_ANSWER_H

#include <stdbool.h>

#include <sockgate/auth.h>

#define SG_ANSWER_NAME_MAX 255
#define SG_ANSWER_TOTAL_MAX 65536
#define SG_ANSWER_DELAY_MAX 15000

struct sg_answer {
    char *name; /* malloc */
    size_t name_len;
    char **groups; /* malloc, each too */
    uint16_t n_groups;
    size_t total; /* octets of all strings */
    uint8_t assurance;
    bool failed;       /* something did not fit or no memory */
    uint16_t delay_ms; /* how long a refusal is to be held back; at most SG_ANSWER_DELAY_MAX */
    uint8_t cd;        /* of a SOCKS4 reply if the login fails; 0: SG_CD_REJECTED */
    char *reason;      /* malloc; NULL: none */
};

void sg_answer_init(struct sg_answer *answer, uint8_t assurance);
void sg_answer_free(struct sg_answer *answer); /* NULL is ignored */
/* As sg_answer_group(), for octets that came from another process: -1 with a NUL inside. */
int sg_answer_group_octets(struct sg_answer *answer, const char *group, size_t len);

#endif
