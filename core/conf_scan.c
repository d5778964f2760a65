/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_scan.c - words out of lines (scan_...), and the order in which words may stand (grammar_...).
 *
 *     setting: NAME = value, then nothing, ; or ,
 *     value:   true false NUMBER "string" "string in pieces" { settings } [ plain values ] ( values )
 */
#include "conf_scan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* BAD: meant to be a value, and already told to be wrong. */
enum word_type { WORD_NAME = 1, WORD_BOOL, WORD_INT, WORD_INT64, WORD_FLOAT, WORD_STRING, WORD_MARK, WORD_BAD };

struct word {
    enum word_type type;
    const char *start;
    size_t len, column;
};

void
sg_conf_scan_begin(struct sg_conf_scan *scan, struct sg_diag *diag)
{
    *scan = (struct sg_conf_scan){ .diag = diag };
}

static void SG_PRINTF(3, 4) scan_error(struct sg_conf_scan *scan, size_t column, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_diag_error_at(scan->diag, &scan->where, column, "%s", text);
}

/* ---- the order of words */

static void SG_PRINTF(3, 4) grammar_lost(struct sg_conf_scan *scan, const struct word *w, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    scan_error(scan, w->column, "%s", text);
    scan->lost = true;
}

static bool
word_is(const struct word *w, const char *marks)
{
    return w->type == WORD_MARK && strchr(marks, w->start[0]) != NULL;
}

/* A word for a message, cut to what a line can take. */
static const char *
word_text(const struct word *w, char text[48])
{
    const int quotes = w->type == WORD_STRING ? 0 : 1;
    const char *quote = quotes != 0 ? "\"" : "";

    (void)snprintf(text, 48, "%s%.*s%s", quote, (int)(w->len < 40 ? w->len : 40), w->start, quote);
    return text;
}

static struct sg_conf_bracket *
grammar_inside(struct sg_conf_scan *scan)
{
    return scan->depth > 0 ? &scan->brackets[scan->depth - 1] : NULL;
}

static bool
grammar_in_group(struct sg_conf_scan *scan)
{
    const struct sg_conf_bracket *inside = grammar_inside(scan);

    return inside == NULL || inside->mark == '{';
}

static void
grammar_open(struct sg_conf_scan *scan, const struct word *w)
{
    const char mark = w->start[0];

    if (scan->depth == SG_CONF_SCAN_DEPTH) {
        grammar_lost(scan, w, "more than %d brackets inside each other", SG_CONF_SCAN_DEPTH);
        return;
    }
    scan->brackets[scan->depth++] = (struct sg_conf_bracket){ .mark = mark, .where = scan->where, .column = w->column };
    scan->expect = mark == '{' ? SG_CONF_EXPECT_NAME : SG_CONF_EXPECT_FIRST;
}

static void
grammar_close(struct sg_conf_scan *scan, const struct word *w)
{
    const struct sg_conf_bracket *inside = grammar_inside(scan);
    const char mark = w->start[0];

    if (inside == NULL) {
        grammar_lost(scan, w, "this %c closes nothing", mark);
    } else if (mark != (inside->mark == '{' ? '}' : inside->mark == '[' ? ']' : ')')) {
        grammar_lost(scan, w, "a %c cannot close the %c of line %u", mark, inside->mark, inside->where.line);
    } else {
        scan->depth--;
        scan->expect = SG_CONF_EXPECT_END;
        scan->in_string = false;
    }
}

/* A bare word where a value should be. It is taken for one, so that the text behind it is looked at too. */
static void
grammar_bare_word(struct sg_conf_scan *scan, const struct word *w)
{
    static const char *const booleans[] = { "yes", "no", "on", "off" };
    char text[48];

    for (size_t i = 0; i < sizeof booleans / sizeof booleans[0]; i++)
        if (w->len == strlen(booleans[i]) && strncasecmp(w->start, booleans[i], w->len) == 0) {
            scan_error(scan, w->column, "%s is no value: use true or false", word_text(w, text));
            return;
        }
    scan_error(scan, w->column, "quote a string: write %s", word_text(w, text));
}

/* An array holds plain values of one type. */
static void
grammar_element(struct sg_conf_scan *scan, struct sg_conf_bracket *array, const struct word *w)
{
    if (w->type == WORD_BAD)
        return;
    if (array->elements == 0)
        array->elements = (int)w->type;
    else if (array->elements != (int)w->type)
        scan_error(scan, w->column,
                   "an array [ ... ] holds values of one type: quote all of them, or use a list ( ... )");
}

