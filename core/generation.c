/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generation.c - one configuration in service.
 *
 *   WAITING --START--> LOADING ---- all are ready ---> READY --GO--> CURRENT --DRAIN--> DRAINING --all gone--> exit
 *                         |                                            |                  ^
 *                         +-- anything wrong: FAILED, exit             +-- master gone ---+      STOP: everything at once
 *
 * No event loop here (workers are forked from this process): signalfd and ppoll.
 */
#include "generation.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "conf_check.h"
#include "events.h"
#include "load.h"
#include "log.h"
#include "logger.h"
#include "login_watch.h"
#include "login_throttle.h"
#include "master_state.h"
#include "msg.h"
#include "policy.h"
#include "sockets.h"
#include "supervise.h"
#include "units.h"

#define GENERATION_STOP_MS 4000
#define GEN_FDS 4 /* signals, master, logger, files of users; then workers and helpers */
#define GENERATION_DRAIN_GRACE_MS 5000

enum gen_state { GEN_WAITING, GEN_LOADING, GEN_READY, GEN_CURRENT, GEN_DRAINING, GEN_STOPPING };

static struct {
    enum gen_state state;
    int channel; /* to the master; -1: gone */
    int signals;
    struct sg_load load;
    struct sg_sockets sockets; /* the master's, and what was bound here */
    struct sg_worker_listener *listeners;
    struct sg_supervisor workers;
    int64_t ready_by_ms; /* LOADING: else it has failed */
    int64_t kill_at_ms;  /* 0: never */
    bool draining_told;
    char path[4096], pid_file[4096], runtime_dir[4096];
} gen;

static int
generation_fail(const char *text)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_FAILED);
    sg_msg_put_str(&msg, SG_TAG_TEXT, text);
    (void)sg_msg_send(gen.channel, &msg);
    sg_supervisor_kill(&gen.workers);
    return 1;
}

/* Should it never come back, the master ends us, and says where we were. */
static void
generation_loading(const struct sg_conf *conf, const char *name)
{
    struct sg_msg msg;

    sg_msg_begin(&msg, SG_MSG_LOADING);
    sg_msg_put_str(&msg, SG_TAG_NAME, name);
    sg_msg_put_u64(&msg, SG_TAG_LIMIT, (uint64_t)conf->core.timeouts.load);
    (void)sg_msg_send(gen.channel, &msg);
}

/* Children that block are ended from here. */
static int
generation_overdue(const char *who)
{
    char span[32], text[256];

    (void)snprintf(text, sizeof text, "not ready within %s (core.timeouts.load): %s",
                   sg_format_duration(gen.load.conf->core.timeouts.load, span, sizeof span), who);
    sg_logf(SG_LOG_EMERG, "%s", text);
    return generation_fail(text);
}

/* What only a running sockgate can say about a new configuration. */
static void
generation_check_change(void)
{
    const struct sg_core_conf *core = &gen.load.conf->core;

    if (gen.runtime_dir[0] != '\0' && strcmp(gen.runtime_dir, core->runtime_dir) != 0)
        sg_diag_error(gen.load.diag, &core->where, "runtime_dir",
                      "runtime_dir: a change from \"%s\" needs a restart, a reload cannot do it", gen.runtime_dir);
    if (gen.pid_file[0] != '\0' && strcmp(gen.pid_file, core->pid_file) != 0)
        sg_diag_error(gen.load.diag, &core->where, "pid_file",
                      "pid_file: a change from \"%s\" needs a restart, a reload cannot do it", gen.pid_file);
}

/* The master's sockets that this configuration does not have: held open here, they would still take clients in. */
static void
generation_drop_sockets(size_t n_listeners)
{
    for (size_t i = gen.sockets.n; i-- > 0;) {
        bool used = false;

        for (size_t j = 0; j < n_listeners; j++)
            used = used || gen.listeners[j].fd == gen.sockets.v[i].fd;
        if (!used) {
            (void)close(gen.sockets.v[i].fd);
            gen.sockets.v[i] = gen.sockets.v[--gen.sockets.n];
        }
    }
}

