/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.c - the identity in the making.
 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

void
sg_answer_init(struct sg_answer *answer, uint8_t assurance)
{
    *answer = (struct sg_answer){ .assurance = assurance };
}

void
sg_answer_free(struct sg_answer *answer)
{
    if (answer == NULL)
        return;
    free(answer->name);
    for (unsigned i = 0; i < answer->n_groups; i++)
        free(answer->groups[i]);
    free(answer->groups);
    free(answer->reason);
    *answer = (struct sg_answer){ 0 };
}

static int
answer_fail(struct sg_answer *answer)
{
    answer->failed = true;
    return -1;
}

int
sg_answer_name(struct sg_answer *answer, const char *name, size_t len)
{
    char *copy;

    if (len > SG_ANSWER_NAME_MAX || memchr(name, '\0', len) != NULL || (copy = malloc(len + 1)) == NULL)
        return answer_fail(answer);
    memcpy(copy, name, len);
    copy[len] = '\0';
    answer->total = answer->total - answer->name_len + len;
    free(answer->name);
    answer->name = copy;
    answer->name_len = len;
    return 0;
}

int
sg_answer_group_octets(struct sg_answer *answer, const char *group, size_t len)
{
    char **more, *copy;

    if (answer->total + len + 1 > SG_ANSWER_TOTAL_MAX || answer->n_groups == UINT16_MAX ||
        memchr(group, '\0', len) != NULL)
        return answer_fail(answer);
    copy = strndup(group, len);
    more = realloc(answer->groups, (answer->n_groups + 1u) * sizeof(char *));
    if (more != NULL)
        answer->groups = more;
    if (copy == NULL || more == NULL) {
        free(copy);
        return answer_fail(answer);
    }
    answer->groups[answer->n_groups++] = copy;
    answer->total += len + 1;
    return 0;
}

int
sg_answer_group(struct sg_answer *answer, const char *group)
{
    return sg_answer_group_octets(answer, group, strlen(group));
}

void
sg_answer_assurance(struct sg_answer *answer, uint8_t assurance)
{
    answer->assurance = assurance;
}

void
sg_answer_delay(struct sg_answer *answer, int64_t ms)
{
    const uint16_t delay = (uint16_t)(ms < 0 ? 0 : ms > SG_ANSWER_DELAY_MAX ? SG_ANSWER_DELAY_MAX : ms);

    if (delay > answer->delay_ms)
        answer->delay_ms = delay;
}

void
sg_answer_cd(struct sg_answer *answer, enum sg_cd cd)
{
    answer->cd = cd == SG_CD_NO_IDENTD || cd == SG_CD_IDENT_DIFFERS ? (uint8_t)cd : 0;
}

void
sg_answer_reason(struct sg_answer *answer, const char *reason)
{
    free(answer->reason);
    answer->reason = strdup(reason);
}
