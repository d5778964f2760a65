/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_conf.c - every type of setting, the functions about them, the instance and addresses. */
#include <stdlib.h>
#include <string.h>

#include "expect.h"

struct abi_child {
    struct sg_where where;
    int64_t number;
};

struct abi_conf {
    bool flag;
    int64_t number, size, duration, word, flags;
    const char *text, *secret;
    struct sg_strings texts;
    struct sg_addr address;
    struct sg_ranges ranges;
    struct sg_ports ports;
    struct abi_child group, no_group;
    struct sg_groups groups; /* struct abi_child */
    bool broken;             /* to be told twice that it is */
};

static const struct sg_conf_word abi_words[] = { { "one", 1 }, { "two", 2 }, { "four", 4 }, { NULL, 0 } };

static const struct sg_conf_item child_items[] = {
    { .name = "number", .type = SG_CONF_INT, .offset = offsetof(struct abi_child, number), .def = "7" },
    { .name = NULL },
};

#define KEY(key) .name = #key, .offset = offsetof(struct abi_conf, key)
#define CHILD .child = child_items, .child_size = sizeof(struct abi_child)
static const struct sg_conf_item abi_items[] = {
    { KEY(flag), .type = SG_CONF_BOOL, .def = "true" },
    { KEY(number), .type = SG_CONF_INT, .def = "5", .min = 1, .max = 9 },
    { KEY(size), .type = SG_CONF_SIZE, .def = "64K" },
    { KEY(duration), .type = SG_CONF_DURATION, .def = "30s" },
    { KEY(text), .type = SG_CONF_STRING, .def = "text" },
    { KEY(texts), .type = SG_CONF_STRINGS },
    { KEY(address), .type = SG_CONF_ADDRESS },
    { KEY(ranges), .type = SG_CONF_RANGES },
    { KEY(ports), .type = SG_CONF_PORTS },
    { KEY(word), .type = SG_CONF_ENUM, .words = abi_words, .def = "two" },
    { KEY(flags), .type = SG_CONF_FLAGS, .words = abi_words },
    { KEY(secret), .type = SG_CONF_SECRET },
    { KEY(group), .type = SG_CONF_GROUP, CHILD },
    { KEY(no_group), .type = SG_CONF_GROUP, CHILD },
    { KEY(groups), .type = SG_CONF_GROUPS, CHILD },
    { KEY(broken), .type = SG_CONF_BOOL },
    { .name = NULL },
};

/* The block: how long the file is. */
static void *
abi_build(struct sg_instance *inst, const struct sg_image_source *source, size_t *size_out)
{
    size_t *block = malloc(sizeof *block);

    EXPECT(inst, source->size == sizeof *source && source->arg == abi_words && source->path[0] == '/');
    EXPECT(inst, source->len > 0 && memmem(source->text, source->len, "abi_conf.so", strlen("abi_conf.so")));
    *size_out = sizeof *block;
    if (block)
        *block = source->len;
    return block;
}

static struct sg_image *abi_image; /* of the configuration file itself */

static void
abi_images(struct sg_instance *inst)
{
    const struct sg_where where = sg_conf_where(inst, "texts");
    void *arg = (void *)(uintptr_t)abi_words;
    const char *path;

    abi_image = sg_image_new(inst, &where, "sockgate.conf", abi_build, arg);
    EXPECT(inst, abi_image && sg_image_new(inst, &where, "sockgate.conf", abi_build, arg) == abi_image);
    path = abi_image ? sg_image_path(abi_image) : "";
    EXPECT(inst, path[0] == '/' && strcmp(strrchr(path, '/'), "/sockgate.conf") == 0);
}

static void
abi_scalars(struct sg_instance *inst, const struct abi_conf *conf)
{
    EXPECT(inst, conf->flag);
    EXPECT(inst, conf->number == 5);
    EXPECT(inst, conf->size == 65536);
    EXPECT(inst, conf->duration == 30000);
    EXPECT(inst, conf->word == 2);
    EXPECT(inst, strcmp(conf->text, "text") == 0);
    EXPECT(inst, conf->no_group.where.line == 0 && conf->no_group.number == 7);
    EXPECT(inst, sg_conf_where(inst, "flag").line == 0);
}