static void
generation_bind(void)
{
    const struct sg_conf *conf = gen.load.conf;
    char key[SG_KEY_MAX], text[SG_ADDR_TEXT];

    gen.listeners = sg_arena_alloc(conf->arena, conf->listeners.n * sizeof *gen.listeners);
    for (size_t i = 0; i < conf->listeners.n; i++) {
        const struct sg_listener_conf *l = &((const struct sg_listener_conf *)conf->listeners.v)[i];
        int fd = sg_sockets_find(&gen.sockets, sg_socket_key(l, key));

        if (fd == -1) {
            fd = sg_socket_bind(l);
            if (fd == -1)
                sg_diag_error(gen.load.diag, &l->where, "address", "listener \"%s\": cannot bind %s: %s", l->name,
                              sg_addr_format(&l->address, text, sizeof text), strerror(errno));
            else if (sg_sockets_add(&gen.sockets, key, fd) == -1)
                sg_diag_error(gen.load.diag, &l->where, NULL, "out of memory");
        }
        if (fd != -1)
            sg_socket_options(fd, &conf->core.timeouts);
        gen.listeners[i] = (struct sg_worker_listener){ l, &gen.load.hooks[i], fd };
    }
    generation_drop_sockets(conf->listeners.n);
}

/* A worker's share of the sessions, as much again for those that have ended and are not written yet, and events. */
static size_t
generation_records(const struct sg_conf *conf, unsigned n_workers)
{
    const size_t n = ((size_t)conf->core.limits.sessions + n_workers - 1) / n_workers * 2 + SG_WORKER_EVENTS;

    return n < SG_TABLE_SLOTS_MAX ? n : SG_TABLE_SLOTS_MAX;
}

/* Two for each file that is loaded: a reload may be refused more than once before one of them is written. */
static size_t
generation_events(void)
{
    size_t n_files;

    (void)sg_conf_text_files(gen.load.text, &n_files);
    return (n_files + gen.load.instances->n) * 2 + 64;
}

static int
generation_workers(void)
{
    const struct sg_conf *conf = gen.load.conf;
    struct sg_supervisor *sup = &gen.workers;
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    sup->boot = (struct sg_worker_boot){
        .conf = conf,
        .instances = gen.load.instances,
        .listeners = gen.listeners,
        .n_listeners = conf->listeners.n,
        .hosts = gen.load.hosts,
        .brake = sup->boot.brake,
        .n_workers = conf->core.workers > 0 ? (unsigned)conf->core.workers
                     : cpus > 0             ? (unsigned)cpus
                                            : 1,
    };
    sup->boot.log_strict = sg_logger_strict(conf);
    sup->boot.n_records = generation_records(conf, sup->boot.n_workers);
    sup->keeper.boot = &sup->boot;
    sup->keeper.epoch = sup->ids->epoch;
    sup->keeper.master = getppid();
    sup->keeper.generation = sup->generation;
    if (sg_proc_rights(conf->core.user, &sup->rights) == -1 || sg_supervisor_open(sup) == -1)
        return -1;
    if (sg_proc_rights(conf->core.log_user != NULL ? conf->core.log_user : conf->core.user, &sup->keeper.rights) == -1)
        return -1;
    if (sg_keeper_open(&sup->keeper, conf->core.runtime_dir) == -1)
        return -1;
    if (sg_supervisor_journal(sup, generation_events()) == -1)
        return -1;
    sg_keeper_look(&sup->keeper, sg_mono_ms());
    if (sg_pools_open(&sup->pools, conf, gen.load.instances, sup->n) == -1)
        return -1;
    sup->pools.generation = sup->generation;
    sup->pools.brake = sup->boot.brake;
    sup->boot.pools = &sup->pools;
    sg_pools_look(&sup->pools, sg_mono_ms());
    sup->loading = true;
    return sg_supervisor_start(sup, sg_mono_ms());
}

/* Failed logins of the generations before count here too. */
static int
generation_brake(int fd)
{
    bool fresh;

    gen.workers.boot.brake = sg_brake_map(fd, &fresh);
    if (fd != -1)
        (void)close(fd);
    if (fresh)
        sg_logf(SG_LOG_WARN, "the master has no table of failed logins that this binary can read: it begins empty");
    return gen.workers.boot.brake != NULL ? 0 : -1;
}

