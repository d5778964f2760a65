/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_udp.c - UDP ASSOCIATE (RFC 1928 section 7): the settings; everything that moves datagrams is the core's.
 */
#include <sockgate/module.h>

#define PORT_UNPRIVILEGED 1024
#define DAY ((int64_t)24 * 3600 * 1000)

struct udp_conf {
    struct sg_ports ports;
    int64_t idle, recheck, destinations, filter, per_user, per_client;
};

static const struct sg_conf_word filter_words[] = {
    { "address", SG_UDP_ADDRESS },
    { "address_port", SG_UDP_ADDRESS_PORT },
    { "any", SG_UDP_ANY },
    { NULL, 0 },
};

#define UDP(key) .name = #key, .offset = offsetof(struct udp_conf, key)
static const struct sg_conf_item udp_items[] = {
    { UDP(ports), .type = SG_CONF_PORTS, .help = "where clients send their datagrams to; not given: any port" },
    { UDP(idle), .type = SG_CONF_DURATION, .def = "1m", .min = 1000, .max = DAY,
      .help = "no datagram was relayed for so long: the association ends" },
    { UDP(filter), .type = SG_CONF_ENUM, .words = filter_words, .def = "address",
      .help = "who may answer: \"address\", \"address_port\" that was written to; \"any\": everybody" },
    { UDP(destinations), .type = SG_CONF_INT, .def = "256", .min = 1, .max = 4096,
      .help = "destinations that an association remembers the verdict of" },
    { UDP(recheck), .type = SG_CONF_DURATION, .def = "1m", .min = 100, .max = DAY,
      .help = "for how long; then the rules are asked again, and names looked up" },
    { UDP(per_user), .type = SG_CONF_INT, .def = "0", .max = 60000, .help = "associations of one user; 0: no limit" },
    { UDP(per_client), .type = SG_CONF_INT, .def = "0", .max = 60000,
      .help = "associations of one client address; 0: no limit" },
    { .name = NULL },
};

static int
udp_init(struct sg_instance *inst)
{
    const struct udp_conf *conf = sg_instance_conf(inst);
    int result = 0;

    for (size_t i = 0; i < conf->ports.n; i++)
        if (conf->ports.v[i].first < PORT_UNPRIVILEGED) {
            sg_conf_error(inst, &conf->ports.v[i].where,
                          "ports: %u is a privileged port, which workers cannot have: begin at 1024 or above",
                          conf->ports.v[i].first);
            result = -1;
        }
    return result;
}

static enum sg_verdict
udp_start(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req)
{
    const struct udp_conf *conf = sg_instance_conf(inst);
    const struct sg_udp_options options = { .size = sizeof options,
                                            .ports = &conf->ports,
                                            .idle = conf->idle,
                                            .recheck = conf->recheck,
                                            .destinations = (uint32_t)conf->destinations,
                                            .filter = (uint32_t)conf->filter,
                                            .per_user = (uint32_t)conf->per_user,
                                            .per_client = (uint32_t)conf->per_client };

    (void)req; /* the association knows it */
    return sg_udp_associate(s, &options) == 0 ? SG_OK : SG_ERROR;
}

static const struct sg_command_ops udp_command = {
    .size = sizeof udp_command,
    .cmd = SG_CMD_UDP_ASSOCIATE,
    .start = udp_start,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("cmd_udp"), .version = "0.1.0",      .conf = udp_items, .conf_size = sizeof(struct udp_conf),
    .init = udp_init,          .command = &udp_command,
};
