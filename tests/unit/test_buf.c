/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_buf.c - the byte queue beside a model of it: the same steps on a buffer and on a plain array.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "bufs.h"

#define BOUND 100
#define STEPS 200000

static struct sg_buf buf;
static uint8_t model[BOUND];
static size_t model_len;
static uint8_t next_octet;

static void
same_as_model(const char *step)
{
    size_t len;
    const uint8_t *octets = sg_buf_data(&buf, &len);

    cr_assert_eq(len, model_len, "%s: %zu octets wait, not %zu", step, len, model_len);
    cr_assert_eq(sg_buf_room(&buf), BOUND - model_len, "%s", step);
    cr_assert(len == 0 || memcmp(octets, model, len) == 0, "%s", step);
    cr_assert_leq(buf.cap, BOUND, "%s: a block of %zu octets", step, buf.cap);
    if (len == 0)
        cr_assert(buf.data == NULL && buf.cap == 0, "%s: empty, and memory is held", step);
}

static void
append(size_t n)
{
    uint8_t octets[BOUND + 1];
    const bool fits = n <= BOUND - model_len;

    for (size_t i = 0; i < n; i++)
        octets[i] = next_octet++;
    cr_assert_eq(sg_buf_append(&buf, octets, n), fits ? 0 : -1, "%zu octets onto %zu", n, model_len);
    if (fits) {
        memcpy(model + model_len, octets, n);
        model_len += n;
    }
    same_as_model("append");
}

/* As a codec does it that does not know beforehand how much it will write. */
static void
reserve_and_commit(size_t n)
{
    const bool fits = n <= BOUND - model_len;
    uint8_t *place = sg_buf_reserve(&buf, n);

    cr_assert_eq(place != NULL, fits, "%zu octets onto %zu", n, model_len);
    if (place == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        place[i] = model[model_len++] = next_octet++;
    sg_buf_commit(&buf, n);
    same_as_model("commit");
}

static void
consume(size_t n)
{
    const size_t gone = n < model_len ? n : model_len;

    sg_buf_consume(&buf, n);
    model_len -= gone;
    memmove(model, model + gone, model_len);
    same_as_model("consume");
}

Test(buf, model)
{
    uint32_t state = 20260131;

    sg_buf_init(&buf, BOUND);
    same_as_model("init");
    for (unsigned i = 0; i < STEPS; i++) {
        const size_t n = (state = state * 1664525 + 1013904223) >> 24;

        switch (state >> 16 & 3) {
        case 0: append(n % (BOUND + 2)); break;
        case 1: reserve_and_commit(n % 40 + 1); break;
        default: consume(n % 60); break;
        }
    }
    sg_buf_free(&buf);
    model_len = 0;
    same_as_model("free");
}

/* Thousands of sessions hold a few octets each: the first block must not be larger than they are. */
Test(buf, first_block_fits)
{
    sg_buf_init(&buf, 65536);
    cr_assert_eq(sg_buf_append(&buf, "abc", 3), 0);
    cr_assert_eq(buf.cap, 3);
    sg_buf_free(&buf);
}

Test(buf, appending_one_by_one_moves_little)
{
    unsigned blocks = 0;

    sg_buf_init(&buf, 65536);
    for (size_t i = 0, cap = 0; i < 65536; i++) {
        cr_assert_eq(sg_buf_append(&buf, "x", 1), 0);
        blocks += buf.cap != cap;
        cap = buf.cap;
    }
    cr_assert_leq(blocks, 20);
    cr_assert_eq(sg_buf_append(&buf, "x", 1), -1, "beyond the bound");
    sg_buf_free(&buf);
}

/* The session lowers the bound when it leaves a state that needed more; what waits already stays. */
Test(buf, lowered_bound)
{
    size_t len;

    sg_buf_init(&buf, 8);
    cr_assert_eq(sg_buf_append(&buf, "12345678", 8), 0);
    buf.max = 4;
    cr_assert_eq(sg_buf_room(&buf), 0);
    cr_assert_eq(sg_buf_append(&buf, "9", 1), -1);
    sg_buf_consume(&buf, 5);
    cr_assert_eq(sg_buf_room(&buf), 1);
    cr_assert_eq(sg_buf_append(&buf, "9", 1), 0);
    cr_assert_arr_eq(sg_buf_data(&buf, &len), "6789", 4);
    cr_assert_eq(sg_buf_append(&buf, NULL, 0), 0, "nothing always fits");
    sg_buf_free(&buf);
}
