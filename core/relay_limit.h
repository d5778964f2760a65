/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_limit.h - the limits on a relay's rates, which whoever granted the request may set. They stand before every mover:
 * one asks here how much it may read, and says here what it has read.
 *
 *   READING --- the bucket has not enough ---> PAUSED (no event of the source) --- the timer: it has ---> READING
 *
 * A relay without limits has none of this but a NULL pointer.
 */
#ifndef SG_RELAY_LIMIT_H
#define SG_RELAY_LIMIT_H

#include "relay_flow.h"

/* The limits of the session; none is fine. -1: no memory. */
int sg_limits_new(struct sg_session *s, struct sg_relay *relay, void (*again)(struct sg_session *s)) SG_CHECK;
void sg_limits_free(struct sg_limits *limits); /* NULL is ignored */
/* May the flow read now? If not, it is paused; once it may, `again` is called. */
bool sg_limits_allow(struct sg_session *s, struct sg_flow *flow);
/* After every step: the timer, if one of the flows is paused. */
void sg_limits_wait(struct sg_relay *relay);

#endif
