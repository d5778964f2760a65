/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc.c - malloc() and its family, for the whole process: the program's come before the C library's.
 *
 *   | head: what it is | octets | tail: must stay as it is |
 *
 * A block is the module's if it was asked for while code of the module runs, by somebody who is neither the core nor a
 * library that was there before the module. Small blocks are never used again: what is touched too late is still there to
 * be recognised.
 */
#include "modtest/modtest.h"

/* Behind ev.h, which has an EV_NONE of its own. */
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ALLOC_WORKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALLOC_WORKS 0
#else
#define ALLOC_WORKS 1
#endif
#else
#define ALLOC_WORKS 1
#endif

bool
mt_alloc_works(void)
{
    return ALLOC_WORKS;
}

#define OLD_MAX 64

/* What was mapped before the module. */
static struct {
    uintptr_t first, last;
    bool core; /* the program itself: asks on behalf of modules */
} old[OLD_MAX];
static size_t n_old;
static size_t live_blocks, live_octets, slot_size;
static unsigned fail_at;

/* The C library is left out: strdup() of the module is the module. */
static int
alloc_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    if (strstr(info->dlpi_name, "/libc.so") != NULL || n_old == OLD_MAX)
        return 0;
    for (size_t i = 0; i < info->dlpi_phnum && n_old < OLD_MAX; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0) {
            old[n_old].first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            old[n_old].last = old[n_old].first + info->dlpi_phdr[i].p_memsz;
            old[n_old++].core = info->dlpi_name[0] == '\0';
        }
    return 0;
}

void
mt_alloc_begin(void)
{
    n_old = 0;
    (void)dl_iterate_phdr(alloc_object, NULL);
}

void
mt_alloc_live(size_t *blocks_out, size_t *octets_out)
{
    *blocks_out = live_blocks;
    *octets_out = live_octets;
}

void
mt_alloc_fail(unsigned n)
{
    fail_at = n;
}

bool
mt_alloc_fails(void)
{
    return fail_at != 0;
}

void
mt_alloc_slots(size_t size)
{
    slot_size = size;
}

#if ALLOC_WORKS

#define HEAD_MAGIC 0x6d6f6474u
#define HEAD_FREED 0x66726564u
#define TAIL_MAGIC 0x7461696c6d6f6474u
#define KEPT_MAX ((size_t)256 << 20)
#define SMALL_MAX 65536

/* The C library's own, under the names that it has for who replaces them. */
extern void *__libc_memalign(size_t align, size_t size); /* NOLINT(bugprone-reserved-identifier) */
extern void __libc_free(void *base);                     /* NOLINT(bugprone-reserved-identifier) */

struct head {
    void *base;
    size_t size;
    uint32_t magic;
    uint32_t module;
};

static size_t kept;

enum caller { CALLER_CORE, CALLER_OLD, CALLER_NEW };

static enum caller
alloc_caller(const void *address)
{
    const uintptr_t at = (uintptr_t)address;

    for (size_t i = 0; i < n_old; i++)
        if (at >= old[i].first && at < old[i].last)
            return old[i].core ? CALLER_CORE : CALLER_OLD;
    return CALLER_NEW;
}

static struct head *
alloc_head(void *block)
{
    return (struct head *)block - 1;
}

/* Does this allocation fail? libev ends the process when one of its own does: that is not what is being tested. */
static bool
alloc_fails(enum caller caller)
{
    if (caller == CALLER_OLD || !mt_wrap_inside())
        return false;
    return atomic_fetch_add(&mt_shared->allocations, 1) + 1 == fail_at;
}

static void *
alloc_new(size_t align, size_t size, const void *address)
{
    const size_t before = align > sizeof(struct head) ? align : (sizeof(struct head) + 15) / 16 * 16;
    const uint64_t tail = TAIL_MAGIC;
    struct head *head;
    char *base, *block;
    bool module = false;

    if (n_old > 0) {
        const enum caller caller = alloc_caller(address);

        if (alloc_fails(caller)) {
            errno = ENOMEM;
            return NULL;
        }
        module = caller == CALLER_NEW && mt_wrap_inside();
    }
    base = size < SIZE_MAX / 2 ? __libc_memalign(align, before + size + sizeof tail) : NULL;
    if (base == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    block = base + before;
    head = alloc_head(block);
    *head = (struct head){ .base = base, .size = size, .magic = HEAD_MAGIC, .module = module };
    memcpy(block + size, &tail, sizeof tail);
    if (module) {
        live_blocks++;
        live_octets += size;
    }
    return block;
}

static void
alloc_end(void *block)
{
    struct head *head = alloc_head(block);
    const uint64_t tail = TAIL_MAGIC;

    if (head->magic == HEAD_FREED)
        mt_mistake("a block of memory is freed twice: set the pointer to NULL behind free()");
    if (head->magic != HEAD_MAGIC)
        return;
    head->magic = HEAD_FREED;
    if (memcmp((char *)block + head->size, &tail, sizeof tail) != 0)
        mt_mistake("memory is written to behind the end of a block of %zu octets: allocate what is needed", head->size);
    if (head->module) {
        live_blocks--;
        live_octets -= head->size;
    }
    if (head->size > SMALL_MAX || kept > KEPT_MAX || n_old == 0)
        __libc_free(head->base);
    else
        kept += head->size;
}

/* The C library's headers name what they are given otherwise. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

SG_EXPORT void *
malloc(size_t size)
{
    return alloc_new(16, size, __builtin_return_address(0));
}

SG_EXPORT void *
calloc(size_t n, size_t size)
{
    void *block;
    size_t all;

    if (__builtin_mul_overflow(n, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    if (slot_size > 0 && all == slot_size && mt_wrap_inside() &&
        alloc_caller(__builtin_return_address(0)) == CALLER_CORE && !alloc_fails(CALLER_CORE))
        return mt_guard_copy(MT_GUARD_SLOT, NULL, (all + 15) / 16 * 16);
    block = alloc_new(16, all, __builtin_return_address(0));
    return block != NULL ? memset(block, 0, all) : NULL;
}

SG_EXPORT void *
realloc(void *block, size_t size)
{
    void *grown = alloc_new(16, size, __builtin_return_address(0));
    size_t before;

    if (block == NULL || grown == NULL)
        return grown;
    before = alloc_head(block)->size;
    memcpy(grown, block, before < size ? before : size);
    alloc_end(block);
    return grown;
}

SG_EXPORT void
free(void *block)
{
    const int err = errno;

    if (block != NULL && !mt_guard_end(block))
        alloc_end(block);
    errno = err;
}

SG_EXPORT void *
memalign(size_t align, size_t size)
{
    return alloc_new(align < 16 ? 16 : align, size, __builtin_return_address(0));
}

SG_EXPORT void *
aligned_alloc(size_t align, size_t size)
{
    return alloc_new(align < 16 ? 16 : align, size, __builtin_return_address(0));
}

SG_EXPORT int
posix_memalign(void **block_out, size_t align, size_t size)
{
    *block_out = alloc_new(align < 16 ? 16 : align, size, __builtin_return_address(0));
    return *block_out != NULL ? 0 : ENOMEM;
}

SG_EXPORT size_t
malloc_usable_size(void *block)
{
    return block != NULL ? alloc_head(block)->size : 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif
