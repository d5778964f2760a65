/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hooks.c - hook tables: who stands where, what is refused, and the open-proxy rule.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "loaded.h"

/* All that the rows below name; who is not named in a row's hooks is unused, which is reported and not looked at. */
#define INSTANCES                                                                                                      \
    "modules = ( { name = \"none\"; file = \"" MODULES "auth_none.so\"; },\n"                                          \
    "  { name = \"nobody\"; file = \"" MODULES "auth_none.so\"; },\n"                                                  \
    "  { name = \"acl\"; file = \"" MODULES "access_rules.so\"; settings = { rules = ( { allow = { }; } ); }; },\n"    \
    "  { name = \"connect\"; file = \"" MODULES "cmd_connect.so\"; },\n"                                               \
    "  { name = \"bind\"; file = \"" BAD_MODULES "command_bind.so\"; },\n"                                             \
    "  { name = \"x80\"; file = \"" TEST_MODULES "auth_x80.so\"; },\n"                                                 \
    "  { name = \"x80too\"; file = \"" TEST_MODULES "auth_x80.so\"; },\n"                                              \
    "  { name = \"ff\"; file = \"" BAD_MODULES "method_ff.so\"; },\n"                                                  \
    "  { name = \"exchange00\"; file = \"" BAD_MODULES "exchange_00.so\"; },\n"                                        \
    "  { name = \"pw\"; file = \"" TEST_MODULES "auth_pw.so\"; helper = { processes = 1; }; },\n"                      \
    "  { name = \"gssapi\"; file = \"" BAD_MODULES "check_gssapi.so\"; } );\n"

/* The hooks stand in line 12, the listener in line 13. */
static void
build(struct loaded *loaded, const char *hooks, const char *listener)
{
    char text[8192];

    (void)snprintf(text, sizeof text, INSTANCES "hooks = { %s };\nlisteners = ( { name = \"l\"; %s } );\n", hooks,
                   listener);
    loaded_from(loaded, text);
}

#define ACCESS "access = \"acl\"; "
#define COMMAND "command = { connect = \"connect\"; }; "
#define LOCAL "address = \"127.0.0.1\";"

static const struct {
    const char *hooks, *listener, *message;
} refused[] = {
    { "auth = \"acl\"; " ACCESS COMMAND, LOCAL,
      "12: \"acl\" cannot stand in \"auth\": the module access_rules does not have that role" },
    { "auth = \"none\"; access = [ \"acl\", \"connect\" ]; " COMMAND, LOCAL,
      "12: \"connect\" cannot stand in \"access\"" },
    { "auth = \"none\"; " ACCESS "command = { connect = \"none\"; };", LOCAL,
      "12: \"none\" cannot stand in \"command\"" },
    { "auth = \"none\"; " ACCESS "command = { connect = \"bind\"; };", LOCAL,
      "12: \"bind\" cannot serve \"connect\": the module command_bind is for CMD 02, not 01" },
    { "auth = \"none\"; " ACCESS "command = { bind = \"connect\"; };", LOCAL,
      "12: \"connect\" cannot serve \"bind\": the module cmd_connect is for CMD 01, not 02" },
    { ACCESS COMMAND, LOCAL, "13: the listener \"l\" has no \"auth\" in its hooks" },
    { "auth = \"none\"; " COMMAND, LOCAL, "13: the listener \"l\" has no \"access\" in its hooks" },
    { "auth = \"none\"; " ACCESS, LOCAL, "13: the listener \"l\" has no \"command\" in its hooks" },
    { "auth = \"none\"; " ACCESS "command = { };", LOCAL, "13: the listener \"l\" has no \"command\" in its hooks" },
    { "auth = \"none\"; " ACCESS COMMAND, LOCAL " hooks = { auth = \"connect\"; };",
      "13: \"connect\" cannot stand in \"auth\"" },
    { "auth = [ \"x80\", \"none\", \"x80too\" ]; " ACCESS COMMAND, LOCAL,
      "12: \"x80\" and \"x80too\" both claim METHOD 80" },
    { "auth = [ \"none\", \"exchange00\" ]; " ACCESS COMMAND, LOCAL,
      "12: \"none\" and \"exchange00\" both claim METHOD 00" },
    { "auth = \"exchange00\"; " ACCESS COMMAND, LOCAL, "12: \"exchange00\": METHOD 00 has no messages" },
    { "auth = \"ff\"; " ACCESS COMMAND, LOCAL, "12: \"ff\" claims METHOD ff" },
    { "auth = \"gssapi\"; " ACCESS COMMAND, LOCAL,
      "12: \"gssapi\": a check serves METHOD 00 or 02; METHOD 01 needs an exchange" },
    { "auth = \"none\"; access = \"nonesuch\"; " COMMAND, LOCAL, "12: there is no instance \"nonesuch\"" },
};

