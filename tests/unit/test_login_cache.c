/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_login_cache.c - what is remembered of a login, for whom, for how long, and how much of it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "login_cache.h"

#define LATER INT64_MAX

static struct sg_instance *const somebody = (struct sg_instance *)(uintptr_t)16; /* only compared */

static struct sg_creds
creds(const char *client, const char *name, const char *secret)
{
    struct sg_creds creds = { .size = sizeof creds,
                              .kind = SG_CREDS_PASSWORD,
                              .name = name,
                              .name_len = strlen(name),
                              .secret = secret,
                              .secret_len = strlen(secret),
                              .listener = "main" };

    cr_assert_eq(sg_addr_parse(client, &creds.client), 0);
    cr_assert_eq(sg_addr_parse("192.0.2.100", &creds.local), 0);
    creds.local.port = 1080;
    return creds;
}

static void
put(struct sg_login_cache *cache, const struct sg_creds *c, int64_t expires_ms, const char *group)
{
    const struct sg_login_grant grant = { somebody, 0, expires_ms };
    struct sg_answer answer;
    struct sg_login_key key;

    sg_answer_init(&answer, SG_ASSURANCE_PASSWORD);
    cr_assert_eq(sg_answer_name(&answer, c->name, c->name_len), 0);
    cr_assert_eq(sg_answer_group(&answer, "staff"), 0);
    cr_assert_eq(sg_answer_group(&answer, group), 0);
    sg_login_cache_key(cache, c, SG_METHOD_USERPASS, &key);
    sg_login_cache_put(cache, &key, &grant, &answer);
    sg_answer_free(&answer);
}

static bool
known_with(struct sg_login_cache *cache, const struct sg_creds *c, uint8_t method, uint64_t changes, int64_t now_ms)
{
    struct sg_answer answer = { 0 };
    struct sg_instance *inst = NULL;
    struct sg_login_key key;
    bool found;

    sg_login_cache_key(cache, c, method, &key);
    found = sg_login_cache_find(cache, &key, changes, now_ms, &answer, &inst);
    cr_assert_eq(inst != NULL, found);
    sg_answer_free(&answer);
    return found;
}

static bool
known(struct sg_login_cache *cache, const struct sg_creds *c)
{
    return known_with(cache, c, SG_METHOD_USERPASS, 0, 0);
}

Test(login_cache, gives_back_who_it_was)
{
    struct sg_login_cache *cache = sg_login_cache_new(4, 65536);
    const struct sg_creds c = creds("192.0.2.1", "alice", "secret");
    struct sg_answer answer = { 0 };
    struct sg_instance *inst;
    struct sg_login_key key;

    put(cache, &c, LATER, "web");
    sg_login_cache_key(cache, &c, SG_METHOD_USERPASS, &key);
    cr_assert(sg_login_cache_find(cache, &key, 0, 0, &answer, &inst));
    cr_assert_eq(inst, somebody);
    cr_assert_eq(answer.name_len, 5);
    cr_assert_str_eq(answer.name, "alice");
    cr_assert_eq(answer.assurance, SG_ASSURANCE_PASSWORD);
    cr_assert_eq(answer.n_groups, 2);
    cr_assert_str_eq(answer.groups[0], "staff");
    cr_assert_str_eq(answer.groups[1], "web");
    sg_answer_free(&answer);
    sg_login_cache_free(cache);
}

Test(login_cache, covers_nobody_else)
{
    struct sg_login_cache *cache = sg_login_cache_new(64, 65536);
    const struct sg_creds c = creds("192.0.2.1", "alice", "secret");
    struct sg_creds other = c;

    put(cache, &c, LATER, "web");
    cr_assert(known(cache, &c));
    other.client.port = 4711;
    cr_assert(known(cache, &other), "the port is another with every connection");
    for (unsigned i = 0; i < 8; i++) {
        other = c;
        switch (i) {
        case 0: other.client.ip[3]++; break;
        case 1: other.client.scope_id = 2; break;
        case 2: other.local.ip[3]++; break;
        case 3: other.local.port++; break;
        case 4: other.listener = "main2"; break;
        case 5: other.secret = "Secret"; break;
        case 6: other.kind = SG_CREDS_USERID; break;
        default: other = creds("192.0.2.1", "alices", "ecret"); break; /* the same octets in a row */
        }
        cr_assert_not(known(cache, &other), "case %u", i);
    }
    cr_assert_not(known_with(cache, &c, SG_METHOD_NONE, 0, 0));
    sg_login_cache_free(cache);
}

