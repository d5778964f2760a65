/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_job_wire.c - jobs and answers as they travel: there and back, and worthless as soon as anything is cut off, there
 * twice, or with a NUL inside.
 */
#include <criterion/criterion.h>
#include <string.h>

#include <sockgate/helper.h>

#include "job_wire.h"

static struct sg_msg msg;

static const struct sg_job_order check = {
    .creds = { .kind = SG_CREDS_PASSWORD,
               .name = "alice",
               .name_len = 5,
               .secret = "se cret",
               .secret_len = 7,
               .client = { .family = SG_FAMILY_IPV4, .port = 40000, .ip = { 192, 0, 2, 1 } },
               .local = { .family = SG_FAMILY_IPV4, .port = 1080, .ip = { 192, 0, 2, 9 } },
               .listener = "lan" },
};

Test(job_wire, a_check_arrives)
{
    struct sg_job_order got;

    sg_job_put_order(&msg, &check, 0);
    cr_assert_eq(sg_job_get_order(&msg, &got), 0);
    cr_expect_eq(got.creds.kind, SG_CREDS_PASSWORD);
    cr_expect(got.creds.name_len == 5 && memcmp(got.creds.name, "alice", 5) == 0);
    cr_expect(got.creds.secret_len == 7 && memcmp(got.creds.secret, "se cret", 7) == 0);
    cr_expect(memcmp(&got.creds.client, &check.creds.client, sizeof got.creds.client) == 0);
    cr_expect_str_eq(got.creds.listener, "lan");
    cr_expect_eq(got.creds.size, sizeof got.creds);
}

Test(job_wire, work_arrives)
{
    struct sg_job_order got;
    static const char octets[SG_HELPER_JOB_MAX + 1] = "a\0b";

    sg_job_put_order(&msg, &(struct sg_job_order){ .work = octets, .work_len = 3 }, 0);
    cr_assert_eq(sg_job_get_order(&msg, &got), 0);
    cr_expect(got.creds.kind == 0 && got.work_len == 3 && memcmp(got.work, octets, 3) == 0);
    sg_job_put_order(&msg, &(struct sg_job_order){ .work = octets, .work_len = sizeof octets }, 0);
    cr_expect_eq(sg_job_get_order(&msg, &got), -1, "too long");
}

/* Cut anywhere, or with anything behind it, an order makes no sense. */
Test(job_wire, orders_cut)
{
    struct sg_job_order got;
    size_t len;

    sg_job_put_order(&msg, &check, 0);
    len = msg.len;
    for (msg.len = 0; msg.len < len; msg.len++)
        cr_expect_eq(sg_job_get_order(&msg, &got), -1, "%zu of %zu octets", msg.len, len);
    sg_msg_put(&msg, SG_TAG_WORK, "", 0);
    cr_expect_eq(sg_job_get_order(&msg, &got), -1, "both a check and work");
}

static void
answer(struct sg_answer *out)
{
    sg_answer_init(out, SG_ASSURANCE_PASSWORD);
    cr_assert(sg_answer_name(out, "alice", 5) == 0 && sg_answer_group(out, "staff") == 0);
    cr_assert(sg_answer_group(out, "") == 0);
    sg_answer_reason(out, "well known");
    sg_answer_delay(out, 1500);
    sg_answer_cd(out, SG_CD_GRANTED); /* is none of a failure */
    cr_expect_eq(out->cd, 0);
    sg_answer_cd(out, SG_CD_IDENT_DIFFERS);
}

