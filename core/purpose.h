/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * purpose.h - why a generation is started.
 */
#ifndef SG_PURPOSE_H
#define SG_PURPOSE_H

#define SG_PURPOSES(X)                                                                                                 \
    X(START, "start")                                                                                                  \
    X(RELOAD, "reload")                                                                                                \
    X(RESTART, "restart") /* of one that had died */                                                                   \
    X(UPGRADE, "upgrade")

enum sg_purpose {
#define X(name, text) SG_PURPOSE_##name,
    SG_PURPOSES(X)
#undef X
        SG_PURPOSE_COUNT
};

#endif
