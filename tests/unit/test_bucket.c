/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_bucket.c - so much a second: over any time not more, and nearly as much.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "bucket.h"

#define SECOND_US 1000000

/* What passes in a second when somebody looks every `step_us` and takes at most `most` of what is allowed. */
static int64_t
passes(uint32_t rate, int64_t step_us, size_t most, int64_t from_us)
{
    struct sg_bucket bucket = { .rate = 0 };
    int64_t all = 0;

    sg_bucket_set(&bucket, rate, from_us);
    sg_bucket_take(&bucket, sg_bucket_allows(&bucket, from_us));
    for (int64_t now = from_us; now <= from_us + SECOND_US; now += step_us) {
        const size_t allowed = sg_bucket_allows(&bucket, now);
        const size_t taken = allowed < most ? allowed : most;

        sg_bucket_take(&bucket, taken);
        all += (int64_t)taken;
    }
    return all;
}

Test(bucket, as_much_as_the_rate_whoever_looks_how_often)
{
    static const uint32_t rates[] = { 40960, 1000003, 1u << 30, UINT32_MAX };
    static const int64_t steps[] = { 1, 7, 100, 1000, 50000 };

    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++)
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++)
            for (int64_t from = 0; from <= INT64_MAX / 4; from += INT64_MAX / 4) {
                const int64_t all = passes(rates[r], steps[s], SIZE_MAX, from);

                cr_expect(all <= rates[r], "%u a second, a look every %d us: %lld", rates[r], (int)steps[s],
                          (long long)all);
                cr_expect(all >= rates[r] * 0.89, "%u a second, a look every %d us: %lld", rates[r], (int)steps[s],
                          (long long)all);
            }
}

Test(bucket, at_first_a_tenth_of_a_second_and_never_more)
{
    struct sg_bucket bucket = { .rate = 0 };

    sg_bucket_set(&bucket, 1000000, 5);
    cr_expect_eq(sg_bucket_allows(&bucket, 5), 100000);
    cr_expect_eq(sg_bucket_allows(&bucket, 3600ll * SECOND_US), 100000);
    sg_bucket_set(&bucket, 1024, 5);
    cr_expect_eq(sg_bucket_allows(&bucket, 5), 4096, "a slow one has a block at least");
}

Test(bucket, waits_for_what_is_worth_it)
{
    struct sg_bucket bucket = { .rate = 0 };

    sg_bucket_set(&bucket, 1000000, 0);
    sg_bucket_take(&bucket, 50001);
    cr_expect_eq(sg_bucket_allows(&bucket, 0), 0);
    cr_expect_eq(sg_bucket_due_us(&bucket), 1);
    cr_expect_eq(sg_bucket_allows(&bucket, 1), 50000);
    cr_expect_eq(sg_bucket_due_us(&bucket), 1);
}

Test(bucket, a_debt_is_paid_first)
{
    struct sg_bucket bucket = { .rate = 0 };

    sg_bucket_set(&bucket, 10000, 0);
    sg_bucket_take(&bucket, 65000);
    cr_expect_eq(sg_bucket_due_us(&bucket), (65000 - 4096 + 2048) * 100ll);
    sg_bucket_set(&bucket, 20000, 0);
    cr_expect_eq(sg_bucket_allows(&bucket, SECOND_US), 0, "another limit does not forgive it");
    cr_expect_eq(sg_bucket_allows(&bucket, (65000 - 4096 + 2048) * 50ll), 2048);
}
