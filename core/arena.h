/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h - memory that is freed all at once. Configuration lives in one: read at start, constant, freed with it.
 * Running out of memory here ends the process: it happens before service starts.
 */
#ifndef SG_ARENA_H
#define SG_ARENA_H

#include <stddef.h>

struct sg_arena;

struct sg_arena *sg_arena_new(void);
void sg_arena_free(struct sg_arena *arena);                              /* NULL is ignored */
void *sg_arena_alloc(struct sg_arena *arena, size_t size);               /* zeroed, aligned for anything */
char *sg_arena_strndup(struct sg_arena *arena, const char *s, size_t n); /* NUL-terminated copy */

#endif
