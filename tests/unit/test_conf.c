/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_conf.c - the core's own configuration: defaults, what must fit together, what -T prints, and the samples.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "conf_check.h"
#include "schema.h"
#include "told.h"

struct reading {
    struct sg_diag *diag;
    struct sg_conf *conf;
    struct told told;
};

static void
read_conf(struct reading *r, struct sg_diag *diag, struct sg_conf_text *text)
{
    r->diag = diag;
    r->conf = sg_conf_read(text, diag);
    cr_assert_not_null(r->conf);
    told(r->diag, text, &r->told);
}

static void
read_text(struct reading *r, const char *source)
{
    struct sg_diag *diag = sg_diag_new();

    read_conf(r, diag, sg_conf_text_from("t", source, strlen(source), diag));
}

static void
read_free(struct reading *r)
{
    sg_conf_free(r->conf);
    sg_diag_free(r->diag);
}

/* Lines 1 to 4 of every configuration below. */
#define MODULES                                                                                                        \
    "modules = ( { name = \"none\"; file = \"auth_none.so\"; },\n"                                                     \
    "  { name = \"rules\"; file = \"access_rules.so\"; settings = { any = 1; }; },\n"                                  \
    "  { name = \"connect\"; file = \"cmd_connect.so\"; } );\n"                                                        \
    "hooks = { auth = \"none\"; access = [ \"rules\" ]; command = { connect = \"connect\"; }; };\n"
#define LISTENER "listeners = ( { name = \"main\"; address = \"192.0.2.1\"; } );\n"

Test(conf, defaults)
{
    struct reading r;
    const struct sg_listener_conf *l;
    const struct sg_timeouts_conf *t;

    read_text(&r, MODULES LISTENER);
    cr_assert_eq(r.told.n, 0, "%s", told_all(&r.told));
    t = &r.conf->core.timeouts;
    cr_expect(t->handshake == 30000 && t->setup_max == 120000 && t->connect == 15000 && t->idle == 600000 &&
              t->half_closed == 60000 && t->linger == 5000 && t->max_session == 0 && t->drain == 600000 &&
              t->keepalive == 120000 && t->user_timeout == 120000);
    cr_expect(r.conf->core.limits.sessions == 4096 && r.conf->core.workers == 0 && !r.conf->core.strict);
    cr_expect_str_eq(r.conf->core.error_log.target, "stderr");
    cr_expect(r.conf->core.module_dir[0] == '/' && r.conf->core.runtime_dir[0] == '/');
    cr_expect(strncmp(r.conf->core.pid_file, r.conf->core.runtime_dir, strlen(r.conf->core.runtime_dir)) == 0);
    cr_assert_eq(r.conf->listeners.n, 1);
    l = sg_conf_listener(r.conf, 0);
    cr_expect(l->port == 1080 && l->address.port == 1080 && l->protocols == SG_PROTOCOL_SOCKS5 && l->clients.n == 0);
    cr_expect(!l->open_proxy && l->hooks.where.line == 0 && l->hooks.auth.n == 0 && l->outgoing4.family == 0);
    cr_expect(l->where.line == 5 && l->advertise.family == SG_FAMILY_NONE);
    cr_expect_eq(r.conf->modules.n, 3);
    cr_expect_not_null(sg_conf_module(r.conf, 1)->settings);
    cr_expect_null(sg_conf_module(r.conf, 0)->settings);
    read_free(&r);
}

Test(conf, runtime_dir_depends_on_who_we_are)
{
    static const struct {
        const char *xdg;
        uid_t uid;
        const char *dir;
    } rows[] = {
        { "/run/user/7", 0, SG_RUNSTATEDIR },
        { "/run/user/7", 4711, "/run/user/7/sockgate" },
        { "relative", 4711, "/tmp/sockgate-4711" },
        { NULL, 4711, "/tmp/sockgate-4711" },
    };
    struct reading r;

    if (geteuid() != 0)
        cr_skip_test("needs root");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].xdg != NULL)
            (void)setenv("XDG_RUNTIME_DIR", rows[i].xdg, 1);
        else
            (void)unsetenv("XDG_RUNTIME_DIR");
        cr_assert_eq(seteuid(rows[i].uid), 0);
        read_text(&r, MODULES LISTENER);
        cr_expect_str_eq(r.conf->core.runtime_dir, rows[i].dir);
        if (rows[i].uid == 0)
            cr_expect_not_null(r.conf->core.user);
        else
            cr_expect_null(r.conf->core.user);
        read_free(&r);
        cr_assert_eq(seteuid(0), 0);
    }
}

