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

static void SG_PRINTF(3, 4)
schema_error(const struct schema_key *key, const config_setting_t *at, const char *format, ...)
{
    const struct sg_where where = sg_schema_where(key->walk, at);
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_diag_error(key->walk->diag, &where, key->item->name, "%s%s: %s", key->walk->context, key->item->name, text);
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

/* Turns a scalar setting into the text that sg_value_parse() takes; false if the type cannot be right. */
static bool
schema_scalar(const config_setting_t *setting, enum sg_conf_type type, char *text, size_t size, const char **text_out)
{
    *text_out = text;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_BOOL:
        (void)snprintf(text, size, "%s", config_setting_get_bool(setting) != 0 ? "true" : "false");
        return type == SG_CONF_BOOL;
    case CONFIG_TYPE_INT:
        (void)snprintf(text, size, "%d", config_setting_get_int(setting));
        return type == SG_CONF_INT || type == SG_CONF_SIZE || type == SG_CONF_DURATION || type == SG_CONF_PORTS;
    case CONFIG_TYPE_INT64:
        (void)snprintf(text, size, "%lld", config_setting_get_int64(setting));
        return type == SG_CONF_INT || type == SG_CONF_SIZE || type == SG_CONF_DURATION || type == SG_CONF_PORTS;
    case CONFIG_TYPE_STRING:
        *text_out = config_setting_get_string(setting);
        return type != SG_CONF_BOOL;
    default: return false;
    }
}

/* One value, alone or one of a list. */
static bool
schema_value(const struct schema_key *key, const config_setting_t *setting, void *value)
{
    const struct sg_where where = sg_schema_where(key->walk, setting);
    const bool numeric_text = key->item->type == SG_CONF_INT && key->item->words == NULL;
    char text[64], why[256];
    const char *found;

    if (!schema_scalar(setting, key->item->type, text, sizeof text, &found) ||
        (numeric_text && config_setting_type(setting) == CONFIG_TYPE_STRING)) {
        schema_error(key, setting, "%s is not allowed here, write %s", schema_found(setting),
                     sg_value_example(key->item->type));
        return false;
    }
    if (sg_value_parse(key->item, found, &where, key->walk->arena, value, why, sizeof why) == -1) {
        schema_error(key, setting, "%s", why);
        return false;
    }
    return true;
}

/* A single value or an array or list of them. */
static void
schema_values(const struct schema_key *key, void *field)
{
    const int type = config_setting_type(key->setting);
    const bool many = type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST;
    const int n = many ? config_setting_length(key->setting) : 1;
    const size_t one = sg_value_size(key->item->type);
    char *values = sg_arena_alloc(key->walk->arena, (size_t)n * one + 1);

    for (int i = 0; i < n; i++)
        if (!schema_value(key, many ? config_setting_get_elem(key->setting, (unsigned)i) : key->setting,
                          values + (size_t)i * one))
            return;
    if (n == 0)
        schema_error(key, key->setting, "the list is empty: give at least one value, or leave the key out");
    else if (key->item->max != 0 && n > key->item->max)
        schema_error(key, key->setting, "%d values, at most %" PRId64 " are allowed", n, key->item->max);
    else if (n < key->item->min)
        schema_error(key, key->setting, "%d values, at least %" PRId64 " are needed", n, key->item->min);
    else
        sg_value_store_list(key->item->type, field, values, (size_t)n);
}

/* The struct of a child begins with its place. */
static void
schema_child(const struct schema_key *key, const config_setting_t *group, const struct sg_where *where, void *base)
{
    memcpy(base, where, sizeof *where);
    sg_schema_read(key->walk, group, where, key->item->child, base);
}

static void
schema_groups(const struct schema_key *key, void *field)
{
    const int n = config_setting_length(key->setting);
    const struct sg_conf_item *item = key->item;
    struct sg_groups *groups = field;
    char *v;

    if (config_setting_type(key->setting) != CONFIG_TYPE_LIST) {
        schema_error(key, key->setting, "%s is not allowed here, write a list of groups: ( { ... }, { ... } )",
                     schema_found(key->setting));
        return;
    }
    if (n < item->min || (item->max != 0 && n > item->max)) {
        schema_error(key, key->setting, "%d groups, there must be at least %" PRId64, n, item->min);
        return;
    }
    v = sg_arena_alloc(key->walk->arena, (size_t)n * item->child_size + 1);
    for (int i = 0; i < n; i++) {
        const config_setting_t *group = config_setting_get_elem(key->setting, (unsigned)i);
        const struct sg_where where = sg_schema_where(key->walk, group);

        if (config_setting_type(group) == CONFIG_TYPE_GROUP)
            schema_child(key, group, &where, v + (size_t)i * item->child_size);
        else
            schema_error(key, group, "element %d is %s, not a group { ... }", i + 1, schema_found(group));
    }
    *groups = (struct sg_groups){ (size_t)n, v };
}

static void
schema_given(const struct schema_key *key, char *base)
{
    void *field = base + key->item->offset;
    const struct sg_where where = sg_schema_where(key->walk, key->setting);

    if (key->item->type == SG_CONF_GROUP || key->item->type == SG_CONF_RAW) {
        if (config_setting_type(key->setting) != CONFIG_TYPE_GROUP)
            schema_error(key, key->setting, "%s is not allowed here, write a group { ... }",
                         schema_found(key->setting));
        else if (key->item->type == SG_CONF_RAW)
            memcpy(field, &key->setting, sizeof key->setting);
        else
            schema_child(key, key->setting, &where, field);
        return;
    }
    switch (key->item->type) {
    case SG_CONF_GROUPS: schema_groups(key, field); break;
    case SG_CONF_STRINGS:
    case SG_CONF_RANGES:
    case SG_CONF_PORTS:
    case SG_CONF_FLAGS: schema_values(key, field); break;
    default: (void)schema_value(key, key->setting, field); break;
    }
}

static void
schema_default(const struct sg_schema_walk *walk, const struct sg_where *where, const struct sg_conf_item *item,
               char *base)
{
    char why[256];

    if (item->required)
        sg_diag_error(walk->diag, where, NULL, "%s\"%s\" is missing here, write %s", walk->context, item->name,
                      sg_value_example(item->type));
    else if (item->type == SG_CONF_GROUP)
        schema_child(&(struct schema_key){ walk, item, NULL }, NULL, &(struct sg_where){ where->file, 0 },
                     base + item->offset);
    else if (item->def != NULL)
        (void)sg_value_default(item, walk->arena, base + item->offset, why, sizeof why);
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
        const char *name = config_setting_name(setting);
        const struct sg_where where = sg_schema_where(walk, setting);
        const struct sg_conf_item *item = items;
        const char *near;

        while (item != NULL && item->name != NULL && strcmp(item->name, name) != 0)
            item++;
        if (item != NULL && item->name != NULL)
            continue;
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
        const config_setting_t *setting =
            group != NULL ? config_setting_get_member(group, item->name) : NULL;
        const struct schema_key key = { walk, item, setting };

        if (setting != NULL)
            schema_given(&key, base);
        else
            schema_default(walk, where, item, base);
    }
}
