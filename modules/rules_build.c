/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules_build.c - from settings to rules. Every mistake is told with its place; a rule that holds one is never asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

/* All that belongs to a list of rules, freed at once. */
struct rules_memory {
    struct rules_memory *next;
    max_align_t octets[];
};

struct build {
    struct sg_instance *inst;
    struct rules *rules;
};

static void *
build_alloc(struct build *b, size_t n, size_t size)
{
    struct rules_memory *memory;
    size_t octets;

    if (__builtin_mul_overflow(n, size, &octets) || (memory = calloc(1, sizeof *memory + octets)) == NULL) {
        sg_conf_error(b->inst, NULL, "no memory for %zu elements of a rule", n);
        return NULL;
    }
    memory->next = b->rules->memory;
    b->rules->memory = memory;
    return memory->octets;
}

void
rules_free(struct rules *rules)
{
    while (rules != NULL && rules->memory != NULL) {
        struct rules_memory *memory = rules->memory;

        rules->memory = memory->next;
        free(memory);
    }
    free(rules);
}

/* ---- conditions */

static int
build_strings(struct build *b, const struct sg_strings *conf, struct rule_strings *strings)
{
    strings->v = build_alloc(b, conf->n, sizeof *strings->v);
    if (strings->v == NULL)
        return -1;
    for (size_t i = 0; i < conf->n; i++)
        strings->v[strings->n++] = conf->v[i].text;
    return 0;
}

static int
build_users(struct build *b, const struct rule_match *match, struct rule *rule)
{
    if (build_strings(b, &match->user, &rule->users) == -1)
        return -1;
    for (size_t i = 0; i < rule->users.n; i++) {
        if (rule->users.v[i][0] == '\0')
            sg_conf_error(b->inst, &match->user.v[i].where,
                          "user: \"\" is no name; who has none is matched by no user");
        rule->any_user = rule->any_user || strcmp(rule->users.v[i], "*") == 0;
    }
    return 0;
}

static int
build_listeners(struct build *b, const struct sg_strings *conf, struct rule *rule)
{
    for (size_t i = 0; i < conf->n; i++)
        if (!sg_conf_has_listener(b->inst, conf->v[i].text))
            sg_conf_error(b->inst, &conf->v[i].where, "listener: there is no listener \"%.63s\"", conf->v[i].text);
    return build_strings(b, conf, &rule->listeners);
}

/* A word, or two hexadecimal digits; -1: neither. */
static int
build_method(const char *text)
{
    static const struct sg_conf_word words[] = {
        { "none", SG_METHOD_NONE }, { "gssapi", SG_METHOD_GSSAPI }, { "password", SG_METHOD_USERPASS }, { NULL, 0 }
    };
    const size_t len = strlen(text);
    long number;

    for (const struct sg_conf_word *word = words; word->word != NULL; word++)
        if (strcmp(word->word, text) == 0)
            return (int)word->number;
    if (len != 2 || strspn(text, "0123456789abcdefABCDEF") != len)
        return -1;
    number = strtol(text, NULL, 16);
    return number < SG_METHOD_NO_ACCEPTABLE ? (int)number : -1;
}

static void
build_methods(struct build *b, const struct sg_strings *conf, struct rule *rule)
{
    rule->any_method = conf->n == 0;
    for (size_t i = 0; i < conf->n; i++) {
        const int method = build_method(conf->v[i].text);

        if (method == -1)
            sg_conf_error(b->inst, &conf->v[i].where,
                          "method: \"%.40s\" is no METHOD: write none, gssapi, password or two hexadecimal digits as "
                          "in \"80\"",
                          conf->v[i].text);
        else
            rule->methods[method / 8] |= (uint8_t)(1u << method % 8);
    }
}

static void
build_set(struct build *b, const struct sg_string *s, struct rule_places *places, bool names)
{
    struct sg_image *set = rule_set_new(b->inst, &s->where, s->text + 1, names);

    if (set != NULL)
        places->sets[places->n_sets++] = set;
}

/* Ranges, names (where they are allowed) and sets. */
static int
build_places(struct build *b, const char *key, const struct sg_strings *conf, struct rule_places *places, bool names)
{
    struct rule_entry entry;
    char why[384], *name;

    places->ranges = build_alloc(b, conf->n, sizeof *places->ranges);
    places->names = build_alloc(b, conf->n, sizeof *places->names);
    places->sets = build_alloc(b, conf->n, sizeof *places->sets);
    if (places->ranges == NULL || places->names == NULL || places->sets == NULL)
        return -1;
    for (size_t i = 0; i < conf->n; i++) {
        const struct sg_string *s = &conf->v[i];

        if (s->text[0] == '@') {
            build_set(b, s, places, names);
        } else if (rule_entry_parse(s->text, &entry, why, sizeof why) == -1) {
            sg_conf_error(b->inst, &s->where, "%s: %s", key, why);
        } else if (entry.kinds == 0) {
            places->ranges[places->n_ranges++] = entry.range;
        } else if (!names) {
            sg_conf_error(b->inst, &s->where, "%s: \"%.60s\" is a name; an address range is needed", key, s->text);
        } else {
            name = build_alloc(b, entry.len + 1, 1);
            if (name == NULL)
                return -1;
            memcpy(name, entry.name, entry.len);
            places->names[places->n_names++] = (struct rule_name){ entry.kinds, entry.len, name };
        }
    }
    return 0;
}

