/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.h - what is written down beside the states of sessions. Each goes through the journal of its process; where there
 * is none (-t, explain), nothing happens.
 */
#ifndef SG_EVENTS_H
#define SG_EVENTS_H

#include "load.h"
#include "record.h"

struct sg_session;

/* Worker: a login has ended; `text` says more, NULL: nothing. */
void sg_event_login(const struct sg_session *s, bool ok, const char *text);
/* Worker: a module has broken the rules; `s` may be NULL. */
void sg_event_module(const struct sg_instance *inst, const struct sg_session *s, const char *text);
/*
 * Generation: `load` is in force from now on, and what it consists of; `load` NULL: one that should have followed was
 * refused, and `text` says why.
 */
void sg_event_reload(const struct sg_record_reload *reload, const struct sg_load *load, const char *text);

#endif
