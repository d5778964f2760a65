/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one client connection, as modules see it.
 *
 * A session is opaque, lives in one worker and is used from its loop alone. Every pointer that these functions return
 * is the core's and good until the callback returns, unless stated otherwise.
 */
#ifndef SOCKGATE_SESSION_H
#define SOCKGATE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sockgate/addr.h>
#include <sockgate/socks.h>
#include <sockgate/visibility.h>

struct sg_instance;
struct sg_session;
struct sg_pending;

/*
 * What a module says. The number 0 is ERROR, so that a zeroed answer never grants. What each verdict means in each
 * phase is in the manual and in one table of the core.
 */
enum sg_verdict {
    SG_ERROR = 0,     /* I could not find out; never grants */
    SG_OK = 1,        /* yes */
    SG_DECLINED = 2,  /* no opinion: ask the next */
    SG_UNDECIDED = 3, /* request: I need the address; exchange: I need more messages */
    SG_DENY = 4,      /* no */
    SG_AGAIN = 5      /* later: I hold a handle from sg_pending_new() */
};

/* How well an identity is proven. Rules and limits may ask for a least level. Gaps leave room. */
enum sg_assurance {
    SG_ASSURANCE_NONE = 0,
    SG_ASSURANCE_ASSERTED = 10, /* somebody says so: ident, a SOCKS4 USERID that was confirmed */
    SG_ASSURANCE_PASSWORD = 20,
    SG_ASSURANCE_KERBEROS = 30
};

/* Who the client is, once AUTH is over. Before that all is empty. */
struct sg_identity {
    size_t size;               /* sizeof(struct sg_identity) in the core */
    const char *name;          /* octets, not NUL-terminated; never NULL */
    size_t name_len;           /* 0-255 */
    uint8_t method;            /* enum sg_method */
    uint8_t assurance;         /* enum sg_assurance */
    uint16_t n_groups;         /* number of groups */
    const char *const *groups; /* NUL-terminated names */
    const char *instance;      /* the auth instance that vouched for it, "" before AUTH is over */
};

/*
 * What the client asks for (RFC 1928 section 4). With UDP ASSOCIATE modules are asked several times: first about the
 * association, when nobody knows yet where datagrams will go (no address, no name, port 0: who would have to know answers
 * UNDECIDED), then about the destination of each datagram, by the address or name in the datagram.
 */
struct sg_request {
    size_t size;         /* sizeof(struct sg_request) in the core */
    uint8_t ver;         /* 5, or 4 for SOCKS4 */
    uint8_t cmd;         /* enum sg_cmd */
    uint8_t atyp;        /* as sent, enum sg_atyp; of SOCKS4 the one that says the same */
    uint8_t pad;         /* 0 */
    uint16_t port;       /* DST.PORT, host order */
    struct sg_addr addr; /* DST.ADDR, canonical, with the port; family NONE if a name was sent */
    const char *name; /* DST.ADDR as a name: checked octets, no trailing dot, not NUL-terminated; NULL if an address */
    size_t name_len;  /* 1-253 */
    struct sg_addr source; /* UDP ASSOCIATE: where the client says that it will send from; what it left open is 0 */
};

/*
 * The session's id: 32 hexadecimal digits, unique over all gateways and restarts; NUL-terminated.
 * Owner:  the core; good as long as the session.
 * Blocks: never.
 * Errors: "" if memory is short.
 * RFC:    none.
 */
SG_API const char *sg_session_id(const struct sg_session *s);

/*
 * The client's address and port.
 * Owner:  the core; good as long as the session.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API const struct sg_addr *sg_session_client(const struct sg_session *s);

/*
 * The address and port that the client reached us on.
 * Owner:  the core; good as long as the session.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API const struct sg_addr *sg_session_local(const struct sg_session *s);

/*
 * The name of the listener.
 * Owner:  the core; good as long as the process.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API const char *sg_session_listener(const struct sg_session *s);

/*
 * Who the client is.
 * Owner:  the core; good as long as the session.
 * Blocks: never.
 * Errors: none; empty before AUTH is over.
 * RFC:    none.
 */
SG_API const struct sg_identity *sg_session_identity(const struct sg_session *s);

/*
 * What the client asked for; NULL before REQUEST is over.
 * Owner:  the core; good as long as the session.
 * Blocks: never.
 * Errors: none.
 * RFC:    1928 section 4.
 */
SG_API const struct sg_request *sg_session_request(const struct sg_session *s);

/*
 * The module's own `session_size` octets for this session, zeroed at the first call. The module's session_end() is
 * called once for every session that has a slot.
 * Owner:  the core owns the slot, the module what it puts there.
 * Blocks: never.
 * Errors: NULL without memory, or if session_size is 0.
 * RFC:    none.
 */
SG_API void *sg_session_slot(struct sg_instance *inst, struct sg_session *s) SG_CHECK;

/*
 * Sets what the session is doing, for the error log ("while ..."): a constant string of the module, NULL to clear.
 * Owner:  caller keeps @text, which must live as long as the process.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_session_doing(struct sg_session *s, const char *text);

/*
 * Makes the handle for an answer that comes later; the callback then returns SG_AGAIN. The handle ends with exactly one
 * sg_pending_resolve(), or with the core's call of the module's cancel(), after which it is dead. The deadline of the
 * phase keeps running; a session that ends cancels its handles.
 * Owner:  the core owns the handle.
 * Blocks: never.
 * Errors: NULL without memory, or outside a callback that may return SG_AGAIN: return SG_ERROR then.
 * RFC:    none.
 */
SG_API struct sg_pending *sg_pending_new(struct sg_instance *inst, struct sg_session *s) SG_CHECK;

/*
 * Ends a handle with the verdict that the callback could not give. The session goes on later in the same turn of the
 * loop, never inside this call. SG_AGAIN is not an answer and counts as SG_ERROR.
 * Owner:  the handle is dead afterwards.
 * Blocks: never.
 * Errors: none; a handle that is dead already is a mistake of the module, which is logged where it can be seen.
 * RFC:    none.
 */
SG_API void sg_pending_resolve(struct sg_pending *pending, enum sg_verdict verdict);

#endif
