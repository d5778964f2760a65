/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_bind.c - BIND (RFC 1928 section 4): wait for the peer that the client names, and relay.
 *
 *   start() -- sg_bind() ... bind_due() -- sg_reply(where we listen) ... bind_due() -- sg_reply(who came) -- relay
 *      |
 *      +-- SG_AGAIN: the handle keeps the session waiting until the last reply
 *
 * Two replies, one call for each; a failure is the last. As in cmd_connect.c the handle is the argument: nothing to keep.
 */
#include <sockgate/module.h>

#define PORT_UNPRIVILEGED 1024

struct bind_conf {
    struct sg_ports ports;
    int64_t accept_timeout;
    bool any_peer;
};

static const struct sg_conf_item bind_items[] = {
    { .name = "ports",
      .type = SG_CONF_PORTS,
      .offset = offsetof(struct bind_conf, ports),
      .help = "where to listen, from 1024 on; not given: where the system likes" },
    { .name = "accept_timeout",
      .type = SG_CONF_DURATION,
      .offset = offsetof(struct bind_conf, accept_timeout),
      .def = "2m",
      .min = 100,
      .max = 86400000,
      .help = "how long the peer is waited for" },
    { .name = "any_peer",
      .type = SG_CONF_BOOL,
      .offset = offsetof(struct bind_conf, any_peer),
      .def = "false",
      .help = "a client that does not say who will connect may wait for anyone whom the rules allow" },
    { .name = NULL },
};

static int
bind_init(struct sg_instance *inst)
{
    const struct bind_conf *conf = sg_instance_conf(inst);
    int result = 0;

    for (size_t i = 0; i < conf->ports.n; i++)
        if (conf->ports.v[i].first < PORT_UNPRIVILEGED) {
            sg_conf_error(inst, &conf->ports.v[i].where,
                          "ports: %u is a privileged port, which no client may have: begin at 1024 or above",
                          conf->ports.v[i].first);
            result = -1;
        }
    return result;
}

static void
bind_due(struct sg_instance *inst, struct sg_session *s, const struct sg_bind_result *result, void *arg)
{
    struct sg_pending *pending = arg;

    (void)inst;
    if (sg_reply(s, result->rep, &result->bnd) == -1 || (result->conn != NULL && sg_relay_start(s, result->conn) == -1))
        sg_pending_resolve(pending, SG_ERROR);
    else if (result->conn != NULL || result->rep != SG_REP_SUCCEEDED)
        sg_pending_resolve(pending, SG_OK);
}

static enum sg_verdict
bind_start(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    const struct bind_conf *conf = sg_instance_conf(inst);
    const struct sg_bind_options options = {
        .size = sizeof options, .ports = &conf->ports, .wait_ms = conf->accept_timeout, .any_peer = conf->any_peer
    };
    struct sg_pending *pending = sg_pending_new(inst, s);

    (void)req; /* the core knows it */
    if (pending == NULL || sg_bind(inst, s, &options, bind_due, pending) == -1)
        return SG_ERROR;
    sg_session_doing(s, "waiting for a peer");
    return SG_AGAIN;
}

static const struct sg_command_ops bind_command = {
    .size = sizeof bind_command,
    .cmd = SG_CMD_BIND,
    .start = bind_start,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("cmd_bind"), .version = "0.1.0",
                                     .conf = bind_items,         .conf_size = sizeof(struct bind_conf),
                                     .init = bind_init,          .command = &bind_command };
