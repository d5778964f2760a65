/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_check.c - names that must fit together, and values that exclude each other.
 */
#include "conf_check.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "addrs.h"
#include "schema.h"
#include "units.h"

struct check {
    const struct sg_conf *conf;
    struct sg_diag *diag;
    bool *used; /* for each instance: some hook names it */
};

static struct sg_where
check_core_key(const struct check *check, const char *path)
{
    return sg_conf_key_where(check->conf, path, &check->conf->core.where);
}

static void
check_absolute(const struct check *check, const char *path, const char *key, const char *value)
{
    const struct sg_where where = check_core_key(check, path);

    if (value[0] != '/')
        sg_diag_error(check->diag, &where, key, "%s: \"%.200s\" is not an absolute path", key, value);
}

/* `key`: of `core`, the user that a process without rights becomes. */
static void
check_user(const struct check *check, const char *key, const char *user)
{
    const struct passwd *entry;
    struct sg_where where;
    char path[64];

    (void)snprintf(path, sizeof path, "core.%s", key);
    where = check_core_key(check, path);
    /* A default was looked up when it was chosen. */
    if (user == NULL || config_lookup(&check->conf->tree, path) == NULL)
        return;
    if (geteuid() != 0) {
        sg_diag_note(check->diag, &where,
                     "%s: \"%.60s\" has no effect: sockgate was not started as root, so every "
                     "process runs as uid %lu and a hole in a worker reaches the generation's memory and files",
                     key, user, (unsigned long)geteuid());
        return;
    }
    entry = getpwnam(user);
    if (entry == NULL)
        sg_diag_error(check->diag, &where, key,
                      "%s: there is no user \"%.60s\" on this system; create it or name another", key, user);
    else if (entry->pw_uid == 0)
        sg_diag_error(check->diag, &where, key, "%s: \"%.60s\" has all rights; it must have none", key, user);
}

/* Not wrong, but `key` never takes effect. */
static void
check_outlasts(const struct check *check, const char *key, int64_t value)
{
    char path[64], longer[32], shorter[32];
    struct sg_where where;

    if (value <= check->conf->core.timeouts.setup_max)
        return;
    (void)snprintf(path, sizeof path, "core.timeouts.%s", key);
    where = check_core_key(check, path);
    sg_diag_note(check->diag, &where, "%s: %s is longer than \"setup_max\", %s, which ends the session before", key,
                 sg_format_duration(value, longer, sizeof longer),
                 sg_format_duration(check->conf->core.timeouts.setup_max, shorter, sizeof shorter));
}

static void
check_core(const struct check *check)
{
    const struct sg_core_conf *core = &check->conf->core;
    const struct sg_where target = check_core_key(check, "core.error_log.target");
    const struct sg_where sessions = check_core_key(check, "core.limits.sessions");

    check_absolute(check, "core.module_dir", "module_dir", core->module_dir);
    check_absolute(check, "core.runtime_dir", "runtime_dir", core->runtime_dir);
    check_absolute(check, "core.pid_file", "pid_file", core->pid_file);
    if (strcmp(core->error_log.target, "stderr") != 0 && core->error_log.target[0] != '/')
        sg_diag_error(check->diag, &target, "target", "target: \"%.200s\" is neither \"stderr\" nor an absolute path",
                      core->error_log.target);
    if (core->limits.sessions < core->workers)
        sg_diag_error(check->diag, &sessions, "sessions",
                      "sessions: %" PRId64 " cannot be shared by %" PRId64 " workers: allow at least one for each",
                      core->limits.sessions, core->workers);
    check_user(check, "user", core->user);
    check_user(check, "log_user", core->log_user);
    check_outlasts(check, "handshake", core->timeouts.handshake);
    check_outlasts(check, "resolve", core->timeouts.resolve);
    check_outlasts(check, "connect", core->timeouts.connect);
    if (core->resolver.hosts[0] != '\0')
        check_absolute(check, "core.resolver.hosts", "hosts", core->resolver.hosts);
}

