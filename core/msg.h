/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg.h - messages between our own processes, over SEQPACKET socket pairs; also the form of the master's saved state.
 *
 * A message is a type and a list of fields (tag, length, octets), with descriptors beside it. Who does not know a type
 * or a tag skips it, so that a master and a generation of different versions understand each other. The pair is the
 * leash too: end of file means that the other side is gone.
 */
#ifndef SG_MSG_H
#define SG_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SG_MSG_MAX 65536
#define SG_MSG_FDS 8

/* Numbers are for ever: never reuse one. */
enum sg_msg_type {
    /* master to generation */
    SG_MSG_LISTENER = 1, /* one bound socket of the master: KEY, FD. Before START */
    SG_MSG_START = 2,    /* load, check, start workers, answer READY or FAILED */
    SG_MSG_GO = 3,       /* you are current: accept. PURPOSE, WHO_PID, WHO_UID */
    SG_MSG_DRAIN = 4,    /* stop accepting, answer DRAINING, let sessions end until the deadline */
    SG_MSG_STOP = 5,     /* end every session with its record, exit */
    SG_MSG_REOPEN = 6,   /* open log files anew; to a worker with LOG_FD */
    SG_MSG_TABLE = 8,    /* generation to logger: a session table: KEY, FD, ACKS_FD */
    SG_MSG_IMAGE = 7,    /* generation to worker: a new block: IMAGE, FD */
    SG_MSG_REFUSED = 9,  /* what should have replaced you did not: PURPOSE, NUMBER, WHO_PID, WHO_UID, TEXT */
    /* generation to master */
    SG_MSG_BOUND = 20,    /* one socket that the configuration needs: KEY, NAME, FD if it is new. Before READY */
    SG_MSG_READY = 21,    /* PID_FILE, RUNTIME_DIR, WORKERS, LOG_FD, LOG_LEVEL, TEXT_FD */
    SG_MSG_FAILED = 22,   /* TEXT */
    SG_MSG_DRAINING = 23, /* nobody of mine accepts any more */
    SG_MSG_RENEW = 24,    /* too many crashes: replace me by a fresh generation */
    SG_MSG_REOPENED = 25, /* LOG_FD */
    SG_MSG_LOADING = 26,  /* about to run code that may block: NAME of its instance, "" for none; LIMIT */
    /* worker to generation */
    SG_MSG_WORKER_READY = 40,
    SG_MSG_WORKER_FAILED = 41, /* TEXT */
    SG_MSG_WORKER_DRAINING = 42,
    SG_MSG_TABLE_DONE = 43, /* logger: every log has all of it: KEY */
    SG_MSG_LOG_FILE = 44,   /* logger: what a log writes to: NAME, FD */
    SG_MSG_IMAGE_LOST = 46, /* worker or helper: a block did not arrive, or could not be mapped: send all again */
    SG_MSG_ACCUSE = 45,     /* a helper breaks the rules: NAME of its instance, PID, TEXT */
    /* only in the saved state of a master (master_state.c) */
    SG_MSG_STATE_MASTER = 60,
    SG_MSG_STATE_LISTENER = 61,
    SG_MSG_STATE_GENERATION = 62,
    SG_MSG_STATE_BOUND = 63, /* a socket of the generation before it */
    /* worker to helper, and back over the channel that came with the job (job_wire.h) */
    SG_MSG_JOB = 80,       /* FD, then WORK, or CREDS and the rest */
    SG_MSG_JOB_TAKEN = 81, /* PID */
    SG_MSG_JOB_ANSWER = 82
};

