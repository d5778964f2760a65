/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.h - the configuration as a whole, after it was read and checked.
 */
#ifndef SG_CONF_H
#define SG_CONF_H

#include <libconfig.h>
#include <stdbool.h>

#include <sockgate/conf.h>

#include "arena.h"
#include "conf_text.h"
#include "diag.h"

struct sg_timeouts_conf { /* milliseconds */
    struct sg_where where;
    int64_t handshake;    /* all the time the gateway waits for the client before the request is complete */
    int64_t setup_max;    /* from accept to the first reply */
    int64_t resolve;      /* all the lookups of one connection */
    int64_t connect;      /* one connection attempt to a target */
    int64_t idle;         /* no octet in either direction */
    int64_t half_closed;  /* one direction has ended and the other is silent */
    int64_t linger;       /* a failure reply waits for the client to read it and close, < 10 s */
    int64_t max_session;  /* 0: unlimited */
    int64_t drain;        /* a draining generation ends after this */
    int64_t load;         /* a generation that is not ready by then has failed */
    int64_t keepalive;    /* TCP keepalive idle time, both sides; 0: off */
    int64_t user_timeout; /* TCP_USER_TIMEOUT, both sides; 0: the system's */
};

struct sg_limits_conf {
    struct sg_where where;
    int64_t sessions; /* in all workers together */
};

struct sg_logins_conf {
    struct sg_where where;
    bool throttle;           /* guessing is slowed down (login_throttle.h) */
    int64_t delay;           /* milliseconds: after the first failure; doubled with each further one */
    int64_t max_delay;       /* but never longer */
    struct sg_ranges exempt; /* clients that are not slowed down */
    int64_t cache_entries;   /* in each worker: logins that are remembered, 0: none; */
    int64_t cache_size;      /* octets for all of them */
};

struct sg_resolver_conf { /* durations in milliseconds */
    struct sg_where where;
    struct sg_strings servers; /* "192.0.2.53", "192.0.2.53:5353", "[::1]:53"; empty: those of the system */
    const char *servers_csv;   /* the same, as c-ares takes it; NULL: those of the system */
    int64_t timeout;           /* of the first try; c-ares doubles it with every round through the servers */
    int64_t tries;             /* how often each server is asked */
    const char *hosts;         /* absolute path; "" for none */
    int64_t cache_entries;     /* in each worker: (name, type) pairs, those that are being asked included */
    int64_t max_ttl;           /* a longer TTL counts as this one */
    int64_t negative_ttl;      /* for how long it is remembered that there is no such name or address */
    int64_t failure_ttl;       /* and that no server could say */
};

struct sg_error_log_conf {
    struct sg_where where;
    const char *target; /* "stderr", or an absolute path */
    int64_t level;      /* enum sg_log_level */
};

/* For who looks for a fault: how plain octets are relayed. */
enum sg_relay_path {
    SG_RELAY_AUTO,  /* messages are copied, streams spliced */
    SG_RELAY_COPY,  /* nothing is spliced */
    SG_RELAY_SPLICE /* whatever can be is spliced */
};

struct sg_core_conf {
    struct sg_where where;
    const char *log_user; /* of the logger, when started as root; NULL: `user` */
    const char *user;     /* of the workers, when started as root; NULL: not given and not root */
    int64_t workers;      /* 0: as many as processors */
    const char *module_dir;
    const char *runtime_dir; /* pid file, status file; made if missing */
    const char *pid_file;    /* default: runtime_dir/sockgate.pid */
    bool strict;             /* refuse RSV other than 0 */
    int64_t relay_path;      /* enum sg_relay_path */
    struct sg_error_log_conf error_log;
    struct sg_timeouts_conf timeouts;
    struct sg_limits_conf limits;
    struct sg_logins_conf logins;
    struct sg_resolver_conf resolver;
};

/* What happens when a log cannot be written. */
enum sg_log_on_error {
    SG_LOG_REFUSE, /* no session begins until it can be again */
    SG_LOG_DROP    /* events are given up and counted */
};

struct sg_helper_conf { /* of an instance whose check() or work() may block */
    struct sg_where where;
    int64_t processes;
    const char *user;     /* NULL: that of the workers */
    int64_t max_queue;    /* jobs that may wait */
    int64_t timeout;      /* milliseconds, waiting included */
    int64_t max_requests; /* a helper ends after so many, and is replaced; 0: never */
};

#define SG_CACHE_AUTO (-1) /* a minute, if it checks passwords in helpers */

