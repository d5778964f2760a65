/* SPDX-License-Identifier: BSD-2-Clause */
/* long_label.c: names its rule so that no record can hold it. */
#include <sockgate/module.h>

static enum sg_verdict
label_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    (void)inst, (void)s, (void)req;
    decision->label = "the rule that lets everybody in whom no other rule has kept out before it was asked";
    return SG_OK;
}

static const struct sg_access_ops label_access = { .size = sizeof label_access, .request = label_request };

const struct sg_module sg_module = { SG_MODULE_HEAD("long_label"), .access = &label_access };