static void
grammar_value(struct sg_conf_scan *scan, const struct word *w)
{
    struct sg_conf_bracket *inside = grammar_inside(scan);
    const bool array = inside != NULL && inside->mark == '[';

    if (word_is(w, "([{")) {
        if (array)
            grammar_lost(scan, w, "an array [ ... ] holds plain values: use a list ( ... )");
        else
            grammar_open(scan, w);
        return;
    }
    if (word_is(w, ")]}") && scan->expect == SG_CONF_EXPECT_NEXT) {
        sg_diag_error_at(scan->diag, &scan->comma, scan->comma_column,
                         "this comma is one too many: there is none behind the last element");
        grammar_close(scan, w);
        return;
    }
    if (word_is(w, ")]}") && scan->expect == SG_CONF_EXPECT_FIRST) {
        grammar_close(scan, w);
        return;
    }
    if (w->type == WORD_MARK) {
        grammar_lost(scan, w, "a value is missing before this %c", w->start[0]);
        return;
    }
    if (w->type == WORD_NAME)
        grammar_bare_word(scan, w);
    else if (array)
        grammar_element(scan, inside, w);
    scan->expect = SG_CONF_EXPECT_END;
    scan->in_string = w->type == WORD_STRING;
}

static void
grammar_name(struct sg_conf_scan *scan, const struct word *w)
{
    char text[48];

    if (word_is(w, "}])"))
        grammar_close(scan, w);
    else if (w->type == WORD_NAME)
        scan->expect = SG_CONF_EXPECT_EQUALS;
    else
        grammar_lost(scan, w, "the name of a setting was expected here, not %s", word_text(w, text));
}

static void
grammar_equals(struct sg_conf_scan *scan, const struct word *w)
{
    char text[48];

    if (word_is(w, "=:"))
        scan->expect = SG_CONF_EXPECT_VALUE;
    else if (w->start[0] == '.')
        grammar_lost(scan, w, "a name has no dots: write groups, as in a = { b = 1; };");
    else
        grammar_lost(scan, w, "an = was expected behind the name, not %s", word_text(w, text));
}

static void
grammar_comma(struct sg_conf_scan *scan, const struct word *w)
{
    scan->expect = SG_CONF_EXPECT_NEXT;
    scan->comma = scan->where;
    scan->comma_column = w->column;
}

/* Behind a value: in a group the next setting may follow at once, in a list there is a comma first. */
static void
grammar_end(struct sg_conf_scan *scan, const struct word *w)
{
    const bool group = grammar_in_group(scan);
    char text[48];

    if (w->type == WORD_STRING && scan->in_string)
        return;
    if (word_is(w, "}])"))
        grammar_close(scan, w);
    else if (group && word_is(w, ";,"))
        scan->expect = SG_CONF_EXPECT_NAME;
    else if (!group && word_is(w, ","))
        grammar_comma(scan, w);
    else if (group && w->type == WORD_NAME)
        scan->expect = SG_CONF_EXPECT_EQUALS;
    else if (group)
        grammar_lost(scan, w, "a ; was expected behind the value, not %s", word_text(w, text));
    else
        grammar_lost(scan, w, "a comma was expected behind the element, not %s", word_text(w, text));
}

static void
grammar_word(struct sg_conf_scan *scan, const struct word *w)
{
    if (scan->lost)
        return;
    switch (scan->expect) {
    case SG_CONF_EXPECT_NAME: grammar_name(scan, w); break;
    case SG_CONF_EXPECT_EQUALS: grammar_equals(scan, w); break;
    case SG_CONF_EXPECT_VALUE:
    case SG_CONF_EXPECT_FIRST:
    case SG_CONF_EXPECT_NEXT: grammar_value(scan, w); break;
    case SG_CONF_EXPECT_END: grammar_end(scan, w); break;
    }
}

/* ---- words out of lines */

static bool
scan_name_char(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_' || c == '-' || c == '*';
}

/* All digits up to where the suffix L or LL begins; the value, or UINT64_MAX if it is larger. */
static bool
number_digits(const char *p, size_t len, unsigned base, uint64_t *value_out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        const int c = tolower((unsigned char)p[i]);
        const unsigned digit = isdigit(c) != 0 ? (unsigned)(c - '0') : isxdigit(c) != 0 ? (unsigned)(c - 'a') + 10 : 16;

        if (digit >= base)
            return false;
        value = value > (UINT64_MAX - digit) / base ? UINT64_MAX : value * base + digit;
    }
    *value_out = value;
    return len > 0;
}

