/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_syslog.c - events as messages of syslog (RFC 5424), to the local daemon or over the network.
 *
 *   <PRI>1 TIME HOSTNAME APP-NAME PROCID EVENT - {"time":...}
 *   <PRI>1 TIME HOSTNAME APP-NAME PROCID EVENT [sockgate@32473 time="..." ...]
 *
 * JSON is ASCII here: a MSG beyond ASCII would have to begin with a byte order mark (section 6.4), which readers of JSON
 * refuse, so that a client could make its own record unreadable.
 *
 * Frames are kept until the commit, which sends all of them or fails: then all come again, or are given up and counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sockgate/module.h>

#include "syslog.h"

/* The frames between two commits; the core commits long before that is full. */
#define SYSLOG_BUFFER ((size_t)4 << 20)
/* "16384 " in front of a frame, "<191>", the head, " - ", the line. */
#define SYSLOG_FRAME_MAX (8 + 5 + SG_EVENT_LINE_MIN + 3 + SG_EVENT_LINE_MAX)

/* A commit waits that long at most: other logs wait with it, and workers need their records back. */
#define SYSLOG_COMMIT_MS 1000

enum syslog_framing { FRAMING_OCTET_COUNTING, FRAMING_NEWLINE };
enum syslog_format { FORMAT_JSON, FORMAT_STRUCTURED_DATA };

struct syslog_conf {
    const char *target, *app_name, *hostname;
    int64_t framing, facility, format;
};

static const struct sg_conf_word framing_words[] = {
    { "octet_counting", FRAMING_OCTET_COUNTING },
    { "newline", FRAMING_NEWLINE },
    { NULL, 0 },
};

static const struct sg_conf_word format_words[] = {
    { "json", FORMAT_JSON },
    { "structured_data", FORMAT_STRUCTURED_DATA },
    { NULL, 0 },
};

static const struct sg_conf_word facility_words[] = {
    { "user", 1 },    { "daemon", 3 },  { "auth", 4 },    { "authpriv", 10 }, { "audit", 13 },
    { "alert", 14 },  { "local0", 16 }, { "local1", 17 }, { "local2", 18 },   { "local3", 19 },
    { "local4", 20 }, { "local5", 21 }, { "local6", 22 }, { "local7", 23 },   { NULL, 0 },
};

#define SYSLOG_KEY(key) .name = #key, .offset = offsetof(struct syslog_conf, key)

static const struct sg_conf_item syslog_items[] = {
    { SYSLOG_KEY(target), .type = SG_CONF_STRING, .def = "unix:/dev/log",
      .help = "unix:PATH, udp:ADDRESS:PORT or tcp:ADDRESS:PORT" },
    { SYSLOG_KEY(framing), .type = SG_CONF_ENUM, .def = "octet_counting", .words = framing_words,
      .help = "how messages are told apart on a tcp connection (RFC 6587)" },
    { SYSLOG_KEY(facility), .type = SG_CONF_ENUM, .def = "daemon", .words = facility_words,
      .help = "the facility of all messages" },
    { SYSLOG_KEY(app_name), .type = SG_CONF_STRING, .def = "sockgate", .help = "APP-NAME of all messages" },
    { SYSLOG_KEY(hostname), .type = SG_CONF_STRING, .help = "HOSTNAME of all messages; not given: the system's" },
    { SYSLOG_KEY(format), .type = SG_CONF_ENUM, .def = "json", .words = format_words,
      .help = "json in MSG, or the fields in STRUCTURED-DATA" },
    { .name = NULL },
};

/* Link and body are made by init(), the rest by start(). */
struct syslog {
    struct syslog_link link;
    struct sg_event_format *head, *body;
    size_t len;
    char *frames;
};

/* ---- settings */

/* A part of the header is letters, digits and little else, so that no part can be taken for two. */
static bool
syslog_word(const char *text, size_t most)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/";
    const size_t len = strlen(text);

    return len > 0 && len <= most && strspn(text, letters) == len;
}

static void
syslog_check_word(struct sg_instance *inst, const char *key, const char *text, size_t most)
{
    const struct sg_where where = sg_conf_where(inst, key);

    if (text != NULL && !syslog_word(text, most))
        sg_conf_error(inst, &where, "%s: 1 to %zu letters, digits and \"-._:/\" are allowed", key, most);
}

static void
syslog_check_target(struct sg_instance *inst, struct syslog_target *target)
{
    const struct syslog_conf *conf = sg_instance_conf(inst);
    const struct sg_where where = sg_conf_where(inst, "target"), framing = sg_conf_where(inst, "framing");
    const char *wrong = syslog_target_parse(conf->target, target);

    if (wrong != NULL) {
        sg_conf_error(inst, &where, "target: \"%s\": %s", conf->target, wrong);
        return;
    }
    if (framing.line != 0 && target->kind != SYSLOG_TCP)
        sg_conf_error(inst, &framing, "framing: only a tcp connection has one");
    if (sg_event_required(inst) && target->kind == SYSLOG_UDP)
        sg_conf_error(inst, &where,
                      "target: a required log cannot be sent by udp, which loses messages in silence: use tcp or unix");
}

