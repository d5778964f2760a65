/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial.h - one outgoing connection: the lookups, the access modules about each address, the guard, the race.
 *
 *   sg_dial() --> AAAA --+--> addresses, families in turn --> attempt --> target phase --> guard --> connect() --+
 *            \--> A -----+        250 ms after the last, or    ^             |               |          |        |
 *                                 at once when one fails       +-------------+------ failed--+----------+        |
 *                                                                       none left: done(REP)                     |
 *                                                                       first: done(SUCCEEDED) <-----------------+
 *
 * What was evaluated is what is dialled: there is no second lookup, and no attempt without a verdict of its own.
 */
#ifndef SG_DIAL_H
#define SG_DIAL_H

#include "session.h"

/* Stops everything; done() will not be called any more. NULL is ignored. */
void sg_dial_stop(struct sg_dial *dial);
void sg_dial_free(struct sg_dial *dial);

#endif
