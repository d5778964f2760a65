/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modtest.h - sockgate-modtest: a module in the real core, alone, with everything against it.
 *
 *   parent ---- forks one child for each scene, kills what hangs, tells the mistakes
 *     |           memory that all share: the mistakes, and which function of the module runs since when
 *     +-- scene   loads the module, opens a worker (and the helpers it needs), plays its part, ends
 *          +-- helper
 *
 * The functions of the module are called through wrappers (wrap.c), which know whose code runs, how long, and with what
 * pointers. Every allocation of the process goes through alloc.c. Pointers that are good for one call lie on pages of
 * their own (guard.c), so that to read past them, or later, is a fault that can be named.
 */
#ifndef SG_MODTEST_H
#define SG_MODTEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "diag.h"
#include "hooks.h"
#include "module.h"
#include "pool.h"
#include "session.h"
#include "worker.h"

/* ---- report.c: what all processes share */

enum mt_hook {
    MT_NONE,
    MT_LOAD, /* the loading itself, with init() */
    MT_START,
    MT_STOP,
    MT_FINI,
    MT_CHECK,
    MT_EXCHANGE,
    MT_CLIENT,
    MT_REQUEST,
    MT_TARGET,
    MT_COMMAND,
    MT_CANCEL,
    MT_SESSION_END,
    MT_WORK,
    MT_EVENT,
    MT_COMMIT,
    MT_REOPEN,
    MT_RECOVER,
    MT_DESCRIPTOR,
    MT_CALLBACK, /* of a timer, a dial, a filter */
    MT_HOOKS
};

#define MT_MISTAKES_MAX 32
#define MT_TEXT_MAX 400

struct mt_shared {
    _Atomic unsigned n_mistakes;
    char mistakes[MT_MISTAKES_MAX][MT_TEXT_MAX];
    _Atomic int hook;              /* enum mt_hook: what runs */
    _Atomic int64_t hook_began_ms; /* 0: nothing */
    _Atomic unsigned calls[MT_HOOKS];
    _Atomic unsigned again; /* answers SG_AGAIN */
    _Atomic int again_hook;
    _Atomic unsigned allocations; /* of the scene, in code of the module */
    _Atomic bool loaded;
    _Atomic bool faulted; /* the fault that ended a process has its sentence */
    unsigned roles;       /* enum mt_role, or-ed */
    int method, cmd;      /* -1: none */
    bool exchange, in_worker;
    size_t max_message;
};

enum mt_role { MT_AUTH = 1, MT_ACCESS = 2, MT_COMMANDS = 4, MT_LOG = 8, MT_WORKS = 16 };

extern struct mt_shared *mt_shared;

int mt_report_open(void);
const char *mt_hook_name(enum mt_hook hook);
/* One sentence; said twice it counts once. Safe in a signal handler as long as `format` has only %s, %d and %zu. */
void mt_mistake(const char *format, ...) SG_PRINTF(1, 2);
/* With what the module itself has said about it. */
void mt_start_failed(const char *where);
/* Is there one already? Then it is told before others are looked for. */
bool mt_found(void);
/* Faults of this process are told from now on. */
void mt_faults_watch(void);
/* The error log goes to a file of our own; what the core has to say about the module there becomes mistakes. */
int mt_log_open(void);
void mt_log_read(void);

/* ---- alloc.c */

/* What is allocated from here on by code that was mapped later counts as the module's. */
void mt_alloc_begin(void);
/* Live blocks and octets that the module has allocated. */
void mt_alloc_live(size_t *blocks_out, size_t *octets_out);
/* The n-th allocation in code of the module fails; 0: none. */
void mt_alloc_fail(unsigned n);
bool mt_alloc_fails(void);
/* Blocks of this size that the core makes for the module lie on pages of their own. */
void mt_alloc_slots(size_t size);
/* Has the tool an eye on memory? Not in a build with AddressSanitizer, which has its own. */
bool mt_alloc_works(void);

/* ---- guard.c */

enum mt_guard { MT_GUARD_CREDS, MT_GUARD_JOB, MT_GUARD_SLOT, MT_GUARD_CONF };

/* A copy whose last octet is the last of its page; behind it is nothing. NULL: no memory. */
void *mt_guard_copy(enum mt_guard kind, const void *octets, size_t len);
void mt_guard_read_only(const void *copy);
/* From now on it is not even to be looked at. False: it is none of ours. */
bool mt_guard_end(const void *copy);
/* What is wrong with having touched this address, NULL: nothing is known. */
const char *mt_guard_blame(const void *address);

/* ---- wrap.c */

/* Puts wrappers around all functions of the instance's module. */
void mt_wrap(struct sg_instances *all, struct sg_instance *inst);
/* In which kind of process are we? Only in a worker time counts. */
void mt_wrap_process(enum sg_process kind);
enum mt_hook mt_wrap_hook(void); /* which function of the module runs in this process? */
bool mt_wrap_inside(void);       /* does any code of the module run? */
void mt_wrap_loading(bool loading);

/* ---- world.c */

struct mt_options {
    const char *file, *settings;
    const char *user, *password; /* a login that is good; NULL: none is known */
    int64_t wait_ms;             /* how long an answer may take */
};

struct mt_world {
    struct sg_diag *diag;
    struct sg_conf_text *text;
    struct sg_conf *conf;
    struct sg_instances *all;
    struct sg_instance *inst; /* the module's */
    struct sg_hooks *hooks;
    struct sg_pools pools;
    struct sg_worker_status status;
    struct sg_worker_boot boot;
    struct sg_worker_listener listener;
    ev_timer tick;
    int target, echo; /* what sessions connect to; its connection */
    uint16_t port;
};

extern struct mt_options mt_options;

/* Reads, loads and inits, as a generation does. -1: the mistakes are told. `peek`: without hooks, to see the roles. */
int mt_world_load(struct mt_world *w, bool peek);
int mt_world_open(struct mt_world *w); /* a worker, its helpers, a target. -1: told */
void mt_world_close(struct mt_world *w);
void mt_world_unload(struct mt_world *w);
void mt_world_turn(struct mt_world *w); /* one turn of the loop; ends within some milliseconds */

/* ---- client.c */

struct mt_client {
    struct sg_session *s;
    int fd;
    size_t received;
    bool gone; /* the gateway has closed */
};

#define MT_SCRIPT_MAX 8192

/* What a client sends from its first octet on, and where a turn must pass between. */
struct mt_script {
    size_t len;
    uint8_t octets[MT_SCRIPT_MAX];
};

int mt_client_open(struct mt_world *w, struct mt_client *c);
/* All but what is not taken; in pieces of `piece` octets, with a turn between. */
void mt_client_send(struct mt_world *w, struct mt_client *c, const uint8_t *octets, size_t len, size_t piece);
/* Turns until nothing happens any more; an answer that is waited for may take mt_options.wait_ms, then it is named. */
void mt_client_settle(struct mt_world *w, struct mt_client *c);
/* The client goes: with a reset, or in peace. Turns until the session is freed. */
void mt_client_close(struct mt_world *w, struct mt_client *c, bool reset);

/* ---- scenes.c, scenes_helper.c, scenes_log.c */

void mt_scene_peek(unsigned n);
void mt_scene_sessions(unsigned n);
void mt_scene_hostile(unsigned n);
void mt_scene_ends(unsigned n);
void mt_scene_leaks(unsigned n);
void mt_scene_memory(unsigned n); /* the n-th allocation fails */
void mt_scene_helper(unsigned n);
void mt_scene_log(unsigned n);

#endif
