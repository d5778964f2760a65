/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passwd.h - `sockgatectl passwd`: who stands in a password file of auth_file.
 */
#ifndef SG_PASSWD_H
#define SG_PASSWD_H

#include <stdbool.h>
#include <stddef.h>

#define SG_PASSWD_SECRET_MAX 255 /* RFC 1929: PASSWD */

/* What is to be done to a file. */
struct sg_passwd_change {
    const char *path, *user;
    const char *hash;   /* NULL: the user's line is taken out */
    const char *groups; /* "a,b"; "": none; NULL: as they were */
};

int sg_passwd_main(int argc, char **argv); /* the exit status */

/* Makes the change; what is wrong has been told on standard error. */
int sg_passwd_apply(const struct sg_passwd_change *change);

/*
 * A password from the terminal, without an echo, or a line of standard input, NUL-terminated; or has been told. `fresh`: it
 * is to be one from now on, and is asked for twice.
 */
int sg_passwd_ask(const char *user, bool fresh, char secret[SG_PASSWD_SECRET_MAX + 2]);

#endif
