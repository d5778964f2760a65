/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wrap.c - around each function of the module: who runs, how long, with pointers that are good for this call alone.
 *
 * The core keeps its own copies of the module's tables; in those each function is replaced by one of ours.
 */
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "modtest/modtest.h"

#define CPU_MAX_MS 100
#define WALL_MAX_MS 1000

static struct sg_module mod; /* what the module has */
static struct sg_auth_ops auth;
static struct sg_access_ops access_ops;
static struct sg_command_ops command;
static struct sg_log_ops log_ops;

static enum sg_process process;
static enum mt_hook running;
static struct sg_instance *wrapped;

struct call {
    enum mt_hook before;
    int64_t began_ms;
    struct rusage usage;
};

enum mt_hook
mt_wrap_hook(void)
{
    return running;
}

bool
mt_wrap_inside(void)
{
    const struct sg_worker_boot *boot = sg_worker_boot();

    return running != MT_NONE || (wrapped != NULL && boot != NULL &&
                                  atomic_load_explicit(&boot->status->doing, memory_order_relaxed) == wrapped->number);
}

void
mt_wrap_process(enum sg_process kind)
{
    process = kind;
}

void
mt_wrap_loading(bool loading)
{
    running = loading ? MT_LOAD : MT_NONE;
    atomic_store(&mt_shared->hook, running);
    atomic_store(&mt_shared->hook_began_ms, loading ? sg_mono_ms() : 0);
}

static void
call_begin(struct call *call, enum mt_hook hook)
{
    call->before = running;
    running = hook;
    atomic_fetch_add(&mt_shared->calls[hook], 1);
    atomic_store(&mt_shared->hook, (int)hook);
    call->began_ms = sg_mono_ms();
    atomic_store(&mt_shared->hook_began_ms, call->began_ms);
    (void)getrusage(RUSAGE_THREAD, &call->usage);
}

static int64_t
call_cpu_ms(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
           (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
}

static bool
call_may_block(enum mt_hook hook)
{
    return process != SG_PROCESS_WORKER || hook == MT_START || hook == MT_STOP || hook == MT_FINI;
}

/* Who has only lost the processor to others was not blocked: it has never given it up. */
static void
call_end(const struct call *call)
{
    const int64_t wall = sg_mono_ms() - call->began_ms;
    struct rusage now;

    (void)getrusage(RUSAGE_THREAD, &now);
    if (!call_may_block(running) && ((wall >= WALL_MAX_MS && now.ru_nvcsw > call->usage.ru_nvcsw) ||
                                     call_cpu_ms(&now) - call_cpu_ms(&call->usage) > CPU_MAX_MS))
        mt_mistake("%s blocks its worker: nothing there may take longer than a moment; make a handle, and have a timer "
                   "or work() in a helper resolve it",
                   mt_hook_name(running));
    running = call->before;
    atomic_store(&mt_shared->hook, (int)running);
    atomic_store(&mt_shared->hook_began_ms, 0);
}

static enum sg_verdict
call_verdict(const struct call *call, enum sg_verdict verdict)
{
    if (verdict == SG_AGAIN) {
        atomic_fetch_add(&mt_shared->again, 1);
        atomic_store(&mt_shared->again_hook, (int)running);
    }
    call_end(call);
    return verdict;
}

#define CALL(hook, expression)                                                                                         \
    do {                                                                                                               \
        struct call call;                                                                                              \
                                                                                                                       \
        call_begin(&call, hook);                                                                                       \
        expression;                                                                                                    \
        call_end(&call);                                                                                               \
    } while (0)

#define CALL_FOR_VERDICT(hook, expression)                                                                             \
    do {                                                                                                               \
        struct call call;                                                                                              \
                                                                                                                       \
        call_begin(&call, hook);                                                                                       \
        return call_verdict(&call, expression);                                                                        \
    } while (0)

/* ---- the life of the instance */

static int
wrap_start(struct sg_instance *inst, enum sg_process kind)
{
    int status;

    process = kind;
    CALL(MT_START, status = mod.start(inst, kind));
    return status;
}

static void
wrap_stop(struct sg_instance *inst)
{
    CALL(MT_STOP, mod.stop(inst));
}

static void
wrap_fini(struct sg_instance *inst)
{
    CALL(MT_FINI, mod.fini(inst));
}

static void
wrap_cancel(struct sg_instance *inst, struct sg_pending *pending)
{
    CALL(MT_CANCEL, mod.cancel(inst, pending));
}

static void
wrap_session_end(struct sg_instance *inst, struct sg_session *s)
{
    CALL(MT_SESSION_END, mod.session_end(inst, s));
}

static enum sg_verdict
wrap_work(struct sg_instance *inst, const void *job, size_t len)
{
    const void *copy = mt_guard_copy(MT_GUARD_JOB, job, len);
    enum sg_verdict verdict;

    CALL(MT_WORK, verdict = mod.work(inst, copy != NULL ? copy : job, len));
    (void)mt_guard_end(copy);
    return verdict;
}

/* ---- roles */

static enum sg_verdict
wrap_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    void *name = mt_guard_copy(MT_GUARD_CREDS, creds->name, creds->name_len);
    void *secret = mt_guard_copy(MT_GUARD_CREDS, creds->secret, creds->secret_len);
    struct sg_creds *copy = mt_guard_copy(MT_GUARD_CREDS, creds, sizeof *creds);
    enum sg_verdict verdict;

    if (name == NULL || secret == NULL || copy == NULL)
        return SG_ERROR;
    copy->name = name;
    copy->secret = secret;
    CALL(MT_CHECK, verdict = auth.check(inst, copy, answer));
    (void)mt_guard_end(name);
    (void)mt_guard_end(secret);
    (void)mt_guard_end(copy);
    return verdict;
}

