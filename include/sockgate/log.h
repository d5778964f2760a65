/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - the daemon's own diagnostics, which go to `error_log`. Session records are another thing: the core makes them.
 *
 * Text is escaped by the core (control octets, invalid UTF-8) and bounded to one line. Never pass a secret.
 */
#ifndef SOCKGATE_LOG_H
#define SOCKGATE_LOG_H

#include <sockgate/visibility.h>

struct sg_instance;
struct sg_session;

/* How serious a message is; `core.error_log.level` sets which are written. */
enum sg_log_level {
    SG_LOG_EMERG = 0,  /* sockgate cannot start or go on */
    SG_LOG_ERR = 1,    /* something is broken and needs the operator */
    SG_LOG_WARN = 2,   /* something is odd; service goes on */
    SG_LOG_NOTICE = 3, /* start, stop, reload */
    SG_LOG_INFO = 4,   /* what a curious operator wants to see */
    SG_LOG_DEBUG = 5   /* what a developer wants to see */
};

/*
 * Writes one line to the error log, with the name of the instance. A message that a stranger can provoke belongs in
 * sg_slog(), which is rate-limited.
 * Owner:  caller keeps its arguments.
 * Blocks: never in a worker; what a full pipe does not take is counted and told later.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_log(struct sg_instance *inst, enum sg_log_level level, const char *format, ...) SG_PRINTF(3, 4);

/*
 * As sg_log(), with the id, the client and the state of the session; limited to some lines a second per instance.
 * Owner:  caller keeps its arguments.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_slog(struct sg_instance *inst, struct sg_session *s, enum sg_log_level level, const char *format, ...)
    SG_PRINTF(4, 5);

#endif
