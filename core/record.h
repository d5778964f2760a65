/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - what is written down about a session. The tables below are the only place where events, reasons and field
 * names are listed: code, documentation and tests are driven by them.
 *
 * Every accepted connection ends in exactly one of session_refused; session_failed; session_start and session_end.
 */
#ifndef SG_RECORD_H
#define SG_RECORD_H

#include <sockgate/addr.h>
#include <sockgate/session.h>
#include <stdbool.h>
#include <stdint.h>

/* refused: a rule, login, limit or METHOD said no. failed: protocol error, client gone, time-out, resolver, connect. */
#define SG_EVENTS(X)                                                                                                   \
    X(SESSION_START, "session_start")                                                                                  \
    X(SESSION_END, "session_end")                                                                                      \
    X(SESSION_REFUSED, "session_refused")                                                                              \
    X(SESSION_FAILED, "session_failed")

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
    X(FILTER_ERROR, "filter_error", false)                                                                             \
    X(MODULE_ERROR, "module_error", false)                                                                             \
    X(SHORTAGE, "shortage", false) /* memory, descriptors, ports */                                                    \
    X(INTERNAL_ERROR, "internal_error", false)                                                                         \
    X(DRAIN_TIMEOUT, "drain_timeout", false)                                                                           \
    X(STOPPED, "stopped", false)                                                                                       \
    X(CLIENT_RANGE, "client_range", true)   /* outside `clients` of the listener */                                    \
    X(ACCESS_CLIENT, "access_client", true) /* a rule about the client */                                              \
    X(NO_METHOD, "no_method", true)                                                                                    \
    X(LOGIN_DENIED, "login_denied", true)                                                                              \
    X(ACCESS_REQUEST, "access_request", true)                                                                          \
    X(ACCESS_TARGET, "access_target", true)                                                                            \
    X(SPECIAL_RANGE, "special_range", true)                                                                            \
    X(COMMAND_DENIED, "command_denied", true)                                                                          \
    X(COMMAND_UNKNOWN, "command_unknown", true)

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

/* One session as the record tells it. Plain data: no pointer into the session; strings are counted or bounded. */
struct sg_record {
    char id[33];
    bool started;    /* session_start is out: the end is session_end */
    bool identified; /* AUTH is over: user and assurance are known */
    uint8_t reason;  /* enum sg_reason; the first one set stays */
    uint8_t rep;     /* REP sent, valid if replied */
    bool replied;
    uint8_t ver, method, cmd, assurance;
    int err;                   /* errno of the failure, 0: none */
    const char *listener;      /* constant strings of the configuration */
    const char *auth_instance; /* that was asked last; NULL before METHOD is chosen */
    const char *rule, *rule_file;
    unsigned rule_line;
    const char *dry_run_rule; /* a rule on trial that would have decided otherwise or alike; NULL: none */
    uint8_t dry_run_verdict;  /* SG_OK or SG_DENY, valid with dry_run_rule */
    char phase[16];           /* the state in which it ended */
    char reason_text[128];    /* a few words from the module */
    struct sg_addr client, local, target, bind; /* target: reached or last tried */
    char user[256];
    uint8_t user_len;
    char name[256]; /* DST.ADDR as a name */
    uint8_t name_len;
    uint16_t port;            /* DST.PORT */
    struct sg_addr tried[16]; /* addresses to which a SYN was sent */
    uint8_t n_tried;
    bool tried_more;
    int64_t accepted_wall_ms, accepted_mono_ms, connected_mono_ms, ended_mono_ms;
    uint64_t bytes_up, bytes_down; /* client to target, target to client; payload after unwrapping */
};

const char *sg_event_name(enum sg_event event);
const char *sg_reason_name(enum sg_reason reason);
bool sg_reason_refused(enum sg_reason reason);

/* The one function through which records leave: a JSON line. The logger's journal takes this place. */
void sg_record_write(const struct sg_record *rec, enum sg_event event);

#endif
