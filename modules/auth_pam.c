/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_pam.c - METHOD X'02' through PAM: whatever the stack of a service says, in both of its phases.
 *
 * Runs in helper processes, because stacks block for as long as they like. What a stack may ask for is little: SOCKS has
 * one name and one password, and neither is given to a prompt that may have meant something else.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sockgate/module.h>

#define PAM_TEXT_MAX 255 /* RFC 1929: UNAME and PASSWD */
#define PAM_GROUPS_MAX 65536

struct pam_conf {
    const char *service;
    const char *service_dir;
    bool groups;
};

static const struct sg_conf_item pam_items[] = {
    { .name = "service",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct pam_conf, service),
      .def = "sockgate",
      .help = "the PAM service: the name of its file in /etc/pam.d" },
    { .name = "service_dir",
      .type = SG_CONF_STRING,
      .offset = offsetof(struct pam_conf, service_dir),
      .help = "the folder with that file, absolute; if not given, PAM's own" },
    { .name = "groups",
      .type = SG_CONF_BOOL,
      .offset = offsetof(struct pam_conf, groups),
      .def = "false",
      .help = "take the groups that the system knows the user to be in" },
    { .name = NULL },
};

static int
pam_init(struct sg_instance *inst)
{
    static const char small[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    const struct pam_conf *conf = sg_instance_conf(inst);
    const char *const dirs[] = { conf->service_dir != NULL ? conf->service_dir : "/etc/pam.d", "/usr/lib/pam.d" };
    struct sg_where where = sg_conf_where(inst, "service");
    char path[4096];

    if (conf->service[0] == '\0' || conf->service[strspn(conf->service, small)] != '\0') {
        sg_conf_error(inst, &where, "service: \"%s\" is no name of a PAM service: small letters, digits, \"._-\"",
                      conf->service);
        return -1;
    }
    if (dirs[0][0] != '/') {
        where = sg_conf_where(inst, "service_dir");
        sg_conf_error(inst, &where, "service_dir: \"%s\" is not absolute", dirs[0]);
        return -1;
    }
    for (size_t i = 0; i < (conf->service_dir != NULL ? 1 : 2); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dirs[i], conf->service);
        if (access(path, F_OK) == 0)
            return 0;
    }
    sg_conf_error(inst, &where, "service: there is no file %s/%s: every login would be refused", dirs[0],
                  conf->service);
    return -1;
}

/* ---- the conversation */

/* One login. */
struct login {
    char user[PAM_TEXT_MAX + 1], secret[PAM_TEXT_MAX + 1];
    bool user_given, secret_given;
    bool strange; /* the stack asked for something that a SOCKS client has not sent */
    unsigned delay_us;
};

static void
wipe(void *memory, size_t len)
{
    explicit_bzero(memory, len);
}

/* A copy for PAM, which frees it. NULL: what this prompt asks for is not given, or not again. */
static char *
login_prompted(struct login *login, int style)
{
    const bool secret = style == PAM_PROMPT_ECHO_OFF;

    /* Behind the password comes a second factor or a new password: neither is a name. */
    if ((!secret && style != PAM_PROMPT_ECHO_ON) || login->secret_given || (!secret && login->user_given))
        return NULL;
    *(secret ? &login->secret_given : &login->user_given) = true;
    return strdup(secret ? login->secret : login->user);
}

/* PAM's conversation. Some modules pass no `responses` if they only have something to say. */
static int
login_converse(int n, const struct pam_message **messages, struct pam_response **responses, void *arg)
{
    struct login *login = arg;
    struct pam_response *made;
    bool good = true;

    if (n <= 0 || n > PAM_MAX_NUM_MSG || (made = calloc((size_t)n, sizeof *made)) == NULL) {
        login->strange = true;
        return PAM_CONV_ERR;
    }
    for (int i = 0; i < n && good; i++) {
        const int style = messages[i]->msg_style;

        if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG)
            continue;
        made[i].resp = responses != NULL ? login_prompted(login, style) : NULL;
        good = made[i].resp != NULL;
    }
    if (good && responses != NULL) {
        *responses = made;
        return PAM_SUCCESS;
    }
    for (int i = 0; i < n; i++)
        if (made[i].resp != NULL) {
            wipe(made[i].resp, strlen(made[i].resp));
            free(made[i].resp);
        }
    free(made);
    login->strange = login->strange || !good;
    return good ? PAM_SUCCESS : PAM_CONV_ERR;
}

