/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - what access modules say about their verdicts while somebody asks.
 */
#ifndef SG_TRACE_H
#define SG_TRACE_H

#include <sockgate/access.h>

struct sg_trace {
    /* One line; `where` may be NULL. */
    void (*line)(struct sg_trace *self, const struct sg_where *where, const char *text);
};

/* The core's own steps, beside what modules say through sg_trace(). `trace` may be NULL. */
void sg_trace_core(struct sg_trace *trace, const struct sg_where *where, const char *format, ...) SG_PRINTF(3, 4);

#endif
