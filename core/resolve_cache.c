/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve_cache.c - a hash table with a list in the order of use. The hash is keyed: clients choose the names.
 */
#include "resolve_cache.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

LIST_HEAD(cache_chain, sg_cache_entry);
TAILQ_HEAD(cache_order, sg_cache_entry);

struct sg_cache {
    size_t n, max, n_chains; /* n_chains: a power of two */
    struct cache_chain *chains;
    struct cache_order order;
    unsigned char key[crypto_shorthash_KEYBYTES];
};

struct sg_cache *
sg_cache_new(size_t entries)
{
    struct sg_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    cache->max = entries;
    for (cache->n_chains = 16; cache->n_chains < entries;)
        cache->n_chains *= 2;
    TAILQ_INIT(&cache->order);
    crypto_shorthash_keygen(cache->key);
    cache->chains = calloc(cache->n_chains, sizeof *cache->chains);
    if (cache->chains != NULL)
        return cache;
    free(cache);
    return NULL;
}

void
sg_cache_free(struct sg_cache *cache)
{
    if (cache == NULL)
        return;
    while (!TAILQ_EMPTY(&cache->order))
        sg_cache_drop(TAILQ_FIRST(&cache->order));
    free(cache->chains);
    free(cache);
}

static struct cache_chain *
cache_chain(struct sg_cache *cache, const char *name, size_t len)
{
    union {
        unsigned char octets[crypto_shorthash_BYTES];
        uint64_t number;
    } hash;

    (void)crypto_shorthash(hash.octets, (const unsigned char *)name, len, cache->key);
    return &cache->chains[(size_t)hash.number & (cache->n_chains - 1)];
}

static struct sg_cache_entry *
cache_find(struct cache_chain *chain, const char *name, size_t len, uint8_t family)
{
    struct sg_cache_entry *entry;

    LIST_FOREACH(entry, chain, chain)
    if (entry->family == family && entry->len == len && memcmp(entry->name, name, len) == 0)
        return entry;
    return NULL;
}

void
sg_cache_drop(struct sg_cache_entry *entry)
{
    sg_worker_undefer(&entry->defer);
    LIST_REMOVE(entry, chain);
    TAILQ_REMOVE(&entry->cache->order, entry, used);
    entry->cache->n--;
    free(entry);
}

/* False: everything that is here is being asked. */
static bool
cache_make_room(struct sg_cache *cache)
{
    struct sg_cache_entry *entry;

    if (cache->n < cache->max)
        return true;
    TAILQ_FOREACH(entry, &cache->order, used)
    if (!entry->asking) {
        sg_cache_drop(entry);
        return true;
    }
    return false;
}

struct sg_cache_entry *
sg_cache_get(struct sg_cache *cache, const char *name, size_t len, uint8_t family, int64_t now_ms, bool *new_out)
{
    struct cache_chain *chain = cache_chain(cache, name, len);
    struct sg_cache_entry *entry = cache_find(chain, name, len, family);

    *new_out = false;
    if (entry != NULL && !entry->asking && entry->expires_ms <= now_ms) {
        sg_cache_drop(entry);
        entry = NULL;
    }
    if (entry != NULL) {
        TAILQ_REMOVE(&cache->order, entry, used);
        TAILQ_INSERT_TAIL(&cache->order, entry, used);
        return entry;
    }
    if (!cache_make_room(cache) || (entry = calloc(1, sizeof *entry)) == NULL)
        return NULL;
    *new_out = true;
    entry->cache = cache;
    entry->family = family;
    entry->len = (uint8_t)len;
    memcpy(entry->name, name, len);
    LIST_INSERT_HEAD(chain, entry, chain);
    TAILQ_INSERT_TAIL(&cache->order, entry, used);
    cache->n++;
    return entry;
}