static int
generation_start(struct sg_msg *msg)
{
    uint64_t number = 0, version = 0, first = 0;
    const int text_fd = sg_msg_take_fd(msg, SG_TAG_TEXT_FD), ids_fd = sg_msg_take_fd(msg, SG_TAG_IDS_FD),
              logins_fd = sg_msg_take_fd(msg, SG_TAG_LOGINS_FD);
    const bool has_path = sg_msg_get_str(msg, SG_TAG_CONF_PATH, gen.path, sizeof gen.path);
    char text[4096], role[32];

    (void)sg_msg_get_u64(msg, SG_TAG_NUMBER, &number);
    (void)sg_msg_get_u64(msg, SG_TAG_STATE_VERSION, &version);
    (void)sg_msg_get_u64(msg, SG_TAG_FIRST, &first);
    (void)sg_msg_get_str(msg, SG_TAG_PID_FILE, gen.pid_file, sizeof gen.pid_file);
    (void)sg_msg_get_str(msg, SG_TAG_RUNTIME_DIR, gen.runtime_dir, sizeof gen.runtime_dir);
    gen.state = GEN_LOADING;
    gen.ready_by_ms = sg_mono_ms();
    gen.workers.generation = (unsigned)number;
    (void)snprintf(role, sizeof role, "generation %u", (unsigned)number);
    sg_proc_title("sockgate-gen", "sockgate: generation %u", (unsigned)number);
    if (first == 0)
        sg_log_role(role);
    gen.workers.ids = mmap(NULL, sizeof *gen.workers.ids, PROT_READ | PROT_WRITE, MAP_SHARED, ids_fd, 0);
    (void)close(ids_fd);
    if (gen.workers.ids == MAP_FAILED)
        return generation_fail("the page of ids cannot be mapped");
    if (generation_brake(logins_fd) == -1)
        return generation_fail("the table of failed logins cannot be mapped");
    if (version != SG_STATE_VERSION)
        return generation_fail("this binary cannot take over from the running master: restart instead of upgrading");
    sg_instances_watch(generation_loading);
    sg_load(&gen.load, has_path ? gen.path : NULL, text_fd);
    if (sg_load_good(&gen.load)) {
        generation_loading(gen.load.conf, "");
        gen.ready_by_ms += gen.load.conf->core.timeouts.load;
        generation_check_change();
    }
    /* What is started again after a crash was tested when it came. */
    if (sg_load_good(&gen.load) && text_fd == -1)
        sg_policy_test(&gen.load, gen.ready_by_ms);
    if (text_fd != -1)
        (void)close(text_fd);
    if (sg_load_good(&gen.load))
        generation_bind();
    sg_load_show(&gen.load, text, sizeof text);
    if (!sg_load_good(&gen.load))
        return generation_fail(text);
    if (sg_log_open(gen.load.conf->core.error_log.target, (enum sg_log_level)gen.load.conf->core.error_log.level) ==
        -1) {
        (void)snprintf(text, sizeof text, "%.3000s: %s", gen.load.conf->core.error_log.target, strerror(errno));
        sg_logf(SG_LOG_EMERG, "%s", text);
        return generation_fail(text);
    }
    if (generation_workers() == -1)
        return generation_fail("cannot start workers");
    sg_log_role(role);
    return -1;
}

static int
generation_text_fd(void)
{
    const int fd = memfd_create("sockgate-configuration", MFD_CLOEXEC);

    if (fd != -1 && sg_conf_text_save(gen.load.conf->text, fd) == -1)
        sg_logf(SG_LOG_WARN, "cannot keep a copy of the configuration: %s", strerror(errno));
    return fd;
}

