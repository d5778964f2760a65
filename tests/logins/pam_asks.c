/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pam_asks.c - a PAM module that does what its arguments say, one after the other, and writes down what it saw:
 *
 *   log=FILE       where the lines go; comes first
 *   ask=off,on     one call of the conversation: off, on, info, error: PAM's styles; binary: one that Linux-PAM has not
 *   ask=           one without messages; ask=many: with 33
 *   quiet=info     as ask, with no place for responses
 *   items          PAM_SERVICE, PAM_USER, PAM_RHOST, PAM_TTY
 *   secret=WORD    PAM_AUTH_ERR if the last hidden prompt was not answered by WORD
 *   user=NAME      PAM_USER becomes NAME
 *   delay=MS       pam_fail_delay()
 *   return=N       goes no further
 *
 * A conversation that fails is written down, and ends nothing: a module that is not ours might go on, too.
 */
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <security/pam_ext.h>

#define ASKS_MAX 33

struct asks {
    pam_handle_t *pam;
    const char *log;
    char last[512]; /* the answer to the last hidden prompt */
};

static void __attribute__((format(printf, 2, 3))) asks_log(const struct asks *a, const char *format, ...)
{
    FILE *out = a->log != NULL ? fopen(a->log, "a") : NULL;
    va_list args;

    if (out == NULL)
        return;
    va_start(args, format);
    (void)vfprintf(out, format, args);
    va_end(args);
    (void)fputc('\n', out);
    (void)fclose(out);
}

static int
asks_style(const char *word, size_t len)
{
    static const struct {
        const char *word;
        int style;
    } styles[] = { { "off", PAM_PROMPT_ECHO_OFF },
                   { "on", PAM_PROMPT_ECHO_ON },
                   { "info", PAM_TEXT_INFO },
                   { "error", PAM_ERROR_MSG },
                   { "binary", 99 } };

    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
        if (strlen(styles[i].word) == len && strncmp(styles[i].word, word, len) == 0)
            return styles[i].style;
    return PAM_TEXT_INFO;
}

static void
asks_answers(struct asks *a, const char *styles, int n, struct pam_response *responses, int status)
{
    char text[1024] = "";
    size_t len = 0;

    for (int i = 0; responses != NULL && i < n; i++) {
        const char *answer = responses[i].resp;

        len += (size_t)snprintf(text + len, sizeof text - len, " %s", answer != NULL ? answer : "-");
        if (answer != NULL)
            (void)snprintf(a->last, sizeof a->last, "%s", answer);
        free(responses[i].resp);
    }
    free(responses);
    asks_log(a, "%s: %s%s", styles, status == PAM_SUCCESS ? "answered" : "refused", text);
}

static void
asks_converse(struct asks *a, const char *styles, int quiet)
{
    struct pam_message message[ASKS_MAX];
    const struct pam_message *messages[ASKS_MAX];
    struct pam_response *responses = NULL;
    const struct pam_conv *conv = NULL;
    const void *item = NULL;
    int n = 0, status;

    for (const char *at = styles; at[0] != '\0' && n < ASKS_MAX;) {
        const size_t len = strcspn(at, ",");

        message[n++] = (struct pam_message){ asks_style(at, len), "so tell me: " };
        at += at[len] == ',' ? len + 1 : len;
    }
    while (strcmp(styles, "many") == 0 && n < ASKS_MAX)
        message[n++] = (struct pam_message){ PAM_TEXT_INFO, "blah" };
    for (int i = 0; i < ASKS_MAX; i++)
        messages[i] = &message[i];
    if (pam_get_item(a->pam, PAM_CONV, &item) != PAM_SUCCESS || item == NULL)
        return;
    conv = item;
    status = conv->conv(n, messages, quiet != 0 ? NULL : &responses, conv->appdata_ptr);
    asks_answers(a, styles, n, responses, status);
}

static void
asks_items(const struct asks *a)
{
    static const int types[] = { PAM_SERVICE, PAM_USER, PAM_RHOST, PAM_TTY };
    const char *text[4];

    for (size_t i = 0; i < 4; i++) {
        const void *item = NULL;

        text[i] = pam_get_item(a->pam, types[i], &item) == PAM_SUCCESS && item != NULL ? item : "-";
    }
    asks_log(a, "items: %s %s %s %s", text[0], text[1], text[2], text[3]);
}

static int
asks_run(pam_handle_t *pam, int argc, const char **argv)
{
    struct asks a = { .pam = pam };

    for (int i = 0; i < argc; i++) {
        const char *value = strchr(argv[i], '=');

        value = value != NULL ? value + 1 : "";
        if (strncmp(argv[i], "log=", 4) == 0)
            a.log = value;
        else if (strncmp(argv[i], "ask=", 4) == 0)
            asks_converse(&a, value, 0);
        else if (strncmp(argv[i], "quiet=", 6) == 0)
            asks_converse(&a, value, 1);
        else if (strcmp(argv[i], "items") == 0)
            asks_items(&a);
        else if (strncmp(argv[i], "user=", 5) == 0)
            (void)pam_set_item(pam, PAM_USER, value);
        else if (strncmp(argv[i], "delay=", 6) == 0)
            (void)pam_fail_delay(pam, (unsigned)strtoul(value, NULL, 10) * 1000);
        else if (strncmp(argv[i], "return=", 7) == 0)
            return (int)strtol(value, NULL, 10);
        else if (strncmp(argv[i], "secret=", 7) == 0 && strcmp(value, a.last) != 0)
            return PAM_AUTH_ERR;
    }
    return PAM_SUCCESS;
}

#pragma GCC visibility push(default)

int
pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)flags;
    return asks_run(pam, argc, argv);
}

int
pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)pam, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

int
pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)flags;
    return asks_run(pam, argc, argv);
}

#pragma GCC visibility pop
