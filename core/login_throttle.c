/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_throttle.c - the table behind the brake.
 */
#include "login_throttle.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define BRAKE_MAGIC UINT64_C(0x53474252414b4531) /* "SGBRAKE1": another number for another layout */
#define BRAKE_WAYS 8
#define BRAKE_BUCKETS 4096
#define BRAKE_SLOTS ((size_t)BRAKE_WAYS * BRAKE_BUCKETS)
#define BRAKE_FORGET_MS (5 * 60 * 1000) /* after that much silence failures are forgotten */
#define BRAKE_FAILS_MAX 15
#define BRAKE_WAITING_MAX 10 /* of one address, in each worker */
#define BRAKE_STACK 1024

struct brake_slot {
    _Atomic uint64_t key;      /* 0: free */
    _Atomic int64_t full_ms;   /* when all tokens are back */
    _Atomic uint64_t failed;   /* until when to wait (monotonic milliseconds), shifted, and the number of failures */
    _Atomic uint64_t shown[2]; /* wrong logins that are known again: two of 32 bits in each word, the newer one lower */
};

struct sg_brake {
    uint64_t magic;
    unsigned char secret[crypto_shorthash_KEYBYTES];
    _Alignas(64) struct brake_slot slots[BRAKE_SLOTS];
};

static const struct brake_level {
    unsigned tokens; /* 0: as many as you like */
    int64_t each_ms;
    bool delays;
} levels[SG_BRAKE_KEYS] = {
    [SG_BRAKE_ADDRESS] = { 10, 15000, true }, [SG_BRAKE_ADDRESS_USER] = { 0, 0, true },
    [SG_BRAKE_USER] = { 0, 0, true },         [SG_BRAKE_NET56] = { 40, 4000, false },
    [SG_BRAKE_NET48] = { 160, 1000, false },
};

/* Of this process alone, so that one that is killed leaves no number behind. By the address's slot. */
static uint8_t waiting[BRAKE_SLOTS];

/* ---- the memory */

int
sg_brake_create(void)
{
    const int fd = memfd_create("sockgate-logins", MFD_CLOEXEC);
    struct {
        uint64_t magic;
        unsigned char secret[crypto_shorthash_KEYBYTES];
    } head = { .magic = BRAKE_MAGIC };
    int err;

    crypto_shorthash_keygen(head.secret);
    if (fd == -1 || (ftruncate(fd, (off_t)sizeof(struct sg_brake)) == 0 &&
                     pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head))
        return fd;
    err = errno;
    (void)close(fd);
    errno = err;
    return -1;
}

bool
sg_brake_fits(int fd)
{
    struct stat st;
    uint64_t magic;

    return fd != -1 && fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(struct sg_brake) &&
           pread(fd, &magic, sizeof magic, 0) == (ssize_t)sizeof magic && magic == BRAKE_MAGIC;
}

struct sg_brake *
sg_brake_map(int fd, bool *fresh_out)
{
    const int own = sg_brake_fits(fd) ? -1 : sg_brake_create();
    struct sg_brake *brake;

    *fresh_out = own != -1;
    brake = mmap(NULL, sizeof *brake, PROT_READ | PROT_WRITE, MAP_SHARED, own != -1 ? own : fd, 0);
    if (own != -1)
        (void)close(own);
    return brake != MAP_FAILED ? brake : NULL;
}

void
sg_brake_unmap(struct sg_brake *brake)
{
    if (brake != NULL)
        (void)munmap(brake, sizeof *brake);
}

/* ---- slots */

/* Nothing of it counts any more, whoever it was: a new owner needs no clean slot. */
static bool
slot_dead(struct brake_slot *slot, int64_t now_ms)
{
    return atomic_load(&slot->full_ms) <= now_ms &&
           (int64_t)(atomic_load(&slot->failed) >> 8) + BRAKE_FORGET_MS <= now_ms;
}

