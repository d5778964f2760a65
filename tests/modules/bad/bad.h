/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bad.h - the good part of the broken modules: an access function that would grant everything, so that a module which
 * is loaded by mistake is noticed.
 */
#ifndef BAD_H
#define BAD_H

#include <sockgate/module.h>

static enum sg_verdict
bad_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, struct sg_decision *decision)
{
    (void)inst, (void)s, (void)req, (void)decision;
    return SG_OK;
}

static const struct sg_access_ops bad_access = { .size = sizeof bad_access, .request = bad_request };

#endif
