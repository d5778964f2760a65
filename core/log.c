/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - the error log.
 *
 * A line goes out with one system call, so that lines of several processes do not mix. Nothing here may wait: a reader
 * that stalls must not stall a worker. The flag O_NONBLOCK belongs to an open file that other programs may share with
 * us (the terminal of the shell), so a pipe or terminal is opened once more through /proc and the flag set on our own;
 * where that is not allowed, poll(2) asks before each write.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "utf8.h"

#define LINE_MAX_OCTETS 1024
#define REST_MAX 8192

enum log_kind {
    LOG_KIND_FILE,    /* write(2) does not wait */
    LOG_KIND_SOCKET,  /* MSG_DONTWAIT does not wait */
    LOG_KIND_ASK_POLL /* somebody else's blocking pipe or terminal */
};

static struct {
    int fd;
    bool ours; /* to be closed when another one takes its place */
    enum log_kind kind;
    enum sg_log_level level;
    char role[64];       /* "": plain style */
    unsigned long lost;  /* lines since the last one that got through */
    unsigned left_out;   /* of the next message, by its limit */
    char rest[REST_MAX]; /* of a line that was taken in part: goes out before anything else */
    size_t rest_len;
} errlog = { .fd = STDERR_FILENO, .kind = LOG_KIND_ASK_POLL, .level = SG_LOG_NOTICE };

static const char *const level_names[] = { "emerg", "err", "warn", "notice", "info", "debug" };

static enum log_kind
log_kind_of(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    if (fstat(fd, &st) == -1)
        return LOG_KIND_ASK_POLL;
    if (S_ISSOCK(st.st_mode))
        return LOG_KIND_SOCKET;
    if (S_ISREG(st.st_mode) || (flags != -1 && (flags & O_NONBLOCK) != 0))
        return LOG_KIND_FILE;
    return LOG_KIND_ASK_POLL;
}

static void
log_use(int fd, bool ours)
{
    if (errlog.ours && errlog.fd != fd)
        (void)close(errlog.fd);
    errlog.fd = fd;
    errlog.ours = ours;
    errlog.kind = log_kind_of(fd);
    errlog.rest_len = 0;
}

/* Standard error as an open file of our own, or standard error itself where that cannot be had. */
static void
log_use_stderr(void)
{
    char path[64];
    int fd = -1;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", STDERR_FILENO);
    if (log_kind_of(STDERR_FILENO) == LOG_KIND_ASK_POLL)
        fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd == -1)
        log_use(STDERR_FILENO, false);
    else
        log_use(fd, true);
}

void
sg_log_init(enum sg_log_level level)
{
    errlog.level = level;
    errlog.role[0] = '\0';
    log_use_stderr();
}

