/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.c - formats the lines of a trace. Nothing is computed while nobody asks.
 */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#define TRACE_LINE_MAX 512

static void
trace_format(struct sg_trace *trace, const struct sg_where *where, const char *format, va_list args)
{
    char text[TRACE_LINE_MAX];

    (void)vsnprintf(text, sizeof text, format, args);
    trace->line(trace, where, text);
}

void
sg_trace(const struct sg_decision *decision, const struct sg_where *where, const char *format, ...)
{
    va_list args;

    if (decision->trace == NULL)
        return;
    va_start(args, format);
    trace_format(decision->trace, where, format, args);
    va_end(args);
}

void
sg_trace_core(struct sg_trace *trace, const struct sg_where *where, const char *format, ...)
{
    va_list args;

    if (trace == NULL)
        return;
    va_start(args, format);
    trace_format(trace, where, format, args);
    va_end(args);
}
