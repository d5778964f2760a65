/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * job.h - the worker's side of helper pools: submits jobs, waits for answers, withdraws what is no longer wanted.
 *
 *   submitted --> taken --> answered, channel closed --> ANSWERED
 *       |           |
 *       +-----------+--> time is over: LATE     the helper is dead: LOST     it breaks the rules: LIED, and is replaced
 *       +-----------+--> withdrawn: nobody hears of it again
 *
 * A job is a channel: whoever closes his end is out. So there are no numbers to mix up, and no answer that comes too late.
 */
#ifndef SG_JOB_CORE_H
#define SG_JOB_CORE_H

#include "job_wire.h"
#include "worker.h"

enum sg_job_end { SG_JOB_ANSWERED, SG_JOB_LATE, SG_JOB_LOST, SG_JOB_LIED };

struct sg_job;

/* How it ended; called once, from the loop. The verdict is the module's only if ANSWERED; what `answer` holds may be taken. */
typedef void sg_job_done(void *owner, enum sg_job_end end, enum sg_verdict verdict, struct sg_answer *answer);

/* Around the life of a worker. -1 and errno. */
int sg_jobs_open(const struct sg_worker_boot *boot);
void sg_jobs_close(void);
/* NULL and errno; EBUSY: too many are under way already. The message is wiped; the caller wipes his own copy. */
struct sg_job *sg_job_submit(struct sg_instance *inst, const struct sg_job_order *order, sg_job_done *done,
                             void *owner);
void sg_job_withdraw(struct sg_job *job); /* NULL is ignored */

#endif
