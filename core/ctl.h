/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.h - `sockgate -s SIGNAL`: tells a running sockgate what to do.
 */
#ifndef SG_CTL_H
#define SG_CTL_H

#include <stdbool.h>

bool sg_ctl_knows(const char *signal_name);
/* Finds the running one through the pid file of the configuration. The exit status. */
int sg_ctl_main(const char *conf_path, const char *signal_name, bool quiet);

#endif