static struct brake_slot *
slot_find(struct brake_slot *bucket, uint64_t key)
{
    for (unsigned i = 0; i < BRAKE_WAYS; i++)
        if (atomic_load(&bucket[i].key) == key)
            return &bucket[i];
    return NULL;
}

/* The slot that counts for a key; NULL: nothing does yet, and there is room. */
static struct brake_slot *
slot_peek(struct sg_brake *brake, uint64_t key, int64_t now_ms)
{
    struct brake_slot *bucket = &brake->slots[key % BRAKE_BUCKETS * BRAKE_WAYS], *slot = slot_find(bucket, key);

    if (slot != NULL)
        return slot;
    for (unsigned i = 0; i < BRAKE_WAYS; i++)
        if (atomic_load(&bucket[i].key) == 0 || slot_dead(&bucket[i], now_ms))
            return NULL;
    return &bucket[BRAKE_WAYS - 1];
}

/* The slot of a key, made if need be; never NULL. */
static struct brake_slot *
slot_get(struct sg_brake *brake, uint64_t key, int64_t now_ms)
{
    struct brake_slot *bucket = &brake->slots[key % BRAKE_BUCKETS * BRAKE_WAYS], *slot = slot_find(bucket, key);

    for (unsigned i = 0; i < BRAKE_WAYS && slot == NULL; i++) {
        uint64_t old = atomic_load(&bucket[i].key);

        if ((old != 0 && !slot_dead(&bucket[i], now_ms)) || !atomic_compare_exchange_strong(&bucket[i].key, &old, key))
            continue;
        atomic_store(&bucket[i].shown[0], 0);
        atomic_store(&bucket[i].shown[1], 0);
        slot = slot_find(bucket, key); /* another worker may have had the same idea: the first one counts */
    }
    return slot != NULL ? slot : &bucket[BRAKE_WAYS - 1];
}

static struct brake_slot *
try_slot(struct sg_brake *brake, const struct sg_try *try, unsigned i)
{
    return &brake->slots[try->slots[i] - 1];
}

/* ---- tokens: kept as the time at which all of them are back */

static bool
slot_has_token(struct brake_slot *slot, const struct brake_level *level, int64_t now_ms)
{
    return level->tokens == 0 || atomic_load(&slot->full_ms) - now_ms <= (int64_t)(level->tokens - 1) * level->each_ms;
}

static bool
slot_take(struct brake_slot *slot, const struct brake_level *level, int64_t now_ms)
{
    int64_t full = atomic_load(&slot->full_ms), next;

    do {
        if (full - now_ms > (int64_t)(level->tokens - 1) * level->each_ms)
            return false;
        next = (full > now_ms ? full : now_ms) + level->each_ms;
    } while (!atomic_compare_exchange_weak(&slot->full_ms, &full, next));
    return true;
}

/* Unless it is somebody else's by now, or shared: then time brings the token back. */
static void
slot_give_back(struct brake_slot *slot, const struct brake_level *level, uint64_t key)
{
    if (atomic_load(&slot->key) == key)
        (void)atomic_fetch_sub(&slot->full_ms, level->each_ms);
}

/* ---- failures */

static int64_t
slot_wait(struct brake_slot *slot, int64_t now_ms)
{
    const int64_t until = (int64_t)(atomic_load(&slot->failed) >> 8);

    return until > now_ms ? until - now_ms : 0;
}

static void
slot_fail(struct brake_slot *slot, int64_t delay_ms, int64_t most_ms, int64_t now_ms)
{
    uint64_t old = atomic_load(&slot->failed), next;

    do {
        const int64_t before = (int64_t)(old >> 8);
        const unsigned fails = before + BRAKE_FORGET_MS <= now_ms ? 0 : (unsigned)(old & 0xff);
        int64_t until = delay_ms << (fails < BRAKE_FAILS_MAX ? fails : BRAKE_FAILS_MAX);

        until = now_ms + (until < most_ms ? until : most_ms);
        next = (uint64_t)(until > before ? until : before) << 8 | (fails < BRAKE_FAILS_MAX ? fails + 1 : fails);
    } while (!atomic_compare_exchange_weak(&slot->failed, &old, next));
}

