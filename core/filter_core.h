/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_core.h - the core's use of a session's filter. Nothing here is called for a session that has none.
 */
#ifndef SG_FILTER_CORE_H
#define SG_FILTER_CORE_H

#include "session.h"

size_t sg_filter_frame_max(const struct sg_session *s); /* octets of the longest frame */
/* Appends `len` plain octets to `out` as frames. -1: the filter failed, or `out` has no room. */
int sg_filter_wrap(struct sg_session *s, const uint8_t *plain, size_t len, struct sg_buf *out);
/* Takes one frame from s->in and appends what was in it to `out`. 1: done; 0: the frame is not complete; -1: malformed. */
int sg_filter_unwrap(struct sg_session *s, struct sg_buf *out);
bool sg_filter_has_datagrams(const struct sg_session *s);
/* One datagram, one frame; `out` has room for it. -1: the filter does not take it. */
int sg_filter_wrap_datagram(struct sg_session *s, const uint8_t *plain, size_t len, struct sg_buf *out);
int sg_filter_unwrap_datagram(struct sg_session *s, const uint8_t *wire, size_t len, struct sg_buf *out);
void sg_filter_free(struct sg_session *s);

#endif
