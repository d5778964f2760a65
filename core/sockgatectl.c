/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockgatectl.c - the same binary under its second name: a tool for operators, one word a task.
 */
#include "sockgatectl.h"

#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "login_test.h"
#include "passwd.h"
#include "sessions.h"
#include "version.h"

#define EXIT_USAGE 2

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0]: the name */
    const char *help;
} tasks[] = {
    { "explain", sg_explain_main, "would this request be allowed, by which rule, and why" },
    { "login-test", sg_login_test_main, "would this user be let in, and what does each instance say" },
    { "passwd", sg_passwd_main, "give a user of a password file a new password, or take the user out" },
    { "sessions", sg_sessions_main, "the sessions under way" },
};

bool
sg_sockgatectl_called(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');

    return strcmp(slash != NULL ? slash + 1 : argv0, "sockgatectl") == 0;
}

static void
usage(FILE *out)
{
    (void)fputs("usage: sockgatectl TASK [OPTION...]\n       sockgatectl TASK -h\n", out);
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++)
        (void)fprintf(out, "  %-10s %s\n", tasks[i].name, tasks[i].help);
}

int
sg_sockgatectl_main(int argc, char **argv)
{
    const char *task = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++)
        if (strcmp(tasks[i].name, task) == 0)
            return tasks[i].run(argc - 1, argv + 1);
    if (strcmp(task, "-h") == 0 || strcmp(task, "--help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(task, "-v") == 0 || strcmp(task, "--version") == 0) {
        sg_version_short(stdout);
        return 0;
    }
    if (task[0] != '\0')
        (void)fprintf(stderr, "sockgatectl: there is no task \"%.40s\"\n", task);
    usage(stderr);
    return EXIT_USAGE;
}
