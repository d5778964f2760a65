/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_limit.c - a bucket for each flow, and a timer for both.
 */
#include "relay_limit.h"

#include <stdlib.h>

#include "bucket.h"
#include "clock.h"
#include "container.h"

struct sg_limits {
    struct sg_bucket up, down;
    struct sg_session *session;
    void (*again)(struct sg_session *s);
    ev_timer timer;
};

static struct sg_bucket *
limits_bucket(const struct sg_relay *relay, const struct sg_flow *flow)
{
    struct sg_bucket *bucket;

    if (relay->limits == NULL)
        return NULL;
    bucket = flow->up ? &relay->limits->up : &relay->limits->down;
    return bucket->rate != 0 ? bucket : NULL;
}

static void
limits_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct sg_limits *limits = SG_CONTAINER(timer, struct sg_limits, timer);

    (void)loop, (void)revents;
    limits->again(limits->session);
}

int
sg_limits_new(struct sg_session *s, struct sg_relay *relay, void (*again)(struct sg_session *s))
{
    const struct sg_admitted *admitted = s->admitted;
    struct sg_limits *limits;

    if (admitted->rate_up == 0 && admitted->rate_down == 0)
        return 0;
    limits = calloc(1, sizeof *limits);
    if (limits == NULL)
        return -1;
    if (admitted->rate_up != 0)
        sg_bucket_set(&limits->up, admitted->rate_up, sg_mono_us());
    if (admitted->rate_down != 0)
        sg_bucket_set(&limits->down, admitted->rate_down, sg_mono_us());
    limits->session = s;
    limits->again = again;
    ev_init(&limits->timer, limits_over);
    relay->limits = limits;
    return 0;
}

void
sg_limits_free(struct sg_limits *limits)
{
    if (limits == NULL)
        return;
    ev_timer_stop(sg_worker_loop(), &limits->timer);
    free(limits);
}

bool
sg_limits_allow(struct sg_session *s, struct sg_flow *flow)
{
    struct sg_bucket *bucket = limits_bucket(s->relay, flow);

    flow->paused = bucket != NULL && sg_bucket_allows(bucket, sg_mono_us()) == 0;
    return !flow->paused;
}

size_t
sg_flow_most(const struct sg_session *s, const struct sg_flow *flow, size_t size)
{
    const struct sg_bucket *bucket = limits_bucket(s->relay, flow);

    return bucket != NULL && sg_bucket_level(bucket) < size ? sg_bucket_level(bucket) : size;
}

void
sg_flow_read(const struct sg_session *s, const struct sg_flow *flow, size_t len)
{
    struct sg_bucket *bucket = limits_bucket(s->relay, flow);

    if (bucket != NULL)
        sg_bucket_take(bucket, len);
}

void
sg_limits_wait(struct sg_relay *relay)
{
    struct sg_limits *limits = relay->limits;
    int64_t due = INT64_MAX, wait;

    if (limits == NULL)
        return;
    ev_timer_stop(sg_worker_loop(), &limits->timer);
    if (!relay->up.paused && !relay->down.paused)
        return;
    if (relay->up.paused)
        due = sg_bucket_due_us(&limits->up);
    if (relay->down.paused && sg_bucket_due_us(&limits->down) < due)
        due = sg_bucket_due_us(&limits->down);
    wait = due - sg_mono_us();
    ev_timer_set(&limits->timer, wait > 0 ? (ev_tstamp)wait / 1e6 : 0., 0.);
    ev_timer_start(sg_worker_loop(), &limits->timer);
}
