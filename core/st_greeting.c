/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st_greeting.c - VER, NMETHODS, METHODS; the choice of METHOD (RFC 1928 section 3).
 */
#include <string.h>

#include "socks5.h"
#include "states.h"

/* The first instance of the hook table whose METHOD was offered and that serves this client. */
static struct sg_instance *
greeting_choose(const struct sg_session *s, const struct sg_socks5_greeting *greeting)
{
    const struct sg_hooks *hooks = s->listener->hooks;

    for (size_t i = 0; i < hooks->n_auth; i++) {
        const struct sg_ranges *clients = &hooks->auth[i]->conf->clients;

        if (hooks->auth[i]->mod->auth->stub || (clients->n > 0 && !sg_ranges_contain(clients, &s->rec->client)))
            continue;
        if (memchr(greeting->methods, hooks->auth[i]->mod->auth->method, greeting->nmethods) != NULL)
            return hooks->auth[i];
    }
    return NULL;
}

bool
sg_greeting_input(struct sg_session *s)
{
    struct sg_socks5_greeting greeting;
    size_t len;
    const uint8_t *octets = sg_buf_data(&s->in, &len);
    const ssize_t n = sg_socks5_parse_greeting(octets, len, &greeting);
    uint8_t answer[2] = { SG_SOCKS5_VER, SG_METHOD_NO_ACCEPTABLE };

    if (n == 0)
        return false;
    if (n == -1) {
        /* Not SOCKS5: whatever it speaks, no answer of ours would be understood. */
        sg_session_finish(s, SG_REASON_PROTOCOL_ERROR, 0);
        return false;
    }
    s->auth = greeting_choose(s, &greeting);
    if (s->auth != NULL) {
        answer[1] = s->auth->mod->auth->method;
        s->rec->method = answer[1];
        s->rec->instance = sg_journal_name(s->auth->name);
    }
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
    sg_session_goto(s, SG_STATE_AUTH);
    return true;
}
