/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.c - opens shared objects, checks their descriptors, makes instances.
 *
 * A descriptor is copied into structs of our own, as many octets as its size says: what an older module does not know
 * is zero. Files are opened with RTLD_NODELETE and never closed: a generation keeps its modules until it ends.
 */
#include "module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_core.h"
#include "login_watch.h"
#include "module_file.h"
#include "proc.h"
#include "worker.h"

/* What every module must know of the descriptor; what lies behind may be missing. */
#define MODULE_SIZE_MIN offsetof(struct sg_module, conf)
/* No struct of ours will ever be as long: whoever says so does not know what it says. */
#define MODULE_STRUCT_MAX 4096
#define MODULE_MESSAGE_MAX 131072

/* While the major number is 0 everything may change; from 1.0 on a module made for an older minor keeps loading. */
bool
sg_module_abi_fits(unsigned their_major, unsigned their_minor, unsigned our_major, unsigned our_minor)
{
    if (their_major != our_major)
        return false;
    return our_major == 0 ? their_minor == our_minor : their_minor <= our_minor;
}

/* Copies the functions of one role, as many as the module knows. The first member is their size. */
static const void *
module_ops(void *ours, size_t our_size, const void *theirs, const char *role, char *why, size_t size)
{
    size_t their_size;

    if (theirs == NULL)
        return NULL;
    memcpy(&their_size, theirs, sizeof their_size);
    if (their_size <= sizeof their_size || their_size > MODULE_STRUCT_MAX) {
        (void)snprintf(why, size, "its functions for the role %s have size %zu, expected %zu: set .size", role,
                       their_size, our_size);
        return NULL;
    }
    memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
    return ours;
}

/* What is wrong with the functions of a role, or NULL. */
static const char *
module_auth_wrong(const struct sg_auth_ops *auth)
{
    if ((auth->check == NULL) == (auth->exchange == NULL))
        return "its role auth needs one of check and exchange, not both";
    if (auth->exchange != NULL && (auth->max_message == 0 || auth->max_message > MODULE_MESSAGE_MAX))
        return "max_message of its exchange is not from 1 to 131072";
    return NULL;
}

static const char *
module_roles_wrong(const struct sg_module *mod)
{
    if (mod->auth == NULL && mod->access == NULL && mod->command == NULL && mod->log == NULL)
        return "it has no role: one of auth, access, command, log is needed";
    if (mod->access != NULL && mod->access->client == NULL && mod->access->request == NULL &&
        mod->access->target == NULL)
        return "its role access has no function: one of client, request, target is needed";
    if (mod->command != NULL && mod->command->start == NULL)
        return "its role command has no function start";
    if (mod->log != NULL && (mod->log->event == NULL || mod->log->commit == NULL))
        return "its role log needs the functions event and commit";
    return mod->auth != NULL ? module_auth_wrong(mod->auth) : NULL;
}

static int
module_roles(struct sg_loaded *loaded, char *why, size_t size)
{
    struct sg_module *mod = &loaded->mod;
    const char *wrong;

    why[0] = '\0';
    mod->auth = module_ops(&loaded->auth, sizeof loaded->auth, mod->auth, "auth", why, size);
    mod->access = module_ops(&loaded->access, sizeof loaded->access, mod->access, "access", why, size);
    mod->command = module_ops(&loaded->command, sizeof loaded->command, mod->command, "command", why, size);
    mod->log = module_ops(&loaded->log, sizeof loaded->log, mod->log, "log", why, size);
    if (why[0] != '\0')
        return -1;
    wrong = module_roles_wrong(mod);
    if (wrong == NULL)
        return 0;
    (void)snprintf(why, size, "%s", wrong);
    return -1;
}

/* The first four members: they never move. */
static int
module_head(const struct sg_module *theirs, char *why, size_t size)
{
    if (theirs->magic != SG_MODULE_MAGIC)
        (void)snprintf(why, size, "its symbol sg_module is no descriptor: it begins with %08x, expected %08x",
                       theirs->magic, SG_MODULE_MAGIC);
    else if (!sg_module_abi_fits(theirs->abi_major, theirs->abi_minor, SG_ABI_MAJOR, SG_ABI_MINOR))
        (void)snprintf(why, size, "it was made for module ABI %u.%u, this sockgate has %d.%d: build it again",
                       theirs->abi_major, theirs->abi_minor, SG_ABI_MAJOR, SG_ABI_MINOR);
    else if (theirs->size < MODULE_SIZE_MIN || theirs->size > MODULE_STRUCT_MAX)
        (void)snprintf(why, size, "its descriptor has size %zu, expected %zu", theirs->size, sizeof *theirs);
    else
        return 0;
    return -1;
}

