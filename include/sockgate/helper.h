/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helper.h - work that may block, for modules whose functions run in a worker and must not.
 *
 * An instance of a module with a function work() has helper processes of its own, as many as the operator says. In a
 * worker the module makes a handle, as for every answer that comes later, and submits a job with it:
 *
 *   worker   request(inst, s, ...)     pending = sg_pending_new(inst, s);
 *                                      sg_helper_submit(inst, pending, job, len);  return SG_AGAIN;
 *   helper   work(inst, job, len)      blocks as long as it must;                  return SG_DENY;
 *   worker                             the handle is resolved with SG_DENY
 *
 * A check() of the role auth needs none of this: the core has it called in a helper.
 */
#ifndef SOCKGATE_HELPER_H
#define SOCKGATE_HELPER_H

#include <stddef.h>

#include <sockgate/session.h>
#include <sockgate/visibility.h>

struct sg_instance;
struct sg_pending;

/* The longest job. */
#define SG_HELPER_JOB_MAX 4096

/*
 * Has work() called with a copy of the job, in whichever helper of the instance is free first; its verdict resolves the
 * handle, SG_ERROR if none comes: the time is over, or the helper has died. The module does not resolve the handle
 * itself. When the handle is cancelled the core withdraws the job.
 * Owner:  caller keeps @job; helper and worker wipe their copies.
 * Blocks: never.
 * Errors: -1: too many jobs are waiting, the job is longer than SG_HELPER_JOB_MAX, the handle has a job already, or there
 *         are no helpers in this process (`sockgatectl explain` and policy tests have none). Return SG_ERROR then.
 * RFC:    none.
 */
SG_API int sg_helper_submit(struct sg_instance *inst, struct sg_pending *pending, const void *job, size_t len) SG_CHECK;

#endif
