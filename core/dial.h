/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial.h - one outgoing connection: the addresses, the access modules about each, the guard, the attempts.
 *
 *   sg_dial() --> [candidates] --> target phase --> special-range guard --> connect() --> done(SUCCEEDED)
 *                      ^                |                  |                   |
 *                      +---- next ------+------------------+-------------------+--- none left --> done(REP of the last)
 */
#ifndef SG_DIAL_H
#define SG_DIAL_H

#include "session.h"

/* Stops everything; done() will not be called any more. NULL is ignored. */
void sg_dial_stop(struct sg_dial *dial);
void sg_dial_free(struct sg_dial *dial);
/* What a failed connect() is told as. */
uint8_t sg_dial_rep(int err);

#endif
