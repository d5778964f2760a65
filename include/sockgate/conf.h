/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.h - how a module declares its `settings`, and how it reports what is wrong with them.
 *
 * A module lists its keys in a table of struct sg_conf_item. Before `init` the core walks the libconfig group with that
 * table, refuses unknown keys, wrong types and values out of range (each with FILE:LINE and what would be right), and
 * fills the module's own struct. The core's own configuration is read by the same walker. What a table cannot say
 * (two keys that exclude each other, a file that must exist) the module checks in `init` with sg_conf_error().
 *
 * The filled struct and all it points to belong to the core, are constant from `init` on and live as long as the process.
 */
#ifndef SOCKGATE_CONF_H
#define SOCKGATE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>
#include <sockgate/visibility.h>

struct sg_instance;

/* A place in a configuration file. `line` 0: not given in any file (a default). */
struct sg_where {
    const char *file;
    unsigned line;
};

/* The type of a key: what the file may hold, and what the module finds in its struct at `offset`. */
enum sg_conf_type {
    SG_CONF_BOOL = 1,     /* true, false                      -> bool */
    SG_CONF_INT = 2,      /* 5                                -> int64_t, within [min, max] */
    SG_CONF_SIZE = 3,     /* "64K", "5G" or a number          -> int64_t, octets, within [min, max] */
    SG_CONF_DURATION = 4, /* "30s", "500ms", "2m", "1h", "1d" -> int64_t, milliseconds, within [min, max] */
    SG_CONF_STRING = 5,   /* "text"                           -> const char *, NUL-terminated, no NUL inside */
    SG_CONF_STRINGS = 6,  /* [ "a", "b" ] or "a"              -> struct sg_strings */
    SG_CONF_ADDRESS = 7,  /* "192.0.2.1", "::1"               -> struct sg_addr, port 0, canonical */
    SG_CONF_RANGES = 8,   /* [ "10.0.0.0/8", "::1" ] or one   -> struct sg_ranges, canonical */
    SG_CONF_PORTS = 9,    /* [ "80", "1024-65535" ], 80       -> struct sg_ports */
    SG_CONF_ENUM = 10,    /* one word of `words`              -> int64_t, the word's number */
    SG_CONF_FLAGS = 11,   /* [ "a", "b" ], words of `words`   -> int64_t, numbers or-ed */
    SG_CONF_SECRET = 12,  /* as STRING; never printed or logged */
    SG_CONF_GROUP = 13,   /* { ... }                          -> the child's struct, embedded at `offset` */
    SG_CONF_GROUPS = 14   /* ( { ... }, { ... } )             -> struct sg_groups */
};

/* One string of a list and where it stands. */
struct sg_string {
    const char *text;
    struct sg_where where;
};

/* A list of strings. */
struct sg_strings {
    size_t n;
    const struct sg_string *v;
};

/* One range of a list and where it stands. */
struct sg_range_item {
    struct sg_range range;
    struct sg_where where;
};

/* A list of address ranges. */
struct sg_ranges {
    size_t n;
    const struct sg_range_item *v;
};

/* One span of ports, both ends included, and where it stands. */
struct sg_port_span {
    uint16_t first, last;
    struct sg_where where;
};

/* A list of port spans. */
struct sg_ports {
    size_t n;
    const struct sg_port_span *v;
};

/* A list of groups: `v` is an array of `n` structs of the size that the item states as `child_size`. */
struct sg_groups {
    size_t n;
    const void *v;
};

/* A word and its number, for SG_CONF_ENUM and SG_CONF_FLAGS. A table of them ends with a NULL word. */
struct sg_conf_word {
    const char *word;
    int64_t number;
};

/*
 * One key. A table of them ends with a NULL name. The struct of a SG_CONF_GROUP or SG_CONF_GROUPS child must begin with
 * a `struct sg_where`, which tells where the group stands; line 0 means that the group was not given.
 */
struct sg_conf_item {
    const char *name;
    enum sg_conf_type type;
    size_t offset;   /* of the value in the module's struct */
    const char *def; /* the default, written as in the file without quotes ("30s", "true"); NULL: zero, empty */
    bool required;   /* it is an error not to give it */
    int64_t min;     /* INT, SIZE, DURATION: smallest value; STRINGS, RANGES, PORTS, GROUPS: smallest length */
    int64_t max;     /* likewise the largest; 0: no limit */
    const struct sg_conf_word *words; /* ENUM, FLAGS */
    const struct sg_conf_item *child; /* GROUP, GROUPS: the keys of the child */
    size_t child_size;                /* GROUP, GROUPS: sizeof the child's struct */
    const char *help;                 /* one sentence for manuals and messages */
};

/*
 * Reports an error in the settings of @inst: "FILE:LINE: module "NAME": TEXT". May be called any number of times in
 * `init`; all errors are shown together, and sockgate does not start with them. @where NULL: the instance itself.
 * Owner:  caller keeps @where.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_conf_error(struct sg_instance *inst, const struct sg_where *where, const char *format, ...)
    SG_PRINTF(3, 4);

/*
 * Where the key @name of the top level of `settings` stands; line 0 if the file does not give it.
 * Owner:  the result is the core's and lives as long as the process.
 * Blocks: never.
 * Errors: none; an unknown key gives the place of the instance.
 * RFC:    none.
 */
SG_API struct sg_where sg_conf_where(const struct sg_instance *inst, const char *name);

/*
 * Is there a listener of that name? For settings that name listeners: a misspelt one would never match.
 * Owner:  caller keeps @name.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API bool sg_conf_has_listener(const struct sg_instance *inst, const char *name);

/*
 * Is @addr in one of the ranges of the list?
 * Owner:  caller keeps both.
 * Blocks: never.
 * Errors: none; an empty list contains nothing.
 * RFC:    4632.
 */
SG_API bool sg_ranges_contain(const struct sg_ranges *ranges, const struct sg_addr *addr);

/*
 * Is @port in one of the spans of the list?
 * Owner:  caller keeps it.
 * Blocks: never.
 * Errors: none; an empty list contains nothing.
 * RFC:    none.
 */
SG_API bool sg_ports_contain(const struct sg_ports *ports, uint16_t port);

#endif
