/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * question.h - asks the policy without a client: the same modules, in the same order, through the functions of
 * evaluate.h. Nothing is dialled and no command starts.
 */
#ifndef SG_QUESTION_H
#define SG_QUESTION_H

#include "load.h"
#include "record.h"
#include "resolve.h"
#include "trace.h"
#include "worker.h"

#define SG_QUESTION_ADDRS 16
#define SG_QUESTION_GROUPS 64

struct sg_question_addrs {
    unsigned n;
    struct sg_addr v[SG_QUESTION_ADDRS];
};

/* Who wants what, from where. Strings are the caller's. */
struct sg_question {
    const char *listener; /* NULL: the first of the configuration */
    struct sg_addr client;
    const char *user; /* NULL: none */
    const char *groups[SG_QUESTION_GROUPS];
    uint16_t n_groups;
    int method, assurance; /* -1: what fits: a password if there is a user, else nothing */
    uint8_t cmd;
    const char *to;                 /* "HOST:PORT", "[::1]:PORT" */
    struct sg_question_addrs addrs; /* what a name has, or who connects, if the answer depends on it */
    bool resolve;                   /* look the name up if the answer depends on it */
    struct sg_trace *trace;         /* NULL: none */
};

/* LOOKUP: it depends on the addresses of the name, or on who connects (BIND to zeros), and none were given. */
struct sg_policy_reply {
    enum sg_reply_kind kind;
    enum sg_reason reason; /* DENY: as in a record */
    int rep;               /* REP; -1: the connection is closed without one, or LOOKUP */
    char label[64];        /* of the rule, "" if none is known */
    const char *file;      /* where it stands; NULL: unknown */
    unsigned line;
    bool any_peer;       /* LOOKUP: it depends on who connects */
    struct sg_addr addr; /* ALLOW: the first that may be dialled, or connect (BIND); family NONE: not known */
};

/* Everything at its default: from 127.0.0.1, nobody, CONNECT. */
void sg_question_init(struct sg_question *q);
/*
 * Sets one part by its name on the command line: client, listener, method, user, group (comma list, adds), assurance,
 * command, to, resolves (comma list, adds). Keeps pointers into `value`, which it may cut into words. 0, or -1 and `why`.
 */
int sg_question_set(struct sg_question *q, const char *key, char *value, char *why, size_t size);

/* The request that the client would send. */
#define SG_QUESTION_WIRE_MAX 262
size_t sg_question_wire(const struct sg_question *q, uint8_t octets[SG_QUESTION_WIRE_MAX]);

/* Around questions, in a process that asks nothing else: a loop, the modules started as in a worker. -1: in the log. */
int sg_questions_open(const struct sg_load *load);
void sg_questions_close(void);
/* 0, or -1 and `why`: the question makes no sense, or a module did not answer in 10 s. */
int sg_question_ask(const struct sg_question *q, struct sg_policy_reply *reply_out, char *why, size_t size);

/* "allow", "deny", "lookup". */
const char *sg_reply_name(enum sg_reply_kind kind);

#endif