/* ---- what was shown and wrong */

static bool
slot_was_shown(struct brake_slot *slot, uint32_t shown)
{
    const uint64_t both = atomic_load(&slot->shown[shown & 1]);

    return (uint32_t)both == shown || (uint32_t)(both >> 32) == shown;
}

static void
slot_show(struct brake_slot *slot, uint32_t shown)
{
    uint64_t both = atomic_load(&slot->shown[shown & 1]);

    while (!atomic_compare_exchange_weak(&slot->shown[shown & 1], &both, both << 32 | shown))
        continue;
}

/* ---- keys */

static uint64_t
brake_hash(const struct sg_brake *brake, const void *octets, size_t len)
{
    uint64_t hash;

    (void)crypto_shorthash((unsigned char *)&hash, octets, len, brake->secret);
    return hash;
}

static void
brake_key(const struct sg_brake *brake, struct sg_try *try, const struct sg_creds *creds, enum sg_brake_key which,
          unsigned octets)
{
    unsigned char text[2 + sizeof creds->client.ip + UINT8_MAX];
    const bool user = which == SG_BRAKE_ADDRESS_USER || which == SG_BRAKE_USER;
    size_t len = 2 + sizeof creds->client.ip;

    memset(text, 0, len);
    text[0] = (unsigned char)which;
    text[1] = octets > 0 ? creds->client.family : 0;
    memcpy(text + 2, creds->client.ip, octets);
    if (user) {
        memcpy(text + len, creds->name, creds->name_len);
        len += creds->name_len;
    }
    try->keys[which] = brake_hash(brake, text, len) | 1; /* never 0 */
}

/* So many bits that who tries a thousand a second is not taken for somebody who tries the same again. */
static uint32_t
brake_shown(const struct sg_brake *brake, const struct sg_creds *creds)
{
    unsigned char text[2 * UINT8_MAX + 1];
    const size_t len = 1 + creds->name_len + creds->secret_len;
    uint32_t shown;

    text[0] = (unsigned char)creds->name_len;
    memcpy(text + 1, creds->name, creds->name_len);
    memcpy(text + 1 + creds->name_len, creds->secret, creds->secret_len);
    shown = (uint32_t)(brake_hash(brake, text, len) >> 32);
    sodium_memzero(text, sizeof text);
    sodium_stackzero(BRAKE_STACK);
    return shown > 1 ? shown : 2; /* 0 is nobody's */
}

static void
brake_keys(const struct sg_brake *brake, const struct sg_creds *creds, struct sg_try *try)
{
    const bool ipv6 = creds->client.family == SG_FAMILY_IPV6;
    const unsigned address = ipv6 ? 8 : 4;

    *try = (struct sg_try){ .n_keys = ipv6 ? SG_BRAKE_KEYS : SG_BRAKE_NET56 };
    brake_key(brake, try, creds, SG_BRAKE_ADDRESS, address);
    brake_key(brake, try, creds, SG_BRAKE_ADDRESS_USER, address);
    brake_key(brake, try, creds, SG_BRAKE_USER, 0);
    if (ipv6) {
        brake_key(brake, try, creds, SG_BRAKE_NET56, 7);
        brake_key(brake, try, creds, SG_BRAKE_NET48, 6);
    }
    try->shown = brake_shown(brake, creds);
}

/* ---- one login */

