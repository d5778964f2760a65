/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sessions.h - `sockgatectl sessions`: the sessions under way, out of the tables in the runtime directory. Nobody is
 * asked: it works while a worker, the logger or a generation is stopped.
 */
#ifndef SG_SESSIONS_H
#define SG_SESSIONS_H

int sg_sessions_main(int argc, char **argv); /* the exit status */

#endif
