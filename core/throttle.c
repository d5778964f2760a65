/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * throttle.c - counting failures, crashes and the time in one turn.
 */
#include "throttle.h"

#define BURST 5
#define QUIET_MS 10000
#define SPACING_MS 5000
#define CRASH_WINDOW_MS 60000
#define WARN_MS 2000
#define ABORT_MS 10000
#define KILL_MS 13000
#define GAP_MAX_MS 1500

void
sg_throttle_failed(struct sg_throttle *throttle, int64_t now_ms)
{
    if (now_ms - throttle->last_ms >= QUIET_MS)
        throttle->failed = 0;
    throttle->failed++;
    throttle->last_ms = now_ms;
}

void
sg_throttle_ready(struct sg_throttle *throttle)
{
    throttle->failed = 0;
}

int64_t
sg_throttle_next(const struct sg_throttle *throttle, int64_t now_ms)
{
    int64_t spaced_ms = throttle->last_ms + SPACING_MS;

    return throttle->failed < BURST || spaced_ms < now_ms ? now_ms : spaced_ms;
}

bool
sg_crashes_add(struct sg_crashes *crashes, int64_t now_ms)
{
    crashes->at_ms[crashes->next] = now_ms;
    crashes->next = (crashes->next + 1) % SG_CRASHES;
    if (crashes->n < SG_CRASHES)
        crashes->n++;
    /* With the ring full, the next place to write holds the oldest. */
    if (crashes->n < SG_CRASHES || now_ms - crashes->at_ms[crashes->next] > CRASH_WINDOW_MS)
        return false;
    crashes->n = 0;
    crashes->next = 0;
    return true;
}

enum sg_watch
sg_watchdog_look(struct sg_watchdog *dog, int64_t turn_ms, int64_t now_ms)
{
    int64_t gap_ms = now_ms - dog->looked_ms;

    dog->looked_ms = now_ms;
    if (turn_ms == 0 || turn_ms != dog->turn_ms) {
        dog->turn_ms = turn_ms;
        dog->busy_ms = 0;
        dog->warned = false;
        return SG_WATCH_FINE;
    }
    dog->busy_ms += gap_ms < GAP_MAX_MS ? gap_ms : GAP_MAX_MS;
    if (dog->busy_ms >= KILL_MS) /* one that is stopped does not hear of an abort */
        return SG_WATCH_KILL;
    if (dog->busy_ms >= ABORT_MS)
        return SG_WATCH_ABORT;
    if (dog->busy_ms < WARN_MS || dog->warned)
        return SG_WATCH_FINE;
    dog->warned = true;
    return SG_WATCH_WARN;
}
