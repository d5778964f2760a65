/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_test.c - one login with name and password through the instances of a listener, each in a process of its own with
 * the rights of its helpers, and what each says. Nothing is remembered or slowed down.
 */
#include "login_test.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "addrs.h"
#include "clock.h"
#include "job_wire.h"
#include "load.h"
#include "log.h"
#include "passwd.h"
#include "proc.h"
#include "units.h"

#define EXIT_REFUSED 1
#define EXIT_USAGE 2
#define DEFAULT_CONF SG_SYSCONFDIR "/sockgate.conf"

struct test {
    const char *conf, *listener_name, *user;
    struct sg_load load;
    const struct sg_listener_conf *listener;
    const struct sg_hooks *hooks;
    struct sg_addr client;
    char secret[SG_PASSWD_SECRET_MAX + 2];
    struct sg_msg msg; /* large */
};

static void
usage(FILE *out)
{
    (void)fputs("usage: sockgatectl login-test [-c FILE] [OPTION...] USER\n"
                "  -c FILE             configuration (" DEFAULT_CONF "; without that, the embedded one)\n"
                "  --listener NAME     where the client comes in; the first of the configuration\n"
                "  --client ADDRESS    where the client comes from; 127.0.0.1\n"
                "The password is asked for at the terminal, or is a line of standard input.\n"
                "exit status: 0 granted, 1 refused or not found out, 2 usage\n",
                out);
}

