/* SPDX-License-Identifier: BSD-2-Clause */
#include "rounds.h"

#include <stdlib.h>
#include <time.h>

static double
rounds_us(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

double
rounds_cpu_us(void)
{
    return rounds_us(CLOCK_PROCESS_CPUTIME_ID);
}

double
rounds_wall_us(void)
{
    return rounds_us(CLOCK_MONOTONIC);
}

static int
rounds_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double
rounds_median(double rounds[ROUNDS])
{
    qsort(rounds, ROUNDS, sizeof *rounds, rounds_compare);
    return rounds[ROUNDS / 2];
}
