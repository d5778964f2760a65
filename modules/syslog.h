/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syslog.h - the connection of log_syslog. It lives in the logger, and waits: never beyond a deadline.
 */
#ifndef SYSLOG_H
#define SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum syslog_kind { SYSLOG_UNIX = 1, SYSLOG_UDP, SYSLOG_TCP };

struct syslog_target {
    enum syslog_kind kind;
    socklen_t len;
    struct sockaddr_storage addr;
};

struct syslog_link {
    struct syslog_target target;
    int fd; /* -1: not connected */
    bool stream;
};

/* "unix:/dev/log", "udp:192.0.2.1:514", "tcp:[2001:db8::1]:601". NULL, or what is wrong with it. */
const char *syslog_target_parse(const char *text, struct syslog_target *target_out);
/* Monotonic milliseconds. */
int64_t syslog_now_ms(void);
/*
 * Connects if need be, and sends the frames. To a unix socket each ends in a NUL, which a datagram does not carry; so it is
 * for UDP. 0: the other side's kernel has all of them, and the local daemon has read them; for UDP: they have left. -1 and
 * errno: not all have arrived, and the connection is closed.
 */
int syslog_link_send(struct syslog_link *link, const char *frames, size_t len, int64_t deadline_ms);
void syslog_link_close(struct syslog_link *link);

#endif
