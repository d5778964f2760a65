/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - the policy tests of a configuration: run by -t, at start and before each reload.
 */
#ifndef SG_POLICY_H
#define SG_POLICY_H

#include "load.h"

/*
 * Asks every question of `tests` in a process of its own, with a worker's rights: what modules do there, whatever it is,
 * happens to nobody else. A wrong answer goes to load->diag with its trace. `load` must be whole. May block, 30 s at most,
 * and no longer than until `until_ms` (monotonic): whoever waits for the load must find no process of ours behind it.
 */
void sg_policy_test(struct sg_load *load, int64_t until_ms);

#endif
