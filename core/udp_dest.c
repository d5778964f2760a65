/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp_dest.c - the table of destinations. Two ways in: by name and port, for datagrams of the client; by IP address, for
 * those of the client and for those that come back. A client that makes buckets long pays for it alone.
 */
#include "udp_dest.h"

#include <stdlib.h>
#include <string.h>

#include "addrs.h"

/* FNV-1a. */
static unsigned
dest_hash(const void *octets, size_t len)
{
    const uint8_t *p = octets;
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 16777619u;
    return (hash ^ hash >> 16) % SG_UDP_BUCKETS;
}

static unsigned
dest_addr_hash(const struct sg_addr *addr)
{
    return dest_hash(addr->ip, sizeof addr->ip);
}

static void
dest_unlink_addr(struct sg_udp_dests *all, struct sg_udp_dest *dest)
{
    struct sg_udp_dest **at = &all->addrs[dest_addr_hash(&dest->addr)];

    while (*at != NULL && *at != dest)
        at = &(*at)->next_addr;
    if (*at != NULL)
        *at = dest->next_addr;
}

static void
dest_unlink_name(struct sg_udp_dests *all, struct sg_udp_dest *dest)
{
    struct sg_udp_dest **at = &all->names[dest_hash(dest->name, dest->name_len)];

    while (*at != dest)
        at = &(*at)->next_name;
    *at = dest->next_name;
}

static void
dest_unlink_use(struct sg_udp_dests *all, struct sg_udp_dest *dest)
{
    *(dest->newer != NULL ? &dest->newer->older : &all->newest) = dest->older;
    *(dest->older != NULL ? &dest->older->newer : &all->oldest) = dest->newer;
}

static void
dest_use(struct sg_udp_dests *all, struct sg_udp_dest *dest)
{
    dest->newer = NULL;
    dest->older = all->newest;
    *(all->newest != NULL ? &all->newest->newer : &all->oldest) = dest;
    all->newest = dest;
}

static void
dest_free(struct sg_udp_dests *all, struct sg_udp_dest *dest)
{
    dest_unlink_use(all, dest);
    if (dest->addr.family != SG_FAMILY_NONE)
        dest_unlink_addr(all, dest);
    if (dest->name_len > 0)
        dest_unlink_name(all, dest);
    all->n--;
    free(dest);
}

void
sg_udp_dest_set_addr(struct sg_udp_dests *all, struct sg_udp_dest *dest, const struct sg_addr *addr)
{
    struct sg_udp_dest **bucket = &all->addrs[dest_addr_hash(addr)];

    if (dest->addr.family != SG_FAMILY_NONE)
        dest_unlink_addr(all, dest);
    dest->addr = *addr;
    dest->next_addr = *bucket;
    *bucket = dest;
    sg_udp_name_from(addr, &dest->to);
}

static bool
dest_same_name(const struct sg_udp_dest *dest, const char *name, const struct sg_wire_request *dst)
{
    return dest->port == dst->port && dest->name_len == dst->name_len && memcmp(dest->name, name, dst->name_len) == 0;
}

static struct sg_udp_dest *
dest_find(const struct sg_udp_dests *all, const char *name, const struct sg_wire_request *dst)
{
    struct sg_udp_dest *dest;

    if (dst->name_len > 0) {
        dest = all->names[dest_hash(name, dst->name_len)];
        while (dest != NULL && !dest_same_name(dest, name, dst))
            dest = dest->next_name;
        return dest;
    }
    dest = all->addrs[dest_addr_hash(&dst->addr)];
    while (dest != NULL && (dest->name_len > 0 || dest->port != dst->port || !sg_addr_same_ip(&dest->addr, &dst->addr)))
        dest = dest->next_addr;
    return dest;
}

/* The one that was not used for longest, but for those that somebody waits for. */
static bool
dest_make_room(struct sg_udp_dests *all)
{
    struct sg_udp_dest *dest = all->oldest;

    if (all->n < all->most)
        return true;
    while (dest != NULL && dest->state == SG_UDP_JUDGED)
        dest = dest->newer;
    if (dest != NULL)
        dest_free(all, dest);
    return dest != NULL;
}

static struct sg_udp_dest *
dest_new(struct sg_udp_dests *all, const char *name, const struct sg_wire_request *dst)
{
    struct sg_udp_dest *dest = dest_make_room(all) ? calloc(1, sizeof *dest + dst->name_len) : NULL;
    struct sg_udp_dest **bucket;

    if (dest == NULL)
        return NULL;
    dest->port = dst->port;
    if (dst->name_len == 0) {
        sg_udp_dest_set_addr(all, dest, &dst->addr);
    } else {
        bucket = &all->names[dest_hash(name, dst->name_len)];
        dest->name_len = dst->name_len;
        memcpy(dest->name, name, dst->name_len);
        dest->next_name = *bucket;
        *bucket = dest;
    }
    dest_use(all, dest);
    all->n++;
    return dest;
}

struct sg_udp_dest *
sg_udp_dest_get(struct sg_udp_dests *all, const struct sg_wire_request *dst)
{
    struct sg_udp_dest *dest;
    char name[UINT8_MAX];

    for (unsigned i = 0; i < dst->name_len; i++)
        name[i] = (char)(dst->name[i] >= 'A' && dst->name[i] <= 'Z' ? dst->name[i] - 'A' + 'a' : dst->name[i]);
    dest = dest_find(all, name, dst);
    if (dest == NULL)
        return dest_new(all, name, dst);
    if (dest != all->newest) {
        dest_unlink_use(all, dest);
        dest_use(all, dest);
    }
    return dest;
}

bool
sg_udp_dest_written(const struct sg_udp_dests *all, const struct sg_addr *from, bool port)
{
    for (const struct sg_udp_dest *dest = all->addrs[dest_addr_hash(from)]; dest != NULL; dest = dest->next_addr)
        if (dest->written && (!port || dest->addr.port == from->port) && sg_addr_same_ip(&dest->addr, from))
            return true;
    return false;
}

void
sg_udp_dests_clear(struct sg_udp_dests *all)
{
    struct sg_udp_dest *dest = all->oldest, *newer;

    for (; dest != NULL; dest = newer) {
        newer = dest->newer;
        if (dest->state != SG_UDP_JUDGED)
            dest_free(all, dest);
    }
}
