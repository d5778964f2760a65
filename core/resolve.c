/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.c - c-ares on the worker's loop: one watcher for each of its sockets, one timer for its time-outs.
 *
 * Two channels. When a TCP connection to a server ends, c-ares begins anew with every question that the channel has put to
 * that server; over one channel a single answer too long for UDP could take the tries of all others.
 */
#include "resolve.h"

#include <arpa/nameser.h>
#include <ares.h>
#include <netinet/in.h>
#include <string.h>

#include "addrs.h"
#include "clock.h"
#include "container.h"
#include "hosts.h"
#include "log.h"
#include "resolve_cache.h"

/* c-ares has one socket for each server, on each channel. */
#define RESOLVE_SOCKETS 32
/* What a server may send in one datagram: no fragments on any usual path (DNS flag day 2020). */
#define RESOLVE_UDP_SIZE 1232
/* The octet of a message with the bit "truncated" (RFC 1035 section 4.1.1). */
#define RESOLVE_TC_AT 2
#define RESOLVE_TC 0x02

enum { RESOLVE_UDP, RESOLVE_TCP, RESOLVE_CHANNELS };

struct resolve_channel {
    ares_channel ares;
    bool open;
    ev_timer timer;
};

static struct {
    const struct sg_resolver_conf *conf;
    const struct sg_hosts *hosts;
    struct sg_cache *cache;
    struct resolve_channel channels[RESOLVE_CHANNELS];
    bool closing;
    ev_io sockets[RESOLVE_SOCKETS]; /* fd -1: free */
    struct sg_found known;          /* what sg_resolve() returns */
} resolver;

/* When c-ares wants to be called, if nothing arrives. */
static void
resolve_set_timer(struct resolve_channel *channel)
{
    struct timeval tv;

    ev_timer_stop(sg_worker_loop(), &channel->timer);
    if (ares_timeout(channel->ares, NULL, &tv) == NULL)
        return;
    ev_timer_set(&channel->timer, (ev_tstamp)tv.tv_sec + (ev_tstamp)tv.tv_usec / 1e6, 0.);
    ev_timer_start(sg_worker_loop(), &channel->timer);
}

static void
resolve_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct resolve_channel *channel = timer->data;

    (void)loop, (void)revents;
    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    resolve_set_timer(channel);
}

static void
resolve_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct resolve_channel *channel = io->data;

    (void)loop;
    ares_process_fd(channel->ares, (revents & EV_READ) != 0 ? io->fd : ARES_SOCKET_BAD,
                    (revents & EV_WRITE) != 0 ? io->fd : ARES_SOCKET_BAD);
    resolve_set_timer(channel);
}

/* c-ares: what it wants to know of a socket from now on; nothing: it is about to close it. */
static void
resolve_socket(void *data, ares_socket_t fd, int readable, int writable)
{
    const int events = (readable != 0 ? EV_READ : 0) | (writable != 0 ? EV_WRITE : 0);
    ev_io *io = NULL;

    for (size_t i = 0; i < RESOLVE_SOCKETS; i++) {
        if (resolver.sockets[i].fd == fd) {
            io = &resolver.sockets[i];
            break;
        }
        if (resolver.sockets[i].fd == -1 && io == NULL)
            io = &resolver.sockets[i];
    }
    if (io == NULL) {
        sg_logf_limited(SG_LOG_ERR, "more than %d sockets to name servers: answers on one more are not heard",
                        RESOLVE_SOCKETS);
        return;
    }
    if (io->fd != fd)
        ev_io_init(io, resolve_ready, fd, events);
    io->data = data;
    sg_worker_watch(io, events);
    if (events == 0)
        io->fd = -1;
}

/* ---- answers */

static const struct {
    int status;
    enum sg_resolved result;
    const char *why;
} resolve_failures[] = {
    { ARES_ENOTFOUND, SG_RESOLVED_NONE, "no such name" },
    { ARES_ENODATA, SG_RESOLVED_NONE, "the name has no address" },
    { ARES_EBADNAME, SG_RESOLVED_NONE, "no such name" },
    { ARES_ESERVFAIL, SG_RESOLVED_FAILED, "the name servers failed (SERVFAIL)" },
    { ARES_EREFUSED, SG_RESOLVED_FAILED, "the name servers refused to answer" },
    { ARES_ENOTIMP, SG_RESOLVED_FAILED, "the name servers do not know that question" },
    { ARES_EFORMERR, SG_RESOLVED_FAILED, "the name servers did not understand the question" },
    { ARES_ETIMEOUT, SG_RESOLVED_FAILED, "no name server answered in time" },
    /* Also what c-ares 1.18 makes of SERVFAIL, NOTIMP and REFUSED, when no other server is left. */
    { ARES_ECONNREFUSED, SG_RESOLVED_FAILED, "the name servers failed, refused, or could not be reached" },
    { ARES_EBADRESP, SG_RESOLVED_FAILED, "the answer of the name servers makes no sense" },
    { ARES_ENOMEM, SG_RESOLVED_FAILED, "no memory" },
};

