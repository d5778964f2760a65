/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_users.c - password files: what they may hold, who is who, and what a password may be.
 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockgate/visibility.h>

#include "users.h"

/* "secret", by methods that cost little. */
#define SHA512 "$6$rounds=1000$abcdefgh$"
#define MD5 "$1$abcdefgh$"

static char told[4096];

static void
tell(void *arg, unsigned line, const char *text)
{
    const size_t len = strlen(told);

    (void)arg;
    (void)snprintf(told + len, sizeof told - len, "%u: %s\n", line, text);
}

/* `setting` completed to the hash of `secret`. */
static const char *
hash_of(const char *setting, const char *secret)
{
    static struct crypt_data data;
    const char *made = crypt_r(secret, setting, &data);

    cr_assert(made && made[0] != '*', "%s", setting);
    return made;
}

static int
users_from(struct users *users, const char *text, size_t len, bool legacy)
{
    char *copy = malloc(len + 1);

    cr_assert(copy);
    memcpy(copy, text, len);
    copy[len] = '\0';
    told[0] = '\0';
    return users_read(users, copy, len, legacy, tell, NULL);
}

static enum users_answer
answer(const struct users *users, const char *name, size_t name_len, const char *secret, size_t len)
{
    static struct crypt_data data;

    return users_check(users, users_find(users, name, name_len), secret, len, &data);
}

static enum users_answer
answer_text(const struct users *users, const char *name, const char *secret)
{
    return answer(users, name, strlen(name), secret, strlen(secret));
}

static const char *
line_for(const char *name, const char *setting, const char *secret, const char *rest)
{
    static char line[512];

    (void)snprintf(line, sizeof line, "%s:%s%s\n", name, hash_of(setting, secret), rest);
    return line;
}

static const struct {
    const char *line; /* '@': a hash */
    const char *wrong;
} lines[] = {
    { "alice:@", NULL },
    { "alice:@:", NULL },
    { "alice:@:staff,web", NULL },
    { "a b:@:staff", NULL },
    { "\xc3\xbc:@", NULL },
    { "# alice", NULL },
    { "", NULL },
    { "alice", "there is no colon" },
    { ":@", "no name in front of the colon" },
    { " alice:@", "a blank beside the name" },
    { "alice :@", "a blank beside the name" },
    { "alice:@\r", "a control octet" },
    { "al\tice:@", "a control octet" },
    { "alice:@:staff:", "too many colons" },
    { "alice:@:staff,", "groups as name,name" },
    { "alice:@:,staff", "groups as name,name" },
    { "alice:@:a,,b", "groups as name,name" },
    { "alice:@:a, b", "groups as name,name" },
    { "alice:@:a ,b", "groups as name,name" },
    { "alice:@x", "is not whole" },
    { "alice:", "no password hash" },
    { "alice:secret", "no password hash, or an outdated one" },
    { "alice:pass word", "no password hash" },
    { "alice:*", "no password hash" },
    { "alice:!@", "no password hash" },
    { "alice:$y$j9T$abc$cut", "is not whole" },
    { "alice:$1$abcdefgh$0123456789012345678901", "legacy_hashes = true would allow" },
    { "alice:abJnggxhB/yWI", "legacy_hashes = true would allow" },
    { "alice:$argon2id$v=19$m=1$a$b", "no password hash" },
};

/* Each mistake has its line and what would be right, and no message repeats what might be a password. */
Test(users, lines)
{
    char hash[256], text[1200];
    struct users users;

    (void)snprintf(hash, sizeof hash, "%s", hash_of(SHA512, "secret"));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *at = strchr(lines[i].line, '@');
        int status;

        if (at)
            (void)snprintf(text, sizeof text, "# first\n%.*s%s%s\n", (int)(at - lines[i].line), lines[i].line, hash,
                           at + 1);
        else
            (void)snprintf(text, sizeof text, "# first\n%s\n", lines[i].line);
        status = users_from(&users, text, strlen(text), false);
        cr_expect_eq(status, lines[i].wrong ? -1 : 0, "%s: %s", lines[i].line, told);
        if (lines[i].wrong) {
            cr_expect(strncmp(told, "2: ", 3) == 0 && strstr(told, lines[i].wrong), "%s: %s", lines[i].line, told);
            cr_expect(!strstr(told, "secret") && !strstr(told, hash), "%s", told);
        } else
            users_free(&users);
    }
}

