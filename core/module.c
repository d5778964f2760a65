/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.c - opens shared objects, checks their descriptors, makes instances.
 *
 * A descriptor is copied into structs of our own, as many octets as its size says: what an older module does not know
 * is zero. Files are opened with RTLD_NODELETE and never closed: a generation keeps its modules until it ends.
 */
#include "module.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "module_file.h"

const char *
sg_module_dir_default(void)
{
    const char *dir = getenv("SOCKGATE_MODULE_DIR");
    struct stat st;

    /* Only for who built this binary: nobody else may choose what it loads. */
    if (dir != NULL && dir[0] == '/' && geteuid() == getuid() && stat("/proc/self/exe", &st) == 0 &&
        st.st_uid == getuid())
        return dir;
    return SG_MODULE_DIR;
}

static unsigned
module_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned n = 0;

    while (dir != NULL && readdir(dir) != NULL)
        n++;
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}

/* One struct of functions: its size is its first member. */
static bool
module_copy_ops(void *to, size_t size, const void *from, size_t least)
{
    size_t theirs;

    memcpy(&theirs, from, sizeof theirs);
    if (theirs < least || theirs > 4096)
        return false;
    memcpy(to, from, theirs < size ? theirs : size);
    return true;
}

/* While the major number is 0 everything may change; from 1.0 on an older minor keeps loading. */
static bool
module_abi_fits(const struct sg_module *mod)
{
#if SG_ABI_MAJOR == 0
    return mod->abi_major == SG_ABI_MAJOR && mod->abi_minor == SG_ABI_MINOR;
#else
    return mod->abi_major == SG_ABI_MAJOR && mod->abi_minor <= SG_ABI_MINOR;
#endif
}

static int
module_ops(struct sg_loaded *loaded, char *why, size_t size)
{
    struct sg_module *mod = &loaded->mod;

    if ((mod->auth != NULL && !module_copy_ops(&loaded->auth, sizeof loaded->auth, mod->auth, sizeof(size_t))) ||
        (mod->access != NULL &&
         !module_copy_ops(&loaded->access, sizeof loaded->access, mod->access, sizeof(size_t))) ||
        (mod->command != NULL &&
         !module_copy_ops(&loaded->command, sizeof loaded->command, mod->command, sizeof(size_t)))) {
        (void)snprintf(why, size, "the size in its auth, access or command functions is wrong: set .size = sizeof");
        return -1;
    }
    mod->auth = mod->auth != NULL ? &loaded->auth : NULL;
    mod->access = mod->access != NULL ? &loaded->access : NULL;
    mod->command = mod->command != NULL ? &loaded->command : NULL;
    if (mod->auth != NULL && (mod->auth->check == NULL) == (mod->auth->exchange == NULL)) {
        (void)snprintf(why, size, "an auth module has either check or exchange, not both and not neither");
        return -1;
    }
    if (mod->auth != NULL && mod->auth->exchange != NULL &&
        (mod->auth->max_message == 0 || mod->auth->max_message > 131072)) {
        (void)snprintf(why, size, "max_message of its exchange is %zu: from 1 to 131072 is allowed",
                       mod->auth->max_message);
        return -1;
    }
    if (mod->command != NULL && mod->command->start == NULL) {
        (void)snprintf(why, size, "a command module needs start()");
        return -1;
    }
    if (mod->auth == NULL && mod->access == NULL && mod->command == NULL) {
        (void)snprintf(why, size, "it has no role: one of auth, access, command");
        return -1;
    }
    return 0;
}

static int
module_descriptor(struct sg_loaded *loaded, const struct sg_module *theirs, struct sg_arena *arena, char *why,
                  size_t size)
{
    struct sg_module *mod = &loaded->mod;
    const char *wrong;

    if (theirs->magic != SG_MODULE_MAGIC) {
        (void)snprintf(why, size, "the symbol sg_module is no descriptor (magic %08x, expected %08x)", theirs->magic,
                       SG_MODULE_MAGIC);
        return -1;
    }
    if (!module_abi_fits(theirs)) {
        (void)snprintf(why, size, "it was built for module ABI %u.%u, this sockgate has %u.%u: build it again",
                       theirs->abi_major, theirs->abi_minor, SG_ABI_MAJOR, SG_ABI_MINOR);
        return -1;
    }
    if (theirs->size < offsetof(struct sg_module, conf) || theirs->size > 4096) {
        (void)snprintf(why, size, "its descriptor has size %zu, expected %zu", theirs->size, sizeof *mod);
        return -1;
    }
    memcpy(mod, theirs, theirs->size < sizeof *mod ? theirs->size : sizeof *mod);
    if (mod->conf_item_size != sizeof(struct sg_conf_item)) {
        (void)snprintf(why, size, "its settings table has rows of %zu octets, expected %zu", mod->conf_item_size,
                       sizeof(struct sg_conf_item));
        return -1;
    }
    if (mod->name == NULL) {
        (void)snprintf(why, size, "it has no name");
        return -1;
    }
    if ((wrong = sg_schema_check(mod->conf, mod->conf_size, arena)) != NULL) {
        (void)snprintf(why, size, "its settings table is wrong: %s", wrong);
        return -1;
    }
    return module_ops(loaded, why, size);
}

