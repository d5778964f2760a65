/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.c - the core's own tables, and from text to struct sg_conf.
 */
#include "conf.h"

#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addrs.h"
#include "conf_check.h"
#include "log.h"
#include "module_file.h"
#include "schema.h"

#define SECOND ((int64_t)1000)
#define NAME_SERVER_PORT 53
#define DAY (24 * 3600 * SECOND)

#define TIMEOUT(key, value, least, most, text)                                                                         \
    {                                                                                                                  \
        .name = #key, .type = SG_CONF_DURATION, .offset = offsetof(struct sg_timeouts_conf, key), .def = (value),      \
        .min = (least), .max = (most), .help = (text)                                                                  \
    }

static const struct sg_conf_item timeout_items[] = {
    TIMEOUT(handshake, "30s", 100, DAY, "all the time the gateway waits for the client before the request is complete"),
    TIMEOUT(setup_max, "2m", 100, DAY, "from accept to the first reply"),
    TIMEOUT(resolve, "10s", 100, DAY, "all the lookups of one connection"),
    TIMEOUT(connect, "15s", 100, DAY, "one connection attempt"),
    TIMEOUT(idle, "10m", 100, 30 * DAY, "no octet in either direction"),
    TIMEOUT(half_closed, "1m", 100, 30 * DAY, "one direction has ended, the other is silent"),
    TIMEOUT(linger, "5s", 100, 9 * SECOND, "the client's time to read a failure reply"),
    TIMEOUT(max_session, "0", 0, 365 * DAY, "a session's longest life; 0: unlimited"),
    TIMEOUT(drain, "10m", 100, 30 * DAY, "a draining generation's longest life"),
    TIMEOUT(load, "1m", 100, DAY, "from start or reload until every process is ready"),
    TIMEOUT(keepalive, "2m", 0, DAY, "TCP keepalive, both sides; 0: off"),
    TIMEOUT(user_timeout, "2m", 0, DAY, "TCP_USER_TIMEOUT, both sides; 0: the system's"),
    { .name = NULL },
};

static const struct sg_conf_item limit_items[] = {
    { .name = "sessions",
      .type = SG_CONF_INT,
      .offset = offsetof(struct sg_limits_conf, sessions),
      .def = "4096",
      .min = 1,
      .max = 1000000,
      .help = "sessions in all workers together" },
    { .name = NULL },
};

#define LOGINS(key) .name = #key, .offset = offsetof(struct sg_logins_conf, key)
static const struct sg_conf_item logins_items[] = {
    { LOGINS(throttle), .type = SG_CONF_BOOL, .def = "true", .help = "guessing of passwords is slowed down" },
    { LOGINS(delay), .type = SG_CONF_DURATION, .def = "2s", .min = 10, .max = 60 * SECOND,
      .help = "after a login that failed the next one waits so long; doubled with each further one" },
    { LOGINS(max_delay), .type = SG_CONF_DURATION, .def = "15s", .min = 10, .max = 60 * SECOND,
      .help = "but never longer than this" },
    { LOGINS(exempt), .type = SG_CONF_RANGES, .help = "clients that are never slowed down" },
    { LOGINS(cache_entries), .type = SG_CONF_INT, .def = "10000", .min = 0, .max = 1000000,
      .help = "logins that each worker remembers; 0: none" },
    { LOGINS(cache_size), .type = SG_CONF_SIZE, .def = "4M", .min = 65536, .max = 1073741824,
      .help = "memory for them" },
    { .name = NULL },
};

