/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema.c - walks a libconfig group by a table and fills a struct. Every getter looks at the type first: libconfig's
 * own return 0 for a wrong one.
 */
#include "schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "schema_value.h"

#define SCHEMA_QUOTED_MAX 256
#define SCHEMA_LINES_BACK 32

/* One key on its way into the struct. */
struct schema_key {
    const struct sg_schema_walk *walk;
    const struct sg_conf_item *item;
    const config_setting_t *setting;
};

struct sg_where
sg_schema_where(const struct sg_schema_walk *walk, const config_setting_t *setting)
{
    return sg_conf_text_where(walk->text, config_setting_source_line(setting));
}

/*
 * FILE:LINE of an element of a list. When libconfig notes the line of a string it has already looked at the word behind
 * it, since that could be a piece of the same string; so the string may be some lines before.
 */
static struct sg_where
schema_element_where(const struct sg_schema_walk *walk, const config_setting_t *element)
{
    const unsigned noted = config_setting_source_line(element);
    const unsigned first = config_setting_source_line(config_setting_parent(element));
    const char *string = config_setting_get_string(element);
    char quoted[SCHEMA_QUOTED_MAX];

    if (string == NULL || strlen(string) > sizeof quoted - 3)
        return sg_conf_text_where(walk->text, noted);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", string);
    for (unsigned line = noted; line >= first && noted - line < SCHEMA_LINES_BACK; line--)
        if (sg_conf_text_holds(walk->text, line, quoted))
            return sg_conf_text_where(walk->text, line);
    return sg_conf_text_where(walk->text, noted);
}

static void SG_PRINTF(3, 4)
    schema_error(const struct schema_key *key, const struct sg_where *where, const char *format, ...)
{
    char text[640];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_diag_error(key->walk->diag, where, key->item->name, "%s%s: %s", key->walk->context, key->item->name, text);
}

/* The same about a value, which gets the caret if it can be found as it stands in the file. */
static void
schema_value_error(const struct schema_key *key, const struct sg_where *where, const char *value, const char *why)
{
    char quoted[SCHEMA_QUOTED_MAX];

    (void)snprintf(quoted, sizeof quoted, "\"%s\"", value);
    sg_diag_error(key->walk->diag, where, quoted, "%s%s: %s", key->walk->context, key->item->name, why);
}

/* What a setting is, in the words of the manual. */
static const char *
schema_found(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64: return "a number";
    case CONFIG_TYPE_FLOAT: return "a number with a point";
    case CONFIG_TYPE_STRING: return "a string";
    case CONFIG_TYPE_BOOL: return "true or false";
    case CONFIG_TYPE_ARRAY: return "an array [ ... ]";
    case CONFIG_TYPE_LIST: return "a list ( ... )";
    case CONFIG_TYPE_GROUP: return "a group { ... }";
    default: return "nothing";
    }
}

/* Turns a scalar setting into the text that sg_value_parse() takes; NULL if its type cannot be right. */
static const char *
schema_scalar(const config_setting_t *setting, const struct sg_conf_item *item, char *text, size_t size)
{
    const enum sg_conf_type type = item->type;
    const bool number =
        type == SG_CONF_INT || type == SG_CONF_SIZE || type == SG_CONF_DURATION || type == SG_CONF_PORTS;
    const bool string = type != SG_CONF_BOOL && (type != SG_CONF_INT || item->words != NULL);

    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_BOOL:
        (void)snprintf(text, size, "%s", config_setting_get_bool(setting) != 0 ? "true" : "false");
        return type == SG_CONF_BOOL ? text : NULL;
    case CONFIG_TYPE_INT:
        (void)snprintf(text, size, "%d", config_setting_get_int(setting));
        return number ? text : NULL;
    case CONFIG_TYPE_INT64:
        (void)snprintf(text, size, "%lld", config_setting_get_int64(setting));
        return number ? text : NULL;
    case CONFIG_TYPE_STRING: return string ? config_setting_get_string(setting) : NULL;
    default: return NULL;
    }
}

