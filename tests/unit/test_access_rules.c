/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_access_rules.c - the module access_rules, loaded as it ships, asked without a daemon.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrs.h"
#include "loaded.h"
#include "session.h"
#include "tables.h"

/* The rules begin in line 2. */
static void
load_rules(struct loaded *loaded, const char *rules)
{
    char text[4096];

    (void)snprintf(text, sizeof text,
                   "modules = ( { name = \"acl\"; file = \"" MODULES
                   "access_rules.so\"; settings = { rules = (\n%s\n); }; },\n"
                   "  { name = \"none\"; file = \"" MODULES "auth_none.so\"; },\n"
                   "  { name = \"connect\"; file = \"" MODULES "cmd_connect.so\"; } );\n"
                   "hooks = { auth = \"none\"; access = \"acl\"; command = { connect = \"connect\"; }; };\n"
                   "listeners = ( { name = \"l\"; address = \"127.0.0.1\"; } );\n",
                   rules);
    loaded_from(loaded, text);
}

static const char rules[] =
    /* 2 */ "{ deny  = { client = \"198.51.100.0/24\"; }; label = \"strangers\"; },\n"
            /* 3 */ "{ allow = { cmd = \"bind\"; client = \"192.0.2.9\"; }; },\n"
            /* 4 */ "{ deny  = { cmd = [ \"bind\", \"udp_associate\" ]; }; label = \"only connect\"; },\n"
            /* 5 */ "{ deny  = { dst_port = [ \"25\", \"6000-6063\" ]; }; label = \"ports\"; },\n"
            /* 6 */ "{ allow = { dst = [ \"127.0.0.0/8\", \"::1\" ]; dst_port = 8080; }; label = \"local\";\n"
            /* 7 */ "  special = [ \"loopback\", \"self\" ]; rate_down = \"2M\"; },\n"
            /* 8 */ "{ deny  = { dst = [ \"10.0.0.0/8\", \"2001:db8::/32\" ]; }; label = \"inner\"; },\n"
            /* 9 */ "{ allow = { client = \"192.0.2.0/24\"; dst_port = [ \"80\", \"443\" ]; }; label = \"web\"; }";

static const struct {
    const char *client, *dst; /* dst NULL: a name */
    uint16_t port;
    uint8_t cmd;
    enum sg_verdict verdict;
    const char *label;
    unsigned line, special;
} asked[] = {
    { "198.51.100.1", "203.0.113.1", 80, SG_CMD_CONNECT, SG_DENY, "strangers", 2, 0 },
    { "198.51.100.1", NULL, 80, SG_CMD_CONNECT, SG_DENY, "strangers", 2, 0 },
    { "192.0.2.9", "203.0.113.1", 80, SG_CMD_BIND, SG_OK, "rule 2", 3, 0 },
    { "192.0.2.8", "203.0.113.1", 80, SG_CMD_BIND, SG_DENY, "only connect", 4, 0 },
    { "192.0.2.8", "203.0.113.1", 80, SG_CMD_UDP_ASSOCIATE, SG_DENY, "only connect", 4, 0 },
    { "192.0.2.8", "203.0.113.1", 25, SG_CMD_CONNECT, SG_DENY, "ports", 5, 0 },
    { "192.0.2.8", "203.0.113.1", 6000, SG_CMD_CONNECT, SG_DENY, "ports", 5, 0 },
    { "192.0.2.8", "203.0.113.1", 6063, SG_CMD_CONNECT, SG_DENY, "ports", 5, 0 },
    { "192.0.2.8", "203.0.113.1", 6064, SG_CMD_CONNECT, SG_DENY, "default", 1, 0 },
    { "192.0.2.8", "127.1.2.3", 8080, SG_CMD_CONNECT, SG_OK, "local", 6, SG_SPECIAL_LOOPBACK | SG_SPECIAL_SELF },
    { "192.0.2.8", "::1", 8080, SG_CMD_CONNECT, SG_OK, "local", 6, SG_SPECIAL_LOOPBACK | SG_SPECIAL_SELF },
    { "192.0.2.8", "127.1.2.3", 80, SG_CMD_CONNECT, SG_OK, "web", 9, 0 },
    { "192.0.2.8", "10.255.255.255", 80, SG_CMD_CONNECT, SG_DENY, "inner", 8, 0 },
    { "192.0.2.8", "2001:db8::5", 80, SG_CMD_CONNECT, SG_DENY, "inner", 8, 0 },
    { "192.0.2.8", "2001:db9::5", 443, SG_CMD_CONNECT, SG_OK, "web", 9, 0 },
    { "192.0.2.8", "11.0.0.1", 443, SG_CMD_CONNECT, SG_OK, "web", 9, 0 },
    { "192.0.3.8", "11.0.0.1", 443, SG_CMD_CONNECT, SG_DENY, "default", 1, 0 },
    { "::1", "11.0.0.1", 443, SG_CMD_CONNECT, SG_DENY, "default", 1, 0 },
    /* a name: a rule with dst can neither match nor be passed over, unless another condition rules it out */
    { "192.0.2.8", NULL, 25, SG_CMD_CONNECT, SG_DENY, "ports", 5, 0 },
    { "192.0.2.8", NULL, 8080, SG_CMD_CONNECT, SG_UNDECIDED, "local", 6, 0 },
    { "192.0.2.8", NULL, 80, SG_CMD_CONNECT, SG_UNDECIDED, "inner", 8, 0 },
    { "192.0.2.8", NULL, 80, 0x7f, SG_UNDECIDED, "inner", 8, 0 },
};

