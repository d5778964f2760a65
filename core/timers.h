/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timers.h - the core's side of the timers of modules.
 */
#ifndef SG_TIMERS_H
#define SG_TIMERS_H

#include "session.h"

void sg_timers_end(struct sg_session *s); /* the session ends: none of its timers fires any more */

#endif
