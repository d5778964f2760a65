/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ident.c - the reply of RFC 1413 (section 6):
 *
 *   PORT , PORT : USERID : SYSTEM [ , CHARSET ] : USER CR LF
 *   PORT , PORT : ERROR : TOKEN CR LF
 *
 * Blanks and tabs count for nothing, but for those in USER.
 */
#include "ident.h"

#include <stdbool.h>
#include <string.h>

/* What is left of the line. */
struct rest {
    const char *at;
    size_t len;
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void
rest_skip(struct rest *rest, size_t n)
{
    rest->at += n;
    rest->len -= n;
}

static void
rest_blanks(struct rest *rest)
{
    while (rest->len > 0 && is_blank(rest->at[0]))
        rest_skip(rest, 1);
}

/* What stands in front of `end`, without blanks around it; `end` is taken too. False: there is no `end`. */
static bool
rest_field(struct rest *rest, char end, const char **field, size_t *len)
{
    const char *stop = memchr(rest->at, end, rest->len);

    if (stop == NULL)
        return false;
    rest_blanks(rest);
    *field = rest->at;
    *len = (size_t)(stop - rest->at);
    while (*len > 0 && is_blank((*field)[*len - 1]))
        (*len)--;
    rest_skip(rest, (size_t)(stop - rest->at) + 1);
    return true;
}

static bool
rest_port(struct rest *rest, char end, uint16_t *port)
{
    const char *digits;
    uint32_t number = 0;
    size_t len;

    if (!rest_field(rest, end, &digits, &len) || len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(digits[i] - '0');
    }
    *port = (uint16_t)number;
    return number <= UINT16_MAX;
}

static bool
is_word(const char *field, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(field, word, len) == 0;
}

/* Without its line end. */
static bool
ident_line(struct rest rest, struct ident_reply *reply)
{
    const char *type, *comma;
    size_t type_len, system_len;

    if (!rest_port(&rest, ',', &reply->client_port) || !rest_port(&rest, ':', &reply->our_port) ||
        !rest_field(&rest, ':', &type, &type_len))
        return false;
    if (is_word(type, type_len, "ERROR")) {
        rest_blanks(&rest);
        while (rest.len > 0 && is_blank(rest.at[rest.len - 1]))
            rest.len--;
        reply->kind = IDENT_ERROR;
        reply->error = rest.at;
        reply->error_len = rest.len;
        return rest.len > 0;
    }
    if (!is_word(type, type_len, "USERID") || !rest_field(&rest, ':', &reply->system, &reply->system_len) ||
        reply->system_len == 0 || rest.len == 0)
        return false;
    reply->user = rest.at;
    reply->user_len = rest.len;
    comma = memchr(reply->system, ',', reply->system_len);
    system_len = comma != NULL ? (size_t)(comma - reply->system) : reply->system_len;
    while (system_len > 0 && is_blank(reply->system[system_len - 1]))
        system_len--;
    reply->kind = is_word(reply->system, system_len, "OTHER") ? IDENT_OTHER : IDENT_USER;
    return true;
}

ssize_t
ident_parse(const char *octets, size_t len, struct ident_reply *reply)
{
    const size_t looked = len < IDENT_LINE_MAX + 2 ? len : IDENT_LINE_MAX + 2;
    const char *newline = memchr(octets, '\n', looked);
    struct rest line = { octets, 0 };

    *reply = (struct ident_reply){ .our_port = 0 };
    if (newline == NULL)
        return looked < len || looked == IDENT_LINE_MAX + 2 ? -1 : 0;
    line.len = (size_t)(newline - octets);
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (memchr(line.at, '\0', line.len) != NULL || !ident_line(line, reply))
        return -1;
    return newline - octets + 1;
}
