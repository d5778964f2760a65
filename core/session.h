/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one client connection: its states, its two sockets, its deadlines.
 *
 *        accept        greeting        login          request         access          command        relay
 *   ---> CLIENT -----> GREETING -----> AUTH --------> REQUEST ------> ACCESS -------> COMMAND -----> RELAY --+
 *          |              |              |               |               |               |             |    |
 *          +--------------+--------------+---------------+---------------+---------------+--> CLOSING -+--> END
 *
 * sg_session_goto() is the only way to change state. RESOLVE and TARGET are steps of a dial (dial.h), which a command
 * module starts: with Happy Eyeballs they overlap. CLOSING: a last reply is on its way, the client is given `linger`
 * to read it. END: the record is out; the memory is freed by the reaper at the end of the turn, never in a callback.
 * After any call that may end the session: return.
 */
#ifndef SG_SESSION_H
#define SG_SESSION_H

#include <ev.h>

#include <sockgate/auth.h>
#include <sockgate/command.h>
#include <sockgate/filter.h>

#include "bufs.h"
#include "deadline.h"
#include "hooks.h"
#include "record.h"
#include "worker.h"

enum sg_state {
    SG_STATE_CLIENT,
    SG_STATE_GREETING,
    SG_STATE_AUTH,
    SG_STATE_REQUEST,
    SG_STATE_ACCESS,
    SG_STATE_COMMAND,
    SG_STATE_RELAY,
    SG_STATE_CLOSING,
    SG_STATE_END,
    SG_STATES
};

struct sg_dial;
struct sg_relay;

struct sg_session {
    unsigned magic; /* first member: checked where libev gives a void pointer back */
    enum sg_state state;
    const struct sg_worker_listener *listener;
    int fd; /* the client */
    ev_io io;
    struct sg_buf in, out; /* setup: octets from and to the client, on the wire */
    struct sg_buf plain;   /* setup with a filter: unwrapped octets */
    const struct sg_filter_ops *filter;
    void *filter_state;

    struct sg_deadline phase;  /* one at a time: handshake, connect, idle, half_closed, linger */
    struct sg_deadline setup;  /* setup_max, then max_session */
    int64_t waited_since_ms, waited_ms; /* handshake: time spent waiting for the client */

    uint8_t method;
    struct sg_instance *auth; /* the instance that serves METHOD */
    struct sg_identity identity;
    struct sg_request request;
    bool have_request;
    bool undecided;            /* request access ended UNDECIDED */
    unsigned special_allowed;  /* special ranges that the OK at request allows */
    struct sg_run run;         /* client and request phases */
    struct sg_pending *pendings;
    struct sg_timer *timers;
    void **slots; /* by instance number - 1; NULL until the first is made */
    uint8_t command_rep;       /* sg_session_set_rep() */
    const char *doing;

    struct sg_dial *dial;
    struct sg_relay *relay;
    struct sg_record rec;
    struct sg_session *next, **prev; /* all of the worker */
    struct sg_session *next_dead;
};

/* Accepts one: reserves, records, enters CLIENT. The descriptor passes over; on failure it is closed. */
void sg_session_new(const struct sg_worker_listener *listener, int fd, const struct sg_addr *client);
void sg_session_goto(struct sg_session *s, enum sg_state to);
const char *sg_state_name(enum sg_state state);
bool sg_state_may_follow(enum sg_state from, enum sg_state to);

/* The first reason stays. `err` is an errno or 0. */
void sg_session_reason(struct sg_session *s, enum sg_reason reason, int err);
/* Ends it at once: record, descriptors. `abort`: both sides get RST, so that nothing cut short looks complete. */
void sg_session_end(struct sg_session *s, bool abort);
/* Sends a failure reply (REP) and closes when it is out and read, within `linger`. */
void sg_session_fail(struct sg_session *s, enum sg_reason reason, int err, uint8_t rep);
/* Every session of this worker. */
void sg_session_end_all(enum sg_reason reason);
size_t sg_session_count(void);
void sg_session_reap(void); /* frees those that ended; called at the end of a turn */

#endif
