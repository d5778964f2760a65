/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.c - one hook table for each listener, and the checks that need modules: roles, METHODs, the open-proxy rule.
 */
#include "hooks.h"

#include <string.h>

#include "conf_check.h"

struct hooks_build {
    const struct sg_conf *conf;
    struct sg_instances *all;
    struct sg_diag *diag;
};

/* NULL: there is none, or it could not be loaded; both have been reported. */
static struct sg_instance *
hooks_find(const struct hooks_build *b, const char *name)
{
    struct sg_instance *inst = sg_instance_find(b->all, name);

    return inst != NULL && inst->mod != NULL ? inst : NULL;
}

/* The instance, if it has the role. */
static struct sg_instance *
hooks_instance(const struct hooks_build *b, const struct sg_where *where, const char *name, const char *role)
{
    struct sg_instance *inst = hooks_find(b, name);
    const void *ops;

    if (inst == NULL)
        return NULL;
    ops = strcmp(role, "auth") == 0     ? (const void *)inst->mod->auth
          : strcmp(role, "access") == 0 ? (const void *)inst->mod->access
          : strcmp(role, "log") == 0    ? (const void *)inst->mod->log
                                        : (const void *)inst->mod->command;
    if (ops == NULL) {
        sg_diag_error(b->diag, where, name, "\"%s\" cannot stand in \"%s\": the module %s does not have that role",
                      name, role, inst->mod->name);
        return NULL;
    }
    return inst;
}

static struct sg_instance **
hooks_list(const struct hooks_build *b, const struct sg_strings *names, const char *role, size_t *n_out)
{
    struct sg_instance **list = sg_arena_alloc(b->conf->arena, (names->n + 1) * sizeof(struct sg_instance *));

    *n_out = 0;
    for (size_t i = 0; i < names->n; i++) {
        struct sg_instance *inst = hooks_instance(b, &names->v[i].where, names->v[i].text, role);

        if (inst != NULL)
            list[(*n_out)++] = inst;
    }
    return list;
}

static void
hooks_command(const struct hooks_build *b, struct sg_hooks *hooks, const struct sg_command_hooks_conf *command,
              const char *name, enum sg_cmd cmd, const char *key)
{
    struct sg_instance *inst;

    if (name == NULL || (inst = hooks_instance(b, &command->where, name, "command")) == NULL)
        return;
    if (inst->mod->command->cmd != cmd)
        sg_diag_error(b->diag, &command->where, name,
                      "\"%s\" cannot serve \"%s\": the module %s is for CMD %02x, not %02x", name, key, inst->mod->name,
                      inst->mod->command->cmd, cmd);
    else
        hooks->command[cmd] = inst;
}

/* What the METHOD of one instance allows. */
static void
hooks_method(const struct hooks_build *b, const struct sg_instance *inst, const struct sg_where *where)
{
    const struct sg_auth_ops *auth = inst->mod->auth;

    if (auth->method == SG_METHOD_NO_ACCEPTABLE)
        sg_diag_error(b->diag, where, inst->name, "\"%s\" claims METHOD ff, which means that there is none",
                      inst->name);
    if (auth->check != NULL && auth->method != SG_METHOD_NONE && auth->method != SG_METHOD_USERPASS)
        sg_diag_error(b->diag, where, inst->name,
                      "\"%s\": a check serves METHOD 00 or 02; METHOD %02x needs an exchange", inst->name,
                      auth->method);
    if (auth->exchange != NULL && auth->method == SG_METHOD_NONE)
        sg_diag_error(b->diag, where, inst->name, "\"%s\": METHOD 00 has no messages, it needs a check", inst->name);
}

/* One exchange has its METHOD alone; checks of one METHOD make a chain. */
static void
hooks_methods(const struct hooks_build *b, const struct sg_strings *names)
{
    for (size_t i = 0; i < names->n; i++) {
        const struct sg_instance *inst = hooks_find(b, names->v[i].text);

        if (inst == NULL || inst->mod->auth == NULL)
            continue;
        hooks_method(b, inst, &names->v[i].where);
        for (size_t j = 0; j < i; j++) {
            const struct sg_instance *other = hooks_find(b, names->v[j].text);

            if (other != NULL && other->mod->auth != NULL && other->mod->auth->method == inst->mod->auth->method &&
                (other->mod->auth->exchange != NULL || inst->mod->auth->exchange != NULL))
                sg_diag_error(b->diag, &names->v[i].where, inst->name,
                              "\"%s\" and \"%s\" both claim METHOD %02x, and an exchange has its METHOD alone",
                              other->name, inst->name, inst->mod->auth->method);
        }
    }
}

/* Architecture: a listener beyond loopback needs a login that cannot be avoided, or clients that are a few. */
static void
hooks_open_proxy(const struct hooks_build *b, const struct sg_hooks *hooks, const struct sg_listener_conf *l)
{
    char text[SG_ADDR_TEXT];

    if (l->open_proxy || sg_listener_is_loopback(l) || sg_listener_clients_narrow(l))
        return;
    for (size_t i = 0; i < hooks->n_auth; i++)
        if (hooks->auth[i]->mod->auth->assurance < SG_ASSURANCE_PASSWORD) {
            sg_diag_error(b->diag, &l->where, "address",
                          "the listener \"%s\" on %s is open to strangers: \"%s\" lets anyone in without a password. "
                          "Use logins only, or set `clients` to your own networks, or say open_proxy = true",
                          l->name, sg_addr_format_ip(&l->address, text, sizeof text), hooks->auth[i]->name);
            return;
        }
}

