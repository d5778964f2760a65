/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_async.c - gives the verdicts of its settings, later if told so, and now and then breaks the rules of handles;
 * DECLINED is the exception, so that a phase can be left out. One session may have several handles open, so each answer
 * has memory of its own, which cancel() or the timer frees.
 */
#include <stdlib.h>

#include <sockgate/module.h>

#define NO_VERDICT 77

enum mistake {
    MISTAKE_NONE,
    MISTAKE_NO_HANDLE, /* AGAIN without a handle */
    MISTAKE_TWICE,     /* resolves a handle again */
    MISTAKE_NEVER      /* makes a handle and forgets it: the core's deadlines end the session */
};

struct async_conf {
    int64_t client, request, target; /* verdicts; NO_VERDICT as the default means what it says */
    int64_t delay;                   /* milliseconds; 0: at once */
    int64_t mistake;
    int64_t special;
    const char *label;
};

static const struct sg_conf_word verdict_words[] = {
    { "error", SG_ERROR }, { "ok", SG_OK },       { "declined", SG_DECLINED }, { "undecided", SG_UNDECIDED },
    { "deny", SG_DENY },   { "again", SG_AGAIN }, { "none", NO_VERDICT },      { NULL, 0 },
};

static const struct sg_conf_word mistake_words[] = {
    { "nothing", MISTAKE_NONE },
    { "no_handle", MISTAKE_NO_HANDLE },
    { "twice", MISTAKE_TWICE },
    { "never", MISTAKE_NEVER },
    { NULL, 0 },
};

static const struct sg_conf_word special_words[] = { { "loopback", SG_SPECIAL_LOOPBACK }, { NULL, 0 } };

#define KEY(key) .name = #key, .offset = offsetof(struct async_conf, key)
static const struct sg_conf_item async_items[] = {
    { KEY(client), .type = SG_CONF_ENUM, .words = verdict_words, .def = "declined" },
    { KEY(request), .type = SG_CONF_ENUM, .words = verdict_words, .def = "declined" },
    { KEY(target), .type = SG_CONF_ENUM, .words = verdict_words, .def = "declined" },
    { KEY(delay), .type = SG_CONF_DURATION, .def = "0" },
    { KEY(mistake), .type = SG_CONF_ENUM, .words = mistake_words, .def = "nothing" },
    { KEY(special), .type = SG_CONF_FLAGS, .words = special_words },
    { KEY(label), .type = SG_CONF_STRING, .def = "async" },
    { .name = NULL },
};

struct later {
    struct later *next;
    struct sg_pending *pending;
    enum sg_verdict verdict;
};

/* All that wait in this process. */
static struct later *waiting;

static void
later_unlink(struct later *later)
{
    struct later **at = &waiting;

    while (*at != later)
        at = &(*at)->next;
    *at = later->next;
}

static void
later_fire(struct sg_instance *inst, struct sg_session *s, void *arg)
{
    const struct async_conf *conf = sg_instance_conf(inst);
    struct later *later = arg;

    sg_session_doing(s, NULL);
    sg_pending_resolve(later->pending, later->verdict);
    if (conf->mistake == MISTAKE_TWICE)
        sg_pending_resolve(later->pending, later->verdict);
    later_unlink(later);
    free(later);
}

static void
async_cancel(struct sg_instance *inst, struct sg_pending *pending)
{
    for (struct later *later = waiting; later; later = later->next)
        if (later->pending == pending) {
            later_unlink(later);
            free(later);
            break;
        }
    sg_log(inst, SG_LOG_NOTICE, "an answer is no longer wanted");
}

static enum sg_verdict
async_answer(struct sg_instance *inst, struct sg_session *s, int64_t verdict, struct sg_decision *decision)
{
    const struct async_conf *conf = sg_instance_conf(inst);
    struct later *later;

    decision->label = conf->label;
    decision->special = (unsigned)conf->special;
    if (verdict == SG_DECLINED)
        return SG_DECLINED;
    if (conf->mistake == MISTAKE_NO_HANDLE)
        return SG_AGAIN;
    if (conf->delay == 0)
        return (enum sg_verdict)verdict;
    later = calloc(1, sizeof *later);
    if (!later)
        return SG_ERROR;
    later->verdict = (enum sg_verdict)verdict;
    later->pending = sg_pending_new(inst, s);
    if (!later->pending ||
        (conf->mistake != MISTAKE_NEVER && !sg_timer_start(inst, s, conf->delay, later_fire, later))) {
        free(later);
        return SG_ERROR;
    }
    later->next = waiting;
    waiting = later;
    sg_session_doing(s, "waiting for the async test module");
    return SG_AGAIN;
}

static enum sg_verdict
async_client(struct sg_instance *inst, struct sg_session *s, struct sg_decision *decision)
{
    const struct async_conf *conf = sg_instance_conf(inst);

    return async_answer(inst, s, conf->client, decision);
}

static enum sg_verdict
async_request(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req,
              struct sg_decision *decision)
{
    const struct async_conf *conf = sg_instance_conf(inst);

    (void)req;
    return async_answer(inst, s, conf->request, decision);
}

static enum sg_verdict
async_target(struct sg_instance *inst, struct sg_session *s, const struct sg_request *req, const struct sg_addr *addr,
             struct sg_decision *decision)
{
    const struct async_conf *conf = sg_instance_conf(inst);

    (void)req, (void)addr;
    return async_answer(inst, s, conf->target, decision);
}

static const struct sg_access_ops async_access = {
    .size = sizeof async_access,
    .client = async_client,
    .request = async_request,
    .target = async_target,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("access_async"), .conf = async_items,     .conf_size = sizeof(struct async_conf),
    .cancel = async_cancel,         .access = &async_access,
};