#define RESOLVER(key) .name = #key, .offset = offsetof(struct sg_resolver_conf, key)
static const struct sg_conf_item resolver_items[] = {
    { RESOLVER(servers), .type = SG_CONF_STRINGS, .max = 8,
      .help = "\"192.0.2.53\", \"[2001:db8::53]:5353\"; not given: those of /etc/resolv.conf" },
    { RESOLVER(timeout), .type = SG_CONF_DURATION, .def = "1500ms", .min = 100, .max = 30 * SECOND,
      .help = "the first try; each further round through the servers takes twice as long" },
    { RESOLVER(tries), .type = SG_CONF_INT, .def = "3", .min = 1, .max = 10, .help = "rounds through the servers" },
    { RESOLVER(hosts), .type = SG_CONF_STRING, .def = "/etc/hosts",
      .help = "names that no server is asked about, read at start and reload; \"\" for none" },
    { RESOLVER(cache_entries), .type = SG_CONF_INT, .def = "4096", .min = 16, .max = 1000000,
      .help = "answers that each worker keeps, and lookups that may run at once" },
    { RESOLVER(max_ttl), .type = SG_CONF_DURATION, .def = "1h", .max = DAY, .help = "the longest life of an answer" },
    { RESOLVER(negative_ttl), .type = SG_CONF_DURATION, .def = "10s", .max = DAY,
      .help = "how long it is remembered that there is no such name" },
    { RESOLVER(failure_ttl), .type = SG_CONF_DURATION, .def = "1s", .max = DAY,
      .help = "how long it is remembered that no server could say" },
    { .name = NULL },
};

static const struct sg_conf_word level_words[] = {
    { "emerg", SG_LOG_EMERG },
    { "err", SG_LOG_ERR },
    { "warn", SG_LOG_WARN },
    { "notice", SG_LOG_NOTICE },
    { "info", SG_LOG_INFO },
    { "debug", SG_LOG_DEBUG },
    { NULL, 0 },
};

static const struct sg_conf_item error_log_items[] = {
    { .name = "target",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct sg_error_log_conf, target),
      .def = "stderr",
      .help = "\"stderr\", or a file" },
    { .name = "level",
      .type = SG_CONF_ENUM,
      .offset = offsetof(struct sg_error_log_conf, level),
      .def = "notice",
      .words = level_words,
      .help = "which messages are written" },
    { .name = NULL },
};

static const struct sg_conf_word cache_words[] = { { "auto", SG_CACHE_AUTO }, { NULL, 0 } };

static const struct sg_conf_word worker_words[] = { { "auto", 0 }, { NULL, 0 } };

static const struct sg_conf_word path_words[] = {
    { "auto", SG_RELAY_AUTO },
    { "copy", SG_RELAY_COPY },
    { "splice", SG_RELAY_SPLICE },
    { NULL, 0 },
};

#define CORE(key) .offset = offsetof(struct sg_core_conf, key)
static const struct sg_conf_item core_items[] = {
    { .name = "user", .type = SG_CONF_STRING, CORE(user), .help = "the workers' user, when started as root" },
    { .name = "log_user",
      .type = SG_CONF_STRING,
      CORE(log_user),
      .help = "the logger's user; not given: \"sockgate-log\" if it exists, else the workers'" },
    { .name = "workers",
      .type = SG_CONF_INT,
      CORE(workers),
      .def = "auto",
      .words = worker_words,
      .min = 1,
      .max = 256,
      .help = "number of workers; \"auto\": one for each processor" },
    { .name = "module_dir", .type = SG_CONF_STRING, CORE(module_dir), .help = "where module files are" },
    { .name = "runtime_dir", .type = SG_CONF_STRING, CORE(runtime_dir), .help = "pid file and status file" },
    { .name = "pid_file", .type = SG_CONF_STRING, CORE(pid_file), .help = "if not in runtime_dir" },
    { .name = "strict", .type = SG_CONF_BOOL, CORE(strict), .def = "false", .help = "refuse requests with RSV not 0" },
    { .name = "relay_path",
      .type = SG_CONF_ENUM,
      CORE(relay_path),
      .def = "auto",
      .words = path_words,
      .help = "how octets are relayed, for who looks for a fault" },
    { .name = "error_log",
      .type = SG_CONF_GROUP,
      CORE(error_log),
      .child = error_log_items,
      .child_size = sizeof(struct sg_error_log_conf),
      .help = "the daemon's own diagnostics" },
    { .name = "timeouts",
      .type = SG_CONF_GROUP,
      CORE(timeouts),
      .child = timeout_items,
      .child_size = sizeof(struct sg_timeouts_conf),
      .help = "durations" },
    { .name = "limits",
      .type = SG_CONF_GROUP,
      CORE(limits),
      .child = limit_items,
      .child_size = sizeof(struct sg_limits_conf),
      .help = "bounds" },
    { .name = "logins",
      .type = SG_CONF_GROUP,
      CORE(logins),
      .child = logins_items,
      .child_size = sizeof(struct sg_logins_conf),
      .help = "how passwords are kept from being guessed, and from being checked too often" },
    { .name = "resolver",
      .type = SG_CONF_GROUP,
      CORE(resolver),
      .child = resolver_items,
      .child_size = sizeof(struct sg_resolver_conf),
      .help = "how names become addresses" },
    { .name = NULL },
};

