/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advertise.c - addresses and ports that are told to clients.
 */
#include "advertise.h"

#include <sodium.h>

#include "session.h"

void
sg_advertise(const struct sg_session *s, const struct sg_addr *local, struct sg_addr *out)
{
    const struct sg_addr *advertise = &s->listener->conf->advertise;
    const uint16_t port = local->port;

    *out = *local;
    if (advertise->family == local->family)
        *out = *advertise;
    else if ((sg_addr_special(local) & SG_SPECIAL_UNSPECIFIED) != 0 && s->rec->local.family == local->family)
        *out = s->rec->local;
    out->port = port;
}

void
sg_port_walk(struct sg_port_walk *walk, const struct sg_ports *ports, uint32_t tries)
{
    *walk = (struct sg_port_walk){ .ports = ports };
    for (size_t i = 0; i < ports->n; i++)
        walk->n += ports->v[i].last - ports->v[i].first + 1u;
    walk->at = walk->n > 0 ? randombytes_uniform(walk->n) : 0;
    walk->left = walk->n == 0 ? 1 : walk->n < tries ? walk->n : tries;
}

bool
sg_port_next(struct sg_port_walk *walk, uint16_t *port_out)
{
    uint32_t at = walk->at;

    if (walk->left == 0)
        return false;
    walk->left--;
    *port_out = 0;
    for (size_t i = 0; i < walk->ports->n; i++) {
        const struct sg_port_span *span = &walk->ports->v[i];
        const uint32_t n = span->last - span->first + 1u;

        if (at < n) {
            *port_out = (uint16_t)(span->first + at);
            break;
        }
        at -= n;
    }
    walk->at = walk->n > 0 ? (walk->at + 1) % walk->n : 0;
    return true;
}