static void
check_name(const struct check *check, const struct sg_where *where, const char *what, const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (name[0] == '\0' || strlen(name) > 63 || name[strspn(name, good)] != '\0')
        sg_diag_error(check->diag, where, name, "the %s name \"%.80s\" is not good: 1 to 63 letters, digits, _ or -",
                      what, name);
}

/* Is there an instance of this name? Its use is noted. */
static void
check_use(const struct check *check, const struct sg_where *where, const char *name)
{
    struct sg_suggestion near = { .word = name };

    for (size_t i = 0; i < check->conf->modules.n; i++) {
        const char *known = sg_conf_module(check->conf, i)->name;

        if (known == NULL)
            continue;
        if (strcmp(known, name) == 0) {
            check->used[i] = true;
            return;
        }
        sg_suggest(&near, known);
    }
    sg_diag_error(check->diag, where, name, "there is no instance \"%.80s\" in \"modules\"%s%s%s", name,
                  near.best != NULL ? ", did you mean \"" : "", near.best != NULL ? near.best : "",
                  near.best != NULL ? "\"?" : "");
}

static void
check_list(const struct check *check, const struct sg_strings *list)
{
    for (size_t i = 0; i < list->n; i++) {
        check_use(check, &list->v[i].where, list->v[i].text);
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->v[i].text, list->v[j].text) == 0) {
                sg_diag_error(check->diag, &list->v[i].where, list->v[i].text, "\"%.80s\" stands twice in this list",
                              list->v[i].text);
                break;
            }
    }
}

/* `path`: of the hook table in the configuration. */
static void
check_command(const struct check *check, const char *path, const struct sg_command_hooks_conf *command)
{
    const struct {
        const char *key, *name;
    } commands[] = { { "connect", command->connect },
                     { "bind", command->bind },
                     { "udp_associate", command->udp_associate } };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char key[96];
        struct sg_where where;

        if (commands[i].name == NULL)
            continue;
        (void)snprintf(key, sizeof key, "%s.command.%s", path, commands[i].key);
        where = sg_conf_key_where(check->conf, key, &command->where);
        check_use(check, &where, commands[i].name);
    }
}

static void
check_hooks(const struct check *check, const char *path, const struct sg_hooks_conf *hooks)
{
    check_list(check, &hooks->auth);
    check_list(check, &hooks->access);
    check_list(check, &hooks->log);
    check_command(check, path, &hooks->command);
}

static struct sg_where
check_element_key(const struct check *check, const char *list, size_t i, const char *key, const struct sg_where *where)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%s.[%zu].%s", list, i, key);
    return sg_conf_key_where(check->conf, path, where);
}

/* The instance before number `n` that has its name, or NULL. */
static const struct sg_module_conf *
check_namesake(const struct check *check, size_t n)
{
    const char *name = sg_conf_module(check->conf, n)->name;

    for (size_t i = 0; i < n; i++) {
        const struct sg_module_conf *other = sg_conf_module(check->conf, i);

        if (other->name != NULL && strcmp(name, other->name) == 0)
            return other;
    }
    return NULL;
}

static void
check_modules(const struct check *check)
{
    for (size_t i = 0; i < check->conf->modules.n; i++) {
        const struct sg_module_conf *m = sg_conf_module(check->conf, i), *namesake;
        const struct sg_where where = check_element_key(check, "modules", i, "name", &m->where);

        if (m->name == NULL)
            continue;
        check_name(check, &where, "instance", m->name);
        namesake = check_namesake(check, i);
        if (namesake != NULL)
            sg_diag_error(check->diag, &where, m->name, "the name \"%.80s\" is taken by the instance at %s:%u", m->name,
                          namesake->where.file, namesake->where.line);
        else if (!check->used[i])
            sg_diag_error(check->diag, &where, m->name,
                          "the instance \"%.80s\" is unused: name it in \"hooks\" or take it out", m->name);
    }
}