static const struct sg_conf_word on_error_words[] = { { "refuse", SG_LOG_REFUSE },
                                                      { "drop", SG_LOG_DROP },
                                                      { NULL, 0 } };

#define HELPER(key) .name = #key, .offset = offsetof(struct sg_helper_conf, key)
const struct sg_conf_item sg_helper_conf_items[] = {
    { HELPER(processes), .type = SG_CONF_INT, .def = "2", .min = 1, .max = 256, .help = "how many there are" },
    { HELPER(user), .type = SG_CONF_STRING,
      .help = "their user, when started as root; not given: that of the workers" },
    { HELPER(max_queue), .type = SG_CONF_INT, .def = "64", .min = 1, .max = 4096,
      .help = "jobs that may wait while all of them are busy; one more is refused at once" },
    { HELPER(timeout), .type = SG_CONF_DURATION, .def = "10s", .min = 100, .max = DAY,
      .help = "for one job, waiting included; a helper that takes longer is killed" },
    { HELPER(max_requests), .type = SG_CONF_INT, .def = "10000", .max = 1000000000,
      .help = "jobs after which a helper is replaced by a fresh one; 0: never" },
    { .name = NULL },
};

#define MODULE(key) .offset = offsetof(struct sg_module_conf, key)
static const struct sg_conf_item module_items[] = {
    { .name = "name", .type = SG_CONF_STRING, MODULE(name), .required = true, .help = "the instance's name" },
    { .name = "file", .type = SG_CONF_STRING, MODULE(file), .required = true, .help = "the shared object" },
    { .name = "clients", .type = SG_CONF_RANGES, MODULE(clients), .help = "auth: only for these clients" },
    { .name = "empty_password",
      .type = SG_CONF_BOOL,
      MODULE(empty_password),
      .help = "auth: it is asked about logins without a password too" },
    { .name = "cache",
      .type = SG_CONF_DURATION,
      MODULE(cache),
      .def = "auto",
      .words = cache_words,
      .max = 3600 * SECOND,
      .help = "auth: a login that succeeded is not checked again for so long; \"0s\": always; \"auto\": 60s" },
    { .name = "helper",
      .type = SG_CONF_GROUP,
      MODULE(helper),
      .child = sg_helper_conf_items,
      .child_size = sizeof(struct sg_helper_conf),
      .help = "the processes in which it may block" },
    { .name = "required",
      .type = SG_CONF_BOOL,
      MODULE(required),
      .help = "log: no session begins while it cannot be written" },
    { .name = "on_error",
      .type = SG_CONF_ENUM,
      MODULE(on_error),
      .words = on_error_words,
      .help = "log, with required: refuse new sessions, or drop and count what cannot be written" },
    { .name = "settings", .type = SG_CONF_RAW, MODULE(settings), .help = "the module's own keys" },
    { .name = NULL },
};

#define COMMAND(key) .offset = offsetof(struct sg_command_hooks_conf, key)
static const struct sg_conf_item command_items[] = {
    { .name = "connect", .type = SG_CONF_STRING, COMMAND(connect), .help = "the instance for CONNECT" },
    { .name = "bind", .type = SG_CONF_STRING, COMMAND(bind), .help = "the instance for BIND" },
    { .name = "udp_associate", .type = SG_CONF_STRING, COMMAND(udp_associate), .help = "for UDP ASSOCIATE" },
    { .name = NULL },
};

