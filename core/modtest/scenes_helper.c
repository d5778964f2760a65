/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenes_helper.c - check() and work() by themselves, as a helper calls them: names and secrets of every length.
 */
#include <string.h>

#include "answer.h"
#include "modtest/modtest.h"

static char octets[256];

static enum sg_verdict
helper_check(struct sg_instance *inst, enum sg_creds_kind kind, const char *name, size_t name_len, const char *secret,
             size_t secret_len)
{
    const struct sg_addr client = { .family = SG_FAMILY_IPV4, .port = 40000, .ip = { 192, 0, 2, 1 } };
    const struct sg_creds creds = { .size = sizeof creds,
                                    .kind = kind,
                                    .name = name,
                                    .name_len = name_len,
                                    .secret = secret,
                                    .secret_len = secret_len,
                                    .client = client,
                                    .local = client,
                                    .listener = "modtest" };
    struct sg_answer answer = { 0 };
    enum sg_verdict verdict;

    sg_answer_init(&answer, inst->mod->auth->assurance);
    verdict = inst->mod->auth->check(inst, &creds, &answer);
    (void)sg_verdict_judge(inst, NULL, SG_PHASE_AUTH_CHECK, verdict);
    if (verdict == SG_OK && answer.failed)
        sg_module_error(inst, NULL, "its answer did not fit");
    if (verdict == SG_OK && answer.assurance >= SG_ASSURANCE_PASSWORD && kind == SG_CREDS_NONE)
        mt_mistake("check() says that who has shown nothing has proven a password: lower `assurance`");
    sg_answer_free(&answer);
    return verdict;
}

static void
helper_passwords(struct sg_instance *inst)
{
    static const size_t lens[] = { 1, 2, 63, 64, 127, 128, 254, 255 };
    const size_t n = sizeof lens / sizeof lens[0];

    (void)helper_check(inst, SG_CREDS_PASSWORD, octets, 1, octets, 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j += i == 0 || i == n - 1 ? 1 : n - 1)
            if (helper_check(inst, SG_CREDS_PASSWORD, octets, lens[i], octets + 1, lens[j]) == SG_OK &&
                inst->mod->auth->assurance >= SG_ASSURANCE_PASSWORD)
                mt_mistake("check() lets in whoever comes: a name and a secret that were made up are SG_OK");
}

/* A good login, and what is nearly one. */
static void
helper_login(struct sg_instance *inst)
{
    const size_t name_len = strlen(mt_options.user), len = strlen(mt_options.password);
    char secret[256] = "";

    memcpy(secret, mt_options.password, len);
    secret[len] = 'x';
    if (helper_check(inst, SG_CREDS_PASSWORD, mt_options.user, name_len, secret, len) != SG_OK)
        mt_mistake("check() refuses the login that was given with --login");
    if (helper_check(inst, SG_CREDS_PASSWORD, mt_options.user, name_len, secret, len + 1) == SG_OK)
        mt_mistake("check() lets in a secret that is longer than the right one: compare secret_len too");
    if (len > 1 && helper_check(inst, SG_CREDS_PASSWORD, mt_options.user, name_len, secret, len - 1) == SG_OK)
        mt_mistake("check() lets in a secret that is only the beginning of the right one: compare secret_len too");
}

void
mt_scene_helper(unsigned n)
{
    struct sg_instance *inst;
    struct mt_world w;

    (void)n;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)(i % 255 + 1);
    if (mt_world_load(&w, false) == -1)
        return;
    inst = w.inst;
    mt_wrap_process(inst->mod->auth != NULL && inst->mod->auth->in_worker ? SG_PROCESS_WORKER : SG_PROCESS_HELPER);
    if (inst->mod->start != NULL &&
        inst->mod->start(inst, inst->mod->auth != NULL && inst->mod->auth->in_worker ? SG_PROCESS_WORKER
                                                                                     : SG_PROCESS_HELPER) != 0) {
        mt_start_failed("helper");
        return;
    }
    if (inst->mod->auth != NULL && inst->mod->auth->check != NULL) {
        if (inst->mod->auth->method == SG_METHOD_NONE)
            (void)helper_check(inst, SG_CREDS_NONE, "", 0, "", 0);
        (void)helper_check(inst, SG_CREDS_USERID, octets, 0, octets, 0);
        (void)helper_check(inst, SG_CREDS_USERID, octets, 255, octets, 0);
        if (inst->mod->auth->method == SG_METHOD_USERPASS)
            helper_passwords(inst);
        if (mt_options.user != NULL && inst->mod->auth->method == SG_METHOD_USERPASS)
            helper_login(inst);
    }
    if (inst->mod->work != NULL) {
        (void)inst->mod->work(inst, octets, 0);
        (void)inst->mod->work(inst, octets, 1);
        (void)inst->mod->work(inst, octets, 255);
    }
    if (inst->mod->stop != NULL)
        inst->mod->stop(inst);
    mt_world_unload(&w);
    mt_log_read();
}
