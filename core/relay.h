/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.h - moves octets between client and target until both have ended. Everything about how (buffers, half-close,
 * resets, the filter) stays behind these few functions.
 */
#ifndef SG_RELAY_H
#define SG_RELAY_H

#include "session.h"

/* Takes over both sockets, what the client sent early and what it has not taken yet. -1: no memory. */
int sg_relay_new(struct sg_session *s);
void sg_relay_client_ready(struct sg_session *s, int revents); /* notes it for the next step */
void sg_relay_step(struct sg_session *s);                      /* moves what can be moved, then watches for the rest */
void sg_relay_expired(struct sg_session *s);                   /* idle or half-closed for too long */
void sg_relay_free(struct sg_relay *relay);                    /* NULL is ignored */

#endif
