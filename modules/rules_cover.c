/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules_cover.c - does one rule match everything that another one could? Only what is certain counts: two conditions
 * that cover a third together, or a set that happens to hold a range, are not looked for.
 */
#include <string.h>

#include "rules.h"

static bool
strings_cover(const struct rule_strings *wide, const struct rule_strings *narrow)
{
    if (wide->n == 0)
        return true;
    for (size_t i = 0; i < narrow->n; i++) {
        size_t j = 0;

        while (j < wide->n && strcmp(wide->v[j], narrow->v[i]) != 0)
            j++;
        if (j == wide->n)
            return false;
    }
    return narrow->n > 0;
}

static bool
users_cover(const struct rule *wide, const struct rule *narrow)
{
    if (wide->any_user) /* whoever is asked for by user or group has a name */
        return narrow->any_user || narrow->users.n > 0 || narrow->groups.n > 0;
    return wide->users.n == 0 || (!narrow->any_user && strings_cover(&wide->users, &narrow->users));
}

static bool
methods_cover(const struct rule *wide, const struct rule *narrow)
{
    if (wide->any_method || narrow->any_method)
        return wide->any_method;
    for (size_t i = 0; i < sizeof wide->methods; i++)
        if ((narrow->methods[i] & ~wide->methods[i]) != 0)
            return false;
    return true;
}

static bool
ports_cover(const struct sg_ports *wide, const struct sg_ports *narrow)
{
    if (wide->n == 0)
        return true;
    for (size_t i = 0; i < narrow->n; i++) {
        size_t j = 0;

        while (j < wide->n && (wide->v[j].first > narrow->v[i].first || wide->v[j].last < narrow->v[i].last))
            j++;
        if (j == wide->n)
            return false;
    }
    return narrow->n > 0;
}

static bool
range_covers(const struct sg_range *wide, const struct sg_range *narrow)
{
    return wide->bits <= narrow->bits && sg_range_contains(wide, &narrow->base);
}

static bool
name_covers(const struct rule_name *wide, const struct rule_name *narrow)
{
    if (wide->len == narrow->len)
        return memcmp(wide->name, narrow->name, wide->len) == 0 && (narrow->kinds & ~wide->kinds) == 0;
    return (wide->kinds & RULE_NAME_BELOW) != 0 && narrow->len > wide->len + 1 &&
           narrow->name[narrow->len - wide->len - 1] == '.' &&
           memcmp(narrow->name + narrow->len - wide->len, wide->name, wide->len) == 0;
}

static bool
places_cover_range(const struct rule_places *wide, const struct sg_range *range)
{
    for (size_t i = 0; i < wide->n_ranges; i++)
        if (range_covers(&wide->ranges[i], range))
            return true;
    return false;
}

static bool
places_cover_name(const struct rule_places *wide, const struct rule_name *name)
{
    for (size_t i = 0; i < wide->n_names; i++)
        if (name_covers(&wide->names[i], name))
            return true;
    return false;
}

static bool
places_cover_set(const struct rule_places *wide, const struct sg_image *set)
{
    for (size_t i = 0; i < wide->n_sets; i++)
        if (wide->sets[i] == set)
            return true;
    return false;
}

static bool
places_cover(const struct rule_places *wide, const struct rule_places *narrow)
{
    for (size_t i = 0; i < narrow->n_ranges; i++)
        if (!places_cover_range(wide, &narrow->ranges[i]))
            return false;
    for (size_t i = 0; i < narrow->n_names; i++)
        if (!places_cover_name(wide, &narrow->names[i]))
            return false;
    for (size_t i = 0; i < narrow->n_sets; i++)
        if (!places_cover_set(wide, narrow->sets[i]))
            return false;
    return true;
}

bool
rule_covers(const struct rule *earlier, const struct rule *later)
{
    return (earlier->cmd == 0 || (later->cmd != 0 && (later->cmd & ~earlier->cmd) == 0)) &&
           earlier->assurance <= later->assurance && methods_cover(earlier, later) &&
           ports_cover(earlier->dst_port, later->dst_port) && strings_cover(&earlier->listeners, &later->listeners) &&
           users_cover(earlier, later) && strings_cover(&earlier->groups, &later->groups) &&
           (!earlier->client_given || (later->client_given && places_cover(&earlier->client, &later->client))) &&
           (!earlier->dst_given || (later->dst_given && places_cover(&earlier->dst, &later->dst)));
}
