/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c - policy tests.
 *
 *   child: asks, writes down each wrong answer and its trace --> pipe --> parent: reads until the end, or kills it
 *
 * A line on the pipe is "NUMBER TEXT": of the test. What follows the first line of a number belongs to it.
 */
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "proc.h"
#include "question.h"

#define POLICY_LIMIT_MS 30000
#define POLICY_TEXT_MAX ((size_t)1 << 20) /* of all traces together; the rest is left out */

static const struct sg_policy_conf *
policy_test(const struct sg_load *load, size_t i)
{
    return &((const struct sg_policy_conf *)load->conf->tests.v)[i];
}

/* ---- the child */

struct policy_trace {
    struct sg_trace trace;
    FILE *out;
    size_t number;
};

static void
policy_line(struct sg_trace *trace, const struct sg_where *where, const char *text)
{
    struct policy_trace *t = (struct policy_trace *)trace;

    if (where != NULL && where->line != 0)
        (void)fprintf(t->out, "%zu   %s:%u: %s\n", t->number, where->file, where->line, text);
    else
        (void)fprintf(t->out, "%zu   %s\n", t->number, text);
}

/* One key; it is copied, since the words of a list are cut in it. */
static int
policy_set(struct sg_question *q, const char *key, const char *value, char *why, size_t size)
{
    char text[256];
    char *copy = value != NULL ? strdup(value) : NULL;

    if (value == NULL)
        return 0;
    if (copy != NULL && sg_question_set(q, key, copy, text, sizeof text) == 0)
        return 0; /* the question points into it, and the process ends soon */
    (void)snprintf(why, size, "%s: %s", key, copy != NULL ? text : "no memory");
    free(copy);
    return -1;
}

static int
policy_set_all(struct sg_question *q, const char *key, const struct sg_strings *values, char *why, size_t size)
{
    for (size_t i = 0; i < values->n; i++)
        if (policy_set(q, key, values->v[i].text, why, size) == -1)
            return -1;
    return 0;
}

static int
policy_question(struct sg_question *q, const struct sg_policy_conf *test, char *why, size_t size)
{
    sg_question_init(q);
    return policy_set(q, "client", test->client, why, size) == -1 ||
                   policy_set(q, "listener", test->listener, why, size) == -1 ||
                   policy_set(q, "user", test->user, why, size) == -1 ||
                   policy_set(q, "method", test->method, why, size) == -1 ||
                   policy_set(q, "assurance", test->assurance, why, size) == -1 ||
                   policy_set(q, "command", test->command, why, size) == -1 ||
                   policy_set(q, "to", test->to, why, size) == -1 ||
                   policy_set_all(q, "group", &test->group, why, size) == -1 ||
                   policy_set_all(q, "resolves", &test->resolves, why, size) == -1
               ? -1
               : 0;
}

static bool
policy_right(const struct sg_policy_conf *test, const struct sg_policy_reply *reply)
{
    return (int64_t)reply->kind == test->expect && (test->rule == NULL || strcmp(test->rule, reply->label) == 0);
}

static void
policy_ask(const struct sg_policy_conf *test, size_t number, FILE *out)
{
    struct policy_trace trace = { { policy_line }, out, number };
    struct sg_policy_reply reply;
    struct sg_question q;
    char why[320];

    if (policy_question(&q, test, why, sizeof why) == -1 || sg_question_ask(&q, &reply, why, sizeof why) == -1) {
        (void)fprintf(out, "%zu this policy test cannot be asked: %s\n", number, why);
        return;
    }
    if (policy_right(test, &reply))
        return;
    (void)fprintf(out, "%zu policy test failed: %s was expected%s%s%s, the answer is %s by %s%s%s\n", number,
                  sg_reply_name((enum sg_reply_kind)test->expect), test->rule != NULL ? " by rule \"" : "",
                  test->rule != NULL ? test->rule : "", test->rule != NULL ? "\"" : "", sg_reply_name(reply.kind),
                  reply.label[0] != '\0' ? "rule \"" : "no rule", reply.label, reply.label[0] != '\0' ? "\"" : "");
    q.trace = &trace.trace; /* once more, now with the reasons */
    (void)sg_question_ask(&q, &reply, why, sizeof why);
}

static void
policy_child(const struct sg_load *load, const struct sg_rights *rights, int fd)
{
    FILE *out = fdopen(fd, "w");
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    sg_proc_title("sockgate-test", "sockgate: policy tests");
    if (out == NULL || sg_proc_drop(rights) == -1 || sg_questions_open(load) == -1)
        _exit(1);
    for (size_t i = 0; i < load->conf->tests.n; i++)
        policy_ask(policy_test(load, i), i, out);
    sg_questions_close();
    _exit(fclose(out) == 0 ? 0 : 1);
}

/* ---- the parent */

/* What the child writes until it ends, or has to be ended. NUL-terminated; NULL: no memory. */
static char *
policy_read(int fd, pid_t pid, int64_t until)
{
    char *text = malloc(POLICY_TEXT_MAX + 1);
    struct pollfd poll_fd = { fd, POLLIN, 0 };
    size_t len = 0;
    int64_t left;
    ssize_t n = -1;

    while (text != NULL && (left = until - sg_mono_ms()) > 0 && len < POLICY_TEXT_MAX) {
        if (poll(&poll_fd, 1, (int)left) == -1 && errno != EINTR)
            break;
        if (poll_fd.revents != 0 && (n = read(fd, text + len, POLICY_TEXT_MAX - len)) <= 0)
            break;
        len += n > 0 ? (size_t)n : 0;
        n = -1;
    }
    if (n != 0)
        (void)kill(pid, SIGKILL);
    if (text != NULL)
        text[len] = '\0';
    return text;
}

static void
policy_tell(struct sg_load *load, char *text)
{
    size_t last = SIZE_MAX;
    char *at = NULL, *end;

    for (char *line = strtok_r(text, "\n", &at); line != NULL; line = strtok_r(NULL, "\n", &at)) {
        const size_t number = strtoul(line, &end, 10);

        if (number >= load->conf->tests.n || *end != ' ')
            continue;
        if (number == last)
            sg_diag_more(load->diag, end + 1);
        else
            sg_diag_error(load->diag, &policy_test(load, number)->where, NULL, "%s", end + 1);
        last = number;
    }
}

static void
policy_failed(struct sg_load *load, const char *what)
{
    sg_diag_error(load->diag, &policy_test(load, 0)->where, "tests", "the policy tests cannot be run: %s", what);
}

void
sg_policy_test(struct sg_load *load, int64_t until_ms)
{
    const int64_t limit = sg_mono_ms() + POLICY_LIMIT_MS;
    struct sg_rights rights;
    char *text, what[64];
    int pair[2], status = 0;
    pid_t pid;

    if (load->conf->tests.n == 0)
        return;
    if (sg_proc_rights(load->conf->core.user, &rights) == -1 || pipe2(pair, O_CLOEXEC) == -1) {
        policy_failed(load, strerror(errno));
        return;
    }
    pid = fork();
    if (pid == 0)
        policy_child(load, &rights, pair[1]);
    (void)close(pair[1]);
    text = pid != -1 ? policy_read(pair[0], pid, until_ms < limit ? until_ms : limit) : NULL;
    (void)close(pair[0]);
    if (pid == -1 || text == NULL) {
        policy_failed(load, strerror(errno));
    } else {
        while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
            continue;
        policy_tell(load, text);
        if (status != 0)
            policy_failed(load, sg_proc_status_text(status, what, sizeof what));
    }
    free(text);
}
