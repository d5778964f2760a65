/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * units.h - values with units, ports and ranges as text. Pure functions: 0, or -1 if the text is not one.
 */
#ifndef SG_UNITS_H
#define SG_UNITS_H

#include <stdint.h>

#include <sockgate/addr.h>

int sg_parse_duration(const char *text,
                      int64_t *ms_out); /* "500ms", "30s", "2m", "1h", "1d"; a unit is needed, "0" is fine */
int sg_parse_size(const char *text, int64_t *octets_out); /* "65536", "64K", "5M", "2G" (powers of 1024) */
int sg_parse_port_span(const char *text, uint16_t *first_out, uint16_t *last_out); /* "80", "1024-65535" */
const char *sg_format_duration(int64_t ms, char *text, size_t size);
const char *sg_format_size(int64_t octets, char *text, size_t size);

#endif