static int
build_match(struct build *b, const struct rule_match *match, struct rule *rule)
{
    rule->dst_port = &match->dst_port;
    rule->cmd = (unsigned)match->cmd;
    rule->assurance = (uint8_t)match->assurance;
    rule->client_given = match->client.n > 0;
    rule->dst_given = match->dst.n > 0;
    build_methods(b, &match->method, rule);
    return build_listeners(b, &match->listener, rule) == -1 || build_users(b, match, rule) == -1 ||
                   build_strings(b, &match->group, &rule->groups) == -1 ||
                   build_places(b, "client", &match->client, &rule->client, false) == -1 ||
                   build_places(b, "dst", &match->dst, &rule->dst, true) == -1
               ? -1
               : 0;
}

/* ---- rules */

static bool
build_label_good(const char *label)
{
    const size_t len = strlen(label);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)label[i] < 0x20 || label[i] == 0x7f)
            return false;
    return len >= 1 && len <= RULE_LABEL_MAX;
}

static void
build_rate(struct build *b, const struct rule_conf *conf, const char *key, int64_t rate)
{
    if (rate != 0 && conf->allow.where.line == 0)
        sg_conf_error(b->inst, &conf->where, "\"%s\" limits what is allowed, so it needs \"allow\"", key);
    if (rate != 0 && rate < RULE_RATE_MIN)
        sg_conf_error(b->inst, &conf->where, "%s: 0 is no limit, and the lowest is %d octets a second", key,
                      RULE_RATE_MIN);
}

static void
build_check(struct build *b, const struct rule_conf *conf)
{
    if ((conf->allow.where.line != 0) == (conf->deny.where.line != 0))
        sg_conf_error(b->inst, &conf->where,
                      "a rule has either \"allow\" or \"deny\", as in { allow = { dst_port = 443; }; }");
    if (conf->special != 0 && conf->allow.where.line == 0)
        sg_conf_error(b->inst, &conf->where, "\"special\" opens ranges, so it needs \"allow\"");
    build_rate(b, conf, "rate_up", conf->rate_up);
    build_rate(b, conf, "rate_down", conf->rate_down);
    if (conf->label != NULL && !build_label_good(conf->label))
        sg_conf_error(b->inst, &conf->where, "label: from 1 to %d octets without control characters are allowed",
                      RULE_LABEL_MAX);
}

static int
build_rule(struct build *b, const struct rule_conf *conf, size_t number)
{
    const bool allow = conf->allow.where.line != 0;
    struct rule *rule = &b->rules->v[number - 1];

    build_check(b, conf);
    rule->verdict = allow ? SG_OK : SG_DENY;
    rule->special = (unsigned)conf->special;
    rule->rate_up = (uint32_t)conf->rate_up;
    rule->rate_down = (uint32_t)conf->rate_down;
    rule->dry_run = conf->dry_run;
    rule->where = conf->where;
    if (conf->label != NULL)
        (void)snprintf(rule->label, sizeof rule->label, "%s", conf->label);
    else
        (void)snprintf(rule->label, sizeof rule->label, "rule %zu", number);
    return build_match(b, allow ? &conf->allow : &conf->deny, rule);
}

/* The log names a rule by its label alone. */
static void
build_check_labels(struct build *b)
{
    const struct rules *rules = b->rules;

    for (size_t i = 0; i < rules->n; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(rules->v[i].label, rules->v[j].label) == 0) {
                sg_conf_error(b->inst, &rules->v[i].where, "the label \"%s\" is that of the rule at %s:%u already",
                              rules->v[i].label, rules->v[j].where.file, rules->v[j].where.line);
                break;
            }
}

static bool
build_matches_all(const struct rule *rule)
{
    static const struct sg_ports no_ports = { 0, NULL };
    const struct rule anything = { .dst_port = &no_ports, .any_method = true };

    return rule_covers(rule, &anything);
}

static void
build_check_reached(struct build *b)
{
    const struct rules *rules = b->rules;

    for (size_t i = 0; i < rules->n; i++)
        for (size_t j = 0; j < i; j++) {
            const struct rule *earlier = &rules->v[j], *later = &rules->v[i];

            if (earlier->dry_run || !rule_covers(earlier, later))
                continue;
            sg_conf_error(b->inst, &later->where, "this rule is never reached: the one at %s:%u matches everything%s",
                          earlier->where.file, earlier->where.line,
                          build_matches_all(earlier) ? "" : " that this one could");
            break;
        }
}

struct rules *
rules_build(struct sg_instance *inst, const struct rules_conf *conf)
{
    const struct rule_conf *confs = conf->rules.v;
    struct build b = { inst, calloc(1, sizeof *b.rules) };

    if (b.rules == NULL) {
        sg_conf_error(inst, NULL, "no memory for rules");
        return NULL;
    }
    b.rules->dry_run = conf->dry_run;
    b.rules->where = sg_conf_where(inst, "rules");
    b.rules->v = build_alloc(&b, conf->rules.n, sizeof *b.rules->v);
    for (size_t i = 0; i < conf->rules.n && b.rules->v != NULL; i++) {
        if (build_rule(&b, &confs[i], i + 1) == -1) {
            rules_free(b.rules);
            return NULL;
        }
        b.rules->n++;
    }
    build_check_labels(&b);
    build_check_reached(&b);
    return b.rules;
}