Test(access_rules, the_first_that_matches_decides)
{
    const struct sg_access_ops *ops;
    struct sg_record *rec = tables_record();
    struct sg_instance *inst;
    struct loaded loaded;

    load_rules(&loaded, rules);
    cr_assert(loaded.hooks, "%s", loaded.messages);
    inst = sg_instance_find(loaded.all, "acl");
    ops = inst->mod->access;
    cr_assert(ops->request && ops->target && !ops->client);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct sg_request request, *req = &request;
        struct sg_session session = { .rec = rec, .request = req };
        struct sg_decision decisions[2] = { { .size = sizeof *decisions }, { .size = sizeof *decisions } };

        cr_assert(sg_addr_parse(asked[i].client, &session.rec->client) == 0);
        *req = (struct sg_request){ .size = sizeof *req, .cmd = asked[i].cmd, .port = asked[i].port };
        cr_assert(!asked[i].dst || sg_addr_parse(asked[i].dst, &req->addr) == 0);
        cr_expect(ops->request(inst, &session, req, &decisions[0]) == asked[i].verdict, "row %zu", i);
        cr_expect(ops->target(inst, &session, req, &req->addr, &decisions[1]) == asked[i].verdict, "row %zu", i);
        for (size_t j = 0; j < 2; j++) {
            cr_expect_str_eq(decisions[j].label, asked[i].label, "row %zu", i);
            cr_expect_str_eq(decisions[j].file, "test.conf");
            cr_expect(decisions[j].line == asked[i].line, "row %zu: line %u", i, decisions[j].line);
            cr_expect(decisions[j].special == asked[i].special, "row %zu", i);
            cr_expect(decisions[j].rate_up == 0, "row %zu", i);
            cr_expect(decisions[j].rate_down == (asked[i].special != 0 ? 2u << 20 : 0), "row %zu", i);
        }
    }
    free(rec);
    loaded_free(&loaded);
}

/*
 * An association of which nobody knows where its datagrams will go: what is said about places can be neither true nor
 * false, be it names, ranges or ports. Who is asked about a datagram knows.
 */
static const struct {
    const char *rules;
    enum sg_verdict association, datagram; /* to 192.0.2.7:53 */
} udp[] = {
    { "{ allow = { }; }", SG_OK, SG_OK },
    { "{ allow = { cmd = \"connect\"; }; }", SG_DENY, SG_DENY },
    { "{ deny = { cmd = \"udp_associate\"; }; },\n{ allow = { }; }", SG_DENY, SG_DENY },
    { "{ allow = { dst_port = 53; }; }", SG_UNDECIDED, SG_OK },
    { "{ allow = { dst_port = 54; }; }", SG_UNDECIDED, SG_DENY },
    { "{ allow = { dst = \"a.test\"; }; }", SG_UNDECIDED, SG_DENY },
    { "{ deny = { dst = \"192.0.2.0/24\"; }; },\n{ allow = { }; }", SG_UNDECIDED, SG_DENY },
    { "{ deny = { dst = \"192.0.2.0/24\"; dst_port = 54; }; },\n{ allow = { }; }", SG_UNDECIDED, SG_OK },
    { "{ deny = { dst = \"192.0.2.0/24\"; }; },\n{ deny = { }; }", SG_DENY, SG_DENY },
    { "{ allow = { dst = \"192.0.2.0/24\"; }; },\n{ allow = { }; }", SG_OK, SG_OK },
    { "{ allow = { dst = \"127.0.0.1\"; }; special = \"loopback\"; },\n{ allow = { }; }", SG_UNDECIDED, SG_OK },
    { "{ allow = { dst = \"192.0.2.0/24\"; }; rate_up = 1024; },\n{ allow = { }; }", SG_UNDECIDED, SG_OK },
    { "{ allow = { dst = \"192.0.2.0/24\"; }; rate_up = 1024; },\n{ allow = { }; rate_up = \"1K\"; }", SG_OK, SG_OK },
};

