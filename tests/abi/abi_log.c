/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_log.c - a log on standard error, which looks at what it is handed. */
#include <string.h>
#include <unistd.h>

#include "expect.h"

static char lines[1 << 20];
static size_t len;

static int
abi_init(struct sg_instance *inst)
{
    struct sg_event_format *format = sg_event_format_new(inst, "format", "$event $id $user");

    EXPECT(inst, format != NULL && !sg_event_required(inst));
    sg_instance_set_data(inst, format);
    return 0;
}

static void
abi_fini(struct sg_instance *inst)
{
    sg_event_format_free(sg_instance_data(inst));
}

static int
abi_start(struct sg_instance *inst, enum sg_process process)
{
    EXPECT(inst, process == SG_PROCESS_LOGGER);
    sg_log(inst, SG_LOG_NOTICE, "abi: the log has started");
    return 0;
}

static int
abi_recover(struct sg_instance *inst, int before, sg_event_seen *seen, void *arg)
{
    EXPECT(inst, len == 0 && before == -1);
    seen(arg, "0123456789abcdef0123456789abcdef", "session_end");
    seen(arg, "no id", "no event");
    return 0;
}

static void
abi_seen(void *arg, const char *id, const char *name)
{
    *(size_t *)arg = strlen(id) + strlen(name);
}

/* In a format of our own: written, and read back. */
static void
abi_print(struct sg_instance *inst, const struct sg_event_info *event)
{
    const struct sg_event_format *format = sg_instance_data(inst);
    char line[SG_EVENT_LINE_MAX];
    const size_t n = sg_event_print(format, event, line, sizeof line);
    size_t found = 0;

    EXPECT(inst, n == strlen(line) && strncmp(line, sg_event_kind(event), strlen(sg_event_kind(event))) == 0);
    EXPECT(inst, sg_event_scan(format, line, n - 1, abi_seen, &found) && found == 32 + strlen(sg_event_kind(event)));
    EXPECT(inst, sg_event_print(format, event, line, SG_EVENT_LINE_MIN - 1) == 0);
}

static int
abi_event(struct sg_instance *inst, const struct sg_event_info *event)
{
    char line[SG_EVENT_JSON_MAX];
    const size_t n = sg_event_json(event, line, sizeof line);

    EXPECT(inst, strlen(sg_event_kind(event)) > 0);
    EXPECT(inst, n == strlen(line) && line[0] == '{' && line[n - 1] == '\n' && strstr(line, sg_event_kind(event)));
    abi_print(inst, event);
    if (n > sizeof lines - len) {
        len = 0;
        return -1;
    }
    memcpy(lines + len, line, n);
    len += n;
    return 0;
}

static int
abi_commit(struct sg_instance *inst)
{
    const ssize_t n = write(STDERR_FILENO, lines, len);

    EXPECT(inst, len > 0);
    EXPECT(inst, n == (ssize_t)len);
    len = 0;
    return 0;
}

static int
abi_reopen(struct sg_instance *inst)
{
    sg_log(inst, SG_LOG_NOTICE, "abi: reopened");
    return 0;
}

static const struct sg_log_ops abi_log = {
    .size = sizeof abi_log,
    .event = abi_event,
    .commit = abi_commit,
    .reopen = abi_reopen,
    .recover = abi_recover,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("abi_log"), .init = abi_init, .start = abi_start, .fini = abi_fini,
                                     .log = &abi_log };
