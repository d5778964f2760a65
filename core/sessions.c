/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sessions.c - every table of every generation, whose worker is alive; a line for each session.
 */
#include "sessions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addrs.h"
#include "clock.h"
#include "load.h"
#include "log.h"
#include "proc.h"
#include "table_read.h"

#define EXIT_USAGE 2
#define DEFAULT_CONF SG_SYSCONFDIR "/sockgate.conf"

struct sessions {
    const char *conf, *runtime_dir, *user; /* user: NULL: any */
    bool json;
};

static void
usage(FILE *out)
{
    (void)fputs("usage: sockgatectl sessions [-c FILE | --runtime-dir DIR] [--user NAME] [--json]\n"
                "  -c FILE             configuration, which says where the runtime directory is\n"
                "                      (" DEFAULT_CONF "; without that, the embedded one)\n"
                "  --runtime-dir DIR   the runtime directory; no configuration is read\n"
                "  --user NAME         only sessions of this user\n"
                "  --json              a JSON object a line, with the names of the log's fields\n",
                out);
}

/* -1: go on; else the exit status. */
static int
sessions_options(struct sessions *s, int argc, char **argv)
{
    static const struct option longs[] = {
        { "runtime-dir", required_argument, NULL, 'r' },
        { "user", required_argument, NULL, 'u' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (c) {
        case 'c': s->conf = optarg; break;
        case 'r': s->runtime_dir = optarg; break;
        case 'u': s->user = optarg; break;
        case 'j': s->json = true; break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    (void)fprintf(stderr, "sockgatectl: unexpected argument \"%.80s\"\n", argv[optind]);
    usage(stderr);
    return EXIT_USAGE;
}

/* ---- a line */

/* Octets that strangers have chosen, for a terminal; "-" if there are none. */
static const char *
sessions_text(char *text, size_t size, const char *octets, size_t n)
{
    if (octets == NULL || n == 0)
        return "-";
    text[sg_log_escape(text, size - 1, octets, n)] = '\0';
    return text;
}

static const char *
sessions_addr(char text[SG_ADDR_TEXT], const struct sg_addr *addr)
{
    return addr->family != SG_FAMILY_NONE ? sg_addr_format(addr, text, SG_ADDR_TEXT) : "-";
}

static void
sessions_head(void)
{
    (void)printf("%-32s %10s %-12s %-21s %-16s %-8s %-28s %-21s %-12s %12s %12s %s\n", "ID", "AGE", "LISTENER",
                 "CLIENT", "USER", "COMMAND", "HOST", "TARGET", "RULE", "UP", "DOWN", "STATE");
}

static void
sessions_row(const struct sg_record *rec, const struct sg_record_names *names)
{
    const int64_t age = sg_record_age(rec, sg_mono_ms()) / 1000;
    const char *listener = names->name(names, rec->listener), *name = sg_record_get(rec, &rec->name);
    char id[33], since[32], client[SG_ADDR_TEXT], target[SG_ADDR_TEXT], command[8], where[256], user[UINT8_MAX * 4 + 1],
        host[UINT8_MAX * 4 + 16] = "-", rule[SG_RECORD_LABEL_MAX * 4 + 1];

    sg_record_id(rec, id);
    (void)snprintf(since, sizeof since, "%" PRId64 ":%02d:%02d", age / 3600, (int)(age / 60 % 60), (int)(age % 60));
    if (name != NULL) {
        const size_t n = sg_log_escape(host, sizeof host - 16, name, rec->name.len);

        (void)snprintf(host + n, sizeof host - n, ":%u", (unsigned)rec->port);
    }
    (void)printf("%-32s %10s %-12s %-21s %-16s %-8s %-28s %-21s %-12s %12" PRIu64 " %12" PRIu64 " %s\n", id, since,
                 sessions_text(where, sizeof where, listener, listener != NULL ? strlen(listener) : 0),
                 sessions_addr(client, &rec->client),
                 sessions_text(user, sizeof user, sg_record_get(rec, &rec->user), rec->user.len),
                 rec->ver != 0 ? sg_record_command(rec, command) : "-", host, sessions_addr(target, &rec->target),
                 sessions_text(rule, sizeof rule, rec->rule, rec->rule_len <= SG_RECORD_LABEL_MAX ? rec->rule_len : 0),
                 rec->bytes_up, rec->bytes_down, sg_record_live_state(rec));
}

static bool
sessions_wanted(const struct sessions *s, const struct sg_record *rec)
{
    const char *user = sg_record_get(rec, &rec->user);
    const size_t len = user != NULL ? rec->user.len : 0;

    return s->user == NULL || (rec->identified && strlen(s->user) == len && memcmp(s->user, user, len) == 0);
}

static void
sessions_show(const struct sessions *s, const struct sg_record *rec, const struct sg_record_names *names)
{
    char line[SG_RECORD_LINE_MAX];

    if (!sessions_wanted(s, rec))
        return;
    if (s->json)
        (void)fwrite(line, 1, sg_record_json_live(rec, names, sg_mono_ms(), line, sizeof line), stdout);
    else
        sessions_row(rec, names);
}

/* ---- the tables */

/* A table's sessions. A worker that is not alive has none: the logger writes their ends. False: it makes no sense. */
static bool
sessions_table(const struct sessions *s, int fd)
{
    struct sg_table table;
    const struct sg_record *rec;
    bool alive;

    if (!sg_table_open(&table, fd))
        return false;
    alive =
        table.head->born != 0 && table.head->pid <= INT_MAX && sg_proc_lives((pid_t)table.head->pid, table.head->born);
    for (uint32_t slot = 0; alive && slot < table.n_slots; slot++) {
        rec = sg_table_live(&table, slot);
        if (rec != NULL)
            sessions_show(s, rec, &table.names);
    }
    sg_table_close(&table);
    return true;
}

static int
sessions_is_table(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".table") == 0;
}

static int
sessions_all(const struct sessions *s, int dir)
{
    struct dirent **list;
    const int n = scandirat(dir, ".", &list, sessions_is_table, alphasort);
    int status = 0;

    for (int i = 0; i < n; i++) {
        const int fd = openat(dir, list[i]->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        /* One that is gone has nothing under way. */
        if (fd != -1 ? !sessions_table(s, fd) : errno != ENOENT) {
            (void)fprintf(stderr, "sockgatectl: the session table %s %s\n", list[i]->d_name,
                          fd != -1 ? "makes no sense" : strerror(errno));
            status = 1;
        }
        if (fd != -1)
            (void)close(fd);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return n >= 0 ? status : -1;
}

static int
sessions_folder(const struct sessions *s, const char *runtime_dir)
{
    char path[PATH_MAX];
    int dir = -1, status;

    errno = ENAMETOOLONG;
    if ((size_t)snprintf(path, sizeof path, "%s/journal", runtime_dir) < sizeof path)
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir == -1) {
        (void)fprintf(stderr, "sockgatectl: %s: %s%s\n", path, strerror(errno),
                      errno == EACCES   ? ": sessions are shown to root, and to who started sockgate"
                      : errno == ENOENT ? ": no sockgate has run with this runtime directory"
                                        : "");
        return 1;
    }
    if (!s->json)
        sessions_head();
    status = sessions_all(s, dir);
    if (status == -1)
        (void)fprintf(stderr, "sockgatectl: %s: %s\n", path, strerror(errno));
    (void)close(dir);
    if (fflush(stdout) == EOF || ferror(stdout)) {
        (void)fprintf(stderr, "sockgatectl: standard output: %s\n", strerror(errno));
        return 1;
    }
    return status == 0 ? 0 : 1;
}

int
sg_sessions_main(int argc, char **argv)
{
    struct sessions s = { .conf = access(DEFAULT_CONF, F_OK) == 0 ? DEFAULT_CONF : NULL };
    struct sg_load load = { 0 };
    int status = sessions_options(&s, argc, argv);

    if (status != -1)
        return status;
    if (s.runtime_dir != NULL)
        return sessions_folder(&s, s.runtime_dir);
    load.diag = sg_diag_new();
    sg_load_conf(&load, s.conf);
    if (load.conf != NULL && load.conf->core.runtime_dir != NULL) {
        status = sessions_folder(&s, load.conf->core.runtime_dir);
    } else {
        sg_load_show(&load, NULL, 0);
        status = 1;
    }
    sg_load_free(&load);
    return status;
}
