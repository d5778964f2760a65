/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buf.c - the bounded byte queue.
 *
 *   data [ consumed | waiting       | room in the block ]  at most max octets wait
 *        0          off             len                cap
 *
 * Memory is held only while octets wait, and the first block is as large as what is put in: most buffers of a gateway
 * are empty most of the time, and few grow.
 */
#include <stdlib.h>
#include <string.h>

#include "bufs.h"
#include "wipe.h"

void
sg_buf_init(struct sg_buf *buf, size_t max)
{
    *buf = (struct sg_buf){ .max = max & INT32_MAX };
}

/* The block that is given back. */
static void
buf_drop(struct sg_buf *buf)
{
    if (buf->secret && buf->data)
        sg_wipe(buf->data, buf->len);
    free(buf->data);
}

void
sg_buf_free(struct sg_buf *buf)
{
    buf_drop(buf);
    buf->data = NULL;
    buf->off = buf->len = buf->cap = 0;
}

const uint8_t *
sg_buf_data(const struct sg_buf *buf, size_t *len_out)
{
    *len_out = sg_buf_len(buf);
    return buf->data ? buf->data + buf->off : NULL;
}

size_t
sg_buf_room(const struct sg_buf *buf)
{
    size_t waiting = sg_buf_len(buf);

    /* The bound may have been lowered below what waits already. */
    return waiting < buf->max ? buf->max - waiting : 0;
}

/* A block for `needed` octets; one that grows again and again doubles, so that appending stays cheap. */
static int
buf_grow(struct sg_buf *buf, size_t needed)
{
    size_t cap = (size_t)buf->cap * 2 < buf->max ? (size_t)buf->cap * 2 : buf->max;
    uint8_t *data;

    if (cap < needed)
        cap = needed;
    data = malloc(cap);
    if (!data)
        return -1;
    if (buf->data)
        memcpy(data, buf->data + buf->off, sg_buf_len(buf));
    buf_drop(buf);
    buf->data = data;
    buf->cap = (uint32_t)cap;
    buf->len -= buf->off;
    buf->off = 0;
    return 0;
}

uint8_t *
sg_buf_reserve(struct sg_buf *buf, size_t n)
{
    size_t waiting = sg_buf_len(buf);

    if (n > sg_buf_room(buf))
        return NULL;
    if (buf->cap - waiting < n) {
        if (buf_grow(buf, waiting + n) == -1)
            return NULL;
    } else if (buf->cap - buf->len < n) {
        memmove(buf->data, buf->data + buf->off, waiting);
        buf->off = 0;
        buf->len = (uint32_t)waiting;
    }
    return buf->data + buf->len;
}

void
sg_buf_commit(struct sg_buf *buf, size_t n)
{
    buf->len += (uint32_t)n;
}

int
sg_buf_append(struct sg_buf *buf, const void *bytes, size_t len)
{
    uint8_t *place;

    if (len == 0)
        return 0;
    place = sg_buf_reserve(buf, len);
    if (!place)
        return -1;
    memcpy(place, bytes, len);
    sg_buf_commit(buf, len);
    return 0;
}

void
sg_buf_consume(struct sg_buf *buf, size_t len)
{
    if (len >= sg_buf_len(buf)) {
        sg_buf_free(buf);
        return;
    }
    if (buf->secret)
        sg_wipe(buf->data + buf->off, len);
    buf->off += (uint32_t)len;
}
