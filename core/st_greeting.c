/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st_greeting.c - the first octet, which chooses the protocol. SOCKS5: VER, NMETHODS, METHODS; the choice of METHOD
 * (RFC 1928 section 3). SOCKS4: the request, whose USERID is all that it has for a login.
 */
#include <stdio.h>
#include <string.h>

#include "evaluate.h"
#include "socks5.h"
#include "states.h"

/* The first instance of the hook table whose METHOD was offered and that serves this client. */
static bool
greeting_choose(struct sg_session *s, const uint8_t *methods, size_t nmethods)
{
    const struct sg_hooks *hooks = s->listener->hooks;

    for (size_t i = 0; i < hooks->n_auth; i++) {
        const struct sg_ranges *clients = &hooks->auth[i]->conf->clients;
        const uint8_t method = hooks->auth[i]->mod->auth->method;

        if (hooks->auth[i]->mod->auth->stub || (clients->n > 0 && !sg_ranges_contain(clients, &s->rec->client)))
            continue;
        if (memchr(methods, method, nmethods) != NULL) {
            s->auth = hooks->auth[i];
            s->rec->method = method;
            s->rec->instance = sg_journal_name(s->auth->name);
            return true;
        }
    }
    return false;
}

static bool
greeting_socks5(struct sg_session *s, const uint8_t *octets, size_t len)
{
    uint8_t answer[2] = { SG_SOCKS5_VER, SG_METHOD_NO_ACCEPTABLE };
    struct sg_socks5_greeting greeting;
    const ssize_t n = sg_socks5_parse_greeting(octets, len, &greeting);

    if (n <= 0)
        return false; /* VER is good: more will come */
    if (greeting_choose(s, greeting.methods, greeting.nmethods))
        answer[1] = s->rec->method;
    sg_buf_consume(&s->in, (size_t)n);
    if (sg_session_send(s, answer, sizeof answer) == -1) {
        sg_session_reason(s, SG_REASON_SHORTAGE, 0);
        sg_session_end(s, false);
        return false;
    }
    if (s->auth == NULL) {
        sg_session_finish(s, SG_REASON_NO_METHOD, 0);
        return false;
    }
    return true;
}

/* Nothing is consumed: REQUEST reads the same message. A password cannot be had here, so only METHOD 00 lets in. */
static bool
greeting_socks4(struct sg_session *s, const uint8_t *octets, size_t len)
{
    static const uint8_t methods[] = { SG_METHOD_NONE };
    struct sg_wire_request wire;
    const ssize_t n = sg_socks4.parse_request(octets, len, &wire);

    if (n == 0)
        return false;
    if (n == -1) {
        sg_evaluate_malformed(s, &wire);
        sg_session_fail(s, SG_REASON_PROTOCOL_ERROR, 0, wire.rep);
        return false;
    }
    (void)sg_record_put(s->rec, &s->rec->userid, wire.userid, wire.userid_len); /* is the first: fits */
    if (!greeting_choose(s, methods, sizeof methods)) {
        sg_session_fail(s, SG_REASON_NO_METHOD, 0, SG_REP_NOT_ALLOWED);
        return false;
    }
    return true;
}

/* Whatever it speaks, no answer of ours would be understood. Most often it is who takes us for another kind of proxy. */
static void
greeting_foreign(struct sg_session *s, uint8_t octet)
{
    char text[96];

    (void)snprintf(text, sizeof text,
                   "the first octet is X'%02X', the version of no protocol that this listener speaks", octet);
    sg_session_reason_text(s, text);
    sg_session_finish(s, SG_REASON_PROTOCOL_ERROR, 0);
}

bool
sg_greeting_input(struct sg_session *s)
{
    static const struct {
        const struct sg_protocol *protocol;
        enum sg_protocol_bit bit;
        bool (*input)(struct sg_session *s, const uint8_t *octets, size_t len); /* true: the login can begin */
    } protocols[] = { { &sg_socks5, SG_PROTOCOL_SOCKS5, greeting_socks5 },
                      { &sg_socks4, SG_PROTOCOL_SOCKS4, greeting_socks4 } };
    size_t len;
    const uint8_t *octets = sg_buf_data(&s->in, &len);

    if (len == 0)
        return false;
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (octets[0] != protocols[i].protocol->ver || (s->listener->conf->protocols & protocols[i].bit) == 0)
            continue;
        s->rec->ver = protocols[i].protocol->ver;
        if (!protocols[i].input(s, octets, len))
            return false;
        sg_session_goto(s, SG_STATE_AUTH);
        return true;
    }
    greeting_foreign(s, octets[0]);
    return false;
}
