/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg.c - the form of messages between our processes.
 *
 *   octets  0    2    4        8
 *           type zero length   fields ...
 *   field   tag  zero length   octets ...
 *
 * Numbers are in host order: both ends are on one machine. A descriptor is a field that holds its index among those
 * that came beside the message.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"
#include "msg.h"

#define SEND_MS 5000

struct msg_head {
    uint16_t type;
    uint16_t zero;
    uint32_t len;
};

struct field_head {
    uint16_t tag;
    uint16_t zero;
    uint32_t len;
};

void
sg_msg_begin(struct sg_msg *msg, enum sg_msg_type type)
{
    msg->type = (uint16_t)type;
    msg->overflow = false;
    msg->len = 0;
    msg->n_fds = 0;
}

void
sg_msg_put(struct sg_msg *msg, uint16_t tag, const void *data, size_t len)
{
    struct field_head head = { .tag = tag, .len = (uint32_t)len };

    if (len > SG_MSG_MAX - sizeof head || msg->len > SG_MSG_MAX - sizeof head - len) {
        msg->overflow = true;
        return;
    }
    memcpy(msg->data + msg->len, &head, sizeof head);
    if (len > 0)
        memcpy(msg->data + msg->len + sizeof head, data, len);
    msg->len += sizeof head + len;
}

void
sg_msg_put_str(struct sg_msg *msg, uint16_t tag, const char *s)
{
    sg_msg_put(msg, tag, s, strlen(s));
}

void
sg_msg_put_u64(struct sg_msg *msg, uint16_t tag, uint64_t value)
{
    sg_msg_put(msg, tag, &value, sizeof value);
}

void
sg_msg_put_fd(struct sg_msg *msg, uint16_t tag, int fd)
{
    if (msg->n_fds == SG_MSG_FDS) {
        msg->overflow = true;
        return;
    }
    sg_msg_put_u64(msg, tag, msg->n_fds);
    msg->fds[msg->n_fds++] = fd;
}

/* Room for SG_MSG_FDS descriptors, aligned as the kernel wants it. */
union msg_control {
    struct cmsghdr align;
    char room[CMSG_SPACE(SG_MSG_FDS * sizeof(int))];
};

static void
msg_attach_fds(struct msghdr *hdr, union msg_control *control, const struct sg_msg *msg)
{
    size_t size = msg->n_fds * sizeof(int);
    struct cmsghdr *cmsg;

    if (msg->n_fds == 0)
        return;
    memset(control, 0, sizeof *control);
    hdr->msg_control = control;
    hdr->msg_controllen = CMSG_SPACE(size);
    cmsg = CMSG_FIRSTHDR(hdr);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(cmsg), msg->fds, size);
}

/* Waits until the other side has read something. -1 and ETIMEDOUT after `until_ms`. */
static int
msg_wait_for_room(int channel, int64_t until_ms)
{
    struct pollfd pfd = { .fd = channel, .events = POLLOUT };
    int64_t left = until_ms - sg_mono_ms();
    int n = left > 0 ? poll(&pfd, 1, (int)left) : 0;

    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0 || (n == -1 && errno == EINTR) ? 0 : -1;
}