static int
module_descriptor(struct sg_loaded *loaded, const struct sg_module *theirs, struct sg_arena *arena, char *why,
                  size_t size)
{
    struct sg_module *mod = &loaded->mod;
    const char *wrong;

    if (module_head(theirs, why, size) == -1)
        return -1;
    memcpy(mod, theirs, theirs->size < sizeof *mod ? theirs->size : sizeof *mod);
    if (mod->name == NULL) {
        (void)snprintf(why, size, "it has no name");
        return -1;
    }
    if (mod->conf_item_size != sizeof(struct sg_conf_item)) {
        (void)snprintf(why, size, "its table of settings has rows of %zu octets, expected %zu", mod->conf_item_size,
                       sizeof(struct sg_conf_item));
        return -1;
    }
    wrong = sg_schema_check(mod->conf, mod->conf_size, arena);
    if (wrong != NULL) {
        (void)snprintf(why, size, "its table of settings is wrong: %s", wrong);
        return -1;
    }
    return module_roles(loaded, why, size);
}

/* The descriptor of the file, after its constructors have run. */
static const struct sg_module *
module_map(const struct sg_module_file *file, struct sg_digest *digest, char *why, size_t size)
{
    const unsigned threads = sg_proc_count("task");
    const struct sg_module *theirs;
    void *handle = dlopen(file->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (handle == NULL) {
        (void)snprintf(why, size, "%s", dlerror());
        return NULL;
    }
    theirs = dlsym(handle, "sg_module");
    /* Loaded it stays; the handle is no longer needed. */
    (void)dlclose(handle);
    if (sg_digest_file(digest, file->path) == -1)
        (void)snprintf(why, size, "%s", strerror(errno));
    else if (!sg_module_file_same(file))
        (void)snprintf(why, size, "it was replaced while it was being loaded: try again");
    else if (sg_proc_count("task") != threads)
        (void)snprintf(why, size, "it started a thread when it was loaded; workers are forked and would not have it");
    else if (theirs == NULL)
        (void)snprintf(why, size, "it has no symbol sg_module: it is no module of sockgate");
    else
        return theirs;
    return NULL;
}

static struct sg_loaded *
module_load(struct sg_instances *all, const struct sg_module_file *file, struct sg_arena *arena, char *why, size_t size)
{
    const struct sg_module *theirs;
    struct sg_loaded *loaded;
    struct sg_digest digest;

    for (loaded = all->loaded; loaded != NULL; loaded = loaded->next)
        if (strcmp(loaded->digest.path, file->path) == 0)
            return loaded;
    theirs = module_map(file, &digest, why, size);
    if (theirs == NULL)
        return NULL;
    loaded = sg_arena_alloc(arena, sizeof *loaded);
    if (module_descriptor(loaded, theirs, arena, why, size) == -1)
        return NULL;
    loaded->digest = digest;
    loaded->digest.path = sg_arena_strndup(arena, file->path, strlen(file->path));
    loaded->next = all->loaded;
    all->loaded = loaded;
    return loaded;
}

static void
module_settings(struct sg_instance *inst, struct sg_diag *diag)
{
    const struct sg_module *mod = inst->mod;
    char context[128];
    const struct sg_schema_walk walk = { inst->whole->text, inst->whole->arena, diag, context };

    (void)snprintf(context, sizeof context, "module \"%s\": ", inst->name);
    inst->settings = mod->conf_size > 0 ? sg_arena_alloc(inst->whole->arena, mod->conf_size) : NULL;
    sg_schema_read(&walk, inst->conf->settings, &inst->conf->where, mod->conf, inst->settings);
}

static void
module_init(struct sg_instance *inst, struct sg_diag *diag)
{
    const unsigned errors = sg_diag_errors(diag), threads = sg_proc_count("task");

    inst->diag = diag;
    inst->initialised = inst->mod->init == NULL || inst->mod->init(inst) == 0;
    if (!inst->initialised && sg_diag_errors(diag) == errors)
        sg_conf_error(inst, NULL, "its init failed and did not say why");
    if (sg_proc_count("task") != threads)
        sg_conf_error(inst, NULL, "its init started a thread; workers are forked and would not have it: use start");
    inst->diag = NULL;
}

static void (*module_loading)(const struct sg_conf *conf, const char *name);

void
sg_instances_watch(void (*loading)(const struct sg_conf *conf, const char *name))
{
    module_loading = loading;
}

static void
module_instance(struct sg_instances *all, struct sg_instance *inst, struct sg_diag *diag)
{
    const struct sg_module_conf *conf = inst->conf;
    struct sg_module_file file;
    const struct sg_loaded *loaded;
    unsigned errors = sg_diag_errors(diag);
    char why[2 * PATH_MAX];

    if (conf->name == NULL || conf->file == NULL)
        return; /* told when the configuration was read */
    if (sg_module_file_check(inst->whole->core.module_dir, conf->file, &file, why, sizeof why) == -1) {
        sg_diag_error(diag, &conf->where, conf->file, "module \"%s\": %s", conf->name, why);
        return;
    }
    if (module_loading != NULL)
        module_loading(inst->whole, conf->name);
    loaded = module_load(all, &file, inst->whole->arena, why, sizeof why);
    if (loaded == NULL) {
        sg_diag_error(diag, &conf->where, conf->file, "module \"%s\": %s: %s", conf->name, file.path, why);
        return;
    }
    inst->mod = &loaded->mod;
    module_settings(inst, diag);
    if (sg_diag_errors(diag) == errors)
        module_init(inst, diag);
}

struct sg_instances *
sg_instances_load(struct sg_conf *conf, struct sg_diag *diag)
{
    const struct sg_module_conf *confs = conf->modules.v;
    struct sg_instances *all = sg_arena_alloc(conf->arena, sizeof *all);

    all->n = conf->modules.n;
    all->v = sg_arena_alloc(conf->arena, all->n * sizeof *all->v + 1);
    for (size_t i = 0; i < all->n; i++) {
        all->v[i] =
            (struct sg_instance){ .number = (uint32_t)i + 1, .name = confs[i].name, .conf = &confs[i], .whole = conf };
        module_instance(all, &all->v[i], diag);
    }
    return all;
}

void
sg_instances_free(struct sg_instances *all)
{
    for (size_t i = all->n; i-- > 0;) {
        struct sg_instance *inst = &all->v[i];

        if (inst->initialised && inst->mod->fini != NULL)
            inst->mod->fini(inst);
        inst->initialised = false;
    }
    sg_images_free();
    sg_login_watch_free();
}

bool
sg_instance_serves(const struct sg_instance *inst, enum sg_process process)
{
    const struct sg_module *mod = inst->mod;
    const bool blocks = mod->auth != NULL && mod->auth->check != NULL && !mod->auth->in_worker;

    switch (process) {
    case SG_PROCESS_LOGGER: return mod->log != NULL;
    case SG_PROCESS_HELPER: return blocks || mod->work != NULL;
    default: return (mod->auth != NULL && !blocks) || mod->access != NULL || mod->command != NULL;
    }
}

int
sg_instances_start(struct sg_instances *all, enum sg_process process)
{
    for (size_t i = 0; i < all->n; i++) {
        struct sg_instance *inst = &all->v[i];
        uint32_t before;

        if (!sg_instance_serves(inst, process))
            continue;
        before = sg_worker_enter(inst);
        inst->started = inst->mod->start == NULL || inst->mod->start(inst, process) == 0;
        sg_worker_leave(before);
        if (!inst->started) {
            sg_logf(SG_LOG_EMERG, "module \"%s\": its start failed, in a process of uid %lu", inst->name,
                    (unsigned long)geteuid());
            sg_instances_stop(all);
            return -1;
        }
    }
    return 0;
}

void
sg_instances_stop(struct sg_instances *all)
{
    for (size_t i = all->n; i-- > 0;) {
        struct sg_instance *inst = &all->v[i];
        uint32_t before = sg_worker_enter(inst);

        if (inst->started && inst->mod->stop != NULL)
            inst->mod->stop(inst);
        inst->started = false;
        sg_worker_leave(before);
    }
}

struct sg_instance *
sg_instance_find(struct sg_instances *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].name != NULL && strcmp(all->v[i].name, name) == 0)
            return &all->v[i];
    return NULL;
}

static void
instance_print_group(FILE *out, const char *name, const struct sg_conf_item *items, const void *base, int indent)
{
    (void)fprintf(out, "%*s%s = {\n", indent, "", name);
    sg_schema_print(out, items, base, indent + 2, NULL, NULL);
    (void)fprintf(out, "%*s};\n", indent, "");
}

void
sg_instances_print_settings(FILE *out, const void *module_conf, int indent, void *instances)
{
    const struct sg_instances *all = instances;

    for (size_t i = 0; i < all->n; i++) {
        const struct sg_instance *inst = &all->v[i];

        if (inst->conf != module_conf || inst->mod == NULL)
            continue;
        /* Given, it is there already. */
        if (inst->conf->helper.where.line == 0 && sg_instance_serves(inst, SG_PROCESS_HELPER))
            instance_print_group(out, "helper", sg_helper_conf_items, &inst->conf->helper, indent);
        if (inst->mod->conf != NULL)
            instance_print_group(out, "settings", inst->mod->conf, inst->settings, indent);
    }
}
