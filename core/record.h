/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - what is written down about a session. The tables below are the only place where events and reasons are
 * listed, as fields.h is for the names of fields: code, documentation and tests are driven by them.
 *
 * Every accepted connection ends in exactly one of session_refused; session_failed; session_start and session_end.
 */
#ifndef SG_RECORD_H
#define SG_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>
#include <sockgate/session.h>

#include "purpose.h"

/* refused: a rule, login, limit or METHOD said no. failed: protocol error, client gone, time-out, resolver, connect. */
#define SG_EVENTS(X)                                                                                                   \
    X(SESSION_START, "session_start")                                                                                  \
    X(SESSION_END, "session_end")                                                                                      \
    X(SESSION_REFUSED, "session_refused")                                                                              \
    X(SESSION_FAILED, "session_failed")                                                                                \
    /* from here on: no state of a session, and at any time */                                                         \
    X(AUTH_OK, "auth_ok")           /* a login: somebody is known by name */                                           \
    X(AUTH_FAILED, "auth_failed")   /* a login was refused or broke off; for programs that ban */                      \
    X(MODULE_ERROR, "module_error") /* a module has broken the rules */                                                \
    X(RELOAD, "reload")             /* a configuration came into force, or did not: who asked, and what it was */      \
    X(FILE_LOADED, "file_loaded")   /* one of its files */                                                             \
    X(RECORDS_LOST, "records_lost") /* so many events could not be written */

/* X(name, text, refused?) */
#define SG_REASONS(X)                                                                                                  \
    X(NONE, "none", false)                                                                                             \
    X(CLOSED, "closed", false)           /* both sides have ended */                                                   \
    X(CLIENT_GONE, "client_gone", false) /* the client closed before it was served */                                  \
    X(CLIENT_RESET, "client_reset", false)                                                                             \
    X(TARGET_RESET, "target_reset", false)                                                                             \
    X(CLIENT_UNREACHABLE, "client_unreachable", false) /* keepalive, TCP_USER_TIMEOUT or the network gave up */        \
    X(TARGET_UNREACHABLE, "target_unreachable", false)                                                                 \
    X(PROTOCOL_ERROR, "protocol_error", false)                                                                         \
    X(HANDSHAKE_TIMEOUT, "handshake_timeout", false)                                                                   \
    X(SETUP_TIMEOUT, "setup_timeout", false)                                                                           \
    X(IDLE_TIMEOUT, "idle_timeout", false)                                                                             \
    X(HALF_CLOSED_TIMEOUT, "half_closed_timeout", false)                                                               \
    X(MAX_SESSION, "max_session", false)                                                                               \
    X(CONNECT_FAILED, "connect_failed", false) /* REP and errno say how */                                             \
    X(RESOLVE_FAILED, "resolve_failed", false)                                                                         \
    X(LOGIN_UNAVAILABLE, "login_unavailable", false) /* neither right nor wrong: no answer, or no helper */            \
    X(FILTER_ERROR, "filter_error", false)                                                                             \
    X(MODULE_ERROR, "module_error", false)                                                                             \
    X(SHORTAGE, "shortage", false) /* memory, descriptors, ports */                                                    \
    X(INTERNAL_ERROR, "internal_error", false)                                                                         \
    X(DRAIN_TIMEOUT, "drain_timeout", false)                                                                           \
    X(STOPPED, "stopped", false)                                                                                       \
    X(WORKER_LOST, "worker_lost", false)    /* its process died; written by the logger */                              \
    X(UNCLEAN_STOP, "unclean_stop", false)  /* everything died; written at the next start */                           \
    X(CLIENT_RANGE, "client_range", true)   /* outside `clients` of the listener */                                    \
    X(ACCESS_CLIENT, "access_client", true) /* a rule about the client */                                              \
    X(NO_METHOD, "no_method", true)                                                                                    \
    X(LOGIN_DENIED, "login_denied", true)                                                                              \
    X(BUSY, "busy", true) /* too many logins wait for helpers */                                                       \
    X(ACCESS_REQUEST, "access_request", true)                                                                          \
    X(ACCESS_TARGET, "access_target", true)                                                                            \
    X(SPECIAL_RANGE, "special_range", true)                                                                            \
    X(COMMAND_DENIED, "command_denied", true)                                                                          \
    X(COMMAND_UNKNOWN, "command_unknown", true)                                                                        \
    X(PEER_TIMEOUT, "peer_timeout", false)   /* BIND: nobody came in time */                                           \
    X(PEER_MISMATCH, "peer_mismatch", false) /* BIND: somebody else came */                                            \
    X(LIMIT, "limit", true)                  /* so many are allowed, and so many there are */                          \
    X(THROTTLED, "throttled", true)          /* too many logins of this address have failed */

