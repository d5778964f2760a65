/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules_entry.c - ranges and names as people write them. What looks like a misspelt range is never taken for a name: it
 * would be a rule that never matches.
 */
#include <stdio.h>
#include <string.h>

#include "rules.h"

#define LABEL_MAX 63

void
rule_name_lower(const char *from, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++)
        to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] - 'A' + 'a') : from[i];
}

static bool
entry_octet_good(unsigned char c)
{
    return c > 0x20 && c != 0x7f && strchr("\\/:@*,;\"'()[]{}<>#", c) == NULL;
}

/* "0x7f", "127": what address parsers take for a number. */
static bool
entry_label_is_number(const char *label, size_t len)
{
    if (len >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
        return true;
    for (size_t i = 0; i < len; i++)
        if (label[i] < '0' || label[i] > '9')
            return false;
    return true;
}

/* Labels of 1 to 63 octets that a name can have, the last of them no number. */
static bool
entry_name_good(const char *name, size_t len)
{
    size_t start = 0;

    if (len == 0 || len > RULE_NAME_MAX)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && name[i] != '.') {
            if (!entry_octet_good((unsigned char)name[i]))
                return false;
            continue;
        }
        if (i == start || i - start > LABEL_MAX)
            return false;
        if (i == len)
            return !entry_label_is_number(name + start, i - start);
        start = i + 1;
    }
    return false;
}

static int
entry_name(const char *text, struct rule_entry *entry)
{
    size_t len;

    entry->kinds = RULE_NAME_SELF;
    if (text[0] == '*' && text[1] == '.') {
        entry->kinds = RULE_NAME_BELOW;
        text += 2;
    } else if (text[0] == '.') {
        entry->kinds = RULE_NAME_SELF | RULE_NAME_BELOW;
        text++;
    }
    len = strlen(text);
    if (len > 0 && text[len - 1] == '.')
        len--;
    if (!entry_name_good(text, len))
        return -1;
    rule_name_lower(text, len, entry->name);
    entry->name[len] = '\0';
    entry->len = len;
    return 0;
}

int
rule_entry_parse(const char *text, struct rule_entry *entry_out, char *why, size_t size)
{
    char ip[SG_ADDR_TEXT];

    *entry_out = (struct rule_entry){ .kinds = 0 };
    if (sg_range_parse(text, &entry_out->range) == 0)
        return 0;
    if (entry_out->range.base.family != SG_FAMILY_NONE) {
        (void)snprintf(why, size, "\"%.60s\" has bits set behind the prefix, did you mean \"%s/%u\"?", text,
                       sg_addr_format_ip(&entry_out->range.base, ip, sizeof ip), entry_out->range.bits);
        return -1;
    }
    if (entry_name(text, entry_out) == 0)
        return 0;
    (void)snprintf(why, size,
                   "\"%.60s\" is neither an address range nor a name: write \"192.0.2.0/24\", \"2001:db8::1\", "
                   "\"www.example.com\", \"*.example.com\" (below it) or \".example.com\" (itself and below)",
                   text);
    return -1;
}
