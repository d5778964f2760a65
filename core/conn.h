/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.h - the connection to a target or a peer, from the moment when it stands.
 */
#ifndef SG_CONN_H
#define SG_CONN_H

#include "session.h"

/* For s->conn, which owns the descriptor then. NULL: no memory. */
struct sg_conn *sg_conn_new(int fd);

#endif
