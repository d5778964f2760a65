/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.h - how an event becomes a line: the one writer of all logs.
 *
 * A format is one of a few names, or a text with $variables. Then
 *
 *   - a value has only printable ASCII without space, `"`, `\` and `%`; any other octet is `%` and two hexadecimal digits
 *   - `-` is a field that is not known of this event; a value of that one character is `%2D`
 *   - `%` alone is an empty value; `%%` one that did not fit into the line
 *
 * and between two variables there must be a character that no value has. So a line can be taken apart again, whatever
 * strangers call themselves.
 */
#ifndef SG_FORMAT_H
#define SG_FORMAT_H

#include "fields.h"

struct sg_event_format;

/* NULL: `error` says what is wrong with the text, and what would be right. */
struct sg_event_format *sg_format_compile(const char *text, char *error, size_t error_size);
/* One field as a member of a JSON object. */
struct sg_json;
void sg_format_json_field(struct sg_json *json, enum sg_field field, const struct sg_field_value *value);

#endif
