/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_udp.c - what UDP associations are made of: the header of datagrams, the table of destinations, quotas.
 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "quota.h"
#include "udp_dest.h"
#include "udp_header.h"
#include "vectors.h"
#include "worker.h"

#define IN_CASE "%s:%u", c->file, c->line

/* ---- the header */

/* The text of what rules judge: `canon` if there is one, else `addr`. */
static void
header_names(const struct vector_case *c, const struct sg_wire_request *dst)
{
    const char *canon = vector_field(c, "canon");
    char expected[256], text[SG_ADDR_TEXT];

    (void)snprintf(expected, sizeof expected, "%s", canon != NULL ? canon : vector_field(c, "addr"));
    if (dst->name != NULL)
        cr_expect(dst->name_len == strlen(expected) && memcmp(dst->name, expected, dst->name_len) == 0, IN_CASE);
    else
        cr_expect_str_eq(sg_addr_format_ip(&dst->addr, text, sizeof text), expected, IN_CASE);
}

/* Whatever is shorter than the header is none. */
static void
header_case(const struct vector_case *c)
{
    const bool malformed = strstr(c->expect, "malformed") != NULL;
    const size_t known = malformed ? c->len + 1 : strtoul(vector_field(c, "consumed"), NULL, 10);
    struct sg_udp_header h;

    for (size_t n = 0; n <= c->len; n++) {
        uint8_t *octets = memcpy(malloc(n + (n == 0)), c->octets, n);
        const ssize_t taken = sg_udp_parse_header(octets, n, &h);

        cr_expect(taken == (n < known ? -1 : (ssize_t)known), IN_CASE);
        free(octets);
    }
    if (malformed)
        return;
    (void)sg_udp_parse_header(c->octets, c->len, &h);
    cr_expect(h.frag == strtoul(vector_field(c, "frag"), NULL, 16) && h.dst.cmd == SG_CMD_UDP_ASSOCIATE, IN_CASE);
    cr_expect(h.dst.atyp == strtoul(vector_field(c, "atyp"), NULL, 10), IN_CASE);
    cr_expect(h.dst.port == strtoul(vector_field(c, "port"), NULL, 10), IN_CASE);
    header_names(c, &h.dst);
}

static unsigned headers, written;

static void
received(const struct vector_case *c)
{
    if (strcmp(c->codec, "datagram") != 0)
        return;
    header_case(c);
    headers++;
}

/* S5-U16: what is written is what is read. */
static void
sent(const struct vector_case *c)
{
    uint8_t octets[SG_UDP_HEADER_MAX];
    struct sg_udp_header h;
    struct sg_addr from;
    size_t len;

    if (strcmp(c->codec, "datagram") != 0)
        return;
    cr_assert_eq(sg_addr_parse(vector_field(c, "addr"), &from), 0, IN_CASE);
    from.port = (uint16_t)strtoul(vector_field(c, "port"), NULL, 10);
    memset(octets, 0xff, sizeof octets);
    len = sg_udp_put_header(octets, &from);
    cr_expect(len == c->len && memcmp(octets, c->octets, len) == 0, IN_CASE);
    cr_expect(sg_udp_parse_header(octets, len, &h) == (ssize_t)len, IN_CASE);
    cr_expect(sg_addr_same_ip(&h.dst.addr, &from) && h.dst.port == from.port && h.frag == 0, IN_CASE);
    written++;
}

/* S5-U07, S5-U08, S5-U16, S5-U22 */
Test(udp, headers)
{
    (void)vectors_each('>', received);
    (void)vectors_each('<', sent);
    cr_expect(headers >= 23 && written >= 2, "%u headers, %u written", headers, written);
}

/* ---- destinations */

static struct sg_wire_request
dst(const char *host, uint16_t port)
{
    struct sg_wire_request wire = { .port = port };

    if (sg_addr_parse(host, &wire.addr) == -1) {
        wire.name = (const uint8_t *)host;
        wire.name_len = (uint8_t)strlen(host);
    }
    wire.addr.port = port;
    return wire;
}

static struct sg_udp_dest *
get(struct sg_udp_dests *all, const char *host, uint16_t port)
{
    const struct sg_wire_request wire = dst(host, port);

    return sg_udp_dest_get(all, &wire);
}

Test(udp, destinations_are_told_apart)
{
    struct sg_udp_dests all = { .most = 8 };
    struct sg_udp_dest *const v[] = { get(&all, "192.0.2.1", 1),   get(&all, "192.0.2.1", 2), get(&all, "192.0.2.2", 1),
                                      get(&all, "2001:db8::1", 1), get(&all, "a.test", 1),    get(&all, "a.test", 2),
                                      get(&all, "b.test", 1) };

    for (unsigned i = 0; i < 7; i++) {
        cr_assert(v[i] != NULL && v[i]->state == SG_UDP_NEW);
        for (unsigned j = 0; j < i; j++)
            cr_expect_neq(v[i], v[j]);
    }
    cr_expect_eq(get(&all, "192.0.2.1", 2), v[1]);
    cr_expect_eq(get(&all, "A.Test", 1), v[4]);
    cr_expect_eq(get(&all, "2001:db8::1", 1), v[3]);
    cr_expect_eq(all.n, 7);
    sg_udp_dests_clear(&all);
    cr_expect(all.n == 0 && all.newest == NULL && all.oldest == NULL);
}