Test(conf, listener_keys)
{
    struct reading r;
    const struct sg_listener_conf *l;

    read_text(&r, MODULES "listeners = ( { name = \"main\"; address = \"::\"; port = 0; clients = \"10.0.0.0/8\";\n"
                          "  outgoing = [ \"2001:db8::1\", \"::ffff:192.0.2.9\" ]; advertise = \"192.0.2.1\";\n"
                          "  hooks = { access = \"rules\"; }; open_proxy = true; } );\n");
    cr_assert_eq(r.told.n, 0, "%s", told_all(&r.told));
    l = sg_conf_listener(r.conf, 0);
    cr_expect(l->address.port == 0 && l->clients.n == 1 && l->open_proxy && l->advertise.family == SG_FAMILY_IPV4);
    cr_expect(l->outgoing4.family == SG_FAMILY_IPV4 && l->outgoing6.family == SG_FAMILY_IPV6);
    cr_expect(l->hooks.where.line == 7 && l->hooks.access.n == 1 && l->hooks.auth.n == 0);
    cr_expect_eq(l->hooks.command.where.line, 0);
    read_free(&r);
}

#define OTHER(keys) "listeners = ( { name = \"main\"; address = \"192.0.2.1\"; },\n  { " keys " } );\n"

/* What stands behind MODULES, and all that is told: "LINE:COLUMN:words". */
static const struct {
    const char *text, *told[4];
} wrong[] = {
    { "", { "0:0:\"listeners\" is missing here, write a list of groups" } },
    { "listeners = ( );\n", { "5:1:listeners: 0 groups, at least 1 must be here" } },
    { LISTENER "core = {\n module_dir = \"lib\"; runtime_dir = \"run\";\n pid_file = \"\"; };\n",
      { "7:2:module_dir: \"lib\" is not an absolute path", "7:22:runtime_dir: \"run\" is not",
        "8:2:pid_file: \"\" is not" } },
    { LISTENER "core = { error_log = {\n target = \"log\"; level = \"inof\"; }; };\n",
      { "7:26:did you mean \"info\"?", "7:2:target: \"log\" is neither \"stderr\" nor an absolute path" } },
    { LISTENER "core = { workers = 3; limits = { sessions = 2; }; };\n",
      { "6:34:sessions: 2 cannot be shared by 3 workers" } },
    { LISTENER "core = { limits = { sessions = 1000001; }; workers = 257; };\n",
      { "6:44:257 is out of range: from 1 to 256", "6:21:1000001 is out of range: from 1 to 1000000" } },
    { LISTENER "core = { timeouts = { linger = \"9001ms\"; drain = \"0s\"; }; };\n",
      { "6:32:9001ms is out of range: from 100ms to 9s", "6:50:0s is out of range: from 100ms to 30d" } },
    { LISTENER "core = { timeouts = { handshake = \"3m\";\n connect = \"121s\"; }; };\n",
      { "6:0:handshake: 3m is longer than \"setup_max\", 2m", "7:0:connect: 121s is longer than" } },
    { OTHER("name = \"main\"; address = \"192.0.2.1\"; port = 1081;"),
      { "6:13:the name \"main\" is taken by the listener at t:5" } },
    { OTHER("name = \"b\"; address = \"192.0.2.1\";"), { "6:17:the listener at t:5 has the same address and port" } },
    { OTHER("name = \"b\"; address = \"::ffff:192.0.2.1\";"), { "6:17:has the same address and port" } },
    { OTHER("name = \"b\"; address = \"0.0.0.0\";"),
      { "6:17:has the same port, and one of the two takes all addresses" } },
    { OTHER("name = \"b c\"; address = \"::\";"), { "6:13:the listener name \"b c\" is not good: 1 to 63 letters" } },
    { OTHER("name = \"\"; address = \"::\";"), { "6:3:the listener name \"\" is not good" } },
    { OTHER("name = \"1234567890123456789012345678901234567890123456789012345678901234\"; address = \"::\";"),
      { "6:13:is not good: 1 to 63" } },
    { OTHER("name = \"b\"; address = \"::\"; protocols = \"socks6\";"),
      { "6:45:\"socks6\" is not one of \"socks5\", \"socks4\"" } },
    { OTHER("name = \"b\"; address = \"::\"; port = 65536;"), { "6:33:65536 is out of range: from 0 to 65535" } },
    { OTHER("name = \"b\"; address = \"::\"; clients = [ ];"), { "6:33:the list is empty" } },
    { OTHER("name = \"b\"; address = \"::\"; hooks = { auth = [ ]; };"), { "6:43:the list is empty" } },
    { OTHER("name = \"b\"; address = \"::\"; outgoing = [ \"::1\", \"::2\" ];"), { 0 } },
    { OTHER("name = \"b\"; address = \"::\"; outgoing = [ \"::1\", \"2001:db8::2\" ];"),
      { "6:54:outgoing: a second address of the same family" } },
    { OTHER("name = \"b\"; address = \"::\"; outgoing = \"eth0\";"),
      { "6:45:outgoing: \"eth0\" is not an IP address" } },
    { OTHER("name = \"b\"; address = \"::\"; hooks = { auth = [ \"none\", \"rules\", \"none\" ]; };"),
      { "6:0:\"none\" stands twice in this list" } },
    { OTHER("name = \"b\"; address = \"::\"; hooks = { access = \"ruels\";\n command = { connect = \"conect\"; }; };"),
      { "6:53:there is no instance \"ruels\" in \"modules\", did you mean \"rules\"?",
        "7:25:there is no instance \"conect\" in \"modules\", did you mean \"connect\"?" } },
};