int
sg_log_open(const char *target, enum sg_log_level level)
{
    int fd;

    if (strcmp(target, "stderr") == 0) {
        log_use_stderr();
    } else {
        fd = open(target, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
        if (fd == -1)
            return -1;
        log_use(fd, true);
    }
    errlog.level = level;
    return 0;
}

void
sg_log_role(const char *role)
{
    (void)snprintf(errlog.role, sizeof errlog.role, "%s", role);
}

int
sg_log_fd(void)
{
    return errlog.fd;
}

enum sg_log_level
sg_log_level(void)
{
    return errlog.level;
}

void
sg_log_set_level(enum sg_log_level level)
{
    errlog.level = level;
}

void
sg_log_take_fd(int fd)
{
    log_use(fd, true);
}

bool
sg_log_wants(enum sg_log_level level)
{
    return level <= errlog.level;
}

/* The octets taken; 0 if none can be taken now, or ever. */
static size_t
log_write(const char *bytes, size_t len)
{
    struct pollfd pfd = { .fd = errlog.fd, .events = POLLOUT };
    ssize_t n;

    if (errlog.kind == LOG_KIND_SOCKET)
        n = send(errlog.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (errlog.kind == LOG_KIND_ASK_POLL && poll(&pfd, 1, 0) != 1)
        return 0;
    else
        n = write(errlog.fd, bytes, len);
    return n > 0 ? (size_t)n : 0;
}

/* Writes a line, or nothing of it: what a short write leaves over is kept and goes first next time. */
static bool
log_write_line(const char *line, size_t len)
{
    size_t n;

    if (errlog.rest_len > 0) {
        n = log_write(errlog.rest, errlog.rest_len);
        errlog.rest_len -= n;
        memmove(errlog.rest, errlog.rest + n, errlog.rest_len);
        if (errlog.rest_len > 0)
            return false;
    }
    n = log_write(line, len);
    if (n == 0)
        return false;
    errlog.rest_len = len - n;
    memcpy(errlog.rest, line + n, errlog.rest_len);
    return true;
}

static size_t
log_head(char *out, size_t size, enum sg_log_level level)
{
    struct timespec now;
    struct tm tm;
    size_t len;

    if (errlog.role[0] == '\0')
        return (size_t)snprintf(out, size, "sockgate: [%s] ", level_names[level]);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return len + (size_t)snprintf(out + len, size - len, ".%03ldZ [%s] %s %d: ", now.tv_nsec / 1000000,
                                  level_names[level], errlog.role, (int)getpid());
}

void
sg_log_raw(const char *line, size_t len)
{
    char told[256];
    size_t n;

    if (errlog.lost > 0) {
        n = log_head(told, sizeof told, SG_LOG_WARN);
        n += (size_t)snprintf(told + n, sizeof told - n, "%lu lines before this one were lost\n", errlog.lost);
        if (log_write_line(told, n))
            errlog.lost = 0;
    }
    if (len > REST_MAX || errlog.lost > 0 || !log_write_line(line, len))
        errlog.lost++;
}

/* The length of the character at `p`, 0 if it is none or not for a log. */
static size_t
log_printable(const unsigned char *p, size_t n)
{
    uint32_t c;
    const size_t len = sg_utf8_next(p, n, &c);

    return len > 0 && sg_utf8_harmless(c) ? len : 0;
}

static size_t
log_clean(char *out, size_t size, const char *octets, size_t n, bool quoted)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)octets;
    size_t at = 0, i = 0, len;

    while (i < n) {
        len = log_printable(p + i, n - i);
        if (quoted && len == 1 && (p[i] == '\\' || p[i] == '"')) {
            if (size - at < 2)
                break;
            out[at++] = '\\';
            out[at++] = octets[i++];
        } else if (len > 0) {
            if (size - at < len)
                break;
            memcpy(out + at, octets + i, len);
            at += len;
            i += len;
        } else {
            if (size - at < 4)
                break;
            out[at++] = '\\';
            out[at++] = 'x';
            out[at++] = hex[p[i] >> 4];
            out[at++] = hex[p[i] & 15];
            i++;
        }
    }
    return at;
}

size_t
sg_log_escape(char *out, size_t size, const char *octets, size_t n)
{
    return log_clean(out, size, octets, n, true);
}

static void
log_line(char *line, size_t head, const char *text)
{
    size_t len = head + log_clean(line + head, LINE_MAX_OCTETS - 1 - head, text, strlen(text), false);

    line[len++] = '\n';
    sg_log_raw(line, len);
}

void
sg_vlogf(enum sg_log_level level, const char *format, va_list args)
{
    char text[LINE_MAX_OCTETS], line[LINE_MAX_OCTETS];
    size_t len = 0;

    if (!sg_log_wants(level))
        return;
    if (errlog.left_out > 0)
        len = (size_t)snprintf(text, sizeof text, "(and %u times before) ", errlog.left_out);
    errlog.left_out = 0;
    (void)vsnprintf(text + len, sizeof text - len, format, args);
    log_line(line, log_head(line, sizeof line, level), text);
}

void
sg_logf(enum sg_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sg_vlogf(level, format, args);
    va_end(args);
}

void
sg_log_more(enum sg_log_level level, const char *text)
{
    char line[LINE_MAX_OCTETS];

    if (sg_log_wants(level))
        log_line(line, errlog.role[0] == '\0' ? 0 : log_head(line, sizeof line, level), text);
}

bool
sg_log_allowed(struct sg_log_limit *limit)
{
    int64_t second = sg_mono_ms() / 1000;

    if (limit->second == second) {
        limit->left_out++;
        return false;
    }
    errlog.left_out = limit->left_out;
    limit->second = second;
    limit->left_out = 0;
    return true;
}