/* Called in place of a sleep. */
static void
login_delay(int status, unsigned delay_us, void *arg)
{
    struct login *login = arg;

    if (status != PAM_SUCCESS)
        login->delay_us = delay_us;
}

/* ---- the groups */

/* -1: NSS could not say. */
static int
groups_answer(gid_t gid, struct sg_answer *answer, char *buffer, size_t size)
{
    struct group entry, *found;
    const int err = getgrgid_r(gid, &entry, buffer, size, &found);

    if (err != 0)
        return -1;
    return found != NULL ? sg_answer_group(answer, found->gr_name) : 0;
}

/* A user without an entry (one that only a RADIUS server knows, say) has no groups. -1: it could not be found out. */
static int
groups_of(const char *user, struct sg_answer *answer)
{
    const size_t size = 1 << 20; /* the members of a large group are in there too */
    char *buffer = malloc(size);
    gid_t *gids = calloc(PAM_GROUPS_MAX, sizeof *gids);
    int n = PAM_GROUPS_MAX, status = -1;
    struct passwd entry, *found;

    if (buffer == NULL || gids == NULL || getpwnam_r(user, &entry, buffer, size, &found) != 0)
        goto out;
    status = 0;
    if (found == NULL)
        goto out;
    status = getgrouplist(user, found->pw_gid, gids, &n) == -1 ? -1 : 0;
    for (int i = 0; i < n && status == 0; i++)
        status = groups_answer(gids[i], answer, buffer, size);
out:
    free(gids);
    free(buffer);
    return status;
}

/* ---- what PAM says */

/* The same words for the same thing, whichever module of the stack has said it. */
static enum sg_verdict
login_refused(struct sg_instance *inst, const struct login *login, pam_handle_t *pam, int status, bool account,
              struct sg_answer *answer)
{
    static const struct {
        int status;
        enum sg_verdict in_auth, in_account;
        const char *auth, *account;
    } table[] = {
        { PAM_USER_UNKNOWN, SG_DECLINED, SG_DENY, "unknown user", "no such account" },
        { PAM_AUTH_ERR, SG_DENY, SG_DENY, "wrong password", "account locked or refused" },
        { PAM_PERM_DENIED, SG_DENY, SG_DENY, "not permitted", "account locked or not permitted here" },
        { PAM_MAXTRIES, SG_DENY, SG_DENY, "too many tries", "too many tries" },
        { PAM_ACCT_EXPIRED, SG_DENY, SG_DENY, "account expired", "account expired" },
        { PAM_NEW_AUTHTOK_REQD, SG_DENY, SG_DENY, "password expired", "password expired" },
        { PAM_AUTHTOK_EXPIRED, SG_DENY, SG_DENY, "password expired", "password expired" },
        { PAM_CRED_EXPIRED, SG_DENY, SG_DENY, "account expired", "account expired" },
    };

    if (login->strange) {
        sg_answer_reason(answer, "the PAM stack asks for more than a name and a password");
        return SG_DENY;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status) {
            sg_answer_reason(answer, account ? table[i].account : table[i].auth);
            return account ? table[i].in_account : table[i].in_auth;
        }
    sg_answer_reason(answer, "unavailable");
    sg_slog(inst, NULL, SG_LOG_ERR, "PAM, %s: %s", account ? "account" : "authentication", pam_strerror(pam, status));
    return SG_ERROR;
}

