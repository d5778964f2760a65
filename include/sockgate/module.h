/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.h - what a module is. The first header to read.
 *
 * A session, step by step, and who is asked at each step (C: core, M: a module of that role):
 *
 *   client                       gateway
 *   connects to a listener   ->  C  `clients` of the listener            outside: closed
 *                                M  access.client(address)               DENY: closed, session_refused
 *   05 02 00 80              ->  C  reads VER, NMETHODS, METHODS, takes the first auth instance of the hook table whose
 *                                   METHOD was offered and whose `clients` hold the client
 *                            <-  C  05 80
 *   01 hello                 ->  M  auth.exchange(in = "01 hello")       UNDECIDED: more, please
 *                            <-  M  out = "01 nonce"
 *   01 proof                 ->  M  auth.exchange(in = "01 proof")       OK: sg_answer_name("alice"), maybe a filter
 *                                C  the identity is fixed; from here on the filter, if any, works both ways
 *   05 01 00 01 c0000207 0050->  C  reads the request, makes DST.ADDR canonical
 *                                M  access.request(CONNECT 192.0.2.7:80) OK by rule "web"; DENY: 05 02, session_refused
 *                                M  command.start() of the module for CONNECT: sg_dial(), returns AGAIN
 *                                M  access.target(192.0.2.7)             each address that would be dialled
 *                                C  special-range guard, then connect()
 *                                M  its done(): sg_reply(00), sg_relay_start(), sg_pending_resolve(OK)
 *                            <-  C  session_start is published, then 05 00 00 01 BND.ADDR BND.PORT leaves
 *   octets                  <->  C  relay, until both sides have ended; then M session_end() of every module with a slot
 *                                C  session_end is recorded
 *
 * Where code runs: the generation loads every module and calls init() once; workers, helpers and the logger are forked
 * from it, and each calls start() of what it runs. In a worker nothing may block: a callback that takes 2 s is named in
 * the error log, after 10 s the worker is aborted and replaced. In a helper everything may: check() of the role auth,
 * and work().
 *
 * How to write one: a C file with one constant `sg_module`, compiled with the flags of `pkg-config --cflags sockgate`
 * as a shared object. modules/auth_none.c is the smallest that ships.
 */
#ifndef SOCKGATE_MODULE_H
#define SOCKGATE_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include <sockgate/access.h>
#include <sockgate/addr.h>
#include <sockgate/auth.h>
#include <sockgate/bind.h>
#include <sockgate/buf.h>
#include <sockgate/command.h>
#include <sockgate/conf.h>
#include <sockgate/event.h>
#include <sockgate/filter.h>
#include <sockgate/helper.h>
#include <sockgate/image.h>
#include <sockgate/log.h>
#include <sockgate/session.h>
#include <sockgate/socks.h>
#include <sockgate/timer.h>
#include <sockgate/udp.h>
#include <sockgate/visibility.h>

/* "SGmo": the first four octets of every descriptor. */
#define SG_MODULE_MAGIC 0x53476d6fu

/* The version of everything in these headers. While the major number is 0 it must match exactly. */
#define SG_ABI_MAJOR 0
#define SG_ABI_MINOR 1

/* The kind of process that start() runs in. */
enum sg_process { SG_PROCESS_WORKER = 1, SG_PROCESS_HELPER = 2, SG_PROCESS_LOGGER = 3 };

/*
 * The descriptor: the one symbol that a module exports, named `sg_module`. Functions and roles that a module does not
 * have are NULL. It grows only at the end.
 */
struct sg_module {
    uint32_t magic; /* these four and the name: SG_MODULE_HEAD("auth_none") */
    uint16_t abi_major, abi_minor;
    size_t size;                     /* sizeof(struct sg_module) */
    const char *name;                /* the module's name, as its file's without ".so" */
    const char *version;             /* of the module, for -V; NULL: none */
    const struct sg_conf_item *conf; /* the keys of `settings`; NULL: none are allowed */
    size_t conf_item_size;           /* sizeof(struct sg_conf_item) */
    size_t conf_size;                /* of the struct that `conf` describes: allocated, zeroed and filled by the core */
    size_t session_size;             /* of the slot that sg_session_slot() gives */

    int (*init)(struct sg_instance *inst); /* generation: check everything, keep no secret. -1: do not start */
    int (*start)(struct sg_instance *inst, enum sg_process process); /* each process: load what it needs. -1: end it */
    void (*stop)(struct sg_instance *inst); /* each process that start() succeeded in, before it ends */
    void (*fini)(struct sg_instance *inst); /* generation, before it ends */
    void (*cancel)(struct sg_instance *inst, struct sg_pending *pending); /* the answer is no longer wanted */
    void (*session_end)(struct sg_instance *inst, struct sg_session *s);  /* free what the slot holds */

    const struct sg_auth_ops *auth;
    const struct sg_access_ops *access;
    const struct sg_command_ops *command;
    const struct sg_log_ops *log;

    /* Helper: does what sg_helper_submit() was given. May block, up to the operator's `timeout`. */
    enum sg_verdict (*work)(struct sg_instance *inst, const void *job, size_t len);
};

/* The head of every descriptor. */
#define SG_MODULE_HEAD(module_name)                                                                                    \
    .magic = SG_MODULE_MAGIC, .abi_major = SG_ABI_MAJOR, .abi_minor = SG_ABI_MINOR, .size = sizeof(struct sg_module),  \
    .conf_item_size = sizeof(struct sg_conf_item), .name = (module_name)

/* What a module file must define: `const struct sg_module sg_module = { SG_MODULE_HEAD("name"), ... };` */
extern SG_EXPORT const struct sg_module sg_module;

/*
 * The filled settings of the instance: a struct of conf_size octets.
 * Owner:  the core; constant from init() on, good as long as the process.
 * Blocks: never.
 * Errors: NULL if the module declares no settings.
 * RFC:    none.
 */
SG_API const void *sg_instance_conf(const struct sg_instance *inst);

/*
 * The name of the instance, as in the configuration.
 * Owner:  the core; good as long as the process.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API const char *sg_instance_name(const struct sg_instance *inst);

/*
 * How many milliseconds a check() or work() of the instance may take in a helper (`helper.timeout`): who takes longer is
 * killed. For init() of modules that have a time-out of their own.
 * Owner:  none.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API int64_t sg_instance_timeout(const struct sg_instance *inst);

/*
 * Keeps a pointer for the module: one per instance and process. What init() set is seen, copied, by every process.
 * Owner:  the module owns what it points to.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_instance_set_data(struct sg_instance *inst, void *data);

/*
 * The pointer that sg_instance_set_data() kept.
 * Owner:  the module.
 * Blocks: never.
 * Errors: NULL if nothing was set.
 * RFC:    none.
 */
SG_API void *sg_instance_data(const struct sg_instance *inst);

#endif