/* Why a datagram of an association went nowhere. X(name, text) */
#define SG_UDP_DROPS(X)                                                                                                \
    X(SENDER, "sender")     /* not from the client, or from another port than its first one */                         \
    X(HEADER, "header")     /* malformed: too short, RSV, ATYP, a name that is none, port 0 */                         \
    X(FRAGMENT, "fragment") /* FRAG is not 00 */                                                                       \
    X(FILTER, "filter")     /* does not pass through the METHOD's encapsulation */                                     \
    X(POLICY, "policy")     /* a rule, the special-range guard, or a module that failed */                             \
    X(NAME, "name")         /* the name has no address that could be used */                                           \
    X(QUEUE, "queue")       /* too much waits for verdicts already, or memory is short */                              \
    X(SIZE, "size")         /* too long for one datagram */                                                            \
    X(SEND, "send")         /* the kernel did not take it: no route, no room */                                        \
    X(SOURCE, "source")     /* came back from where the client has not written to */                                   \
    X(RATE, "rate")         /* more than the limit of whoever granted lets through */

enum sg_udp_drop {
#define X(name, text) SG_UDP_DROP_##name,
    SG_UDP_DROPS(X)
#undef X
        SG_UDP_DROP_COUNT
};

enum sg_event {
#define X(name, text) SG_EVENT_##name,
    SG_EVENTS(X)
#undef X
        SG_EVENT_COUNT
};

enum sg_reason {
#define X(name, text, refused) SG_REASON_##name,
    SG_REASONS(X)
#undef X
        SG_REASON_COUNT
};

/* Is it written from the state of a session? */
static inline bool
sg_event_of_session(enum sg_event event)
{
    return event <= SG_EVENT_SESSION_FAILED;
}

/* A counted string in the record's arena; len 0: none. */
struct sg_record_text {
    uint16_t at;
    uint8_t len, pad;
};

/* What the journal knows of a session. Stored with release after everything that it publishes. */
enum sg_record_state {
    SG_RECORD_FREE = 0,
    SG_RECORD_OPEN = 1,    /* accepted: who and where are there; the rest is being written */
    SG_RECORD_STARTED = 2, /* session_start is due; from here on only counters change, until ENDED */
    SG_RECORD_ENDED = 3    /* the last event is due */
};

/* Of what is written today; record_old.h reads the one before. */
#define SG_RECORD_LAYOUT 2
#define SG_RECORD_SIZE 1024
#define SG_RECORD_TRIED_MAX 16
#define SG_RECORD_LABEL_MAX 63

/* The event RELOAD. */
struct sg_record_reload {
    uint32_t by_uid, by_pid, generation;
    uint8_t purpose, failed;
};

/*
 * One session, or one event that is no session's state, as the record tells it: plain data of one size, in memory that outlives the worker. No pointers: names of
 * listeners, instances and files are numbers in the table's own list (sg_table_name), other strings are in the arena.
 * Who reads it in another process checks every number. `state` and `use` stay where they are in every layout.
 */
