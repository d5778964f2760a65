/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_client.c - clients over TCP: the handshake and what follows it.
 *
 * A client says each thing when it has heard the answer to the last one, as most real ones do.
 */
#include "loads.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many may be between connect and READY at once, so that no backlog overflows. */
#define CLIENT_OPENING 64
#define CLIENT_SINK ((size_t)1 << 20)

enum client_state {
    CLIENT_CLOSED,
    CLIENT_CONNECTING,
    CLIENT_GREETED,   /* VER METHOD is awaited */
    CLIENT_LOGGED_IN, /* VER STATUS (RFC 1929) */
    CLIENT_REQUESTED, /* VER REP RSV ATYP BND.ADDR BND.PORT */
    CLIENT_READY,
    CLIENT_ANSWER, /* the target's */
    CLIENT_HOLDING /* nothing more will be said */
};

struct client {
    struct load_watch watch;
    enum client_state state;
    unsigned char reply[262];
    size_t have;
    uint64_t left; /* of the answer */
    int64_t began_ns;
};

static struct {
    struct client *v;
    size_t n_opened, n_opening, n_there, n_busy;
    uint64_t received;
} clients;

static void client_open(struct client *client);

/* ---- the next thing to say */

static void
client_say(struct client *client, const void *octets, size_t len)
{
    if (send(client->watch.fd, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
        client->state = CLIENT_CLOSED;
}

static size_t
request_write(unsigned char *to, unsigned char cmd, const struct sockaddr_in *dst)
{
    const unsigned char head[] = { 5, cmd, 0, 1 };

    memcpy(to, head, sizeof head);
    memcpy(to + 4, &dst->sin_addr, 4);
    memcpy(to + 8, &dst->sin_port, 2);
    return 10;
}

/* RFC 1929: VER ULEN UNAME PLEN PASSWD. */
static size_t
login_write(unsigned char *to)
{
    const size_t ulen = strnlen(load.user, 255), plen = strnlen(load.password, 255);

    to[0] = 1;
    to[1] = (unsigned char)ulen;
    memcpy(to + 2, load.user, ulen);
    to[2 + ulen] = (unsigned char)plen;
    memcpy(to + 3 + ulen, load.password, plen);
    return 3 + ulen + plen;
}

static void
client_say_request(struct client *client)
{
    unsigned char request[10];

    client->state = CLIENT_REQUESTED;
    client_say(client, request, request_write(request, 1, &load.target));
}

static void
client_ask(struct client *client)
{
    unsigned char request[LOAD_REQUEST] = { 0 };

    client->left = load.mode == LOAD_STREAMS ? 0 : load.size;
    memcpy(request, &client->left, sizeof client->left);
    client->state = CLIENT_ANSWER;
    if (load.mode != LOAD_SESSIONS)
        client->began_ns = load_now_ns();
    client_say(client, request, sizeof request);
}

static void
client_there(struct client *client)
{
    client->state = CLIENT_READY;
    if (load.mode == LOAD_SESSIONS) {
        client_ask(client);
        return;
    }
    clients.n_opening--;
    clients.n_there++;
    /* The rest of them, a few at a time. */
    if (clients.n_opened < load.n_clients)
        client_open(&clients.v[clients.n_opened]);
}

static void
client_greet(struct client *client)
{
    const unsigned char greeting[] = { 5, 1, load.user != NULL ? 2 : 0 };

    if (load.raw) {
        client_there(client);
    } else if (load.mode == LOAD_HANDSHAKES) {
        client_say(client, greeting, 1);
        if (client->state != CLIENT_CLOSED)
            client_there(client);
    } else {
        client->state = CLIENT_GREETED;
        client_say(client, greeting, sizeof greeting);
    }
}

/* ---- open, close */

static void
client_open(struct client *client)
{
    int yes = 1;

    if (load.mode != LOAD_SESSIONS) {
        clients.n_opened++;
        clients.n_opening++;
    }
    client->have = 0;
    client->state = CLIENT_CONNECTING;
    client->began_ns = load_now_ns();
    client->watch.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->watch.fd == -1)
        load_fail("socket: %s", strerror(errno));
    (void)setsockopt(client->watch.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(client->watch.fd, (const struct sockaddr *)&load.proxy, sizeof load.proxy) == -1 &&
        errno != EINPROGRESS)
        load_fail("connect: %s", strerror(errno));
    load_add(&client->watch, EPOLLOUT);
}

/* A session is over, well or not; the next one begins in its place. */
static void
client_again(struct client *client, bool well)
{
    (void)close(client->watch.fd);
    if (well) {
        load.count++;
        load_latency(load_now_ns() - client->began_ns);
    } else if (load.errors++ >= 100) {
        load_fail("a hundred sessions have failed");
    }
    if (!load_enough()) {
        client_open(client);
        return;
    }
    client->state = CLIENT_CLOSED;
    clients.n_busy--;
}

static void
client_failed(struct client *client, const char *why)
{
    if (load.mode != LOAD_SESSIONS)
        load_fail("client %zu: %s", (size_t)(client - clients.v), why);
    client_again(client, false);
}

/* ---- what comes back */

/* How many octets a message has: what is there already says it. 0: too few to know. */
static size_t
client_expects(const struct client *client)
{
    if (client->state != CLIENT_REQUESTED)
        return 2;
    if (client->have < 5)
        return 0;
    return client->reply[3] == 1 ? 10 : client->reply[3] == 4 ? 22 : (size_t)7 + client->reply[4];
}

/* A whole message of the handshake. NULL, or what is wrong with it. */
static const char *
client_take(struct client *client)
{
    static char why[64];
    unsigned char login[513];

    client->have = 0;
    switch (client->state) {
    case CLIENT_GREETED:
        if (client->reply[1] != (load.user != NULL ? 2 : 0))
            return "the METHOD was refused";
        if (load.user == NULL) {
            client_say_request(client);
        } else {
            client->state = CLIENT_LOGGED_IN;
            client_say(client, login, login_write(login));
        }
        return NULL;
    case CLIENT_LOGGED_IN:
        if (client->reply[1] != 0)
            return "the login was refused";
        client_say_request(client);
        return NULL;
    default: break;
    }
    if (client->reply[1] != 0) {
        (void)snprintf(why, sizeof why, "REP %02X", client->reply[1]);
        return why;
    }
    client_there(client);
    return NULL;
}

static void
client_handshake(struct client *client)
{
    /* Nothing is read that belongs to what follows. */
    const size_t expects = client_expects(client), want = (expects != 0 ? expects : 5) - client->have;
    const ssize_t n = recv(client->watch.fd, client->reply + client->have, want, MSG_DONTWAIT);
    const char *why = NULL;

    if (n == -1 && errno == EAGAIN)
        return;
    if (n <= 0) {
        client_failed(client, n == 0 ? "closed in the handshake" : strerror(errno));
        return;
    }
    client->have += (size_t)n;
    if (client->have == client_expects(client))
        why = client_take(client);
    if (why == NULL && client->state == CLIENT_CLOSED)
        why = "it cannot be sent to";
    if (why != NULL)
        client_failed(client, why);
}

static void
client_answered(struct client *client)
{
    if (load.mode == LOAD_SESSIONS) {
        client_again(client, true);
        return;
    }
    load.count++;
    load_latency(load_now_ns() - client->began_ns);
    if (load.mode == LOAD_TRIPS && !load_enough()) {
        client_ask(client);
        return;
    }
    client->state = CLIENT_HOLDING;
    clients.n_busy--;
}

/* The octets of an answer are counted and thrown away: looking at them would be our work, not the proxy's. */
static void
client_receive(struct client *client)
{
    const bool stream = load.mode == LOAD_STREAMS;
    const ssize_t n = recv(client->watch.fd, NULL, stream ? CLIENT_SINK : client->left, MSG_DONTWAIT | MSG_TRUNC);

    if (n == -1 && errno == EAGAIN)
        return;
    if (n <= 0 && !stream) {
        client_failed(client, n == 0 ? "closed before the answer was complete" : strerror(errno));
        return;
    }
    if (n < 0)
        load_fail("a stream: %s", strerror(errno));
    clients.received += (uint64_t)n;
    client->left -= stream ? 0 : (uint64_t)n;
    if (stream && n == 0) {
        (void)close(client->watch.fd);
        client->state = CLIENT_CLOSED;
        load.count++;
        clients.n_busy--;
    } else if (!stream && client->left == 0) {
        client_answered(client);
    }
}

static void
client_ready(struct load_watch *watch, uint32_t events)
{
    struct client *client = (struct client *)(void *)watch;
    int err = 0;
    socklen_t len = sizeof err;

    if (client->state == CLIENT_CONNECTING) {
        (void)getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &err, &len);
        if (err != 0) {
            client_failed(client, strerror(err));
            return;
        }
        load_change(watch, EPOLLIN);
        client_greet(client);
        if (client->state == CLIENT_CLOSED)
            client_failed(client, "it cannot be sent to");
    } else if (client->state == CLIENT_ANSWER) {
        client_receive(client);
    } else if (client->state != CLIENT_READY && client->state != CLIENT_HOLDING) {
        client_handshake(client);
    } else if ((events & (EPOLLHUP | EPOLLRDHUP | EPOLLIN)) != 0) {
        client_failed(client, "closed while it was idle");
    }
}