Test(conf, mistakes)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct reading r;
        char text[2048];

        (void)snprintf(text, sizeof text, MODULES "%s", wrong[i].text);
        read_text(&r, text);
        told_expect(&r.told, wrong[i].told, wrong[i].text);
        read_free(&r);
    }
}

Test(conf, instances)
{
    struct reading r;

    read_text(&r, "modules = ( { name = \"a\"; file = \"x\"; },\n { name = \"b\"; file = \"x\"; },\n"
                  " { name = \"a\"; file = \"x\"; },\n { name = \"c.d\"; file = \"x\"; }, { file = \"x\"; }, 5 );\n"
                  "hooks = { auth = \"a\"; access = \"a\"; command = { connect = \"c.d\"; }; };\n" LISTENER);
    cr_expect_eq(r.told.n, 5, "%s", told_all(&r.told));
    cr_expect(told_is(&r.told, 0, "2:12:the instance \"b\" is unused"), "%s", told_all(&r.told));
    cr_expect(told_is(&r.told, 1, "3:12:the name \"a\" is taken by the instance at t:1"), "%s", told_all(&r.told));
    cr_expect(told_is(&r.told, 2, "4:0:\"name\" is missing here"), "%s", told_all(&r.told));
    cr_expect(told_is(&r.told, 3, "4:0:element 6 is a number, not a group { ... }"), "%s", told_all(&r.told));
    cr_expect(told_is(&r.told, 4, "4:12:the instance name \"c.d\" is not good"), "%s", told_all(&r.told));
    read_free(&r);
}

Test(conf, same_key_twice)
{
    struct reading r;

    read_text(&r, MODULES "\nhooks = { };\n" LISTENER);
    cr_expect(r.told.n == 1 && told_is(&r.told, 0, "6:1:duplicate setting name"), "%s", told_all(&r.told));
    cr_expect_eq(r.conf->listeners.n, 0);
    read_free(&r);
}

Test(conf, syntax_errors_reach_no_libconfig)
{
    struct reading r;

    read_text(&r, "a = \"x\" = 5;\n");
    cr_expect(r.told.n == 1 && told_is(&r.told, 0, "1:9:a ; was expected"), "%s", told_all(&r.told));
    cr_expect_eq(r.conf->listeners.n, 0);
    read_free(&r);
}

Test(conf, users)
{
    static const char *const keys[] = { "user", "log_user" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char text[sizeof MODULES LISTENER + 128], want[128];
        struct reading r;

        (void)snprintf(text, sizeof text, MODULES LISTENER "core = {\n %s = \"no-such-user\"; };\n", keys[i]);
        read_text(&r, text);
        cr_assert_eq(r.told.n, 1);
        if (geteuid() == 0) {
            (void)snprintf(want, sizeof want, "7:2:%s: there is no user \"no-such-user\"", keys[i]);
            cr_expect(told_is(&r.told, 0, want), "%s", told_all(&r.told));
            read_free(&r);
            (void)snprintf(text, sizeof text, MODULES LISTENER "core = { %s = \"root\"; };\n", keys[i]);
            (void)snprintf(want, sizeof want, "6:10:%s: \"root\" has all rights", keys[i]);
            read_text(&r, text);
            cr_expect(told_is(&r.told, 0, want), "%s", told_all(&r.told));
        } else {
            (void)snprintf(want, sizeof want, "7:0:%s: \"no-such-user\" has no effect", keys[i]);
            cr_expect(told_is(&r.told, 0, want), "%s", told_all(&r.told));
            cr_expect_eq(sg_diag_errors(r.diag), 0);
        }
        read_free(&r);
    }
}

