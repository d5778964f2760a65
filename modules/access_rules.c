/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_rules.c - an ordered list of rules; the first that matches decides, and what no rule matches is refused.
 *
 *   rules = (
 *     { deny  = { dst = [ "10.0.0.0/8", "*.corp.example" ]; };               label = "inner"; },
 *     { deny  = { dst = "@blocked.txt"; };                                   label = "blocked"; },
 *     { allow = { group = "staff"; dst_port = [ "80", "443" ]; };            label = "web"; },
 *     { allow = { dst = [ "127.0.0.1" ]; };                                  special = [ "loopback" ]; }
 *   );
 *
 * All conditions of a group must hold; a group without conditions matches everything. A rule that allows reaches
 * addresses of a special range only if it names that range.
 *
 * When the client sent a name there is no address yet. A condition about addresses can then be neither true nor false. The
 * walk goes on past such a rule and notes what it would have said; only if the rules in question would not all say the
 * same is the answer UNDECIDED, and the list is asked again about each address that the name has. So it is with the port
 * and the names too when a UDP association begins: its destinations come later, one by one.
 */
#include <stdio.h>
#include <string.h>

#include "rules.h"

static const struct sg_conf_word cmd_words[] = {
    { "connect", CMD_BIT(SG_CMD_CONNECT) },
    { "bind", CMD_BIT(SG_CMD_BIND) },
    { "udp_associate", CMD_BIT(SG_CMD_UDP_ASSOCIATE) },
    { NULL, 0 },
};

static const struct sg_conf_word assurance_words[] = {
    { "none", SG_ASSURANCE_NONE },
    { "asserted", SG_ASSURANCE_ASSERTED },
    { "password", SG_ASSURANCE_PASSWORD },
    { "kerberos", SG_ASSURANCE_KERBEROS },
    { NULL, 0 },
};

#define RATE_MAX 4294967295

static const struct sg_conf_word special_words[] = {
    { "loopback", SG_SPECIAL_LOOPBACK },
    { "link_local", SG_SPECIAL_LINK_LOCAL },
    { "metadata", SG_SPECIAL_METADATA },
    { "multicast", SG_SPECIAL_MULTICAST },
    { "unspecified", SG_SPECIAL_UNSPECIFIED },
    { "self", SG_SPECIAL_SELF },
    { NULL, 0 },
};

#define MATCH(key) .name = #key, .offset = offsetof(struct rule_match, key)
static const struct sg_conf_item match_items[] = {
    { MATCH(client), .type = SG_CONF_STRINGS, .help = "where the client comes from: ranges, \"@FILE\" of ranges" },
    { MATCH(listener), .type = SG_CONF_STRINGS, .help = "the listener that it connected to" },
    { MATCH(method), .type = SG_CONF_STRINGS, .help = "how it logged in: none, gssapi, password, \"80\"" },
    { MATCH(user), .type = SG_CONF_STRINGS, .help = "who it is; \"*\": whoever has a name" },
    { MATCH(group), .type = SG_CONF_STRINGS, .help = "a group that it belongs to" },
    { MATCH(assurance), .type = SG_CONF_ENUM, .words = assurance_words, .help = "how well that is proven, at least" },
    { MATCH(cmd), .type = SG_CONF_FLAGS, .words = cmd_words, .help = "what the client wants" },
    { MATCH(dst), .type = SG_CONF_STRINGS,
      .help = "what would be reached: ranges, \"www.example.com\", \"*.example.com\", \".example.com\", \"@FILE\"" },
    { MATCH(dst_port), .type = SG_CONF_PORTS, .help = "the port that would be reached" },
    { .name = NULL },
};

#define RULE(key) .name = #key, .offset = offsetof(struct rule_conf, key)
static const struct sg_conf_item rule_items[] = {
    { RULE(allow), .type = SG_CONF_GROUP, .child = match_items, .child_size = sizeof(struct rule_match),
      .help = "conditions under which the request is granted" },
    { RULE(deny), .type = SG_CONF_GROUP, .child = match_items, .child_size = sizeof(struct rule_match),
      .help = "conditions under which the request is refused" },
    { RULE(label), .type = SG_CONF_STRING, .help = "the rule's name in the log; if not given, \"rule N\"" },
    { RULE(special), .type = SG_CONF_FLAGS, .words = special_words,
      .help = "with allow: special ranges that may be reached" },
    { RULE(rate_up), .type = SG_CONF_SIZE, .max = RATE_MAX, .def = "0",
      .help = "with allow: octets a second that a session may send; 0: no limit" },
    { RULE(rate_down), .type = SG_CONF_SIZE, .max = RATE_MAX, .def = "0",
      .help = "with allow: octets a second that a session may get; 0: no limit" },
    { RULE(dry_run), .type = SG_CONF_BOOL, .def = "false",
      .help = "on trial: the log says when it would have decided, and the next rule is asked" },
    { .name = NULL },
};

static const struct sg_conf_item rules_items[] = {
    { .name = "rules",
      .type = SG_CONF_GROUPS,
      .offset = offsetof(struct rules_conf, rules),
      .child = rule_items,
      .child_size = sizeof(struct rule_conf),
      .required = true,
      .min = 1,
      .help = "the first that matches decides" },
    { .name = "dry_run",
      .type = SG_CONF_BOOL,
      .offset = offsetof(struct rules_conf, dry_run),
      .def = "false",
      .help = "the whole list on trial: it has no opinion, the log says what it would have been" },
    { .name = NULL },
};

