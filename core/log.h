/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - the error log: one descriptor, one writer, every process. Never blocks; what is not taken is counted and told
 * with the next line that gets through. A line is at most 1 KiB; octets that are not printable UTF-8 are escaped.
 *
 * Lines: `sockgate: [LEVEL] TEXT` while starting and testing, later
 * `2026-01-31T12:00:00.123Z [LEVEL] ROLE PID: TEXT`.
 */
#ifndef SG_ERRLOG_H
#define SG_ERRLOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/log.h>

/* Before any other call: plain style on stderr. */
void sg_log_init(enum sg_log_level level);
/* "stderr" or a file, opened for appending. A pipe, terminal or socket is made non-blocking for us alone. -1 and errno. */
int sg_log_open(const char *target, enum sg_log_level level);
void sg_log_role(const char *role); /* turns to the dated style; "master", "generation 3", "worker 1" */
int sg_log_fd(void);
enum sg_log_level sg_log_level(void);
void sg_log_set_level(enum sg_log_level level);
void
sg_log_take_fd(int fd); /* takes over a descriptor that was opened elsewhere (reopen in a process without rights) */

void sg_logf(enum sg_log_level level, const char *format, ...) SG_PRINTF(2, 3);
void sg_vlogf(enum sg_log_level level, const char *format, va_list args) SG_PRINTF(2, 0);
bool sg_log_wants(enum sg_log_level level);
/* A line that belongs to the one before it (an excerpt, a caret): without a head in plain style. */
void sg_log_more(enum sg_log_level level, const char *text);

/* One message a second for one place; says how many were left out. */
struct sg_log_limit {
    int64_t second;
    unsigned left_out;
};
bool sg_log_allowed(struct sg_log_limit *limit);
#define sg_logf_limited(level, ...)                                                                                    \
    do {                                                                                                               \
        static struct sg_log_limit limit_of_this_place;                                                                \
        if (sg_log_allowed(&limit_of_this_place))                                                                      \
            sg_logf(level, __VA_ARGS__);                                                                               \
    } while (0)

/* Writes one whole line as it is (a record) to the same place, with the same guarantee. */
void sg_log_raw(const char *line, size_t len);

/* Appends `n` octets to `out` escaped (\xHH for what is not printable UTF-8, \\ and \" too); returns the length. */
size_t sg_log_escape(char *out, size_t size, const char *octets, size_t n);

#endif
