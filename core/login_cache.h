/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_cache.h - logins that have succeeded a moment ago, in one worker. A browser page is fifty sessions and fifty logins,
 * and a good password hash costs 30 ms.
 *
 *   key     keyed hash of all that was asked: listener, METHOD, both addresses, name, secret
 *   entry   who vouched, name, groups, assurance; good for the instance's `cache`, and until users change
 *
 * Only successes are kept. The key of the hash is random, of this process, and the secret itself is never kept. Times are
 * passed in, nothing here looks at a clock.
 */
#ifndef SG_LOGIN_CACHE_H
#define SG_LOGIN_CACHE_H

#include <sockgate/auth.h>

#include "answer.h"

struct sg_login_cache;

#define SG_LOGIN_KEY_SIZE 32

struct sg_login_key {
    uint8_t octets[SG_LOGIN_KEY_SIZE];
};

/* Whom a login has made known. */
struct sg_login_grant {
    struct sg_instance *inst;
    uint64_t changes;   /* sg_pools_changes() before anybody was asked: it counts as long as that stays the same */
    int64_t expires_ms; /* monotonic */
};

/* At most so many entries, and so many octets for all of them. NULL: no memory. */
struct sg_login_cache *sg_login_cache_new(size_t entries, size_t octets);
void sg_login_cache_free(struct sg_login_cache *cache); /* NULL is ignored */
void sg_login_cache_key(const struct sg_login_cache *cache, const struct sg_creds *creds, uint8_t method,
                        struct sg_login_key *key_out);
/*
 * Is it known? Then `answer` (empty before) and `inst_out` say who. If `changes` is not what it was, all entries go first.
 * False too if there is no memory for the answer, which is empty then.
 */
bool sg_login_cache_find(struct sg_login_cache *cache, const struct sg_login_key *key, uint64_t changes, int64_t now_ms,
                         struct sg_answer *answer, struct sg_instance **inst_out);
/* Remembers a success; the oldest make room. What is larger than an eighth of the cache is not kept. */
void sg_login_cache_put(struct sg_login_cache *cache, const struct sg_login_key *key,
                        const struct sg_login_grant *grant, const struct sg_answer *answer);
void sg_login_cache_sweep(struct sg_login_cache *cache, int64_t now_ms); /* drops what has expired */
size_t sg_login_cache_count(const struct sg_login_cache *cache);

#endif
