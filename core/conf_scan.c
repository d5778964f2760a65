/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_scan.c - a small lexer that knows just enough of libconfig's grammar: comments, strings, numbers, @include.
 */
#include "conf_scan.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void
sg_conf_scan_begin(struct sg_conf_scan *scan, struct sg_diag *diag, const char *file)
{
    *scan = (struct sg_conf_scan){ .diag = diag, .file = file };
}

static void
scan_error(struct sg_conf_scan *scan, unsigned line, const char *mark, const char *what)
{
    sg_diag_error(scan->diag, &(struct sg_where){ scan->file, line }, mark, "%s", what);
}

static bool
scan_word_char(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_' || c == '-' || c == '*' || c == '.';
}

/* A decimal number that libconfig 1.5 would wrap around. Hexadecimal ones and those with an L are as they are. */
static void
scan_number(struct sg_conf_scan *scan, const char *word, size_t len, unsigned number)
{
    char text[64], what[160];
    uint64_t value = 0;
    size_t i = 0;

    if (i < len && word[i] == '-')
        i++;
    if (i == len)
        return;
    for (; i < len && isdigit((unsigned char)word[i]) != 0; i++)
        value = value > UINT32_MAX ? value : value * 10 + (uint64_t)(word[i] - '0');
    if (i != len || value <= INT32_MAX)
        return;
    (void)snprintf(text, sizeof text, "%.*s", (int)(len < 40 ? len : 40), word);
    (void)snprintf(what, sizeof what, "the number %s is too large: write it as a string with a unit, as in \"5G\"", text);
    scan_error(scan, number, text, what);
}

/* `@include "NAME"` and nothing before it on the line. */
static bool
scan_include(const char *line, size_t len, const char **name_out, size_t *name_len_out)
{
    static const char word[] = "@include";
    size_t at = 0, end;

    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (len - at < sizeof word - 1 || memcmp(line + at, word, sizeof word - 1) != 0)
        return false;
    at += sizeof word - 1;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (at == len || line[at] != '"')
        return false;
    for (end = ++at; end < len && line[end] != '"'; end++)
        continue;
    if (end == len || end == at)
        return false;
    *name_out = line + at;
    *name_len_out = end - at;
    return true;
}

/* The octet behind the string's or the comment's end in this line, or `len` if it goes on. */
static size_t
scan_string(struct sg_conf_scan *scan, const char *line, size_t len, size_t at)
{
    for (; at < len; at++) {
        if (line[at] == '\\') {
            at++;
        } else if (line[at] == '"') {
            scan->string_from = 0;
            return at + 1;
        }
    }
    return len;
}

static size_t
scan_comment(struct sg_conf_scan *scan, const char *line, size_t len, size_t at)
{
    const char *end = at < len ? memmem(line + at, len - at, "*/", 2) : NULL;

    if (end == NULL)
        return len;
    scan->comment_from = 0;
    return (size_t)(end - line) + 2;
}

void
sg_conf_scan_line(struct sg_conf_scan *scan, const char *line, size_t len, unsigned number, const char **name_out,
                  size_t *name_len_out)
{
    size_t at = 0;

    *name_out = NULL;
    if (memchr(line, '\0', len) != NULL)
        scan_error(scan, number, NULL, "a NUL octet: this is not a text file");
    if (scan->comment_from == 0 && scan->string_from == 0 && scan_include(line, len, name_out, name_len_out))
        return;
    while (at < len) {
        if (scan->comment_from != 0) {
            at = scan_comment(scan, line, len, at);
        } else if (scan->string_from != 0) {
            at = scan_string(scan, line, len, at);
        } else if (line[at] == '"') {
            scan->string_from = number;
            at++;
        } else if (line[at] == '#' || (line[at] == '/' && at + 1 < len && line[at + 1] == '/')) {
            break;
        } else if (line[at] == '/' && at + 1 < len && line[at + 1] == '*') {
            scan->comment_from = number;
            at += 2;
        } else if (scan_word_char(line[at])) {
            const size_t from = at;

            while (at < len && scan_word_char(line[at]))
                at++;
            scan_number(scan, line + from, at - from, number);
        } else {
            at++;
        }
    }
}

void
sg_conf_scan_end(struct sg_conf_scan *scan)
{
    if (scan->comment_from != 0)
        scan_error(scan, scan->comment_from, "/*", "this comment never ends: a closing */ is missing");
    if (scan->string_from != 0)
        scan_error(scan, scan->string_from, "\"", "this string never ends: a closing quote is missing");
}

static bool
hint_is(const char *word, size_t len, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strlen(*words) == len && strncasecmp(word, *words, len) == 0)
            return true;
    return false;
}

/* What a bare word that is no value of libconfig was meant to be. */
static const char *
hint_word(const char *word, size_t len)
{
    static const char *const booleans[] = { "yes", "no", "on", "off", NULL };
    static const char *const values[] = { "true", "false", NULL };
    size_t digits = 0;

    if (hint_is(word, len, booleans))
        return "use true or false";
    if (hint_is(word, len, values))
        return NULL;
    while (digits < len && isdigit((unsigned char)word[digits]) != 0)
        digits++;
    if (digits > 0 && digits < len && isalpha((unsigned char)word[digits]) != 0 && word[digits] != 'x' &&
        word[digits] != 'X' && word[digits] != 'L' && word[digits] != 'e' && word[digits] != 'E')
        return "quote a value with a unit, as in \"30s\"";
    if (isalpha((unsigned char)word[0]) != 0)
        return "quote a string, as in \"text\"";
    return NULL;
}

const char *
sg_conf_scan_hint(const char *line, size_t len, char *mark_out, size_t mark_size)
{
    bool value = false;

    for (size_t at = 0; at < len;) {
        const size_t from = at;
        const char *hint = NULL;

        if (line[at] == '#' || (line[at] == '/' && at + 1 < len && (line[at + 1] == '/' || line[at + 1] == '*')))
            break;
        if (line[at] == '"') {
            struct sg_conf_scan scan = { .string_from = 1 };

            at = scan_string(&scan, line, len, at + 1);
            continue;
        }
        if (line[at] == ',') {
            size_t next = at + 1;

            while (next < len && (line[next] == ' ' || line[next] == '\t'))
                next++;
            if (next < len && (line[next] == ')' || line[next] == ']' || line[next] == '}'))
                hint = "there is a comma behind the last element: take it out";
        }
        value = line[at] == '=' || line[at] == ':' || (value && (line[at] == ' ' || line[at] == '\t'));
        if (hint == NULL && isalnum((unsigned char)line[at]) != 0) {
            while (at < len && scan_word_char(line[at]))
                at++;
            hint = value ? hint_word(line + from, at - from) : NULL;
            if (!value && memchr(line + from, '.', at - from) != NULL && isalpha((unsigned char)line[from]) != 0)
                hint = "a name has no dots: write groups as in a = { b = 1; };";
            value = false;
        } else {
            at++;
        }
        if (hint != NULL) {
            (void)snprintf(mark_out, mark_size, "%.*s", (int)(at - from), line + from);
            return hint;
        }
        value = value || line[from] == '=' || line[from] == ':';
    }
    return NULL;
}
