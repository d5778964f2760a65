/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules.h - the rules of access_rules as they are asked: built in init, constant afterwards.
 *
 *   access_rules.c   settings, init, the walk through the list
 *   rules_build.c    settings to rules
 *   rules_match.c    one rule and one request
 *   rules_entry.c    "10.0.0.0/8", "www.example.com", "*.example.com", ".example.com" from text
 *   rules_set.c      sets of such entries from files, as images
 *   rules_cover.c    rules that can never be reached
 */
#ifndef RULES_H
#define RULES_H

#include <sockgate/module.h>

#define RULE_LABEL_MAX 63
#define RULE_NAME_MAX 253
/* Octets a second; less would be a way to refuse that nobody can see. */
#define RULE_RATE_MIN 1024

/* CMDs as bits, for a condition that names several. */
#define CMD_BIT(cmd) (1 << (cmd))

/* ---- settings */

struct rule_match {
    struct sg_where where; /* line 0: this group is not given */
    struct sg_strings client, listener, method, user, group, dst;
    int64_t assurance; /* at least; 0: any */
    struct sg_ports dst_port;
    int64_t cmd; /* bits of CMD_BIT(); 0: any */
};

struct rule_conf {
    struct sg_where where;
    struct rule_match allow, deny;
    const char *label;
    int64_t special; /* bits of enum sg_special */
    int64_t rate_up, rate_down;
    bool dry_run;
};

struct rules_conf {
    struct sg_groups rules; /* struct rule_conf */
    bool dry_run;
};

/* ---- entries */

/* What of a name's neighbourhood is meant. */
enum rule_name_kind {
    RULE_NAME_SELF = 1 << 0, /* the name itself */
    RULE_NAME_BELOW = 1 << 1 /* names below it */
};

/* A range (kinds 0) or a name, lower case, without the dots and stars around it. */
struct rule_entry {
    struct sg_range range;
    unsigned kinds; /* bits of enum rule_name_kind */
    size_t len;
    char name[RULE_NAME_MAX + 1];
};

/* 0, or -1 and what would be right. */
int rule_entry_parse(const char *text, struct rule_entry *entry_out, char *why, size_t size);
/* Lower case of ASCII letters; other octets stay. `to` may be `from`. */
void rule_name_lower(const char *from, size_t len, char *to);

/* ---- sets */

/*
 * The image of a file of entries, one a line. `names`: names are allowed too. NULL: told.
 */
struct sg_image *rule_set_new(struct sg_instance *inst, const struct sg_where *where, const char *path, bool names);
/* For tests and benchmarks: what the image is made with. */
void *rule_set_build(struct sg_instance *inst, const struct sg_image_source *source, size_t *size_out);
/* The block of an image, or from rule_set_build(). */
bool rule_set_has_addr(const void *set, const struct sg_addr *addr);
bool rule_set_has_name(const void *set, const char *name, size_t len); /* lower case */
bool rule_set_has_ranges(const void *set);

/* ---- rules */

struct rule_name {
    unsigned kinds;
    size_t len;
    const char *name;
};

/* Entries of a condition: any of them. */
struct rule_places {
    size_t n_ranges, n_names, n_sets;
    struct sg_range *ranges;
    struct rule_name *names;
    struct sg_image **sets;
};

struct rule_strings {
    size_t n;
    const char **v;
};

/* Conditions: all that are given must hold. */
struct rule {
    enum sg_verdict verdict;
    unsigned special;
    uint32_t rate_up, rate_down; /* 0: no limit */
    bool dry_run;
    struct sg_where where;
    char label[RULE_LABEL_MAX + 1];
    const struct sg_ports *dst_port;
    unsigned cmd; /* bits of CMD_BIT(); 0: any */
    uint8_t assurance;
    bool any_method, any_user; /* any_user: whoever has a name */
    uint8_t methods[32];       /* a bit for each METHOD */
    struct rule_strings listeners, users, groups;
    struct rule_places client, dst;
    bool client_given, dst_given;
};

struct rules_memory;

struct rules {
    bool dry_run;
    size_t n;
    struct sg_where where; /* of the list */
    struct rule *v;
    struct rules_memory *memory;
};

/* From the settings; mistakes are told. NULL: no memory, told. */
struct rules *rules_build(struct sg_instance *inst, const struct rules_conf *conf);
void rules_free(struct rules *rules); /* NULL is ignored */

/* Does every request that `later` matches match `earlier` too? False if that is not certain. */
bool rule_covers(const struct rule *earlier, const struct rule *later);

/* One request as rules see it. */
struct rule_question {
    struct sg_session *session;
    const struct sg_addr *client;
    const struct sg_identity *identity;
    const struct sg_request *request;
    const struct sg_addr *addr; /* family NONE: not known yet */
    char name[RULE_NAME_MAX];   /* lower case, if the client sent a name */
    size_t name_len;            /* 0: it sent an address */
};

enum rule_answer { RULE_NO, RULE_YES, RULE_NEEDS_ADDRESS };

enum rule_answer rule_ask(const struct rule *rule, const struct rule_question *q);
/* Why it answered RULE_NO: `user is "bob"`. */
void rule_why_not(const struct rule *rule, const struct rule_question *q, char *text, size_t size);

#endif
