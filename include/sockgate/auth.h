/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth.h - the role `auth`: who is the client?
 *
 * Two forms. check: the core has read the credentials and asks one plain question; several instances may share a METHOD
 * and are asked in the order of the hook table until one does not decline. exchange: the module owns a METHOD and speaks
 * its own messages with the client, in the worker, without blocking; it may install a filter.
 */
#ifndef SOCKGATE_AUTH_H
#define SOCKGATE_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>
#include <sockgate/buf.h>
#include <sockgate/session.h>
#include <sockgate/socks.h>
#include <sockgate/visibility.h>

struct sg_instance;
struct sg_session;
struct sg_answer;

/* What the client has shown. */
enum sg_creds_kind {
    SG_CREDS_NONE = 1,     /* METHOD X'00': nothing */
    SG_CREDS_PASSWORD = 2, /* METHOD X'02': name and secret (RFC 1929) */
    SG_CREDS_USERID = 3    /* SOCKS4, which asks the instances of METHOD 00: a name that is only claimed */
};

/* The credentials of one login. Everything is good until check() returns; never keep a pointer into it. */
struct sg_creds {
    size_t size; /* sizeof(struct sg_creds) in the core */
    enum sg_creds_kind kind;
    const char *name;      /* octets, not NUL-terminated, no NUL inside; never NULL */
    size_t name_len;       /* 0-255, of a USERID at most 64 */
    const char *secret;    /* likewise; wiped by the core after the call */
    size_t secret_len;     /* 0-255 */
    struct sg_addr client; /* the client's address and port */
    struct sg_addr local;  /* the address that the client reached */
    const char *listener;  /* NUL-terminated */
};

/* The functions of the role. Exactly one of check and exchange is given. */
struct sg_auth_ops {
    size_t size;       /* sizeof(struct sg_auth_ops) */
    uint8_t method;    /* enum sg_method: the METHOD that this module serves */
    uint8_t assurance; /* enum sg_assurance: the least that an SG_OK of this module proves */
    bool in_worker;    /* check never blocks: the core calls it in the worker instead of a helper */

    /* OK: known, and @answer says who. DECLINED: not my user, ask the next. DENY: refused. ERROR: logged, then as DENY.
     * Runs in a helper process and may block, unless in_worker. */
    enum sg_verdict (*check)(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer);

    /* Called once when the METHOD is chosen (with what the client sent early, maybe nothing), then whenever octets
     * arrive, and at once again when it has consumed a message and more octets wait. Consumes whole messages from @in,
     * appends replies to @out. UNDECIDED: not finished. OK: finished, and @answer says who. DENY, ERROR: @out is sent,
     * then the session is closed. AGAIN: with a handle; @answer stays good until it ends. Never blocks. */
    enum sg_verdict (*exchange)(struct sg_instance *inst, struct sg_session *s, struct sg_buf *in, struct sg_buf *out,
                                struct sg_answer *answer);
    size_t max_message; /* exchange: the longest message of the client, which bounds @in; 1-131072 */
    bool stub; /* the METHOD cannot be served yet: the configuration may name the module, but it is never chosen */
};

/*
 * Sets the name of the identity, as octets.
 * Owner:  caller keeps @name.
 * Blocks: never.
 * Errors: -1 if it is longer than 255 octets or holds a NUL: the login fails.
 * RFC:    none.
 */
SG_API int sg_answer_name(struct sg_answer *answer, const char *name, size_t len) SG_CHECK;

/*
 * Adds a group to the identity.
 * Owner:  caller keeps @group.
 * Blocks: never.
 * Errors: -1 if the answer as a whole no longer fits (64 KiB): the login fails, nothing is cut.
 * RFC:    none.
 */
SG_API int sg_answer_group(struct sg_answer *answer, const char *group) SG_CHECK;

/*
 * Raises the assurance above what the module declares, or lowers it for this login.
 * Owner:  none.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_answer_assurance(struct sg_answer *answer, uint8_t assurance);

/*
 * Says why, in a few words for the log: "account expired". Never a secret.
 * Owner:  caller keeps @reason.
 * Blocks: never.
 * Errors: none; over 127 octets it is cut.
 * RFC:    none.
 */
SG_API void sg_answer_reason(struct sg_answer *answer, const char *reason);

/*
 * Asks that a refusal be held back for @ms milliseconds. The core does that with a timer: check() never sleeps, and its
 * process is free for the next login meanwhile. Of several calls the longest counts; a login that succeeds is not delayed.
 * Owner:  none.
 * Blocks: never.
 * Errors: none; more than 15 s count as 15 s.
 * RFC:    none.
 */
SG_API void sg_answer_delay(struct sg_answer *answer, int64_t ms);

/*
 * Says what a SOCKS4 client is told if the login fails: SG_CD_NO_IDENTD or SG_CD_IDENT_DIFFERS instead of SG_CD_REJECTED.
 * Other protocols have no word for that. Of a module that answers DECLINED nobody is told anything.
 * Owner:  none.
 * Blocks: never.
 * Errors: none; any other CD counts as SG_CD_REJECTED.
 * RFC:    the SOCKS4 memo.
 */
SG_API void sg_answer_cd(struct sg_answer *answer, enum sg_cd cd);

/*
 * Says that users of the instance may have changed: logins that succeeded before are forgotten by all workers, and those
 * under way are not remembered. For a check() that sees that its file has another content.
 * Owner:  none.
 * Blocks: never.
 * Errors: none. Before start() there is nothing to forget.
 * RFC:    none.
 */
SG_API void sg_auth_changed(struct sg_instance *inst);

/*
 * In init(): has the core look at the state of a file (device, inode, size, times) whenever something happens in its
 * folder, and once a second in any case, and do what sg_auth_changed() does when it is another. For a module whose users stand in a file: while all who come are remembered,
 * no check() would see that it has changed. The file is not read, and need not be there.
 * Owner:  caller keeps @path, absolute.
 * Blocks: never.
 * Errors: -1: no memory, or the path is not absolute.
 * RFC:    none.
 */
SG_API int sg_auth_watch(struct sg_instance *inst, const char *path) SG_CHECK;

#endif