/* The name is the one that the stack has made of it. */
static enum sg_verdict
login_granted(const struct pam_conf *conf, pam_handle_t *pam, struct sg_answer *answer)
{
    const void *item = NULL;
    const char *user;

    if (pam_get_item(pam, PAM_USER, &item) != PAM_SUCCESS || item == NULL || ((const char *)item)[0] == '\0') {
        sg_answer_reason(answer, "the PAM stack has left no name");
        return SG_ERROR;
    }
    user = item;
    if (sg_answer_name(answer, user, strlen(user)) == -1)
        return SG_ERROR;
    if (conf->groups && groups_of(user, answer) == -1) {
        sg_answer_reason(answer, "the groups could not be found out");
        return SG_ERROR;
    }
    return SG_OK;
}

static int
login_items(pam_handle_t *pam, const struct sg_creds *creds)
{
    void (*const delay)(int, unsigned, void *) = login_delay;
    char client[SG_ADDR_TEXT];
    const void *delay_item;
    int status = pam_set_item(pam, PAM_RHOST, sg_addr_format_ip(&creds->client, client, sizeof client));

    if (status == PAM_SUCCESS)
        status = pam_set_item(pam, PAM_TTY, "sockgate");
    memcpy(&delay_item, &delay, sizeof delay_item); /* PAM takes the function itself for the item */
    return status == PAM_SUCCESS ? pam_set_item(pam, PAM_FAIL_DELAY, delay_item) : status;
}

static enum sg_verdict
login_ask(struct sg_instance *inst, struct login *login, const struct sg_creds *creds, struct sg_answer *answer)
{
    const struct pam_conf *conf = sg_instance_conf(inst);
    const struct pam_conv converse = { login_converse, login };
    enum sg_verdict verdict = SG_ERROR;
    pam_handle_t *pam = NULL;
    bool account = false;
    int status = conf->service_dir != NULL
                     ? pam_start_confdir(conf->service, login->user, &converse, conf->service_dir, &pam)
                     : pam_start(conf->service, login->user, &converse, &pam);

    if (status != PAM_SUCCESS) {
        sg_answer_reason(answer, "unavailable");
        sg_slog(inst, NULL, SG_LOG_ERR, "PAM, service \"%s\": %s", conf->service, pam_strerror(pam, status));
        return SG_ERROR;
    }
    status = login_items(pam, creds);
    if (status == PAM_SUCCESS)
        status = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (status == PAM_SUCCESS) {
        account = true;
        status = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    }
    verdict = status == PAM_SUCCESS ? login_granted(conf, pam, answer)
                                    : login_refused(inst, login, pam, status, account, answer);
    (void)pam_end(pam, status);
    sg_answer_delay(answer, login->delay_us / 1000);
    return verdict;
}

static enum sg_verdict
pam_check(struct sg_instance *inst, const struct sg_creds *creds, struct sg_answer *answer)
{
    struct login login = { .delay_us = 0 };
    enum sg_verdict verdict;

    if (creds->kind != SG_CREDS_PASSWORD)
        return SG_DECLINED;
    if (creds->name_len == 0 || creds->name_len > PAM_TEXT_MAX || creds->secret_len > PAM_TEXT_MAX ||
        memchr(creds->name, '\0', creds->name_len) != NULL || memchr(creds->secret, '\0', creds->secret_len) != NULL) {
        sg_answer_reason(answer, "a name or password that PAM cannot be asked about");
        return SG_DENY;
    }
    memcpy(login.user, creds->name, creds->name_len);
    memcpy(login.secret, creds->secret, creds->secret_len);
    verdict = login_ask(inst, &login, creds, answer);
    wipe(&login, sizeof login);
    return verdict;
}

static const struct sg_auth_ops pam_auth = {
    .size = sizeof pam_auth,
    .method = SG_METHOD_USERPASS,
    .assurance = SG_ASSURANCE_PASSWORD,
    .check = pam_check,
};

const struct sg_module sg_module = {
    SG_MODULE_HEAD("auth_pam"),           .version = "0.1.0", .conf = pam_items,
    .conf_size = sizeof(struct pam_conf), .init = pam_init,   .auth = &pam_auth,
};
