/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one client connection: its states, its two sockets, its deadlines.
 *
 *        accept        greeting        login          request         access          command      relay, association
 *   ---> CLIENT -----> GREETING -----> AUTH --------> REQUEST ------> ACCESS -------> COMMAND -----> RELAY --+
 *          |              |              |               |               |               |             |    |
 *          +--------------+--------------+---------------+---------------+---------------+--> CLOSING -+--> END
 *
 * sg_session_goto() is the only way to change state. RESOLVE and TARGET are steps of a dial (dial.h), which a command
 * module starts: with Happy Eyeballs they overlap. ASSOCIATION: datagrams are relayed (udp.h), and the connection only
 * has to stay. CLOSING: a last reply is on its way, the client is given `linger`
 * to read it. END: the record is out; the memory is freed by the reaper at the end of the turn, never in a callback.
 * After any call that may end the session: return.
 */
#ifndef SG_SESSION_H
#define SG_SESSION_H

#include <ev.h>

#include <sockgate/auth.h>
#include <sockgate/command.h>
#include <sockgate/filter.h>

#include "answer.h"
#include "bufs.h"
#include "deadline.h"
#include "hooks.h"
#include "login.h"
#include "record.h"
#include "wire.h"
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
    SG_STATE_ASSOCIATION, /* records hold these numbers: new ones come last */
    SG_STATES
};

/* Before the relay runs: the octets of a client that wait for us, unless a METHOD needs more; the rest stays with TCP. */
#define SG_SETUP_IN_MAX 1024
/* And the octets that wait for the client: METHOD, the messages of an exchange, replies. */
#define SG_SETUP_OUT_MAX 262144

struct sg_bind;
struct sg_dial;
struct sg_login;
struct sg_relay;
struct sg_udp;

/* The connection that a dial has made, or that a peer has. */
struct sg_conn {
    int fd; /* -1: closed */
    ev_io io;
    struct sg_deadline settle; /* what only a long life needs is done then */
};

/* A METHOD that encapsulates. */
struct sg_filter {
    const struct sg_filter_ops *ops;
    void *state;
    struct sg_buf plain; /* setup: unwrapped octets */
};

/* What AUTH and those who granted something have settled. */
struct sg_admitted {
    struct sg_identity identity;
    uint32_t rate_up, rate_down; /* octets a second; 0: no limit */
};

/*
 * One of these is there for every client that has said nothing yet. So it holds what all states need, and pointers to
 * what only some need; a test knows its size.
 */

struct sg_session {
    const struct sg_worker_listener *listener;
    int fd;           /* the client */
    uint32_t drained; /* CLOSING, ASSOCIATION: octets read and thrown away */
    ev_io io;
    struct sg_defer step;  /* goes on with the session: sg_session_kick() */
    struct sg_buf in, out; /* setup: octets from and to the client, on the wire */
    struct sg_filter *filter;

    struct sg_deadline phase; /* one at a time: handshake, idle, half_closed, linger */
    struct sg_deadline setup; /* setup_max, then max_session */
    int64_t waited_since_ms;  /* handshake: since when we wait for the client */
    int32_t waited_ms;        /* and how long we have before */
    uint32_t unconsumed;      /* AUTH: octets in `in` that exchange() did not want yet */
    char *id;                 /* as text, from when somebody has asked for it; else NULL */
    uint8_t state;            /* enum sg_state */
    uint8_t command_rep;      /* sg_session_set_rep() */
    uint8_t special_allowed;  /* special ranges that the OK at request allows */
    bool waiting : 1;         /* for octets of the client: the handshake clock runs */
    bool stay : 1;            /* COMMAND: a client that ends its side has left */
    bool eof : 1;             /* the client has ended its side */
    bool encapsulated : 1;    /* AUTH is over and there is a filter */
    bool asked : 1;           /* AUTH: exchange() has been called */
    bool asking : 1;          /* AUTH: and will answer later */
    bool undecided : 1;       /* request access ended UNDECIDED */
    bool shut : 1;            /* CLOSING: our side has ended */
    bool readable : 1;        /* before the relay: an event has said so */
    bool ending : 1;          /* to be ended, as soon as no code of a module is on the stack */

    struct sg_instance *auth;     /* the instance that serves METHOD */
    struct sg_login *login;       /* AUTH: that is being checked; NULL: none */
    struct sg_answer *answer;     /* owns the strings of the identity; NULL before AUTH, and if there are none */
    struct sg_admitted *admitted; /* NULL before AUTH */
    struct sg_request *request;   /* NULL: not complete */
    struct sg_run *run;           /* CLIENT and ACCESS, else NULL */
    struct sg_pending *pendings;
    struct sg_timer *timers;
    void **slots; /* by instance number - 1; NULL until the first is made */
    const char *doing;
    struct sg_trace *trace; /* NULL: nobody asks how verdicts come about */