/* What a field means. One list for all messages; these numbers too are for ever. */
enum sg_msg_tag {
    SG_TAG_TEXT = 1,       /* why something failed, for people; several lines */
    SG_TAG_KEY = 2,        /* of a listening socket, see sockets.h */
    SG_TAG_NAME = 3,       /* of a listener */
    SG_TAG_FD = 4,         /* the descriptor that the message is about */
    SG_TAG_LOG_FD = 5,     /* the error log */
    SG_TAG_LOG_LEVEL = 6,  /* enum sg_log_level */
    SG_TAG_TEXT_FD = 7,    /* a configuration's bytes (sg_conf_text_save) */
    SG_TAG_IDS_FD = 8,     /* the page of struct sg_ids */
    SG_TAG_NUMBER = 9,     /* of a generation */
    SG_TAG_CONF_PATH = 10, /* absent: the embedded default */
    SG_TAG_PID_FILE = 11,
    SG_TAG_RUNTIME_DIR = 12,
    SG_TAG_WORKERS = 13,
    SG_TAG_STATE_VERSION = 14, /* of the state that an upgrading master will write */
    SG_TAG_FIRST = 15,         /* nothing has run before: messages in plain style */
    SG_TAG_PID = 16,
    SG_TAG_STATE = 17, /* enum sg_gen_state */
    SG_TAG_PID_FD = 18,
    SG_TAG_BINARY = 19,
    SG_TAG_ACCEPTING = 20,
    SG_TAG_PURPOSE = 21, /* enum sg_purpose */
    SG_TAG_BEGAN = 22,   /* monotonic milliseconds */
    SG_TAG_WHO_PID = 23,
    SG_TAG_WHO_UID = 24,
    SG_TAG_RELOAD_WANTED = 25,
    SG_TAG_RESTART_WANTED = 26,
    SG_TAG_QUITTING = 27,
    SG_TAG_IMAGE = 28, /* number of an image */
    SG_TAG_ACKS_FD = 29,
    SG_TAG_SUCCESSOR = 30, /* with DRAIN: another generation goes on, its logger too */
    SG_TAG_LOGINS_FD = 31, /* the table of login_throttle.h */
    SG_TAG_LIMIT = 32,     /* of a load, milliseconds */
    SG_TAG_CREDS = 40,     /* enum sg_creds_kind */
    SG_TAG_USER = 41,      /* octets, without a NUL */
    SG_TAG_SECRET = 42,
    SG_TAG_CLIENT = 43, /* struct sg_addr */
    SG_TAG_LOCAL = 44,
    SG_TAG_LISTENER = 45, /* its name with a NUL */
    SG_TAG_WORK = 46,     /* octets of a module */
    SG_TAG_VERDICT = 47,
    SG_TAG_ASSURANCE = 48,
    SG_TAG_GROUP = 49, /* of an identity; as often as there are groups */
    SG_TAG_REASON = 50,
    SG_TAG_DELAY = 51, /* milliseconds */
    SG_TAG_CD = 52     /* of a SOCKS4 reply */
};

struct sg_msg {
    uint16_t type;
    bool overflow;
    size_t len; /* of the fields in `data` */
    uint8_t data[SG_MSG_MAX];
    unsigned n_fds;
    int fds[SG_MSG_FDS]; /* -1: taken */
};

struct sg_msg_field {
    uint16_t tag;
    uint32_t len;
    const uint8_t *data;
};

void sg_msg_begin(struct sg_msg *msg, enum sg_msg_type type);
/* These remember an overflow; sg_msg_send() then fails with EMSGSIZE. */
void sg_msg_put(struct sg_msg *msg, uint16_t tag, const void *data, size_t len);
void sg_msg_put_str(struct sg_msg *msg, uint16_t tag, const char *s);
void sg_msg_put_u64(struct sg_msg *msg, uint16_t tag, uint64_t value);
void sg_msg_put_fd(struct sg_msg *msg, uint16_t tag, int fd); /* borrowed; sent as a copy */
/* 0, or -1 and errno. Waits while the other side's queue is full, at most 5 s: processes of ours always read. */
int sg_msg_send(int channel, const struct sg_msg *msg);
int sg_msg_offer(int channel, const struct sg_msg *msg); /* the same without waiting: EAGAIN */
/* 1: a message, its descriptors (close-on-exec) are the caller's; 0: the other side is gone; -1: none now, or errno. */
int sg_msg_recv(int channel, struct sg_msg *msg);
/* Walks the fields: start with *at = 0; false at the end or on a malformed rest. */
bool sg_msg_next(const struct sg_msg *msg, size_t *at, struct sg_msg_field *field_out);
/* The last field with this tag as text (a NUL-terminated copy, cut to `size`) or number; false if there is none. */
bool sg_msg_get_str(const struct sg_msg *msg, uint16_t tag, char *text, size_t size);
bool sg_msg_get_u64(const struct sg_msg *msg, uint16_t tag, uint64_t *value_out);
/* The descriptor with this tag, which is the caller's from now on; -1: none. */
int sg_msg_take_fd(struct sg_msg *msg, uint16_t tag);
void sg_msg_close_fds(struct sg_msg *msg); /* those that nobody took */

/* The same bytes in a file, one message behind the other, without descriptors. 0 or -1; sg_msg_read() 0 at the end. */
int sg_msg_write(int fd, const struct sg_msg *msg);
int sg_msg_read(int fd, struct sg_msg *msg);

#endif