/* ---- printing */

/* Stands in for the modules, which know what their settings mean. */
static void
print_settings(FILE *out, const void *module_conf, int indent, void *arg)
{
    const struct sg_module_conf *m = module_conf;

    (void)arg;
    if (m->settings != NULL)
        (void)fprintf(out, "%*ssettings = { any = 1; };\n", indent, "");
}

static char *
printed(const struct sg_conf *conf)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    cr_assert_not_null(out);
    sg_conf_print(out, conf, print_settings, NULL);
    (void)fclose(out);
    return text;
}

static const char *const good[] = {
    MODULES LISTENER,
    MODULES LISTENER
    "core = { workers = 3; strict = true; error_log = { target = \"/var/log/x\"; level = \"debug\"; };\n"
    "  runtime_dir = \"/run/x \\\"y\\\"\"; timeouts = { idle = \"1d\"; max_session = 0; }; };\n",
    MODULES "listeners = ( { name = \"a\"; address = \"::\"; port = 0; clients = [ \"10.0.0.0/8\", \"::1\" ];\n"
            "  outgoing = [ \"2001:db8::1\", \"192.0.2.9\" ]; advertise = \"192.0.2.1\"; protocols = ( \"socks5\" );\n"
            "  hooks = { command = { connect = \"connect\"; }; }; open_proxy = true; },\n"
            "  { name = \"b\"; address = \"127.0.0.1\"; port = 65535; hooks = { auth = [ \"none\" ]; access = "
            "\"rules\"; }; } );",
};

Test(conf, what_is_printed_is_read_again)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct reading first, second;
        char *text, *again;

        read_text(&first, good[i]);
        cr_assert_eq(sg_diag_errors(first.diag), 0, "%s", told_all(&first.told));
        text = printed(first.conf);
        read_text(&second, text);
        cr_expect_eq(sg_diag_errors(second.diag), 0, "%s%s", text, told_all(&second.told));
        again = printed(second.conf);
        cr_expect_str_eq(again, text);
        free(text);
        free(again);
        read_free(&first);
        read_free(&second);
    }
}

Test(conf, embedded_default)
{
    struct sg_diag *diag = sg_diag_new();
    struct reading r;

    read_conf(&r, diag, sg_conf_default(diag));
    cr_assert_eq(r.told.n, 0, "%s", told_all(&r.told));
    cr_assert(r.conf->listeners.n == 1 || r.conf->listeners.n == 2);
    for (size_t i = 0; i < r.conf->listeners.n; i++) {
        const struct sg_listener_conf *l = sg_conf_listener(r.conf, i);

        cr_expect(sg_listener_is_loopback(l) && l->port == 1080, "loopback only");
        cr_expect_str_eq(l->name, i == 0 ? "local4" : "local6");
        cr_expect_str_eq(l->where.file, "(embedded default)");
    }
    read_free(&r);
}

/* ---- samples */

/* Is the name there as a key, be it in a comment? */
static bool
has_key(const char *text, const char *name)
{
    const size_t len = strlen(name);

    for (const char *p = text; (p = strstr(p, name)) != NULL; p++) {
        const bool begins = p == text || (isalnum((unsigned char)p[-1]) == 0 && p[-1] != '_');

        if (begins && strncmp(p + len, " = ", 3) == 0)
            return true;
    }
    return false;
}

static unsigned
expect_keys(const char *text, const struct sg_conf_item *items)
{
    unsigned n = 0;

    for (; items != NULL && items->name != NULL; items++) {
        cr_expect(has_key(text, items->name), "etc/sockgate.conf says nothing about \"%s\"", items->name);
        if (items->type != SG_CONF_GROUP && items->type != SG_CONF_GROUPS)
            cr_expect(items->help != NULL && items->help[0] != '\0', "\"%s\" has no help", items->name);
        n += 1 + expect_keys(text, items->child);
    }
    return n;
}

