/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_watch.h - files in which users stand (sg_auth_watch()): the generation looks at them.
 */
#ifndef SG_LOGIN_WATCH_H
#define SG_LOGIN_WATCH_H

#include <sockgate/auth.h>

/* Is one of them not what it was at the last look? May block. */
bool sg_login_watch_look(void);
/* Readable when it is time for a look before the next second; -1: nobody will say so. */
int sg_login_watch_fd(void);
void sg_login_watch_free(void);

#endif
