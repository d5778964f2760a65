/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ownaddr.c - the addresses of this machine. The kernel tells over netlink when they change; the list is then read anew.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "log.h"

static struct sg_addr *own;
static size_t n_own;

int
sg_ownaddr_open(void)
{
    const struct sockaddr_nl wanted = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd != -1 && bind(fd, (const struct sockaddr *)&wanted, sizeof wanted) == -1) {
        const int err = errno;

        (void)close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

static size_t
ownaddr_count(const struct ifaddrs *all)
{
    size_t n = 0;

    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
        n++;
    return n;
}

void
sg_ownaddr_refresh(int fd)
{
    char ignored[8192];
    struct ifaddrs *all;
    struct sg_addr *list;
    size_t n = 0;

    /* What changed does not matter, only that something did: the whole list is small. */
    while (fd != -1 && recv(fd, ignored, sizeof ignored, 0) > 0)
        continue;
    if (getifaddrs(&all) == -1) {
        sg_logf_limited(SG_LOG_WARN, "cannot list this machine's addresses, the old list stays: %s", strerror(errno));
        return;
    }
    list = calloc(ownaddr_count(all) + 1, sizeof *list);
    for (const struct ifaddrs *i = all; list != NULL && i != NULL; i = i->ifa_next) {
        struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };

        if (i->ifa_addr == NULL)
            continue;
        if (i->ifa_addr->sa_family == AF_INET)
            memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in));
        else if (i->ifa_addr->sa_family == AF_INET6)
            memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in6));
        if (sg_addr_from_sockaddr(&ss, &list[n]) == 0)
            n++;
    }
    freeifaddrs(all);
    if (list == NULL)
        return;
    free(own);
    own = list;
    n_own = n;
}

bool
sg_ownaddr_has(const struct sg_addr *addr)
{
    for (size_t i = 0; i < n_own; i++)
        if (own[i].family == addr->family && memcmp(own[i].ip, addr->ip, sizeof addr->ip) == 0)
            return true;
    return false;
}
