/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockgatectl.h - the tool that the daemon's binary is under its second name.
 */
#ifndef SG_SOCKGATECTL_H
#define SG_SOCKGATECTL_H

#include <stdbool.h>

bool sg_sockgatectl_called(const char *argv0);
int sg_sockgatectl_main(int argc, char **argv); /* the exit status */

#endif
