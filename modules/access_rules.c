/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_rules - ordered rules over client, destination and port; the first that matches decides; at the end: deny.
 *
 * A rule whose destination is a range can say nothing about a name until it is resolved: the verdict is UNDECIDED then,
 * and the rules are walked again for every address.
 */
#include <sockgate/module.h>

#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63

struct rule_match {
    struct sg_where where;
    struct sg_ranges client, dst;
    struct sg_ports dst_port;
};

struct rule_conf {
    struct sg_where where;
    struct rule_match allow, deny;
    const char *label;
    int64_t special;
};

struct rules_conf {
    struct sg_groups rules;
};

static const struct sg_conf_word special_words[] = {
    { "loopback", SG_SPECIAL_LOOPBACK },       { "link_local", SG_SPECIAL_LINK_LOCAL },
    { "metadata", SG_SPECIAL_METADATA },       { "multicast", SG_SPECIAL_MULTICAST },
    { "unspecified", SG_SPECIAL_UNSPECIFIED }, { "self", SG_SPECIAL_SELF },
    { NULL, 0 },
};

static const struct sg_conf_item match_items[] = {
    { .name = "client", .type = SG_CONF_RANGES, .offset = offsetof(struct rule_match, client),
      .help = "the client's address is in one of these" },
    { .name = "dst", .type = SG_CONF_RANGES, .offset = offsetof(struct rule_match, dst),
      .help = "DST.ADDR is in one of these" },
    { .name = "dst_port", .type = SG_CONF_PORTS, .offset = offsetof(struct rule_match, dst_port),
      .help = "DST.PORT is one of these" },
    { .name = NULL },
};

static const struct sg_conf_item rule_items[] = {
    { .name = "allow", .type = SG_CONF_GROUP, .offset = offsetof(struct rule_conf, allow), .child = match_items,
      .child_size = sizeof(struct rule_match), .help = "grants what meets all conditions; none: everything" },
    { .name = "deny", .type = SG_CONF_GROUP, .offset = offsetof(struct rule_conf, deny), .child = match_items,
      .child_size = sizeof(struct rule_match), .help = "refuses what meets all conditions" },
    { .name = "label", .type = SG_CONF_STRING, .offset = offsetof(struct rule_conf, label),
      .help = "the rule's name in records" },
    { .name = "special", .type = SG_CONF_FLAGS, .offset = offsetof(struct rule_conf, special), .words = special_words,
      .help = "allow: special ranges that may be reached" },
    { .name = NULL },
};

static const struct sg_conf_item rules_items[] = {
    { .name = "rules", .type = SG_CONF_GROUPS, .offset = offsetof(struct rules_conf, rules), .child = rule_items,
      .child_size = sizeof(struct rule_conf), .required = true, .min = 1, .help = "the first that matches decides" },
    { .name = NULL },
};

/* Does a rule match? A range cannot be compared with a name. */
enum match { MATCH_NO, MATCH_YES, MATCH_UNKNOWN };

static const struct rule_conf *
rules_at(const struct rules_conf *conf, size_t i)
{
    return &((const struct rule_conf *)conf->rules.v)[i];
}

static bool
rule_allows(const struct rule_conf *rule)
{
    return rule->allow.where.line != 0;
}

static const struct rule_match *
rule_match(const struct rule_conf *rule)
{
    return rule_allows(rule) ? &rule->allow : &rule->deny;
}

static bool
rule_unconditional(const struct rule_conf *rule)
{
    const struct rule_match *m = rule_match(rule);

    return m->client.n == 0 && m->dst.n == 0 && m->dst_port.n == 0;
}

static enum match
rule_matches(const struct rule_conf *rule, const struct sg_addr *client, uint16_t port, const struct sg_addr *addr)
{
    const struct rule_match *m = rule_match(rule);

    if (m->client.n > 0 && !sg_ranges_contain(&m->client, client))
        return MATCH_NO;
    if (m->dst_port.n > 0 && !sg_ports_contain(&m->dst_port, port))
        return MATCH_NO;
    if (m->dst.n == 0)
        return MATCH_YES;
    if (addr->family == SG_FAMILY_NONE)
        return MATCH_UNKNOWN;
    return sg_ranges_contain(&m->dst, addr) ? MATCH_YES : MATCH_NO;
}

static enum sg_verdict
rules_evaluate(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
               struct sg_decision *decision)
{
    const struct rules_conf *conf = sg_instance_conf(inst);

    for (size_t i = 0; i < conf->rules.n; i++) {
        const struct rule_conf *rule = rules_at(conf, i);
        const enum match match = rule_matches(rule, sg_session_client(s), req->port, addr);

        if (match == MATCH_NO)
            continue;
        decision->label = rule->label;
        decision->file = rule->where.file;
        decision->line = rule->where.line;
        if (match == MATCH_UNKNOWN)
            return SG_UNDECIDED;
        decision->special = rule_allows(rule) ? (unsigned)rule->special : 0;
        return rule_allows(rule) ? SG_OK : SG_DENY;
    }
    decision->label = "default";
    decision->reason = "no rule matches";
    return SG_DENY;
}

static enum sg_verdict
rules_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, struct sg_decision *decision)
{
    return rules_evaluate(inst, s, req, &req->addr, decision);
}

static enum sg_verdict
rules_target(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
             struct sg_decision *decision)
{
    return rules_evaluate(inst, s, req, addr, decision);
}

static void
rule_check(struct sg_instance *inst, const struct rule_conf *rule)
{
    if (rule_allows(rule) == (rule->deny.where.line != 0))
        sg_conf_error(inst, &rule->where, "a rule has either \"allow\" or \"deny\", as in { allow = { dst_port = 443; }; }");
    if (rule->special != 0 && !rule_allows(rule))
        sg_conf_error(inst, &rule->where, "\"special\" goes with \"allow\": a deny covers special ranges anyway");
    if (rule->label != NULL && (rule->label[0] == '\0' || strlen(rule->label) > LABEL_MAX))
        sg_conf_error(inst, &rule->where, "a label has 1 to %d octets", LABEL_MAX);
}

static int
rules_init(struct sg_instance *inst)
{
    const struct rules_conf *conf = sg_instance_conf(inst);
    const struct rule_conf *end = NULL;

    for (size_t i = 0; i < conf->rules.n; i++) {
        const struct rule_conf *rule = rules_at(conf, i);

        rule_check(inst, rule);
        if (end != NULL)
            sg_conf_error(inst, &rule->where, "this rule is never reached: the one at line %u matches everything",
                          end->where.line);
        else if (rule_unconditional(rule))
            end = rule;
    }
    return 0;
}

static const struct sg_access_ops rules_access = {
    .size = sizeof rules_access,
    .request = rules_request,
    .target = rules_target,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("access_rules"),
    .version = "0.1.0",
    .conf = rules_items,
    .conf_size = sizeof(struct rules_conf),
    .init = rules_init,
    .access = &rules_access,
};
