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
    s->filter = malloc(sizeof *s->filter);
    if (s->filter == NULL)
        return -1;
    *s->filter = (struct sg_filter){ .ops = ops, .state = state };
    return 0;
}

size_t
sg_filter_frame_max(const struct sg_session *s)
{
    return s->filter->ops->max_plain + s->filter->ops->max_overhead;
}

int
sg_filter_wrap(struct sg_session *s, const uint8_t *plain, size_t len, struct sg_buf *out)
{
    while (len > 0) {
        const size_t n = len < s->filter->ops->max_plain ? len : s->filter->ops->max_plain;
        uint32_t before;
        int wrapped;

        if (sg_buf_room(out) < n + s->filter->ops->max_overhead)
            return -1;
        before = sg_worker_enter(s->auth);
        wrapped = s->filter->ops->wrap(s->filter->state, plain, n, out);
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
    n = s->filter->ops->unwrap(s->filter->state, wire, len, out);
    sg_worker_leave(before);
    if (n < 0 || (size_t)n > len || (n == 0 && len >= sg_filter_frame_max(s)))
        return -1;
    sg_buf_consume(&s->in, (size_t)n);
    return n > 0;
}

bool
sg_filter_has_datagrams(const struct sg_session *s)
{
    return s->filter->ops->wrap_datagram != NULL;
}

int
sg_filter_wrap_datagram(struct sg_session *s, const uint8_t *plain, size_t len, struct sg_buf *out)
{
    const uint32_t before = sg_worker_enter(s->auth);
    const int wrapped = s->filter->ops->wrap_datagram(s->filter->state, plain, len, out);

    sg_worker_leave(before);
    return wrapped == 0 ? 0 : -1;
}

int
sg_filter_unwrap_datagram(struct sg_session *s, const uint8_t *wire, size_t len, struct sg_buf *out)
{
    const uint32_t before = sg_worker_enter(s->auth);
    const int unwrapped = s->filter->ops->unwrap_datagram(s->filter->state, wire, len, out);

    sg_worker_leave(before);
    return unwrapped == 0 ? 0 : -1;
}

void
sg_filter_free(struct sg_session *s)
{
    uint32_t before;

    if (s->filter == NULL)
        return;
    if (s->filter->ops->free != NULL) {
        before = sg_worker_enter(s->auth);
        s->filter->ops->free(s->filter->state);
        sg_worker_leave(before);
    }
    sg_buf_free(&s->filter->plain);
    free(s->filter);
    s->filter = NULL;
}
