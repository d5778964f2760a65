/* SPDX-License-Identifier: BSD-2-Clause */
/* commit_lies.c: writes events down, and does not look whether that went well. */
#include <fcntl.h>
#include <unistd.h>

#include <sockgate/module.h>

struct lies_conf {
    const char *path;
};

static const struct sg_conf_item lies_items[] = {
    { .name = "path", .type = SG_CONF_STRING, .offset = offsetof(struct lies_conf, path), .required = true },
    { .name = NULL },
};

static int fd = -1;

static int
lies_start(struct sg_instance *inst, enum sg_process process)
{
    const struct lies_conf *conf = sg_instance_conf(inst);

    (void)process;
    fd = open(conf->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd == -1 ? -1 : 0;
}

static int
lies_event(struct sg_instance *inst, const struct sg_event_info *event)
{
    char line[SG_EVENT_JSON_MAX];

    (void)inst;
    if (write(fd, line, sg_event_json(event, line, sizeof line)) == -1)
        return 0;
    return 0;
}

static int
lies_commit(struct sg_instance *inst)
{
    (void)inst;
    return 0;
}

static int
lies_descriptor(struct sg_instance *inst)
{
    (void)inst;
    return fd;
}

static const struct sg_log_ops lies_log = {
    .size = sizeof lies_log, .event = lies_event, .commit = lies_commit, .descriptor = lies_descriptor
};

const struct sg_module sg_module = { SG_MODULE_HEAD("commit_lies"), .conf = lies_items,
                                     .conf_size = sizeof(struct lies_conf), .start = lies_start, .log = &lies_log };