#define HOOKS(key) .offset = offsetof(struct sg_hooks_conf, key)
static const struct sg_conf_item hooks_items[] = {
    { .name = "auth", .type = SG_CONF_STRINGS, HOOKS(auth), .help = "in order of preference" },
    { .name = "access", .type = SG_CONF_STRINGS, HOOKS(access), .help = "asked in this order" },
    { .name = "log",
      .type = SG_CONF_STRINGS,
      HOOKS(log),
      .max = 7,
      .help = "where sessions are written down; for all listeners. Not given: to the error log" },
    { .name = "command",
      .type = SG_CONF_GROUP,
      HOOKS(command),
      .child = command_items,
      .child_size = sizeof(struct sg_command_hooks_conf),
      .help = "one instance for each CMD" },
    { .name = NULL },
};

static const struct sg_conf_word protocol_words[] = { { "socks5", SG_PROTOCOL_SOCKS5 },
                                                      { "socks4", SG_PROTOCOL_SOCKS4 },
                                                      { NULL, 0 } };

#define LISTENER(key) .offset = offsetof(struct sg_listener_conf, key)
static const struct sg_conf_item listener_items[] = {
    { .name = "name", .type = SG_CONF_STRING, LISTENER(name), .required = true, .help = "used in logs" },
    { .name = "address", .type = SG_CONF_ADDRESS, LISTENER(address), .required = true, .help = "to listen on" },
    { .name = "port",
      .type = SG_CONF_INT,
      LISTENER(port),
      .def = "1080",
      .min = 0,
      .max = 65535,
      .help = "0: any free one" },
    { .name = "protocols",
      .type = SG_CONF_FLAGS,
      LISTENER(protocols),
      .def = "socks5",
      .words = protocol_words,
      .help = "what is spoken here; socks4 includes SOCKS4a" },
    { .name = "clients", .type = SG_CONF_RANGES, LISTENER(clients), .help = "who may connect; not given: anyone" },
    { .name = "hooks",
      .type = SG_CONF_GROUP,
      LISTENER(hooks),
      .child = hooks_items,
      .child_size = sizeof(struct sg_hooks_conf),
      .help = "keys that replace those of the general table" },
    { .name = "advertise", .type = SG_CONF_ADDRESS, LISTENER(advertise), .help = "told to clients as BND.ADDR" },
    { .name = "outgoing",
      .type = SG_CONF_STRINGS,
      LISTENER(outgoing),
      .max = 2,
      .help = "source address of outgoing connections, one for each family" },
    { .name = "socks4_ipv6",
      .type = SG_CONF_BOOL,
      LISTENER(socks4_ipv6),
      .def = "false",
      .help = "a CONNECT of SOCKS4a may reach IPv6, though its reply cannot tell the address" },
    { .name = "open_proxy",
      .type = SG_CONF_BOOL,
      LISTENER(open_proxy),
      .def = "false",
      .help = "yes, strangers may use this" },
    { .name = NULL },
};

static const struct sg_conf_word expect_words[] = {
    { "deny", SG_REPLY_DENY }, { "allow", SG_REPLY_ALLOW }, { "lookup", SG_REPLY_LOOKUP }, { NULL, 0 }
};

#define POLICY(key) .name = #key, .offset = offsetof(struct sg_policy_conf, key)
static const struct sg_conf_item policy_items[] = {
    { POLICY(client), .type = SG_CONF_STRING, .help = "where the client comes from; 127.0.0.1" },
    { POLICY(listener), .type = SG_CONF_STRING, .help = "where it comes in; the first listener" },
    { POLICY(user), .type = SG_CONF_STRING, .help = "who it is; not given: nobody" },
    { POLICY(group), .type = SG_CONF_STRINGS, .help = "the user's groups" },
    { POLICY(method), .type = SG_CONF_STRING, .help = "none, gssapi, password, \"80\"; password if there is a user" },
    { POLICY(assurance), .type = SG_CONF_STRING,
      .help = "none, asserted, password, kerberos; password if there is a user" },
    { POLICY(command), .type = SG_CONF_STRING, .help = "connect, bind, udp_associate; connect" },
    { POLICY(to), .type = SG_CONF_STRING, .required = true, .help = "\"HOST:PORT\"" },
    { POLICY(resolves), .type = SG_CONF_STRINGS, .help = "what the name resolves to; no server is ever asked" },
    { POLICY(expect), .type = SG_CONF_ENUM, .required = true, .words = expect_words, .help = "the right answer" },
    { POLICY(rule), .type = SG_CONF_STRING, .help = "the label of the rule that gives it" },
    { .name = NULL },
};

