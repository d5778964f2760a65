/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - the core's use of a filter: frames out of plain octets and back.
 */
#include <stdlib.h>

#include "filter_core.h"
#include "worker.h"

#define FILTER_SIZE_MAX 65536

int
sg_session_set_filter(struct sg_session *s, const struct sg_filter_ops *ops, void *state)
{
    if (s->state != SG_STATE_AUTH || s->filter != NULL || ops->size < sizeof *ops || ops->wrap == NULL ||
        ops->unwrap == NULL || (ops->wrap_datagram == NULL) != (ops->unwrap_datagram == NULL) || ops->max_plain == 0 ||
        ops->max_plain > FILTER_SIZE_MAX || ops->max_overhead > FILTER_SIZE_MAX)
        return -1;
    s->filter = ops;
    s->filter_state = state;
    return 0;
}

size_t
sg_filter_frame_max(const struct sg_session *s)
{
    return s->filter->max_plain + s->filter->max_overhead;
}

int
sg_filter_wrap(struct sg_session *s, const uint8_t *plain, size_t len, struct sg_buf *out)
{
    while (len > 0) {
        const size_t n = len < s->filter->max_plain ? len : s->filter->max_plain;
        uint32_t before;
        int wrapped;

        if (sg_buf_room(out) < n + s->filter->max_overhead)
            return -1;
        before = sg_worker_enter(s->auth);
        wrapped = s->filter->wrap(s->filter_state, plain, n, out);
        sg_worker_leave(before);
        if (wrapped != 0)
            return -1;
        plain += n;
        len -= n;
    }
    return 0;
}

int
sg_filter_unwrap(struct sg_session *s, struct sg_buf *out)
{
    size_t len;
    const uint8_t *wire = sg_buf_data(&s->in, &len);
    uint32_t before;
    ssize_t n;

    if (len == 0)
        return 0;
    before = sg_worker_enter(s->auth);
    n = s->filter->unwrap(s->filter_state, wire, len, out);
    sg_worker_leave(before);
    if (n < 0 || (size_t)n > len || (n == 0 && len >= sg_filter_frame_max(s)))
        return -1;
    sg_buf_consume(&s->in, (size_t)n);
    return n > 0;
}

bool
sg_filter_has_datagrams(const struct sg_session *s)
{
    return s->filter->wrap_datagram != NULL;
}

int
sg_filter_wrap_datagram(struct sg_session *s, const uint8_t *plain, size_t len, struct sg_buf *out)
{
    const uint32_t before = sg_worker_enter(s->auth);
    const int wrapped = s->filter->wrap_datagram(s->filter_state, plain, len, out);

    sg_worker_leave(before);
    return wrapped == 0 ? 0 : -1;
}

int
sg_filter_unwrap_datagram(struct sg_session *s, const uint8_t *wire, size_t len, struct sg_buf *out)
{
    const uint32_t before = sg_worker_enter(s->auth);
    const int unwrapped = s->filter->unwrap_datagram(s->filter_state, wire, len, out);

    sg_worker_leave(before);
    return unwrapped == 0 ? 0 : -1;
}

void
sg_filter_free(struct sg_session *s)
{
    uint32_t before;

    if (s->filter != NULL && s->filter->free != NULL) {
        before = sg_worker_enter(s->auth);
        s->filter->free(s->filter_state);
        sg_worker_leave(before);
    }
    s->filter = NULL;
    s->filter_state = NULL;
}