bool
sg_brake_look(struct sg_brake *brake, const struct sg_logins_conf *conf, const struct sg_creds *creds, int64_t now_ms,
              struct sg_try *try)
{
    *try = (struct sg_try){ 0 };
    if (brake == NULL || !conf->throttle || creds->kind != SG_CREDS_PASSWORD ||
        sg_ranges_contain(&conf->exempt, &creds->client))
        return true;
    brake_keys(brake, creds, try);
    for (unsigned i = 0; i < try->n_keys; i++) {
        struct brake_slot *slot = slot_peek(brake, try->keys[i], now_ms);

        if (slot != NULL && i == SG_BRAKE_ADDRESS)
            try->again = slot_was_shown(slot, try->shown);
        if (slot != NULL && !try->again && !slot_has_token(slot, &levels[i], now_ms))
            return false;
    }
    return true;
}

/* All tokens or none. */
static bool
brake_charge(struct sg_brake *brake, struct sg_try *try, int64_t now_ms)
{
    for (unsigned i = 0; i < try->n_keys; i++) {
        if (levels[i].tokens == 0 || slot_take(try_slot(brake, try, i), &levels[i], now_ms))
            continue;
        while (i-- > 0)
            if (levels[i].tokens > 0)
                slot_give_back(try_slot(brake, try, i), &levels[i], try->keys[i]);
        return false;
    }
    try->charged = true;
    return true;
}

int64_t
sg_brake_begin(struct sg_brake *brake, const struct sg_logins_conf *conf, int64_t now_ms, struct sg_try *try)
{
    int64_t wait = 0;

    for (unsigned i = 0; i < try->n_keys; i++) {
        struct brake_slot *slot = slot_get(brake, try->keys[i], now_ms);
        int64_t this_wait;

        try->slots[i] = (uint32_t)(slot - brake->slots) + 1;
        this_wait = levels[i].delays ? slot_wait(slot, now_ms) : 0;
        wait = this_wait > wait ? this_wait : wait;
    }
    if (try->n_keys == 0)
        return 0;
    wait = wait < conf->max_delay ? wait : conf->max_delay;
    if (wait > 0 && waiting[try->slots[SG_BRAKE_ADDRESS] - 1] >= BRAKE_WAITING_MAX)
        return -1;
    if (!try->again && !brake_charge(brake, try, now_ms))
        return -1;
    if (wait > 0) {
        waiting[try->slots[SG_BRAKE_ADDRESS] - 1]++;
        try->waits = true;
    }
    return wait;
}

void
sg_brake_waited(struct sg_try *try)
{
    if (try->waits)
        waiting[try->slots[SG_BRAKE_ADDRESS] - 1]--;
    try->waits = false;
}

static void
brake_wrong(struct sg_brake *brake, const struct sg_logins_conf *conf, int64_t now_ms, struct sg_try *try)
{
    struct brake_slot *address = try_slot(brake, try, SG_BRAKE_ADDRESS);

    /* Others may have shown the same meanwhile. */
    if (slot_was_shown(address, try->shown))
        return;
    slot_show(address, try->shown);
    slot_fail(address, conf->delay, conf->max_delay, now_ms);
    slot_fail(try_slot(brake, try, SG_BRAKE_ADDRESS_USER), conf->delay, conf->max_delay, now_ms);
    slot_fail(try_slot(brake, try, SG_BRAKE_USER), conf->delay, conf->delay, now_ms);
}

void
sg_brake_end(struct sg_brake *brake, const struct sg_logins_conf *conf, int64_t now_ms, struct sg_try *try,
             enum sg_try_end end)
{
    if (try->n_keys == 0 || try->slots[0] == 0)
        return;
    if (end == SG_TRY_WRONG)
        brake_wrong(brake, conf, now_ms, try);
    for (unsigned i = 0; i < try->n_keys && try->charged && end != SG_TRY_WRONG; i++)
        if (levels[i].tokens > 0)
            slot_give_back(try_slot(brake, try, i), &levels[i], try->keys[i]);
    if (end == SG_TRY_RIGHT)
        atomic_store(&try_slot(brake, try, SG_BRAKE_ADDRESS_USER)->failed, 0);
    try->charged = false;
}
