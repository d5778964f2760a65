/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helper.h - a helper process: takes one job after another, and may block.
 */
#ifndef SG_HELPER_CORE_H
#define SG_HELPER_CORE_H

#include "module.h"

struct sg_helper_status;

/* What the generation gives to a helper that it forks. */
struct sg_helper_boot {
    struct sg_instance *inst;
    const struct sg_helper_conf *conf;
    int jobs;    /* shared with all helpers of the pool; end of file: nobody is left who could send one */
    int channel; /* orders; end of file: the generation is gone */
    struct sg_helper_status *status;
};

/* Runs until there can be no more jobs, or enough were done; the exit status. Rights are dropped already. */
int sg_helper_main(const struct sg_helper_boot *boot);

#endif
