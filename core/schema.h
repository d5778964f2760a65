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
/* Writes the effective values in libconfig syntax, secrets as "***"; SG_CONF_RAW items are passed to `raw`. */
void sg_schema_print(FILE *out, const struct sg_conf_item *items, const void *base, int indent,
                     void (*raw)(FILE *out, const void *group_struct, int indent, void *arg), void *arg);
/* Checks a module's table itself: types known, offsets within size, defaults that parse. NULL, or what is wrong. */
const char *sg_schema_check(const struct sg_conf_item *items, size_t conf_size, struct sg_arena *arena);

/* The nearest of a table's names if it is near enough to be a misspelling, else NULL. */
const char *sg_suggest_item(const char *word, const struct sg_conf_item *items);
const char *sg_suggest_word(const char *word, const struct sg_conf_word *words);

#endif
