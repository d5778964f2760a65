/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_flow.h - one direction of a relay, and the ways on which octets can go through it.
 *
 *   source --move()--> sink         what the sink does not take is held: in `waiting`, or in `pipe`
 *   held   --flush()--> sink        and until that is gone, nothing more is read
 *
 * A mover knows how octets go from one descriptor to the other, and nothing else. Ends, resets, idle times, and which
 * mover is asked are in relay.c; every mover counts what it has handed over in flow_count().
 */
#ifndef SG_RELAY_FLOW_H
#define SG_RELAY_FLOW_H

#include "pipes.h"
#include "session.h"

enum sg_flow_state {
    SG_FLOW_OPEN,
    SG_FLOW_DRY, /* the source has ended */
    SG_FLOW_SHUT /* and the sink has been told */
};

struct sg_flow {
    const struct sg_mover *mover; /* who moved last */
    struct sg_pipe *pipe;         /* NULL, unless octets are in it */
    struct sg_buf waiting;        /* on its way to the sink */
    uint64_t *count;              /* of the record: payload that the sink has taken */
    uint32_t not_payload;         /* at the front of `waiting`: the rest of a reply, frames (counted when made) */
    uint8_t state;                /* enum sg_flow_state */
    uint8_t ready;                /* events since the last step: EV_READ of the source, EV_WRITE of the sink */
    uint8_t full;                 /* reads in a row that filled their buffer */
    bool up;                      /* from the client to the target */
    bool more;                    /* whole frames may wait in `in`, of which no event of the source would tell */
    bool paused;                  /* its limit does not let it read now */
    bool nagle, sent;             /* the sink has no TCP_NODELAY yet; it has been sent something */
};

struct sg_limits;

struct sg_relay {
    struct sg_flow up, down;
    struct sg_limits *limits; /* relay_limit.h; NULL: none */
};

enum sg_moved {
    SG_MOVED_LOST = -1, /* the session is over: return */
    SG_MOVED_ALL = 0,   /* the source has nothing more now, or has ended, or something is held */
    SG_MOVED_MORE = 1   /* the source may have more */
};

struct sg_mover {
    enum sg_path path;
    unsigned rounds; /* reads in one go, before others get their turn: a quarter of a megabyte, by copy or by splice */
    /* One read, and what follows from it. Only asked while nothing is held. */
    enum sg_moved (*move)(struct sg_session *s, struct sg_flow *flow);
};

extern const struct sg_mover sg_mover_copy, sg_mover_splice, sg_mover_wrap, sg_mover_unwrap;

static inline int
sg_flow_source(const struct sg_session *s, const struct sg_flow *flow)
{
    return flow->up ? s->fd : s->conn->fd;
}

static inline int
sg_flow_sink(const struct sg_session *s, const struct sg_flow *flow)
{
    return flow->up ? s->conn->fd : s->fd;
}

static inline bool
sg_flow_held(const struct sg_flow *flow)
{
    return flow->pipe != NULL || sg_buf_len(&flow->waiting) > 0;
}

/* What movers share (relay.c). Those that return enum sg_moved return ALL or LOST. */
enum sg_moved sg_flow_lost(struct sg_session *s, bool client, int err);
enum sg_moved sg_flow_broken(struct sg_session *s, enum sg_reason reason);
void sg_flow_count(struct sg_flow *flow, enum sg_path path, size_t len);      /* payload that the sink has taken */
void sg_flow_sending(struct sg_session *s, struct sg_flow *flow, size_t len); /* before each send */
/* relay_limit.c: of `size` octets, how many may be read now, for a flow that may read; and so many were read. */
size_t sg_flow_most(const struct sg_session *s, const struct sg_flow *flow, size_t size);
void sg_flow_read(const struct sg_session *s, const struct sg_flow *flow, size_t len);
/* Octets taken, maybe 0; -1: the session is over. */
ssize_t sg_flow_send(struct sg_session *s, struct sg_flow *flow, const uint8_t *octets, size_t len);
/* 1: octets came; 0: none now, or the end (the state says so); -1: the session is over. */
int sg_flow_receive(struct sg_session *s, struct sg_flow *flow, uint8_t *to, size_t size, size_t *len_out);
/* How a read ended that brought nothing: n as read() gives it. */
int sg_flow_nothing(struct sg_session *s, struct sg_flow *flow, ssize_t n);
/* relay_splice.c: what is in the pipe. */
enum sg_moved sg_flow_flush_pipe(struct sg_session *s, struct sg_flow *flow);

#endif
