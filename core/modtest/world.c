/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.c - a small gateway in one process, with the module where its roles belong: a configuration, a worker whose loop
 * is turned by hand, helpers if there is anything to help with, and a target that echoes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addrs.h"
#include "clock.h"
#include "conf_text.h"
#include "modtest/modtest.h"

#define TICK_S 0.002
#define READY_MS 10000
#define END_MS 3000
#define RECORDS 64
#define CONF_MAX 65536

struct mt_options mt_options = { .settings = "", .wait_ms = 5000 };

/* ---- the configuration */

static bool
has(enum mt_role role)
{
    return (mt_shared->roles & (unsigned)role) != 0;
}

static const char *
command_key(int cmd)
{
    return cmd == SG_CMD_BIND ? "bind" : cmd == SG_CMD_UDP_ASSOCIATE ? "udp_associate" : "connect";
}

/* The module comes first: lines of its settings are as they were given. */
static void
world_text(char *text, size_t size, bool peek)
{
    const bool auth = has(MT_AUTH), check = auth && !mt_shared->exchange && !mt_shared->in_worker;
    const bool connect = !has(MT_COMMANDS) || mt_shared->cmd != SG_CMD_CONNECT;
    const bool none = !auth || mt_shared->method == SG_METHOD_GSSAPI;
    char commands[128] = "";

    if (has(MT_COMMANDS))
        (void)snprintf(commands, sizeof commands, "%s = \"module\"; ", command_key(mt_shared->cmd));
    (void)snprintf(
        text, size,
        "modules = ( { name = \"module\"; file = \"%s\"; settings = { %s\n};%s%s },\n"
        "  %s { name = \"grant\"; file = \"access_rules.so\"; settings = { rules = ( { allow = { };\n"
        "    special = [ \"loopback\" ]; } ); }; }%s );\n"
        "core = { limits = { sessions = 64; }; timeouts = { connect = \"2s\"; resolve = \"2s\"; linger = \"1s\"; };\n"
        "  resolver = { servers = [ \"127.0.0.1:9\" ]; hosts = \"\"; tries = 1; }; };\n"
        "hooks = { auth = [ %s%s%s ]; access = [ %s\"grant\" ]; command = { %s%s };%s };\n"
        "listeners = ( { name = \"modtest\"; address = \"127.0.0.1\"; port = 1080; } );\n",
        mt_options.file, mt_options.settings, !peek && (check || has(MT_WORKS)) ? " helper = { processes = 1; };" : "",
        !peek && check && mt_shared->method == SG_METHOD_USERPASS ? " empty_password = true;" : "",
        none ? "{ name = \"none\"; file = \"auth_none.so\"; }," : "",
        connect ? ", { name = \"connect\"; file = \"cmd_connect.so\"; }" : "", auth ? "\"module\"" : "",
        auth && none ? ", " : "", none ? "\"none\"" : "", has(MT_ACCESS) || peek ? "\"module\", " : "", commands,
        connect ? "connect = \"connect\";" : "", has(MT_LOG) ? " log = [ \"module\" ];" : "");
}

static void
world_told(void *arg, int level, const char *line)
{
    (void)arg;
    if (level >= 0 && level <= SG_LOG_ERR)
        mt_mistake("%s", line);
}

static void
world_roles(const struct sg_module *mod)
{
    mt_shared->roles = (mod->auth != NULL ? MT_AUTH : 0u) | (mod->access != NULL ? MT_ACCESS : 0u) |
                       (mod->command != NULL ? MT_COMMANDS : 0u) | (mod->log != NULL ? MT_LOG : 0u) |
                       (mod->work != NULL ? MT_WORKS : 0u);
    if (mod->auth != NULL) {
        mt_shared->method = mod->auth->method;
        mt_shared->exchange = mod->auth->exchange != NULL;
        mt_shared->in_worker = mod->auth->in_worker;
        mt_shared->max_message = mod->auth->max_message;
    }
    if (mod->command != NULL)
        mt_shared->cmd = mod->command->cmd;
}

/* Lists and strings stay where they are; the struct itself, which a module can write to by a cast, moves. */
static void
world_protect(struct mt_world *w)
{
    void *copy;

    if (w->inst->settings == NULL)
        return;
    copy = mt_guard_copy(MT_GUARD_CONF, w->inst->settings, (w->inst->mod->conf_size + 15) / 16 * 16);
    if (copy == NULL)
        return;
    mt_guard_read_only(copy);
    w->inst->settings = copy;
}

int
mt_world_load(struct mt_world *w, bool peek)
{
    static char text[CONF_MAX];

    world_text(text, sizeof text, peek);
    *w = (struct mt_world){ .diag = sg_diag_new(), .target = -1, .echo = -1 };
    mt_alloc_begin();
    w->text = sg_conf_text_from("settings", text, strlen(text), w->diag);
    if (w->text != NULL && sg_diag_errors(w->diag) == 0)
        w->conf = sg_conf_read(w->text, w->diag);
    if (w->conf != NULL && sg_diag_errors(w->diag) == 0) {
        mt_wrap_loading(true);
        w->all = sg_instances_load(w->conf, w->diag);
        mt_wrap_loading(false);
        w->inst = sg_instance_find(w->all, "module");
        if (peek && w->inst->mod != NULL)
            world_roles(w->inst->mod);
        if (!peek && sg_diag_errors(w->diag) == 0)
            w->hooks = sg_hooks_build(w->conf, w->all, w->diag);
    }
    sg_diag_show(w->diag, w->text, world_told, NULL);
    if (sg_diag_errors(w->diag) > 0 || w->inst == NULL)
        return -1;
    mt_wrap(w->all, w->inst);
    world_protect(w);
    mt_alloc_slots(w->inst->mod->session_size);
    return 0;
}

