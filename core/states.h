/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * states.h - what the states of a session do; session.c drives them.
 *
 * An input function takes what it can from the octets that have arrived. It returns true if it has got on and wants to
 * be called again (or the state has changed), false if it needs more octets or waits for something else.
 */
#ifndef SG_STATES_H
#define SG_STATES_H

#include "session.h"

bool sg_greeting_input(struct sg_session *s);
bool sg_auth_input(struct sg_session *s);
bool sg_request_input(struct sg_session *s);
void sg_command_begin(struct sg_session *s); /* access has granted the request */
void sg_command_over(struct sg_session *s);  /* a success was replied and nothing relays: the client may go */

#endif