/* Not wrong, since nobody gets in; but nobody gets in. */
static void
hooks_socks4(const struct hooks_build *b, const struct sg_hooks *hooks, const struct sg_listener_conf *l)
{
    if ((l->protocols & SG_PROTOCOL_SOCKS4) == 0)
        return;
    for (size_t i = 0; i < hooks->n_auth; i++)
        if (hooks->auth[i]->mod->auth->method == SG_METHOD_NONE)
            return;
    sg_diag_note(
        b->diag, &l->where,
        "the listener \"%s\" speaks socks4, which has no password, and none of its auth instances serves METHOD "
        "00: every SOCKS4 client will be refused",
        l->name);
}

/* Stubs are never chosen; an instance that could not be loaded is not in the list. */
static bool
hooks_all_stubs(const struct sg_hooks *hooks)
{
    for (size_t i = 0; i < hooks->n_auth; i++)
        if (!hooks->auth[i]->mod->auth->stub)
            return false;
    return hooks->n_auth > 0;
}

static void
hooks_listener(const struct hooks_build *b, struct sg_hooks *hooks, const struct sg_listener_conf *l)
{
    const struct sg_hooks_conf *general = &b->conf->hooks;
    const struct sg_strings *auth = l->hooks.auth.n > 0 ? &l->hooks.auth : &general->auth;
    const struct sg_strings *access = l->hooks.access.n > 0 ? &l->hooks.access : &general->access;
    const struct sg_command_hooks_conf *command =
        l->hooks.command.where.line != 0 ? &l->hooks.command : &general->command;

    hooks->auth = hooks_list(b, auth, "auth", &hooks->n_auth);
    hooks->access = hooks_list(b, access, "access", &hooks->n_access);
    hooks_command(b, hooks, command, command->connect, SG_CMD_CONNECT, "connect");
    hooks_command(b, hooks, command, command->bind, SG_CMD_BIND, "bind");
    hooks_command(b, hooks, command, command->udp_associate, SG_CMD_UDP_ASSOCIATE, "udp_associate");
    if (auth->n == 0)
        sg_diag_error(b->diag, &l->where, NULL, "the listener \"%s\" has no \"auth\" in its hooks: nobody could log in",
                      l->name);
    else if (hooks_all_stubs(hooks))
        sg_diag_error(b->diag, &l->where, NULL,
                      "the listener \"%s\" has only stubs for \"auth\" in its hooks: nobody could log in", l->name);
    if (access->n == 0)
        sg_diag_error(b->diag, &l->where, NULL,
                      "the listener \"%s\" has no \"access\" in its hooks: everything would be refused", l->name);
    if (command->connect == NULL && command->bind == NULL && command->udp_associate == NULL)
        sg_diag_error(b->diag, &l->where, NULL,
                      "the listener \"%s\" has no \"command\" in its hooks: it could do nothing", l->name);
    hooks_methods(b, auth);
    hooks_open_proxy(b, hooks, l);
    hooks_socks4(b, hooks, l);
}

/* Logs are the logger's: only that they are some is checked here, and that nothing else has a log's keys. */
static void
hooks_logs(const struct hooks_build *b)
{
    size_t n;

    (void)hooks_list(b, &b->conf->hooks.log, "log", &n);
    for (size_t i = 0; i < b->all->n; i++) {
        const struct sg_instance *inst = &b->all->v[i];

        if (inst->mod != NULL && inst->mod->log == NULL &&
            (inst->conf->required || inst->conf->on_error != SG_LOG_REFUSE))
            sg_diag_error(b->diag, &inst->conf->where, "required",
                          "module \"%s\": only logs have \"required\" and \"on_error\"", inst->name);
    }
}

/* Keys of the core that only some modules have a use for. */
static void
hooks_keys(const struct hooks_build *b, const struct sg_instance *inst)
{
    const struct sg_module_conf *conf = inst->conf;
    const struct sg_auth_ops *auth = inst->mod->auth;

    if (conf->clients.n > 0 && auth == NULL)
        sg_diag_error(b->diag, &conf->where, "clients", "module \"%s\": only auth instances have \"clients\"",
                      inst->name);
    if (conf->helper.where.line != 0 && !sg_instance_serves(inst, SG_PROCESS_HELPER))
        sg_diag_error(b->diag, &conf->helper.where, "helper",
                      "module \"%s\": nothing of %s runs in helpers, so it has no \"helper\"", inst->name,
                      inst->mod->name);
    if (conf->empty_password && (auth == NULL || auth->check == NULL || auth->method != SG_METHOD_USERPASS))
        sg_diag_error(b->diag, &conf->where, "empty_password",
                      "module \"%s\": only what checks passwords has \"empty_password\"", inst->name);
    if (conf->cache > 0 && (auth == NULL || auth->check == NULL || auth->method != SG_METHOD_USERPASS))
        sg_diag_error(b->diag, &conf->where, "cache", "module \"%s\": only what checks passwords has \"cache\"",
                      inst->name);
}

struct sg_hooks *
sg_hooks_build(const struct sg_conf *conf, struct sg_instances *all, struct sg_diag *diag)
{
    const struct hooks_build b = { conf, all, diag };
    struct sg_hooks *tables = sg_arena_alloc(conf->arena, conf->listeners.n * sizeof *tables + 1);

    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].mod != NULL)
            hooks_keys(&b, &all->v[i]);
    hooks_logs(&b);
    for (size_t i = 0; i < conf->listeners.n; i++)
        hooks_listener(&b, &tables[i], &((const struct sg_listener_conf *)conf->listeners.v)[i]);
    /* An instance that could not be loaded leaves a hole in the tables. */
    return sg_diag_errors(diag) == 0 ? tables : NULL;
}