static void
abi_given(struct sg_instance *inst, const struct abi_conf *conf)
{
    const struct abi_child *groups = conf->groups.v;
    char text[SG_ADDR_TEXT];

    EXPECT(inst, conf->texts.n == 2 && strcmp(conf->texts.v[1].text, "b") == 0);
    EXPECT(inst, conf->texts.n == 2 && conf->texts.v[1].where.line == sg_conf_where(inst, "texts").line);
    EXPECT(inst, strcmp(sg_addr_format_ip(&conf->address, text, sizeof text), "192.0.2.1") == 0);
    EXPECT(inst, strcmp(sg_addr_format(&conf->address, text, sizeof text), "192.0.2.1:0") == 0);
    EXPECT(inst, sg_ranges_contain(&conf->ranges, &conf->address));
    EXPECT(inst, conf->ranges.n == 2 && sg_range_contains(&conf->ranges.v[0].range, &conf->address));
    EXPECT(inst, conf->ranges.n == 2 && !sg_range_contains(&conf->ranges.v[1].range, &conf->address));
    EXPECT(inst, conf->ranges.n == 2 && !sg_addr_same_ip(&conf->ranges.v[1].range.base, &conf->address));
    EXPECT(inst, sg_addr_special(&conf->address) == 0);
    EXPECT(inst, conf->ranges.n == 2 && sg_addr_special(&conf->ranges.v[1].range.base) == SG_SPECIAL_LOOPBACK);
    EXPECT(inst, sg_ports_contain(&conf->ports, 80) && sg_ports_contain(&conf->ports, 65535));
    EXPECT(inst, !sg_ports_contain(&conf->ports, 81));
    EXPECT(inst, conf->flags == 5);
    EXPECT(inst, conf->secret && strcmp(conf->secret, "hush") == 0);
    EXPECT(inst, conf->group.where.line == sg_conf_where(inst, "group").line && conf->group.number == 8);
    EXPECT(inst, conf->groups.n == 2 && groups[0].number == 1 && groups[1].number == 7);
    abi_images(inst);
}

static int
abi_init(struct sg_instance *inst)
{
    const struct abi_conf *conf = sg_instance_conf(inst);
    struct sg_where where = sg_conf_where(inst, "broken");

    struct sg_range range;

    EXPECT(inst, !sg_instance_data(inst));
    EXPECT(inst, sg_conf_has_listener(inst, "abi") && !sg_conf_has_listener(inst, "ab"));
    EXPECT(inst, sg_range_parse("::ffff:10.0.0.0/104", &range) == 0 && range.base.family == SG_FAMILY_IPV4);
    EXPECT(inst, sg_range_parse("10.1.0.0/8", &range) == -1 && range.base.ip[1] == 0 && range.bits == 8);
    abi_scalars(inst, conf);
    if (conf->texts.n > 0)
        abi_given(inst, conf);
    if (conf->broken) {
        sg_conf_error(inst, &where, "it says that it is %s", "broken");
        sg_conf_error(inst, NULL, "and it says so about the instance %s", sg_instance_name(inst));
    }
    /* A constant of this module: the same address in every process that is forked from here. */
    sg_instance_set_data(inst, (void *)(uintptr_t)abi_words);
    return 0;
}

static int
abi_start(struct sg_instance *inst, enum sg_process process)
{
    size_t size;

    EXPECT(inst, process == SG_PROCESS_WORKER);
    EXPECT(inst, !abi_image || *(const size_t *)sg_image_data(abi_image, &size) > 100);
    EXPECT(inst, !abi_image || size == sizeof size);
    EXPECT(inst, sg_instance_data(inst) == (const void *)abi_words);
    sg_log(inst, SG_LOG_NOTICE, "abi: %s started", sg_instance_name(inst));
    return 0;
}

static void
abi_stop(struct sg_instance *inst)
{
    sg_log(inst, SG_LOG_NOTICE, "abi: %s stopped", sg_instance_name(inst));
}

static void
abi_fini(struct sg_instance *inst)
{
    sg_log(inst, SG_LOG_NOTICE, "abi: %s finished", sg_instance_name(inst));
}

static enum sg_verdict
abi_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    EXPECT(inst, decision->size == sizeof *decision && !decision->label && !decision->trace);
    sg_trace(decision, NULL, "nobody asks for %s", "this");
    EXPECT(inst, !sg_session_request(s) && sg_session_identity(s)->name_len == 0);
    EXPECT(inst, sg_addr_special(sg_session_client(s)) & SG_SPECIAL_LOOPBACK);
    EXPECT(inst, sg_addr_same_ip(sg_session_client(s), sg_session_local(s)));
    return SG_DECLINED;
}

static const struct sg_access_ops abi_access = { .size = sizeof abi_access, .client = abi_client };

const struct sg_module sg_module = {
    SG_MODULE_HEAD("abi_conf"), .conf = abi_items,     .conf_size = sizeof(struct abi_conf),
    .init = abi_init,           .start = abi_start,    .stop = abi_stop,
    .fini = abi_fini,           .access = &abi_access,
};
