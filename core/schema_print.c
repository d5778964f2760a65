/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema_print.c - the other direction: a filled struct as libconfig text.
 */
#include <inttypes.h>
#include <string.h>

#include "addrs.h"
#include "schema.h"
#include "schema_value.h"
#include "units.h"

static void
print_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            (void)fprintf(out, "\\%c", *p);
        else if ((unsigned char)*p < 0x20 || *p == 0x7f)
            (void)fprintf(out, "\\x%02x", (unsigned)(unsigned char)*p);
        else
            (void)fputc(*p, out);
    }
    (void)fputc('"', out);
}

static void
print_number(FILE *out, const struct sg_conf_item *item, int64_t value)
{
    char text[32];

    for (const struct sg_conf_word *w = item->words; w != NULL && w->word != NULL; w++)
        if (w->number == value) {
            print_string(out, w->word);
            return;
        }
    if (item->type == SG_CONF_INT)
        (void)fprintf(out, "%" PRId64 "%s", value, value > INT32_MAX || value < INT32_MIN ? "L" : "");
    else
        print_string(out, item->type == SG_CONF_SIZE ? sg_format_size(value, text, sizeof text)
                                                     : sg_format_duration(value, text, sizeof text));
}

static void
print_flags(FILE *out, const struct sg_conf_item *item, int64_t value)
{
    const char *comma = "";

    (void)fputs("[ ", out);
    for (const struct sg_conf_word *w = item->words; w->word != NULL; w++)
        if ((value & w->number) == w->number) {
            (void)fputs(comma, out);
            print_string(out, w->word);
            comma = ", ";
        }
    (void)fputs(" ]", out);
}

static void
print_list(FILE *out, const struct sg_conf_item *item, const void *field)
{
    const struct sg_strings *strings = field;
    const struct sg_ranges *ranges = field;
    const struct sg_ports *ports = field;
    char text[SG_ADDR_TEXT + 8];

    (void)fputs("[ ", out);
    for (size_t i = 0; i < strings->n; i++) { /* all three begin with their length */
        if (i > 0)
            (void)fputs(", ", out);
        if (item->type == SG_CONF_STRINGS)
            print_string(out, strings->v[i].text);
        else if (item->type == SG_CONF_RANGES)
            (void)fprintf(out, "\"%s\"", sg_range_format(&ranges->v[i].range, text, sizeof text));
        else if (ports->v[i].first == ports->v[i].last)
            (void)fprintf(out, "\"%u\"", ports->v[i].first);
        else
            (void)fprintf(out, "\"%u-%u\"", ports->v[i].first, ports->v[i].last);
    }
    (void)fputs(" ]", out);
}

void
sg_value_print(FILE *out, const struct sg_conf_item *item, const void *field)
{
    char text[SG_ADDR_TEXT];

    switch (item->type) {
    case SG_CONF_BOOL: (void)fputs(*(const bool *)field ? "true" : "false", out); break;
    case SG_CONF_INT:
    case SG_CONF_SIZE:
    case SG_CONF_DURATION:
    case SG_CONF_ENUM: print_number(out, item, *(const int64_t *)field); break;
    case SG_CONF_FLAGS: print_flags(out, item, *(const int64_t *)field); break;
    case SG_CONF_STRING: print_string(out, *(const char *const *)field); break;
    case SG_CONF_SECRET: print_string(out, "***"); break;
    case SG_CONF_ADDRESS: print_string(out, sg_addr_format_ip(field, text, sizeof text)); break;
    default: print_list(out, item, field); break;
    }
}

bool
sg_value_empty(const struct sg_conf_item *item, const void *field)
{
    switch (item->type) {
    case SG_CONF_STRING:
    case SG_CONF_SECRET: return *(const char *const *)field == NULL;
    case SG_CONF_ADDRESS: return ((const struct sg_addr *)field)->family == SG_FAMILY_NONE;
    case SG_CONF_FLAGS: return *(const int64_t *)field == 0;
    case SG_CONF_ENUM: return item->def == NULL && !item->required && *(const int64_t *)field == 0;
    case SG_CONF_STRINGS:
    case SG_CONF_RANGES:
    case SG_CONF_PORTS:
    case SG_CONF_GROUPS: return ((const struct sg_groups *)field)->n == 0;
    default: return false;
    }
}

/* Neither values nor defaults: if such a group was not given, printing it would read as given. */
static bool
print_nothing_in(const struct sg_conf_item *items, const void *base)
{
    for (const struct sg_conf_item *item = items; item != NULL && item->name != NULL; item++) {
        const void *field = (const char *)base + item->offset;

        if (item->type == SG_CONF_GROUP ? !print_nothing_in(item->child, field) : !sg_value_empty(item, field))
            return false;
    }
    return true;
}

static void print_items(FILE *out, const struct sg_conf_item *items, const void *base, int indent,
                        void (*raw)(FILE *out, const void *group_struct, int indent, void *arg), void *arg,
                        bool in_list);

static void
print_groups(FILE *out, const struct sg_conf_item *item, const struct sg_groups *groups, int indent,
             void (*raw)(FILE *out, const void *group_struct, int indent, void *arg), void *arg)
{
    (void)fprintf(out, "%*s%s = (\n", indent, "", item->name);
    for (size_t i = 0; i < groups->n; i++) {
        (void)fprintf(out, "%*s{\n", indent + 2, "");
        print_items(out, item->child, (const char *)groups->v + i * item->child_size, indent + 4, raw, arg, true);
        (void)fprintf(out, "%*s}%s\n", indent + 2, "", i + 1 < groups->n ? "," : "");
    }
    (void)fprintf(out, "%*s);\n", indent, "");
}

/* A group that was not given is left out in the elements of a list: not all of them have a use for it. */
static void
print_items(FILE *out, const struct sg_conf_item *items, const void *base, int indent,
            void (*raw)(FILE *out, const void *group_struct, int indent, void *arg), void *arg, bool in_list)
{
    for (const struct sg_conf_item *item = items; item != NULL && item->name != NULL; item++) {
        const void *field = (const char *)base + item->offset;

        if (item->type == SG_CONF_GROUP) {
            if (((const struct sg_where *)field)->line == 0 && (in_list || print_nothing_in(item->child, field)))
                continue;
            (void)fprintf(out, "%*s%s = {\n", indent, "", item->name);
            sg_schema_print(out, item->child, field, indent + 2, raw, arg);
            (void)fprintf(out, "%*s};\n", indent, "");
        } else if (item->type == SG_CONF_RAW) {
            if (raw != NULL)
                raw(out, base, indent, arg);
        } else if (sg_value_empty(item, field)) {
            continue;
        } else if (item->type == SG_CONF_GROUPS) {
            print_groups(out, item, field, indent, raw, arg);
        } else {
            (void)fprintf(out, "%*s%s = ", indent, "", item->name);
            sg_value_print(out, item, field);
            (void)fputs(";\n", out);
        }
    }
}

void
sg_schema_print(FILE *out, const struct sg_conf_item *items, const void *base, int indent,
                void (*raw)(FILE *out, const void *group_struct, int indent, void *arg), void *arg)
{
    print_items(out, items, base, indent, raw, arg, false);
}
