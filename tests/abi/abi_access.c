/* SPDX-License-Identifier: BSD-2-Clause */
/* abi_access.c - sessions, slots, timers and handles, by an access module that thinks a little before it says yes. */
#include <string.h>

#include "expect.h"

struct abi_slot {
    unsigned asked;
    struct sg_pending *pending;
    struct sg_timer *never;
};

static unsigned slots; /* that live in this process */

static void
abi_never(struct sg_instance *inst, struct sg_session *s, void *arg)
{
    (void)s, (void)arg;
    sg_log(inst, SG_LOG_ERR, "abi: NOT MET: a timer that was cancelled has fired");
}

static void
abi_thought(struct sg_instance *inst, struct sg_session *s, void *arg)
{
    struct abi_slot *slot = sg_session_slot(inst, s);

    EXPECT(inst, slot == arg);
    sg_timer_cancel(slot->never);
    sg_timer_cancel(NULL);
    sg_session_doing(s, NULL);
    sg_pending_resolve(slot->pending, SG_OK);
}

static void
abi_session(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    const struct sg_identity *identity = sg_session_identity(s);
    char text[SG_ADDR_TEXT];

    EXPECT(inst, strlen(sg_session_id(s)) == 32);
    EXPECT(inst, strcmp(sg_session_listener(s), "abi") == 0);
    EXPECT(inst, strcmp(sg_addr_format_ip(sg_session_client(s), text, sizeof text), "127.0.0.1") == 0);
    EXPECT(inst, sg_session_local(s)->port != 0 && sg_session_client(s)->port != 0);
    EXPECT(inst, sg_session_request(s) == req && req->size == sizeof *req && req->cmd <= SG_CMD_UDP_ASSOCIATE);
    EXPECT(inst, identity->size == sizeof *identity && identity->name_len == 5);
    EXPECT(inst, memcmp(identity->name, "alice", 5) == 0 && strcmp(identity->instance, "hello") == 0);
    EXPECT(inst, identity->method == 0x81 && identity->assurance == SG_ASSURANCE_KERBEROS);
    EXPECT(inst, identity->n_groups == 2 && strcmp(identity->groups[1], "wheel") == 0);
}

static enum sg_verdict
abi_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, struct sg_decision *decision)
{
    struct abi_slot *slot = sg_session_slot(inst, s);

    if (!slot)
        return SG_ERROR;
    EXPECT(inst, slot->asked == 0 && !slot->pending);
    slot->asked++;
    slots++;
    abi_session(inst, s, req);
    decision->label = "thoughtful";
    decision->special = SG_SPECIAL_LOOPBACK;
    slot->pending = sg_pending_new(inst, s);
    slot->never = sg_timer_start(inst, s, 60000, abi_never, NULL);
    if (!slot->pending || !slot->never || !sg_timer_start(inst, s, 1, abi_thought, slot))
        return SG_ERROR;
    sg_session_doing(s, "thinking");
    sg_slog(inst, s, SG_LOG_NOTICE, "abi: asked about port %u", req->port);
    return SG_AGAIN;
}

static enum sg_verdict
abi_target(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
           struct sg_decision *decision)
{
    const struct abi_slot *slot = sg_session_slot(inst, s);

    (void)decision;
    EXPECT(inst, slot && slot->asked == 1);
    EXPECT(inst, sg_addr_same_ip(addr, &req->addr) && addr->port == req->port);
    return SG_DECLINED;
}

static void
abi_session_end(struct sg_instance *inst, struct sg_session *s)
{
    const struct abi_slot *slot = sg_session_slot(inst, s);

    EXPECT(inst, slot && slot->asked == 1);
    slots--;
}

static void
abi_stop(struct sg_instance *inst)
{
    EXPECT(inst, slots == 0);
}

static const struct sg_access_ops abi_access = {
    .size = sizeof abi_access,
    .request = abi_request,
    .target = abi_target,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("abi_access"),
    .session_size = sizeof(struct abi_slot),
    .stop = abi_stop,
    .session_end = abi_session_end,
    .access = &abi_access,
};
