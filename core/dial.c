/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial.c - from a request to a connection (RFC 8305, "Happy Eyeballs").
 */
#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrs.h"
#include "conn.h"
#include "container.h"
#include "evaluate.h"
#include "pipes.h"
#include "resolve.h"
#include "sockets.h"

#define DIAL_ATTEMPTS 16

/* One address: evaluated, then connected to. */
struct dial_attempt {
    struct dial_attempt *next;
    struct sg_dial *dial;
    struct sg_addr addr;
    struct sg_run run;
    struct sg_conn conn;
    struct sg_deadline deadline;
    bool over;
};

enum { DIAL_IPV6, DIAL_IPV4, DIAL_FAMILIES };

/* What a name needs beside what an address needs. */
struct dial_family {
    struct sg_lookup lookup;
    struct sg_dial *dial;
    bool open; /* the lookup has not ended */
    unsigned n, next;
    struct sg_addr addrs[SG_RESOLVE_ADDRS];
};

struct dial_names {
    struct dial_family families[DIAL_FAMILIES];
    struct sg_deadline deadline; /* of both lookups */
    unsigned turn;               /* the family whose address is next */
    bool started;                /* attempts may begin */
    bool failed;                 /* a lookup has failed: that there is no address is not known */
};

/* How much a failure says; of two alike the later one is told. */
enum dial_rank { RANK_RESOLVE, RANK_REFUSED, RANK_TRIED };

struct sg_dial {
    struct sg_session *session;
    struct sg_instance *inst;
    void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_dial_result *result, void *arg);
    void *arg;
    struct sg_defer start;
    struct sg_deadline pace;  /* when the next attempt may begin, or attempts at all */
    struct dial_names *names; /* NULL: the client sent an address */
    struct dial_attempt first, *attempts;
    unsigned n_attempts, n_running;
    bool stepping, over;
    /* Why it would fail if nothing more came. */
    enum dial_rank rank;
    enum sg_reason reason;
    int err;
    uint8_t rep;
    const char *why;                 /* a few words of the resolver */
    const struct dial_attempt *told; /* NULL: no attempt was made */
};

static bool
dial_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM || err == EADDRNOTAVAIL;
}

/* ---- the end */

static void
attempt_stop(struct dial_attempt *attempt)
{
    attempt->over = true;
    sg_run_cancel(&attempt->run); /* nobody wants to know any more: it must not go on when another one has won */
    sg_deadline_disarm(&attempt->deadline);
    if (attempt->conn.fd == -1)
        return;
    ev_io_stop(sg_worker_loop(), &attempt->conn.io);
    (void)close(attempt->conn.fd);
    attempt->conn.fd = -1;
}

static void
dial_stop_lookups(struct dial_names *names)
{
    if (names == NULL)
        return;
    sg_deadline_disarm(&names->deadline);
    for (unsigned i = 0; i < DIAL_FAMILIES; i++) {
        sg_resolve_cancel(&names->families[i].lookup);
        names->families[i].open = false;
    }
}

void
sg_dial_stop(struct sg_dial *dial)
{
    if (dial == NULL || dial->over)
        return;
    dial->over = true;
    sg_worker_undefer(&dial->start);
    sg_deadline_disarm(&dial->pace);
    dial_stop_lookups(dial->names);
    for (struct dial_attempt *attempt = dial->attempts; attempt != NULL; attempt = attempt->next)
        attempt_stop(attempt);
}

void
sg_dial_free(struct sg_dial *dial)
{
    if (dial == NULL)
        return;
    while (dial->attempts != NULL) {
        struct dial_attempt *attempt = dial->attempts;

        dial->attempts = attempt->next;
        if (attempt != &dial->first)
            free(attempt);
    }
    free(dial->names);
    free(dial);
}

/* The record tells of the attempt that won, or of the one whose failure is told. */
static void
dial_record(struct sg_session *s, const struct dial_attempt *attempt)
{
    s->rec->target = attempt->addr;
    /* At the end of a list the decision is that of a module which had no opinion. */
    if (attempt->run.decider != NULL)
        sg_session_rule(s, &attempt->run.decision);
    sg_session_dry_run(s, &attempt->run);
}

static void
dial_finish(struct sg_dial *dial, const struct sg_dial_result *result)
{
    uint32_t before;

    sg_dial_stop(dial);
    before = sg_worker_enter(dial->inst);
    dial->done(dial->inst, dial->session, result, dial->arg);
    sg_worker_leave(before);
}

static void
dial_failed(struct sg_dial *dial)
{
    const struct sg_dial_result result = { .size = sizeof result, .rep = dial->rep };

    if (dial->told == NULL) {
        sg_session_reason_text(dial->session, dial->why);
    } else {
        dial_record(dial->session, dial->told);
        if (dial->reason == SG_REASON_SPECIAL_RANGE)
            sg_evaluate_special(dial->session, &dial->told->run);
    }
    sg_session_reason(dial->session, dial->reason, dial->err);
    dial_finish(dial, &result);
}