void
mt_world_unload(struct mt_world *w)
{
    sg_instances_free(w->all);
}

/* ---- helpers */

static void
world_reap(struct mt_world *w)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (!WIFEXITED(status) && !atomic_exchange(&mt_shared->faulted, false))
            mt_mistake("a helper was ended by SIG%s", sigabbrev_np(WTERMSIG(status)));
        (void)sg_pools_reaped(&w->pools, pid, status, sg_mono_ms());
    }
}

static int
world_helpers(struct mt_world *w)
{
    const int64_t until = sg_mono_ms() + READY_MS;
    struct pollfd fds[1];

    if (sg_pools_open(&w->pools, w->conf, w->all, 1) == -1)
        return -1;
    sg_pools_look(&w->pools, sg_mono_ms());
    while (sg_pools_starting(&w->pools) != NULL && w->pools.failure[0] == '\0' && sg_mono_ms() < until) {
        sg_pools_poll(&w->pools, fds);
        if (poll(fds, w->pools.n_helpers, 20) > 0)
            sg_pools_polled(&w->pools, fds);
        world_reap(w);
    }
    if (sg_pools_starting(&w->pools) == NULL)
        return 0;
    mt_start_failed("helper");
    return -1;
}

/* ---- the worker */

static void
world_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop, (void)timer, (void)revents;
}

static int
world_target(struct mt_world *w)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sin;

    w->target = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->target == -1 || bind(w->target, (struct sockaddr *)&sin, sizeof sin) == -1 || listen(w->target, 16) == -1 ||
        getsockname(w->target, (struct sockaddr *)&sin, &len) == -1) {
        (void)fprintf(stderr, "sockgate-modtest: cannot listen on loopback: %s\n", strerror(errno));
        return -1;
    }
    w->port = ntohs(sin.sin_port);
    return 0;
}

int
mt_world_open(struct mt_world *w)
{
    if (world_target(w) == -1 || world_helpers(w) == -1)
        return -1;
    w->listener = (struct sg_worker_listener){ sg_conf_listener(w->conf, 0), w->hooks, -1 };
    w->boot = (struct sg_worker_boot){ .conf = w->conf,
                                       .instances = w->all,
                                       .listeners = &w->listener,
                                       .n_listeners = 1,
                                       .pools = &w->pools,
                                       .channel = -1,
                                       .journal = { -1, -1, -1 },
                                       .n_records = RECORDS + SG_WORKER_EVENTS,
                                       .status = &w->status,
                                       .n_workers = 1 };
    mt_wrap_process(SG_PROCESS_WORKER);
    if (sg_worker_open(&w->boot) == -1)
        return -1;
    sg_ownaddr_refresh(-1);
    ev_timer_init(&w->tick, world_tick, TICK_S, TICK_S);
    ev_timer_start(sg_worker_loop(), &w->tick);
    if (sg_instances_start(w->all, SG_PROCESS_WORKER) == 0)
        return 0;
    mt_start_failed("worker");
    return -1;
}

/* What comes is sent back; the last connection is the one that counts. */
static void
world_echo(struct mt_world *w)
{
    char octets[4096];
    ssize_t n;
    const int fd = accept4(w->target, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd != -1) {
        if (w->echo != -1)
            (void)close(w->echo);
        w->echo = fd;
    }
    if (w->echo == -1)
        return;
    n = recv(w->echo, octets, sizeof octets, 0);
    if (n > 0)
        (void)send(w->echo, octets, (size_t)n, MSG_NOSIGNAL);
    if (n == 0 || (n == -1 && errno != EAGAIN)) {
        (void)close(w->echo);
        w->echo = -1;
    }
}

void
mt_world_turn(struct mt_world *w)
{
    world_echo(w);
    (void)ev_run(sg_worker_loop(), EVRUN_ONCE);
    world_reap(w);
    sg_pools_look(&w->pools, sg_mono_ms());
}

void
mt_world_close(struct mt_world *w)
{
    const int64_t until = sg_mono_ms() + END_MS;

    sg_session_end_all(SG_REASON_STOPPED);
    ev_timer_stop(sg_worker_loop(), &w->tick);
    sg_instances_stop(w->all);
    sg_worker_close();
    sg_pools_end(&w->pools, sg_mono_ms());
    while (sg_pools_count(&w->pools) > 0 && sg_mono_ms() < until) {
        (void)usleep(2000);
        world_reap(w);
    }
    if (sg_pools_count(&w->pools) > 0)
        mt_mistake("stop() of a helper does not return");
    sg_pools_kill(&w->pools);
}