struct sg_record {
    _Atomic uint32_t state; /* enum sg_record_state */
    uint32_t use;           /* counts the sessions that were in this slot */
    uint32_t rule_line;
    uint64_t id_high, id_low; /* epoch; serial and counter */
    int64_t accepted_wall_ms, accepted_mono_ms, connected_mono_ms, ended_mono_ms;
    union {
        struct {
            uint64_t bytes_up, bytes_down; /* client to target, target to client; payload after unwrapping */
        };
        struct sg_record_reload reload;
        uint64_t count; /* RECORDS_LOST */
    };
    struct sg_addr client, local, target, bind; /* target: reached or last tried */
    int32_t err;                                /* errno of the failure, 0: none */
    uint16_t port;                              /* DST.PORT */
    uint16_t listener, instance, rule_file;     /* numbers of names, 0: none. instance: asked last about the login */
    uint16_t module;                            /* likewise: the instance that MODULE_ERROR is about */
    uint8_t event;                              /* enum sg_event; 0: the state tells, as for every session */
    uint8_t reason;                             /* enum sg_reason; the first one set stays */
    uint8_t rep;                                /* REP sent, valid if replied */
    uint8_t requested;                          /* the request is known */
    uint8_t started;                            /* session_start is out: the end is session_end */
    uint8_t identified;                         /* AUTH is over: user and assurance are known */
    uint8_t replied, tried_more;
    uint8_t ver, method, cmd, assurance;
    uint8_t phase;           /* enum sg_state in which it ended, plus 1; 0: not yet */
    uint8_t dry_run_verdict; /* SG_OK or SG_DENY, valid with dry_run_rule */
    uint8_t n_tried;         /* where a SYN or datagrams were sent: at the end of the arena, the first one last */
    uint8_t rule_len, dry_run_rule_len;
    char rule[SG_RECORD_LABEL_MAX], dry_run_rule[SG_RECORD_LABEL_MAX]; /* these may change until they are published */
    struct sg_record_text user, name, reason_text;                     /* name: DST.ADDR as a name */
    struct sg_record_text udp_drops;                                   /* sg_record_udp_drops() */
    union {
        struct {
            struct sg_record_text userid; /* SOCKS4: what the client says of itself */
            struct sg_addr peer;          /* BIND: who has connected; written after STARTED, once */
            uint32_t peers_refused;       /* BIND: others that tried */
        };
        struct {
            struct sg_record_text cause; /* events: the id of the session or RELOAD that they belong to, 16 octets */
            struct sg_record_text file, digest; /* a file, and its SHA-256, 32 octets */
        };
    };
    uint16_t arena_used, arena_tried; /* octets from the front and from the end */
    char arena[];
};

#define SG_RECORD_ARENA (SG_RECORD_SIZE - offsetof(struct sg_record, arena))

/* Puts a string into the arena; one that is there already stays. False: it does not fit, and nothing has changed. */
bool sg_record_put(struct sg_record *rec, struct sg_record_text *text, const void *octets, size_t len);
/* Its octets, checked; NULL if there is none, or if the numbers make no sense. */
const char *sg_record_get(const struct sg_record *rec, const struct sg_record_text *text);
/*
 * Counters by enum sg_udp_drop, in the arena; they may change as long as the session lives. NULL: no room, which cannot be
 * before the first text of a module.
 */
uint32_t *sg_record_udp_drops(struct sg_record *rec);
void sg_record_add_tried(struct sg_record *rec, const struct sg_addr *addr);
bool sg_record_tried(const struct sg_record *rec, unsigned i, struct sg_addr *addr_out);
void sg_record_set_rule(struct sg_record *rec, const char *label);
void sg_record_set_dry_run(struct sg_record *rec, const char *label, uint8_t verdict);
/* Makes `rec`, all zero but for `use`, an event of now; `about`: whom it is about, NULL: nobody. It still needs an id. */
void sg_record_event_begin(struct sg_record *rec, enum sg_event event, const struct sg_record *about);
/* 32 hexadecimal digits and a NUL. */
#define SG_RECORD_ID_TEXT 33
void sg_record_id(const struct sg_record *rec, char text[SG_RECORD_ID_TEXT]);
/* Likewise that of `cause`; false: there is none. */
bool sg_record_cause(const struct sg_record *rec, char text[33]);

const char *sg_event_name(enum sg_event event);
const char *sg_reason_name(enum sg_reason reason);
bool sg_reason_refused(enum sg_reason reason);

/* Names by their numbers, for who reads a record: those of its table. */
struct sg_record_names {
    const char *(*name)(const struct sg_record_names *self, uint16_t number); /* NULL: there is none */
};

/* The event that a record stands for when it has ended. */
enum sg_event sg_record_event(const struct sg_record *rec);

#endif
