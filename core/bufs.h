/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bufs.h - the core's side of struct sg_buf.
 */
#ifndef SG_BUFS_H
#define SG_BUFS_H

#include <sockgate/buf.h>

/* Octets [off, len) of data wait. No memory is held while it is empty (sg_buf_consume() of the last octet frees). */
struct sg_buf {
    uint8_t *data;
    uint32_t off, len, cap;
    uint32_t max; /* never more than this many octets wait */
};

void sg_buf_init(struct sg_buf *buf, size_t max);
void sg_buf_free(struct sg_buf *buf);
uint8_t *sg_buf_reserve(struct sg_buf *buf, size_t n); /* room for n octets behind the last; NULL: bound or memory */
void sg_buf_commit(struct sg_buf *buf, size_t n);
/* Another bound; what waits already stays. */
static inline void
sg_buf_bound(struct sg_buf *buf, size_t max)
{
    buf->max = (uint32_t)max;
}

static inline size_t
sg_buf_len(const struct sg_buf *buf)
{
    return buf->len - buf->off;
}

#endif
