/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.c - memory that ends where its page does.
 *
 *   | page: ... octets | page that cannot be touched |
 *
 * Ended, the first page cannot be touched either. The address space is not given back: what was there stays a trap.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modtest/modtest.h"

#define GUARDS_MAX 4096

static struct {
    enum mt_guard kind;
    bool ended;
    char *base, *octets;
    size_t len, room; /* room: without the last page */
} guards[GUARDS_MAX];
static size_t n_guards;

void *
mt_guard_copy(enum mt_guard kind, const void *octets, size_t len)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (len / page + 1) * page;
    char *base;

    if (n_guards == GUARDS_MAX)
        return NULL;
    base = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) == -1)
        return NULL;
    guards[n_guards].kind = kind;
    guards[n_guards].base = base;
    guards[n_guards].octets = base + room - len;
    guards[n_guards].len = len;
    guards[n_guards].room = room;
    if (octets != NULL && len > 0)
        memcpy(guards[n_guards].octets, octets, len);
    return guards[n_guards++].octets;
}

static size_t
guard_find(const void *copy)
{
    size_t i = n_guards;

    while (i > 0 && guards[i - 1].octets != copy)
        i--;
    return i;
}

void
mt_guard_read_only(const void *copy)
{
    const size_t i = guard_find(copy);

    if (i > 0)
        (void)mprotect(guards[i - 1].base, guards[i - 1].room, PROT_READ);
}

bool
mt_guard_end(const void *copy)
{
    const size_t i = guard_find(copy);

    if (i == 0)
        return false;
    guards[i - 1].ended = true;
    (void)mprotect(guards[i - 1].base, guards[i - 1].room, PROT_NONE);
    return true;
}

const char *
mt_guard_blame(const void *address)
{
    static const char *const words[][2] = {
        [MT_GUARD_CREDS] = { "reads past the end of a name or secret: they have no NUL, use name_len and secret_len",
                             "uses the credentials of an earlier login: they are good until check() returns, copy what "
                             "is needed" },
        [MT_GUARD_JOB] = { "reads past the end of its job: it has `len` octets and no NUL",
                           "uses an earlier job: it is good until work() returns, copy what is needed" },
        [MT_GUARD_SLOT] = { "writes or reads past the end of its slot: session_size is what the slot has",
                            "uses the slot of a session that has ended: forget it in session_end()" },
        [MT_GUARD_CONF] = { "writes to its settings, or reads past them: they are the core's and constant",
                            "uses settings that are gone" },
    };
    const char *at = address;

    for (size_t i = n_guards; i-- > 0;)
        if (at >= guards[i].base && at < guards[i].base + guards[i].room + (size_t)sysconf(_SC_PAGESIZE))
            return words[guards[i].kind][guards[i].ended];
    return NULL;
}