static int
test_misused(const char *what, const char *value)
{
    (void)fprintf(stderr, "sockgatectl: %s%.80s\n", what, value);
    usage(stderr);
    return EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int
test_options(struct test *test, int argc, char **argv)
{
    static const struct option longs[] = {
        { "listener", required_argument, NULL, 'l' },
        { "client", required_argument, NULL, 'a' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (c) {
        case 'c': test->conf = optarg; break;
        case 'l': test->listener_name = optarg; break;
        case 'a':
            if (sg_addr_parse(optarg, &test->client) == -1)
                return test_misused("--client: no IP address: ", optarg);
            sg_addr_canonical(&test->client);
            break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return EXIT_USAGE;
        }
    }
    if (optind + 1 != argc)
        return test_misused(optind == argc ? "USER is missing" : "unexpected argument: ",
                            optind == argc ? "" : argv[optind + 1]);
    test->user = argv[optind];
    if (test->user[0] == '\0' || strlen(test->user) > 255)
        return test_misused("USER has 1 to 255 octets", "");
    return -1;
}

static int
test_listener(struct test *test)
{
    const struct sg_conf *conf = test->load.conf;

    for (size_t i = 0; i < conf->listeners.n && test->listener == NULL; i++) {
        const struct sg_listener_conf *l = sg_conf_listener(conf, i);

        if (test->listener_name != NULL && strcmp(l->name, test->listener_name) != 0)
            continue;
        test->listener = l;
        test->hooks = &test->load.hooks[i];
    }
    if (test->listener != NULL)
        return 0;
    (void)fprintf(stderr, "sockgatectl: there is no listener \"%.80s\"\n", test->listener_name);
    return -1;
}

/* ---- one instance */

static void
test_child(struct test *test, struct sg_instance *inst, int fd)
{
    const bool in_worker = inst->mod->auth->in_worker;
    const char *helper_user = in_worker ? NULL : inst->conf->helper.user;
    const struct sg_creds creds = { .size = sizeof creds,
                                    .kind = SG_CREDS_PASSWORD,
                                    .name = test->user,
                                    .name_len = strlen(test->user),
                                    .secret = test->secret,
                                    .secret_len = strlen(test->secret),
                                    .client = test->client,
                                    .local = test->listener->address,
                                    .listener = test->listener->name };
    struct sg_rights rights;
    struct sg_answer answer;
    enum sg_verdict verdict;

    if (sg_proc_rights(helper_user != NULL ? helper_user : inst->whole->core.user, &rights) == -1 ||
        sg_proc_drop(&rights) == -1)
        _exit(1);
    if (inst->mod->start != NULL && inst->mod->start(inst, in_worker ? SG_PROCESS_WORKER : SG_PROCESS_HELPER) != 0) {
        sg_logf(SG_LOG_EMERG, "module \"%s\": its start failed", inst->name);
        _exit(1);
    }
    sg_answer_init(&answer, inst->mod->auth->assurance);
    verdict = inst->mod->auth->check(inst, &creds, &answer);
    sg_job_put_answer(&test->msg, verdict, &answer);
    _exit(sg_msg_offer(fd, &test->msg) == -1);
}

/* NULL, or why there is no answer. */
static const char *
test_receive(struct test *test, const struct sg_instance *inst, int fd, enum sg_verdict *verdict_out,
             struct sg_answer *answer)
{
    const int64_t until = sg_mono_ms() + inst->conf->helper.timeout;
    struct pollfd poll_fd = { fd, POLLIN, 0 };
    int64_t left = inst->conf->helper.timeout;
    int ready;

    while ((ready = poll(&poll_fd, 1, (int)left)) == -1 && errno == EINTR)
        left = until > sg_mono_ms() ? until - sg_mono_ms() : 0;
    if (ready == 0)
        return "no answer within helper.timeout";
    if (sg_msg_recv(fd, &test->msg) != 1)
        return "its process ended without an answer";
    return sg_job_get_answer(&test->msg, verdict_out, answer) == -1 ? "its answer makes no sense" : NULL;
}

static const char *
test_ask(struct test *test, struct sg_instance *inst, enum sg_verdict *verdict_out, struct sg_answer *answer)
{
    const char *why;
    int pair[2];
    pid_t pid;

    if (sg_proc_channel(pair) == -1)
        return strerrordesc_np(errno);
    (void)fflush(stdout); /* else the child has a copy of what waits there */
    pid = fork();
    if (pid == 0)
        test_child(test, inst, pair[1]);
    (void)close(pair[1]);
    why = pid == -1 ? strerrordesc_np(errno) : test_receive(test, inst, pair[0], verdict_out, answer);
    (void)close(pair[0]);
    if (pid != -1) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    return why;
}

/* ---- the chain */

/* Why this instance is not asked; NULL: it is. As login.c and the greeting have it. */
static const char *
test_passed_over(const struct test *test, const struct sg_instance *inst)
{
    const struct sg_auth_ops *auth = inst->mod->auth;

    if (auth->method != SG_METHOD_USERPASS)
        return "serves another METHOD than 02";
    if (auth->stub || auth->check == NULL)
        return "does not check names and passwords";
    if (inst->conf->clients.n > 0 && !sg_ranges_contain(&inst->conf->clients, &test->client))
        return "the client is outside its `clients`";
    return NULL;
}

/* In the words of the manual; what no check may say is an error. */
static const char *
test_verdict(enum sg_verdict verdict)
{
    switch (verdict) {
    case SG_OK: return "OK";
    case SG_DECLINED: return "DECLINED, the next is asked";
    case SG_DENY: return "DENY";
    default: return "ERROR";
    }
}

static void
test_granted(const struct test *test, const struct sg_answer *answer)
{
    (void)printf("granted: user \"%s\"", answer->name != NULL ? answer->name : "");
    for (unsigned i = 0; i < answer->n_groups; i++)
        (void)printf("%s%s", i == 0 ? ", groups " : " ", answer->groups[i]);
    (void)printf(", assurance %u, listener \"%s\"\n", (unsigned)answer->assurance, test->listener->name);
}

/* -1: the next is to be asked; else the exit status. */
static int
test_instance(struct test *test, struct sg_instance *inst)
{
    const char *why = test_passed_over(test, inst);
    enum sg_verdict verdict = SG_ERROR;
    struct sg_answer answer = { 0 };

    if (why != NULL) {
        (void)printf("  %s: not asked: %s\n", inst->name, why);
        return -1;
    }
    why = test_ask(test, inst, &verdict, &answer);
    if (why != NULL)
        (void)printf("  %s: unavailable: %s\n", inst->name, why);
    else
        (void)printf("  %s: %s%s%s\n", inst->name, test_verdict(verdict), answer.reason != NULL ? ": " : "",
                     answer.reason != NULL ? answer.reason : "");
    if (why == NULL && verdict == SG_OK)
        test_granted(test, &answer);
    else if (why != NULL || verdict != SG_DECLINED)
        (void)printf("refused by \"%s\"\n", inst->name);
    sg_answer_free(&answer);
    if (why == NULL && verdict == SG_DECLINED)
        return -1;
    return why == NULL && verdict == SG_OK ? 0 : EXIT_REFUSED;
}

static int
test_chain(struct test *test)
{
    int status;

    if (test->listener->clients.n > 0 && !sg_ranges_contain(&test->listener->clients, &test->client)) {
        (void)printf("refused: the client is outside `clients` of the listener \"%s\"\n", test->listener->name);
        return EXIT_REFUSED;
    }
    for (size_t i = 0; i < test->hooks->n_auth; i++) {
        status = test_instance(test, test->hooks->auth[i]);
        if (status != -1)
            return status;
    }
    (void)printf("refused: no instance knows the user\n");
    return EXIT_REFUSED;
}

static int
test_run(struct test *test)
{
    int status;

    if (!sg_load_good(&test->load)) {
        sg_load_show(&test->load, NULL, 0);
        return EXIT_REFUSED;
    }
    if (test_listener(test) == -1)
        return EXIT_USAGE;
    if (sg_passwd_ask(test->user, false, test->secret) == -1)
        return EXIT_USAGE;
    status = test_chain(test);
    sodium_memzero(test->secret, sizeof test->secret);
    return status;
}

int
sg_login_test_main(int argc, char **argv)
{
    static struct test test;
    int status;

    test.conf = access(DEFAULT_CONF, F_OK) == 0 ? DEFAULT_CONF : NULL;
    (void)sg_addr_parse("127.0.0.1", &test.client);
    status = test_options(&test, argc, argv);
    if (status != -1)
        return status;
    sg_load(&test.load, test.conf, -1);
    status = test_run(&test);
    sg_load_free(&test.load);
    if (fflush(stdout) == EOF) {
        (void)fprintf(stderr, "sockgatectl: standard output: %s\n", strerror(errno));
        return EXIT_REFUSED;
    }
    return status;
}