Test(hooks, mistakes_are_told_with_their_line)
{
    char message[512];
    struct loaded loaded;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        build(&loaded, refused[i].hooks, refused[i].listener);
        (void)snprintf(message, sizeof message, "test.conf:%s", refused[i].message);
        cr_expect(strstr(loaded.messages, message), "row %zu: \"%s\" was expected in\n%s", i, message, loaded.messages);
        cr_expect(!loaded.hooks);
        loaded_free(&loaded);
    }
}

/* A wide address needs a login that cannot be avoided, or few clients, or a word. */
static const struct {
    const char *auth, *listener;
    bool open;
} proxies[] = {
    { "\"none\"", "address = \"127.0.0.1\";", false },
    { "\"none\"", "address = \"127.8.9.10\";", false },
    { "\"none\"", "address = \"::1\";", false },
    { "\"none\"", "address = \"0.0.0.0\";", true },
    { "\"none\"", "address = \"::\";", true },
    { "\"none\"", "address = \"192.0.2.1\";", true },
    { "\"none\"", "address = \"::ffff:127.0.0.1\";", false },
    { "\"none\"", "address = \"::ffff:192.0.2.1\";", true },
    { "\"x80\"", "address = \"192.0.2.1\";", false },
    { "[ \"x80\", \"none\" ]", "address = \"192.0.2.1\";", true },
    { "[ \"none\", \"x80\" ]", "address = \"192.0.2.1\";", true },
    { "\"x80\"", "address = \"192.0.2.1\"; hooks = { auth = \"none\"; };", true },
    { "\"none\"", "address = \"192.0.2.1\"; hooks = { auth = \"x80\"; };", false },
    { "\"none\"", "address = \"192.0.2.1\"; clients = \"10.0.0.0/8\";", false },
    { "\"none\"", "address = \"192.0.2.1\"; clients = [ \"10.0.0.0/8\", \"2001:db8::/32\" ];", false },
    { "\"none\"", "address = \"192.0.2.1\"; clients = \"128.0.0.0/2\";", false },
    { "\"none\"", "address = \"192.0.2.1\"; clients = \"0.0.0.0/0\";", true },
    { "\"none\"", "address = \"192.0.2.1\"; clients = \"128.0.0.0/1\";", true },
    { "\"none\"", "address = \"192.0.2.1\"; clients = [ \"0.0.0.0/1\", \"128.0.0.0/1\" ];", true },
    { "\"none\"", "address = \"192.0.2.1\"; clients = [ \"10.0.0.0/8\", \"::/0\" ];", true },
    { "\"none\"", "address = \"192.0.2.1\"; open_proxy = true;", false },
    { "\"none\"", "address = \"192.0.2.1\"; open_proxy = false;", true },
};