const struct sg_conf_item sg_conf_items[] = {
    { .name = "core",
      .type = SG_CONF_GROUP,
      .offset = offsetof(struct sg_conf, core),
      .child = core_items,
      .child_size = sizeof(struct sg_core_conf) },
    { .name = "modules",
      .type = SG_CONF_GROUPS,
      .offset = offsetof(struct sg_conf, modules),
      .child = module_items,
      .child_size = sizeof(struct sg_module_conf),
      .required = true,
      .min = 1 },
    { .name = "hooks",
      .type = SG_CONF_GROUP,
      .offset = offsetof(struct sg_conf, hooks),
      .child = hooks_items,
      .child_size = sizeof(struct sg_hooks_conf) },
    { .name = "listeners",
      .type = SG_CONF_GROUPS,
      .offset = offsetof(struct sg_conf, listeners),
      .child = listener_items,
      .child_size = sizeof(struct sg_listener_conf),
      .required = true,
      .min = 1 },
    { .name = "tests",
      .type = SG_CONF_GROUPS,
      .offset = offsetof(struct sg_conf, tests),
      .child = policy_items,
      .child_size = sizeof(struct sg_policy_conf) },
    { .name = NULL },
};

static const char *SG_PRINTF(2, 3) conf_text(struct sg_conf *conf, const char *format, ...)
{
    char text[PATH_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return sg_arena_strndup(conf->arena, text, strlen(text));
}

/* Looked up once: it may take a while, and a process reads more than one configuration when it is tested. */
static void
conf_default_users(struct sg_core_conf *core)
{
    static const char *user, *log_user;

    if (user == NULL) {
        user = getpwnam("sockgate") != NULL ? "sockgate" : "nobody";
        log_user = getpwnam("sockgate-log") != NULL ? "sockgate-log" : NULL;
    }
    if (core->user == NULL)
        core->user = user;
    if (core->log_user == NULL)
        core->log_user = log_user;
}

static const char *
conf_default_runtime_dir(struct sg_conf *conf)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0)
        return SG_RUNSTATEDIR;
    if (runtime != NULL && runtime[0] == '/')
        return conf_text(conf, "%s/sockgate", runtime);
    return conf_text(conf, "/tmp/sockgate-%lu", (unsigned long)geteuid());
}

/* Defaults that depend on who we are. */
static void
conf_defaults(struct sg_conf *conf)
{
    struct sg_core_conf *core = &conf->core;

    if (core->module_dir == NULL)
        core->module_dir = conf_text(conf, "%s", sg_module_dir_default());
    if (core->runtime_dir == NULL)
        core->runtime_dir = conf_default_runtime_dir(conf);
    if (core->pid_file == NULL)
        core->pid_file = conf_text(conf, "%s/sockgate.pid", core->runtime_dir);
    if (geteuid() == 0)
        conf_default_users(core);
}

static void
conf_outgoing(struct sg_listener_conf *l, struct sg_diag *diag)
{
    for (size_t i = 0; i < l->outgoing.n; i++) {
        const struct sg_string *s = &l->outgoing.v[i];
        struct sg_addr addr, *of_family;

        if (sg_addr_parse(s->text, &addr) == -1) {
            sg_diag_error(diag, &s->where, s->text, "outgoing: \"%.60s\" is not an IP address", s->text);
            continue;
        }
        sg_addr_canonical(&addr);
        of_family = addr.family == SG_FAMILY_IPV4 ? &l->outgoing4 : &l->outgoing6;
        if (of_family->family != SG_FAMILY_NONE)
            sg_diag_error(diag, &s->where, s->text,
                          "outgoing: a second address of the same family; give at most one IPv4 and one IPv6 address");
        *of_family = addr;
    }
}

