/* SPDX-License-Identifier: BSD-2-Clause */
#include "conf_check.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "addrs.h"

static const struct sg_module_conf *
check_module(const struct sg_conf *conf, size_t i)
{
    return &((const struct sg_module_conf *)conf->modules.v)[i];
}

static struct sg_listener_conf *
check_listener(const struct sg_conf *conf, size_t i)
{
    return &((struct sg_listener_conf *)(uintptr_t)conf->listeners.v)[i];
}

static void
check_name(struct sg_diag *diag, const struct sg_where *where, const char *what, const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (name != NULL && (name[0] == '\0' || strlen(name) > 63 || name[strspn(name, good)] != '\0'))
        sg_diag_error(diag, where, name, "the %s name \"%.80s\" is not good: 1 to 63 letters, digits, _ or -", what, name);
}

static void
check_absolute(struct sg_diag *diag, const struct sg_core_conf *core, const char *key, const char *path)
{
    if (path[0] != '/')
        sg_diag_error(diag, &core->where, key, "%s: \"%s\" is not an absolute path", key, path);
}

static void
check_core(struct sg_conf *conf, struct sg_diag *diag)
{
    const struct sg_core_conf *core = &conf->core;

    check_absolute(diag, core, "module_dir", core->module_dir);
    check_absolute(diag, core, "runtime_dir", core->runtime_dir);
    check_absolute(diag, core, "pid_file", core->pid_file);
    if (strcmp(core->error_log.target, "stderr") != 0 && core->error_log.target[0] != '/')
        sg_diag_error(diag, &core->error_log.where, "target",
                      "target: \"%s\" is neither \"stderr\" nor an absolute path", core->error_log.target);
    if (geteuid() == 0 && core->user != NULL && getpwnam(core->user) == NULL)
        sg_diag_error(diag, &core->where, "user", "user: there is no user \"%s\" on this system; create it or name another",
                      core->user);
    else if (geteuid() == 0 && core->user != NULL && getpwnam(core->user)->pw_uid == 0)
        sg_diag_error(diag, &core->where, "user", "user: \"%s\" has all rights; workers must have none", core->user);
    if (geteuid() != 0 && core->user != NULL)
        sg_diag_note(diag, &core->where, "user: \"%s\" has no effect: sockgate was not started as root, so every "
                     "process runs as uid %lu and a hole in a worker reaches the generation's memory and files",
                     core->user, (unsigned long)geteuid());
}

/* The instance of this name; its use is noted. */
static void
check_use(const struct sg_conf *conf, struct sg_diag *diag, const struct sg_where *where, const char *name, bool *used)
{
    for (size_t i = 0; i < conf->modules.n; i++)
        if (check_module(conf, i)->name != NULL && strcmp(check_module(conf, i)->name, name) == 0) {
            used[i] = true;
            return;
        }
    sg_diag_error(diag, where, name, "there is no instance \"%s\" in \"modules\"", name);
}

static void
check_list(const struct sg_conf *conf, struct sg_diag *diag, const struct sg_strings *list, bool *used)
{
    for (size_t i = 0; i < list->n; i++) {
        check_use(conf, diag, &list->v[i].where, list->v[i].text, used);
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->v[i].text, list->v[j].text) == 0)
                sg_diag_error(diag, &list->v[i].where, list->v[i].text, "\"%s\" stands twice in this list",
                              list->v[i].text);
    }
}

static void
check_hooks(const struct sg_conf *conf, struct sg_diag *diag, const struct sg_hooks_conf *hooks, bool *used)
{
    const struct sg_command_hooks_conf *command = &hooks->command;

    check_list(conf, diag, &hooks->auth, used);
    check_list(conf, diag, &hooks->access, used);
    if (command->connect != NULL)
        check_use(conf, diag, &command->where, command->connect, used);
    if (command->bind != NULL)
        check_use(conf, diag, &command->where, command->bind, used);
    if (command->udp_associate != NULL)
        check_use(conf, diag, &command->where, command->udp_associate, used);
}

