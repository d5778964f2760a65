/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advertise.h - what a client is told about a socket of ours that others shall reach, and which port that socket gets.
 */
#ifndef SG_ADVERTISE_H
#define SG_ADVERTISE_H

#include <sockgate/addr.h>
#include <sockgate/conf.h>

struct sg_session;

/*
 * The address for BND: the listener's `advertise` if it is of the family of `local`; else `local`; else, if that names
 * no address, the one that the client has reached. An address of zeros is left only where the client has come by the
 * other family: who can, binds to an address. The port is that of `local`.
 */
void sg_advertise(const struct sg_session *s, const struct sg_addr *local, struct sg_addr *out);

/* The ports of a list, each once, from one on that nobody can foresee. */
struct sg_port_walk {
    const struct sg_ports *ports;
    uint32_t n, at, left;
};
/* An empty list gives the port 0 once: the system chooses. At most `tries` ports. */
void sg_port_walk(struct sg_port_walk *walk, const struct sg_ports *ports, uint32_t tries);
bool sg_port_next(struct sg_port_walk *walk, uint16_t *port_out);

#endif
