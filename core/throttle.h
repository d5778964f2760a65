/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * throttle.h - how often something that keeps failing is tried again, when crashes are too many, and when a worker is
 * stuck. Pure: the caller brings the time (monotonic milliseconds). All zeroes is the beginning.
 */
#ifndef SG_THROTTLE_H
#define SG_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/* Starts that end before the process was ready: five without a pause, then one each 5 s, until 10 s pass without one. */
struct sg_throttle {
    unsigned failed;
    int64_t last_ms;
};
void sg_throttle_failed(struct sg_throttle *throttle, int64_t now_ms);
void sg_throttle_ready(struct sg_throttle *throttle);                         /* it works: forget */
int64_t sg_throttle_next(const struct sg_throttle *throttle, int64_t now_ms); /* when the next start is allowed */

/* Five crashes within a minute are too many. */
#define SG_CRASHES 5
struct sg_crashes {
    unsigned n, next;
    int64_t at_ms[SG_CRASHES];
};
bool sg_crashes_add(struct sg_crashes *crashes, int64_t now_ms); /* true: too many; counting begins anew */

/*
 * Watches one process. Counted is the time between looks that both see the same turn of its loop, and no gap counts for
 * more than one and a half seconds: if the whole machine stood still, nobody is to blame.
 */
enum sg_watch { SG_WATCH_FINE, SG_WATCH_WARN, SG_WATCH_ABORT, SG_WATCH_KILL };
struct sg_watchdog {
    int64_t turn_ms, looked_ms, busy_ms;
    bool warned;
};
/* `turn_ms`: when the present turn began, 0: none. WARN once a turn, after 2 s; ABORT from 10 s on, KILL from 13 s on. */
enum sg_watch sg_watchdog_look(struct sg_watchdog *dog, int64_t turn_ms, int64_t now_ms);

#endif