int
sg_msg_offer(int channel, const struct sg_msg *msg)
{
    struct msg_head head = { .type = msg->type, .len = (uint32_t)msg->len };
    struct sg_msg *writable = (struct sg_msg *)(uintptr_t)msg; /* struct iovec knows no const; nothing is written */
    struct iovec iov[2] = { { &head, sizeof head }, { writable->data, msg->len } };
    struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2 };
    union msg_control control;

    if (msg->overflow) {
        errno = EMSGSIZE;
        return -1;
    }
    msg_attach_fds(&hdr, &control, msg);
    while (sendmsg(channel, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
        if (errno != EINTR)
            return -1;
    return 0;
}

int
sg_msg_send(int channel, const struct sg_msg *msg)
{
    const int64_t until_ms = sg_mono_ms() + SEND_MS;

    while (sg_msg_offer(channel, msg) == -1)
        if (errno != EAGAIN || msg_wait_for_room(channel, until_ms) == -1)
            return -1;
    return 0;
}

static void
msg_collect_fds(struct sg_msg *msg, struct msghdr *hdr)
{
    struct cmsghdr *cmsg;

    for (cmsg = CMSG_FIRSTHDR(hdr); cmsg != NULL; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        msg->n_fds = (unsigned)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        assert(msg->n_fds <= SG_MSG_FDS);
        memcpy(msg->fds, CMSG_DATA(cmsg), msg->n_fds * sizeof(int));
    }
}

int
sg_msg_recv(int channel, struct sg_msg *msg)
{
    struct msg_head head = { .type = 0 };
    struct iovec iov[2] = { { &head, sizeof head }, { msg->data, sizeof msg->data } };
    union msg_control control;
    struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t n;

    sg_msg_begin(msg, 0);
    do
        n = recvmsg(channel, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n == -1 && errno == EINTR);
    if (n == -1)
        return errno == ECONNRESET ? 0 : -1;
    if (n == 0)
        return 0;
    msg_collect_fds(msg, &hdr);
    if ((size_t)n < sizeof head || head.len != (size_t)n - sizeof head ||
        (hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        sg_msg_close_fds(msg);
        errno = EPROTO;
        return -1;
    }
    msg->type = head.type;
    msg->len = head.len;
    return 1;
}

bool
sg_msg_next(const struct sg_msg *msg, size_t *at, struct sg_msg_field *field_out)
{
    struct field_head head;

    if (*at > msg->len || msg->len - *at < sizeof head)
        return false;
    memcpy(&head, msg->data + *at, sizeof head);
    if (head.len > msg->len - *at - sizeof head)
        return false;
    field_out->tag = head.tag;
    field_out->len = head.len;
    field_out->data = msg->data + *at + sizeof head;
    *at += sizeof head + head.len;
    return true;
}

static bool
msg_find(const struct sg_msg *msg, uint16_t tag, struct sg_msg_field *field_out)
{
    struct sg_msg_field field;
    bool found = false;
    size_t at = 0;

    while (sg_msg_next(msg, &at, &field)) {
        if (field.tag == tag) {
            *field_out = field;
            found = true;
        }
    }
    return found;
}

bool
sg_msg_get_str(const struct sg_msg *msg, uint16_t tag, char *text, size_t size)
{
    struct sg_msg_field field;
    size_t len;

    if (!msg_find(msg, tag, &field))
        return false;
    len = field.len < size ? field.len : size - 1;
    memcpy(text, field.data, len);
    text[len] = '\0';
    return true;
}

bool
sg_msg_get_u64(const struct sg_msg *msg, uint16_t tag, uint64_t *value_out)
{
    struct sg_msg_field field;

    if (!msg_find(msg, tag, &field) || field.len != sizeof *value_out)
        return false;
    memcpy(value_out, field.data, sizeof *value_out);
    return true;
}

int
sg_msg_take_fd(struct sg_msg *msg, uint16_t tag)
{
    uint64_t index;
    int fd;

    if (!sg_msg_get_u64(msg, tag, &index) || index >= msg->n_fds)
        return -1;
    fd = msg->fds[index];
    msg->fds[index] = -1;
    return fd;
}

void
sg_msg_close_fds(struct sg_msg *msg)
{
    unsigned i;

    for (i = 0; i < msg->n_fds; i++) {
        if (msg->fds[i] != -1)
            (void)close(msg->fds[i]);
    }
    msg->n_fds = 0;
}

/* A memory file takes all or fails; there are no short writes to go on after. */
int
sg_msg_write(int fd, const struct sg_msg *msg)
{
    struct msg_head head = { .type = msg->type, .len = (uint32_t)msg->len };

    if (msg->overflow || msg->n_fds > 0) {
        errno = EMSGSIZE;
        return -1;
    }
    if (write(fd, &head, sizeof head) != (ssize_t)sizeof head || write(fd, msg->data, msg->len) != (ssize_t)msg->len)
        return -1;
    return 0;
}

int
sg_msg_read(int fd, struct sg_msg *msg)
{
    struct msg_head head;
    ssize_t n = read(fd, &head, sizeof head);

    sg_msg_begin(msg, 0);
    if (n == 0)
        return 0;
    if (n != (ssize_t)sizeof head || head.len > sizeof msg->data ||
        read(fd, msg->data, head.len) != (ssize_t)head.len) {
        errno = EPROTO;
        return -1;
    }
    msg->type = head.type;
    msg->len = head.len;
    return 1;
}
