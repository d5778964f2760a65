/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.h - the role `log`: where the events of sessions are written down.
 *
 * Log modules run in one process, the logger, which has no sessions and may block. The core hands them one event after
 * another, then asks for all of them to be made safe; only what a commit has made safe counts as written. Whoever is killed,
 * an event that does not count comes again: with the same id.
 *
 *   start(LOGGER) --> recover() --> event() event() ... commit() --> event() ... commit() ... --> stop()
 *                                                          reopen() between two commits: log files have been renamed
 */
#ifndef SOCKGATE_EVENT_H
#define SOCKGATE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/visibility.h>

struct sg_instance;
struct sg_event_info;
struct sg_event_format;

/* What recover() calls for each event that it finds: its id (32 hexadecimal digits) and its name. */
typedef void sg_event_seen(void *arg, const char *id, const char *name);

/* The functions of the role. All run in the logger and may block; one that does for 10 s is ended with its process. */
struct sg_log_ops {
    size_t size; /* sizeof(struct sg_log_ops) */
    /* Takes one event, to be written with the next commit(). -1: it cannot, and has forgotten all since the last commit(),
     * which is then not called. */
    int (*event)(struct sg_instance *inst, const struct sg_event_info *event);
    /* Makes safe what event() took. -1 and errno: nothing of it counts, and all of it will come again or is given up. */
    int (*commit)(struct sg_instance *inst);
    /* Files have been renamed: open them anew. -1 and errno: goes on with the old ones. May be NULL. */
    int (*reopen)(struct sg_instance *inst);
    /* Once, before the first event(): tells which events the end of the log has already, and repairs what a killed
     * predecessor has left half written. @before is its descriptor(), which is the core's, or -1: the file behind it may
     * have been renamed since. -1 and errno. May be NULL: then events can come twice. */
    int (*recover)(struct sg_instance *inst, int before, sg_event_seen *seen, void *arg);
    /* The descriptor that it writes to, of which the core keeps a copy for a successor, after start() and reopen(). -1:
     * none. May be NULL. */
    int (*descriptor)(struct sg_instance *inst);
};

/*
 * The name of the event: "session_start", "session_end", "session_refused", "session_failed", "auth_ok", "auth_failed",
 * "module_error", "reload", "file_loaded", "records_lost". More may come.
 * Owner:  the core; constant.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API const char *sg_event_kind(const struct sg_event_info *event);

/*
 * Enough for any line that sg_event_json() writes.
 */
#define SG_EVENT_JSON_MAX 4096

/*
 * Writes the event as one line of JSON with a line feed and a NUL behind it: all fields, all octets escaped.
 * Owner:  caller keeps @line.
 * Blocks: never.
 * Errors: none; fields that do not fit in @size are left out, and the line says so. Returns the length without the NUL.
 * RFC:    8259.
 */
SG_API size_t sg_event_json(const struct sg_event_info *event, char *line, size_t size);

/*
 * Does the configuration say `required` of this log? Then it must be able to tell whether an event has arrived.
 * Owner:  none.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API bool sg_event_required(const struct sg_instance *inst);

/*
 * Makes a format out of the text that the setting @key has, for init(): "json", "json_ascii", "structured_data",
 * "common", or a text with $variables. doc/log.md describes them, and how values are escaped.
 * Owner:  the caller; sg_event_format_free() ends it.
 * Blocks: never.
 * Errors: NULL; sg_conf_error() has been told what is wrong, at the place of @key.
 * RFC:    none.
 */
SG_API struct sg_event_format *sg_event_format_new(struct sg_instance *inst, const char *key, const char *text);

/*
 * Ends a format. NULL is allowed.
 * Owner:  takes @format.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_event_format_free(struct sg_event_format *format);

/*
 * A line of at least the first size can be printed in any format; in one of the second size nothing is ever left out.
 */
#define SG_EVENT_LINE_MIN 2048
#define SG_EVENT_LINE_MAX 16384

/*
 * Writes the event as one line with a line feed and a NUL behind it. No octet of a value can end a line or a field.
 * Owner:  caller keeps @line.
 * Blocks: never.
 * Errors: 0 if @size is below SG_EVENT_LINE_MIN. Values that do not fit are left out, and the line says so. Returns the
 *         length without the NUL.
 * RFC:    8259 for JSON, 5424 for structured data.
 */
SG_API size_t sg_event_print(const struct sg_event_format *format, const struct sg_event_info *event, char *line,
                             size_t size);

/*
 * For recover(): reads a line back that sg_event_print() has written, here without its line feed, and tells @seen what
 * event it is.
 * Owner:  caller keeps @line.
 * Blocks: never.
 * Errors: false: it is no such line, or the format has not both the id and the name of the event. @seen is not called.
 * RFC:    none.
 */
SG_API bool sg_event_scan(const struct sg_event_format *format, const char *line, size_t len, sg_event_seen *seen,
                          void *arg);

#endif
