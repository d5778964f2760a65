/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp.c - an association begins, idles, ends.
 */
#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "advertise.h"
#include "clock.h"
#include "container.h"
#include "filter_core.h"
#include "image_core.h"

#define UDP_DEFAULT_MS 60000
#define UDP_DEFAULT_DESTINATIONS 256
/* Ports of the range that are tried before it counts as used up. */
#define UDP_PORT_TRIES 128

/* ---- the end */

static void
udp_close(int *fd, ev_io *io)
{
    if (*fd == -1)
        return;
    ev_io_stop(sg_worker_loop(), io);
    (void)close(*fd);
    *fd = -1;
}

static void
udp_record(const struct sg_udp *udp)
{
    struct sg_record *rec = udp->session->rec;

    for (unsigned i = 0; i < udp->n_tried; i++)
        sg_record_add_tried(rec, &udp->tried[i]);
    rec->tried_more = rec->tried_more || udp->tried_more;
    if (udp->dry_run_label != NULL && rec->dry_run_rule_len == 0)
        sg_record_set_dry_run(rec, udp->dry_run_label, (uint8_t)udp->dry_run_verdict);
}

void
sg_udp_stop(struct sg_udp *udp)
{
    if (udp == NULL)
        return;
    sg_udp_judgings_stop(udp);
    ev_timer_stop(sg_worker_loop(), &udp->idle);
    udp_close(&udp->fd, &udp->io);
    for (unsigned i = 0; i < SG_UDP_FAMILIES; i++)
        udp_close(&udp->targets[i].fd, &udp->targets[i].io);
    sg_quota_give(&udp->user_quota);
    sg_quota_give(&udp->client_quota);
    udp_record(udp);
}

void
sg_udp_free(struct sg_udp *udp)
{
    if (udp == NULL)
        return;
    sg_udp_dests_clear(&udp->dests);
    free(udp);
}

/* Not started anew for each datagram: it looks when the last one was. */
static void
udp_idle(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct sg_udp *udp = SG_CONTAINER(timer, struct sg_udp, idle);
    const int64_t left = udp->active_ms + udp->options.idle - sg_mono_ms();

    (void)revents;
    if (left > 0) {
        ev_timer_set(timer, (ev_tstamp)left / 1000, 0.);
        ev_timer_start(loop, timer);
        return;
    }
    sg_session_reason(udp->session, SG_REASON_IDLE_TIMEOUT, 0);
    sg_session_end(udp->session, false);
}

/* ---- the beginning */

/* Why there is none; the module returns ERROR, and the first reason stays. */
static int
udp_refuse(struct sg_session *s, enum sg_reason reason, int err, uint8_t rep)
{
    sg_session_reason(s, reason, err);
    sg_session_set_rep(s, rep);
    return -1;
}

static struct sg_udp *
udp_new(struct sg_session *s, const struct sg_udp_options *options)
{
    struct sg_udp *udp = calloc(1, sizeof *udp);

    if (udp == NULL)
        return NULL;
    udp->session = s;
    udp->fd = -1;
    for (unsigned i = 0; i < SG_UDP_FAMILIES; i++)
        udp->targets[i].fd = -1;
    udp->options = *options;
    if (udp->options.idle <= 0)
        udp->options.idle = UDP_DEFAULT_MS;
    if (udp->options.recheck <= 0)
        udp->options.recheck = UDP_DEFAULT_MS;
    udp->dests.most = options->destinations > 0 ? options->destinations : UDP_DEFAULT_DESTINATIONS;
    udp->images = sg_images_taken();
    udp->drops = sg_record_udp_drops(s->rec);
    if (udp->drops != NULL)
        return udp;
    free(udp);
    return NULL;
}

static bool
udp_within_limits(struct sg_udp *udp)
{
    const struct sg_identity *identity = &udp->session->admitted->identity;
    const struct sg_addr *client = &udp->session->rec->client;

    if (!sg_quota_take(SG_QUOTA_CLIENT, client->ip, sizeof client->ip, udp->options.per_client, &udp->client_quota)) {
        sg_session_reason_text(udp->session, "the client address has as many associations as it may");
        return false;
    }
    if (identity->name_len == 0 ||
        sg_quota_take(SG_QUOTA_USER, identity->name, identity->name_len, udp->options.per_user, &udp->user_quota))
        return true;
    sg_session_reason_text(udp->session, "the user has as many associations as he may");
    return false;
}

