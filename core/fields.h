/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fields.h - what happened, as a list of named fields. The table below is the only list of their names: every form in
 * which an event is written goes through it, and a unit test compares doc/log.md with it.
 */
#ifndef SG_FIELDS_H
#define SG_FIELDS_H

#include "record.h"

/* X(NAME, name, meaning): in this order they are written. A field that is not known of an event is not there at all. */
#define SG_FIELDS(X)                                                                                                   \
    X(TIME, time, "when: UTC with milliseconds, `2026-01-31T12:00:00.123Z`")                                           \
    X(EVENT, event, "what: a word of the table of events")                                                             \
    X(ID, id, "32 hexadecimal digits: the same in all events of one session, and nothing else's on any machine")       \
    X(SESSION, session, "the `id` of the session that the event belongs to")                                           \
    X(RELOAD, reload, "the `id` of the `reload` that the event belongs to")                                            \
    X(LISTENER, listener, "the name of the listener")                                                                  \
    X(CLIENT, client, "address and port of the client")                                                                \
    X(VER, ver, "the version of SOCKS: 5 or 4")                                                                        \
    X(USERID, userid, "the USERID of SOCKS4: what the client says of itself, and anybody can say")                     \
    X(METHOD, method, "the METHOD of the login: two hexadecimal digits")                                               \
    X(INSTANCE, instance, "the auth instance that was asked last")                                                     \
    X(USER, user,                                                                                                      \
      "who it is; empty: nobody in particular; without `assurance`: who it said it was, and the login failed")         \
    X(ASSURANCE, assurance, "how well that is proven: 0 none, 10 asserted, 20 password, 30 kerberos")                  \
    X(COMMAND, command, "`connect`, `bind`, `udp_associate`, or an unknown CMD: two hexadecimal digits")               \
    X(HOST, host, "DST.ADDR, if it was a name; without a trailing dot")                                                \
    X(PORT, port, "DST.PORT")                                                                                          \
    X(TARGET, target, "the address that was reached, or the last one that was tried, and the port")                    \
    X(BIND, bind, "the gateway's own address and port towards the target")                                             \
    X(PEER, peer, "who connected for a BIND")                                                                          \
    X(PEERS_REFUSED, peers_refused, "how many others did, and were closed")                                            \
    X(RULE, rule, "the label of the rule that decided")                                                                \
    X(RULE_AT, rule_at, "where that rule stands: file and line")                                                       \
    X(DRY_RUN_RULE, dry_run_rule, "the label of the rule on trial that matched")                                       \
    X(DRY_RUN, dry_run, "what that rule would have decided: `allow`, `deny`")                                          \
    X(TRIED, tried, "the addresses that were tried, in order")                                                         \
    X(TRIED_MORE, tried_more, "`true`: more were tried than are listed")                                               \
    X(REP, rep, "the REP that was sent: two hexadecimal digits")                                                       \
    X(MODULE, module, "the instance that has made the mistake")                                                        \
    X(PURPOSE, purpose, "why a configuration was loaded: `start`, `reload`, `restart`, `upgrade`")                     \
    X(RESULT, result, "`ok`, or `failed`: the configuration before is still in force")                                 \
    X(GENERATION, generation, "the number of the generation")                                                          \
    X(BY_UID, by_uid, "the user who asked for it")                                                                     \
    X(BY_PID, by_pid, "the process that asked for it")                                                                 \
    X(COUNT, count, "how many events could not be written")                                                            \
    X(FILE, file, "the path of the file")                                                                              \
    X(SHA256, sha256, "its SHA-256: 64 hexadecimal digits")                                                            \
    X(PHASE, phase, "the state of the session in which it ended")                                                      \
    X(REASON, reason, "why it ended: a word of the table of reasons")                                                  \
    X(REASON_TEXT, reason_text, "what a module or the core said about it")                                             \
    X(ERROR, error, "the system's name of the error, as in `ECONNREFUSED`")                                            \
    X(BYTES_UP, bytes_up, "octets from the client to the target")                                                      \
    X(BYTES_DOWN, bytes_down, "octets from the target to the client")                                                  \
    X(UDP_DROPS, udp_drops, "datagrams of an association that went nowhere, by reason")                                \
    X(DURATION_MS, duration_ms, "milliseconds from accept to the end")

enum sg_field {
#define X(NAME, name, meaning) SG_FIELD_##NAME,
    SG_FIELDS(X)
#undef X
        SG_N_FIELDS
};

/* What a log module is handed (sockgate/event.h). */
struct sg_event_info {
    enum sg_event event;
    const struct sg_record *rec;
    const struct sg_record_names *names;
};

enum sg_field_kind {
    SG_FIELD_IS_OCTETS = 1,
    SG_FIELD_IS_NUMBER,
    SG_FIELD_IS_TRUE,
    SG_FIELD_IS_LIST,
    SG_FIELD_IS_COUNTS
};

/* The value of a field; good as long as the event and this struct. */
struct sg_field_value {
    enum sg_field_kind kind;
    const char *octets; /* OCTETS: anything at all, a stranger may have chosen them */
    size_t len;
    int64_t number;
    const char *list[SG_RECORD_TRIED_MAX]; /* LIST: `len` strings of ours; COUNTS: `len` words, and how many of each */
    uint32_t counts[SG_RECORD_TRIED_MAX];
    char room[SG_RECORD_TRIED_MAX][SG_ADDR_TEXT];
};

const char *sg_field_name(enum sg_field field);
const char *sg_field_meaning(enum sg_field field);
/* False: it is not known of this event. */
bool sg_field_get(const struct sg_event_info *info, enum sg_field field, struct sg_field_value *value_out);

#endif