/* Do two listeners want the same? Sockets of IPv6 take no IPv4, so an unspecified address covers its own family. */
static void
check_addresses(const struct check *check, const struct sg_where *where, const struct sg_listener_conf *l,
                const struct sg_listener_conf *other)
{
    const bool covers =
        l->address.family == other->address.family &&
        ((sg_addr_special(&l->address) | sg_addr_special(&other->address)) & SG_SPECIAL_UNSPECIFIED) != 0;

    if (l->port == 0 || l->port != other->port || l->address.family == SG_FAMILY_NONE)
        return;
    if (sg_addr_same_ip(&l->address, &other->address))
        sg_diag_error(check->diag, where, "address", "the listener at %s:%u has the same address and port",
                      other->where.file, other->where.line);
    else if (covers)
        sg_diag_error(check->diag, where, "address",
                      "the listener at %s:%u has the same port, and one of the two takes all addresses",
                      other->where.file, other->where.line);
}

static void
check_listener(const struct check *check, size_t i)
{
    const struct sg_listener_conf *l = sg_conf_listener(check->conf, i);
    const struct sg_where name = check_element_key(check, "listeners", i, "name", &l->where);
    const struct sg_where address = check_element_key(check, "listeners", i, "address", &l->where);
    char path[64];

    if (l->name != NULL)
        check_name(check, &name, "listener", l->name);
    for (size_t j = 0; j < i; j++) {
        const struct sg_listener_conf *other = sg_conf_listener(check->conf, j);

        if (l->name != NULL && other->name != NULL && strcmp(l->name, other->name) == 0)
            sg_diag_error(check->diag, &name, l->name, "the name \"%.80s\" is taken by the listener at %s:%u", l->name,
                          other->where.file, other->where.line);
        check_addresses(check, &address, l, other);
    }
    if (l->hooks.log.n > 0)
        sg_diag_error(check->diag, &l->hooks.log.v[0].where, "log",
                      "\"log\" stands in the general hooks alone: every session is written to every log");
    (void)snprintf(path, sizeof path, "listeners.[%zu].hooks", i);
    check_hooks(check, path, &l->hooks);
}

void
sg_conf_check(const struct sg_conf *conf, struct sg_diag *diag)
{
    const struct check check = { conf, diag, sg_arena_alloc(conf->arena, conf->modules.n + 1) };

    check_core(&check);
    check_hooks(&check, "hooks", &conf->hooks);
    for (size_t i = 0; i < conf->listeners.n; i++)
        check_listener(&check, i);
    check_modules(&check);
}

bool
sg_listener_is_loopback(const struct sg_listener_conf *listener)
{
    return (sg_addr_special(&listener->address) & SG_SPECIAL_LOOPBACK) != 0;
}

/* How much of `space` a range holds, in units of 2^-32 of it; what is less counts as one. */
static uint64_t
check_share(const struct sg_range *space, const struct sg_range *range)
{
    const unsigned below = range->bits > space->bits ? (unsigned)range->bits - space->bits : 0;

    if (!sg_range_contains(space, &range->base) && !sg_range_contains(range, &space->base))
        return 0;
    return below > 32 ? 1 : (uint64_t)1 << (32 - below);
}

bool
sg_listener_clients_narrow(const struct sg_listener_conf *listener)
{
    static const struct sg_range spaces[] = {
        { .base = { .family = SG_FAMILY_IPV4 }, .bits = 0 },
        { .base = { .family = SG_FAMILY_IPV6, .ip = { 0x20 } }, .bits = 3 },
    };

    for (size_t s = 0; s < sizeof spaces / sizeof spaces[0]; s++) {
        uint64_t share = 0; /* what two ranges share counts twice: an error on the safe side */

        for (size_t i = 0; i < listener->clients.n; i++)
            share += check_share(&spaces[s], &listener->clients.v[i].range);
        if (share >= (uint64_t)1 << 31)
            return false;
    }
    return listener->clients.n > 0;
}
