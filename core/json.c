/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.c - the escaping writer.
 */
#include "json.h"

#include <string.h>

#include "digits.h"
#include "utf8.h"

#define JSON_TAIL 16 /* room for ,"cut":true} and the line feed and NUL */

static void
json_put(struct sg_json *json, const char *text, size_t n)
{
    if (!json->open)
        return;
    if (json->len + n + JSON_TAIL > json->size) {
        json->open = false;
        return;
    }
    memcpy(json->text + json->len, text, n);
    json->len += n;
}

static void
json_escape(struct sg_json *json, unsigned unit)
{
    char text[6] = "\\u";

    json_put(json, text, 2 + sg_digits_hex(text + 2, unit, 4));
}

/* A character as a number: beyond the first plane two units of UTF-16. */
static void
json_number_of(struct sg_json *json, uint32_t c)
{
    if (c > 0xffff) {
        json_escape(json, 0xd800 + ((c - 0x10000) >> 10));
        json_escape(json, 0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
        json_escape(json, c);
    }
}

/* One character, or one octet that is none. */
static size_t
json_char(struct sg_json *json, const uint8_t *p, size_t n)
{
    const uint8_t stand_in[4] = { 0xf4, 0x8f, (uint8_t)(0xbc | p[0] >> 6), (uint8_t)(0x80 | (p[0] & 0x3f)) };
    uint32_t c;
    size_t len = sg_utf8_next(p, n, &c), size = len;

    if (len == 0 || (c >= 0x10ff80 && c <= 0x10ffff)) {
        c = 0x10ff00u | p[0];
        p = stand_in;
        len = 1;
        size = sizeof stand_in;
    }
    if (c == '"' || c == '\\') {
        const char text[2] = { '\\', (char)c };

        json_put(json, text, 2);
    } else if (!sg_utf8_harmless(c) || (json->ascii && c > 0x7e)) {
        json_number_of(json, c);
    } else {
        json_put(json, (const char *)p, size);
    }
    return len;
}

#define EIGHT(octet) (0x0101010101010101u * (octet))

/* Zero, if none of the eight octets is; which of them it is cannot be told. */
static inline uint64_t
json_any_zero(uint64_t octets)
{
    return (octets - EIGHT(1)) & ~octets & EIGHT(0x80);
}

/* Do eight octets stand as they are? Each test looks at all of them at once. */
static inline bool
json_plain_eight(const uint8_t *p)
{
    uint64_t octets;

    memcpy(&octets, p, sizeof octets);
    return ((octets & EIGHT(0x80)) | ((octets - EIGHT(' ')) & ~octets & EIGHT(0x80)) |
            json_any_zero(octets ^ EIGHT('"')) | json_any_zero(octets ^ EIGHT('\\')) |
            json_any_zero(octets ^ EIGHT(0x7f))) == 0;
}

/* Octets that stand as they are, in any form: nearly all. */
static size_t
json_plain(const uint8_t *p, size_t n)
{
    size_t i = 0;

    while (n - i >= 8 && json_plain_eight(p + i))
        i += 8;
    /* The end of it together with some that were looked at before. */
    if (n >= 8 && n - i < 8 && json_plain_eight(p + n - 8))
        return n;
    while (i < n && p[i] >= ' ' && p[i] < 0x7f && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

static void
json_escaped(struct sg_json *json, const uint8_t *p, size_t n)
{
    json_put(json, "\"", 1);
    for (size_t i = 0; i < n && json->open;) {
        const size_t plain = json_plain(p + i, n - i);

        json_put(json, (const char *)p + i, plain);
        i += plain > 0 ? plain : json_char(json, p + i, n - i);
    }
    json_put(json, "\"", 1);
}

static void
json_quoted(struct sg_json *json, const void *octets, size_t n)
{
    char *at = json->text + json->len;

    if (!json->open || json->len + n + 2 + JSON_TAIL > json->size || json_plain(octets, n) < n) {
        json_escaped(json, octets, n);
        return;
    }
    *at++ = '"';
    memcpy(at, octets, n);
    at[n] = '"';
    json->len += n + 2;
}

/* A member is written whole or not at all. */
static size_t
json_member(struct sg_json *json, const char *name)
{
    const size_t mark = json->len, n = strlen(name);
    char *at = json->text + mark;

    json->open = mark + n + 4 + JSON_TAIL <= json->size;
    if (!json->open)
        return mark;
    if (mark > 1)
        *at++ = ',';
    *at++ = '"';
    at = mempcpy(at, name, n);
    *at++ = '"';
    *at++ = ':';
    json->len = (size_t)(at - json->text);
    return mark;
}

static void
json_member_end(struct sg_json *json, size_t mark)
{
    if (!json->open) {
        json->len = mark;
        json->cut = true;
    }
}

void
sg_json_begin(struct sg_json *json, char *text, size_t size)
{
    *json = (struct sg_json){ .text = text, .size = size, .open = true };
    json_put(json, "{", 1);
}

void
sg_json_octets(struct sg_json *json, const char *name, const void *octets, size_t n)
{
    const size_t mark = json_member(json, name);

    json_quoted(json, octets, n);
    json_member_end(json, mark);
}

void
sg_json_string(struct sg_json *json, const char *name, const char *text)
{
    sg_json_octets(json, name, text, strlen(text));
}

void
sg_json_number(struct sg_json *json, const char *name, int64_t number)
{
    const size_t mark = json_member(json, name);
    char text[SG_DIGITS_MAX];

    json_put(json, text, sg_digits_signed(text, number));
    json_member_end(json, mark);
}

void
sg_json_true(struct sg_json *json, const char *name)
{
    const size_t mark = json_member(json, name);

    json_put(json, "true", 4);
    json_member_end(json, mark);
}

void
sg_json_strings(struct sg_json *json, const char *name, const char *const *texts, size_t n)
{
    const size_t mark = json_member(json, name);

    json_put(json, "[", 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            json_put(json, ",", 1);
        json_quoted(json, texts[i], strlen(texts[i]));
    }
    json_put(json, "]", 1);
    json_member_end(json, mark);
}

void
sg_json_counts(struct sg_json *json, const char *name, const char *const *names, const uint32_t *counts, size_t n)
{
    const size_t mark = json_member(json, name);
    char text[SG_DIGITS_MAX];

    json_put(json, "{", 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            json_put(json, ",", 1);
        json_quoted(json, names[i], strlen(names[i]));
        json_put(json, ":", 1);
        json_put(json, text, sg_digits(text, counts[i]));
    }
    json_put(json, "}", 1);
    json_member_end(json, mark);
}

size_t
sg_json_end(struct sg_json *json)
{
    const char *tail = json->cut ? (json->len > 1 ? ",\"cut\":true}\n" : "\"cut\":true}\n") : "}\n";

    memcpy(json->text + json->len, tail, strlen(tail) + 1);
    json->len += strlen(tail);
    return json->len;
}