/* One value, alone or one of a list. */
static bool
schema_value(const struct schema_key *key, const config_setting_t *setting, const struct sg_where *where, void *value)
{
    char scalar[64], why[512];
    const char *text = schema_scalar(setting, key->item, scalar, sizeof scalar);

    if (text == NULL) {
        schema_error(key, where, "%s is not allowed here, write %s", schema_found(setting),
                     sg_value_wanted(key->item, why, sizeof why));
        return false;
    }
    if (sg_value_parse(key->item, text, where, key->walk->arena, value, why, sizeof why) == -1) {
        if (text != scalar)
            schema_value_error(key, where, text, why);
        else
            schema_error(key, where, "%s", why);
        return false;
    }
    return true;
}

/* A single value or an array or list of them. */
static bool
schema_values(const struct schema_key *key, const struct sg_where *where, void *field)
{
    const config_setting_t *setting = key->setting;
    const int type = config_setting_type(setting);
    const bool many = type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST;
    const int n = many ? config_setting_length(setting) : 1;
    const size_t one = sg_value_size(key->item->type);
    char *values = sg_arena_alloc(key->walk->arena, (size_t)n * one + 1);
    bool good = n > 0;

    for (int i = 0; i < n; i++) {
        const config_setting_t *element = many ? config_setting_get_elem(setting, (unsigned)i) : setting;
        const struct sg_where element_where = many ? schema_element_where(key->walk, element) : *where;

        good = schema_value(key, element, &element_where, values + (size_t)i * one) && good;
    }
    if (n == 0)
        schema_error(key, where, "the list is empty: give at least one value, or leave the key out");
    else if (key->item->max != 0 && n > key->item->max)
        schema_error(key, where, "%d values, at most %" PRId64 " are allowed", n, key->item->max);
    else if (n < key->item->min)
        schema_error(key, where, "%d values, at least %" PRId64 " are needed", n, key->item->min);
    if (good)
        sg_value_store_list(key->item->type, field, values, (size_t)n);
    return good;
}

/* A key that was not given, or not in a way that could be used. */
static void
schema_default(const struct sg_schema_walk *walk, const char *file, const struct sg_conf_item *item, void *field)
{
    const struct sg_where nowhere = { file, 0 };
    char why[256];

    if (item->type == SG_CONF_GROUP) {
        memcpy(field, &nowhere, sizeof nowhere);
        for (const struct sg_conf_item *i = item->child; i->name != NULL; i++)
            schema_default(walk, file, i, (char *)field + i->offset);
    } else if (item->def != NULL) {
        (void)sg_value_default(item, walk->arena, field, why, sizeof why);
    }
}

/* The struct of a child begins with its place. */
static void
schema_child(const struct schema_key *key, const config_setting_t *group, void *base)
{
    const struct sg_where where = sg_schema_where(key->walk, group);

    memcpy(base, &where, sizeof where);
    sg_schema_read(key->walk, group, &where, key->item->child, base);
}

static bool
schema_groups(const struct schema_key *key, const struct sg_where *where, struct sg_groups *groups)
{
    const struct sg_conf_item *item = key->item;
    const bool list = config_setting_type(key->setting) == CONFIG_TYPE_LIST;
    const int n = list ? config_setting_length(key->setting) : 0;
    char *v;

    if (!list)
        schema_error(key, where, "%s is not allowed here, write a list of groups: ( { ... }, { ... } )",
                     schema_found(key->setting));
    else if (n < item->min)
        schema_error(key, where, "%d groups, at least %" PRId64 " must be here", n, item->min);
    else if (item->max != 0 && n > item->max)
        schema_error(key, where, "%d groups, at most %" PRId64 " are allowed", n, item->max);
    v = sg_arena_alloc(key->walk->arena, (size_t)n * item->child_size + 1);
    for (int i = 0; i < n; i++) {
        const config_setting_t *group = config_setting_get_elem(key->setting, (unsigned)i);
        const struct sg_where group_where = schema_element_where(key->walk, group);

        if (config_setting_type(group) == CONFIG_TYPE_GROUP)
            schema_child(key, group, v + (size_t)i * item->child_size);
        else
            schema_error(key, &group_where, "element %d is %s, not a group { ... }", i + 1, schema_found(group));
    }
    *groups = (struct sg_groups){ (size_t)n, v };
    return list;
}

