/* SPDX-License-Identifier: BSD-2-Clause */
/* resolves_in_init.c: answers before anybody has asked. */
#include <sockgate/module.h>

static int
init_init(struct sg_instance *inst)
{
    struct sg_pending *pending = sg_pending_new(inst, NULL);

    if (pending)
        sg_pending_resolve(pending, SG_OK);
    return 0;
}

static enum sg_verdict
init_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    (void)inst, (void)s, (void)decision;
    return SG_DECLINED;
}

static const struct sg_access_ops init_access = { .size = sizeof init_access, .client = init_client };

const struct sg_module sg_module = { SG_MODULE_HEAD("resolves_in_init"), .init = init_init, .access = &init_access };