static enum sg_verdict
wrap_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
              struct sg_answer *answer)
{
    CALL_FOR_VERDICT(MT_EXCHANGE, auth.exchange(inst, s, in, out, answer));
}

static enum sg_verdict
wrap_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    CALL_FOR_VERDICT(MT_CLIENT, access_ops.client(inst, s, decision));
}

static enum sg_verdict
wrap_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, struct sg_decision *decision)
{
    CALL_FOR_VERDICT(MT_REQUEST, access_ops.request(inst, s, req, decision));
}

static enum sg_verdict
wrap_target(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
            struct sg_decision *decision)
{
    CALL_FOR_VERDICT(MT_TARGET, access_ops.target(inst, s, req, addr, decision));
}

static enum sg_verdict
wrap_command(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    CALL_FOR_VERDICT(MT_COMMAND, command.start(inst, s, req));
}

static int
wrap_event(struct sg_instance *inst, const struct sg_event_info *event)
{
    int status;

    CALL(MT_EVENT, status = log_ops.event(inst, event));
    return status;
}

static int
wrap_commit(struct sg_instance *inst)
{
    int status;

    CALL(MT_COMMIT, status = log_ops.commit(inst));
    return status;
}

static int
wrap_reopen(struct sg_instance *inst)
{
    int status;

    CALL(MT_REOPEN, status = log_ops.reopen(inst));
    return status;
}

static int
wrap_recover(struct sg_instance *inst, int before, sg_event_seen *seen, void *arg)
{
    int status;

    CALL(MT_RECOVER, status = log_ops.recover(inst, before, seen, arg));
    return status;
}

static int
wrap_descriptor(struct sg_instance *inst)
{
    int fd;

    CALL(MT_DESCRIPTOR, fd = log_ops.descriptor(inst));
    return fd;
}

/* ---- putting them there */

#define WRAP(ops, function, wrapper) ((ops)->function = (ops)->function != NULL ? (wrapper) : NULL)

static void
wrap_roles(struct sg_loaded *loaded)
{
    auth = loaded->auth;
    access_ops = loaded->access;
    command = loaded->command;
    log_ops = loaded->log;
    WRAP(&loaded->auth, check, wrap_check);
    WRAP(&loaded->auth, exchange, wrap_exchange);
    WRAP(&loaded->access, client, wrap_client);
    WRAP(&loaded->access, request, wrap_request);
    WRAP(&loaded->access, target, wrap_target);
    WRAP(&loaded->command, start, wrap_command);
    WRAP(&loaded->log, event, wrap_event);
    WRAP(&loaded->log, commit, wrap_commit);
    WRAP(&loaded->log, reopen, wrap_reopen);
    WRAP(&loaded->log, recover, wrap_recover);
    WRAP(&loaded->log, descriptor, wrap_descriptor);
}

void
mt_wrap(struct sg_instances *all, struct sg_instance *inst)
{
    struct sg_loaded *loaded = all->loaded;

    while (&loaded->mod != inst->mod)
        loaded = loaded->next;
    wrapped = inst;
    mod = loaded->mod;
    WRAP(&loaded->mod, start, wrap_start);
    WRAP(&loaded->mod, stop, wrap_stop);
    WRAP(&loaded->mod, fini, wrap_fini);
    WRAP(&loaded->mod, cancel, wrap_cancel);
    WRAP(&loaded->mod, session_end, wrap_session_end);
    WRAP(&loaded->mod, work, wrap_work);
    wrap_roles(loaded);
}