    struct sg_dial *dial;
    struct sg_bind *bind;
    struct sg_conn *conn;
    struct sg_relay *relay;
    struct sg_udp *udp;
    struct sg_record *rec;           /* in the journal; ours until the session ends */
    struct sg_session *next, **prev; /* all of the worker; `next` of those that have ended and wait for the reaper */
};

/* The first octet of the client says which; SOCKS5 before that. */
static inline const struct sg_protocol *
sg_session_protocol(const struct sg_session *s)
{
    return s->rec->ver == SG_SOCKS4_VN ? &sg_socks4 : &sg_socks5;
}

/* Makes sure that one more fits: the limit and the memory. Called before accept(). */
bool sg_session_reserve(void);
/*
 * Begins the session that was reserved: records, enters CLIENT. The descriptor passes over. The session may have ended
 * on return; the pointer is good until the end of the turn.
 */
struct sg_session *sg_session_new(const struct sg_worker_listener *listener, int fd, const struct sg_addr *client,
                                  const struct sg_addr *local);
/*
 * A session without a connection, for who only wants to ask access modules (question.h): known to no list, written in no
 * record. NULL: no memory.
 */
struct sg_session *sg_session_blank(const struct sg_worker_listener *listener, const struct sg_addr *client);
void sg_session_blank_end(struct sg_session *s);
void sg_session_goto(struct sg_session *s, enum sg_state to);
const char *sg_state_name(enum sg_state state);
bool sg_state_may_follow(enum sg_state from, enum sg_state to);

/* Goes on with it as soon as it is its turn (sg_worker_defer()); harmless when there is nothing to do. */
void sg_session_kick(struct sg_session *s);
/* Asks the access modules about CLIENT or REQUEST; `done` calls sg_session_asked() when it has looked at the run. */
void sg_session_ask(struct sg_session *s, enum sg_phase phase,
                    void (*done)(struct sg_run *run, enum sg_outcome outcome));
void sg_session_asked(struct sg_session *s);
/* The handshake clock: does the gateway wait for the client? */
void sg_session_wait(struct sg_session *s, bool waiting);
/* The octets that the client sent, unwrapped where a filter is on. */
struct sg_buf *sg_session_input(struct sg_session *s);
/* The octets go out with the next step, wrapped where a filter is on. -1: no room, or filter failed. */
int sg_session_send(struct sg_session *s, const uint8_t *octets, size_t len) SG_CHECK;

/* The first reason stays. `err` is an errno or 0. */
void sg_session_reason(struct sg_session *s, enum sg_reason reason, int err);
/* A few words beside the reason; the first stay. NULL is ignored. */
void sg_session_reason_text(struct sg_session *s, const char *text);
/* The limits of whoever has granted something: the lowest hold. */
void sg_session_limit(struct sg_session *s, const struct sg_decision *decision);
/* Nobody in particular, without limits. -1: no memory. */
int sg_session_admit(struct sg_session *s) SG_CHECK;
/* Which rule decided, and why; its limits, too. */
void sg_session_rule(struct sg_session *s, const struct sg_decision *decision);
/* What a rule on trial would have said in that walk. */
void sg_session_dry_run(struct sg_session *s, const struct sg_run *run);
/* Ends it at once: record, descriptors. `abort`: both sides get RST, so that nothing cut short looks complete. */
void sg_session_end(struct sg_session *s, bool abort);
/* As sg_session_end(s, true), later in this turn: for functions that modules call. */
void sg_session_end_soon(struct sg_session *s, enum sg_reason reason, int err);
/* Sends what waits, ends our side, gives the client `linger` to read it and close. */
void sg_session_finish(struct sg_session *s, enum sg_reason reason, int err);
/* The same with a failure reply (REP). */
void sg_session_fail(struct sg_session *s, enum sg_reason reason, int err, uint8_t rep);
/* One of its sockets cannot be watched (EV_ERROR: the kernel has no memory, or no room in a set): ends it. */
void sg_session_unwatched(struct sg_session *s);
/* Every session of this worker. */
void sg_session_end_all(enum sg_reason reason);
size_t sg_session_count(void);
void sg_session_reap(void); /* frees those that ended; called at the end of a turn */

/* What an errno of a socket says about the peer: gone for a reset, else unreachable. */
enum sg_reason sg_session_lost(int err, enum sg_reason reset, enum sg_reason unreachable);

#endif
