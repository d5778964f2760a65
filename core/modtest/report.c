/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - the mistakes that were found, in memory that all processes share: who dies has said it before.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "modtest/modtest.h"

#define FAULT_STATUS 70
#define FAULT_STACK 65536
#define LOG_MAX (1 << 20)

struct mt_shared *mt_shared;

static int log_file = -1;
static off_t log_read;
static char log_said[MT_TEXT_MAX / 2];

static const char *const hook_names[MT_HOOKS] = {
    [MT_NONE] = "nothing of the module",
    [MT_LOAD] = "init()",
    [MT_START] = "start()",
    [MT_STOP] = "stop()",
    [MT_FINI] = "fini()",
    [MT_CHECK] = "check()",
    [MT_EXCHANGE] = "exchange()",
    [MT_CLIENT] = "client()",
    [MT_REQUEST] = "request()",
    [MT_TARGET] = "target()",
    [MT_COMMAND] = "start() of the command",
    [MT_CANCEL] = "cancel()",
    [MT_SESSION_END] = "session_end()",
    [MT_WORK] = "work()",
    [MT_EVENT] = "event()",
    [MT_COMMIT] = "commit()",
    [MT_REOPEN] = "reopen()",
    [MT_RECOVER] = "recover()",
    [MT_DESCRIPTOR] = "descriptor()",
    [MT_CALLBACK] = "a callback of a timer, a dial or a filter",
};

/* What the core says about modules, and what would be right. */
static const struct {
    const char *said, *sentence;
} verdicts[] = {
    { "of a handle that is resolved already",
      "a handle was resolved twice: end each with exactly one sg_pending_resolve()" },
    { "of a handle that is dead",
      "a handle was resolved after it had ended: forget it in cancel(), and once it is resolved" },
    { "sg_pending_new() outside", "sg_pending_new() was called outside a callback that may answer SG_AGAIN, or twice "
                                  "in one: make handles only there" },
    { "SG_AGAIN without a handle", "SG_AGAIN was answered without a handle: call sg_pending_new() first" },
    { "SG_AGAIN is no answer", "a handle was resolved with SG_AGAIN: resolve it with the verdict itself" },
    { "the label of its decision", "the label of a decision has more than 63 octets: no record could hold it" },
    { "its answer did not fit",
      "an answer did not fit: a name has 255 octets at most and no NUL, all strings together 64 KiB" },
};

int
mt_report_open(void)
{
    mt_shared = mmap(NULL, sizeof *mt_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mt_shared == MAP_FAILED)
        return -1;
    mt_shared->method = mt_shared->cmd = -1;
    return 0;
}

const char *
mt_hook_name(enum mt_hook hook)
{
    return hook_names[hook];
}

void
mt_mistake(const char *format, ...)
{
    char text[MT_TEXT_MAX];
    unsigned n;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (unsigned i = 0; i < atomic_load(&mt_shared->n_mistakes) && i < MT_MISTAKES_MAX; i++)
        if (strcmp(mt_shared->mistakes[i], text) == 0)
            return;
    n = atomic_fetch_add(&mt_shared->n_mistakes, 1);
    if (n < MT_MISTAKES_MAX)
        memcpy(mt_shared->mistakes[n], text, sizeof text);
}

void
mt_start_failed(const char *where)
{
    mt_log_read();
    if (mt_alloc_fails()) /* as it should, without memory */
        return;
    mt_mistake("start() fails in a %s: %s", where,
               log_said[0] != '\0' ? log_said : "it does not say why in the error log");
}

bool
mt_found(void)
{
    mt_log_read();
    return atomic_load(&mt_shared->n_mistakes) > 0;
}

/* ---- faults */

static enum mt_hook
fault_hook(void)
{
    const enum mt_hook hook = mt_wrap_hook();

    return hook == MT_NONE && mt_wrap_inside() ? MT_CALLBACK : hook;
}

static void
fault(int number, siginfo_t *info, void *context)
{
    const char *blame = number == SIGSEGV || number == SIGBUS ? mt_guard_blame(info->si_addr) : NULL;
    const char *name = sigabbrev_np(number);

    (void)context;
    if (blame != NULL)
        mt_mistake("%s %s", hook_names[fault_hook()], blame);
    else
        mt_mistake("%s ended its process with SIG%s: run it under a debugger, or built with -fsanitize=address",
                   hook_names[fault_hook()], name != NULL ? name : "?");
    atomic_store(&mt_shared->faulted, true);
    _exit(FAULT_STATUS);
}

void
mt_faults_watch(void)
{
    static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS };
    static char stack[FAULT_STACK];
    const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    (void)sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)sigaction(numbers[i], &action, NULL);
}

/* ---- the error log */

int
mt_log_open(void)
{
    log_file = memfd_create("modtest", MFD_CLOEXEC);
    if (log_file == -1)
        return -1;
    sg_log_init(SG_LOG_WARN);
    sg_log_take_fd(dup(log_file));
    return 0;
}

static void
log_line(const char *line)
{
    static const char own[] = "module \"module\": ";
    const char *said = strstr(line, own), *error = strstr(line, "module_error: ");

    if (said == NULL)
        return;
    if (error == NULL) {
        if (strcmp(said + sizeof own - 1, "its start failed") != 0)
            (void)snprintf(log_said, sizeof log_said, "%s", said + sizeof own - 1);
        return;
    }
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (strstr(error, verdicts[i].said) != NULL) {
            mt_mistake("%s", verdicts[i].sentence);
            return;
        }
    mt_mistake("%s", error + strlen("module_error: "));
}

void
mt_log_read(void)
{
    static char text[LOG_MAX];
    const ssize_t n = pread(log_file, text, sizeof text - 1, log_read);
    char *next;

    if (n <= 0)
        return;
    log_read += n;
    text[n] = '\0';
    for (char *line = text; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        log_line(line);
    }
}
