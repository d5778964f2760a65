/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syslog_link.c - to the syslog server and no further than a deadline.
 *
 * A stream that has failed is reset: what the server has of a frame that was cut short must not look like a whole one. The
 * next connection begins with a whole frame.
 */
#include "syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINK_LOOK_MS 2 /* how often to look whether all has arrived: there is no event for that */

int64_t
syslog_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- where to */

static const char *
target_unix(const char *path, struct syslog_target *target)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&target->addr;

    if (path[0] != '/')
        return "the path of a unix socket is absolute, as in \"unix:/dev/log\"";
    if (strlen(path) >= sizeof un->sun_path)
        return "the path of a unix socket has at most 107 characters";
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path) + 1);
    target->kind = SYSLOG_UNIX;
    target->len = sizeof *un;
    return NULL;
}

static bool
target_port(const char *text, in_port_t *port_out)
{
    char *end;
    const unsigned long port = strtoul(text, &end, 10);

    *port_out = htons((uint16_t)port);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port >= 1 && port <= 65535;
}

/* A name would have to be looked up, which can take longer than the logger may: addresses only. */
static const char *
target_inet(const char *text, struct syslog_target *target)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&target->addr;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&target->addr;
    const char *colon = strrchr(text, ':');
    const size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    char host[INET6_ADDRSTRLEN + 2];

    if (len == 0 || len >= sizeof host)
        return "it must be an address and a port, as in \"tcp:192.0.2.1:601\" or \"tcp:[2001:db8::1]:601\"";
    memcpy(host, text, len);
    host[len] = '\0';
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        target->len = sizeof *in6;
        in6->sin6_family = AF_INET6;
        if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1)
            return "what stands in brackets is not an IPv6 address";
        return target_port(colon + 1, &in6->sin6_port) ? NULL : "the port is a number from 1 to 65535";
    }
    target->len = sizeof *in;
    in->sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
        return "the server is an address, not a name: an IPv6 address stands in brackets";
    return target_port(colon + 1, &in->sin_port) ? NULL : "the port is a number from 1 to 65535";
}

const char *
syslog_target_parse(const char *text, struct syslog_target *target_out)
{
    *target_out = (struct syslog_target){ .kind = SYSLOG_UDP };
    if (strncmp(text, "unix:", 5) == 0)
        return target_unix(text + 5, target_out);
    if (strncmp(text, "tcp:", 4) == 0)
        target_out->kind = SYSLOG_TCP;
    else if (strncmp(text, "udp:", 4) != 0)
        return "it must begin with \"unix:\", \"udp:\" or \"tcp:\"";
    return target_inet(text + 4, target_out);
}

/* ---- the connection */

void
syslog_link_close(struct syslog_link *link)
{
    if (link->fd != -1)
        (void)close(link->fd);
    link->fd = -1;
}

static int
link_failed(struct syslog_link *link, int err)
{
    const struct linger reset = { .l_onoff = 1 };

    if (link->stream)
        (void)setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    syslog_link_close(link);
    errno = err;
    return -1;
}

/* 0: something of that kind, or an error. ETIMEDOUT. */
static int
link_wait(const struct syslog_link *link, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd poll_fd = { link->fd, events, 0 };
        const int64_t left = deadline_ms - syslog_now_ms();
        const int n = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;

        if (n == 1)
            return 0;
        if (n == 0)
            errno = ETIMEDOUT;
        if (n == 0 || errno != EINTR)
            return -1;
    }
}

static int
link_connect(struct syslog_link *link, int type, int64_t deadline_ms)
{
    const int one = 1, fragment = IP_PMTUDISC_DONT;
    socklen_t size = sizeof(int);
    int err = 0;

    link->stream = type == SOCK_STREAM;
    link->fd = socket(link->target.addr.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd == -1)
        return -1;
    /* A record that is longer than a packet leaves in several, instead of not at all. */
    if (link->target.kind == SYSLOG_UDP && link->target.addr.ss_family == AF_INET)
        (void)setsockopt(link->fd, IPPROTO_IP, IP_MTU_DISCOVER, &fragment, sizeof fragment);
    if (link->target.kind == SYSLOG_TCP)
        (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(link->fd, (const struct sockaddr *)&link->target.addr, link->target.len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return link_failed(link, errno);
    if (link_wait(link, POLLOUT, deadline_ms) == -1 || getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &err, &size) == -1)
        return link_failed(link, errno);
    return err != 0 ? link_failed(link, err) : 0;
}

static int
link_open(struct syslog_link *link, int64_t deadline_ms)
{
    const int type = link->target.kind == SYSLOG_TCP ? SOCK_STREAM : SOCK_DGRAM;

    if (link_connect(link, type, deadline_ms) == 0)
        return 0;
    if (link->target.kind != SYSLOG_UNIX || errno != EPROTOTYPE)
        return -1;
    return link_connect(link, SOCK_STREAM, deadline_ms);
}

/* Has the server closed? It has nothing to say; what it says all the same is dropped. */
static int
link_look(const struct syslog_link *link)
{
    char ignored[512];
    ssize_t n;

    do
        n = recv(link->fd, ignored, sizeof ignored, MSG_DONTWAIT);
    while (n > 0);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n == 0)
        errno = ECONNRESET;
    return -1;
}

static int
link_write(const struct syslog_link *link, const char *octets, size_t len, int64_t deadline_ms)
{
    while (len > 0) {
        const ssize_t n = send(link->fd, octets, len, MSG_NOSIGNAL);

        if (n == -1 && errno != EINTR && (errno != EAGAIN || link_wait(link, POLLOUT, deadline_ms) == -1))
            return -1;
        octets += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/*
 * Until nothing is left that TCP's other side has not acknowledged, or that the local daemon has not read. What a daemon
 * leaves unread when it goes counts as read: so is it still there?
 */
static int
link_wait_taken(const struct syslog_link *link, int64_t deadline_ms)
{
    int waiting = 0;

    while (ioctl(link->fd, SIOCOUTQ, &waiting) == 0 && waiting > 0) {
        if (syslog_now_ms() >= deadline_ms) {
            errno = ETIMEDOUT;
            return -1;
        }
        (void)poll(NULL, 0, LINK_LOOK_MS);
        if (link->stream && link_look(link) == -1)
            return -1;
    }
    return link->stream ? link_look(link)
                        : connect(link->fd, (const struct sockaddr *)&link->target.addr, link->target.len);
}

static int
link_send(struct syslog_link *link, const char *frames, size_t len, int64_t deadline_ms)
{
    const char *const end = frames + len;

    if (link->stream)
        return link_look(link) == -1 || link_write(link, frames, len, deadline_ms) == -1
                   ? -1
                   : link_wait_taken(link, deadline_ms);
    for (; frames < end; frames += strlen(frames) + 1)
        if (link_write(link, frames, strlen(frames), deadline_ms) == -1)
            return -1;
    return link->target.kind == SYSLOG_UNIX ? link_wait_taken(link, deadline_ms) : 0;
}

int
syslog_link_send(struct syslog_link *link, const char *frames, size_t len, int64_t deadline_ms)
{
    const bool old = link->fd != -1;

    if (!old && link_open(link, deadline_ms) == -1)
        return -1;
    if (link_send(link, frames, len, deadline_ms) == 0)
        return 0;
    (void)link_failed(link, errno);
    /* The server may have been restarted since the last time. Who had no time for us has none now. */
    if (!old || errno == ETIMEDOUT || link_open(link, deadline_ms) == -1)
        return -1;
    return link_send(link, frames, len, deadline_ms) == 0 ? 0 : link_failed(link, errno);
}
