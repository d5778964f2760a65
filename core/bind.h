/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind.h - waits for one incoming connection.
 *
 *   sg_bind() --> peers.h --> listen --> done(where) --> accept --> one of the peers? --> [target phase] --> guard --+
 *                                                           ^              | no                | no          | no    |
 *                                                           +--- closed ---+-------------------+-------------+       |
 *                                       deadline: done(REP 06)             done(the peer); nothing listens any more <-+
 *
 * In the record, session_start is the first reply: from then on others can reach us. Who came is in session_end.
 */
#ifndef SG_BIND_H
#define SG_BIND_H

#include <sockgate/bind.h>

#include "session.h"

/* Closes everything; done() will not be called any more. NULL is ignored. */
void sg_bind_stop(struct sg_bind *bind);

#endif
