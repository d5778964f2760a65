/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_pw.c - logins for tests. `users` are "name:password"; a name that is not there is declined. A name of `tricks` is
 * no user: it makes the helper do what it says, whatever the password.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sockgate/module.h>

struct pw_conf {
    struct sg_strings users;
    int64_t delay; /* of the tricks "sleep", "held" and "stranger", milliseconds */
    bool start_fails;
    int64_t start_takes; /* milliseconds */
};

#define KEY(key) .name = #key, .offset = offsetof(struct pw_conf, key)
static const struct sg_conf_item pw_items[] = {
    { KEY(users), .type = SG_CONF_STRINGS },
    { KEY(delay), .type = SG_CONF_DURATION, .def = "1m" },
    { KEY(start_fails), .type = SG_CONF_BOOL, .def = "false" },
    { KEY(start_takes), .type = SG_CONF_DURATION, .def = "0s" },
    { .name = NULL },
};

static void
pw_sleep(int64_t ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        continue;
}

/* So many groups that no answer can hold them. */
static enum sg_verdict
pw_huge(struct sg_answer *answer)
{
    static char group[1024];

    memset(group, 'g', sizeof group - 1);
    for (unsigned i = 0; i < 65; i++)
        (void)!sg_answer_group(answer, group);
    return SG_OK;
}

/* All that the core lets one say, and groups so small that what is around them is larger. */
static enum sg_verdict
pw_groups(struct sg_answer *answer)
{
    for (unsigned i = 0; i < 8000; i++)
        if (sg_answer_group(answer, "g") == -1)
            return SG_ERROR;
    return SG_OK;
}

static enum sg_verdict
pw_trick(const struct pw_conf *conf, const char *name, struct sg_answer *answer)
{
    if (strcmp(name, "sleep") == 0)
        pw_sleep(conf->delay);
    else if (strcmp(name, "crash") == 0)
        abort();
    else if (strcmp(name, "exit") == 0)
        _Exit(0);
    else if (strcmp(name, "error") == 0)
        return SG_ERROR;
    else if (strcmp(name, "again") == 0)
        return SG_AGAIN;
    else if (strcmp(name, "number") == 0)
        return (enum sg_verdict)77;
    else if (strcmp(name, "huge") == 0)
        return pw_huge(answer);
    else if (strcmp(name, "groups") == 0)
        return pw_groups(answer);
    else if (strcmp(name, "nul") == 0)
        (void)!sg_answer_name(answer, "a\0b", 3);
    else if (strcmp(name, "renamed") == 0)
        return sg_answer_name(answer, "somebody", 8) == 0 && sg_answer_group(answer, "staff") == 0 ? SG_OK : SG_ERROR;
    else if (strcmp(name, "expired") == 0)
        sg_answer_reason(answer, "account expired");
    else if (strcmp(name, "held") == 0 || strcmp(name, "stranger") == 0)
        sg_answer_delay(answer, conf->delay);
    else
        return SG_DECLINED;
    if (strcmp(name, "stranger") == 0)
        return SG_DECLINED;
    return strcmp(name, "expired") == 0 || strcmp(name, "held") == 0 ? SG_DENY : SG_OK;
}

static enum sg_verdict
pw_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    const struct pw_conf *conf = sg_instance_conf(inst);
    char name[256];

    memcpy(name, creds->name, creds->name_len);
    name[creds->name_len] = '\0';
    sg_log(inst, SG_LOG_NOTICE, "asked about \"%s\" from listener %s", name, creds->listener);
    for (size_t i = 0; i < conf->users.n; i++) {
        const char *user = conf->users.v[i].text, *password = strchr(user, ':') + 1;

        if ((size_t)(password - 1 - user) != creds->name_len || memcmp(user, creds->name, creds->name_len) != 0)
            continue;
        if (strlen(password) != creds->secret_len || memcmp(password, creds->secret, creds->secret_len) != 0)
            return SG_DENY;
        return sg_answer_name(answer, creds->name, creds->name_len) == 0 ? SG_OK : SG_ERROR;
    }
    return pw_trick(conf, name, answer);
}

static int
pw_start(struct sg_instance *inst, enum sg_process process)
{
    const struct pw_conf *conf = sg_instance_conf(inst);

    if (process != SG_PROCESS_HELPER)
        sg_log(inst, SG_LOG_ERR, "started in a process that has no business with passwords");
    pw_sleep(conf->start_takes);
    return conf->start_fails ? -1 : 0;
}

static const struct sg_auth_ops pw_auth = {
    .size = sizeof pw_auth,
    .method = SG_METHOD_USERPASS,
    .assurance = SG_ASSURANCE_PASSWORD,
    .check = pw_check,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("auth_pw"), .conf = pw_items, .conf_size = sizeof(struct pw_conf),
    .start = pw_start,         .auth = &pw_auth,
};
