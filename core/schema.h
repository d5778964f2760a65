/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema.h - the one walker that reads libconfig groups into structs, for the core and for every module.
 */
#ifndef SG_SCHEMA_H
#define SG_SCHEMA_H

#include <libconfig.h>
#include <stdio.h>

#include <sockgate/conf.h>

#include "arena.h"
#include "conf_text.h"
#include "diag.h"

/* A group that is kept as it is, for another table: module `settings`. The struct holds a `config_setting_t *`. */
#define SG_CONF_RAW ((enum sg_conf_type)100)

struct sg_schema_walk {
    const struct sg_conf_text *text;
    struct sg_arena *arena;
    struct sg_diag *diag;
    const char *context; /* put before each message: `module "pam": `; "" for the core */
};

/* Fills `base` by the table; `group` NULL stands for an empty group at `where`. All errors go to the walk's diag. */
void sg_schema_read(const struct sg_schema_walk *walk, const config_setting_t *group, const struct sg_where *where,
                    const struct sg_conf_item *items, void *base);
/* FILE:LINE of a setting. */
struct sg_where sg_schema_where(const struct sg_schema_walk *walk, const config_setting_t *setting);
/*
 * Writes the effective values in libconfig syntax, secrets as "***"; read again, it gives the same struct, but that a group
 * which was not given and has defaults inside reads as given. An SG_CONF_RAW item is left to `raw`, with the struct that
 * it is in and the indent of its siblings; `raw` NULL: left out.
 */
void sg_schema_print(FILE *out, const struct sg_conf_item *items, const void *base, int indent,
                     void (*raw)(FILE *out, const void *group_struct, int indent, void *arg), void *arg);
/*
 * Checks a module's table itself: names and types good, fields inside the struct and apart from each other, defaults that
 * parse, children and words that are there. NULL, or what is wrong, in the arena.
 */
const char *sg_schema_check(const struct sg_conf_item *items, size_t conf_size, struct sg_arena *arena);

/* The nearest of some candidates, as long as one is near enough for the word to be a misspelling of it. */
struct sg_suggestion {
    const char *word;
    const char *best; /* NULL: none is near */
    unsigned distance;
};
void sg_suggest(struct sg_suggestion *suggestion, const char *candidate);
/* The nearest of a table's names, or NULL. */
const char *sg_suggest_item(const char *word, const struct sg_conf_item *items);
const char *sg_suggest_word(const char *word, const struct sg_conf_word *words);

#endif
