/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_api.c - what modules can ask about a session.
 */
#include <stdlib.h>

#include "session.h"

const char *
sg_session_id(const struct sg_session *s)
{
    struct sg_session *own = (struct sg_session *)(uintptr_t)s;

    /* Few are ever asked, and none that has said nothing yet. */
    if (s->id == NULL && (own->id = malloc(SG_RECORD_ID_TEXT)) != NULL)
        sg_record_id(s->rec, own->id);
    return s->id != NULL ? s->id : "";
}

const struct sg_addr *
sg_session_client(const struct sg_session *s)
{
    return &s->rec->client;
}

const struct sg_addr *
sg_session_local(const struct sg_session *s)
{
    return &s->rec->local;
}

const char *
sg_session_listener(const struct sg_session *s)
{
    return s->listener->conf->name;
}

const struct sg_identity *
sg_session_identity(const struct sg_session *s)
{
    static const struct sg_identity nobody = { .size = sizeof nobody, .name = "", .instance = "" };

    return s->admitted != NULL ? &s->admitted->identity : &nobody;
}

const struct sg_request *
sg_session_request(const struct sg_session *s)
{
    return s->request;
}

void *
sg_session_slot(struct sg_instance *inst, struct sg_session *s)
{
    const size_t n = sg_worker_boot()->instances->n;

    if (inst->mod->session_size == 0)
        return NULL;
    if (s->slots == NULL && (s->slots = calloc(n, sizeof(void *))) == NULL)
        return NULL;
    if (s->slots[inst->number - 1] == NULL)
        s->slots[inst->number - 1] = calloc(1, inst->mod->session_size);
    return s->slots[inst->number - 1];
}

void
sg_session_doing(struct sg_session *s, const char *text)
{
    s->doing = text;
}
