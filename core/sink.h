/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink.h - the logger's logs: the instances of hooks.log, or the error log if there is none.
 */
#ifndef SG_SINK_H
#define SG_SINK_H

#include "fields.h"
#include "logger.h"

struct sg_sink;

/* Starts the instances; -1 and a message in the log. */
int sg_sinks_open(const struct sg_logger_boot *boot);
void sg_sinks_close(void);
size_t sg_sinks_count(void);
struct sg_sink *sg_sinks_get(size_t i);
/* What it writes to; -1: nothing that a successor could use. */
int sg_sink_descriptor(const struct sg_sink *sink);
const char *sg_sink_name(const struct sg_sink *sink);
/* The lock is ours: what is in the logs already is not written again. */
void sg_sinks_recover(void);
void sg_sinks_reopen(void);

/* May it be given events now? False for a moment after it has failed. */
bool sg_sink_ready(const struct sg_sink *sink);
/* Is what it cannot write given up and counted? Else it comes again. */
bool sg_sink_drops(const struct sg_sink *sink);
/* Does it have this event already? */
bool sg_sink_has(const struct sg_sink *sink, const struct sg_record *rec, enum sg_event event);
/* -1: the batch has failed, all since the last commit. */
int sg_sink_event(struct sg_sink *sink, const struct sg_record *rec, const struct sg_record_names *names,
                  enum sg_event event);
/* -1: the batch has failed. */
int sg_sink_commit(struct sg_sink *sink);
/* Is there a log that must not be missed and cannot be written? */
bool sg_sinks_refusing(void);
/* Is there any that cannot? */
bool sg_sinks_failing(void);

#endif
