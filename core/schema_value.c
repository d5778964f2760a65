/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema_value.c - the types of conf.h, one by one.
 */
#include "schema_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
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
    [SG_CONF_INT] = { sizeof(int64_t), sizeof(int64_t), false, "a number, as in 5" },
    [SG_CONF_SIZE] = { sizeof(int64_t), sizeof(int64_t), false, "a size, as in \"64K\"" },
    [SG_CONF_DURATION] = { sizeof(int64_t), sizeof(int64_t), false, "a duration with a unit, as in \"30s\"" },
    [SG_CONF_STRING] = { sizeof(char *), sizeof(char *), false, "a string, as in \"text\"" },
    [SG_CONF_STRINGS] = { sizeof(struct sg_string), sizeof(struct sg_strings), true, "strings, as in [ \"a\", \"b\" ]" },
    [SG_CONF_ADDRESS] = { sizeof(struct sg_addr), sizeof(struct sg_addr), false, "an IP address, as in \"192.0.2.1\"" },
    [SG_CONF_RANGES] = { sizeof(struct sg_range_item), sizeof(struct sg_ranges), true,
                         "address ranges, as in [ \"192.0.2.0/24\", \"2001:db8::/32\" ]" },
    [SG_CONF_PORTS] = { sizeof(struct sg_port_span), sizeof(struct sg_ports), true,
                        "ports, as in [ \"80\", \"1024-65535\" ]" },
    [SG_CONF_ENUM] = { sizeof(int64_t), sizeof(int64_t), false, "a word in quotes" },
    [SG_CONF_FLAGS] = { sizeof(int64_t), sizeof(int64_t), true, "words in quotes, as in [ \"a\", \"b\" ]" },
    [SG_CONF_SECRET] = { sizeof(char *), sizeof(char *), false, "a string, as in \"text\"" },
    [SG_CONF_GROUP] = { 0, 0, false, "a group { ... }" },
    [SG_CONF_GROUPS] = { 0, sizeof(struct sg_groups), false, "a list of groups ( { ... } )" },
};

static bool
value_known(enum sg_conf_type type)
{
    return type > 0 && (size_t)type < sizeof value_types / sizeof value_types[0];
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

const char *
sg_value_example(enum sg_conf_type type)
{
    return value_known(type) ? value_types[type].example : "a group { ... }";
}

bool
sg_value_is_list(enum sg_conf_type type)
{
    return value_known(type) && value_types[type].list;
}

/* Bounds, told in the unit of the type. */
static int
value_bounds(const struct sg_conf_item *item, int64_t value, const char *text, char *why, size_t size)
{
    char low[32], high[32];
    const char *(*format)(int64_t, char *, size_t) =
        item->type == SG_CONF_DURATION ? sg_format_duration : item->type == SG_CONF_SIZE ? sg_format_size : NULL;

    if (value >= item->min && (item->max == 0 || value <= item->max))
        return 0;
    if (format != NULL) {
        (void)format(item->min, low, sizeof low);
        (void)format(item->max, high, sizeof high);
    } else {
        (void)snprintf(low, sizeof low, "%" PRId64, item->min);
        (void)snprintf(high, sizeof high, "%" PRId64, item->max);
    }
    if (item->max == 0)
        (void)snprintf(why, size, "%s is out of range: at least %s", text, low);
    else
        (void)snprintf(why, size, "%s is out of range: from %s to %s", text, low, high);
    return -1;
}

static int
value_word(const struct sg_conf_item *item, const char *text, int64_t *value, char *why, size_t size)
{
    const char *near;
    size_t len;

    for (const struct sg_conf_word *w = item->words; w->word != NULL; w++)
        if (strcmp(w->word, text) == 0) {
            *value = w->number;
            return 0;
        }
    near = sg_suggest_word(text, item->words);
    (void)snprintf(why, size, "\"%.40s\" is not one of ", text);
    for (const struct sg_conf_word *w = item->words; w->word != NULL; w++) {
        len = strlen(why);
        (void)snprintf(why + len, size - len, "%s\"%s\"", w == item->words ? "" : ", ", w->word);
    }
    if (near != NULL) {
        len = strlen(why);
        (void)snprintf(why + len, size - len, ", did you mean \"%s\"?", near);
    }
    return -1;
}

static int
value_int(const struct sg_conf_item *item, const char *text, int64_t *value, char *why, size_t size)
{
    char *end;

    if (item->words != NULL && isdigit((unsigned char)text[0]) == 0 && text[0] != '-')
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
    const bool size_type = item->type == SG_CONF_SIZE;

    if ((size_type ? sg_parse_size(text, value) : sg_parse_duration(text, value)) == -1) {
        (void)snprintf(why, size, "\"%.40s\" is not %s", text,
                       size_type ? "a size: write a number with K, M or G, as in \"64K\""
                                 : "a duration: write a number with ms, s, m, h or d, as in \"30s\"");
        return -1;
    }
    return value_bounds(item, *value, text, why, size);
}

static int
value_address(const char *text, struct sg_addr *addr, char *why, size_t size)
{
    if (sg_addr_parse(text, addr) == -1) {
        (void)snprintf(why, size, "\"%.60s\" is not an IP address: write one as in \"192.0.2.1\" or \"2001:db8::1\"", text);
        return -1;
    }
    sg_addr_canonical(addr);
    return 0;
}

static int
value_range(const char *text, const struct sg_where *where, struct sg_range_item *range, char *why, size_t size)
{
    range->where = *where;
    if (sg_range_parse(text, &range->range) == 0)
        return 0;
    (void)snprintf(why, size,
                   "\"%.60s\" is not an address range: write \"192.0.2.0/24\", \"2001:db8::/32\" or one address, "
                   "with no bits set behind the prefix",
                   text);
    return -1;
}

int
sg_value_parse(const struct sg_conf_item *item, const char *text, const struct sg_where *where, struct sg_arena *arena,
               void *value, char *why, size_t size)
{
    struct sg_port_span *span = value;
    struct sg_string *string = value;

    switch (item->type) {
    case SG_CONF_BOOL: *(bool *)value = strcmp(text, "true") == 0; return 0;
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
