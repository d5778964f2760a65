/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.h - `sockgatectl explain`: asks the policy of a configuration, and shows how the answer comes about.
 */
#ifndef SG_EXPLAIN_H
#define SG_EXPLAIN_H

/* 0: allowed, 1: could not be found out, 2: usage, 3: denied, 4: depends on an address. With --batch 0, 1 or 2. */
int sg_explain_main(int argc, char **argv);

#endif
