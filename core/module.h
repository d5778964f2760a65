/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.h - loading shared objects and making instances of them.
 */
#ifndef SG_MODULE_CORE_H
#define SG_MODULE_CORE_H

#include <sockgate/module.h>

#include "conf.h"
#include "digest.h"
#include "log.h"
#include "schema.h"

/* One loaded file. Several instances may share it. */
struct sg_loaded {
    struct sg_loaded *next;
    struct sg_digest digest; /* with its path */
    struct sg_module mod;    /* our own copy, zero behind what the module's version knows */
    struct sg_auth_ops auth; /* likewise; mod.auth points here, or NULL */
    struct sg_access_ops access;
    struct sg_command_ops command;
    struct sg_log_ops log;
};

/* The lines that an instance has written about sessions: bounded, since strangers provoke them. */
struct sg_instance_lines {
    int64_t second;
    unsigned written, left_out;
};

struct sg_pool;

/* One entry of `modules`. Constant after init, but for `data`, `started` and `lines`, which are each process's own. */
struct sg_instance {
    uint32_t number; /* index + 1 */
    const char *name;
    const struct sg_module *mod; /* NULL: could not be loaded */
    const struct sg_module_conf *conf;
    const struct sg_conf *whole;
    struct sg_diag *diag; /* where sg_conf_error() goes; NULL after init */
    void *settings;       /* filled struct of mod->conf_size */
    void *data;
    bool initialised, started;
    struct sg_instance_lines lines;
    struct sg_pool *pool; /* its helpers; NULL: it has none, or none in this process */
};

struct sg_instances {
    size_t n;
    struct sg_instance *v;
    struct sg_loaded *loaded;
};

/*
 * Loads every file of conf->modules after checking it (regular file, owner root or `owner`, not writable by others, the
 * folders above it up to the module directory likewise, ELF, symbol, magic, ABI, sizes, no thread started), reads the
 * settings, calls init(). Every mistake goes to `diag` with FILE:LINE; the result is whole only if there was none.
 */
struct sg_instances *sg_instances_load(struct sg_conf *conf, struct sg_diag *diag);
/* Who hears of each instance before its file is loaded and its init() runs, both of which may block. */
void sg_instances_watch(void (*loading)(const struct sg_conf *conf, const char *name));
void sg_instances_free(struct sg_instances *all); /* fini() of all, in reverse order */
/*
 * Does this instance work in that process? A log works in the logger, a check that may block and work() in helpers of the
 * instance's own, everything else in workers.
 */
bool sg_instance_serves(const struct sg_instance *inst, enum sg_process process);
/* start() of all that serve there, in order; -1 and a message in the error log if one fails (those started are stopped again). */
int sg_instances_start(struct sg_instances *all, enum sg_process process);
void sg_instances_stop(struct sg_instances *all);
struct sg_instance *sg_instance_find(struct sg_instances *all, const char *name);
/* A module has broken the rules of the ABI. `s` may be NULL. Limited as sg_slog() is. */
void sg_module_error(struct sg_instance *inst, const struct sg_session *s, const char *format, ...) SG_PRINTF(3, 4);
/* For -T: prints `settings` of one module_conf, and `helper` if it takes effect without being given. */
void sg_instances_print_settings(FILE *out, const void *module_conf, int indent, void *instances);
/* May a module that was made for their version be loaded by ours? */
bool sg_module_abi_fits(unsigned their_major, unsigned their_minor, unsigned our_major, unsigned our_minor);

#endif