/* What c-ares takes: "192.0.2.53:53,[2001:db8::53]:5353". */
static void
conf_servers(struct sg_conf *conf, struct sg_diag *diag)
{
    struct sg_resolver_conf *resolver = &conf->core.resolver;
    const struct sg_strings *servers = &resolver->servers;
    char csv[SG_ADDR_TEXT * 8 + 1], text[SG_ADDR_TEXT];
    size_t len = 0;

    for (size_t i = 0; i < servers->n && len + SG_ADDR_TEXT < sizeof csv; i++) {
        const struct sg_string *s = &servers->v[i];
        struct sg_addr addr;

        if (sg_addr_parse_port(s->text, NAME_SERVER_PORT, &addr) == -1 || addr.port == 0) {
            sg_diag_error(diag, &s->where, s->text,
                          "servers: \"%.60s\" is not the address of a name server: write \"192.0.2.53\", "
                          "\"192.0.2.53:5353\" or \"[2001:db8::53]:53\"",
                          s->text);
            continue;
        }
        len += (size_t)snprintf(csv + len, sizeof csv - len, "%s%s", len > 0 ? "," : "",
                                sg_addr_format(&addr, text, sizeof text));
    }
    if (len > 0)
        resolver->servers_csv = conf_text(conf, "%s", csv);
}

/* What follows from values that were given. */
static void
conf_derive(struct sg_conf *conf, struct sg_diag *diag)
{
    /* The walker's structs are ours until the configuration is handed out. */
    struct sg_listener_conf *listeners = (struct sg_listener_conf *)(uintptr_t)conf->listeners.v;

    for (size_t i = 0; i < conf->listeners.n; i++) {
        listeners[i].address.port = (uint16_t)listeners[i].port;
        conf_outgoing(&listeners[i], diag);
    }
    conf_servers(conf, diag);
}

/* What the scan leaves to libconfig: settings that are there twice. */
static void
conf_parse_error(const struct sg_conf *conf, struct sg_diag *diag)
{
    const int line = config_error_line(&conf->tree);
    const struct sg_where where = sg_conf_text_where(conf->text, line > 0 ? (unsigned)line : 1);
    const char *what = config_error_text(&conf->tree);

    sg_diag_error(diag, &where, NULL, "%s", what != NULL ? what : "syntax error");
}

struct sg_conf *
sg_conf_read(struct sg_conf_text *text, struct sg_diag *diag)
{
    struct sg_arena *arena = sg_arena_new();
    struct sg_conf *conf = sg_arena_alloc(arena, sizeof *conf);
    const struct sg_where top = sg_conf_text_where(text, 1);
    struct sg_schema_walk walk = { text, arena, diag, "" };

    conf->arena = arena;
    conf->text = text;
    config_init(&conf->tree);
    if (!sg_conf_text_good(text))
        return conf;
    if (config_read_string(&conf->tree, sg_conf_text_expanded(text)) != CONFIG_TRUE) {
        conf_parse_error(conf, diag);
        return conf;
    }
    sg_schema_read(&walk, config_root_setting(&conf->tree), &(struct sg_where){ top.file, 0 }, sg_conf_items, conf);
    conf_defaults(conf);
    conf_derive(conf, diag);
    sg_conf_check(conf, diag);
    return conf;
}

void
sg_conf_free(struct sg_conf *conf)
{
    if (conf == NULL)
        return;
    config_destroy(&conf->tree);
    sg_conf_text_free(conf->text);
    sg_arena_free(conf->arena);
}

struct sg_where
sg_conf_key_where(const struct sg_conf *conf, const char *path, const struct sg_where *otherwise)
{
    const config_setting_t *setting = config_lookup(&conf->tree, path);

    return setting != NULL ? sg_conf_text_where(conf->text, config_setting_source_line(setting)) : *otherwise;
}

void
sg_conf_print(FILE *out, const struct sg_conf *conf,
              void (*settings)(FILE *out, const void *module_conf, int indent, void *arg), void *arg)
{
    sg_schema_print(out, sg_conf_items, conf, 0, settings, arg);
}
