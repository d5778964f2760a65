/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_ident.c - METHOD X'00', and the client's host is asked who has opened the connection (RFC 1413).
 *
 * What comes back is worth as much as the host that says it, and whoever is root there says what they like. So nobody is
 * asked but the ranges that are listed, an identity is "this range and this user", and its assurance is "asserted".
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sockgate/module.h>

#include "ident.h"

struct ident_range {
    struct sg_where where;
    struct sg_ranges clients;
    struct sg_strings users;
};

struct ident_conf {
    struct sg_groups ranges;
    int64_t timeout;
    int64_t port;
    bool trim;
};

static const struct sg_conf_item range_items[] = {
    { .name = "clients",
      .type = SG_CONF_RANGES,
      .offset = offsetof(struct ident_range, clients),
      .required = true,
      .min = 1,
      .help = "addresses whose word is taken" },
    { .name = "users",
      .type = SG_CONF_STRINGS,
      .offset = offsetof(struct ident_range, users),
      .help = "who may come from there; if not given, whoever has a name there" },
    { .name = NULL },
};

static const struct sg_conf_item ident_items[] = {
    { .name = "ranges",
      .type = SG_CONF_GROUPS,
      .offset = offsetof(struct ident_conf, ranges),
      .child = range_items,
      .child_size = sizeof(struct ident_range),
      .required = true,
      .min = 1,
      .help = "clients that are asked; others are left to the next instance" },
    { .name = "timeout",
      .type = SG_CONF_DURATION,
      .offset = offsetof(struct ident_conf, timeout),
      .def = "30s",
      .min = 100,
      .max = 2 * 60 * 1000,
      .help = "from connecting to the whole answer" },
    { .name = "port",
      .type = SG_CONF_INT,
      .offset = offsetof(struct ident_conf, port),
      .def = "113",
      .min = 1,
      .max = 65535,
      .help = "where the client's host is asked" },
    { .name = "trim",
      .type = SG_CONF_BOOL,
      .offset = offsetof(struct ident_conf, trim),
      .def = "false",
      .help = "take blanks around the user away, which some servers put there" },
    { .name = NULL },
};

/* A host that does not answer must not cost a helper. */
static int
ident_init(struct sg_instance *inst)
{
    const struct ident_conf *conf = sg_instance_conf(inst);
    struct sg_where where = sg_conf_where(inst, "timeout");

    if (conf->timeout < sg_instance_timeout(inst))
        return 0;
    if (where.line == 0)
        where = sg_conf_where(inst, "helper"); /* no key of the settings: the place of the instance */
    sg_conf_error(
        inst, &where,
        "timeout: %lld ms is not less than helper.timeout of the instance, %lld ms: its helpers would be killed "
        "while they wait. Set helper = { timeout = \"%llds\"; }",
        (long long)conf->timeout, (long long)sg_instance_timeout(inst), (long long)conf->timeout / 1000 + 5);
    return -1;
}

/* ---- the question */

static int64_t
now_ms(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static socklen_t
query_sockaddr(const struct sg_addr *addr, uint16_t port, struct sockaddr_storage *to)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

    *to = (struct sockaddr_storage){ 0 };
    if (addr->family == SG_FAMILY_IPV4) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, addr->ip, 4);
        return sizeof *v4;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    v6->sin6_scope_id = addr->scope_id;
    memcpy(&v6->sin6_addr, addr->ip, 16);
    return sizeof *v6;
}

/* -1 and errno; ETIMEDOUT. */
static int
query_wait(int fd, short events, int64_t until)
{
    struct pollfd waits = { .fd = fd, .events = events };
    int n;

    do {
        const int64_t left = until - now_ms();

        n = left > 0 ? poll(&waits, 1, (int)left) : 0;
    } while (n == -1 && errno == EINTR);
    if (n == 0)
        errno = ETIMEDOUT;
    return n == 1 ? 0 : -1;
}

/* A socket that is connected from the very address that the client has reached, or -1 and errno. */
static int
query_connect(const struct sg_creds *creds, uint16_t port, int64_t until)
{
    const int fd = socket(creds->client.family == SG_FAMILY_IPV4 ? AF_INET : AF_INET6,
                          SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_storage from, to;
    const socklen_t from_len = query_sockaddr(&creds->local, 0, &from);
    const socklen_t to_len = query_sockaddr(&creds->client, port, &to);
    socklen_t err_len = sizeof(int);
    int err = 0;

    if (fd == -1)
        return -1;
    if (bind(fd, (struct sockaddr *)&from, from_len) == -1)
        err = errno;
    else if (connect(fd, (struct sockaddr *)&to, to_len) == -1) {
        err = errno;
        if (err == EINPROGRESS &&
            (query_wait(fd, POLLOUT, until) == -1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) == -1))
            err = errno;
    }
    if (err == 0)
        return fd;
    (void)close(fd);
    errno = err;
    return -1;
}

static int
query_send(int fd, const struct sg_creds *creds)
{
    char line[32];
    const int len = snprintf(line, sizeof line, "%u, %u\r\n", creds->client.port, creds->local.port);

    /* Less than a segment into an empty socket: it goes as a whole or not at all. */
    return send(fd, line, (size_t)len, MSG_NOSIGNAL) == len ? 0 : -1;
}