static void
resolve_failed(struct sg_found *found, int status)
{
    *found = (struct sg_found){ .result = SG_RESOLVED_FAILED, .why = "the lookup failed" };
    for (size_t i = 0; i < sizeof resolve_failures / sizeof resolve_failures[0]; i++)
        if (resolve_failures[i].status == status) {
            found->result = resolve_failures[i].result;
            found->why = resolve_failures[i].why;
        }
}

static void
resolve_add(struct sg_found *found, uint8_t family, const void *ip, size_t len, int ttl, int *least_ttl)
{
    struct sg_addr *addr = &found->v[found->n++];

    *addr = (struct sg_addr){ .family = family };
    memcpy(addr->ip, ip, len);
    sg_addr_canonical(addr);
    if (ttl < *least_ttl)
        *least_ttl = ttl;
}

/* The addresses in an answer, and the least of their TTLs (that of a CNAME before them counted). A status of c-ares. */
static int
resolve_parse(uint8_t family, const unsigned char *answer, int len, struct sg_found *found, int *ttl_out)
{
    struct ares_addrttl v4[SG_RESOLVE_ADDRS];
    struct ares_addr6ttl v6[SG_RESOLVE_ADDRS];
    int n = SG_RESOLVE_ADDRS;
    const int status = family == SG_FAMILY_IPV4 ? ares_parse_a_reply(answer, len, NULL, v4, &n)
                                                : ares_parse_aaaa_reply(answer, len, NULL, v6, &n);

    if (status != ARES_SUCCESS)
        return status;
    for (int i = 0; i < n; i++)
        if (family == SG_FAMILY_IPV4)
            resolve_add(found, family, &v4[i].ipaddr, sizeof v4[i].ipaddr, v4[i].ttl, ttl_out);
        else
            resolve_add(found, family, &v6[i].ip6addr, sizeof v6[i].ip6addr, v6[i].ttl, ttl_out);
    return n > 0 ? ARES_SUCCESS : ARES_ENODATA;
}

static int64_t
resolve_lifetime(enum sg_resolved result, int status, int ttl)
{
    const struct sg_resolver_conf *conf = resolver.conf;
    const int64_t ttl_ms = (int64_t)(ttl > 0 ? ttl : 0) * 1000;

    if (status == ARES_ENOMEM)
        return 0; /* says nothing about the name: the next session may have more luck */
    switch (result) {
    case SG_RESOLVED_ADDRS: return ttl_ms < conf->max_ttl ? ttl_ms : conf->max_ttl;
    case SG_RESOLVED_NONE: return conf->negative_ttl;
    default: return conf->failure_ttl;
    }
}

static void
resolve_query(struct resolve_channel *channel, struct sg_cache_entry *entry, ares_callback answered)
{
    ares_query(channel->ares, entry->name, ns_c_in, entry->family == SG_FAMILY_IPV4 ? ns_t_a : ns_t_aaaa, answered,
               entry);
    resolve_set_timer(channel);
}

/* c-ares has an answer, or gives up; perhaps inside ares_query(), so those who wait are told later. */
static void
resolve_answered(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
    struct sg_cache_entry *entry = arg;
    int ttl = INT32_MAX;

    (void)timeouts;
    if (resolver.closing)
        return;
    entry->found = (struct sg_found){ .result = SG_RESOLVED_ADDRS };
    if (status == ARES_SUCCESS)
        status = resolve_parse(entry->family, answer, len, &entry->found, &ttl);
    if (status != ARES_SUCCESS)
        resolve_failed(&entry->found, status);
    entry->expires_ms = sg_mono_ms() + resolve_lifetime(entry->found.result, status, ttl);
    sg_worker_defer(&entry->defer);
}

/* The same over UDP: an answer that is cut short is asked for again over TCP. With nothing left in it, it comes as an error. */
static void
resolve_answered_udp(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
    if (answer != NULL && len > RESOLVE_TC_AT && !resolver.closing && (answer[RESOLVE_TC_AT] & RESOLVE_TC) != 0)
        resolve_query(&resolver.channels[RESOLVE_TCP], arg, resolve_answered);
    else
        resolve_answered(arg, status, timeouts, answer, len);
}

static void
resolve_tell(struct sg_defer *defer)
{
    struct sg_cache_entry *entry = SG_CONTAINER(defer, struct sg_cache_entry, defer);

    /* Still "asking", so that nothing that these callbacks start can push the entry out of the cache. */
    while (entry->waiting != NULL) {
        struct sg_lookup *lookup = entry->waiting;

        sg_resolve_cancel(lookup);
        lookup->done(lookup, &entry->found);
    }
    entry->asking = false;
    if (entry->expires_ms <= sg_mono_ms())
        sg_cache_drop(entry);
}

