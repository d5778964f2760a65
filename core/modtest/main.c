/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the scenes of sockgate-modtest, one child each, and what came of them.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "modtest/modtest.h"

#define EXIT_USAGE 2
#define HANG_WORKER_MS 10000
#define HANG_HELPER_MS 30000
#define SCENE_MS 120000
#define WAIT_MAX_MS 60000
#define POLL_US 5000
#define MEMORY_MAX 64

struct scene {
    const char *name;
    void (*play)(unsigned n);
    unsigned roles; /* for modules that have one of these; 0: all */
};

static const struct scene scenes[] = {
    { "check() and work()", mt_scene_helper, MT_AUTH | MT_WORKS },
    { "whole sessions", mt_scene_sessions, MT_AUTH | MT_ACCESS | MT_COMMANDS },
    { "hostile input", mt_scene_hostile, MT_AUTH | MT_ACCESS | MT_COMMANDS },
    { "sessions that end at every point", mt_scene_ends, MT_AUTH | MT_ACCESS | MT_COMMANDS },
    { "what sessions leave behind", mt_scene_leaks, MT_AUTH | MT_ACCESS | MT_COMMANDS },
    { "the logger", mt_scene_log, MT_LOG },
};

static bool verbose;

static void
usage(FILE *out)
{
    (void)fputs("usage: sockgate-modtest [OPTION...] FILE.so [SETTINGS]\n"
                "  SETTINGS               as between the braces of `settings = { ... };`\n"
                "  -l, --login NAME:PASS  a login that check() must let in\n"
                "  -w, --wait SECONDS     how long an answer may take; 5\n"
                "  -v, --verbose          name the scenes\n"
                "  -h, --help             this text\n"
                "exit status: 0 no mistake was found, 1 some were, 2 usage\n",
                out);
}

