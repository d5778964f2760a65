/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the two clocks. Deadlines use the monotonic one only.
 */
#ifndef SG_CLOCK_H
#define SG_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t
sg_clock_ms(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline int64_t
sg_mono_ms(void)
{
    return sg_clock_ms(CLOCK_MONOTONIC);
}

static inline int64_t
sg_mono_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#endif
