/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.c - one question from the command line with its whole trace, or many from standard input, an answer a line.
 */
#include "explain.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addrs.h"
#include "log.h"
#include "question.h"

#define EXIT_USAGE 2
#define DEFAULT_CONF SG_SYSCONFDIR "/sockgate.conf"

static const int exit_codes[] = { [SG_REPLY_ALLOW] = 0, [SG_REPLY_DENY] = 3, [SG_REPLY_LOOKUP] = 4 };

struct explain {
    const char *conf;
    bool batch;
    struct sg_question question; /* with --batch: what each line begins with */
};

static void
usage(FILE *out)
{
    (void)fputs(
        "usage: sockgatectl explain [-c FILE] --to HOST:PORT [OPTION...]\n"
        "       sockgatectl explain [-c FILE] --batch [OPTION...]\n"
        "  -c FILE             configuration (" DEFAULT_CONF "; without that, the embedded one)\n"
        "  --to HOST:PORT      what is to be reached: a name or an address\n"
        "  --command COMMAND   connect (the default), bind, udp_associate\n"
        "  --listener NAME     where the client comes in; the first of the configuration\n"
        "  --client ADDRESS    where the client comes from; 127.0.0.1\n"
        "  --user NAME         who it is; without this, nobody has logged in\n"
        "  --group NAME[,...]  the user's groups\n"
        "  --method METHOD     none, gssapi, password or two hexadecimal digits; password if there is a user\n"
        "  --assurance LEVEL   none, asserted, password, kerberos; password if there is a user\n"
        "  --resolves ADDRESS[,...]  take these for the addresses of the name, or of who\n"
        "                      connects to a BIND to 0.0.0.0\n"
        "  --resolve           ask the name servers, if the answer depends on an address\n"
        "  --batch             read questions from standard input, one a line: KEY=VALUE, separated by blanks,\n"
        "                      keys as above; write an answer a line: allow, deny or lookup, REP, reason, rule,\n"
        "                      FILE:LINE, separated by tabs\n"
        "exit status: 0 allowed, 3 denied, 4 it depends on an address, 1 error, 2 usage\n",
        out);
}

