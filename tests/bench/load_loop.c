/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_loop.c - epoll, times, the latencies.
 */
#include "loads.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define LOOP_EVENTS 256
/* No event for so long, although something is under way: the proxy has lost it. */
#define LOOP_PATIENCE_MS 15000
/* What was begun in time may take so much longer. */
#define LOOP_REST_NS 30000000000

static struct {
    int epoll;
    uint32_t *latencies; /* nanoseconds */
    size_t n, size;
    bool sorted;
} loop = { .epoll = -1 };

int64_t
load_now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
load_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("load: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void
loop_control(int op, struct load_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };

    if (loop.epoll == -1)
        loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(loop.epoll, op, watch->fd, &event) == -1)
        load_fail("epoll_ctl: %s", strerror(errno));
}

void
load_add(struct load_watch *watch, uint32_t events)
{
    loop_control(EPOLL_CTL_ADD, watch, events);
}

void
load_change(struct load_watch *watch, uint32_t events)
{
    loop_control(EPOLL_CTL_MOD, watch, events);
}

void
load_run(bool (*done)(void))
{
    struct epoll_event events[LOOP_EVENTS];

    while (!done()) {
        const int n = epoll_wait(loop.epoll, events, LOOP_EVENTS, LOOP_PATIENCE_MS);

        if (n == 0)
            load_fail("nothing has happened for %d s: %llu of what was begun is done", LOOP_PATIENCE_MS / 1000,
                      (unsigned long long)load.count);
        if (load.over && load.max_ns != 0 && load_now_ns() - load.began_ns > load.max_ns + LOOP_REST_NS)
            load_fail("what was begun does not end");
        for (int i = 0; i < n; i++) {
            struct load_watch *watch = events[i].data.ptr;

            watch->ready(watch, events[i].events);
        }
    }
}

bool
load_enough(void)
{
    load.over = load.over || (load.max_bytes != 0 && load.bytes >= load.max_bytes) ||
                (load.max_count != 0 && load.count >= load.max_count) ||
                (load.max_ns != 0 && load_now_ns() - load.began_ns >= load.max_ns);
    return load.over;
}

void
load_latency(int64_t ns)
{
    if (loop.n == loop.size) {
        loop.size = loop.size != 0 ? loop.size * 2 : 65536;
        loop.latencies = reallocarray(loop.latencies, loop.size, sizeof *loop.latencies);
        if (loop.latencies == NULL)
            load_fail("no memory");
    }
    loop.latencies[loop.n++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    loop.sorted = false;
}

static int
loop_compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

double
load_permille(unsigned permille)
{
    if (loop.n == 0)
        return 0;
    if (!loop.sorted)
        qsort(loop.latencies, loop.n, sizeof *loop.latencies, loop_compare);
    loop.sorted = true;
    return loop.latencies[(loop.n - 1) * permille / 1000] / 1e3;
}
