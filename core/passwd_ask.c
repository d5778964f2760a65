/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passwd_ask.c - a password from the terminal or from standard input.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "passwd.h"

#define ASK_SIZE (SG_PASSWD_SECRET_MAX + 2) /* with a line feed, then a NUL in its place */

/* Reads up to a line feed, and takes it away. -1: nothing came, or too much; `why`. */
static int
ask_line(char line[ASK_SIZE], int signals, int *signal_out, const char **why)
{
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
    struct signalfd_siginfo info;
    size_t len = 0;
    ssize_t n = 0;

    *why = "there is no password";
    for (;;) {
        if (poll(fds, signals != -1 ? 2 : 1, -1) == -1)
            continue;
        if (signals != -1 && fds[1].revents != 0 && read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
            *signal_out = (int)info.ssi_signo;
            return -1;
        }
        if (fds[0].revents == 0)
            continue;
        n = read(STDIN_FILENO, line + len, 1); /* what is behind the line is somebody else's */
        if (n <= 0 || line[len] == '\n')
            break;
        if (++len == ASK_SIZE - 1) {
            *why = "a password has at most 255 octets";
            return -1;
        }
    }
    line[len] = '\0';
    if (strlen(line) != len) {
        *why = "a password cannot hold a NUL";
        return -1;
    }
    return len > 0 ? 0 : -1;
}

static int
ask_prompt(const char *format, const char *user, char line[ASK_SIZE], int signals, int *signal_out, const char **why)
{
    int status;

    (void)fprintf(stderr, format, user);
    status = ask_line(line, signals, signal_out, why);
    (void)fputc('\n', stderr);
    return status;
}

static int
ask_twice(const char *user, char secret[ASK_SIZE], int signals, int *signal_out, const char **why)
{
    char again[ASK_SIZE];
    int status = ask_prompt("New password for %s: ", user, secret, signals, signal_out, why);

    if (status == 0)
        status = ask_prompt("Once more, for %s: ", user, again, signals, signal_out, why);
    if (status == 0 && strcmp(secret, again) != 0) {
        *why = "the two are not the same";
        status = -1;
    }
    sodium_memzero(again, sizeof again);
    return status;
}

/* Without an echo; whatever happens, the terminal is afterwards as it was. */
static int
ask_terminal(const struct termios *before, const char *user, bool fresh, char secret[ASK_SIZE], const char **why)
{
    struct termios quiet = *before;
    sigset_t held, old;
    int status = -1, fd, signal_got = 0;

    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGINT);
    (void)sigaddset(&held, SIGTERM);
    (void)sigaddset(&held, SIGHUP);
    (void)sigaddset(&held, SIGQUIT);
    (void)sigaddset(&held, SIGTSTP);
    (void)sigprocmask(SIG_BLOCK, &held, &old);
    (void)sigdelset(&held, SIGTSTP); /* stopped only when the echo is back */
    fd = signalfd(-1, &held, SFD_CLOEXEC);
    if (fd == -1 || tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == -1)
        *why = strerror(errno);
    else {
        status = fresh ? ask_twice(user, secret, fd, &signal_got, why)
                       : ask_prompt("Password for %s: ", user, secret, fd, &signal_got, why);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
    }
    if (fd != -1)
        (void)close(fd);
    if (signal_got != 0)
        (void)raise(signal_got);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return status;
}

int
sg_passwd_ask(const char *user, bool fresh, char secret[SG_PASSWD_SECRET_MAX + 2])
{
    struct termios before;
    const char *why;
    int no_signal, status;

    if (tcgetattr(STDIN_FILENO, &before) == 0)
        status = ask_terminal(&before, user, fresh, secret, &why);
    else
        status = ask_line(secret, -1, &no_signal, &why);
    if (status == -1)
        (void)fprintf(stderr, "sockgatectl: %s\n", why);
    return status;
}
