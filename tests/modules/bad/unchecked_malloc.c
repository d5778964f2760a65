/* SPDX-License-Identifier: BSD-2-Clause */
/* unchecked_malloc.c: memory is always there, it believes. */
#include <stdlib.h>
#include <string.h>

#include <sockgate/module.h>

static enum sg_verdict
unchecked_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    char *note = strdup(sg_session_id(s));

    (void)inst;
    if (note[0] == 'x')
        decision->label = "x";
    free(note);
    return SG_OK;
}

static const struct sg_access_ops unchecked_access = { .size = sizeof unchecked_access, .client = unchecked_client };

const struct sg_module sg_module = { SG_MODULE_HEAD("unchecked_malloc"), .access = &unchecked_access };
