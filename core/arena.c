/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c - blocks in a list; a request that is larger than a block gets one of its own.
 */
#include "arena.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK ((size_t)16384)

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char octets[];
};

struct sg_arena {
    struct arena_block *blocks;
};

static void *
arena_calloc(size_t size)
{
    void *p = calloc(1, size);

    if (p == NULL) {
        (void)fputs("sockgate: [emerg] out of memory while reading the configuration\n", stderr);
        exit(1);
    }
    return p;
}

struct sg_arena *
sg_arena_new(void)
{
    return arena_calloc(sizeof(struct sg_arena));
}

void
sg_arena_free(struct sg_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
    free(arena);
}

void *
sg_arena_alloc(struct sg_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    const size_t wanted = (size + align - 1) / align * align;
    struct arena_block *block = arena->blocks;
    void *p;

    if (block == NULL || block->size - block->used < wanted) {
        const size_t room = wanted > ARENA_BLOCK ? wanted : ARENA_BLOCK;

        block = arena_calloc(sizeof *block + room);
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    p = block->octets + block->used;
    block->used += wanted;
    return p;
}

char *
sg_arena_strndup(struct sg_arena *arena, const char *s, size_t n)
{
    char *copy = sg_arena_alloc(arena, n + 1);

    memcpy(copy, s, n);
    return copy;
}