static void
check_modules(const struct sg_conf *conf, struct sg_diag *diag)
{
    bool *used = sg_arena_alloc(conf->arena, conf->modules.n + 1);

    for (size_t i = 0; i < conf->modules.n; i++) {
        const struct sg_module_conf *m = check_module(conf, i);

        check_name(diag, &m->where, "instance", m->name);
        for (size_t j = 0; m->name != NULL && j < i; j++)
            if (check_module(conf, j)->name != NULL && strcmp(m->name, check_module(conf, j)->name) == 0)
                sg_diag_error(diag, &m->where, m->name, "the name \"%s\" is taken by the instance at line %u", m->name,
                              check_module(conf, j)->where.line);
    }
    check_hooks(conf, diag, &conf->hooks, used);
    for (size_t i = 0; i < conf->listeners.n; i++)
        check_hooks(conf, diag, &check_listener(conf, i)->hooks, used);
    for (size_t i = 0; i < conf->modules.n; i++)
        if (!used[i] && check_module(conf, i)->name != NULL)
            sg_diag_error(diag, &check_module(conf, i)->where, check_module(conf, i)->name,
                          "the instance \"%s\" is unused: name it in \"hooks\" or take it out",
                          check_module(conf, i)->name);
}

static void
check_outgoing(struct sg_listener_conf *l, struct sg_diag *diag)
{
    for (size_t i = 0; i < l->outgoing.n; i++) {
        const struct sg_string *s = &l->outgoing.v[i];
        struct sg_addr addr, *slot;

        if (sg_addr_parse(s->text, &addr) == -1) {
            sg_diag_error(diag, &s->where, s->text, "outgoing: \"%s\" is not an IP address", s->text);
            continue;
        }
        sg_addr_canonical(&addr);
        slot = addr.family == SG_FAMILY_IPV4 ? &l->outgoing4 : &l->outgoing6;
        if (slot->family != SG_FAMILY_NONE)
            sg_diag_error(diag, &s->where, s->text, "outgoing: a second address of the same family; give at most one "
                          "IPv4 and one IPv6 address");
        *slot = addr;
    }
}

static void
check_listeners(const struct sg_conf *conf, struct sg_diag *diag)
{
    for (size_t i = 0; i < conf->listeners.n; i++) {
        struct sg_listener_conf *l = check_listener(conf, i);

        check_name(diag, &l->where, "listener", l->name);
        check_outgoing(l, diag);
        if (l->address.family == SG_FAMILY_NONE)
            continue;
        for (size_t j = 0; j < i; j++) {
            const struct sg_listener_conf *other = check_listener(conf, j);

            if (l->name != NULL && other->name != NULL && strcmp(l->name, other->name) == 0)
                sg_diag_error(diag, &l->where, l->name, "the name \"%s\" is taken by the listener at line %u", l->name,
                              other->where.line);
            if (l->port != 0 && l->port == other->port && sg_addr_same_ip(&l->address, &other->address))
                sg_diag_error(diag, &l->where, "address", "the listener at line %u has the same address and port",
                              other->where.line);
        }
    }
}

void
sg_conf_check(struct sg_conf *conf, struct sg_diag *diag)
{
    check_core(conf, diag);
    check_modules(conf, diag);
    check_listeners(conf, diag);
}

bool
sg_listener_is_loopback(const struct sg_listener_conf *listener)
{
    return (sg_addr_special(&listener->address) & SG_SPECIAL_LOOPBACK) != 0;
}

bool
sg_listener_clients_narrow(const struct sg_listener_conf *listener)
{
    /* In units of 2^-32 of the family's space; overlaps count twice, which errs on the safe side. */
    uint64_t share[2] = { 0, 0 };

    for (size_t i = 0; i < listener->clients.n; i++) {
        const struct sg_range *range = &listener->clients.v[i].range;

        share[range->base.family == SG_FAMILY_IPV6] += range->bits > 32 ? 1 : (uint64_t)1 << (32 - range->bits);
    }
    return listener->clients.n > 0 && share[0] < (uint64_t)1 << 31 && share[1] < (uint64_t)1 << 31;
}