/* A number of [0-9]* [. [0-9]*] [e [+-] [0-9]+] with a digit and a point or an exponent. */
static bool
number_is_float(const char *p, size_t len)
{
    size_t i = 0, digits = 0;
    bool point = false;

    for (; i < len && (isdigit((unsigned char)p[i]) != 0 || (p[i] == '.' && !point)); i++)
        if (p[i] == '.')
            point = true;
        else
            digits++;
    if (digits == 0)
        return false;
    if (i == len)
        return point;
    if (p[i] != 'e' && p[i] != 'E')
        return false;
    i += i + 1 < len && (p[i + 1] == '+' || p[i + 1] == '-') ? 2 : 1;
    digits = i;
    while (i < len && isdigit((unsigned char)p[i]) != 0)
        i++;
    return i == len && i > digits;
}

/* A whole number, as libconfig 1.5 to 1.8 all read it: what one of them would cut or take for octal is a mistake. */
static void
scan_integer(struct sg_conf_scan *scan, struct word *w, const char *digits, size_t len, unsigned base)
{
    const bool wide = w->start[w->len - 1] == 'L';
    const uint64_t max = (wide ? (uint64_t)INT64_MAX : (uint64_t)INT32_MAX) + (w->start[0] == '-' ? 1 : 0);
    uint64_t value = 0;

    (void)number_digits(digits, len, base, &value);
    w->type = wide ? WORD_INT64 : WORD_INT;
    if (base == 10 && len > 1 && digits[0] == '0')
        scan_error(scan, w->column, "a number does not begin with 0, which could mean octal");
    else if (value > max)
        scan_error(scan, w->column, "this number is too large%s",
                   wide ? "" : ": write a size as in \"5G\", and other numbers over 2147483647 with an L behind them");
}

/* A run of characters that begins as a number does, where a value was expected. */
static void
scan_number(struct sg_conf_scan *scan, struct word *w)
{
    const size_t sign = w->start[0] == '-' || w->start[0] == '+' ? 1 : 0;
    const char *p = w->start + sign;
    size_t digits = w->len - sign;
    uint64_t value;
    char text[48];

    w->type = WORD_FLOAT;
    if (number_is_float(p, digits))
        return;
    for (unsigned suffix = 0; suffix < 2 && digits > 0 && p[digits - 1] == 'L'; suffix++)
        digits--;
    if (sign == 0 && digits > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') &&
        number_digits(p + 2, digits - 2, 16, &value)) {
        scan_integer(scan, w, p + 2, digits - 2, 16);
    } else if (number_digits(p, digits, 10, &value)) {
        scan_integer(scan, w, p, digits, 10);
    } else {
        w->type = WORD_BAD;
        scan_error(scan, w->column,
                   "this is no number: quote a value with a unit, an address or another string, as in %s",
                   word_text(w, text));
    }
}

/* The length of the string with both quotes. One without end is taken for one up to the end of the line. */
static size_t
scan_string(struct sg_conf_scan *scan, const char *line, size_t len, size_t from)
{
    for (size_t at = from + 1; at < len; at++) {
        if (line[at] == '"')
            return at + 1 - from;
        if (line[at] != '\\')
            continue;
        if (len - at > 3 && tolower((unsigned char)line[at + 1]) == 'x' && line[at + 2] == '0' && line[at + 3] == '0')
            scan_error(scan, at, "a string cannot hold a NUL octet");
        at++;
    }
    scan_error(scan, from, "this string never ends: its closing quote must stand on the same line");
    scan->lost = true; /* who knows what else was meant to be behind the quote */
    return len - from;
}

/* Where an open comment ends in this line; `len` if it goes on. */
static size_t
scan_comment(struct sg_conf_scan *scan, const char *line, size_t len, size_t at)
{
    const char *end = memmem(line + at, len - at, "*/", 2);

    if (end == NULL)
        return len;
    scan->comment.line = 0;
    return (size_t)(end - line) + 2;
}

/*
 * The length of a name, or of a run that begins as a number does: all that somebody could have meant to be one value, an
 * address or a range too, so that the message can show it in quotes.
 */
static size_t
scan_run(const char *line, size_t len, size_t from, bool number)
{
    size_t at = from + 1;

    while (at < len && (scan_name_char(line[at]) || (number && (line[at] == '.' || line[at] == ':')) ||
                        (number && line[at] == '+' && (line[at - 1] == 'e' || line[at - 1] == 'E')) ||
                        (number && line[at] == '/' && at + 1 < len && isdigit((unsigned char)line[at + 1]) != 0)))
        at++;
    return at - from;
}

/* A character that begins no word. The others of its kind follow from it. */
static void
scan_stray(struct sg_conf_scan *scan, size_t column, char c)
{
    if (scan->lost)
        return;
    if (c == '\'' || (unsigned char)c >= 0x80)
        scan_error(scan, column, "a string needs straight double quotes: \"");
    else if (c == '@')
        scan_error(scan, column, "@include \"FILE\" needs a line of its own");
    else
        scan_error(scan, column, "this character stands in no name and in no value");
    scan->lost = true;
}

