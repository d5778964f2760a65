/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generation.h - one configuration with its modules: loads and checks, starts the workers, restarts what dies.
 */
#ifndef SG_GENERATION_H
#define SG_GENERATION_H

/* The process behind `sockgate --generation FD`; `channel` is the one to the master. The exit status. */
int sg_generation_main(int channel);

/* -t and -T: load and check `path` (NULL: the embedded default) in this process, start nothing. The exit status. */
int sg_generation_test(const char *path, int print, int quiet);

#endif
