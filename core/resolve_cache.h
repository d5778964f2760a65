/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve_cache.h - what is known about names: answers, that there is none, and questions that are under way.
 *
 * A bounded table of (name, family). Its size bounds the lookups that run at once too: what is being asked cannot make
 * room. Times are passed in, nothing here looks at a clock.
 */
#ifndef SG_RESOLVE_CACHE_H
#define SG_RESOLVE_CACHE_H

#include <sys/queue.h>

#include "resolve.h"

#define SG_RESOLVE_NAME_MAX 253

struct sg_cache_entry {
    TAILQ_ENTRY(sg_cache_entry) used; /* least recently used first */
    LIST_ENTRY(sg_cache_entry) chain;
    struct sg_cache *cache;
    struct sg_defer defer; /* tells those who wait, when no callback of anybody is on the stack */
    uint8_t family, len;
    char name[SG_RESOLVE_NAME_MAX + 1]; /* lower case, NUL-terminated */
    bool asking;                        /* the question is under way, or its answer is being told */
    struct sg_lookup *waiting;
    int64_t expires_ms;
    struct sg_found found;
};

struct sg_cache;

struct sg_cache *sg_cache_new(size_t entries); /* NULL: no memory */
void sg_cache_free(struct sg_cache *cache);
/*
 * The entry of a name (lower case): one that is known and has not expired, or one that is being asked, or a new one, for
 * the caller to ask about (`new_out`). NULL: all entries are being asked.
 */
struct sg_cache_entry *sg_cache_get(struct sg_cache *cache, const char *name, size_t len, uint8_t family,
                                    int64_t now_ms, bool *new_out);
void sg_cache_drop(struct sg_cache_entry *entry);

#endif
