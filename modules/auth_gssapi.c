/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_gssapi.c - METHOD X'01' (RFC 1961), a stub: its settings are what they will be, and it says that it does nothing.
 *
 * A configuration can be written for it today. The core never chooses a stub, whatever the client offers.
 */
#include <stdio.h>

#include <sockgate/module.h>

/* RFC 1961 section 4: what is done to messages. */
#define GSSAPI_INTEGRITY 1
#define GSSAPI_CONFIDENTIALITY 2

struct gssapi_conf {
    const char *keytab;
    const char *service;
    int64_t protection;
};

static const struct sg_conf_word protection_words[] = {
    { "integrity", GSSAPI_INTEGRITY },
    { "confidentiality", GSSAPI_CONFIDENTIALITY },
    { NULL, 0 },
};

static const struct sg_conf_item gssapi_items[] = {
    { .name = "keytab",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct gssapi_conf, keytab),
      .help = "the file with the gateway's keys; if not given, the system's" },
    { .name = "service",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct gssapi_conf, service),
      .def = "rcmd",
      .help = "the service that clients ask for a ticket to" },
    { .name = "protection",
      .type = SG_CONF_ENUM,
      .offset = offsetof(struct gssapi_conf, protection),
      .words = protection_words,
      .def = "integrity",
      .help = "the least that messages are protected by" },
    { .name = NULL },
};

static int
gssapi_init(struct sg_instance *inst)
{
    sg_log(inst, SG_LOG_WARN,
           "auth_gssapi is a stub: this version of sockgate does not speak GSSAPI, METHOD 01 is never selected");
    return 0;
}

/* Never called; and if it were, nobody would come in. */
static enum sg_verdict
gssapi_exchange(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
                struct sg_answer *answer)
{
    (void)inst, (void)s, (void)in, (void)out;
    sg_answer_reason(answer, "GSSAPI is not there yet");
    return SG_DENY;
}

static const struct sg_auth_ops gssapi_auth = {
    .size = sizeof gssapi_auth,
    .method = SG_METHOD_GSSAPI,
    .assurance = SG_ASSURANCE_KERBEROS,
    .exchange = gssapi_exchange,
    .max_message = 4 + 65535,
    .stub = true,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("auth_gssapi"), .version = "0.1.0 (stub: METHOD 01 is never selected)",
    .conf = gssapi_items,          .conf_size = sizeof(struct gssapi_conf),
    .init = gssapi_init,           .auth = &gssapi_auth,
};
