/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockets.c - listening sockets.
 */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"

const char *
sg_socket_key(const struct sg_listener_conf *listener, char key[SG_KEY_MAX])
{
    char text[SG_ADDR_TEXT];

    (void)sg_addr_format(&listener->address, text, sizeof text);
    if (listener->port != 0)
        (void)snprintf(key, SG_KEY_MAX, "%s", text);
    else
        (void)snprintf(key, SG_KEY_MAX, "%s#%s", text, listener->name);
    return key;
}

int
sg_socket_bind(const struct sg_listener_conf *listener)
{
    struct sockaddr_storage ss;
    const socklen_t len = sg_addr_to_sockaddr(&listener->address, &ss);
    const int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int one = 1;

    if (fd == -1)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == -1 ||
        (ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == -1) ||
        bind(fd, (const struct sockaddr *)&ss, len) == -1) {
        const int err = errno;

        (void)close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

void
sg_socket_options(int fd, const struct sg_timeouts_conf *timeouts)
{
    const int one = 1, on = timeouts->keepalive > 0, idle = (int)(timeouts->keepalive / 1000) + 1, interval = 10;
    const unsigned user_timeout = (unsigned)timeouts->user_timeout;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
}

int
sg_socket_connect(int fd, const struct sg_addr *to)
{
    struct sockaddr_storage ss;
    const socklen_t len = sg_addr_to_sockaddr(to, &ss);
    int err = connect(fd, (const struct sockaddr *)&ss, len) == -1 ? errno : 0;

    if (err == EINPROGRESS && (sg_addr_special(to) & SG_SPECIAL_LOOPBACK) != 0)
        err = connect(fd, (const struct sockaddr *)&ss, len) == -1 ? errno : 0;
    return err == EALREADY ? EINPROGRESS : err;
}

const char *
sg_socket_text(int fd, char *text, size_t size)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct sg_addr addr = { .family = SG_FAMILY_NONE };

    if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
        (void)sg_addr_from_sockaddr(&ss, &addr);
    return sg_addr_format(&addr, text, size);
}

static const struct sg_socket *
sockets_entry(const struct sg_sockets *all, const char *key)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->v[i].key, key) == 0)
            return &all->v[i];
    return NULL;
}

bool
sg_sockets_has(const struct sg_sockets *all, const char *key)
{
    return sockets_entry(all, key) != NULL;
}

int
sg_sockets_find(const struct sg_sockets *all, const char *key)
{
    const struct sg_socket *entry = sockets_entry(all, key);

    return entry != NULL ? entry->fd : -1;
}

int
sg_sockets_add(struct sg_sockets *all, const char *key, int fd)
{
    if (all->n == all->size) {
        const size_t more = all->size * 2 + 8;
        struct sg_socket *p = realloc(all->v, more * sizeof *p);

        if (p == NULL)
            return -1;
        all->v = p;
        all->size = more;
    }
    (void)snprintf(all->v[all->n].key, SG_KEY_MAX, "%s", key);
    all->v[all->n++].fd = fd;
    return 0;
}

void
sg_sockets_clear(struct sg_sockets *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].fd != -1)
            (void)close(all->v[i].fd);
    free(all->v);
    *all = (struct sg_sockets){ 0 };
}

void
sg_sockets_inherit(struct sg_sockets *all)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    char text[SG_ADDR_TEXT];

    if (pid == NULL || n == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return;
    for (int fd = 3; fd < 3 + (int)strtol(n, NULL, 10); fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        (void)sg_sockets_add(all, sg_socket_text(fd, text, sizeof text), fd);
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
}
