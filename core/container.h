/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * container.h - from a member back to the struct that it is part of.
 */
#ifndef SG_CONTAINER_H
#define SG_CONTAINER_H

#include <stddef.h>

#define SG_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
