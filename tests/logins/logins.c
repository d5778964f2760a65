/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logins.c - an auth module without a gateway: loads the instances of a configuration, calls start() as a helper does, and
 * puts logins to the check() of one instance.
 *
 *   usage: logins CONF INSTANCE
 *   each line of standard input: KIND CLIENT-IP CLIENT-PORT LOCAL-IP LOCAL-PORT NAME SECRET; the last two in hexadecimal, or "-"
 *   each line of standard output, separated by tabs: VERDICT NAME GROUPS ASSURANCE DELAY-MS NANOSECONDS REASON
 *
 * NAME in hexadecimal, GROUPS with commas, NANOSECONDS the CPU time of the call; the error log is standard error. Exit
 * status 3: the configuration is wrong.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "conf.h"
#include "conf_text.h"
#include "diag.h"
#include "log.h"
#include "module.h"

static const char *const verdicts[] = { "ERROR", "OK", "DECLINED", "UNDECIDED", "DENY", "AGAIN" };

static void
told(void *arg, int level, const char *text)
{
    (void)arg, (void)level;
    (void)fprintf(stderr, "%s\n", text);
}

static int
read_addr(const char *ip, const char *port, struct sg_addr *addr)
{
    const int family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;

    *addr = (struct sg_addr){ .family = family == AF_INET ? SG_FAMILY_IPV4 : SG_FAMILY_IPV6,
                              .port = (uint16_t)strtoul(port, NULL, 10) };
    return inet_pton(family, ip, addr->ip) == 1 ? 0 : -1;
}

static int
read_hex(const char *text, char *octets, size_t size, size_t *len)
{
    *len = 0;
    return strcmp(text, "-") == 0 ? 0
                                  : sodium_hex2bin((unsigned char *)octets, size, text, strlen(text), NULL, len, NULL);
}

static int
read_creds(char *line, struct sg_creds *creds, char name[512], char secret[512])
{
    char *at = NULL, *word[7];

    for (size_t i = 0; i < 7; i++)
        if ((word[i] = strtok_r(i == 0 ? line : NULL, " \n", &at)) == NULL)
            return -1;
    *creds = (struct sg_creds){ .size = sizeof *creds, .name = name, .secret = secret, .listener = "main" };
    creds->kind = word[0][0] == 'p' ? SG_CREDS_PASSWORD : word[0][0] == 'u' ? SG_CREDS_USERID : SG_CREDS_NONE;
    return read_addr(word[1], word[2], &creds->client) == -1 || read_addr(word[3], word[4], &creds->local) == -1 ||
                   read_hex(word[5], name, 512, &creds->name_len) != 0 ||
                   read_hex(word[6], secret, 512, &creds->secret_len) != 0
               ? -1
               : 0;
}

static int64_t
cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
ask(struct sg_instance *inst, const struct sg_creds *creds)
{
    struct sg_answer answer;
    enum sg_verdict verdict;
    char name[2 * SG_ANSWER_NAME_MAX + 1]; /* in hexadecimal */
    int64_t began;

    sg_answer_init(&answer, inst->mod->auth->assurance);
    began = cpu_ns();
    verdict = inst->mod->auth->check(inst, creds, &answer);
    began = cpu_ns() - began;
    (void)printf("%s\t%s\t", verdicts[verdict],
                 sodium_bin2hex(name, sizeof name, (unsigned char *)answer.name, answer.name_len));
    for (unsigned i = 0; i < answer.n_groups; i++)
        (void)printf("%s%s", i > 0 ? "," : "", answer.groups[i]);
    (void)printf("\t%u\t%u\t%" PRId64 "\t%s\n", answer.assurance, answer.delay_ms, began,
                 answer.reason != NULL ? answer.reason : "");
    (void)fflush(stdout);
    sg_answer_free(&answer);
}

static int
serve(struct sg_instances *all, const char *name)
{
    struct sg_instance *inst = sg_instance_find(all, name);
    char line[4096], user[512], secret[512];
    struct sg_creds creds;
    int status = 0;

    if (inst == NULL || inst->mod->auth == NULL || sg_instances_start(all, SG_PROCESS_HELPER) == -1)
        return 1;
    while (status == 0 && fgets(line, sizeof line, stdin) != NULL) {
        status = read_creds(line, &creds, user, secret);
        if (status == 0)
            ask(inst, &creds);
    }
    sg_instances_stop(all);
    return status == 0 ? 0 : 2;
}

int
main(int argc, char **argv)
{
    struct sg_diag *diag = sg_diag_new();
    struct sg_conf_text *text;
    struct sg_conf *conf;
    struct sg_instances *all = NULL;
    int status = 3;

    if (argc != 3 || sodium_init() == -1)
        return 2;
    text = sg_conf_text_read(argv[1], diag);
    conf = text != NULL ? sg_conf_read(text, diag) : NULL;
    if (conf != NULL)
        all = sg_instances_load(conf, diag);
    sg_diag_show(diag, NULL, told, NULL);
    if (all != NULL && sg_diag_errors(diag) == 0)
        status = serve(all, argv[2]);
    if (all != NULL)
        sg_instances_free(all);
    sg_conf_free(conf);
    sg_diag_free(diag);
    return status;
}
