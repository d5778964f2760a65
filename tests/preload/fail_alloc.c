/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail_alloc.c - loaded before the C library (LD_PRELOAD): allocations of one process fail as a test wants it. The file
 * that SG_FAIL_ALLOC names is shared with the test, see tests/e2e/shortage.py; processes that fork keep it.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* tests/e2e/shortage.py knows this layout. */
struct control {
    _Atomic int32_t pid;      /* whose allocations count; 0: nobody's */
    _Atomic uint32_t count;   /* how many there were */
    _Atomic uint32_t first;   /* the number of the first that fails; 0: none */
    _Atomic uint32_t failing; /* how many fail from there on */
    _Atomic int32_t live;     /* blocks made and not freed meanwhile */
    _Atomic uint32_t failed;  /* how many have failed */
    _Atomic uint64_t caller;  /* of the last that failed */
};

/* The C library's own, under the names that it has for who replaces them. */
extern void *__libc_malloc(size_t size);                 /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_calloc(size_t n, size_t size);       /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_realloc(void *block, size_t size);   /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_memalign(size_t align, size_t size); /* NOLINT(bugprone-reserved-identifier) */
extern void __libc_free(void *block);                    /* NOLINT(bugprone-reserved-identifier) */

static struct control *control;

__attribute__((constructor)) static void
fail_open(void)
{
    const char *path = getenv("SG_FAIL_ALLOC");
    const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page = fd != -1 ? mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (page == MAP_FAILED) {
        static const char text[] = "fail_alloc: SG_FAIL_ALLOC names no file that can be shared\n";

        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(1);
    }
    (void)close(fd);
    control = page;
}

/* Does the test look at this process? */
static bool
fail_ours(void)
{
    const int32_t pid = control != NULL ? atomic_load(&control->pid) : 0;

    return pid != 0 && pid == getpid();
}

static bool
fail_now(const void *caller)
{
    const uint32_t first = fail_ours() ? atomic_load(&control->first) : 0;
    uint32_t number;

    if (first == 0)
        return false;
    number = atomic_fetch_add(&control->count, 1) + 1;
    if (number < first || number - first >= atomic_load(&control->failing))
        return false;
    atomic_store(&control->caller, (uint64_t)(uintptr_t)caller);
    (void)atomic_fetch_add(&control->failed, 1);
    errno = ENOMEM;
    return true;
}

static void *
fail_made(void *block)
{
    if (block != NULL && fail_ours())
        (void)atomic_fetch_add(&control->live, 1);
    return block;
}

/* The C library's headers name what they are given otherwise. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

EXPORT void *
malloc(size_t size)
{
    return fail_now(__builtin_return_address(0)) ? NULL : fail_made(__libc_malloc(size));
}

EXPORT void *
calloc(size_t n, size_t size)
{
    return fail_now(__builtin_return_address(0)) ? NULL : fail_made(__libc_calloc(n, size));
}

EXPORT void
free(void *block)
{
    const int err = errno;

    if (block != NULL && fail_ours())
        (void)atomic_fetch_sub(&control->live, 1);
    __libc_free(block);
    errno = err;
}

EXPORT void *
realloc(void *block, size_t size)
{
    if (block == NULL)
        return fail_now(__builtin_return_address(0)) ? NULL : fail_made(__libc_malloc(size));
    if (size == 0) {
        free(block);
        return NULL;
    }
    return fail_now(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

EXPORT void *
memalign(size_t align, size_t size)
{
    return fail_now(__builtin_return_address(0)) ? NULL : fail_made(__libc_memalign(align, size));
}

EXPORT void *
aligned_alloc(size_t align, size_t size)
{
    return fail_now(__builtin_return_address(0)) ? NULL : fail_made(__libc_memalign(align, size));
}

EXPORT int
posix_memalign(void **block_out, size_t align, size_t size)
{
    void *block = fail_now(__builtin_return_address(0)) ? NULL : fail_made(__libc_memalign(align, size));

    if (block == NULL)
        return ENOMEM;
    *block_out = block;
    return 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
