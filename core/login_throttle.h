/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_throttle.h - the brake on guessing passwords: how long a login waits before anybody is asked, or that it is refused.
 *
 *   look --> [cached success: over, nothing is counted] --> begin: takes a token --> wait --> check --> end
 *
 * What is counted, and for whom:
 *
 *                        tokens: unproven tries     delay after failures
 *   address (IPv6: /64)  10, a new one every 15 s   2 s, doubled to 15 s
 *   address and user                                2 s, doubled to 15 s
 *   user                                            2 s: a stranger cannot lock somebody out
 *   IPv6 /56             40, one every 4 s
 *   IPv6 /48             160, one every second
 *
 * A login that succeeds gives its tokens back, so that many people may share an address. The same wrong password once more
 * takes no token and makes no delay longer: it is a device that does not know better, and finds nothing out.
 *
 * The table is shared by all workers of all generations and kept by the master, in a memory file of a fixed size. Each word
 * changes by itself and means something by itself, so that a killed writer leaves nothing behind. Nobody who still counts
 * makes room: who comes too late shares the last place of his bucket with others who did.
 */
#ifndef SG_LOGIN_THROTTLE_H
#define SG_LOGIN_THROTTLE_H

#include <sockgate/auth.h>

#include "conf.h"

struct sg_brake;

enum sg_brake_key {
    SG_BRAKE_ADDRESS,
    SG_BRAKE_ADDRESS_USER,
    SG_BRAKE_USER,
    SG_BRAKE_NET56, /* from here on: IPv6 only */
    SG_BRAKE_NET48,
    SG_BRAKE_KEYS
};

/* One login. All zeroes: not counted, and everything below does nothing. */
struct sg_try {
    unsigned n_keys;
    uint64_t keys[SG_BRAKE_KEYS];
    uint32_t slots[SG_BRAKE_KEYS]; /* 0: none yet; else index + 1 */
    uint32_t shown;                /* of a keyed hash of name and secret */
    bool again;                    /* it was wrong a moment ago */
    bool charged, waits;
};

/* How a login ended: UNKNOWN if nothing was found out. */
enum sg_try_end { SG_TRY_RIGHT, SG_TRY_WRONG, SG_TRY_UNKNOWN };

/* Master: an empty table; -1 and errno. */
int sg_brake_create(void);
/* Is it of this layout? */
bool sg_brake_fits(int fd);
/* Generation: maps it. `fd` -1 or of another layout: one of this generation alone, and `fresh_out`. NULL and errno. */
struct sg_brake *sg_brake_map(int fd, bool *fresh_out);
void sg_brake_unmap(struct sg_brake *brake); /* NULL is ignored */

/* False: no more tries of this address now. It may be asked about again; only sg_brake_begin() counts. */
bool sg_brake_look(struct sg_brake *brake, const struct sg_logins_conf *conf, const struct sg_creds *creds,
                   int64_t now_ms, struct sg_try *try);
/* Milliseconds to wait before the check, 0: none; -1: it is refused. */
int64_t sg_brake_begin(struct sg_brake *brake, const struct sg_logins_conf *conf, int64_t now_ms, struct sg_try *try);
void sg_brake_waited(struct sg_try *try); /* it does not wait any longer, for whatever reason; harmless if it did not */
void sg_brake_end(struct sg_brake *brake, const struct sg_logins_conf *conf, int64_t now_ms, struct sg_try *try,
                  enum sg_try_end end);

#endif
