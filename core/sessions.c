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
#include "format.h"
#include "json.h"
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

static const struct {
    const char *head;
    int width; /* negative: to the left */
    enum sg_field field;
} columns[] = {
    { "ID", -32, SG_FIELD_ID },         { "AGE", 10, SG_FIELD_DURATION_MS }, { "LISTENER", -12, SG_FIELD_LISTENER },
    { "CLIENT", -21, SG_FIELD_CLIENT }, { "USER", -16, SG_FIELD_USER },      { "COMMAND", -8, SG_FIELD_COMMAND },
    { "HOST", -28, SG_FIELD_HOST },     { "TARGET", -21, SG_FIELD_TARGET },  { "RULE", -12, SG_FIELD_RULE },
    { "UP", 12, SG_FIELD_BYTES_UP },    { "DOWN", 12, SG_FIELD_BYTES_DOWN },
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* A session under way, as if it ended now. */
static struct sg_event_info
sessions_info(struct sg_record *rec, const struct sg_record_names *names)
{
    rec->ended_mono_ms = sg_mono_ms();
    return (struct sg_event_info){ SG_EVENT_SESSION_END, rec, names };
}

static const char *
sessions_state(const struct sg_record *rec)
{
    return atomic_load_explicit(&rec->state, memory_order_relaxed) == SG_RECORD_OPEN ? "open" : "started";
}

static void
sessions_head(void)
{
    for (size_t i = 0; i < N_COLUMNS; i++)
        (void)printf("%*s ", columns[i].width, columns[i].head);
    (void)puts("STATE");
}

/* Octets that strangers have chosen are escaped: this goes to a terminal. */
static const char *
sessions_cell(const struct sg_event_info *info, enum sg_field field, char *text, size_t size)
{
    struct sg_field_value value;
    size_t n;

    if (!sg_field_get(info, field, &value) || (value.kind == SG_FIELD_IS_OCTETS && value.len == 0))
        return "-";
    if (field == SG_FIELD_DURATION_MS) {
        const int64_t age = value.number / 1000;

        (void)snprintf(text, size, "%" PRId64 ":%02d:%02d", age / 3600, (int)(age / 60 % 60), (int)(age % 60));
        return text;
    }
    if (value.kind == SG_FIELD_IS_NUMBER) {
        (void)snprintf(text, size, "%" PRId64, value.number);
        return text;
    }
    n = sg_log_escape(text, size - 16, value.octets, value.len);
    text[n] = '\0';
    if (field == SG_FIELD_HOST)
        (void)snprintf(text + n, size - n, ":%u", (unsigned)info->rec->port);
    return text;
}

static void
sessions_row(struct sg_record *rec, const struct sg_record_names *names)
{
    const struct sg_event_info info = sessions_info(rec, names);
    char text[UINT8_MAX * 4 + 32];

    for (size_t i = 0; i < N_COLUMNS; i++)
        (void)printf("%*s ", columns[i].width, sessions_cell(&info, columns[i].field, text, sizeof text));
    (void)puts(sessions_state(rec));
}

/* The fields of the log, but for those of an end that has not come; "state" stands in place of "event". */
static void
sessions_json(struct sg_record *rec, const struct sg_record_names *names)
{
    const struct sg_event_info info = sessions_info(rec, names);
    char line[SG_EVENT_JSON_MAX];
    struct sg_field_value value;
    struct sg_json json;

    sg_json_begin(&json, line, sizeof line);
    for (enum sg_field field = 0; field < SG_N_FIELDS; field++)
        switch (field) {
        case SG_FIELD_EVENT: sg_json_string(&json, "state", sessions_state(rec)); break;
        case SG_FIELD_PHASE:
        case SG_FIELD_REASON:
        case SG_FIELD_REASON_TEXT:
        case SG_FIELD_ERROR: break;
        default:
            if (sg_field_get(&info, field, &value))
                sg_format_json_field(&json, field, &value);
        }
    (void)fwrite(line, 1, sg_json_end(&json), stdout);
}

static bool
sessions_wanted(const struct sessions *s, const struct sg_record *rec)
{
    const char *user = sg_record_get(rec, &rec->user);

    if (s->user == NULL)
        return true;
    if (user == NULL) /* nobody in particular, or nobody yet */
        return rec->identified && s->user[0] == '\0';
    return rec->identified && strlen(s->user) == rec->user.len && memcmp(s->user, user, rec->user.len) == 0;
}

static void
sessions_show(const struct sessions *s, struct sg_record *rec, const struct sg_record_names *names)
{
    if (!sessions_wanted(s, rec))
        return;
    if (s->json)
        sessions_json(rec, names);
    else
        sessions_row(rec, names);
}

/* ---- the tables */

/* A table's sessions. A worker that is not alive has none: the logger writes their ends. False: it makes no sense. */
static bool
sessions_table(const struct sessions *s, int fd)
{
    struct sg_table table;
    struct sg_record *rec;
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
