/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ident.c - replies of RFC 1413.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "ident.h"

/* meant: KIND CLIENT-PORT OUR-PORT, then what was said; NULL: malformed. */
static const struct {
    const char *line, *meant;
} replies[] = {
    /* ID-04, ID-09 */
    { "6193, 23 : USERID : UNIX :stjohns\r\n", "user 6193 23 [UNIX] [stjohns]" },
    { "6193,23:USERID:UNIX:stjohns\r\n", "user 6193 23 [UNIX] [stjohns]" },
    { "6193 ,\t23:userid: UNIX ,US-ASCII :st johns \r\n", "user 6193 23 [UNIX ,US-ASCII] [st johns ]" },
    { "6193, 23 : USERID : UNIX : stjohns\n", "user 6193 23 [UNIX] [ stjohns]" },
    { "1,65535:USERID:MSDOS:a:b\r\n", "user 1 65535 [MSDOS] [a:b]" },
    { "1,2:USERID:UNIX: \r\n", "user 1 2 [UNIX] [ ]" },
    { "1,2:USERID:OTHER:Somebody Nice\r\n", "other 1 2 [OTHER] [Somebody Nice]" },
    { "1,2:USERID:other ,UTF-8:\xc3\xbc\r\n", "other 1 2 [other ,UTF-8] [\xc3\xbc]" },
    { "1,2:USERID:OTHERS:x\r\n", "user 1 2 [OTHERS] [x]" },
    /* ID-05 */
    { "1,2:ERROR:INVALID-PORT\r\n", "error 1 2 [INVALID-PORT]" },
    { "1 , 2 : ERROR : NO-USER\r\n", "error 1 2 [NO-USER]" },
    { "1,2:ERROR: HIDDEN-USER \n", "error 1 2 [HIDDEN-USER]" },
    { "1,2:error:UNKNOWN-ERROR\r\n", "error 1 2 [UNKNOWN-ERROR]" },
    { "1,2:ERROR:X-COFFEE\r\n", "error 1 2 [X-COFFEE]" },
    /* no replies */
    { "\r\n", NULL },
    { "1,2\r\n", NULL },
    { "1,2:\r\n", NULL },
    { "1:USERID:UNIX:x\r\n", NULL },
    { "1,2:USERID:UNIX\r\n", NULL },
    { "1,2:USERID:UNIX:\r\n", NULL },
    { "1,2:USERID::x\r\n", NULL },
    { "1,2:ERROR:\r\n", NULL },
    { "1,2:USER:UNIX:x\r\n", NULL },
    { "65536,2:USERID:UNIX:x\r\n", NULL },
    { "1,99999999:USERID:UNIX:x\r\n", NULL },
    { "-1,2:USERID:UNIX:x\r\n", NULL },
    { "0x1,2:USERID:UNIX:x\r\n", NULL },
    { ",2:USERID:UNIX:x\r\n", NULL },
};

static void
meaning(const struct ident_reply *reply, char *text, size_t size)
{
    static const char *const kinds[] = { "nothing", "user", "error", "other" };

    if (reply->kind == IDENT_ERROR)
        (void)snprintf(text, size, "error %u %u [%.*s]", reply->client_port, reply->our_port, (int)reply->error_len,
                       reply->error);
    else
        (void)snprintf(text, size, "%s %u %u [%.*s] [%.*s]", kinds[reply->kind], reply->client_port, reply->our_port,
                       (int)reply->system_len, reply->system, (int)reply->user_len, reply->user);
}

Test(ident, replies)
{
    struct ident_reply reply;
    char text[256];

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        const size_t len = strlen(replies[i].line);
        const ssize_t n = ident_parse(replies[i].line, len, &reply);

        cr_expect_eq(n, replies[i].meant ? (ssize_t)len : -1, "%s", replies[i].line);
        if (n <= 0)
            continue;
        meaning(&reply, text, sizeof text);
        cr_expect_str_eq(text, replies[i].meant);
        for (size_t part = 0; part < len; part++)
            cr_expect_eq(ident_parse(replies[i].line, part, &reply), 0, "%zu octets of %s", part, replies[i].line);
    }
}

Test(ident, nul_is_malformed)
{
    static const char line[] = "1,2:USERID:UNIX:root\0x\r\n";
    struct ident_reply reply;

    cr_expect_eq(ident_parse(line, sizeof line - 1, &reply), -1);
}

/* ID-04, ID-06: 512 octets of a user are taken, and a line of 1,000; not one octet more. */
Test(ident, lengths)
{
    char line[IDENT_LINE_MAX + 16];
    static const char head[] = "1,2:USERID:UNIX:";
    struct ident_reply reply;

    memset(line, 'x', sizeof line);
    memcpy(line, head, sizeof head - 1);
    cr_expect_eq(ident_parse(line, IDENT_LINE_MAX, &reply), 0);
    cr_expect_eq(ident_parse(line, IDENT_LINE_MAX + 1, &reply), 0);
    cr_expect_eq(ident_parse(line, IDENT_LINE_MAX + 2, &reply), -1);
    memcpy(line + IDENT_LINE_MAX, "\r\n", 2);
    cr_expect_eq(ident_parse(line, IDENT_LINE_MAX + 2, &reply), IDENT_LINE_MAX + 2);
    cr_expect_eq(reply.user_len, IDENT_LINE_MAX - (sizeof head - 1));
    memcpy(line + sizeof head - 1 + 512, "\r\n", 2);
    cr_expect_eq(ident_parse(line, sizeof line, &reply), (ssize_t)(sizeof head - 1 + 512 + 2));
    cr_expect_eq(reply.user_len, 512);
}
