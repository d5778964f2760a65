/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema_value.c - the types of conf.h, one by one.
 */
#include "schema_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "schema.h"
#include "units.h"

static const struct {
    size_t one, field;
    bool list;
    const char *example;
} value_types[] = {
    [SG_CONF_BOOL] = { sizeof(bool), sizeof(bool), false, "true or false" },
    [SG_CONF_INT] = { sizeof(int64_t), sizeof(int64_t), false, "a number" },
    [SG_CONF_SIZE] = { sizeof(int64_t), sizeof(int64_t), false, "a size, as in \"64K\"" },
    [SG_CONF_DURATION] = { sizeof(int64_t), sizeof(int64_t), false, "a duration with a unit, as in \"30s\"" },
    [SG_CONF_STRING] = { sizeof(char *), sizeof(char *), false, "a string, as in \"text\"" },
    [SG_CONF_STRINGS] = { sizeof(struct sg_string), sizeof(struct sg_strings), true,
                          "strings, as in [ \"a\", \"b\" ]" },
    [SG_CONF_ADDRESS] = { sizeof(struct sg_addr), sizeof(struct sg_addr), false, "an IP address, as in \"192.0.2.1\"" },
    [SG_CONF_RANGES] = { sizeof(struct sg_range_item), sizeof(struct sg_ranges), true,
                         "address ranges, as in [ \"192.0.2.0/24\", \"2001:db8::/32\" ]" },
    [SG_CONF_PORTS] = { sizeof(struct sg_port_span), sizeof(struct sg_ports), true,
                        "ports, as in [ \"80\", \"1024-65535\" ]" },
    [SG_CONF_ENUM] = { sizeof(int64_t), sizeof(int64_t), false, "one word" },
    [SG_CONF_FLAGS] = { sizeof(int64_t), sizeof(int64_t), true, "a list of words" },
    [SG_CONF_SECRET] = { sizeof(char *), sizeof(char *), false, "a string, as in \"text\"" },
    [SG_CONF_GROUP] = { 0, 0, false, "a group { ... }" },
    [SG_CONF_GROUPS] = { 0, sizeof(struct sg_groups), false, "a list of groups ( { ... } )" },
};

static bool
value_known(enum sg_conf_type type)
{
    return type > 0 && (size_t)type < sizeof value_types / sizeof value_types[0];
}

static const char *
value_number_text(const struct sg_conf_item *item, int64_t value, char *text, size_t size)
{
    if (item->type == SG_CONF_DURATION)
        return sg_format_duration(value, text, size);
    if (item->type == SG_CONF_SIZE)
        return sg_format_size(value, text, size);
    (void)snprintf(text, size, "%" PRId64, value);
    return text;
}

size_t
sg_value_size(enum sg_conf_type type)
{
    return value_known(type) ? value_types[type].one : 0;
}

size_t
sg_value_field_size(enum sg_conf_type type)
{
    return type == SG_CONF_RAW ? sizeof(void *) : value_known(type) ? value_types[type].field : 0;
}

/* Appends to a text; what does not fit is cut. */
static void SG_PRINTF(3, 4) value_append(char *text, size_t size, const char *format, ...)
{
    const size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text + len, size - len, format, args);
    va_end(args);
}

static void
value_append_words(char *text, size_t size, const struct sg_conf_word *words)
{
    for (const struct sg_conf_word *w = words; w->word != NULL; w++)
        value_append(text, size, "%s\"%s\"", w == words ? "" : ", ", w->word);
}

/* The bounds of a number in the unit of its type. */
static void
value_append_bounds(char *text, size_t size, const struct sg_conf_item *item)
{
    char low[32], high[32];

    if (item->max != 0)
        value_append(text, size, "from %s to %s", value_number_text(item, item->min, low, sizeof low),
                     value_number_text(item, item->max, high, sizeof high));
    else
        value_append(text, size, "at least %s", value_number_text(item, item->min, low, sizeof low));
}

const char *
sg_value_wanted(const struct sg_conf_item *item, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", value_known(item->type) ? value_types[item->type].example : "a group { ... }");
    if (item->type == SG_CONF_INT) {
        value_append(text, size, " ");
        value_append_bounds(text, size, item);
    }
    if (item->words != NULL && (item->type == SG_CONF_ENUM || item->type == SG_CONF_FLAGS))
        value_append(text, size, ": ");
    else if (item->words != NULL)
        value_append(text, size, ", or ");
    if (item->words != NULL)
        value_append_words(text, size, item->words);
    return text;
}

bool
sg_value_is_list(enum sg_conf_type type)
{
    return value_known(type) && value_types[type].list;
}

static int
value_bool(const char *text, bool *value, char *why, size_t size)
{
    *value = strcmp(text, "true") == 0;
    if (*value || strcmp(text, "false") == 0)
        return 0;
    (void)snprintf(why, size, "\"%.40s\" is neither true nor false", text);
    return -1;
}

static int
value_bounds(const struct sg_conf_item *item, int64_t value, const char *text, char *why, size_t size)
{
    if (value >= item->min && (item->max == 0 || value <= item->max))
        return 0;
    (void)snprintf(why, size, "%s is out of range: ", text);
    value_append_bounds(why, size, item);
    return -1;
}