Test(conf, sample_names_every_key)
{
    FILE *in = fopen(SG_SOURCE "/etc/sockgate.conf", "r");
    char text[65536];
    size_t len;

    cr_assert_not_null(in);
    len = fread(text, 1, sizeof text - 1, in);
    (void)fclose(in);
    cr_assert(len > 0 && len < sizeof text - 1);
    text[len] = '\0';
    cr_expect_geq(expect_keys(text, sg_conf_items), 45);
}

/* A sample says "the default": that must be what a configuration without the key gets. */
Test(conf, sample_holds_the_defaults)
{
    struct sg_diag *diag = sg_diag_new();
    struct reading sample, bare;
    char *a, *b;

    read_conf(&sample, diag, sg_conf_text_read(SG_SOURCE "/etc/sockgate.conf", diag));
    cr_assert_eq(sg_diag_errors(diag), 0, "%s", told_all(&sample.told));
    read_text(&bare, MODULES LISTENER);
    a = printed(sample.conf);
    b = printed(bare.conf);
    *strstr(a, "modules = (") = '\0';
    *strstr(b, "modules = (") = '\0';
    cr_expect_str_eq(a, b);
    free(a);
    free(b);
    read_free(&sample);
    read_free(&bare);
}

/* ---- the questions of the open-proxy rule */

static const struct {
    const char *clients;
    bool narrow;
} clients[] = {
    { "\"10.0.0.0/8\"", true },
    { "[ \"10.0.0.0/8\", \"fd00::/8\", \"192.168.0.0/16\" ]", true },
    { "\"0.0.0.0/2\"", true },
    { "\"0.0.0.0/1\"", false },
    { "\"128.0.0.0/1\"", false },
    { "\"0.0.0.0/0\"", false },
    { "[ \"0.0.0.0/1\", \"128.0.0.0/1\" ]", false },
    { "[ \"0.0.0.0/2\", \"64.0.0.0/2\" ]", false },
    { "[ \"0.0.0.0/2\", \"64.0.0.0/3\", \"96.0.0.0/4\" ]", true },
    { "[ \"0.0.0.0/2\", \"64.0.0.0/3\", \"96.0.0.0/4\", \"112.0.0.0/4\" ]", false },
    { "\"::ffff:0.0.0.0/96\"", false },
    { "[ \"10.0.0.0/8\", \"::/0\" ]", false },
    { "\"::/1\"", false },
    { "\"8000::/1\"", true },
    { "\"2000::/3\"", false },
    { "\"2000::/4\"", false },
    { "\"2000::/5\"", true },
    { "[ \"2000::/5\", \"2800::/5\" ]", false },
    { "[ \"2001:db8::/32\", \"::1\", \"fe80::/10\" ]", true },
};

Test(conf, narrow_clients)
{
    struct reading r;
    char text[2048];

    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        (void)snprintf(text, sizeof text, MODULES "listeners = ( { name = \"a\"; address = \"::\"; clients = %s; } );",
                       clients[i].clients);
        read_text(&r, text);
        cr_assert_eq(r.told.n, 0, "%s", told_all(&r.told));
        cr_expect_eq(sg_listener_clients_narrow(sg_conf_listener(r.conf, 0)), clients[i].narrow, "%s",
                     clients[i].clients);
        read_free(&r);
    }
    read_text(&r, MODULES LISTENER);
    cr_expect_not(sg_listener_clients_narrow(sg_conf_listener(r.conf, 0)), "no clients: everybody");
    read_free(&r);
}

static const struct {
    const char *address;
    bool loopback;
} addresses[] = {
    { "127.0.0.1", true },        { "127.255.0.1", true },       { "::1", true },
    { "::ffff:127.0.0.1", true }, { "0.0.0.0", false },          { "::", false },
    { "192.0.2.1", false },       { "::ffff:192.0.2.1", false }, { "::2", false },
    { "2002:7f00:1::1", true },   { "169.254.1.1", false },      { "128.0.0.1", false },
};

Test(conf, loopback_listeners)
{
    struct reading r;
    char text[2048];

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        (void)snprintf(text, sizeof text, MODULES "listeners = ( { name = \"a\"; address = \"%s\"; } );",
                       addresses[i].address);
        read_text(&r, text);
        cr_expect_eq(sg_listener_is_loopback(sg_conf_listener(r.conf, 0)), addresses[i].loopback, "%s",
                     addresses[i].address);
        read_free(&r);
    }
}
