/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.c - the connection to a target or a peer, from the moment when it stands.
 */
#include "conn.h"

#include <stdlib.h>

#include "container.h"
#include "sockets.h"

/* Most sessions are over before a peer could vanish unnoticed: they are spared these system calls. */
static void
conn_settled(struct sg_deadline *deadline)
{
    const struct sg_conn *conn = SG_CONTAINER(deadline, struct sg_conn, settle);

    sg_socket_options(conn->fd, &sg_worker_boot()->conf->core.timeouts);
}

struct sg_conn *
sg_conn_new(int fd)
{
    struct sg_conn *conn = calloc(1, sizeof *conn);

    if (conn == NULL)
        return NULL;
    conn->fd = fd;
    ev_init(&conn->io, NULL); /* the relay says what for */
    conn->settle.expired = conn_settled;
    sg_deadline_arm(sg_worker_queue(SG_QUEUE_SETTLE), &conn->settle);
    return conn;
}