/* ---- all of them */

void
load_clients_open(void)
{
    clients.v = calloc(load.n_clients, sizeof *clients.v);
    if (clients.v == NULL)
        load_fail("no memory");
    for (size_t i = 0; i < load.n_clients; i++)
        clients.v[i].watch.ready = client_ready;
    while (load.mode != LOAD_SESSIONS && clients.n_opened < load.n_clients && clients.n_opening < CLIENT_OPENING)
        client_open(&clients.v[clients.n_opened]);
}

bool
load_clients_there(void)
{
    return load.mode == LOAD_SESSIONS || clients.n_there == load.n_clients;
}

void
load_clients_go(void)
{
    if (load.mode == LOAD_HANDSHAKES)
        return;
    clients.n_busy = load.n_clients;
    for (size_t i = 0; i < load.n_clients; i++) {
        if (load.mode == LOAD_SESSIONS)
            client_open(&clients.v[i]);
        else
            client_ask(&clients.v[i]);
        if (clients.v[i].state == CLIENT_CLOSED)
            client_failed(&clients.v[i], "it cannot be sent to");
    }
}

bool
load_clients_done(void)
{
    if (clients.n_busy > 0)
        return false;
    if (load.mode == LOAD_STREAMS && clients.received != load.bytes)
        load_fail("%llu octets were sent, %llu have arrived", (unsigned long long)load.bytes,
                  (unsigned long long)clients.received);
    return true;
}

