/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - writes one JSON object into a buffer of fixed size: a line of the session log.
 *
 * Strings are octets that strangers may have chosen. UTF-8 is written as it is, but for characters that do harm in a
 * log (controls, line separators, marks of writing direction), which become \uHHHH. An octet HH that is not part of
 * valid UTF-8 is written as the character U+10FFHH; those 128 characters themselves are treated as invalid UTF-8. So
 * every line is valid JSON and valid UTF-8, and no two different strings of octets look alike after parsing: who needs
 * the octets turns U+10FF80..U+10FFFF back into 80..FF and encodes the rest as UTF-8.
 *
 * With `ascii` set, every character beyond ASCII is written as \uHHHH, or as two of them (RFC 8259, section 7): the values
 * are the same.
 *
 * A member that does not fit is left out whole, and the object ends with "cut":true.
 */
#ifndef SG_JSON_H
#define SG_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sg_json {
    char *text;
    size_t size, len;
    bool open; /* a member is being written, and fits so far */
    bool cut;
    bool ascii; /* set it behind sg_json_begin() */
};

void sg_json_begin(struct sg_json *json, char *text, size_t size); /* size: 64 at least */
void sg_json_octets(struct sg_json *json, const char *name, const void *octets, size_t n);
void sg_json_string(struct sg_json *json, const char *name, const char *text);
void sg_json_number(struct sg_json *json, const char *name, int64_t number);
void sg_json_true(struct sg_json *json, const char *name);
void sg_json_strings(struct sg_json *json, const char *name, const char *const *texts, size_t n);
/* An object: each name with its number. */
void sg_json_counts(struct sg_json *json, const char *name, const char *const *names, const uint32_t *counts, size_t n);
size_t
sg_json_end(struct sg_json *json); /* closes the object, adds a line feed and a NUL; the length without the NUL */

#endif