Test(job_wire, an_answer_arrives)
{
    struct sg_answer said, got = { 0 };
    enum sg_verdict verdict;
    size_t len;

    answer(&said);
    sg_job_put_answer(&msg, SG_OK, &said);
    cr_assert_eq(sg_job_get_answer(&msg, &verdict, &got), 0);
    cr_expect_eq(verdict, SG_OK);
    cr_expect_eq(got.assurance, SG_ASSURANCE_PASSWORD);
    cr_expect_str_eq(got.name, "alice");
    cr_assert_eq(got.n_groups, 2);
    cr_expect_str_eq(got.groups[0], "staff");
    cr_expect_str_eq(got.groups[1], "");
    cr_expect_str_eq(got.reason, "well known");
    cr_expect_eq(got.delay_ms, 1500);
    cr_expect_eq(got.cd, SG_CD_IDENT_DIFFERS);
    sg_answer_free(&got);
    /* A whole number of fields may be an answer; anything else is none, and leaves nothing behind. */
    for (len = msg.len, msg.len = 0; msg.len < len; msg.len++) {
        const bool good = sg_job_get_answer(&msg, &verdict, &got) == 0;

        cr_expect(good || (got.name == NULL && got.n_groups == 0), "%zu of %zu octets", msg.len, len);
        sg_answer_free(&got);
    }
    sg_answer_free(&said);
}

static void
refused(uint16_t tag, const void *octets, size_t len)
{
    struct sg_answer said, got = { 0 };
    enum sg_verdict verdict;

    answer(&said);
    sg_job_put_answer(&msg, SG_OK, &said);
    sg_answer_free(&said);
    sg_msg_put(&msg, tag, octets, len);
    cr_expect_eq(sg_job_get_answer(&msg, &verdict, &got), -1, "tag %u", tag);
    cr_expect(got.name == NULL && got.groups == NULL);
}

Test(job_wire, answers_that_are_none)
{
    static const char name[] = "a\0b";
    struct sg_answer got = { 0 };
    enum sg_verdict verdict;
    const uint64_t large = 256, granted = SG_CD_GRANTED;

    refused(SG_TAG_GROUP, name, 3);
    refused(SG_TAG_USER, "mallory", 7); /* twice */
    refused(SG_TAG_WORK, "x", 1);
    refused(SG_TAG_CD, &granted, sizeof granted);
    refused(60, "x", 1);
    refused(64, "x", 1);
    sg_msg_begin(&msg, SG_MSG_JOB_ANSWER);
    sg_msg_put_u64(&msg, SG_TAG_VERDICT, SG_OK);
    sg_msg_put_u64(&msg, SG_TAG_DELAY, 0);
    cr_expect_eq(sg_job_get_answer(&msg, &verdict, &got), -1, "no assurance");
    sg_msg_put_u64(&msg, SG_TAG_ASSURANCE, large);
    cr_expect_eq(sg_job_get_answer(&msg, &verdict, &got), -1, "an assurance that is none");
    sg_msg_begin(&msg, SG_MSG_JOB);
    cr_expect_eq(sg_job_get_answer(&msg, &verdict, &got), -1, "another message");
}

/* What does not fit is no smaller yes. */
Test(job_wire, answers_too_large)
{
    struct sg_answer said, got = { 0 };
    enum sg_verdict verdict;

    answer(&said);
    for (unsigned i = 0; i < 8000; i++)
        cr_assert_eq(sg_answer_group(&said, "g"), 0);
    sg_job_put_answer(&msg, SG_OK, &said);
    cr_assert(!msg.overflow);
    cr_assert_eq(sg_job_get_answer(&msg, &verdict, &got), 0);
    cr_expect(verdict == SG_ERROR && got.name == NULL && got.n_groups == 0);
    cr_expect(strstr(got.reason, "too large") != NULL);
    sg_answer_free(&got);
    sg_answer_free(&said);
}

Test(job_wire, who_has_taken_it)
{
    pid_t pid = 0;

    sg_job_put_taken(&msg, 4711);
    cr_expect(sg_job_get_taken(&msg, &pid) == 0 && pid == 4711);
    sg_job_put_taken(&msg, 0);
    cr_expect_eq(sg_job_get_taken(&msg, &pid), -1);
    sg_msg_begin(&msg, SG_MSG_JOB_TAKEN);
    cr_expect_eq(sg_job_get_taken(&msg, &pid), -1);
}
