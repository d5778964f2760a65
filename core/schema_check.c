/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema_check.c - is a module's table itself good? A row that was copied and not fully changed would otherwise overwrite
 * its neighbour's value, and show itself by odd behaviour only.
 */
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "schema_value.h"

#define CHECK_ROWS_MAX 256 /* a table without its last row is read until something breaks */
#define CHECK_DEPTH_MAX 8

struct check {
    struct sg_arena *arena;
    const char *wrong; /* the first mistake; the others could follow from it */
};

static void SG_PRINTF(3, 4) check_fail(struct check *check, const struct sg_conf_item *item, const char *format, ...)
{
    char text[256];
    int n;
    va_list args;

    if (check->wrong != NULL)
        return;
    n = snprintf(text, sizeof text, "its table of settings is not good: key \"%.60s\": ", item->name);
    va_start(args, format);
    (void)vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    check->wrong = sg_arena_strndup(check->arena, text, strlen(text));
}

static size_t
check_field_size(const struct sg_conf_item *item)
{
    return item->type == SG_CONF_GROUP ? item->child_size : sg_value_field_size(item->type);
}

static size_t
check_alignment(enum sg_conf_type type)
{
    switch (type) {
    case SG_CONF_BOOL: return alignof(bool);
    case SG_CONF_ADDRESS: return alignof(struct sg_addr);
    default: return alignof(int64_t) > alignof(void *) ? alignof(int64_t) : alignof(void *);
    }
}

static void
check_name(struct check *check, const struct sg_conf_item *items, const struct sg_conf_item *item)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (strspn(item->name, letters) == 0 || item->name[strspn(item->name, others)] != '\0')
        check_fail(check, item, "the name is none for libconfig");
    for (const struct sg_conf_item *other = items; other < item; other++)
        if (strcmp(other->name, item->name) == 0)
            check_fail(check, item, "there are two rows of this name");
}

/* Inside the struct, aligned, behind the child's struct sg_where, and apart from the fields before. */
static void
check_place(struct check *check, const struct sg_conf_item *items, const struct sg_conf_item *item, size_t first,
            size_t conf_size)
{
    const size_t size = check_field_size(item);

    if (item->offset > conf_size || size > conf_size - item->offset)
        check_fail(check, item, "its field lies outside of the struct");
    if (item->offset < first)
        check_fail(check, item, "its field lies on the struct sg_where at the beginning of the group");
    if (item->offset % check_alignment(item->type) != 0)
        check_fail(check, item, "its field is not aligned");
    for (const struct sg_conf_item *other = items; other < item; other++)
        if (item->offset < other->offset + check_field_size(other) && other->offset < item->offset + size)
            check_fail(check, item, "its field is also that of \"%.60s\"", other->name);
}

static void
check_values(struct check *check, const struct sg_conf_item *item)
{
    char why[256];
    const bool words = item->type == SG_CONF_ENUM || item->type == SG_CONF_FLAGS;

    if (words && (item->words == NULL || item->words->word == NULL))
        check_fail(check, item, "it has no words");
    else if (item->max != 0 && item->min > item->max)
        check_fail(check, item, "its smallest value is larger than its largest");
    else if (item->def != NULL &&
             sg_value_default(item, check->arena, sg_arena_alloc(check->arena, check_field_size(item)), why,
                              sizeof why) == -1)
        check_fail(check, item, "its default: %s", why);
}

static void
check_table(struct check *check, const struct sg_conf_item *items, size_t first, size_t size, unsigned depth)
{
    for (const struct sg_conf_item *item = items; item->name != NULL && check->wrong == NULL; item++) {
        const bool child = item->type == SG_CONF_GROUP || item->type == SG_CONF_GROUPS;

        if (item - items == CHECK_ROWS_MAX) {
            check_fail(check, item, "more than %d rows: does the table end with a NULL name?", CHECK_ROWS_MAX);
            return;
        }
        check_name(check, items, item);
        if (item->type == SG_CONF_RAW || (!child && sg_value_field_size(item->type) == 0))
            check_fail(check, item, "there is no type %d", (int)item->type);
        else if (child && (item->child == NULL || item->child_size < sizeof(struct sg_where)))
            check_fail(check, item, "it has no table for its child, or the child's struct has no struct sg_where");
        else if (depth == CHECK_DEPTH_MAX)
            check_fail(check, item, "more than %d groups inside each other", CHECK_DEPTH_MAX);
        if (check->wrong != NULL)
            return;
        check_place(check, items, item, first, size);
        if (child && item->child != NULL)
            check_table(check, item->child, sizeof(struct sg_where), item->child_size, depth + 1);
        else if (!child)
            check_values(check, item);
    }
}

const char *
sg_schema_check(const struct sg_conf_item *items, size_t conf_size, struct sg_arena *arena)
{
    struct check check = { arena, NULL };

    if (items != NULL)
        check_table(&check, items, 0, conf_size, 0);
    return check.wrong;
}
