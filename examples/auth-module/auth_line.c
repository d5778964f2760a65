/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_line.c - logins that a server somewhere else decides, over a protocol of lines. A module to begin with.
 *
 *   gateway                          server
 *   LOGIN name secret           ->              both in hexadecimal: any octet may be in them
 *                               <-   OK group   and a line feed; the group may be left out
 *                               <-   NO         wrong secret
 *                               <-   UNKNOWN    no such user: the next instance is asked
 *
 * check() runs in a helper process, so it may block; `timeout` bounds each step, and the operator's helper.timeout the whole.
 */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <sockgate/module.h>

#define LINE_MAX_OCTETS 1100 /* "LOGIN ", twice 255 octets in hexadecimal, a blank, a line feed */

struct line_conf {
    const char *host, *port;
    int64_t timeout; /* ms */
};

static const struct sg_conf_item line_items[] = {
    { .name = "host", .type = SG_CONF_STRING, .offset = offsetof(struct line_conf, host), .def = "127.0.0.1" },
    { .name = "port", .type = SG_CONF_STRING, .offset = offsetof(struct line_conf, port), .required = true },
    { .name = "timeout",
      .type = SG_CONF_DURATION,
      .offset = offsetof(struct line_conf, timeout),
      .def = "3s",
      .min = 1,
      .max = 60000,
      .help = "how long connecting, sending and each piece of the answer may take" },
    { .name = NULL },
};

static int
line_connect(const struct line_conf *conf)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    const struct timeval timeout = { .tv_sec = conf->timeout / 1000, .tv_usec = conf->timeout % 1000 * 1000 };
    struct addrinfo *list;
    int fd = -1;

    if (getaddrinfo(conf->host, conf->port, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *ai = list; ai && fd == -1; ai = ai->ai_next) {
        fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
        if (fd == -1)
            continue;
        /* On Linux the time-out for sending is that of connect() too. */
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == -1 ||
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == -1 ||
            connect(fd, ai->ai_addr, ai->ai_addrlen) == -1) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

/* Appends octets as hexadecimal digits: what a client sends can then end neither word nor line. */
static size_t
line_put_hex(char *line, size_t at, const char *octets, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        line[at++] = digits[(unsigned char)octets[i] >> 4];
        line[at++] = digits[(unsigned char)octets[i] & 15];
    }
    return at;
}

/* Sends the question, and reads the answer up to its line feed, which becomes a NUL. */
static int
line_ask(int fd, const struct sg_creds *creds, char answer[64])
{
    char line[LINE_MAX_OCTETS];
    size_t len = 6, got = 0;
    ssize_t n;

    memcpy(line, "LOGIN ", len);
    len = line_put_hex(line, len, creds->name, creds->name_len);
    line[len++] = ' ';
    len = line_put_hex(line, len, creds->secret, creds->secret_len);
    line[len++] = '\n';
    n = send(fd, line, len, MSG_NOSIGNAL);
    explicit_bzero(line, sizeof line);
    if (n != (ssize_t)len)
        return -1;
    while (got < 63 && (n = recv(fd, answer + got, 63 - got, 0)) > 0) {
        char *end = memchr(answer + got, '\n', (size_t)n);

        got += (size_t)n;
        if (end) {
            *end = '\0';
            return 0;
        }
    }
    return -1;
}

static enum sg_verdict
line_verdict(const struct sg_creds *creds, struct sg_answer *answer, const char *line)
{
    if (strcmp(line, "UNKNOWN") == 0)
        return SG_DECLINED;
    if (strcmp(line, "NO") == 0)
        return SG_DENY;
    if (strncmp(line, "OK", 2) != 0 || (line[2] != '\0' && line[2] != ' '))
        return SG_ERROR;
    if (line[2] == ' ' && sg_answer_group(answer, line + 3) == -1)
        return SG_ERROR;
    return sg_answer_name(answer, creds->name, creds->name_len) == 0 ? SG_OK : SG_ERROR;
}

static enum sg_verdict
line_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    char line[64];
    int fd, status;

    if (creds->kind != SG_CREDS_PASSWORD)
        return SG_DECLINED;
    fd = line_connect(sg_instance_conf(inst));
    status = fd != -1 ? line_ask(fd, creds, line) : -1;
    if (status == -1)
        sg_slog(inst, NULL, SG_LOG_ERR, "the login server does not answer");
    if (fd != -1)
        (void)close(fd);
    return status == 0 ? line_verdict(creds, answer, line) : SG_ERROR;
}

static const struct sg_auth_ops line_auth = {
    .size = sizeof line_auth,
    .method = SG_METHOD_USERPASS,
    .assurance = SG_ASSURANCE_PASSWORD,
    .check = line_check,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("auth_line"),           .version = "0.1.0", .conf = line_items,
    .conf_size = sizeof(struct line_conf), .auth = &line_auth,
};
