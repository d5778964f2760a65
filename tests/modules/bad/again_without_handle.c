/* SPDX-License-Identifier: BSD-2-Clause */
/* again_without_handle.c: promises an answer that has no way to arrive. */
#include <sockgate/module.h>

static enum sg_verdict
handle_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    (void)inst, (void)s, (void)decision;
    return SG_AGAIN;
}

static const struct sg_access_ops handle_access = { .size = sizeof handle_access, .client = handle_client };

const struct sg_module sg_module = { SG_MODULE_HEAD("again_without_handle"), .access = &handle_access };
