/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks_descriptor.c: opens something for each session, and closes it never. */
#include <fcntl.h>

#include <sockgate/module.h>

static enum sg_verdict
leaks_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    (void)inst, (void)s, (void)decision;
    return open("/dev/null", O_RDONLY | O_CLOEXEC) == -1 ? SG_ERROR : SG_OK;
}

static const struct sg_access_ops leaks_access = { .size = sizeof leaks_access, .client = leaks_client };

const struct sg_module sg_module = { SG_MODULE_HEAD("leaks_descriptor"), .access = &leaks_access };