/* Says one thing and hears the answer, which is that long. */
static void
associate_say(int fd, const void *out, size_t len, unsigned char *in, size_t in_len, const char *what)
{
    if (send(fd, out, len, MSG_NOSIGNAL) != (ssize_t)len || recv(fd, in, in_len, MSG_WAITALL) < 2)
        load_fail("%s: no reply", what);
}

void
load_associate(struct sockaddr_in *bound_out)
{
    const struct sockaddr_in any = { .sin_family = AF_INET };
    const unsigned char greeting[] = { 5, 1, load.user != NULL ? 2 : 0 };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned char out[513], in[10];

    if (connect(fd, (const struct sockaddr *)&load.proxy, sizeof load.proxy) == -1)
        load_fail("connect: %s", strerror(errno));
    associate_say(fd, greeting, sizeof greeting, in, 2, "greeting");
    if (in[1] != greeting[2])
        load_fail("the METHOD was refused");
    if (load.user != NULL) {
        associate_say(fd, out, login_write(out), in, 2, "login");
        if (in[1] != 0)
            load_fail("the login was refused");
    }
    associate_say(fd, out, request_write(out, 3, &any), in, sizeof in, "UDP ASSOCIATE");
    if (in[1] != 0 || in[3] != 1)
        load_fail("UDP ASSOCIATE: REP %02X, ATYP %02X", in[1], in[3]);
    *bound_out = load.proxy;
    memcpy(&bound_out->sin_addr, in + 4, 4);
    memcpy(&bound_out->sin_port, in + 8, 2);
    if (bound_out->sin_addr.s_addr == INADDR_ANY)
        bound_out->sin_addr = load.proxy.sin_addr;
}
