/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockets.h - listening sockets. A key names one: "127.0.0.1:1080", or "127.0.0.1:0#NAME" where any port will do. The
 * socket of a key is made once and handed from generation to generation by the master.
 */
#ifndef SG_SOCKETS_H
#define SG_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

#define SG_KEY_MAX 160

struct sg_socket {
    char key[SG_KEY_MAX];
    int fd;
};

struct sg_sockets {
    size_t n, size;
    struct sg_socket *v;
};

const char *sg_socket_key(const struct sg_listener_conf *listener, char key[SG_KEY_MAX]);
/* Bound, not listening. -1 and errno. */
int sg_socket_bind(const struct sg_listener_conf *listener);
/* What accepted sockets inherit: no delay, keepalive, user time-out. */
void sg_socket_options(int fd, const struct sg_timeouts_conf *timeouts);
/*
 * connect(); its errno, 0 for success. To this machine itself a connection is made, or refused, by the time that the call
 * says EINPROGRESS: a second call then saves a turn of the loop.
 */
int sg_socket_connect(int fd, const struct sg_addr *to);
const char *sg_socket_text(int fd, char *text, size_t size); /* the address and port that it really has */

bool sg_sockets_has(const struct sg_sockets *all, const char *key);
int sg_sockets_find(const struct sg_sockets *all, const char *key);  /* the descriptor, or -1 */
int sg_sockets_add(struct sg_sockets *all, const char *key, int fd); /* takes the descriptor; -1: no memory */
void sg_sockets_clear(struct sg_sockets *all);                       /* closes all */
/* systemd's: LISTEN_PID, LISTEN_FDS; the key is the address that each is bound to. */
void sg_sockets_inherit(struct sg_sockets *all);

#endif