static struct sg_loaded *
module_open(struct sg_instances *all, const struct sg_conf *conf, const char *path, char *why, size_t size)
{
    const unsigned threads = module_threads();
    struct sg_loaded *loaded;
    const void *symbol;
    void *handle;

    for (loaded = all->loaded; loaded != NULL; loaded = loaded->next)
        if (strcmp(loaded->path, path) == 0)
            return loaded;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        (void)snprintf(why, size, "%s", dlerror());
        return NULL;
    }
    symbol = dlsym(handle, "sg_module");
    if (symbol == NULL) {
        (void)snprintf(why, size, "it has no symbol \"sg_module\": this is no module of sockgate");
        return NULL;
    }
    if (module_threads() != threads) {
        (void)snprintf(why, size, "it started a thread while it was loaded; workers are forked and would lose it");
        return NULL;
    }
    loaded = sg_arena_alloc(conf->arena, sizeof *loaded);
    if (module_descriptor(loaded, symbol, conf->arena, why, size) == -1)
        return NULL;
    loaded->handle = handle;
    loaded->path = sg_arena_strndup(conf->arena, path, strlen(path));
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
    const unsigned errors = sg_diag_errors(diag), threads = module_threads();

    inst->diag = diag;
    if (inst->mod->init != NULL && inst->mod->init(inst) != 0 && sg_diag_errors(diag) == errors)
        sg_conf_error(inst, NULL, "its init failed without saying why");
    if (module_threads() != threads)
        sg_conf_error(inst, NULL, "it started a thread in init; workers are forked and would lose it: use start");
    inst->diag = NULL;
}

static void
module_instance(struct sg_instances *all, struct sg_conf *conf, size_t i, struct sg_diag *diag)
{
    const struct sg_module_conf *mc = &((const struct sg_module_conf *)conf->modules.v)[i];
    struct sg_instance *inst = &all->v[i];
    char path[PATH_MAX], why[1024];
    struct sg_loaded *loaded;
    unsigned errors;

    inst->number = (uint32_t)i + 1;
    inst->name = mc->name;
    inst->conf = mc;
    inst->whole = conf;
    if (mc->name == NULL || mc->file == NULL)
        return;
    if (sg_module_file_check(conf->core.module_dir, mc->file, path, why, sizeof why) == -1) {
        sg_diag_error(diag, &mc->where, mc->file, "module \"%s\": %s", mc->name, why);
        return;
    }
    loaded = module_open(all, conf, path, why, sizeof why);
    if (loaded == NULL) {
        sg_diag_error(diag, &mc->where, mc->file, "module \"%s\": %s: %s", mc->name, path, why);
        return;
    }
    inst->mod = &loaded->mod;
    errors = sg_diag_errors(diag);
    module_settings(inst, diag);
    if (sg_diag_errors(diag) == errors)
        module_init(inst, diag);
}

struct sg_instances *
sg_instances_load(struct sg_conf *conf, struct sg_diag *diag)
{
    struct sg_instances *all = sg_arena_alloc(conf->arena, sizeof *all);

    all->n = conf->modules.n;
    all->v = sg_arena_alloc(conf->arena, all->n * sizeof *all->v + 1);
    for (size_t i = 0; i < all->n; i++)
        module_instance(all, conf, i, diag);
    return all;
}

void
sg_instances_free(struct sg_instances *all)
{
    for (size_t i = all->n; i-- > 0;)
        if (all->v[i].mod != NULL && all->v[i].mod->fini != NULL)
            all->v[i].mod->fini(&all->v[i]);
}

int
sg_instances_start(struct sg_instances *all, enum sg_process process)
{
    for (size_t i = 0; i < all->n; i++) {
        struct sg_instance *inst = &all->v[i];

        if (inst->mod->start != NULL && inst->mod->start(inst, process) != 0) {
            sg_logf(SG_LOG_EMERG, "module \"%s\": start failed", inst->name);
            sg_instances_stop(all);
            return -1;
        }
        inst->started = true;
    }
    return 0;
}

void
sg_instances_stop(struct sg_instances *all)
{
    for (size_t i = all->n; i-- > 0;) {
        struct sg_instance *inst = &all->v[i];

        if (inst->started && inst->mod->stop != NULL)
            inst->mod->stop(inst);
        inst->started = false;
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

void
sg_instances_print_settings(FILE *out, const void *module_conf, int indent, void *instances)
{
    const struct sg_instances *all = instances;

    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].conf == module_conf && all->v[i].mod != NULL && all->v[i].mod->conf != NULL) {
            (void)fprintf(out, "%*ssettings = {\n", indent, "");
            sg_schema_print(out, all->v[i].mod->conf, all->v[i].settings, indent + 2, NULL, NULL);
            (void)fprintf(out, "%*s};\n", indent, "");
        }
}
