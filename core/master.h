/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * master.h - the process that stays. Parses no configuration, loads no module, has no event loop.
 */
#ifndef SG_MASTER_H
#define SG_MASTER_H

/* Runs until it is told to stop; the exit status. `conf_path` absolute, or NULL: the embedded default. */
int sg_master_main(const char *conf_path);
/* The same in a new binary, from the state of the old one. */
int sg_master_resume(int state_fd);

#endif
