/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - the other end of a session.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "modtest/modtest.h"
#include "pending.h"

#define QUIET_TURNS 6
#define CLOSE_MS 3000

int
mt_client_open(struct mt_world *w, struct mt_client *c)
{
    static const struct sg_addr from = { .family = SG_FAMILY_IPV4, .port = 40000, .ip = { 127, 0, 0, 1 } };
    static const struct sg_addr here = { .family = SG_FAMILY_IPV4, .port = 1080, .ip = { 127, 0, 0, 1 } };
    int pair[2];

    (void)w;
    *c = (struct mt_client){ .fd = -1 };
    if (!sg_session_reserve() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1)
        return -1;
    c->fd = pair[1];
    c->s = sg_session_new(&w->listener, pair[0], &from, &here);
    return 0;
}

static void
client_receive(struct mt_client *c)
{
    char octets[8192];
    ssize_t n;

    while (!c->gone && (n = recv(c->fd, octets, sizeof octets, 0)) != -1) {
        c->received += (size_t)n;
        c->gone = n == 0;
    }
    if (!c->gone && errno != EAGAIN && errno != EINTR)
        c->gone = true;
}

static void
client_turn(struct mt_world *w, struct mt_client *c)
{
    mt_world_turn(w);
    client_receive(c);
}

void
mt_client_send(struct mt_world *w, struct mt_client *c, const uint8_t *octets, size_t len, size_t piece)
{
    for (size_t at = 0; at < len && !c->gone; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;

        if (send(c->fd, octets + at, n, MSG_NOSIGNAL) == -1)
            return;
        if (n < len)
            client_turn(w, c);
    }
}

/* Is something under way that will change this session by itself? */
static bool
client_waits(const struct mt_client *c)
{
    if (c->gone || sg_session_count() == 0)
        return false;
    if (c->s->rec->replied) /* a command that has answered may wait for others, as BIND does */
        return false;
    return c->s->pendings != NULL || c->s->dial != NULL || sg_login_runs(c->s);
}

void
mt_client_settle(struct mt_world *w, struct mt_client *c)
{
    const int64_t until = sg_mono_ms() + mt_options.wait_ms;
    unsigned quiet = 0;

    while (quiet < QUIET_TURNS && sg_mono_ms() < until) {
        const size_t before = c->received;
        const enum sg_state state = sg_session_count() > 0 ? c->s->state : SG_STATE_END;

        client_turn(w, c);
        if (c->received != before || client_waits(c) || (sg_session_count() > 0 && c->s->state != state))
            quiet = 0;
        else
            quiet++;
    }
    if (quiet == QUIET_TURNS || c->gone || sg_session_count() == 0)
        return;
    if (c->s->pendings != NULL && c->s->pendings->inst->number == 1)
        mt_mistake("%s answered SG_AGAIN and its handle was not resolved: end each with exactly one "
                   "sg_pending_resolve(), or allow more time with --wait",
                   mt_hook_name((enum mt_hook)atomic_load(&mt_shared->again_hook)));
}

void
mt_client_close(struct mt_world *w, struct mt_client *c, bool reset)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    const int64_t until = sg_mono_ms() + CLOSE_MS;

    if (reset) {
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        (void)close(c->fd);
    } else {
        (void)shutdown(c->fd, SHUT_WR);
        for (unsigned i = 0; i < QUIET_TURNS && sg_session_count() > 0; i++)
            client_turn(w, c);
        (void)close(c->fd);
    }
    c->fd = -1;
    while (sg_session_count() > 0 && sg_mono_ms() < until)
        mt_world_turn(w);
    sg_session_end_all(SG_REASON_STOPPED); /* what no end of a client moves */
    mt_world_turn(w);
}
