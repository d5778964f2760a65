/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_liar.c - a helper that talks to the worker by itself, and wrongly: the channel of its job is the descriptor that
 * was not there when the process started. The name of the user says how it lies; each lie says yes to somebody.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sockgate/module.h>

#define FDS 64
#define TAKEN 81
#define ANSWER 82
#define TAG_PID 16
#define TAG_USER 41
#define TAG_VERDICT 47
#define TAG_ASSURANCE 48
#define TAG_GROUP 49
#define TAG_DELAY 51

static bool known[FDS]; /* descriptors of the start */

struct message {
    uint16_t type, zero;
    uint32_t len;
    uint8_t fields[70000];
};

static struct message message;

static void
begin(uint16_t type)
{
    message = (struct message){ .type = type };
}

static void
field(uint16_t tag, const void *octets, uint32_t len)
{
    const uint16_t head[2] = { tag, 0 };

    memcpy(message.fields + message.len, head, sizeof head);
    memcpy(message.fields + message.len + sizeof head, &len, sizeof len);
    memcpy(message.fields + message.len + 8, octets, len);
    message.len += 8 + len;
}

static void
number(uint16_t tag, uint64_t value)
{
    field(tag, &value, sizeof value);
}

static void
granted(const char *user, uint32_t len)
{
    begin(ANSWER);
    number(TAG_VERDICT, SG_OK);
    number(TAG_ASSURANCE, SG_ASSURANCE_PASSWORD);
    number(TAG_DELAY, 0);
    field(TAG_USER, user, len);
}

static int
channel(void)
{
    for (int fd = 3; fd < FDS; fd++)
        if (!known[fd] && fcntl(fd, F_GETFD) != -1)
            return fd;
    return -1;
}

static void
put(int more)
{
    (void)!send(channel(), &message, (size_t)message.len + 8 + (size_t)more, MSG_NOSIGNAL);
}

static void
put_descriptor(void)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct iovec iov = { &message, 8 + message.len };
    struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&hdr);
    const int fd = 2;

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
    (void)!sendmsg(channel(), &hdr, MSG_NOSIGNAL);
}

static void
lie(const char *how)
{
    granted("eve", 3);
    if (strcmp(how, "short") == 0) {
        message.len -= 2;
        put(0);
    } else if (strcmp(how, "cut") == 0) {
        put(-3);
    } else if (strcmp(how, "long") == 0) {
        put(5);
    } else if (strcmp(how, "empty") == 0) {
        (void)!send(channel(), "", 0, MSG_NOSIGNAL);
        put(0);
    } else if (strcmp(how, "larger") == 0) {
        for (unsigned i = 0; i < 1000; i++)
            field(TAG_GROUP, "0123456789012345678901234567890123456789012345678901234567890", 61);
        put(0);
    } else if (strcmp(how, "twice") == 0) {
        put(0); /* the core's own answer is the second */
    } else if (strcmp(how, "nul") == 0) {
        granted("e\0e", 3);
        put(0);
    } else if (strcmp(how, "unknown") == 0) {
        number(60, 1);
        put(0);
    } else if (strcmp(how, "again") == 0) {
        begin(TAKEN);
        number(TAG_PID, (uint64_t)getpid());
        put(0);
    } else if (strcmp(how, "descriptor") == 0) {
        put_descriptor();
    }
}

static enum sg_verdict
liar_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    static const struct timespec two_seconds = { .tv_sec = 2 };
    char how[256];

    (void)inst, (void)answer;
    memcpy(how, creds->name, creds->name_len);
    how[creds->name_len] = '\0';
    if (strcmp(how, "late") == 0) {
        (void)nanosleep(&two_seconds, NULL);
        granted("eve", 3);
        put(0);
        sg_log(inst, SG_LOG_NOTICE, "answered when nobody asked: %s", strerrorname_np(errno));
        return SG_OK;
    }
    if (strcmp(how, "honest") == 0)
        return SG_OK;
    lie(how);
    return SG_DENY;
}

static int
liar_start(struct sg_instance *inst, enum sg_process process)
{
    (void)inst, (void)process;
    for (int fd = 0; fd < FDS; fd++)
        known[fd] = fcntl(fd, F_GETFD) != -1;
    return 0;
}

static const struct sg_auth_ops liar_auth = {
    .size = sizeof liar_auth,
    .method = SG_METHOD_USERPASS,
    .assurance = SG_ASSURANCE_PASSWORD,
    .check = liar_check,
};

const struct sg_module sg_module = { SG_MODULE_HEAD("auth_liar"), .start = liar_start, .auth = &liar_auth };