struct sg_module_conf { /* one of `modules` */
    struct sg_where where;
    const char *name;
    const char *file;         /* relative to module_dir, or absolute */
    struct sg_ranges clients; /* auth: only for these clients; empty: all */
    bool empty_password;      /* auth: it is asked about logins without a password too */
    int64_t cache;            /* auth: milliseconds that its successes are remembered; SG_CACHE_AUTO */
    struct sg_helper_conf helper;
    bool required;    /* log: no session without it */
    int64_t on_error; /* log: enum sg_log_on_error */
    config_setting_t *settings;
};

struct sg_command_hooks_conf {
    struct sg_where where;
    const char *connect, *bind, *udp_associate; /* instance names, NULL: not offered */
};

struct sg_hooks_conf {
    struct sg_where where;
    struct sg_strings auth, access; /* instance names in order; empty: not given (an empty list is an error) */
    struct sg_strings log;          /* likewise; in the general table alone. Empty: the error log has the records */
    struct sg_command_hooks_conf command; /* where.line 0: not given */
};

enum sg_protocol_bit { SG_PROTOCOL_SOCKS5 = 1 << 0, SG_PROTOCOL_SOCKS4 = 1 << 1 };

struct sg_listener_conf {
    struct sg_where where;
    const char *name;
    struct sg_addr address;   /* with the port */
    int64_t port;             /* 0: any free one */
    int64_t protocols;        /* bits of enum sg_protocol_bit */
    struct sg_ranges clients; /* empty: all */
    struct sg_hooks_conf hooks;
    struct sg_addr advertise; /* told to clients as BND.ADDR instead of a real one of its family; NONE: the real one */
    struct sg_strings outgoing; /* source addresses of outgoing connections, at most one per family */
    struct sg_addr outgoing4, outgoing6;
    bool socks4_ipv6; /* CONNECT of SOCKS4a may reach IPv6: its reply cannot tell the address */
    bool open_proxy;
};

struct sg_policy_conf { /* one of `tests`: a question to the policy, and its answer */
    struct sg_where where;
    const char *client, *listener, *user, *method, *assurance, *command,
        *to; /* as question.h takes them; NULL: its default */
    struct sg_strings group, resolves;
    int64_t expect;   /* enum sg_reply_kind */
    const char *rule; /* the label that decides; NULL: any */
};

struct sg_conf {
    struct sg_core_conf core;
    struct sg_groups modules; /* struct sg_module_conf */
    struct sg_hooks_conf hooks;
    struct sg_groups listeners; /* struct sg_listener_conf */
    struct sg_groups tests;     /* struct sg_policy_conf */
    struct sg_conf_text *text;
    struct sg_arena *arena;
    config_t tree; /* kept: module settings are read from it */
};

/* What the policy answers: no, yes, or that it depends on the addresses of a name. */
enum sg_reply_kind { SG_REPLY_DENY, SG_REPLY_ALLOW, SG_REPLY_LOOKUP };

/* The table of the whole configuration; `help` of every key is there for manuals. */
extern const struct sg_conf_item sg_conf_items[];
extern const struct sg_conf_item sg_helper_conf_items[]; /* of `helper` of an instance */

static inline const struct sg_module_conf *
sg_conf_module(const struct sg_conf *conf, size_t i)
{
    return &((const struct sg_module_conf *)conf->modules.v)[i];
}

static inline const struct sg_listener_conf *
sg_conf_listener(const struct sg_conf *conf, size_t i)
{
    return &((const struct sg_listener_conf *)conf->listeners.v)[i];
}

/*
 * Reads and checks all that can be checked without modules. Takes `text` over. The caller looks at sg_diag_errors(); what
 * cannot even be parsed has no listeners.
 */
struct sg_conf *sg_conf_read(struct sg_conf_text *text, struct sg_diag *diag);
void sg_conf_free(struct sg_conf *conf);
/* Where the key at "core.user" or "listeners.[0].port" stands, `otherwise` if it was not given. */
struct sg_where sg_conf_key_where(const struct sg_conf *conf, const char *path, const struct sg_where *otherwise);
/* The embedded default configuration, as text that -T could have printed. Leaves [::1] out where there is no IPv6. */
struct sg_conf_text *sg_conf_default(struct sg_diag *diag);
/* -T: the effective configuration; instances print their own settings through `settings(out, module_conf, indent)`. */
void sg_conf_print(FILE *out, const struct sg_conf *conf,
                   void (*settings)(FILE *out, const void *module_conf, int indent, void *arg), void *arg);

#endif
