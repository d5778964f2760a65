/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buf.h - the bounded byte queue in which modules get and give bytes.
 *
 * Bytes are appended at the end and consumed at the front. A buffer grows by itself up to the bound that the core set
 * when it made it; it never grows beyond. Modules get buffers from the core and never free them.
 */
#ifndef SOCKGATE_BUF_H
#define SOCKGATE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include <sockgate/visibility.h>

struct sg_buf;

/*
 * The bytes that wait in @buf; their number goes to @len_out. The pointer is good until the buffer is changed.
 * Owner:  the core owns buffer and bytes.
 * Blocks: never.
 * Errors: none; with no bytes the pointer may be NULL.
 * RFC:    none.
 */
SG_API const uint8_t *sg_buf_data(const struct sg_buf *buf, size_t *len_out);

/*
 * How many bytes can still be appended.
 * Owner:  the core owns the buffer.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API size_t sg_buf_room(const struct sg_buf *buf);

/*
 * Appends a copy of @len bytes, all of them or none.
 * Owner:  caller keeps @bytes; the core owns the buffer.
 * Blocks: never.
 * Errors: -1 if there is no room or no memory; the buffer is unchanged.
 * RFC:    none.
 */
SG_API int sg_buf_append(struct sg_buf *buf, const void *bytes, size_t len) SG_CHECK;

/*
 * Drops the first @len bytes; more than there are drops all.
 * Owner:  the core owns the buffer.
 * Blocks: never.
 * Errors: none.
 * RFC:    none.
 */
SG_API void sg_buf_consume(struct sg_buf *buf, size_t len);

#endif