/* S5-U21: who was written to may answer, by address or by address and port; of a name, the address that it has now. */
Test(udp, who_was_written_to)
{
    struct sg_udp_dests all = { .most = 4 };
    struct sg_udp_dest *address = get(&all, "192.0.2.1", 1), *name = get(&all, "a.test", 9);
    struct sg_addr one = dst("192.0.2.1", 1).addr, other = dst("192.0.2.2", 9).addr;

    cr_expect_not(sg_udp_dest_written(&all, &one, false));
    address->written = name->written = true;
    cr_expect(sg_udp_dest_written(&all, &one, true));
    cr_expect_not(sg_udp_dest_written(&all, &other, false));
    sg_udp_dest_set_addr(&all, name, &other);
    cr_expect(sg_udp_dest_written(&all, &other, true));
    one.port = 7;
    cr_expect(sg_udp_dest_written(&all, &one, false) && !sg_udp_dest_written(&all, &one, true));
    sg_udp_dest_set_addr(&all, name, &one);
    cr_expect_not(sg_udp_dest_written(&all, &other, false));
    /* An address that a name has is no destination that was written as an address. */
    cr_expect_neq(get(&all, "192.0.2.1", 7), name);
    sg_udp_dests_clear(&all);
}

/* The one unused for longest makes room; one that is being judged stays, also when all are forgotten. */
Test(udp, destinations_make_room)
{
    struct sg_udp_dests all = { .most = 3 };
    struct sg_udp_dest *first = get(&all, "192.0.2.1", 1), *second = get(&all, "192.0.2.2", 1);

    (void)get(&all, "192.0.2.3", 1);
    first->state = second->state = SG_UDP_ALLOWED;
    cr_expect_eq(get(&all, "192.0.2.1", 1), first);
    (void)get(&all, "192.0.2.4", 1); /* in the place of .2 */
    cr_expect_eq(get(&all, "192.0.2.1", 1)->state, SG_UDP_ALLOWED);
    cr_expect_eq(get(&all, "192.0.2.2", 1)->state, SG_UDP_NEW);
    cr_expect_eq(all.n, 3);
    for (struct sg_udp_dest *dest = all.newest; dest != NULL; dest = dest->older)
        dest->state = SG_UDP_JUDGED;
    cr_expect_null(get(&all, "192.0.2.9", 1));
    sg_udp_dests_clear(&all);
    cr_expect_eq(all.n, 3);
    for (struct sg_udp_dest *dest = all.newest; dest != NULL; dest = dest->older)
        dest->state = SG_UDP_REFUSED;
    sg_udp_dests_clear(&all);
    cr_expect_eq(all.n, 0);
}

/* ---- quotas */

/* Workers one after the other, as if each were this process. */
static struct sg_worker_status statuses[3];

static struct sg_worker_boot
boot_of(unsigned number)
{
    static struct sg_instances instances;

    return (struct sg_worker_boot){
        .instances = &instances, .status = &statuses[number], .number = number, .n_workers = 3
    };
}

Test(udp, quotas)
{
    static struct sg_conf conf = { .core.resolver = { .timeout = 1000, .tries = 1, .cache_entries = 16 } };
    struct sg_worker_boot boot;
    sg_quota taken[8], one;
    unsigned n = 0;

    cr_assert_neq(sodium_init(), -1);
    for (unsigned worker = 0; worker < 3; worker++) {
        boot = boot_of(worker);
        boot.conf = &conf;
        boot.journal = (struct sg_journal_fds){ -1, -1, -1 };
        boot.n_records = 1;
        cr_assert_eq(sg_worker_open(&boot), 0);
        while (n < 8 && sg_quota_take(SG_QUOTA_USER, "alice", 5, 2 + worker, &taken[n]))
            n++;
        cr_expect_eq(n, 2 + worker, "worker %u: %u", worker, n);
        cr_expect(sg_quota_take(SG_QUOTA_USER, "bob", 3, 1, &one));
        sg_quota_give(&one);
        cr_expect(sg_quota_take(SG_QUOTA_CLIENT, "alice", 5, 1, &one));
        sg_quota_give(&one);
        cr_expect(sg_quota_take(SG_QUOTA_USER, "alice", 5, 0, &one) && one == 0);
        if (worker == 2) {
            sg_quota_give(&taken[n - 1]);
            cr_expect(sg_quota_take(SG_QUOTA_USER, "alice", 5, n, &one));
            memset(&statuses[0], 0, sizeof statuses[0]); /* that worker has died */
            cr_expect(sg_quota_take(SG_QUOTA_USER, "alice", 5, n, &one));
        }
        sg_worker_close();
    }
}