static int
value_word(const struct sg_conf_item *item, const char *text, int64_t *value, char *why, size_t size)
{
    const char *near = sg_suggest_word(text, item->words);

    for (const struct sg_conf_word *w = item->words; w->word != NULL; w++)
        if (strcmp(w->word, text) == 0) {
            *value = w->number;
            return 0;
        }
    (void)snprintf(why, size, "\"%.40s\" is not one of ", text);
    value_append_words(why, size, item->words);
    if (near != NULL)
        value_append(why, size, ", did you mean \"%s\"?", near);
    return -1;
}

/* A word may stand for a number only where the table has words. */
static bool
value_is_word(const struct sg_conf_item *item, const char *text)
{
    return item->words != NULL && isdigit((unsigned char)text[0]) == 0 && text[0] != '-';
}

/* A number as it stands in the file without quotes. */
static int
value_int(const struct sg_conf_item *item, const char *text, int64_t *value, char *why, size_t size)
{
    char *end;

    if (value_is_word(item, text))
        return value_word(item, text, value, why, size);
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        (void)snprintf(why, size, "\"%.40s\" is not a number", text);
        return -1;
    }
    return value_bounds(item, *value, text, why, size);
}

static int
value_number(const struct sg_conf_item *item, const char *text, int64_t *value, char *why, size_t size)
{
    const bool octets = item->type == SG_CONF_SIZE;

    if (value_is_word(item, text))
        return value_word(item, text, value, why, size);
    if ((octets ? sg_parse_size(text, value) : sg_parse_duration(text, value)) == -1) {
        (void)snprintf(why, size, "\"%.40s\" is not %s", text,
                       octets ? "a size: write a number with K, M or G, as in \"64K\""
                              : "a duration: write a number with ms, s, m, h or d, as in \"30s\"");
        return -1;
    }
    return value_bounds(item, *value, text, why, size);
}

static int
value_address(const char *text, struct sg_addr *addr, char *why, size_t size)
{
    if (sg_addr_parse(text, addr) == -1) {
        (void)snprintf(why, size, "\"%.60s\" is not an IP address: write one as in \"192.0.2.1\" or \"2001:db8::1\"",
                       text);
        return -1;
    }
    sg_addr_canonical(addr);
    return 0;
}

static int
value_range(const char *text, const struct sg_where *where, struct sg_range_item *range, char *why, size_t size)
{
    char meant[SG_ADDR_TEXT];

    range->where = *where;
    if (sg_range_parse(text, &range->range) == 0)
        return 0;
    (void)snprintf(why, size,
                   "\"%.60s\" is not an address range: write \"192.0.2.0/24\", \"2001:db8::/32\" or one address, "
                   "with no bits set behind the prefix",
                   text);
    if (range->range.base.family != SG_FAMILY_NONE)
        value_append(why, size, ", did you mean \"%s\"?", sg_range_format(&range->range, meant, sizeof meant));
    return -1;
}

int
sg_value_parse(const struct sg_conf_item *item, const char *text, const struct sg_where *where, struct sg_arena *arena,
               void *value, char *why, size_t size)
{
    struct sg_port_span *span = value;
    struct sg_string *string = value;

    switch (item->type) {
    case SG_CONF_BOOL: return value_bool(text, value, why, size);
    case SG_CONF_INT: return value_int(item, text, value, why, size);
    case SG_CONF_SIZE:
    case SG_CONF_DURATION: return value_number(item, text, value, why, size);
    case SG_CONF_STRING:
    case SG_CONF_SECRET: *(const char **)value = sg_arena_strndup(arena, text, strlen(text)); return 0;
    case SG_CONF_STRINGS:
        string->text = sg_arena_strndup(arena, text, strlen(text));
        string->where = *where;
        return 0;
    case SG_CONF_ADDRESS: return value_address(text, value, why, size);
    case SG_CONF_RANGES: return value_range(text, where, value, why, size);
    case SG_CONF_PORTS:
        span->where = *where;
        if (sg_parse_port_span(text, &span->first, &span->last) == 0)
            return 0;
        (void)snprintf(why, size, "\"%.40s\" is not a port or a span of ports: write \"80\" or \"1024-65535\"", text);
        return -1;
    case SG_CONF_ENUM:
    case SG_CONF_FLAGS: return value_word(item, text, value, why, size);
    default: (void)snprintf(why, size, "no such type"); return -1;
    }
}

void
sg_value_store_list(enum sg_conf_type type, void *field, const void *values, size_t n)
{
    int64_t flags = 0;

    switch (type) {
    case SG_CONF_STRINGS: *(struct sg_strings *)field = (struct sg_strings){ n, values }; break;
    case SG_CONF_RANGES: *(struct sg_ranges *)field = (struct sg_ranges){ n, values }; break;
    case SG_CONF_PORTS: *(struct sg_ports *)field = (struct sg_ports){ n, values }; break;
    default:
        for (size_t i = 0; i < n; i++)
            flags |= ((const int64_t *)values)[i];
        *(int64_t *)field = flags;
    }
}

int
sg_value_default(const struct sg_conf_item *item, struct sg_arena *arena, void *field, char *why, size_t size)
{
    const struct sg_where nowhere = { "(default)", 0 };
    void *value;

    if (!sg_value_is_list(item->type))
        return sg_value_parse(item, item->def, &nowhere, arena, field, why, size);
    value = sg_arena_alloc(arena, sg_value_size(item->type));
    if (sg_value_parse(item, item->def, &nowhere, arena, value, why, size) == -1)
        return -1;
    sg_value_store_list(item->type, field, value, 1);
    return 0;
}
