/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_rules.c - an ordered list of rules; the first that matches decides, and what no rule matches is refused.
 *
 *   rules = (
 *     { deny  = { dst = [ "10.0.0.0/8" ]; };                               label = "inner"; },
 *     { allow = { client = [ "192.0.2.0/24" ]; dst_port = [ "80", "443" ]; }; label = "web"; },
 *     { allow = { dst = [ "127.0.0.1" ]; }; special = [ "loopback" ]; }
 *   );
 *
 * All conditions of a group must hold; a group without conditions matches everything. A rule that allows reaches
 * addresses of a special range only if it names that range.
 *
 * When the client sent a name there is no address yet. A rule with `dst` can then neither match nor be passed over, so
 * the list answers UNDECIDED, and is asked again about each address that the name has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockgate/module.h>

#define LABEL_MAX_OCTETS 63

/* CMDs as bits, for a condition that names several. */
#define CMD_BIT(cmd) (1 << (cmd))

struct rule_match {
    struct sg_where where; /* line 0: this group is not given */
    struct sg_ranges client, dst;
    struct sg_ports dst_port;
    int64_t cmd; /* bits of CMD_BIT(); 0: any */
};

struct rule_conf {
    struct sg_where where;
    struct rule_match allow, deny;
    const char *label;
    int64_t special; /* bits of enum sg_special */
};

struct rules_conf {
    struct sg_groups rules; /* struct rule_conf */
};

/* A rule as it is asked: built in init, constant afterwards. */
struct rule {
    const struct rule_match *match;
    enum sg_verdict verdict;
    unsigned special;
    struct sg_where where;
    char label[LABEL_MAX_OCTETS + 1];
};

struct rules {
    size_t n;
    struct sg_where where; /* of the list */
    struct rule v[];
};

static const struct sg_conf_word cmd_words[] = {
    { "connect", CMD_BIT(SG_CMD_CONNECT) },
    { "bind", CMD_BIT(SG_CMD_BIND) },
    { "udp_associate", CMD_BIT(SG_CMD_UDP_ASSOCIATE) },
    { NULL, 0 },
};

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
    { MATCH(client), .type = SG_CONF_RANGES, .help = "where the client comes from" },
    { MATCH(dst), .type = SG_CONF_RANGES, .help = "the address that would be reached" },
    { MATCH(dst_port), .type = SG_CONF_PORTS, .help = "the port that would be reached" },
    { MATCH(cmd), .type = SG_CONF_FLAGS, .words = cmd_words, .help = "what the client wants" },
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
    { .name = NULL },
};

static bool
rule_matches_all(const struct rule_match *match)
{
    return match->client.n == 0 && match->dst.n == 0 && match->dst_port.n == 0 && match->cmd == 0;
}

static void
rule_check(struct sg_instance *inst, const struct rule_conf *conf)
{
    if ((conf->allow.where.line != 0) == (conf->deny.where.line != 0))
        sg_conf_error(inst, &conf->where,
                      "a rule has either \"allow\" or \"deny\", as in { allow = { dst_port = 443; }; }");
    if (conf->special != 0 && conf->allow.where.line == 0)
        sg_conf_error(inst, &conf->where, "\"special\" opens ranges, so it needs \"allow\"");
    if (conf->label && (conf->label[0] == '\0' || strlen(conf->label) > LABEL_MAX_OCTETS))
        sg_conf_error(inst, &conf->where, "label: from 1 to %d octets are allowed", LABEL_MAX_OCTETS);
}

static void
rule_build(struct rule *rule, const struct rule_conf *conf, size_t number)
{
    bool allow = conf->allow.where.line != 0;

    rule->match = allow ? &conf->allow : &conf->deny;
    rule->verdict = allow ? SG_OK : SG_DENY;
    rule->special = (unsigned)conf->special;
    rule->where = conf->where;
    if (conf->label)
        (void)snprintf(rule->label, sizeof rule->label, "%s", conf->label);
    else
        (void)snprintf(rule->label, sizeof rule->label, "rule %zu", number);
}

static int
rules_init(struct sg_instance *inst)
{
    const struct rules_conf *conf = sg_instance_conf(inst);
    const struct rule_conf *rule_confs = conf->rules.v;
    struct rules *rules = calloc(1, sizeof *rules + conf->rules.n * sizeof *rules->v);
    const struct rule *catch_all = NULL;

    if (!rules) {
        sg_conf_error(inst, NULL, "no memory for %zu rules", conf->rules.n);
        return -1;
    }
    rules->n = conf->rules.n;
    rules->where = sg_conf_where(inst, "rules");
    for (size_t i = 0; i < rules->n; i++) {
        rule_check(inst, &rule_confs[i]);
        rule_build(&rules->v[i], &rule_confs[i], i + 1);
        if (catch_all)
            sg_conf_error(inst, &rule_confs[i].where, "this rule is never reached: the one at %s:%u matches everything",
                          catch_all->where.file, catch_all->where.line);
        else if (rule_matches_all(rules->v[i].match))
            catch_all = &rules->v[i];
    }
    sg_instance_set_data(inst, rules);
    return 0;
}

static void
rules_fini(struct sg_instance *inst)
{
    free(sg_instance_data(inst));
}

enum match { MATCH_NO, MATCH_YES, MATCH_NEEDS_ADDRESS };

static enum match
rule_match(const struct rule_match *match, const struct sg_addr *client, const struct sg_request *req,
           const struct sg_addr *addr)
{
    if (match->cmd != 0 && (req->cmd > SG_CMD_UDP_ASSOCIATE || (match->cmd & CMD_BIT(req->cmd)) == 0))
        return MATCH_NO;
    if (match->client.n != 0 && !sg_ranges_contain(&match->client, client))
        return MATCH_NO;
    if (match->dst_port.n != 0 && !sg_ports_contain(&match->dst_port, req->port))
        return MATCH_NO;
    if (match->dst.n == 0)
        return MATCH_YES;
    if (addr->family == SG_FAMILY_NONE)
        return MATCH_NEEDS_ADDRESS;
    return sg_ranges_contain(&match->dst, addr) ? MATCH_YES : MATCH_NO;
}

/* The same question in both phases: with the address if it is known. */
static enum sg_verdict
rules_ask(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
          struct sg_decision *decision)
{
    const struct rules *rules = sg_instance_data(inst);
    const struct sg_addr *client = sg_session_client(s);

    for (size_t i = 0; i < rules->n; i++) {
        const struct rule *rule = &rules->v[i];
        enum match matched = rule_match(rule->match, client, req, addr);

        if (matched == MATCH_NO)
            continue;
        decision->label = rule->label;
        decision->file = rule->where.file;
        decision->line = rule->where.line;
        if (matched == MATCH_NEEDS_ADDRESS)
            return SG_UNDECIDED;
        decision->special = rule->special;
        return rule->verdict;
    }
    decision->label = "default";
    decision->reason = "no rule matches";
    decision->file = rules->where.file;
    decision->line = rules->where.line;
    return SG_DENY;
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
    .version = "0.1.0",
    .conf = rules_items,
    .conf_size = sizeof(struct rules_conf),
    .init = rules_init,
    .fini = rules_fini,
    .access = &rules_access,
};