static void attempt_connect_failed(struct dial_attempt *attempt, int err);

static void
dial_won(struct sg_dial *dial, struct dial_attempt *attempt)
{
    struct sg_session *s = dial->session;
    struct sg_dial_result result = { .size = sizeof result, .rep = SG_REP_SUCCEEDED };
    struct sg_conn *conn = sg_conn_new(attempt->conn.fd);
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    if (conn == NULL) {
        attempt_connect_failed(attempt, ENOMEM);
        return;
    }
    ev_io_stop(sg_worker_loop(), &attempt->conn.io);
    attempt->conn.fd = -1;
    s->conn = conn;
    if (getsockname(conn->fd, (struct sockaddr *)&ss, &len) == 0)
        (void)sg_addr_from_sockaddr(&ss, &result.local);
    dial_record(s, attempt);
    result.conn = conn;
    result.remote = attempt->addr;
    dial_finish(dial, &result);
}

/* ---- one attempt */

static void dial_step(struct sg_dial *dial);

static void
dial_note(struct sg_dial *dial, enum dial_rank rank, enum sg_reason reason, int err, uint8_t rep)
{
    if (rank < dial->rank)
        return;
    dial->rank = rank;
    dial->reason = reason;
    dial->err = err;
    dial->rep = rep;
}

static void
attempt_failed(struct dial_attempt *attempt, enum dial_rank rank, const struct sg_refusal *why, int err)
{
    struct sg_dial *dial = attempt->dial;

    if (rank >= dial->rank)
        dial->told = attempt;
    dial_note(dial, rank, why->reason, err, why->rep);
    attempt_stop(attempt);
    dial->n_running--;
    sg_deadline_disarm(&dial->pace);
    dial_step(dial);
}

static void
attempt_connect_failed(struct dial_attempt *attempt, int err)
{
    const struct sg_refusal why = { dial_shortage(err) ? SG_REASON_SHORTAGE : SG_REASON_CONNECT_FAILED,
                                    sg_evaluate_connect(err) };

    attempt_failed(attempt, RANK_TRIED, &why, err);
}

static void
attempt_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct dial_attempt *attempt = io->data;
    int err = 0;
    socklen_t len = sizeof err;

    (void)loop;
    /* An error shows as both: only then it has to be asked for. */
    if ((revents & EV_ERROR) != 0)
        err = ENOMEM; /* it cannot be watched: nobody would tell when it is connected */
    else if ((revents & EV_READ) != 0 && getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
        err = errno;
    if (err == 0)
        dial_won(attempt->dial, attempt);
    else
        attempt_connect_failed(attempt, err);
}

static void
attempt_expired(struct sg_deadline *deadline)
{
    attempt_connect_failed(SG_CONTAINER(deadline, struct dial_attempt, deadline), ETIMEDOUT);
}

/* The configured source address; without IP_BIND_ADDRESS_NO_PORT the ports of one address would run out early. */
static int
attempt_source(struct sg_session *s, int fd, const struct sg_addr *to)
{
    const struct sg_listener_conf *l = s->listener->conf;
    const struct sg_addr *from = to->family == SG_FAMILY_IPV4 ? &l->outgoing4 : &l->outgoing6;
    struct sockaddr_storage ss;
    const int one = 1;

    if (l->outgoing.n == 0)
        return 0;
    if (from->family == SG_FAMILY_NONE) {
        sg_session_reason_text(s, "no outgoing address of that family");
        errno = EAFNOSUPPORT;
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, (const struct sockaddr *)&ss, sg_addr_to_sockaddr(from, &ss));
}

/* Has a SYN left? What fails for want of a route, a port or permission has not got that far. */
static bool
attempt_sent(int err)
{
    return err == EINPROGRESS || err == ECONNREFUSED || err == ECONNRESET || err == ETIMEDOUT;
}

static void
attempt_connect(struct dial_attempt *attempt)
{
    struct sg_session *s = attempt->dial->session;
    struct sg_conn *conn = &attempt->conn;
    const int family = attempt->addr.family == SG_FAMILY_IPV4 ? AF_INET : AF_INET6;
    int err;

    do
        conn->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    while (conn->fd == -1 && sg_pipes_spare(errno));
    if (conn->fd == -1) {
        attempt_connect_failed(attempt, errno);
        return;
    }
    ev_io_init(&conn->io, attempt_ready, conn->fd, EV_READ | EV_WRITE);
    conn->io.data = attempt;
    if (attempt_source(s, conn->fd, &attempt->addr) == -1) {
        attempt_connect_failed(attempt, errno);
        return;
    }
    err = sg_socket_connect(conn->fd, &attempt->addr);
    if (err == 0 || attempt_sent(err))
        sg_record_add_tried(s->rec, &attempt->addr);
    if (err != 0 && err != EINPROGRESS) {
        attempt_connect_failed(attempt, err);
        return;
    }
    if (err == 0) {
        dial_won(attempt->dial, attempt);
        return;
    }
    ev_io_start(sg_worker_loop(), &conn->io);
    sg_deadline_arm(sg_worker_queue(SG_QUEUE_CONNECT), &attempt->deadline);
}

