/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.h - is the client who it says? Every login that is checked (not exchanged) goes through here: it is asked in
 * sg_login_start() and ends in one place, from which `done` is called once, or in sg_login_cancel().
 *
 *   start --too many tries (login_throttle.h)--> refused
 *     |-----a success that is remembered (login_cache.h)--> done
 *     v
 *   wait, if logins of this address have failed
 *     |
 *     +--> first instance of the METHOD --DECLINED--> next ... --> end of the list: refused
 *                      |  check(), here or in a helper
 *                      +--OK, DENY, ERROR, busy, unavailable--> [refused: held back, if the answer says so] --> done
 */
#ifndef SG_LOGIN_H
#define SG_LOGIN_H

#include <sockgate/auth.h>

#include "hooks.h"
#include "record.h"

/*
 * GRANT: s->answer says who, s->auth who vouches. Otherwise `reason` goes into the record, and s->answer.reason beside it.
 */
typedef void sg_login_done(struct sg_session *s, enum sg_outcome outcome, enum sg_reason reason);

struct sg_worker_boot;

/* Around the life of a worker. -1: no memory. */
int sg_logins_open(const struct sg_worker_boot *boot);
void sg_logins_close(void);

/* What the client has shown. The core adds the rest of struct sg_creds. */
struct sg_login_creds {
    enum sg_creds_kind kind;
    const void *name, *secret; /* copied */
    size_t name_len, secret_len;
};

/*
 * Asks s->auth and those behind it in the hook table that share its METHOD. `done` may be called before it returns. One
 * login at a time. -1: no memory.
 */
int sg_login_start(struct sg_session *s, const struct sg_login_creds *creds, sg_login_done *done);
/* Is one under way? */
bool sg_login_runs(const struct sg_session *s);
/* It is no longer wanted; harmless when none is under way. The record keeps whom it was for. */
void sg_login_cancel(struct sg_session *s);

#endif