Test(access_rules, associations)
{
    struct sg_record *rec = tables_record();

    for (size_t i = 0; i < sizeof udp / sizeof udp[0]; i++) {
        struct sg_request request, *req = &request;
        struct sg_session session = { .rec = rec, .request = req };
        struct sg_decision decision = { .size = sizeof decision };
        const struct sg_access_ops *ops;
        struct sg_instance *inst;
        struct loaded loaded;

        load_rules(&loaded, udp[i].rules);
        cr_assert(loaded.hooks, "%s", loaded.messages);
        inst = sg_instance_find(loaded.all, "acl");
        ops = inst->mod->access;
        *req = (struct sg_request){ .size = sizeof *req, .cmd = SG_CMD_UDP_ASSOCIATE };
        cr_expect(ops->request(inst, &session, req, &decision) == udp[i].association, "row %zu", i);
        decision = (struct sg_decision){ .size = sizeof decision };
        cr_assert(sg_addr_parse("192.0.2.7", &req->addr) == 0);
        req->port = 53;
        cr_expect(ops->request(inst, &session, req, &decision) == udp[i].datagram, "row %zu", i);
        loaded_free(&loaded);
    }
    free(rec);
}

static const struct {
    const char *rules, *message;
} refused[] = {
    { "{ label = \"x\"; }", "2: module \"acl\": a rule has either \"allow\" or \"deny\"" },
    { "{ allow = { }; deny = { }; }", "2: module \"acl\": a rule has either \"allow\" or \"deny\"" },
    { "{ deny = { dst_port = 1; }; },\n{ deny = { dst = \"127.0.0.1\"; }; special = \"loopback\"; }",
      "3: module \"acl\": \"special\" opens ranges, so it needs \"allow\"" },
    { "{ deny = { }; rate_down = \"1M\"; }", "2: module \"acl\": \"rate_down\" limits what is allowed" },
    { "{ allow = { }; rate_up = 1023; }", "2: module \"acl\": rate_up: 0 is no limit, and" },
    { "{ allow = { }; rate_up = \"4G\"; }", "2: module \"acl\": rate_up: " },
    { "{ allow = { }; label = \"\"; }", "2: module \"acl\": label: from 1 to 63 octets" },
    { "{ allow = { }; label = \"0123456789012345678901234567890123456789012345678901234567890123\"; }",
      "2: module \"acl\": label: from 1 to 63 octets" },
    { "{ deny = { dst_port = 1; }; },\n{ allow = { }; },\n{ deny = { dst_port = 2; }; }",
      "4: module \"acl\": this rule is never reached: the one at test.conf:3 matches everything" },
    { "{ allow = { dst_prot = 1; }; }", "2: module \"acl\": unknown key \"dst_prot\"" },
    { "{ allow = { dst = \"10.0.0.1/8\"; }; }", "2: module \"acl\": dst: " },
    { "{ allow = { dst = [ ]; }; }", "2: module \"acl\": dst: the list is empty" },
    { "{ allow = { cmd = \"conect\"; }; }", "did you mean \"connect\"?" },
    { "{ allow = { }; special = \"loop_back\"; }", "did you mean \"loopback\"?" },
    { "", "1: module \"acl\": rules: " },
    { "{ allow = { dst = [ \"a.test\",\n\"10.0.0.0/33\" ]; }; }",
      "3: module \"acl\": dst: \"10.0.0.0/33\" is neither" },
    { "{ allow = { client = \"a.test\"; }; }", "2: module \"acl\": client: \"a.test\" is a name" },
    { "{ allow = { listener = \"m\"; }; }", "2: module \"acl\": listener: there is no listener \"m\"" },
    { "{ allow = { method = [ \"none\", \"ff\" ]; }; }", "2: module \"acl\": method: \"ff\" is no METHOD" },
    { "{ allow = { user = \"\"; }; }", "2: module \"acl\": user: \"\" is no name" },
    { "{ allow = { dst_port = 70000; }; }", "2: module \"acl\": dst_port: " },
    { "{ deny = { dst = \"@none.txt\"; }; }", "none.txt: No such file" },
    { "{ deny = { dst = \"a.test\"; }; label = \"x\"; },\n{ deny = { dst = \"b.test\"; }; label = \"x\"; }",
      "3: module \"acl\": the label \"x\" is that of the rule at test.conf:2 already" },
    { "{ deny = { dst = \"10.0.0.0/8\"; }; },\n{ allow = { dst = [ \"10.1.0.0/16\", \"10.2.3.4\" ]; user = \"a\"; }; }",
      "3: module \"acl\": this rule is never reached: the one at test.conf:2 matches everything that this one could" },
    { "{ deny = { dst = \".a.test\"; }; },\n{ allow = { dst = [ \"a.test\", \"*.b.a.test\" ]; }; }",
      "3: module \"acl\": this rule is never" },
    { "{ deny = { user = \"*\"; }; },\n{ allow = { group = \"g\"; }; }", "3: module \"acl\": this rule is never" },
    { "{ deny = { assurance = \"asserted\"; }; },\n{ allow = { assurance = \"password\"; }; }",
      "3: module \"acl\": this rule is never" },
};