static int
rules_init(struct sg_instance *inst)
{
    struct rules *rules = rules_build(inst, sg_instance_conf(inst));

    sg_instance_set_data(inst, rules);
    return rules != NULL ? 0 : -1;
}

static void
rules_fini(struct sg_instance *inst)
{
    rules_free(sg_instance_data(inst));
}

/* What the walk has seen so far. */
struct walk {
    bool may_deny;
    const struct rule *allows;   /* the last that may; NULL: none may */
    bool allows_differ;          /* in what they allow */
    const struct rule *unsure;   /* the first that needs an address */
    const struct rule *decisive; /* at which it ended; NULL: at the end of the list */
};

static bool
rule_allows_same(const struct rule *a, const struct rule *b)
{
    return a->special == b->special && a->rate_up == b->rate_up && a->rate_down == b->rate_down;
}

static void
walk_note(struct walk *walk, const struct rule *rule)
{
    if (rule->verdict == SG_DENY) {
        walk->may_deny = true;
        return;
    }
    walk->allows_differ = walk->allows_differ || (walk->allows != NULL && !rule_allows_same(walk->allows, rule));
    walk->allows = rule;
}

static void
rule_trace(const struct rule *rule, const struct rule_question *q, enum rule_answer answer,
           const struct sg_decision *decision)
{
    char why[384];

    if (decision->trace == NULL)
        return;
    if (answer == RULE_NO) {
        rule_why_not(rule, q, why, sizeof why);
        sg_trace(decision, &rule->where, "rule \"%s\": no, %s", rule->label, why);
    } else {
        sg_trace(decision, &rule->where, "rule \"%s\"%s: %s", rule->label,
                 rule->verdict == SG_OK ? " (allow)" : " (deny)",
                 answer == RULE_NEEDS_ADDRESS ? "it depends on the address"
                 : rule->dry_run              ? "matches, but is on trial (dry_run)"
                                              : "matches");
    }
}

static void
rules_walk(const struct rules *rules, const struct rule_question *q, struct walk *walk, struct sg_decision *decision)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule *rule = &rules->v[i];
        const enum rule_answer answer = rule_ask(rule, q);

        rule_trace(rule, q, answer, decision);
        if (answer == RULE_NO || (rule->dry_run && answer == RULE_NEEDS_ADDRESS))
            continue;
        if (rule->dry_run) {
            if (decision->dry_run_label == NULL) {
                decision->dry_run_label = rule->label;
                decision->dry_run_verdict = rule->verdict;
            }
            continue;
        }
        walk_note(walk, rule);
        if (answer == RULE_YES) {
            walk->decisive = rule;
            return;
        }
        if (walk->unsure == NULL)
            walk->unsure = rule;
    }
    walk->may_deny = true;
    sg_trace(decision, &rules->where, "no rule matches: denied");
}

static void
rules_place(struct sg_decision *decision, const struct rule *rule, const struct rules *rules)
{
    decision->label = rule != NULL ? rule->label : "default";
    decision->file = rule != NULL ? rule->where.file : rules->where.file;
    decision->line = rule != NULL ? rule->where.line : rules->where.line;
    decision->reason = rule != NULL ? NULL : "no rule matches";
}

static enum sg_verdict
rules_verdict(const struct rules *rules, const struct walk *walk, struct sg_decision *decision)
{
    if (walk->allows != NULL && (walk->may_deny || walk->allows_differ)) {
        rules_place(decision, walk->unsure, rules);
        return SG_UNDECIDED;
    }
    rules_place(decision, walk->decisive, rules);
    if (walk->allows == NULL)
        return SG_DENY;
    decision->special = walk->allows->special;
    decision->rate_up = walk->allows->rate_up;
    decision->rate_down = walk->allows->rate_down;
    return SG_OK;
}

/* The whole list on trial. */
static enum sg_verdict
rules_dry_run(enum sg_verdict verdict, struct sg_decision *decision)
{
    if (verdict == SG_OK || verdict == SG_DENY) {
        decision->dry_run_label = decision->label;
        decision->dry_run_verdict = verdict;
    }
    decision->label = decision->reason = NULL;
    decision->special = decision->rate_up = decision->rate_down = 0;
    return SG_DECLINED;
}

/* The same question in both phases: with the address if it is known. */
static enum sg_verdict
rules_ask(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
          struct sg_decision *decision)
{
    const struct rules *rules = sg_instance_data(inst);
    struct rule_question q = {
        .session = s, .client = sg_session_client(s), .identity = sg_session_identity(s), .request = req, .addr = addr
    };
    struct walk walk = { .may_deny = false };
    enum sg_verdict verdict;

    if (req->name != NULL && req->name_len <= sizeof q.name) {
        rule_name_lower(req->name, req->name_len, q.name);
        q.name_len = req->name_len;
    }
    rules_walk(rules, &q, &walk, decision);
    verdict = rules_verdict(rules, &walk, decision);
    return rules->dry_run ? rules_dry_run(verdict, decision) : verdict;
}

static enum sg_verdict
rules_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    return rules_ask(inst, s, req, &req->addr, decision);
}

static const struct sg_access_ops rules_access = {
    .size = sizeof rules_access,
    .request = rules_request,
    .target = rules_ask,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("access_rules"),
    .version = "0.2.0",
    .conf = rules_items,
    .conf_size = sizeof(struct rules_conf),
    .init = rules_init,
    .fini = rules_fini,
    .access = &rules_access,
};