static void
attempt_evaluated(struct sg_run *run, enum sg_outcome outcome)
{
    struct dial_attempt *attempt = SG_CONTAINER(run, struct dial_attempt, run);
    const struct sg_refusal refusal = sg_evaluate_target(attempt->dial->session, run, outcome);

    if (refusal.reason != SG_REASON_NONE)
        attempt_failed(attempt, RANK_REFUSED, &refusal, 0);
    else
        attempt_connect(attempt);
}

static void
attempt_begin(struct sg_dial *dial, const struct sg_addr *addr)
{
    struct sg_session *s = dial->session;
    struct dial_attempt *attempt = dial->n_attempts == 0 ? &dial->first : calloc(1, sizeof *attempt);

    if (attempt == NULL) {
        dial_note(dial, RANK_TRIED, SG_REASON_SHORTAGE, ENOMEM, SG_REP_GENERAL_FAILURE);
        return;
    }
    attempt->dial = dial;
    attempt->addr = *addr;
    attempt->conn.fd = -1;
    attempt->deadline.expired = attempt_expired;
    attempt->next = dial->attempts;
    dial->attempts = attempt;
    dial->n_attempts++;
    dial->n_running++;
    sg_run_start(&attempt->run, s, SG_PHASE_TARGET, s->undecided, &attempt->addr, attempt_evaluated);
}

/* ---- which address is next, and when */

static bool
dial_lookups_open(const struct dial_names *names)
{
    return names != NULL && (names->families[DIAL_IPV6].open || names->families[DIAL_IPV4].open);
}

/* The next address, from the families in turn. False: none waits. */
static bool
dial_next(const struct sg_dial *dial, struct sg_addr *addr_out)
{
    struct dial_names *names = dial->names;

    if (dial->n_attempts >= (names != NULL ? DIAL_ATTEMPTS : 1))
        return false;
    if (names == NULL) {
        *addr_out = dial->session->request->addr;
        return true;
    }
    for (unsigned i = 0; i < DIAL_FAMILIES && names->started; i++) {
        struct dial_family *family = &names->families[(names->turn + i) % DIAL_FAMILIES];

        if (family->next == family->n)
            continue;
        names->turn = (names->turn + i + 1) % DIAL_FAMILIES;
        *addr_out = family->addrs[family->next++];
        return true;
    }
    return false;
}

/* Goes on as far as it can without waiting. An attempt may fail within this very call: then the loop takes the next. */
static void
dial_step(struct sg_dial *dial)
{
    struct sg_addr addr;

    if (dial->stepping || dial->over)
        return;
    dial->stepping = true;
    while (!dial->over && dial->pace.queue == NULL && dial_next(dial, &addr)) {
        if (dial->names != NULL)
            sg_deadline_arm(sg_worker_queue(SG_QUEUE_ATTEMPT_DELAY), &dial->pace);
        attempt_begin(dial, &addr);
    }
    dial->stepping = false;
    if (!dial->over && dial->n_running == 0 && dial->pace.queue == NULL && !dial_lookups_open(dial->names))
        dial_failed(dial);
}

static void
dial_paced(struct sg_deadline *deadline)
{
    struct sg_dial *dial = SG_CONTAINER(deadline, struct sg_dial, pace);

    dial->names->started = true;
    dial_step(dial);
}

/* ---- names */

static bool
dial_knows(const struct dial_names *names, const struct sg_addr *addr)
{
    for (unsigned f = 0; f < DIAL_FAMILIES; f++)
        for (unsigned i = 0; i < names->families[f].n; i++)
            if (sg_addr_same_ip(&names->families[f].addrs[i], addr))
                return true;
    return false;
}

static void
dial_take(struct dial_family *family, const struct sg_found *found)
{
    struct sg_dial *dial = family->dial;
    struct dial_names *names = dial->names;

    family->open = false;
    for (unsigned i = 0; i < found->n; i++) {
        struct sg_addr addr = found->v[i];

        if (dial_knows(names, &addr))
            continue;
        addr.port = dial->session->request->port;
        family->addrs[family->n++] = addr;
    }
    if (found->result == SG_RESOLVED_ADDRS)
        return;
    /* That nobody could say outweighs that one family has nothing. */
    if (found->result == SG_RESOLVED_NONE && names->failed)
        return;
    names->failed = found->result != SG_RESOLVED_NONE;
    dial->why = found->why;
    dial_note(dial, RANK_RESOLVE, found->result == SG_RESOLVED_BUSY ? SG_REASON_SHORTAGE : SG_REASON_RESOLVE_FAILED, 0,
              names->failed ? SG_REP_GENERAL_FAILURE : SG_REP_HOST_UNREACHABLE);
}

