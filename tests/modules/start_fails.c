/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start_fails.c - cannot be started in a worker. By then the listeners of the configuration are bound, so everything
 * that was made for it has to be taken back.
 */
#include <sockgate/module.h>

static int
fails_start(struct sg_instance *inst, enum sg_process process)
{
    (void)process;
    sg_log(inst, SG_LOG_ERR, "this module cannot be started, by design");
    return -1;
}

static enum sg_verdict
fails_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    (void)inst, (void)s, (void)req, (void)decision;
    return SG_DECLINED;
}

static const struct sg_access_ops fails_access = { .size = sizeof fails_access, .request = fails_request };

const struct sg_module sg_module = {
    SG_MODULE_HEAD("start_fails"),
    .start = fails_start,
    .access = &fails_access,
};