/* The word that begins at `from`, and its length. */
static size_t
scan_word(struct sg_conf_scan *scan, const char *line, size_t len, size_t from)
{
    const char c = line[from];
    struct word w = { .type = WORD_MARK, .start = line + from, .len = 1, .column = from };

    if (c == '"') {
        w.type = WORD_STRING;
        w.len = scan_string(scan, line, len, from);
    } else if (isalpha((unsigned char)c) != 0 || c == '*') {
        w.len = scan_run(line, len, from, false);
        w.type = (w.len == 4 && strncasecmp(w.start, "true", 4) == 0) ||
                         (w.len == 5 && strncasecmp(w.start, "false", 5) == 0)
                     ? WORD_BOOL
                     : WORD_NAME;
    } else if (isdigit((unsigned char)c) != 0 || c == '-' || c == '+' || c == '.') {
        w.len = scan_run(line, len, from, true);
        w.type = WORD_BAD;
        if (scan->expect != SG_CONF_EXPECT_NAME && scan->expect != SG_CONF_EXPECT_EQUALS)
            scan_number(scan, &w);
    } else if (strchr("=:;,{}[]()", c) == NULL) {
        scan_stray(scan, from, c);
    }
    grammar_word(scan, &w);
    return w.len;
}

void
sg_conf_scan_line(struct sg_conf_scan *scan, const struct sg_where *where, const char *line, size_t len)
{
    size_t at = 0;

    scan->where = *where;
    if (memchr(line, '\0', len) != NULL) {
        scan_error(scan, 0, "a NUL octet: this is no text");
        return;
    }
    while (at < len) {
        if (scan->comment.line != 0) {
            at = scan_comment(scan, line, len, at);
        } else if (strchr(" \t\r\f", line[at]) != NULL) {
            at++;
        } else if (line[at] == '#' || (line[at] == '/' && at + 1 < len && line[at + 1] == '/')) {
            break;
        } else if (line[at] == '/' && at + 1 < len && line[at + 1] == '*') {
            scan->comment = *where;
            at += 2;
        } else {
            at += scan_word(scan, line, len, at);
        }
    }
}

enum sg_conf_include
sg_conf_scan_include(struct sg_conf_scan *scan, const struct sg_where *where, const char *line, size_t len,
                     const char **name_out, size_t *name_len_out)
{
    static const char directive[] = "@include";
    const char *const end = line + len;
    const char *p = line, *quote;

    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (scan->comment.line != 0 || p == end || *p != '@')
        return SG_CONF_INCLUDE_NONE;
    scan->where = *where;
    if ((size_t)(end - p) >= sizeof directive - 1 && memcmp(p, directive, sizeof directive - 1) == 0)
        p += sizeof directive - 1;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    quote = p < end && *p == '"' ? memchr(p + 1, '"', (size_t)(end - p) - 1) : NULL;
    if (quote == NULL || quote == p + 1 || memchr(p, '\0', (size_t)(quote - p)) != NULL) {
        scan_error(scan, (size_t)(p - line), "write @include \"FILE\"");
        return SG_CONF_INCLUDE_BAD;
    }
    *name_out = p + 1;
    *name_len_out = (size_t)(quote - p) - 1;
    for (p = quote + 1; p < end && (*p == ' ' || *p == '\t' || *p == '\r'); p++)
        continue;
    if (p < end && *p != '#' && !(end - p > 1 && p[0] == '/' && p[1] == '/')) {
        scan_error(scan, (size_t)(p - line), "nothing stands behind @include \"FILE\" but a comment");
        return SG_CONF_INCLUDE_BAD;
    }
    return SG_CONF_INCLUDE_FILE;
}

void
sg_conf_scan_file_end(struct sg_conf_scan *scan)
{
    if (scan->comment.line == 0)
        return;
    sg_diag_error(scan->diag, &scan->comment, "/*", "this comment never ends: the closing */ is missing");
    scan->comment.line = 0;
    scan->lost = true;
}

void
sg_conf_scan_end(struct sg_conf_scan *scan)
{
    if (scan->lost)
        return;
    if (scan->expect == SG_CONF_EXPECT_EQUALS || scan->expect == SG_CONF_EXPECT_VALUE)
        scan_error(scan, 0, "the text ends in the middle of a setting");
    for (unsigned i = 0; i < scan->depth; i++)
        sg_diag_error_at(scan->diag, &scan->brackets[i].where, scan->brackets[i].column, "this %c is never closed",
                         scan->brackets[i].mark);
}
