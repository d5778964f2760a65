/* SPDX-License-Identifier: BSD-2-Clause */
/* access_hang.c - a request for port 7777 never gets an answer, and neither does anybody else in that worker. */
#include <sockgate/module.h>

#define HANG_PORT 7777

static enum sg_verdict
hang_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, struct sg_decision *decision)
{
    volatile bool hanging = req->port == HANG_PORT;

    (void)inst, (void)s, (void)decision;
    while (hanging)
        ;
    return SG_DECLINED;
}

static const struct sg_access_ops hang_access = { .size = sizeof hang_access, .request = hang_request };

const struct sg_module sg_module = { SG_MODULE_HEAD("access_hang"), .access = &hang_access };
