/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * users.h - a password file in memory: `name:hash[:group,group]` lines, what is wrong with them, and whether a password is
 * the right one. No input or output; auth_file.c reads the file and talks to the core.
 */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <stddef.h>

#include <crypt.h>

#define USERS_NAME_MAX 255   /* RFC 1929: UNAME */
#define USERS_SECRET_MAX 255 /* and PASSWD */
#define USERS_GROUP_MAX 255

struct hash_kind;

/* One line. All pointers lead into the text of the file. */
struct user {
    const char *name;
    size_t name_len;
    const char *hash; /* NUL-terminated */
    size_t hash_len;
    const struct hash_kind *kind;
    char *groups; /* NUL-terminated, separated by commas; NULL: none */
    unsigned line;
};

struct users {
    char *text; /* the file, taken apart by NULs; malloc */
    size_t len;
    struct user *v; /* sorted by name; malloc */
    size_t n;
    const struct user *usual; /* one of the users whose hash costs what most cost; NULL: there are no users */
    size_t unusual;           /* how many have a hash of another cost */
};

enum users_answer {
    USERS_FAILED,  /* crypt(3) could not say */
    USERS_UNKNOWN, /* there is no such user */
    USERS_WRONG,   /* the password is wrong */
    USERS_RIGHT
};

/* Told of each mistake: its line and what would be right. No text ever holds a part of a hash or of a password. */
typedef void users_wrong(void *arg, unsigned line, const char *text);

/*
 * Takes `text` apart, which must have a NUL behind its `len` octets; it is users_free()'s from then on. -1: something was
 * wrong, and there are no users. With `legacy`, hashes that crypt(3) calls outdated are taken too.
 */
int users_read(struct users *users, char *text, size_t len, bool legacy, users_wrong *wrong, void *arg);

/* Wipes and frees. */
void users_free(struct users *users);

/* NULL: there is no such user. */
const struct user *users_find(const struct users *users, const char *name, size_t len);

/*
 * Is that the password of that user? `user` NULL: a password is checked all the same, against a hash of the usual cost, so
 * that the time tells nobody which names exist. `secret` is octets without a NUL. Blocks for as long as crypt(3) takes.
 */
enum users_answer users_check(const struct users *users, const struct user *user, const char *secret, size_t len,
                              struct crypt_data *data);

#endif