/* Tells the master what it must keep: the sockets one by one, then all else. */
static void
generation_ready(void)
{
    const struct sg_conf *conf = gen.load.conf;
    const int text_fd = generation_text_fd();
    struct sg_msg msg;
    char key[SG_KEY_MAX];

    gen.state = GEN_READY;
    gen.workers.loading = false;
    for (size_t i = 0; i < conf->listeners.n; i++) {
        sg_msg_begin(&msg, SG_MSG_BOUND);
        sg_msg_put_str(&msg, SG_TAG_KEY, sg_socket_key(gen.listeners[i].conf, key));
        sg_msg_put_str(&msg, SG_TAG_NAME, gen.listeners[i].conf->name);
        sg_msg_put_fd(&msg, SG_TAG_FD, gen.listeners[i].fd);
        (void)sg_msg_send(gen.channel, &msg);
    }
    sg_msg_begin(&msg, SG_MSG_READY);
    sg_msg_put_str(&msg, SG_TAG_PID_FILE, conf->core.pid_file);
    sg_msg_put_str(&msg, SG_TAG_RUNTIME_DIR, conf->core.runtime_dir);
    sg_msg_put_u64(&msg, SG_TAG_WORKERS, gen.workers.n);
    sg_msg_put_u64(&msg, SG_TAG_LOG_LEVEL, (uint64_t)conf->core.error_log.level);
    if (strcmp(conf->core.error_log.target, "stderr") != 0)
        sg_msg_put_fd(&msg, SG_TAG_LOG_FD, sg_log_fd());
    if (text_fd != -1)
        sg_msg_put_fd(&msg, SG_TAG_TEXT_FD, text_fd);
    (void)sg_msg_send(gen.channel, &msg);
    if (text_fd != -1)
        (void)close(text_fd);
}

static void
generation_wind_up(enum gen_state state, int order, int64_t kill_after_ms)
{
    if (gen.state == GEN_STOPPING)
        return;
    gen.state = state;
    gen.workers.winding_up = true;
    gen.workers.accepting = false;
    gen.kill_at_ms = sg_mono_ms() + kill_after_ms;
    sg_sockets_clear(&gen.sockets);
    sg_supervisor_tell(&gen.workers, order);
}

static void
generation_drain(void)
{
    if (gen.state == GEN_DRAINING)
        return;
    generation_wind_up(GEN_DRAINING, SG_MSG_DRAIN, gen.load.conf->core.timeouts.drain + GENERATION_DRAIN_GRACE_MS);
}

static void
generation_reopen(void)
{
    const struct sg_error_log_conf *log = &gen.load.conf->core.error_log;
    struct sg_msg msg;

    if (strcmp(log->target, "stderr") == 0) {
        sg_keeper_tell(&gen.workers.keeper, SG_MSG_REOPEN);
        return;
    }
    if (sg_log_open(log->target, (enum sg_log_level)log->level) == -1) {
        sg_logf(SG_LOG_ERR, "cannot open %s anew, the old file stays: %s", log->target, strerror(errno));
        return;
    }
    sg_supervisor_tell(&gen.workers, SG_MSG_REOPEN);
    sg_pools_tell(&gen.workers.pools, SG_MSG_REOPEN);
    sg_keeper_tell(&gen.workers.keeper, SG_MSG_REOPEN);
    sg_msg_begin(&msg, SG_MSG_REOPENED);
    sg_msg_put_fd(&msg, SG_TAG_LOG_FD, sg_log_fd());
    (void)sg_msg_send(gen.channel, &msg);
}

/* What the master says about a load that has ended: of this generation, or of one that should have followed. */
static void
generation_outcome(const struct sg_msg *msg, bool failed)
{
    uint64_t number = gen.workers.generation, purpose = 0, pid = 0, uid = 0;
    char text[4096] = "";

    (void)sg_msg_get_u64(msg, SG_TAG_NUMBER, &number);
    (void)sg_msg_get_u64(msg, SG_TAG_PURPOSE, &purpose);
    (void)sg_msg_get_u64(msg, SG_TAG_WHO_PID, &pid);
    (void)sg_msg_get_u64(msg, SG_TAG_WHO_UID, &uid);
    (void)sg_msg_get_str(msg, SG_TAG_TEXT, text, sizeof text);
    sg_event_reload(
        &(struct sg_record_reload){ (uint32_t)uid, (uint32_t)pid, (uint32_t)number, (uint8_t)purpose, failed },
        failed ? NULL : &gen.load, text);
    sg_journal_bell();
}