Test(users, a_line_may_have_no_end)
{
    char text[1200];
    struct users users;

    (void)snprintf(text, sizeof text, "%s", line_for("alice", SHA512, "secret", ":staff"));
    cr_assert_eq(users_from(&users, text, strlen(text) - 1, false), 0, "%s", told);
    cr_expect_eq(users.n, 1);
    cr_expect_str_eq(users.v[0].groups, "staff");
    users_free(&users);
}

Test(users, nul_and_twins_are_mistakes)
{
    char text[1200];
    struct users users;
    const char *line = line_for("alice", SHA512, "secret", "");

    (void)snprintf(text, sizeof text, "%s%s", line, line);
    cr_expect_eq(users_from(&users, text, strlen(text), false), -1);
    cr_expect_str_eq(told, "2: \"alice\" stands in line 1 already\n");
    text[2] = '\0';
    cr_expect_eq(users_from(&users, text, strlen(line), false), -1);
    cr_expect_str_eq(told, "1: there is a NUL in the line\n");
}

/* Every mistake is told at once. */
Test(users, all_mistakes_are_told)
{
    static const char text[] = "alice\n\nbob:x:y:z\n";
    struct users users;

    cr_expect_eq(users_from(&users, text, sizeof text - 1, false), -1);
    cr_expect(strncmp(told, "1: ", 3) == 0 && strstr(told, "\n3: "), "%s", told);
    cr_expect_null(users.text);
}

/* V04: names and passwords are compared by length and octets; no prefix of one matches, and a NUL ends nothing. */
Test(users, no_prefix_and_no_nul_matches)
{
    char text[1200];
    struct users users;

    (void)snprintf(text, sizeof text, "%s", line_for("alice", SHA512, "secret", ""));
    cr_assert_eq(users_from(&users, text, strlen(text), false), 0, "%s", told);
    cr_expect_eq(answer_text(&users, "alice", "secret"), USERS_RIGHT);
    cr_expect_eq(answer_text(&users, "alice", "secre"), USERS_WRONG);
    cr_expect_eq(answer_text(&users, "alice", "secretx"), USERS_WRONG);
    cr_expect_eq(answer_text(&users, "alice", "Secret"), USERS_WRONG);
    cr_expect_eq(answer_text(&users, "alice", ""), USERS_WRONG);
    cr_expect_eq(answer(&users, "alice", 5, "secret\0", 7), USERS_WRONG);
    cr_expect_eq(answer(&users, "alice", 5, "secret\0x", 8), USERS_WRONG);
    cr_expect_eq(answer(&users, "alice", 5, "\0secret", 7), USERS_WRONG);
    cr_expect_eq(answer(&users, "alice\0", 6, "secret", 6), USERS_UNKNOWN);
    cr_expect_eq(answer(&users, "alice\0x", 7, "secret", 6), USERS_UNKNOWN);
    cr_expect_eq(answer(&users, "\0alice", 6, "secret", 6), USERS_UNKNOWN);
    cr_expect_eq(answer_text(&users, "alic", "secret"), USERS_UNKNOWN);
    cr_expect_eq(answer_text(&users, "alicex", "secret"), USERS_UNKNOWN);
    cr_expect_eq(answer_text(&users, "Alice", "secret"), USERS_UNKNOWN);
    cr_expect_eq(answer_text(&users, "", "secret"), USERS_UNKNOWN);
    users_free(&users);
}

