/* SPDX-License-Identifier: BSD-2-Clause */
/* crash_at_load.c - crashes whoever loads it. */
#include <signal.h>

#include "bad.h"

static void __attribute__((constructor)) crash_load(void)
{
    (void)raise(SIGSEGV);
}

const struct sg_module sg_module = {
    SG_MODULE_HEAD("crash_at_load"),
    .access = &bad_access,
};
