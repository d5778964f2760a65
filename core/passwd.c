/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passwd.c - the command line of `sockgatectl passwd`, and the hash.
 */
#include "passwd.h"

#include <crypt.h>
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 2
#define NAME_MAX_OCTETS 255 /* RFC 1929: UNAME */

static void
usage(FILE *out)
{
    (void)fputs("usage: sockgatectl passwd FILE USER [--groups NAME,...]\n"
                "       sockgatectl passwd FILE USER --delete\n"
                "  --groups NAME,...   the user's groups, instead of those in the file; \"\" for none\n"
                "  --delete            take the user out of the file\n"
                "The password is asked for twice, or read as one line if standard input is no terminal.\n",
                out);
}

/* What would make a line that auth_file refuses. */
static const char *
user_wrong(const char *user)
{
    const size_t len = strlen(user);

    if (len == 0 || len > NAME_MAX_OCTETS)
        return "a name has 1 to 255 octets";
    if (user[0] == '#')
        return "a name cannot begin with \"#\"";
    if (strchr(" \t", user[0]) != NULL || strchr(" \t", user[len - 1]) != NULL)
        return "a name cannot begin or end with a blank";
    for (size_t i = 0; i < len; i++)
        if (user[i] == ':' || (unsigned char)user[i] < 0x20 || user[i] == 0x7f)
            return "a name cannot hold a colon or a control octet";
    return NULL;
}

static const char *
groups_wrong(const char *groups)
{
    for (const char *at = groups; at != NULL && groups[0] != '\0';) {
        const size_t len = strcspn(at, ",");

        for (size_t i = 0; i < len; i++)
            if (strchr(": \t", at[i]) != NULL || (unsigned char)at[i] < 0x20 || at[i] == 0x7f)
                return "groups are separated by commas and hold no blank, colon or control octet";
        if (len == 0 || len > NAME_MAX_OCTETS)
            return "a group has 1 to 255 octets";
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return NULL;
}

static int
hash_make(const char *secret, char *hash, size_t size)
{
    static struct crypt_data data;
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *made = NULL;

    if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting) != NULL)
        made = crypt_rn(secret, setting, &data, sizeof data);
    if (made == NULL || made[0] == '*') {
        (void)fprintf(stderr, "sockgatectl: crypt(3) makes no yescrypt hash: %s\n", strerror(errno));
        made = NULL;
    } else
        (void)snprintf(hash, size, "%s", made);
    sodium_memzero(&data, sizeof data);
    return made != NULL ? 0 : -1;
}

/* -1: go on; else the exit status. */
static int
passwd_options(struct sg_passwd_change *change, bool *deletes, int argc, char **argv)
{
    static const struct option longs[] = {
        { "groups", required_argument, NULL, 'g' },
        { "delete", no_argument, NULL, 'd' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *wrong;
    int c;

    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (c) {
        case 'g': change->groups = optarg; break;
        case 'd': *deletes = true; break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return EXIT_USAGE;
        }
    }
    if (argc - optind != 2 || (*deletes && change->groups != NULL)) {
        usage(stderr);
        return EXIT_USAGE;
    }
    change->path = argv[optind];
    change->user = argv[optind + 1];
    wrong = user_wrong(change->user);
    if (wrong == NULL && change->groups != NULL)
        wrong = groups_wrong(change->groups);
    if (wrong == NULL)
        return -1;
    (void)fprintf(stderr, "sockgatectl: %s\n", wrong);
    return EXIT_USAGE;
}

int
sg_passwd_main(int argc, char **argv)
{
    struct sg_passwd_change change = { .path = NULL };
    char secret[SG_PASSWD_SECRET_MAX + 2], hash[CRYPT_OUTPUT_SIZE];
    bool deletes = false;
    int status = passwd_options(&change, &deletes, argc, argv);

    if (status != -1)
        return status;
    if (!deletes) {
        if (sg_passwd_ask(change.user, true, secret) == 0)
            status = hash_make(secret, hash, sizeof hash);
        sodium_memzero(secret, sizeof secret);
        if (status == -1)
            return 1;
        change.hash = hash;
    }
    return sg_passwd_apply(&change) == 0 ? 0 : 1;
}