/* bcrypt looks at 72 octets and descrypt at 8: more must not be right for that. */
Test(users, a_password_counts_as_a_whole)
{
    char text[1024], secret[256];
    struct users users;

    memset(secret, 'x', sizeof secret);
    secret[72] = '\0';
    (void)snprintf(text, sizeof text, "%s", line_for("alice", "$2b$04$abcdefghijklmnopqrstuu", secret, ""));
    cr_assert_eq(users_from(&users, text, strlen(text), false), 0, "%s", told);
    cr_expect_eq(answer_text(&users, "alice", secret), USERS_RIGHT);
    secret[72] = 'x';
    cr_expect_eq(answer(&users, "alice", 5, secret, 73), USERS_WRONG);
    users_free(&users);
    cr_assert_eq(users_from(&users, "bob:abJnggxhB/yWI\n", 18, true), 0, "%s", told);
    users_free(&users);
    (void)snprintf(text, sizeof text, "%s", line_for("bob", "ab", "12345678", ""));
    cr_assert_eq(users_from(&users, text, strlen(text), true), 0, "%s", told);
    cr_expect_eq(answer_text(&users, "bob", "12345678"), USERS_RIGHT);
    cr_expect_eq(answer_text(&users, "bob", "123456789"), USERS_WRONG);
    users_free(&users);
}

Test(users, every_kind_that_crypt_makes_is_taken)
{
    static const char *const prefixes[] = { "$y$", "$gy$",   "$7$",  "$2b$", "$2y$", "$2a$", "$6$",
                                            "$5$", "$sha1$", "$md5", "$1$",  "$3$",  "_",    "" };
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct users users;

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const char *line;

        cr_assert(crypt_gensalt_rn(prefixes[i], 0, NULL, 0, setting, sizeof setting), "%s", prefixes[i]);
        line = line_for("alice", setting, "secret", "");
        cr_assert_eq(users_from(&users, line, strlen(line), true), 0, "%s: %s", prefixes[i], told);
        cr_expect_eq(answer_text(&users, "alice", "secret"), USERS_RIGHT, "%s", prefixes[i]);
        cr_expect_eq(answer_text(&users, "alice", "secreT"), USERS_WRONG, "%s", prefixes[i]);
        users_free(&users);
    }
}

/* An unknown user is checked against a hash of the cost that most have. */
Test(users, the_usual_cost)
{
    static const struct {
        const char *name, *setting;
    } made[] = { { "a", "$6$rounds=1000$abcdefgh" },
                 { "b", "$6$rounds=2000$abcdefgh" },
                 { "c", "$2b$04$abcdefghijklmnopqrstuu" },
                 { "d", "$6$rounds=2000$hgfedcba" },
                 { "e", "$1$abcdefgh" },
                 { "f", "$6$rounds=2000$xxxxxxxx" } };
    char text[4096] = "";
    struct users users;

    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s",
                       line_for(made[i].name, made[i].setting, "secret", ""));
    cr_assert_eq(users_from(&users, text, strlen(text), true), 0, "%s", told);
    cr_assert(users.usual);
    cr_expect_eq(strncmp(users.usual->hash, "$6$rounds=2000$", 15), 0);
    cr_expect_eq(users.unusual, 3);
    cr_expect_eq(answer_text(&users, "nobody", "secret"), USERS_UNKNOWN);
    users_free(&users);
    cr_assert_eq(users_from(&users, "# empty\n", 8, false), 0);
    cr_expect_null(users.usual);
    cr_expect_eq(answer_text(&users, "alice", "secret"), USERS_UNKNOWN);
    users_free(&users);
}

/* Names are found among many, whatever their order. */
Test(users, find)
{
    static char text[200000];
    char hash[256], name[16];
    size_t len = 0;
    struct users users;

    (void)snprintf(hash, sizeof hash, "%s", hash_of(MD5, "secret"));
    for (unsigned i = 0; i < 1000; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "u%u:%s:g%u\n", i * 7919 % 1000, hash, i);
    cr_assert_eq(users_from(&users, text, len, true), 0, "%s", told);
    cr_expect_eq(users.n, 1000);
    cr_expect_eq(users.unusual, 0);
    for (unsigned i = 0; i < 1000; i++) {
        const struct user *user;

        (void)snprintf(name, sizeof name, "u%u", i);
        user = users_find(&users, name, strlen(name));
        cr_assert(user && user->name_len == strlen(name) && memcmp(user->name, name, user->name_len) == 0, "%s", name);
    }
    cr_expect_null(users_find(&users, "u1000", 5));
    users_free(&users);
}
