/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema_value.h - one value of each type: from text, to text, how large, what it looks like.
 */
#ifndef SG_SCHEMA_VALUE_H
#define SG_SCHEMA_VALUE_H

#include <stdio.h>

#include <sockgate/conf.h>

#include "arena.h"

size_t sg_value_size(enum sg_conf_type type);       /* of one value; for lists, of one element; 0: no such type */
size_t sg_value_field_size(enum sg_conf_type type); /* of the field in the struct; 0 for GROUP */
/* What the item takes, for messages: `a string, as in "text"`. Returns `text`. */
const char *sg_value_wanted(const struct sg_conf_item *item, char *text, size_t size);
/* 0, or -1 with what is wrong and what would be right in `why`. Range checks included. */
int sg_value_parse(const struct sg_conf_item *item, const char *text, const struct sg_where *where,
                   struct sg_arena *arena, void *value, char *why, size_t size);
/* The default of an item, a list too, into the field. */
int sg_value_default(const struct sg_conf_item *item, struct sg_arena *arena, void *field, char *why, size_t size);
/* Makes the list struct (or or-ed flags) of a field out of `n` parsed elements. */
void sg_value_store_list(enum sg_conf_type type, void *field, const void *values, size_t n);
/* Writes a field as libconfig would read it again. */
void sg_value_print(FILE *out, const struct sg_conf_item *item, const void *field);
bool sg_value_is_list(enum sg_conf_type type);
bool sg_value_empty(const struct sg_conf_item *item, const void *field); /* not given and no default: print nothing */

#endif