static int
generation_order(struct sg_msg *msg)
{
    char key[SG_KEY_MAX];
    uint64_t successor;
    int fd;

    switch (msg->type) {
    case SG_MSG_LISTENER:
        fd = sg_msg_take_fd(msg, SG_TAG_FD);
        if (fd != -1 && sg_msg_get_str(msg, SG_TAG_KEY, key, sizeof key))
            (void)sg_sockets_add(&gen.sockets, key, fd);
        return -1;
    case SG_MSG_START: return gen.state == GEN_WAITING ? generation_start(msg) : -1;
    case SG_MSG_GO:
        if (gen.state == GEN_READY) {
            gen.state = GEN_CURRENT;
            gen.workers.accepting = true;
            generation_outcome(msg, false);
            sg_supervisor_tell(&gen.workers, SG_MSG_GO);
        }
        return -1;
    case SG_MSG_REFUSED: generation_outcome(msg, true); return -1;
    case SG_MSG_DRAIN:
        generation_drain();
        if (sg_msg_get_u64(msg, SG_TAG_SUCCESSOR, &successor))
            sg_keeper_tell(&gen.workers.keeper, SG_MSG_DRAIN);
        return -1;
    case SG_MSG_STOP: generation_wind_up(GEN_STOPPING, SG_MSG_STOP, GENERATION_STOP_MS); return -1;
    case SG_MSG_REOPEN: generation_reopen(); return -1;
    default: return -1;
    }
}

/* The exit status, or -1 to go on. */
static int
generation_orders(void)
{
    struct sg_msg msg;
    int got, status;

    while ((got = sg_msg_recv(gen.channel, &msg)) == 1) {
        status = generation_order(&msg);
        sg_msg_close_fds(&msg);
        if (status != -1)
            return status;
    }
    if (got == 0) {
        (void)close(gen.channel);
        gen.channel = -1;
        if (gen.state <= GEN_READY) {
            sg_supervisor_kill(&gen.workers);
            return 1;
        }
        sg_logf(SG_LOG_WARN, "the master is gone: draining");
        generation_drain();
    }
    return -1;
}

static int
generation_reap(int64_t now_ms)
{
    struct signalfd_siginfo ignored;
    bool renew = false;
    unsigned unready;
    struct sg_msg msg;

    while (read(gen.signals, &ignored, sizeof ignored) > 0)
        continue;
    unready = sg_supervisor_reap(&gen.workers, now_ms, &renew);
    if (gen.workers.keeper.failed && gen.state == GEN_LOADING)
        return generation_fail("the logger ended before it was ready");
    if (gen.workers.pools.failure[0] != '\0' && gen.state == GEN_LOADING) {
        sg_logf(SG_LOG_EMERG, "%s", gen.workers.pools.failure);
        return generation_fail(gen.workers.pools.failure);
    }
    if (unready > 0 && gen.state == GEN_LOADING) {
        sg_logf(SG_LOG_EMERG, "%s", gen.workers.failure);
        return generation_fail(gen.workers.failure);
    }
    if (renew && gen.state == GEN_CURRENT) {
        sg_logf(SG_LOG_ERR, "five crashes in a minute: asking for a fresh generation");
        sg_msg_begin(&msg, SG_MSG_RENEW);
        (void)sg_msg_send(gen.channel, &msg);
    }
    return -1;
}