/* On the very address that the client has reached, as the kernel has it. -1 and errno. */
static int
udp_bind(struct sg_udp *udp)
{
    static const struct sg_ports any_port = { .n = 0 };
    const struct sg_ports *ports = udp->options.ports != NULL ? udp->options.ports : &any_port;
    struct sg_port_walk walk;
    union sg_udp_name local = { .any.sa_family = AF_UNSPEC };
    socklen_t len = sizeof local;
    uint16_t port;

    if (getsockname(udp->session->fd, &local.any, &len) == -1)
        return -1;
    udp->fd = socket(local.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp->fd == -1)
        return -1;
    sg_port_walk(&walk, ports, UDP_PORT_TRIES);
    while (sg_port_next(&walk, &port)) {
        *sg_udp_name_port(&local) = htons(port);
        if (bind(udp->fd, &local.any, len) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
    }
    (void)close(udp->fd);
    udp->fd = -1;
    return -1;
}

/* The client is who has made the TCP connection, whatever it announced; but an announced port is held to. */
static void
udp_expect(struct sg_udp *udp)
{
    struct sg_session *s = udp->session;
    const struct sg_addr *source = &s->request->source;
    socklen_t len = sizeof udp->peer;
    char addr[SG_ADDR_TEXT], text[SG_ADDR_TEXT + 64];

    (void)getpeername(s->fd, &udp->peer.any, &len);
    *sg_udp_name_port(&udp->peer) = htons(source->port);
    if (source->family == SG_FAMILY_NONE || sg_addr_same_ip(source, &s->rec->client) ||
        (sg_addr_special(source) & SG_SPECIAL_UNSPECIFIED) != 0)
        return;
    (void)snprintf(text, sizeof text, "announced to send from %s", sg_addr_format(source, addr, sizeof addr));
    sg_session_reason_text(s, text);
}

static void
udp_run(struct sg_udp *udp)
{
    struct sg_session *s = udp->session;

    udp->active_ms = sg_mono_ms();
    ev_io_init(&udp->io, sg_udp_client_ready, udp->fd, EV_READ);
    ev_io_start(sg_worker_loop(), &udp->io);
    ev_timer_init(&udp->idle, udp_idle, (ev_tstamp)udp->options.idle / 1000, 0.);
    ev_now_update(sg_worker_loop());
    ev_timer_start(sg_worker_loop(), &udp->idle);
    /* What was sent behind the request is nobody's. */
    s->drained += (uint32_t)(sg_buf_len(&s->in) + (s->encapsulated ? sg_buf_len(&s->filter->plain) : 0));
    sg_buf_free(&s->in);
    if (s->encapsulated)
        sg_buf_free(&s->filter->plain);
    sg_session_goto(s, SG_STATE_ASSOCIATION);
    sg_session_kick(s);
}

int
sg_udp_associate(struct sg_session *s, const struct sg_udp_options *options)
{
    union sg_udp_name bound = { .any.sa_family = AF_UNSPEC };
    socklen_t len = sizeof bound;
    struct sg_addr local;

    if (s->state != SG_STATE_COMMAND || s->ending || s->udp != NULL || s->rec->started ||
        options->size < sizeof *options)
        return -1;
    if (s->encapsulated && !sg_filter_has_datagrams(s)) {
        sg_session_reason_text(s, "the METHOD does not encapsulate datagrams");
        return udp_refuse(s, SG_REASON_COMMAND_UNKNOWN, 0, SG_REP_COMMAND_NOT_SUPPORTED);
    }
    s->udp = udp_new(s, options); /* goes with the session, whatever happens here */
    if (s->udp == NULL)
        return udp_refuse(s, SG_REASON_SHORTAGE, ENOMEM, SG_REP_GENERAL_FAILURE);
    if (!udp_within_limits(s->udp))
        return udp_refuse(s, SG_REASON_LIMIT, 0, SG_REP_NOT_ALLOWED);
    if (udp_bind(s->udp) == -1)
        return udp_refuse(s, SG_REASON_SHORTAGE, errno, SG_REP_GENERAL_FAILURE);
    udp_expect(s->udp);
    (void)getsockname(s->udp->fd, &bound.any, &len);
    sg_udp_name_to(&bound, &local);
    if (sg_reply(s, SG_REP_SUCCEEDED, &local) == -1)
        return -1;
    udp_run(s->udp);
    return 0;
}