Test(login_cache, another_process_has_another_key)
{
    struct sg_login_cache *one = sg_login_cache_new(4, 65536), *two = sg_login_cache_new(4, 65536);
    const struct sg_creds c = creds("192.0.2.1", "alice", "secret");
    struct sg_login_key a, b;

    sg_login_cache_key(one, &c, SG_METHOD_USERPASS, &a);
    sg_login_cache_key(two, &c, SG_METHOD_USERPASS, &b);
    cr_assert_neq(memcmp(&a, &b, sizeof a), 0);
    sg_login_cache_free(one);
    sg_login_cache_free(two);
}

Test(login_cache, lives_as_long_as_it_may)
{
    struct sg_login_cache *cache = sg_login_cache_new(4, 65536);
    const struct sg_creds alice = creds("192.0.2.1", "alice", "a"), bob = creds("192.0.2.1", "bob", "b");

    put(cache, &alice, 1000, "web");
    put(cache, &bob, 500, "web");
    cr_assert(known_with(cache, &alice, SG_METHOD_USERPASS, 0, 999));
    cr_assert_not(known_with(cache, &alice, SG_METHOD_USERPASS, 0, 1000));
    cr_assert_eq(sg_login_cache_count(cache), 1);
    sg_login_cache_sweep(cache, 499);
    cr_assert_eq(sg_login_cache_count(cache), 1);
    sg_login_cache_sweep(cache, 500);
    cr_assert_eq(sg_login_cache_count(cache), 0);
    sg_login_cache_free(cache);
}

Test(login_cache, users_that_change)
{
    struct sg_login_cache *cache = sg_login_cache_new(4, 65536);
    const struct sg_creds c = creds("192.0.2.1", "alice", "secret");

    put(cache, &c, LATER, "web");
    cr_assert_not(known_with(cache, &c, SG_METHOD_USERPASS, 1, 0));
    cr_assert_eq(sg_login_cache_count(cache), 0);
    put(cache, &c, LATER, "web"); /* it had begun before the change */
    cr_assert_not(known_with(cache, &c, SG_METHOD_USERPASS, 1, 0));
    sg_login_cache_free(cache);
}

Test(login_cache, bounds)
{
    struct sg_login_cache *cache = sg_login_cache_new(3, 65536);
    char name[16], *group = calloc(1, 8193);
    struct sg_creds c;

    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "user%u", i);
        c = creds("192.0.2.1", name, "x");
        put(cache, &c, LATER, "web");
        put(cache, &c, LATER, "web"); /* once more takes no more room */
    }
    cr_assert_eq(sg_login_cache_count(cache), 3);
    cr_assert(known(cache, &c));
    c = creds("192.0.2.1", "user1", "x");
    cr_assert_not(known(cache, &c), "the oldest make room");
    memset(group, 'g', 8192);
    c = creds("192.0.2.1", "large", "x");
    put(cache, &c, LATER, group);
    cr_assert_not(known(cache, &c), "more than an eighth of the cache is not kept");
    cr_assert_eq(sg_login_cache_count(cache), 3);
    sg_login_cache_free(cache);
    cache = sg_login_cache_new(1000, 65536);
    group[6000] = '\0';
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "user%u", i);
        c = creds("192.0.2.1", name, "x");
        put(cache, &c, LATER, group);
    }
    cr_assert_eq(sg_login_cache_count(cache), 10, "octets are bounded too");
    free(group);
    sg_login_cache_free(cache);
}
