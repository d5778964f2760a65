/* SPDX-License-Identifier: BSD-2-Clause */
/* access_request_only.c - has request() alone: grants one port, refuses another, has no opinion about the rest. */
#include <sockgate/module.h>

struct only_conf {
    int64_t allow, deny;
};

static const struct sg_conf_item only_items[] = {
    { .name = "allow", .type = SG_CONF_INT, .offset = offsetof(struct only_conf, allow), .min = 1, .max = 65535 },
    { .name = "deny", .type = SG_CONF_INT, .offset = offsetof(struct only_conf, deny), .min = 1, .max = 65535 },
    { .name = NULL },
};

static enum sg_verdict
only_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, struct sg_decision *decision)
{
    const struct only_conf *conf = sg_instance_conf(inst);

    (void)s;
    if (req->port == conf->allow) {
        decision->label = "granted by port";
        decision->special = SG_SPECIAL_LOOPBACK;
        return SG_OK;
    }
    if (req->port == conf->deny) {
        decision->label = "refused by port";
        decision->reason = "this port is closed";
        return SG_DENY;
    }
    return SG_DECLINED;
}

static const struct sg_access_ops only_access = { .size = sizeof only_access, .request = only_request };

const struct sg_module sg_module = {
    SG_MODULE_HEAD("access_request_only"),
    .conf = only_items,
    .conf_size = sizeof(struct only_conf),
    .access = &only_access,
};
