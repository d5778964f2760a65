/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi_helper.c - a lookup that blocks, asked for by an access module: names that begin with "x" are refused, others are
 * nobody's business. `delay` is how long a lookup takes.
 */
#include <time.h>

#include "expect.h"

struct helper_conf {
    int64_t delay;
};

static const struct sg_conf_item helper_items[] = {
    { .name = "delay", .type = SG_CONF_DURATION, .offset = offsetof(struct helper_conf, delay), .def = "1ms" },
    { .name = NULL },
};

static enum sg_verdict
helper_work(struct sg_instance *inst, const void *job, size_t len)
{
    const struct helper_conf *conf = sg_instance_conf(inst);
    const struct timespec delay = { .tv_sec = conf->delay / 1000, .tv_nsec = conf->delay % 1000 * 1000000 };
    const char *name = job;

    EXPECT(inst, len <= SG_HELPER_JOB_MAX);
    EXPECT(inst, sg_instance_timeout(inst) == 2000 || sg_instance_timeout(inst) == 10000); /* given, the default */
    EXPECT(inst, nanosleep(&delay, NULL) == 0);
    return len > 0 && name[0] == 'x' ? SG_DENY : SG_DECLINED;
}

static enum sg_verdict
helper_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
               struct sg_decision *decision)
{
    static const char longest[SG_HELPER_JOB_MAX + 1];
    struct sg_pending *pending = sg_pending_new(inst, s);

    decision->label = "lookup";
    if (!pending)
        return SG_ERROR;
    EXPECT(inst, sg_helper_submit(inst, pending, longest, sizeof longest) == -1);
    if (sg_helper_submit(inst, pending, req->name ? req->name : "", req->name_len) == -1)
        return SG_ERROR;
    EXPECT(inst, sg_helper_submit(inst, pending, "", 0) == -1);
    return SG_AGAIN;
}

static void
helper_cancel(struct sg_instance *inst, struct sg_pending *pending)
{
    (void)pending;
    sg_log(inst, SG_LOG_NOTICE, "abi: the lookup is no longer wanted");
}

static const struct sg_access_ops helper_access = { .size = sizeof helper_access, .request = helper_request };

const struct sg_module sg_module = {
    SG_MODULE_HEAD("abi_helper"), .conf = helper_items,     .conf_size = sizeof(struct helper_conf),
    .cancel = helper_cancel,      .access = &helper_access, .work = helper_work,
};
