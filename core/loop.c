/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c - libev's memory.
 *
 * libev ends the process when it gets none, and it asks in the middle of whatever a client wants. But its tables have a
 * bound, since descriptors and timers have one. So they get address space for all that they can grow to, before the worker
 * accepts anybody; the kernel fills it with memory as they grow.
 *
 *   | small blocks, a page each | large blocks, each with room for the largest table |
 */
#include "loop.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "log.h"

#define LOOP_SMALL_SIZE ((size_t)4096)
#define LOOP_SMALL 32
#define LOOP_LARGE 8 /* by descriptor, changed, pending, arrived; timers; the rest stays small */
#define LOOP_DESCRIPTORS_MAX ((rlim_t)1 << 20)
/* The largest entry that a table has, twice: libev doubles a table that is full. */
#define LOOP_ENTRY ((size_t)2 * 16)

static struct {
    char *blocks;
    size_t large_size;
    bool taken[LOOP_SMALL + LOOP_LARGE];
} memory;

static char *
loop_block(size_t i)
{
    if (i < LOOP_SMALL)
        return memory.blocks + i * LOOP_SMALL_SIZE;
    return memory.blocks + LOOP_SMALL * LOOP_SMALL_SIZE + (i - LOOP_SMALL) * memory.large_size;
}

static size_t
loop_room(size_t i)
{
    return i < LOOP_SMALL ? LOOP_SMALL_SIZE : memory.large_size;
}

/* A free block with so much room. */
static size_t
loop_find(size_t size)
{
    size_t i = size <= LOOP_SMALL_SIZE ? 0 : LOOP_SMALL;

    while (i < LOOP_SMALL + LOOP_LARGE && (memory.taken[i] || loop_room(i) < size))
        i++;
    return i;
}

/* As realloc(), but 0 octets free the block. */
static void *
loop_realloc(void *old, long wanted)
{
    const size_t size = (size_t)wanted;
    size_t held = 0, i;

    while (old != NULL && loop_block(held) != old)
        held++;
    if (old != NULL && size > 0 && size <= loop_room(held))
        return old;
    if (old != NULL)
        memory.taken[held] = false;
    if (size == 0)
        return NULL;
    i = loop_find(size);
    if (i == LOOP_SMALL + LOOP_LARGE) {
        sg_logf(SG_LOG_EMERG, "the event loop wants %zu octets, more than it can ever need: this worker ends", size);
        return NULL; /* libev aborts */
    }
    memory.taken[i] = true;
    if (old != NULL)
        memcpy(loop_block(i), old, loop_room(held));
    return loop_block(i);
}

/* Descriptors have numbers below their limit; one may have two watchers. */
static int
loop_reserve(void)
{
    struct rlimit limit;
    void *blocks;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        return -1;
    if (limit.rlim_cur > LOOP_DESCRIPTORS_MAX) {
        limit.rlim_cur = LOOP_DESCRIPTORS_MAX;
        if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
            return -1;
    }
    memory.large_size = (2 * (size_t)limit.rlim_cur + SG_LOOP_TIMERS) * LOOP_ENTRY + LOOP_SMALL_SIZE;
    memory.large_size -= memory.large_size % LOOP_SMALL_SIZE;
    blocks = mmap(NULL, LOOP_SMALL * LOOP_SMALL_SIZE + LOOP_LARGE * memory.large_size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (blocks == MAP_FAILED)
        return -1;
    memory.blocks = blocks;
    ev_set_allocator(loop_realloc);
    return 0;
}

struct ev_loop *
sg_loop_new(void)
{
    if (memory.blocks == NULL && loop_reserve() == -1)
        return NULL;
    return ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
}
