/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expect.h - what the modules of this folder say: a line for each expectation that is not met. Together they call every
 * function that the daemon exports; a test starts a daemon with them, uses it, and reads the error log.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include <sockgate/module.h>

#define EXPECT(inst, condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            sg_log(inst, SG_LOG_ERR, "abi: NOT MET at %s:%d: %s", __FILE__, __LINE__, #condition);                     \
    } while (0)

#endif