/* What ident_parse() says of the answer; 0: it ended early; -2 and errno. */
static ssize_t
query_read(int fd, char *octets, size_t size, struct ident_reply *reply, int64_t until)
{
    ssize_t n = 1, parsed = 0;
    size_t len = 0;

    while (parsed == 0 && n > 0) {
        if (query_wait(fd, POLLIN, until) == -1)
            return -2;
        n = recv(fd, octets + len, size - len, 0);
        if (n == -1)
            return errno == ECONNRESET ? 0 : -2;
        len += (size_t)n;
        parsed = ident_parse(octets, len, reply);
    }
    return parsed;
}

/* ---- what the answer is worth */

static enum sg_verdict
ident_says(struct sg_answer *answer, enum sg_verdict verdict, const char *why, const char *text, size_t len)
{
    char reason[128];

    (void)snprintf(reason, sizeof reason, "ident: %s%.*s", why, (int)len, text);
    sg_answer_reason(answer, reason);
    return verdict;
}

static bool
range_has(const struct ident_range *range, const char *user, size_t len)
{
    for (size_t i = 0; i < range->users.n; i++)
        if (strlen(range->users.v[i].text) == len && memcmp(range->users.v[i].text, user, len) == 0)
            return true;
    return range->users.n == 0;
}

static bool
ident_allowed(const struct ident_conf *conf, const struct sg_addr *client, const char *user, size_t len)
{
    const struct ident_range *ranges = conf->ranges.v;

    for (size_t i = 0; i < conf->ranges.n; i++)
        if (sg_ranges_contain(&ranges[i].clients, client) && range_has(&ranges[i], user, len))
            return true;
    return false;
}

static bool
ident_asks(const struct ident_conf *conf, const struct sg_addr *client)
{
    const struct ident_range *ranges = conf->ranges.v;

    for (size_t i = 0; i < conf->ranges.n; i++)
        if (sg_ranges_contain(&ranges[i].clients, client))
            return true;
    return false;
}

static void
ident_trim(struct ident_reply *reply)
{
    while (reply->user_len > 0 && (reply->user[0] == ' ' || reply->user[0] == '\t')) {
        reply->user++;
        reply->user_len--;
    }
    while (reply->user_len > 0 && (reply->user[reply->user_len - 1] == ' ' || reply->user[reply->user_len - 1] == '\t'))
        reply->user_len--;
}

/* A host that does not say who it is leaves the client to the next instance; one that answers nonsense does not. */
static enum sg_verdict
ident_judge(const struct ident_conf *conf, const struct sg_creds *creds, struct ident_reply *reply,
            struct sg_answer *answer)
{
    if (reply->client_port != creds->client.port || reply->our_port != creds->local.port)
        return ident_says(answer, SG_ERROR, "the answer is about other ports", "", 0);
    if (reply->kind == IDENT_ERROR)
        return ident_says(answer, SG_DECLINED, "", reply->error, reply->error_len);
    if (reply->kind == IDENT_OTHER)
        return ident_says(answer, SG_DECLINED, "no login name, system type ", reply->system, reply->system_len);
    if (conf->trim)
        ident_trim(reply);
    if (creds->kind == SG_CREDS_USERID && creds->name_len > 0 &&
        (creds->name_len != reply->user_len || memcmp(creds->name, reply->user, reply->user_len) != 0)) {
        sg_answer_cd(answer, SG_CD_IDENT_DIFFERS);
        return ident_says(answer, SG_DENY, "the client claims to be somebody else than ", reply->user, reply->user_len);
    }
    if (!ident_allowed(conf, &creds->client, reply->user, reply->user_len))
        return ident_says(answer, SG_DECLINED, "not allowed from there: ", reply->user, reply->user_len);
    if (sg_answer_name(answer, reply->user, reply->user_len) == -1)
        return ident_says(answer, SG_ERROR, "the name has more than 255 octets", "", 0);
    return ident_says(answer, SG_OK, "system type ", reply->system, reply->system_len);
}

static enum sg_verdict
ident_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    const struct ident_conf *conf = sg_instance_conf(inst);
    const int64_t until = now_ms() + conf->timeout;
    char octets[IDENT_LINE_MAX + 2];
    struct ident_reply reply;
    ssize_t parsed = -2;
    int fd;

    if (creds->kind == SG_CREDS_PASSWORD || !ident_asks(conf, &creds->client))
        return SG_DECLINED;
    fd = query_connect(creds, (uint16_t)conf->port, until);
    if (fd != -1 && query_send(fd, creds) == 0)
        parsed = query_read(fd, octets, sizeof octets, &reply, until);
    if (parsed == -2) {
        (void)ident_says(answer, SG_ERROR, "unavailable: ", strerror(errno), 64);
        sg_answer_cd(answer, SG_CD_NO_IDENTD);
    }
    if (fd != -1)
        (void)close(fd);
    switch (parsed) {
    case -2: return SG_ERROR;
    case -1: return ident_says(answer, SG_ERROR, "the answer is malformed", "", 0);
    case 0: return ident_says(answer, SG_DECLINED, "UNKNOWN-ERROR: the connection was closed early", "", 0);
    default: return ident_judge(conf, creds, &reply, answer);
    }
}

static const struct sg_auth_ops ident_auth = {
    .size = sizeof ident_auth,
    .method = SG_METHOD_NONE,
    .assurance = SG_ASSURANCE_ASSERTED,
    .check = ident_check,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("auth_ident"),           .version = "0.1.0", .conf = ident_items,
    .conf_size = sizeof(struct ident_conf), .init = ident_init, .auth = &ident_auth,
};
