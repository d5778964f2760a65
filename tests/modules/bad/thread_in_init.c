/* SPDX-License-Identifier: BSD-2-Clause */
/* thread_in_init.c - starts a thread in init(), which no worker would have. */
#include <pthread.h>
#include <unistd.h>

#include "bad.h"

static void *
thread_main(void *arg)
{
    (void)pause();
    return arg;
}

static int
thread_init(struct sg_instance *inst)
{
    pthread_t thread;

    (void)inst;
    return pthread_create(&thread, NULL, thread_main, NULL) == 0 ? 0 : -1;
}

const struct sg_module sg_module = {
    SG_MODULE_HEAD("thread_in_init"),
    .init = thread_init,
    .access = &bad_access,
};