static int
syslog_init(struct sg_instance *inst)
{
    const struct syslog_conf *conf = sg_instance_conf(inst);
    const struct sg_where where = sg_conf_where(inst, "format");
    struct syslog *syslog = calloc(1, sizeof *syslog);

    if (syslog == NULL)
        return -1;
    sg_instance_set_data(inst, syslog);
    syslog->link.fd = -1;
    syslog_check_target(inst, &syslog->link.target);
    syslog_check_word(inst, "app_name", conf->app_name, 48);
    syslog_check_word(inst, "hostname", conf->hostname, 255);
    if (sg_event_required(inst) && conf->format != FORMAT_JSON)
        sg_conf_error(inst, &where, "format: a required log is written as \"json\"");
    syslog->body = sg_event_format_new(inst, "format", conf->format == FORMAT_JSON ? "json_ascii" : "structured_data");
    return syslog->body != NULL ? 0 : -1;
}

static void
syslog_fini(struct sg_instance *inst)
{
    struct syslog *syslog = sg_instance_data(inst);

    if (syslog != NULL)
        sg_event_format_free(syslog->body);
    free(syslog);
}

/* ---- in the logger */

static int
syslog_start(struct sg_instance *inst, enum sg_process process)
{
    const struct syslog_conf *conf = sg_instance_conf(inst);
    struct syslog *syslog = sg_instance_data(inst);
    char host[256] = "", text[512];

    if (process != SG_PROCESS_LOGGER)
        return 0;
    if (gethostname(host, sizeof host - 1) == -1 || !syslog_word(host, 255))
        (void)snprintf(host, sizeof host, "-");
    (void)snprintf(text, sizeof text, "1 $time %s %s %ld $event", conf->hostname != NULL ? conf->hostname : host,
                   conf->app_name, (long)getpid());
    syslog->head = sg_event_format_new(inst, "hostname", text);
    syslog->frames = malloc(SYSLOG_BUFFER);
    if (syslog->head != NULL && syslog->frames != NULL)
        return 0;
    sg_event_format_free(syslog->head);
    free(syslog->frames);
    return -1;
}

static void
syslog_stop(struct sg_instance *inst)
{
    struct syslog *syslog = sg_instance_data(inst);

    syslog_link_close(&syslog->link);
    sg_event_format_free(syslog->head);
    free(syslog->frames);
}

/* RFC 5424, section 6.2.1: what happens all day, what is worth a look, what the operator must mend. */
static unsigned
syslog_severity(const char *kind)
{
    static const struct {
        const char *kind;
        unsigned severity;
    } table[] = {
        { "session_start", 6 },   { "session_end", 6 },  { "session_failed", 5 },
        { "session_refused", 4 }, { "auth_ok", 6 },      { "auth_failed", 4 },
        { "reload", 5 },          { "module_error", 3 }, { "records_lost", 2 },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].kind, kind) == 0)
            return table[i].severity;
    return 5;
}

static size_t
syslog_frame(const struct sg_instance *inst, const struct sg_event_info *event, char frame[SYSLOG_FRAME_MAX])
{
    const struct syslog_conf *conf = sg_instance_conf(inst);
    const struct syslog *syslog = sg_instance_data(inst);
    const unsigned severity = syslog_severity(sg_event_kind(event));
    size_t len = (size_t)snprintf(frame, SYSLOG_FRAME_MAX, "<%u>", (unsigned)conf->facility * 8 + severity);

    /* Without their line feeds. */
    len += sg_event_print(syslog->head, event, frame + len, SG_EVENT_LINE_MIN) - 1;
    len += (size_t)snprintf(frame + len, SYSLOG_FRAME_MAX - len, "%s", conf->format == FORMAT_JSON ? " - " : " ");
    len += sg_event_print(syslog->body, event, frame + len, SG_EVENT_LINE_MAX) - 1;
    frame[len] = '\0';
    return len;
}

static int
syslog_event(struct sg_instance *inst, const struct sg_event_info *event)
{
    const struct syslog_conf *conf = sg_instance_conf(inst);
    struct syslog *syslog = sg_instance_data(inst);
    const bool counting = syslog->link.target.kind == SYSLOG_TCP && conf->framing == FRAMING_OCTET_COUNTING;
    char frame[SYSLOG_FRAME_MAX];
    size_t len;

    if (SYSLOG_BUFFER - syslog->len < SYSLOG_FRAME_MAX) {
        syslog->len = 0; /* all of the batch comes again, or has been given up */
        return -1;
    }
    len = syslog_frame(inst, event, frame);
    if (counting)
        syslog->len += (size_t)snprintf(syslog->frames + syslog->len, SYSLOG_BUFFER - syslog->len, "%zu ", len);
    else
        frame[len++] = syslog->link.target.kind == SYSLOG_TCP ? '\n' : '\0';
    memcpy(syslog->frames + syslog->len, frame, len);
    syslog->len += len;
    return 0;
}

static int
syslog_commit(struct sg_instance *inst)
{
    struct syslog *syslog = sg_instance_data(inst);
    const size_t len = syslog->len;

    syslog->len = 0;
    return syslog_link_send(&syslog->link, syslog->frames, len, syslog_now_ms() + SYSLOG_COMMIT_MS);
}

static const struct sg_log_ops syslog_log = {
    .size = sizeof syslog_log,
    .event = syslog_event,
    .commit = syslog_commit,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("log_syslog"), .version = "0.1.0",    .conf = syslog_items, .conf_size = sizeof(struct syslog_conf),
    .init = syslog_init,          .start = syslog_start, .stop = syslog_stop,  .fini = syslog_fini,
    .log = &syslog_log,
};
