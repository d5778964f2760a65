/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_cache.c - a hash table with a list by age.
 */
#include "login_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <sodium.h>

/* More of our stack than a hash needs; copies of the secret stay behind there. */
#define CACHE_STACK 1024

struct cache_entry {
    TAILQ_ENTRY(cache_entry) age; /* oldest first */
    LIST_ENTRY(cache_entry) chain;
    struct sg_login_key key;
    struct sg_login_grant grant;
    uint8_t assurance;
    uint16_t n_groups;
    size_t size, name_len;
    char octets[]; /* the name, then the groups, each with a NUL */
};

struct sg_login_cache {
    size_t max_entries, max_octets, n, octets;
    uint64_t changes; /* of all entries */
    TAILQ_HEAD(cache_ages, cache_entry) age;
    size_t mask;
    unsigned char secret[crypto_generichash_KEYBYTES];
    LIST_HEAD(cache_chain, cache_entry) chains[];
};

struct sg_login_cache *
sg_login_cache_new(size_t entries, size_t octets)
{
    struct sg_login_cache *cache;
    size_t n = 16;

    while (n < entries)
        n *= 2;
    cache = calloc(1, sizeof *cache + n * sizeof cache->chains[0]);
    if (cache == NULL)
        return NULL;
    cache->max_entries = entries;
    cache->max_octets = octets;
    cache->mask = n - 1;
    TAILQ_INIT(&cache->age);
    crypto_generichash_keygen(cache->secret);
    return cache;
}

static void
cache_drop(struct sg_login_cache *cache, struct cache_entry *entry)
{
    TAILQ_REMOVE(&cache->age, entry, age);
    LIST_REMOVE(entry, chain);
    cache->n--;
    cache->octets -= entry->size;
    sodium_memzero(entry, entry->size);
    free(entry);
}

static void
cache_empty(struct sg_login_cache *cache)
{
    while (!TAILQ_EMPTY(&cache->age))
        cache_drop(cache, TAILQ_FIRST(&cache->age));
}

void
sg_login_cache_free(struct sg_login_cache *cache)
{
    if (cache == NULL)
        return;
    cache_empty(cache);
    sodium_memzero(cache->secret, sizeof cache->secret);
    free(cache);
}

size_t
sg_login_cache_count(const struct sg_login_cache *cache)
{
    return cache->n;
}

/* ---- keys */

/* The length first, so that no two lists of fields are the same octets. */
static void
cache_hash(crypto_generichash_state *state, const void *octets, size_t len)
{
    const uint32_t count = (uint32_t)len;

    (void)crypto_generichash_update(state, (const unsigned char *)&count, sizeof count);
    (void)crypto_generichash_update(state, octets, len);
}

static void
cache_hash_ip(crypto_generichash_state *state, const struct sg_addr *addr)
{
    cache_hash(state, &addr->family, sizeof addr->family);
    cache_hash(state, &addr->scope_id, sizeof addr->scope_id);
    cache_hash(state, addr->ip, sizeof addr->ip);
}

void
sg_login_cache_key(const struct sg_login_cache *cache, const struct sg_creds *creds, uint8_t method,
                   struct sg_login_key *key_out)
{
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, cache->secret, sizeof cache->secret, sizeof key_out->octets);
    cache_hash(&state, &creds->kind, sizeof creds->kind);
    cache_hash(&state, &method, sizeof method);
    cache_hash(&state, creds->listener, strlen(creds->listener));
    cache_hash_ip(&state, &creds->client);
    cache_hash_ip(&state, &creds->local);
    cache_hash(&state, &creds->local.port, sizeof creds->local.port);
    cache_hash(&state, creds->name, creds->name_len);
    cache_hash(&state, creds->secret, creds->secret_len);
    (void)crypto_generichash_final(&state, key_out->octets, sizeof key_out->octets);
    sodium_memzero(&state, sizeof state);
    sodium_stackzero(CACHE_STACK);
}

static struct cache_chain *
cache_chain(struct sg_login_cache *cache, const struct sg_login_key *key)
{
    size_t hash;

    memcpy(&hash, key->octets, sizeof hash);
    return &cache->chains[hash & cache->mask];
}