Test(hooks, no_open_proxy_by_accident)
{
    struct loaded loaded;
    char hooks[256];

    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        (void)snprintf(hooks, sizeof hooks, "auth = %s; " ACCESS COMMAND, proxies[i].auth);
        build(&loaded, hooks, proxies[i].listener);
        cr_expect((strstr(loaded.messages, "test.conf:13: the listener \"l\"") != NULL) == proxies[i].open,
                  "row %zu: %s", i, loaded.messages);
        if (proxies[i].open)
            cr_expect(strstr(loaded.messages, "is open to strangers") && strstr(loaded.messages, "open_proxy = true"));
        loaded_free(&loaded);
    }
}

#define TWO_LISTENERS                                                                                                  \
    "modules = ( { name = \"none\"; file = \"" MODULES "auth_none.so\"; },\n"                                          \
    "  { name = \"x80\"; file = \"" TEST_MODULES "auth_x80.so\"; clients = \"192.0.2.0/24\"; },\n"                     \
    "  { name = \"acl\"; file = \"" MODULES "access_rules.so\"; settings = { rules = ( { allow = { }; } ); }; },\n"    \
    "  { name = \"only\"; file = \"" TEST_MODULES "access_request_only.so\"; },\n"                                     \
    "  { name = \"connect\"; file = \"" MODULES "cmd_connect.so\"; },\n"                                               \
    "  { name = \"bind\"; file = \"" BAD_MODULES "command_bind.so\"; } );\n"                                           \
    "hooks = { auth = [ \"x80\", \"none\" ]; access = [ \"only\", \"acl\" ];\n"                                        \
    "  command = { connect = \"connect\"; bind = \"bind\"; }; };\n"                                                    \
    "listeners = ( { name = \"a\"; address = \"127.0.0.1\"; port = 1; },\n"                                            \
    "  { name = \"b\"; address = \"127.0.0.1\"; port = 2;\n"                                                           \
    "    hooks = { auth = \"none\"; command = { connect = \"connect\"; }; }; } );\n"

Test(hooks, a_listener_replaces_whole_keys)
{
    struct loaded loaded;
    const struct sg_hooks *a, *b;

    loaded_from(&loaded, TWO_LISTENERS);
    cr_assert(loaded.hooks, "%s", loaded.messages);
    a = &loaded.hooks[0];
    b = &loaded.hooks[1];
    cr_expect(a->n_auth == 2 && a->n_access == 2);
    cr_expect_str_eq(a->auth[0]->name, "x80");
    cr_expect_str_eq(a->access[1]->name, "acl");
    cr_expect(a->command[SG_CMD_CONNECT] && a->command[SG_CMD_BIND] && !a->command[SG_CMD_UDP_ASSOCIATE]);
    cr_expect(b->n_auth == 1 && b->n_access == 2);
    cr_expect_str_eq(b->auth[0]->name, "none");
    cr_expect(b->command[SG_CMD_CONNECT] == a->command[SG_CMD_CONNECT] && !b->command[SG_CMD_BIND]);
    loaded_free(&loaded);
}

/* Keys of an instance that its module has no use for. */
static const struct {
    const char *key, *message;
} useless[] = {
    { "clients = \"::1\";", "only auth instances have \"clients\"" },
    { "helper = { };", "nothing of access_rules runs in helpers, so it has no \"helper\"" },
    { "empty_password = true;", "only what checks passwords has \"empty_password\"" },
};

Test(hooks, keys_without_a_use)
{
    char text[2048], message[256];
    struct loaded loaded;

    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "modules = ( { name = \"acl\"; file = \"" MODULES "access_rules.so\"; %s\n"
                       "  settings = { rules = ( { allow = { }; } ); }; } );\n"
                       "hooks = { access = \"acl\"; };\n"
                       "listeners = ( { name = \"a\"; address = \"127.0.0.1\"; } );\n",
                       useless[i].key);
        loaded_from(&loaded, text);
        (void)snprintf(message, sizeof message, "test.conf:1: module \"acl\": %s", useless[i].message);
        cr_expect(strstr(loaded.messages, message), "%s", loaded.messages);
        loaded_free(&loaded);
    }
}