/* Near enough to be mistaken for rules that are never reached. */
static const char *const fine[] = {
    "{ deny = { dst = \"10.0.0.0/8\"; }; },\n{ allow = { dst = [ \"10.1.0.0/16\", \"11.2.3.4\" ]; }; }",
    "{ deny = { dst = \"*.a.test\"; }; },\n{ allow = { dst = \".a.test\"; }; }",
    "{ deny = { user = \"*\"; }; },\n{ allow = { }; }",
    "{ deny = { user = [ \"a\", \"b\" ]; }; },\n{ allow = { user = [ \"a\", \"c\" ]; }; }",
    "{ deny = { assurance = \"password\"; }; },\n{ allow = { assurance = \"asserted\"; }; }",
    "{ deny = { dst_port = \"80-90\"; }; },\n{ allow = { dst_port = \"85-95\"; }; }",
    "{ deny = { }; dry_run = true; },\n{ allow = { dst_port = 1; }; }",
    "{ deny = { cmd = \"bind\"; }; },\n{ allow = { cmd = [ \"bind\", \"connect\" ]; }; }",
    "{ deny = { method = \"none\"; }; },\n{ allow = { method = [ \"00\", \"80\" ]; }; }",
};

Test(access_rules, what_can_be_reached_is_not_refused)
{
    struct loaded loaded;

    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        load_rules(&loaded, fine[i]);
        cr_expect(loaded.hooks, "row %zu: %s", i, loaded.messages);
        loaded_free(&loaded);
    }
}

Test(access_rules, mistakes_are_told_with_their_line)
{
    struct loaded loaded;
    char message[256];

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        load_rules(&loaded, refused[i].rules);
        (void)snprintf(message, sizeof message, "%s%s",
                       refused[i].message[0] >= 'a' ? "" : "test.conf:", refused[i].message);
        cr_expect(strstr(loaded.messages, message), "row %zu: \"%s\" was expected in\n%s", i, message, loaded.messages);
        cr_expect(!loaded.hooks);
        loaded_free(&loaded);
    }
}

/* The words of the core and of the module are one list. */
Test(access_rules, special_ranges_have_one_set_of_words)
{
    const struct sg_conf_item *item;
    const struct sg_conf_word *word = sg_special_words, *theirs;
    struct loaded loaded;

    load_rules(&loaded, "{ allow = { }; }");
    cr_assert(loaded.hooks, "%s", loaded.messages);
    item = sg_instance_find(loaded.all, "acl")->mod->conf->child;
    while (strcmp(item->name, "special") != 0)
        item++;
    for (theirs = item->words; theirs->word && word->word; theirs++, word++) {
        cr_expect_str_eq(theirs->word, word->word);
        cr_expect(theirs->number == word->number);
    }
    cr_expect(!theirs->word && !word->word);
    loaded_free(&loaded);
}