static struct cache_entry *
cache_get(struct sg_login_cache *cache, const struct sg_login_key *key)
{
    struct cache_entry *entry;

    LIST_FOREACH(entry, cache_chain(cache, key), chain)
    if (sodium_memcmp(entry->key.octets, key->octets, sizeof key->octets) == 0)
        return entry;
    return NULL;
}

/* ---- out */

static int
cache_tell(const struct cache_entry *entry, struct sg_answer *answer)
{
    const char *group = entry->octets + entry->name_len + 1;

    sg_answer_init(answer, entry->assurance);
    if (entry->name_len > 0 && sg_answer_name(answer, entry->octets, entry->name_len) == -1)
        return -1;
    for (unsigned i = 0; i < entry->n_groups; i++, group += strlen(group) + 1)
        if (sg_answer_group(answer, group) == -1)
            return -1;
    return 0;
}

bool
sg_login_cache_find(struct sg_login_cache *cache, const struct sg_login_key *key, uint64_t changes, int64_t now_ms,
                    struct sg_answer *answer, struct sg_instance **inst_out)
{
    struct cache_entry *entry;

    if (cache->changes != changes)
        cache_empty(cache);
    cache->changes = changes;
    entry = cache_get(cache, key);
    if (entry == NULL)
        return false;
    if (entry->grant.expires_ms <= now_ms) {
        cache_drop(cache, entry);
        return false;
    }
    if (cache_tell(entry, answer) == -1) {
        sg_answer_free(answer);
        return false;
    }
    *inst_out = entry->grant.inst;
    return true;
}

void
sg_login_cache_sweep(struct sg_login_cache *cache, int64_t now_ms)
{
    struct cache_entry *entry, *next;

    for (entry = TAILQ_FIRST(&cache->age); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, age);
        if (entry->grant.expires_ms <= now_ms)
            cache_drop(cache, entry);
    }
}

/* ---- in */

static struct cache_entry *
cache_entry_new(const struct sg_answer *answer, size_t max)
{
    size_t size = sizeof(struct cache_entry) + answer->name_len + 1;
    struct cache_entry *entry;
    char *at;

    for (unsigned i = 0; i < answer->n_groups; i++)
        size += strlen(answer->groups[i]) + 1;
    entry = size <= max ? calloc(1, size) : NULL;
    if (entry == NULL)
        return NULL;
    entry->size = size;
    entry->assurance = answer->assurance;
    entry->name_len = answer->name_len;
    entry->n_groups = answer->n_groups;
    if (answer->name_len > 0)
        memcpy(entry->octets, answer->name, answer->name_len);
    at = entry->octets + answer->name_len + 1;
    for (unsigned i = 0; i < answer->n_groups; i++) {
        const size_t len = strlen(answer->groups[i]) + 1;

        memcpy(at, answer->groups[i], len);
        at += len;
    }
    return entry;
}

void
sg_login_cache_put(struct sg_login_cache *cache, const struct sg_login_key *key, const struct sg_login_grant *grant,
                   const struct sg_answer *answer)
{
    struct cache_entry *entry, *old;

    /* Users have changed since this login began: nobody knows which it was judged by. */
    if (grant->changes != cache->changes)
        return;
    entry = cache_entry_new(answer, cache->max_octets / 8);
    if (entry == NULL)
        return;
    entry->key = *key;
    entry->grant = *grant;
    old = cache_get(cache, key);
    if (old != NULL)
        cache_drop(cache, old);
    while (cache->n >= cache->max_entries || cache->octets + entry->size > cache->max_octets)
        /* The analyzer does not see that what was removed is no longer the first. */
        cache_drop(cache, TAILQ_FIRST(&cache->age)); /* NOLINT(clang-analyzer-unix.Malloc) */
    TAILQ_INSERT_TAIL(&cache->age, entry, age);
    LIST_INSERT_HEAD(cache_chain(cache, key), entry, chain);
    cache->n++;
    cache->octets += entry->size;
}