/* What follows from how the workers are. */
static int
generation_progress(int64_t now_ms)
{
    struct sg_supervisor *sup = &gen.workers;
    char text[160];
    struct sg_msg msg;

    if (gen.state == GEN_LOADING && !sg_supervisor_starting(sup, text, sizeof text))
        generation_ready();
    if (gen.state == GEN_LOADING && now_ms >= gen.ready_by_ms)
        return generation_overdue(text);
    if (gen.state == GEN_DRAINING && !gen.draining_told &&
        sg_supervisor_count(sup, SG_WORKER_DRAINED) == sg_supervisor_count(sup, SG_WORKER_STARTING)) {
        gen.draining_told = true;
        sg_msg_begin(&msg, SG_MSG_DRAINING);
        if (gen.channel != -1)
            (void)sg_msg_send(gen.channel, &msg);
    }
    if (sup->winding_up && sg_supervisor_count(sup, SG_WORKER_STARTING) == 0) {
        sg_pools_end(&sup->pools, now_ms);
        if (sup->keeper.pid == 0 && sg_pools_count(&sup->pools) == 0)
            return 0;
        if (!sup->keeper.winding_up)
            sg_keeper_tell(&sup->keeper, SG_MSG_STOP);
    }
    if (gen.kill_at_ms != 0 && now_ms >= gen.kill_at_ms) {
        sg_logf(SG_LOG_ERR, "workers did not end in time: killing them");
        sg_supervisor_kill(sup);
        gen.kill_at_ms = now_ms + GENERATION_STOP_MS;
    }
    if (gen.state >= GEN_READY)
        (void)sg_supervisor_start(sup, now_ms);
    if (gen.state >= GEN_LOADING)
        sg_keeper_look(&sup->keeper, now_ms);
    sg_pools_look(&sup->pools, now_ms);
    sg_supervisor_watch(sup, now_ms);
    if (gen.state >= GEN_READY)
        sg_supervisor_images(sup, now_ms);
    return -1;
}

static int
generation_turn(struct pollfd *fds)
{
    const struct sg_supervisor *sup = &gen.workers;
    int status;

    fds[0] = (struct pollfd){ gen.signals, POLLIN, 0 };
    fds[1] = (struct pollfd){ gen.channel, POLLIN, 0 };
    fds[2] = (struct pollfd){ sup->n > 0 ? sup->keeper.channel : -1, POLLIN, 0 };
    fds[3] = (struct pollfd){ sg_login_watch_fd(), POLLIN, 0 };
    for (unsigned i = 0; i < sup->n; i++)
        fds[i + GEN_FDS] = (struct pollfd){ sup->workers[i].channel, POLLIN, 0 };
    sg_pools_poll(&sup->pools, fds + sup->n + GEN_FDS);
    if (poll(fds, sup->n + GEN_FDS + sup->pools.n_helpers, sg_supervisor_timeout(sup, sg_mono_ms())) == -1)
        return errno == EINTR ? -1 : 1;
    /* What workers and helpers said before they died comes first. */
    sg_pools_polled(&gen.workers.pools, fds + sup->n + GEN_FDS);
    for (unsigned i = 0; i < sup->n; i++)
        if (fds[i + GEN_FDS].revents != 0)
            sg_supervisor_receive(&gen.workers, i);
    if (fds[2].revents != 0)
        sg_keeper_receive(&gen.workers.keeper);
    if (fds[3].revents != 0)
        sg_supervisor_logins(&gen.workers);
    if (fds[0].revents != 0 && (status = generation_reap(sg_mono_ms())) != -1)
        return status;
    if (fds[1].revents != 0 && (status = generation_orders()) != -1)
        return status;
    return generation_progress(sg_mono_ms());
}

static int
generation_loop(void)
{
    struct pollfd *fds = NULL;
    size_t n = 0;
    int status = -1;

    while (status == -1) {
        /* How many workers and helpers there are is known once START has come; later nothing is asked for. */
        const size_t wanted = gen.workers.n + gen.workers.pools.n_helpers + GEN_FDS;
        struct pollfd *more = wanted > n ? reallocarray(fds, wanted, sizeof *fds) : fds;

        if (more == NULL) {
            status = generation_fail("no memory");
            break;
        }
        fds = more;
        n = wanted;
        status = generation_turn(fds);
    }
    free(fds);
    return status;
}

int
sg_generation_main(int channel)
{
    sigset_t child;
    int status;

    sg_proc_ignore_signals();
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, NULL);
    gen.channel = channel;
    (void)fcntl(channel, F_SETFD, FD_CLOEXEC);
    gen.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (gen.signals == -1) {
        sg_logf(SG_LOG_EMERG, "signalfd: %s", strerror(errno));
        return 1;
    }
    status = generation_loop();
    if (gen.load.diag != NULL)
        sg_load_free(&gen.load);
    return status;
}