/* -1: go on; else the exit status. */
static int
options(int argc, char **argv)
{
    static const struct option longs[] = {
        { "login", required_argument, NULL, 'l' },
        { "wait", required_argument, NULL, 'w' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    static char path[PATH_MAX];
    char *colon, *end;
    int c;

    while ((c = getopt_long(argc, argv, "l:w:vh", longs, NULL)) != -1)
        switch (c) {
        case 'l':
            colon = strchr(optarg, ':');
            if (colon == NULL || colon == optarg || strlen(optarg) > 2 * 254) {
                (void)fputs("sockgate-modtest: --login is NAME:PASSWORD\n", stderr);
                return EXIT_USAGE;
            }
            *colon = '\0';
            mt_options.user = optarg;
            mt_options.password = strndup(colon + 1, 254);
            break;
        case 'w':
            mt_options.wait_ms = strtol(optarg, &end, 10) * 1000;
            if (*end != '\0' || mt_options.wait_ms <= 0 || mt_options.wait_ms > WAIT_MAX_MS) {
                (void)fputs("sockgate-modtest: --wait is a number of seconds, 1-60\n", stderr);
                return EXIT_USAGE;
            }
            break;
        case 'v': verbose = true; break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return EXIT_USAGE;
        }
    if (optind == argc || argc - optind > 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (realpath(argv[optind], path) == NULL) {
        (void)fprintf(stderr, "sockgate-modtest: %s: %s\n", argv[optind], strerror(errno));
        return 1;
    }
    mt_options.file = path;
    if (argc - optind == 2)
        mt_options.settings = argv[optind + 1];
    return -1;
}

/* ---- a scene */

static void
scene_child(void (*play)(unsigned n), unsigned n)
{
    (void)setpgid(0, 0);
    if (mt_log_open() == -1)
        _exit(EXIT_USAGE);
    mt_faults_watch();
    play(n);
    _exit(0);
}

/* Kills what runs too long, with all that it has started. */
static int
scene_watch(pid_t pid)
{
    const int64_t until = sg_mono_ms() + SCENE_MS;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        const enum mt_hook hook = (enum mt_hook)atomic_load(&mt_shared->hook);
        const int64_t since = atomic_load(&mt_shared->hook_began_ms), now = sg_mono_ms();
        const bool helper = (hook == MT_CHECK && !mt_shared->in_worker) || hook == MT_WORK;

        if (since != 0 && now - since > (helper ? HANG_HELPER_MS : HANG_WORKER_MS)) {
            mt_mistake("%s does not return: it was ended after %d s", mt_hook_name(hook), (int)((now - since) / 1000));
            (void)kill(-pid, SIGKILL);
        } else if (now > until) {
            mt_mistake("the module keeps sessions from ending: they were given up after %d s", SCENE_MS / 1000);
            (void)kill(-pid, SIGKILL);
        }
        (void)usleep(POLL_US);
    }
    (void)kill(-pid, SIGKILL); /* helpers, if one is left */
    return status;
}

static void
scene_run(const char *name, void (*play)(unsigned n), unsigned n)
{
    const unsigned before = atomic_load(&mt_shared->n_mistakes);
    pid_t pid;
    int status;

    if (verbose)
        (void)printf("%s\n", name);
    (void)fflush(stdout);
    atomic_store(&mt_shared->hook, MT_NONE);
    atomic_store(&mt_shared->hook_began_ms, 0);
    atomic_store(&mt_shared->allocations, 0);
    atomic_store(&mt_shared->again, 0);
    atomic_store(&mt_shared->faulted, false);
    pid = fork();
    if (pid == 0)
        scene_child(play, n);
    if (pid == -1) {
        mt_mistake("no process could be made: %s", strerror(errno));
        return;
    }
    status = scene_watch(pid);
    if (atomic_load(&mt_shared->n_mistakes) > before)
        return;
    if (WIFSIGNALED(status))
        mt_mistake("%s: the process was ended by SIG%s", name, sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        mt_mistake("%s: the module has called exit(): only the core ends processes", name);
}

/* What comes behind a mistake is often only its consequence: one is told, mended, and then the next. */
static bool
none_yet(void)
{
    return atomic_load(&mt_shared->n_mistakes) == 0;
}

/* Until there is no n-th allocation any more. */
static void
scenes_memory(void)
{
    char name[64];

    for (unsigned n = 1; n <= MEMORY_MAX && mt_alloc_works(); n++) {
        (void)snprintf(name, sizeof name, "allocation %u fails", n);
        scene_run(name, mt_scene_memory, n);
        if (!none_yet()) {
            mt_mistake("it was so because there was no memory: malloc() and the functions of the core may give NULL");
            return;
        }
        if (atomic_load(&mt_shared->allocations) < n)
            return;
    }
}

static int
summary(void)
{
    const unsigned n = atomic_load(&mt_shared->n_mistakes);

    for (unsigned i = 0; i < n && i < MT_MISTAKES_MAX; i++)
        (void)printf("sockgate-modtest: %s\n", mt_shared->mistakes[i]);
    (void)printf("%s: %u mistake%s; called: init()", mt_options.file, n, n == 1 ? "" : "s");
    for (enum mt_hook hook = MT_START; hook < MT_CALLBACK; hook++)
        if (atomic_load(&mt_shared->calls[hook]) > 0)
            (void)printf(", %s %u time%s", mt_hook_name(hook), atomic_load(&mt_shared->calls[hook]),
                         atomic_load(&mt_shared->calls[hook]) == 1 ? "" : "s");
    (void)printf("\n");
    return n > 0 ? 1 : 0;
}

int
main(int argc, char **argv)
{
    const int status = options(argc, argv);

    if (status != -1)
        return status;
    if (sodium_init() == -1 || mt_report_open() == -1) {
        (void)fprintf(stderr, "sockgate-modtest: no memory\n");
        return 1;
    }
    scene_run("loading", mt_scene_peek, 0);
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0] && none_yet(); i++)
        if ((scenes[i].roles & mt_shared->roles) != 0)
            scene_run(scenes[i].name, scenes[i].play, 0);
    if (none_yet() && (mt_shared->roles & (MT_AUTH | MT_ACCESS | MT_COMMANDS)) != 0)
        scenes_memory();
    return summary();
}
