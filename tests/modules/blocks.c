/* SPDX-License-Identifier: BSD-2-Clause */
/* blocks.c - never comes back from where its setting `in` says: "init", or "start" of a worker. */
#include <string.h>
#include <unistd.h>

#include <sockgate/module.h>

struct blocks_conf {
    const char *in;
};

static const struct sg_conf_item blocks_items[] = {
    { .name = "in", .offset = offsetof(struct blocks_conf, in), .type = SG_CONF_STRING },
    { .name = NULL },
};

static int
blocks_in(const struct sg_instance *inst, const char *where)
{
    const struct blocks_conf *conf = sg_instance_conf(inst);

    while (conf->in != NULL && strcmp(conf->in, where) == 0)
        (void)pause();
    return 0;
}

static int
blocks_init(struct sg_instance *inst)
{
    return blocks_in(inst, "init");
}

static int
blocks_start(struct sg_instance *inst, enum sg_process process)
{
    (void)process;
    return blocks_in(inst, "start");
}

static enum sg_verdict
blocks_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
               struct sg_decision *decision)
{
    (void)inst, (void)s, (void)req, (void)decision;
    return SG_DECLINED;
}

static const struct sg_access_ops blocks_access = { .size = sizeof blocks_access, .request = blocks_request };

const struct sg_module sg_module = {
    SG_MODULE_HEAD("blocks"), .init = blocks_init,  .start = blocks_start,
    .access = &blocks_access, .conf = blocks_items, .conf_size = sizeof(struct blocks_conf),
};
