/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "ctl.h"
#include "generation.h"
#include "log.h"
#include "master.h"
#include "proc.h"
#include "sockgatectl.h"
#include "version.h"

#define EXIT_USAGE 2
#define DEFAULT_CONF SG_SYSCONFDIR "/sockgate.conf"

struct options {
    const char *conf, *signal;
    bool test, print, quiet;
    int generation, upgrade; /* descriptors of the internal modes, -1: none */
};

static void
usage(FILE *out)
{
    (void)fputs("usage: sockgate [-c FILE] [-t | -T | -s SIGNAL] [-q] [-f]\n"
                "       sockgate -v | -V | -h\n"
                "  -c FILE    configuration (" DEFAULT_CONF ";\n"
                "             without that, an embedded one for loopback only)\n"
                "  -t         check the configuration and exit\n"
                "  -T         check it and print it as it takes effect\n"
                "  -s SIGNAL  tell the running sockgate: stop, quit, reload, reopen, upgrade\n"
                "  -q         errors only\n"
                "  -f         stay in the foreground (always so; accepted for symmetry)\n"
                "  -v, -V     version; with libraries, module ABI and modules\n"
                "  -h         this text\n",
                out);
}

static int
options_fd(const char *text)
{
    char *end;
    const long fd = strtol(text, &end, 10);

    return *end == '\0' && fd > 2 && fd < INT_MAX && fcntl((int)fd, F_GETFD) != -1 ? (int)fd : -1;
}

/* -1: go on; else the exit status. */
static int
options_read(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = { { "help", no_argument, NULL, 'h' },
                                           { "version", no_argument, NULL, 'v' },
                                           { "generation", required_argument, NULL, 'G' },
                                           { "upgrade", required_argument, NULL, 'U' },
                                           { NULL, 0, NULL, 0 } };
    int c;

    while ((c = getopt_long(argc, argv, "c:tTqvVs:fh", longs, NULL)) != -1) {
        switch (c) {
        case 'c': o->conf = optarg; break;
        case 't': o->test = true; break;
        case 'T': o->test = o->print = true; break;
        case 'q': o->quiet = true; break;
        case 's': o->signal = optarg; break;
        case 'f': break;
        case 'v': sg_version_short(stdout); return 0;
        case 'V': sg_version_long(stdout); return 0;
        case 'h': usage(stdout); return 0;
        case 'G':
        case 'U':
            *(c == 'G' ? &o->generation : &o->upgrade) = options_fd(optarg);
            if (options_fd(optarg) == -1)
                return EXIT_USAGE;
            break;
        default: usage(stderr); return EXIT_USAGE;
        }
    }
    if (optind != argc) {
        (void)fprintf(stderr, "sockgate: unexpected argument \"%s\"\n", argv[optind]);
        usage(stderr);
        return EXIT_USAGE;
    }
    if (o->signal != NULL && !sg_ctl_knows(o->signal)) {
        (void)fprintf(stderr, "sockgate: unknown signal \"%s\": stop, quit, reload, reopen or upgrade\n", o->signal);
        return EXIT_USAGE;
    }
    return -1;
}

/* The master changes its folder never, but workers do: messages and reloads need the whole path. */
static const char *
conf_path(const char *given, bool quiet)
{
    static char path[PATH_MAX + 1];
    char cwd[PATH_MAX / 2];

    if (given == NULL && access(DEFAULT_CONF, F_OK) == 0)
        given = DEFAULT_CONF;
    if (given == NULL) {
        if (!quiet)
            sg_logf(SG_LOG_NOTICE, "no configuration file: using the embedded default (loopback only)");
        return NULL;
    }
    if (given[0] == '/' || getcwd(cwd, sizeof cwd) == NULL)
        return given;
    (void)snprintf(path, sizeof path, "%s/%.2000s", cwd, given);
    return path;
}

/* Descriptors 0 to 2 are open from here on, so that no socket is ever mistaken for stderr. */
static void
standard_descriptors(void)
{
    int fd;

    while ((fd = open("/dev/null", O_RDWR)) != -1 && fd <= 2)
        continue;
    if (fd > 2)
        (void)close(fd);
}

int
main(int argc, char **argv)
{
    struct options o = { .generation = -1, .upgrade = -1 };
    int status;

    standard_descriptors();
    sg_proc_title_init(argc, argv);
    sg_log_init(SG_LOG_NOTICE);
    if (sodium_init() == -1) {
        sg_logf(SG_LOG_EMERG, "libsodium does not start");
        return 1;
    }
    if (sg_sockgatectl_called(argv[0]))
        return sg_sockgatectl_main(argc, argv);
    status = options_read(&o, argc, argv);
    if (status != -1)
        return status;
    if (o.generation != -1)
        return sg_generation_main(o.generation);
    if (o.upgrade != -1)
        return sg_master_resume(o.upgrade);
    if (o.quiet)
        sg_log_set_level(SG_LOG_EMERG);
    if (o.signal != NULL)
        return sg_ctl_main(conf_path(o.conf, true), o.signal, o.quiet);
    if (o.test)
        return sg_generation_test(conf_path(o.conf, true), o.print, o.quiet);
    return sg_master_main(conf_path(o.conf, o.quiet));
}
