/* SPDX-License-Identifier: BSD-2-Clause */
/* thread_at_load.c - starts a thread as soon as it is loaded. */
#include <pthread.h>
#include <unistd.h>

#include "bad.h"

static void *
thread_main(void *arg)
{
    (void)pause();
    return arg;
}

static void __attribute__((constructor)) thread_load(void)
{
    pthread_t thread;

    (void)pthread_create(&thread, NULL, thread_main, NULL);
}

const struct sg_module sg_module = {
    SG_MODULE_HEAD("thread_at_load"),
    .access = &bad_access,
};
