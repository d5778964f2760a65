/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ident.h - the reply of RFC 1413, octets in, meaning out; no input or output.
 */
#ifndef IDENT_H
#define IDENT_H

#include <stdint.h>
#include <sys/types.h>

#define IDENT_LINE_MAX 1000 /* section 6: more without an end of line, and the connection may be aborted */

enum ident_kind {
    IDENT_USER = 1,  /* `user` on `system` */
    IDENT_ERROR = 2, /* `error` */
    IDENT_OTHER = 3  /* USERID with the system type OTHER: `user` is some text, and no login name */
};

/* What was said. The pointers lead into the octets that were read; nothing is NUL-terminated. */
struct ident_reply {
    enum ident_kind kind;
    uint16_t client_port, our_port;
    const char *system; /* USER, OTHER: with the charset, if there is one: "UNIX", "UNIX,US-ASCII" */
    size_t system_len;
    const char *user; /* all octets behind the last colon, blanks too */
    size_t user_len;  /* 1-IDENT_LINE_MAX */
    const char *error;
    size_t error_len;
};

/*
 * Reads a line of a reply. The number of octets that were consumed; 0: more are needed; -1: that is no reply, or its line is
 * too long.
 */
ssize_t ident_parse(const char *octets, size_t len, struct ident_reply *reply);

#endif
