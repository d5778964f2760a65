/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_io.h - how a session talks to its client before a relay runs and while it closes.
 */
#ifndef SG_SESSION_IO_H
#define SG_SESSION_IO_H

#include "session.h"

void sg_session_io_init(struct sg_session *s); /* watcher, deadlines, the step */
bool sg_session_feed(struct sg_session *s);    /* gives waiting octets to the state; true: it got on */

#endif