/* False if the default is to be used instead. What is wrong has been told then. */
static bool
schema_given(const struct schema_key *key, void *field)
{
    const struct sg_where where = sg_schema_where(key->walk, key->setting);
    const enum sg_conf_type type = key->item->type;

    if (type == SG_CONF_SECRET)
        sg_diag_hide(key->walk->diag, &where);
    if (type == SG_CONF_GROUPS)
        return schema_groups(key, &where, field);
    if (type != SG_CONF_GROUP && type != SG_CONF_RAW)
        return sg_value_is_list(type) ? schema_values(key, &where, field)
                                      : schema_value(key, key->setting, &where, field);
    if (config_setting_type(key->setting) != CONFIG_TYPE_GROUP) {
        schema_error(key, &where, "%s is not allowed here, write a group { ... }", schema_found(key->setting));
        return false;
    }
    if (type == SG_CONF_RAW)
        memcpy(field, &key->setting, sizeof key->setting);
    else
        schema_child(key, key->setting, field);
    return true;
}

static void
schema_missing(const struct sg_schema_walk *walk, const struct sg_where *where, const struct sg_conf_item *item)
{
    char wanted[512];

    sg_diag_error(walk->diag, where, NULL, "%s\"%s\" is missing here, write %s", walk->context, item->name,
                  sg_value_wanted(item, wanted, sizeof wanted));
}

static bool
schema_has_secret(const struct sg_conf_item *items)
{
    for (const struct sg_conf_item *item = items; item != NULL && item->name != NULL; item++)
        if (item->type == SG_CONF_SECRET)
            return true;
    return false;
}

static const struct sg_conf_item *
schema_find(const struct sg_conf_item *items, const char *name)
{
    for (const struct sg_conf_item *item = items; item != NULL && item->name != NULL; item++)
        if (strcmp(item->name, name) == 0)
            return item;
    return NULL;
}

/* Keys that no row of the table names. */
static void
schema_unknown(const struct sg_schema_walk *walk, const config_setting_t *group, const struct sg_conf_item *items)
{
    const char *in = config_setting_name(group);

    if (in == NULL && config_setting_parent(group) != NULL)
        in = config_setting_name(config_setting_parent(group));
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(setting), *near;
        const struct sg_where where = sg_schema_where(walk, setting);

        if (schema_find(items, name) != NULL)
            continue;
        if (schema_has_secret(items)) /* it could be the secret, misspelt */
            sg_diag_hide(walk->diag, &where);
        near = sg_suggest_item(name, items);
        sg_diag_error(walk->diag, &where, name, "%sunknown key \"%s\"%s%s%s%s%s%s", walk->context, name,
                      in != NULL ? " in \"" : "", in != NULL ? in : "", in != NULL ? "\"" : "",
                      near != NULL ? ", did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
}

void
sg_schema_read(const struct sg_schema_walk *walk, const config_setting_t *group, const struct sg_where *where,
               const struct sg_conf_item *items, void *base)
{
    if (group != NULL)
        schema_unknown(walk, group, items);
    for (const struct sg_conf_item *item = items; item != NULL && item->name != NULL; item++) {
        const config_setting_t *setting = group != NULL ? config_setting_get_member(group, item->name) : NULL;
        const struct schema_key key = { walk, item, setting };
        void *field = (char *)base + item->offset;

        if (setting == NULL && item->required)
            schema_missing(walk, where, item);
        if (setting == NULL || !schema_given(&key, field))
            schema_default(walk, where->file, item, field);
    }
}
