/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.c - assignments, one a line, in one datagram.
 */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "utf8.h"

#define NOTIFY_MAX 1024

static struct {
    struct sockaddr_un to;
    socklen_t to_len; /* 0: nobody listens */
    char name[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int64_t every_ms, next_ms; /* 0: no watchdog */
} notify;

/* Half of the time after which the manager loses patience. */
static int64_t
notify_watchdog_span(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

    if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    return strtoll(usec, NULL, 10) / 2000;
}

void
sg_notify_init(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len;

    if (name == NULL)
        return;
    len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof notify.name) {
        sg_logf(SG_LOG_WARN, "NOTIFY_SOCKET=%s is neither a path nor an abstract address: nobody is told anything",
                name);
    } else {
        memcpy(notify.name, name, len + 1);
        notify.to.sun_family = AF_UNIX;
        memcpy(notify.to.sun_path, name, len);
        /* Abstract: a NUL in place of the @, and none at the end. */
        if (name[0] == '@')
            notify.to.sun_path[0] = '\0';
        notify.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
        notify.every_ms = notify_watchdog_span();
    }
    (void)unsetenv("NOTIFY_SOCKET");
}

void
sg_notify_inherit(bool inherit)
{
    if (notify.to_len == 0)
        return;
    if (inherit)
        (void)setenv("NOTIFY_SOCKET", notify.name, 1);
    else
        (void)unsetenv("NOTIFY_SOCKET");
}

static void
notify_send(const char *text)
{
    /* A manager that does not read must not stop the master. */
    const struct timeval patience = { .tv_sec = 1 };
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == -1 ||
        sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&notify.to, notify.to_len) == -1)
        sg_logf(SG_LOG_WARN, "NOTIFY_SOCKET=%s: %s", notify.name, strerror(errno));
    if (fd != -1)
        (void)close(fd);
}

/* A status that is not UTF-8 would be thrown away as a whole. */
static void
notify_clean(char *text)
{
    const size_t n = strcspn(text, "\n");
    uint8_t *p = (uint8_t *)text;

    text[n] = '\0';
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        const size_t len = sg_utf8_next(p + i, n - i, &c);

        if (len > 0 && sg_utf8_harmless(c))
            i += len;
        else
            p[i++] = '?';
    }
}

static void
notify_state(enum sg_notify what, char *text, size_t size)
{
    struct timespec now;

    text[0] = '\0';
    switch (what) {
    case SG_NOTIFY_READY: (void)snprintf(text, size, "READY=1\nMAINPID=%ld\n", (long)getpid()); break;
    case SG_NOTIFY_RELOADING:
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        (void)snprintf(text, size, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
                       (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
        break;
    case SG_NOTIFY_STOPPING: (void)snprintf(text, size, "STOPPING=1\n"); break;
    case SG_NOTIFY_STATUS: break;
    }
}

void
sg_notifyf(enum sg_notify what, const char *format, ...)
{
    char state[64], status[NOTIFY_MAX - sizeof state - 16], text[NOTIFY_MAX];
    va_list args;

    if (notify.to_len == 0)
        return;
    va_start(args, format);
    (void)vsnprintf(status, sizeof status, format, args);
    va_end(args);
    notify_clean(status);
    notify_state(what, state, sizeof state);
    (void)snprintf(text, sizeof text, "%sSTATUS=%s", state, status);
    notify_send(text);
}

int64_t
sg_notify_watchdog(int64_t now_ms)
{
    if (notify.every_ms <= 0)
        return INT64_MAX;
    if (now_ms >= notify.next_ms) {
        notify_send("WATCHDOG=1");
        notify.next_ms = now_ms + notify.every_ms;
    }
    return notify.next_ms;
}