/* An answer is here. IPv6 starts at once; IPv4 alone gives the other answer a moment (RFC 8305 section 3). */
static void
dial_answered(struct sg_dial *dial)
{
    struct dial_names *names = dial->names;

    if (!names->started && !names->families[DIAL_IPV6].open)
        names->started = names->families[DIAL_IPV6].n > 0;
    if (!names->started && !dial_lookups_open(names))
        names->started = true;
    if (names->started) {
        if (dial->n_attempts == 0)
            sg_deadline_disarm(&dial->pace);
        dial_step(dial);
    } else if (names->families[DIAL_IPV4].n > 0 && dial->pace.queue == NULL) {
        sg_deadline_arm(sg_worker_queue(SG_QUEUE_RESOLUTION_DELAY), &dial->pace);
    }
}

static void
dial_found(struct sg_lookup *lookup, const struct sg_found *found)
{
    struct dial_family *family = SG_CONTAINER(lookup, struct dial_family, lookup);

    dial_take(family, found);
    dial_answered(family->dial);
}

static void
dial_lookups_expired(struct sg_deadline *deadline)
{
    struct dial_names *names = SG_CONTAINER(deadline, struct dial_names, deadline);
    const struct sg_found late = { .result = SG_RESOLVED_FAILED, .why = "no name server answered in time" };

    for (unsigned i = 0; i < DIAL_FAMILIES; i++)
        if (names->families[i].open) {
            sg_resolve_cancel(&names->families[i].lookup);
            dial_take(&names->families[i], &late);
        }
    dial_answered(names->families[0].dial);
}

static void
dial_look_up(struct sg_dial *dial)
{
    static const uint8_t families[DIAL_FAMILIES] = { [DIAL_IPV6] = SG_FAMILY_IPV6, [DIAL_IPV4] = SG_FAMILY_IPV4 };
    const struct sg_request *req = dial->session->request;
    struct dial_names *names = dial->names;
    const bool ipv6 = req->ver != SG_SOCKS4_VN || dial->session->listener->conf->socks4_ipv6;

    for (unsigned i = 0; i < DIAL_FAMILIES; i++)
        names->families[i].open = i != DIAL_IPV6 || ipv6;
    for (unsigned i = ipv6 ? DIAL_IPV6 : DIAL_IPV4; i < DIAL_FAMILIES; i++) {
        const struct sg_found *found = sg_resolve(&names->families[i].lookup, req->name, req->name_len, families[i]);

        if (found != NULL)
            dial_take(&names->families[i], found);
    }
    if (dial_lookups_open(names))
        sg_deadline_arm(sg_worker_queue(SG_QUEUE_RESOLVE), &names->deadline);
    dial_answered(dial);
}

/* ---- the beginning */

static void
dial_start(struct sg_defer *defer)
{
    struct sg_dial *dial = SG_CONTAINER(defer, struct sg_dial, start);

    if (dial->names != NULL)
        dial_look_up(dial);
    else
        dial_step(dial);
}

static int
dial_names_new(struct sg_dial *dial)
{
    dial->names = calloc(1, sizeof *dial->names);
    if (dial->names == NULL)
        return -1;
    dial->names->deadline.expired = dial_lookups_expired;
    for (unsigned i = 0; i < DIAL_FAMILIES; i++) {
        dial->names->families[i].dial = dial;
        dial->names->families[i].lookup.done = dial_found;
    }
    return 0;
}

int
sg_dial(struct sg_instance *inst, struct sg_session *s,
        void (*done)(struct sg_instance *inst, struct sg_session *s, const struct sg_dial_result *result, void *arg),
        void *arg)
{
    struct sg_dial *dial;

    if (s->state != SG_STATE_COMMAND || s->ending || s->conn != NULL || s->bind != NULL ||
        (s->dial != NULL && !s->dial->over))
        return -1;
    dial = calloc(1, sizeof *dial);
    if (dial == NULL)
        return -1;
    dial->session = s;
    if (s->request->name != NULL && dial_names_new(dial) == -1) {
        free(dial);
        return -1;
    }
    sg_dial_free(s->dial); /* one that has failed */
    dial->inst = inst;
    dial->done = done;
    dial->arg = arg;
    dial->start.run = dial_start;
    dial->pace.expired = dial_paced;
    s->dial = dial;
    sg_worker_defer(&dial->start);
    return 0;
}