/* ---- questions */

void
sg_resolve_cancel(struct sg_lookup *lookup)
{
    if (lookup->prev == NULL)
        return;
    *lookup->prev = lookup->next;
    if (lookup->next != NULL)
        lookup->next->prev = lookup->prev;
    lookup->prev = NULL;
}

static void
resolve_wait(struct sg_lookup *lookup, struct sg_cache_entry *entry)
{
    lookup->next = entry->waiting;
    lookup->prev = &entry->waiting;
    if (lookup->next != NULL)
        lookup->next->prev = &lookup->next;
    entry->waiting = lookup;
}

static void
resolve_ask(struct sg_cache_entry *entry)
{
    entry->asking = true;
    entry->defer.run = resolve_tell;
    resolve_query(&resolver.channels[RESOLVE_UDP], entry, resolve_answered_udp);
}

const struct sg_found *
sg_resolve(struct sg_lookup *lookup, const char *name, size_t len, uint8_t family)
{
    char lower[SG_RESOLVE_NAME_MAX];
    struct sg_cache_entry *entry;
    bool is_new;

    for (size_t i = 0; i < len; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    resolver.known = (struct sg_found){ .result = SG_RESOLVED_ADDRS };
    if (sg_hosts_find(resolver.hosts, lower, len, family, resolver.known.v, SG_RESOLVE_ADDRS, &resolver.known.n)) {
        if (resolver.known.n == 0)
            resolve_failed(&resolver.known, ARES_ENODATA);
        return &resolver.known;
    }
    entry = sg_cache_get(resolver.cache, lower, len, family, sg_mono_ms(), &is_new);
    if (entry == NULL) {
        resolver.known = (struct sg_found){ .result = SG_RESOLVED_BUSY, .why = "too many lookups at once" };
        return &resolver.known;
    }
    if (!is_new && !entry->asking)
        return &entry->found;
    resolve_wait(lookup, entry);
    if (is_new)
        resolve_ask(entry);
    return NULL;
}

/* ---- life */

static int
resolve_channel_open(struct resolve_channel *channel, int flag)
{
    const struct sg_resolver_conf *conf = resolver.conf;
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | flag,
        .ednspsz = RESOLVE_UDP_SIZE,
        .timeout = (int)conf->timeout,
        .tries = (int)conf->tries,
        .sock_state_cb = resolve_socket,
        .sock_state_cb_data = channel,
    };
    int status = ares_init_options(&channel->ares, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                       ARES_OPT_SOCK_STATE_CB);

    if (status != ARES_SUCCESS) {
        sg_logf(SG_LOG_EMERG, "the resolver does not start: %s", ares_strerror(status));
        return -1;
    }
    channel->open = true;
    ev_timer_init(&channel->timer, resolve_timer, 0., 0.);
    channel->timer.data = channel;
    if (conf->servers_csv == NULL)
        return 0;
    status = ares_set_servers_ports_csv(channel->ares, conf->servers_csv);
    if (status != ARES_SUCCESS)
        sg_logf(SG_LOG_EMERG, "the resolver does not take its servers: %s", ares_strerror(status));
    return status == ARES_SUCCESS ? 0 : -1;
}

static void
resolve_channel_close(struct resolve_channel *channel)
{
    if (!channel->open)
        return;
    ares_destroy(channel->ares);
    ev_timer_stop(sg_worker_loop(), &channel->timer);
    channel->open = false;
}

int
sg_resolver_open(const struct sg_worker_boot *boot)
{
    resolver.conf = &boot->conf->core.resolver;
    resolver.hosts = boot->hosts;
    resolver.closing = false;
    for (size_t i = 0; i < RESOLVE_SOCKETS; i++)
        resolver.sockets[i].fd = -1;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        sg_logf(SG_LOG_EMERG, "the resolver does not start");
        return -1;
    }
    resolver.cache = sg_cache_new((size_t)resolver.conf->cache_entries);
    if (resolver.cache == NULL) {
        sg_logf(SG_LOG_EMERG, "no memory for the resolver");
        return -1;
    }
    if (resolve_channel_open(&resolver.channels[RESOLVE_UDP], ARES_FLAG_IGNTC) == -1)
        return -1;
    return resolve_channel_open(&resolver.channels[RESOLVE_TCP], ARES_FLAG_USEVC);
}

void
sg_resolver_close(void)
{
    resolver.closing = true;
    resolve_channel_close(&resolver.channels[RESOLVE_TCP]);
    resolve_channel_close(&resolver.channels[RESOLVE_UDP]);
    ares_library_cleanup();
    sg_cache_free(resolver.cache);
    resolver.cache = NULL;
}
