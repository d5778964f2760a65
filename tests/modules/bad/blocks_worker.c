/* SPDX-License-Identifier: BSD-2-Clause */
/* blocks_worker.c: looks something up for a second, while all sessions of the worker wait. */
#include <time.h>

#include <sockgate/module.h>

static enum sg_verdict
blocks_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
               struct sg_decision *decision)
{
    const struct timespec second = { .tv_sec = 1 };

    (void)inst, (void)s, (void)req, (void)decision;
    (void)nanosleep(&second, NULL);
    return SG_OK;
}

static const struct sg_access_ops blocks_access = { .size = sizeof blocks_access, .request = blocks_request };

const struct sg_module sg_module = { SG_MODULE_HEAD("blocks_worker"), .access = &blocks_access };