/* -1: go on; else the exit status. */
static int
explain_options(struct explain *e, int argc, char **argv)
{
    static const struct option longs[] = {
        { "to", required_argument, NULL, 'q' },
        { "command", required_argument, NULL, 'q' },
        { "listener", required_argument, NULL, 'q' },
        { "client", required_argument, NULL, 'q' },
        { "user", required_argument, NULL, 'q' },
        { "group", required_argument, NULL, 'q' },
        { "method", required_argument, NULL, 'q' },
        { "assurance", required_argument, NULL, 'q' },
        { "resolves", required_argument, NULL, 'q' },
        { "resolve", no_argument, NULL, 'r' },
        { "batch", no_argument, NULL, 'b' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    char why[256];
    int c, index = 0;

    while ((c = getopt_long(argc, argv, "c:h", longs, &index)) != -1) {
        switch (c) {
        case 'c': e->conf = optarg; break;
        case 'b': e->batch = true; break;
        case 'r': e->question.resolve = true; break;
        case 'q':
            if (sg_question_set(&e->question, longs[index].name, optarg, why, sizeof why) == 0)
                break;
            (void)fprintf(stderr, "sockgatectl: --%s: %s\n", longs[index].name, why);
            return EXIT_USAGE;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return EXIT_USAGE;
        }
    }
    if (optind == argc && (e->batch || e->question.to != NULL))
        return -1;
    if (optind != argc)
        (void)fprintf(stderr, "sockgatectl: unexpected argument \"%.80s\"\n", argv[optind]);
    else
        (void)fprintf(stderr, "sockgatectl: --to is missing\n");
    usage(stderr);
    return EXIT_USAGE;
}

static void
explain_line(struct sg_trace *trace, const struct sg_where *where, const char *text)
{
    (void)trace;
    if (where != NULL && where->line != 0)
        (void)printf("  %s:%u: %s\n", where->file, where->line, text);
    else
        (void)printf("  %s\n", text);
}

static void
explain_rep(const struct sg_policy_reply *reply, char text[3])
{
    if (reply->rep == -1)
        (void)snprintf(text, 3, "-");
    else
        (void)snprintf(text, 3, "%02x", (unsigned)reply->rep & 0xff);
}

static void
explain_reply(const struct sg_policy_reply *reply, uint8_t cmd)
{
    char rep[3], addr[SG_ADDR_TEXT];

    explain_rep(reply, rep);
    (void)printf("%s", sg_reply_name(reply->kind));
    if (reply->kind == SG_REPLY_DENY)
        (void)printf(", reason %s, REP %s", sg_reason_name(reply->reason), rep);
    else if (reply->kind == SG_REPLY_LOOKUP)
        (void)printf(": it depends on %s", reply->any_peer ? "who connects (--resolves)"
                                                           : "the addresses of the name (--resolve, --resolves)");
    else if (reply->addr.family != SG_FAMILY_NONE && cmd == SG_CMD_BIND)
        (void)printf(", %s may connect", sg_addr_format_ip(&reply->addr, addr, sizeof addr));
    else if (reply->addr.family != SG_FAMILY_NONE)
        (void)printf(", %s would be dialled", sg_addr_format(&reply->addr, addr, sizeof addr));
    if (reply->label[0] != '\0')
        (void)printf(", rule \"%s\"", reply->label);
    if (reply->file != NULL)
        (void)printf(" at %s:%u", reply->file, reply->line);
    (void)putchar('\n');
}

static int
explain_one(const struct sg_question *question)
{
    struct sg_trace trace = { .line = explain_line };
    struct sg_question q = *question;
    struct sg_policy_reply reply;
    char why[256];

    q.trace = &trace;
    if (sg_question_ask(&q, &reply, why, sizeof why) == -1) {
        (void)fprintf(stderr, "sockgatectl: %s\n", why);
        return 1;
    }
    explain_reply(&reply, q.cmd);
    return exit_codes[reply.kind];
}

/* One line of a batch. -1 and `why`. */
static int
explain_batch_line(struct sg_question *q, char *line, char *why, size_t size)
{
    struct sg_policy_reply reply;
    char *at = NULL, rep[3];

    for (char *word = strtok_r(line, " \t", &at); word != NULL; word = strtok_r(NULL, " \t", &at)) {
        char *equals = strchr(word, '=');

        if (equals == NULL) {
            (void)snprintf(why, size, "\"%.80s\" is not KEY=VALUE", word);
            return -1;
        }
        *equals = '\0';
        if (sg_question_set(q, word, equals + 1, why, size) == -1)
            return -1;
    }
    if (sg_question_ask(q, &reply, why, size) == -1)
        return -1;
    explain_rep(&reply, rep);
    (void)printf("%s\t%s\t%s\t%s\t", sg_reply_name(reply.kind), rep,
                 reply.kind == SG_REPLY_DENY ? sg_reason_name(reply.reason) : "-",
                 reply.label[0] != '\0' ? reply.label : "-");
    if (reply.file != NULL)
        (void)printf("%s:%u\n", reply.file, reply.line);
    else
        (void)printf("-\n");
    return 0;
}

/* A line that cannot be understood is answered too, so that answers stay beside their questions. */
static int
explain_batch(const struct sg_question *question)
{
    char *line = NULL, why[256];
    size_t size = 0, number = 0;
    int status = 0;

    while (getline(&line, &size, stdin) != -1) {
        struct sg_question q = *question;

        number++;
        line[strcspn(line, "\r\n")] = '\0';
        if (explain_batch_line(&q, line, why, sizeof why) == 0)
            continue;
        (void)printf("error\t-\t-\t-\t-\n");
        (void)fprintf(stderr, "sockgatectl: line %zu: %s\n", number, why);
        status = 1;
    }
    free(line);
    return status;
}

static int
explain_with(const struct explain *e, struct sg_load *load)
{
    int status;

    if (!sg_load_good(load)) {
        sg_load_show(load, NULL, 0);
        return 1;
    }
    if (sg_questions_open(load) == -1)
        return 1;
    status = e->batch ? explain_batch(&e->question) : explain_one(&e->question);
    sg_questions_close();
    return status;
}

int
sg_explain_main(int argc, char **argv)
{
    struct explain e = { .conf = access(DEFAULT_CONF, F_OK) == 0 ? DEFAULT_CONF : NULL };
    struct sg_load load;
    int status;

    sg_question_init(&e.question);
    status = explain_options(&e, argc, argv);
    if (status != -1)
        return status;
    sg_load(&load, e.conf, -1);
    status = explain_with(&e, &load);
    sg_load_free(&load);
    if (fflush(stdout) == EOF) {
        (void)fprintf(stderr, "sockgatectl: standard output: %s\n", strerror(errno));
        return 1;
    }
    return status;
}
