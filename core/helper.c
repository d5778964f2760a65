/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helper.c - the process in which checks and work() run.
 *
 *   wait --> take a job --> is it still wanted? --> say who we are --> check() or work() --> answer, close --> wait
 */
#include "helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "image_core.h"
#include "job_wire.h"
#include "log.h"
#include "pool.h"
#include "wipe.h"

static struct {
    const struct sg_helper_boot *boot;
    struct sg_msg order, reply; /* large */
    bool orphan;
    int64_t jobs_done;
} helper;

/* The worker has closed its end: the client is gone, or the time is over. */
static bool
helper_withdrawn(int fd)
{
    struct pollfd poll_fd = { fd, POLLIN, 0 };

    return poll(&poll_fd, 1, 0) > 0;
}

static enum sg_verdict
helper_do(const struct sg_job_order *order, struct sg_answer *answer)
{
    struct sg_instance *inst = helper.boot->inst;
    const struct sg_module *mod = inst->mod;

    if (order->creds.kind == 0)
        return mod->work != NULL ? mod->work(inst, order->work, order->work_len) : SG_ERROR;
    if (mod->auth == NULL || mod->auth->check == NULL)
        return SG_ERROR;
    sg_answer_init(answer, mod->auth->assurance);
    return mod->auth->check(inst, &order->creds, answer);
}

static void
helper_job(const struct sg_job_order *order, int fd)
{
    struct sg_answer answer = { 0 };
    enum sg_verdict verdict;

    sg_job_put_taken(&helper.reply, getpid());
    if (sg_msg_offer(fd, &helper.reply) == -1)
        return;
    verdict = helper_do(order, &answer);
    sg_job_put_answer(&helper.reply, verdict, &answer);
    sg_answer_free(&answer);
    /* Nobody may want it any more: then it is lost here, and cannot arrive anywhere else. */
    (void)sg_msg_offer(fd, &helper.reply);
}

/* 1: there was a job; -1: another helper has it; 0: there will never be one again. */
static int
helper_take(void)
{
    struct sg_job_order order;
    int fd;
    const int got = sg_msg_recv(helper.boot->jobs, &helper.order);

    if (got != 1)
        return got;
    atomic_store(&helper.boot->status->busy_since_ms, sg_mono_ms());
    fd = sg_msg_take_fd(&helper.order, SG_TAG_FD);
    if (fd == -1 || sg_job_get_order(&helper.order, &order) == -1)
        sg_logf_limited(SG_LOG_ERR, "a job makes no sense: a worker is broken");
    else if (!helper_withdrawn(fd))
        helper_job(&order, fd);
    /* The secret first: the answer wakes the worker only when the channel is closed behind it. */
    sg_wipe(helper.order.data, helper.order.len);
    if (fd != -1)
        (void)close(fd);
    sg_msg_close_fds(&helper.order);
    helper.jobs_done++;
    atomic_store(&helper.boot->status->busy_since_ms, 0);
    return 1;
}

static void
helper_order(struct sg_msg *msg)
{
    const int fd = msg->type == SG_MSG_REOPEN ? sg_msg_take_fd(msg, SG_TAG_LOG_FD) : -1;

    if (fd != -1)
        sg_log_take_fd(fd);
    if (msg->type == SG_MSG_IMAGE)
        sg_images_receive(msg, helper.boot->channel);
}

static void
helper_orders(void)
{
    const struct sigaction obey = { .sa_handler = SIG_DFL };
    int got;

    while ((got = sg_msg_recv(helper.boot->channel, &helper.order)) == 1) {
        helper_order(&helper.order);
        sg_msg_close_fds(&helper.order);
    }
    if (got != 0)
        return;
    /* Workers may still drain. The master can end us with the only voice that is left. */
    helper.orphan = true;
    (void)sigaction(SIGTERM, &obey, NULL);
}

static bool
helper_retires(void)
{
    return helper.boot->conf->max_requests > 0 && helper.jobs_done >= helper.boot->conf->max_requests;
}

static void
helper_loop(void)
{
    struct pollfd fds[2] = { { helper.boot->jobs, POLLIN, 0 }, { helper.boot->channel, POLLIN, 0 } };

    do {
        fds[1].fd = helper.orphan ? -1 : helper.boot->channel;
        if (poll(fds, 2, -1) == -1)
            continue;
        if (fds[1].revents != 0)
            helper_orders();
        if (fds[0].revents != 0 && helper_take() == 0)
            break; /* end of file */
    } while (!helper_retires());
}

int
sg_helper_main(const struct sg_helper_boot *boot)
{
    struct sg_instance *inst = boot->inst;

    helper.boot = boot;
    if (inst->mod->start != NULL && inst->mod->start(inst, SG_PROCESS_HELPER) != 0) {
        sg_logf(SG_LOG_EMERG, "module \"%s\": its start failed, in a process of uid %lu", inst->name,
                (unsigned long)geteuid());
        return 1;
    }
    atomic_store(&boot->status->busy_since_ms, 0);
    sg_msg_begin(&helper.reply, SG_MSG_WORKER_READY);
    if (sg_msg_send(boot->channel, &helper.reply) == -1)
        return 1;
    helper_loop();
    if (inst->mod->stop != NULL)
        inst->mod->stop(inst);
    return 0;
}
