/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h - the hook table of a listener, what verdicts mean, and the walk through a list of modules.
 */
#ifndef SG_HOOKS_H
#define SG_HOOKS_H

#include "module.h"

struct sg_session;

/* The hook table of one listener: its own keys, the others from the general table. */
struct sg_hooks {
    size_t n_auth, n_access;
    struct sg_instance **auth;
    struct sg_instance **access;
    struct sg_instance *command[256]; /* by CMD; NULL: REP 07 */
};

/*
 * Builds the tables: missing roles, METHODs that exclude each other, keys that a module has no use for, tables without a
 * login, an access module or a command, and the open-proxy rule all go to `diag`. One table per listener, in the order of
 * conf->listeners; NULL if `diag` holds any error, also one from before. Names that no instance has were reported by
 * sg_conf_read().
 */
struct sg_hooks *sg_hooks_build(const struct sg_conf *conf, struct sg_instances *all, struct sg_diag *diag);

enum sg_phase {
    SG_PHASE_CLIENT,
    SG_PHASE_REQUEST,
    SG_PHASE_TARGET,
    SG_PHASE_AUTH_CHECK,
    SG_PHASE_AUTH_EXCHANGE,
    SG_PHASE_COMMAND,
    SG_PHASES
};

/* What the core does with a verdict. */
enum sg_outcome {
    SG_OUTCOME_ERROR,     /* the list ends: could not be found out */
    SG_OUTCOME_GRANT,     /* the list ends: yes */
    SG_OUTCOME_REFUSE,    /* the list ends: no */
    SG_OUTCOME_UNDECIDED, /* the list ends: the address decides (request only) */
    SG_OUTCOME_MORE,      /* exchange: wait for the client's next message */
    SG_OUTCOME_NEXT,      /* ask the next module */
    SG_OUTCOME_REMEMBER,  /* ask the next module, and remember that one needs the address */
    SG_OUTCOME_WAIT,      /* a handle is open */
    SG_OUTCOME_MISUSE     /* no such verdict in this phase: logged against the module, then as ERROR */
};
/* The one table. A verdict out of range is MISUSE. */
enum sg_outcome sg_verdict_meaning(enum sg_phase phase, enum sg_verdict verdict);
/* The same for who has asked a module: MISUSE is logged against the instance and becomes ERROR. */
enum sg_outcome sg_verdict_judge(struct sg_instance *inst, struct sg_session *s, enum sg_phase phase,
                                 enum sg_verdict verdict);
/* The end of a list at which nobody decided. `undecided`: one was remembered, or (target) the request was undecided. */
enum sg_outcome sg_verdict_at_end(enum sg_phase phase, bool undecided);

/*
 * One walk through hooks->access for the phases client, request and target. Lives in its owner (session, dial attempt);
 * several may be open for one session. `done` is called once, maybe inside sg_run_start(), with ERROR, GRANT, REFUSE or
 * UNDECIDED; never after sg_run_cancel().
 */
struct sg_run {
    struct sg_session *session;
    enum sg_phase phase;
    bool undecided; /* before target: the request was undecided; during request: one was remembered */
    size_t next;
    const struct sg_request *request; /* what is asked about; borrowed */
    const struct sg_addr *addr;       /* target: the address in question; borrowed */
    struct sg_pending *pending;       /* the open handle, if any */
    unsigned resumed;                 /* a chain that is resumed without end is stopped */
    struct sg_instance *decider;      /* whose verdict ended the list; NULL at the end of the list */
    struct sg_decision decision;      /* of the decider, or of the last module asked */
    const char *dry_run_label;        /* the first that any module on the way named; NULL: none */
    enum sg_verdict dry_run_verdict;
    void (*done)(struct sg_run *run, enum sg_outcome outcome);
};
void sg_run_start(struct sg_run *run, struct sg_session *s, enum sg_phase phase, bool undecided,
                  const struct sg_addr *addr, void (*done)(struct sg_run *run, enum sg_outcome outcome));
/* The same about another request than the session's: that of a datagram. It must live as long as the run. */
void sg_run_start_for(struct sg_run *run, struct sg_session *s, const struct sg_request *request, enum sg_phase phase,
                      bool undecided, const struct sg_addr *addr,
                      void (*done)(struct sg_run *run, enum sg_outcome outcome));
void sg_run_cancel(struct sg_run *run); /* cancels an open handle; harmless when nothing is open */

#endif
