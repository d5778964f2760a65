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
    SG_MSG_LISTENER = 1, /* one bound socket of the master: KEY, fd. Before START */
    SG_MSG_START = 2,    /* load, check, start workers, answer READY or FAILED */
    SG_MSG_GO = 3,       /* you are current: accept */
    SG_MSG_DRAIN = 4,    /* stop accepting, answer DRAINING, let sessions end until the deadline */
    SG_MSG_STOP = 5,     /* end every session with its record, exit */
    SG_MSG_REOPEN = 6,   /* open log files anew; to a worker with the descriptor */
    /* generation to master */
    SG_MSG_BOUND = 20,    /* one socket that the configuration needs: KEY, fd if the master does not have it. Before READY */
    SG_MSG_READY = 21,    /* PID_FILE, RUNTIME_DIR, the log descriptor, the configuration's bytes (memfd) */
    SG_MSG_FAILED = 22,   /* TEXT */
    SG_MSG_DRAINING = 23, /* nobody of mine accepts any more */
    SG_MSG_RENEW = 24,    /* too many crashes: replace me by a fresh generation */
    /* worker to generation */
    SG_MSG_WORKER_READY = 40,
    SG_MSG_WORKER_FAILED = 41, /* TEXT */
    SG_MSG_WORKER_DRAINING = 42
};

struct sg_msg {
    uint16_t type;
    size_t len; /* of the fields in `data` */
    uint8_t data[SG_MSG_MAX];
    unsigned n_fds;
    int fds[SG_MSG_FDS];
};

struct sg_msg_field {
    uint16_t tag;
    uint16_t pad;
    uint32_t len;
    const uint8_t *data;
};

void sg_msg_begin(struct sg_msg *msg, enum sg_msg_type type);
/* These remember an overflow; sg_msg_send() then fails with EMSGSIZE. */
void sg_msg_put(struct sg_msg *msg, uint16_t tag, const void *data, size_t len);
void sg_msg_put_str(struct sg_msg *msg, uint16_t tag, const char *s);
void sg_msg_put_u64(struct sg_msg *msg, uint16_t tag, uint64_t value);
void sg_msg_put_fd(struct sg_msg *msg, int fd); /* borrowed; sent as a copy */
/* 0, or -1 and errno. Waits while the other side's queue is full, at most 5 s: processes of ours always read. */
int sg_msg_send(int channel, const struct sg_msg *msg);
/* 1: a message, its descriptors (close-on-exec) are the caller's; 0: the other side is gone; -1: none now, or errno. */
int sg_msg_recv(int channel, struct sg_msg *msg);
/* Walks the fields: start with *at = 0; false at the end or on a malformed rest. */
bool sg_msg_next(const struct sg_msg *msg, size_t *at, struct sg_msg_field *field_out);
/* The last field with this tag as text (NUL-terminated copy in `text`) or number; false if there is none. */
bool sg_msg_get_str(const struct sg_msg *msg, uint16_t tag, char *text, size_t size);
bool sg_msg_get_u64(const struct sg_msg *msg, uint16_t tag, uint64_t *value_out);
void sg_msg_close_fds(struct sg_msg *msg); /* those that nobody took */

#endif
