/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * users.c - a password file in memory.
 */
#include "users.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockgate/visibility.h>

/*
 * What crypt(5) knows. crypt_checksalt() looks at the beginning of a hash only: one that was cut short when it was copied
 * would be taken, and its user never let in. And some kinds look at the beginning of the password only.
 */
struct hash_kind {
    const char *prefix;
    uint8_t digest;     /* octets behind the last '$', or of the whole hash without one; 0: not known */
    int8_t cost;        /* octets that say what a check costs; -1: all in front of the salt */
    uint8_t secret_max; /* octets of a password that count; 0: all */
};

static const struct hash_kind hash_kinds[] = {
    { "$y$", 43, -1, 0 },    /* yescrypt */
    { "$gy$", 43, -1, 0 },   /* gost-yescrypt */
    { "$7$", 43, 14, 0 },    /* scrypt */
    { "$2", 53, 7, 72 },     /* bcrypt */
    { "$6$", 86, -1, 0 },    /* sha512crypt */
    { "$5$", 43, -1, 0 },    /* sha256crypt */
    { "$sha1$", 28, -1, 0 }, /* sha1crypt */
    { "$md5", 22, -1, 0 },   /* SunMD5 */
    { "$1$", 22, -1, 0 },    /* md5crypt */
    { "$3$", 32, 4, 0 },     /* NT */
    { "$", 0, -1, 0 },       /* one that is newer than this table */
    { "_", 20, 5, 0 },       /* bsdicrypt */
    { "", 13, 0, 8 },        /* descrypt */
};

static const struct hash_kind *
hash_kind_of(const char *hash)
{
    const struct hash_kind *kind = hash_kinds;

    while (strncmp(hash, kind->prefix, strlen(kind->prefix)) != 0)
        kind++;
    return kind;
}

/* How many octets of a hash say what it costs. */
static size_t
hash_cost(const struct user *user)
{
    const char *digest, *salt;

    if (user->kind->cost != -1)
        return (size_t)user->kind->cost;
    digest = memrchr(user->hash, '$', user->hash_len);
    while (digest != NULL && digest > user->hash && digest[-1] == '$')
        digest--; /* SunMD5 has an empty field there */
    salt = digest != NULL ? memrchr(user->hash, '$', (size_t)(digest - user->hash)) : NULL;
    return salt != NULL ? (size_t)(salt - user->hash) : user->hash_len;
}

/* What is wrong with a hash, or NULL. */
static const char *
hash_wrong(const struct user *user, bool legacy)
{
    const char *last = memrchr(user->hash, '$', user->hash_len);
    const size_t digest = last != NULL ? user->hash_len - (size_t)(last + 1 - user->hash) : user->hash_len;

    switch (crypt_checksalt(user->hash)) {
    case CRYPT_SALT_OK: break;
    case CRYPT_SALT_METHOD_DISABLED: return "this system's crypt(3) does not do hashes of that kind";
    case CRYPT_SALT_METHOD_LEGACY:
        if (!legacy)
            return "that is no password hash, or an outdated one, which legacy_hashes = true would allow";
        break;
    default: return "that is no password hash: `sockgatectl passwd` makes one";
    }
    if (user->kind->digest != 0 && digest != user->kind->digest)
        return "that hash is not whole: was it cut short when it was copied?";
    return NULL;
}

/* ---- reading */

struct reading {
    struct users *users;
    bool legacy;
    users_wrong *wrong;
    void *arg;
    unsigned line, n_wrong;
};

/* -1 */
static int SG_PRINTF(2, 3) reading_wrong(struct reading *r, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->wrong(r->arg, r->line, text);
    r->n_wrong++;
    return -1;
}

static bool
has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return true;
    return false;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int
read_name(struct reading *r, const struct user *user)
{
    if (user->name_len == 0)
        return reading_wrong(r, "there is no name in front of the colon");
    if (user->name_len > USERS_NAME_MAX)
        return reading_wrong(r, "a name of %zu octets: clients can send %d", user->name_len, USERS_NAME_MAX);
    if (is_blank(user->name[0]) || is_blank(user->name[user->name_len - 1]))
        return reading_wrong(r, "a blank beside the name: take it out");
    return 0;
}

/* Every group has a name. */
static int
read_groups(struct reading *r, const struct user *user)
{
    for (const char *at = user->groups; at != NULL;) {
        const size_t len = strcspn(at, ",");

        if (len == 0 || len > USERS_GROUP_MAX || is_blank(at[0]) || is_blank(at[len - 1]))
            return reading_wrong(r, "write groups as name,name: without blanks beside them, none of them empty");
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return 0;
}

/* `line` ends with a NUL, at `len`. */
static int
read_line(struct reading *r, char *line, size_t len)
{
    struct user *user = &r->users->v[r->users->n];
    char *hash = memchr(line, ':', len), *groups;
    const char *wrong;

    if (hash == NULL)
        return reading_wrong(r, "there is no colon: write name:hash or name:hash:group,group");
    if (has_control(line, len))
        return reading_wrong(r, "there is a control octet in the line, maybe a carriage return at its end");
    *hash++ = '\0';
    groups = strchr(hash, ':');
    if (groups != NULL)
        *groups++ = '\0';
    if (groups != NULL && strchr(groups, ':') != NULL)
        return reading_wrong(r, "there are too many colons: write name:hash or name:hash:group,group");
    *user = (struct user){ .name = line,
                           .hash = hash,
                           .hash_len = strlen(hash),
                           .line = r->line,
                           .groups = groups != NULL && groups[0] != '\0' ? groups : NULL };
    user->name_len = strlen(line);
    user->kind = hash_kind_of(hash);
    wrong = hash_wrong(user, r->legacy);
    if (wrong != NULL)
        return reading_wrong(r, "%s", wrong);
    if (read_name(r, user) == -1 || read_groups(r, user) == -1)
        return -1;
    r->users->n++;
    return 0;
}

static void
read_lines(struct reading *r)
{
    char *at = r->users->text, *const end = at + r->users->len;

    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *const stop = newline != NULL ? newline : end;

        r->line++;
        *stop = '\0';
        if (memchr(at, '\0', (size_t)(stop - at)) != NULL)
            (void)reading_wrong(r, "there is a NUL in the line");
        else if (at < stop && at[0] != '#')
            (void)read_line(r, at, (size_t)(stop - at));
        at = stop + 1;
    }
}

static int
user_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int
by_name(const void *a, const void *b)
{
    const struct user *left = a, *right = b;
    const int order = user_compare(left->name, left->name_len, right->name, right->name_len);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static int
by_cost(const void *a, const void *b)
{
    const struct user *left = *(const struct user *const *)a, *right = *(const struct user *const *)b;

    return user_compare(left->hash, hash_cost(left), right->hash, hash_cost(right));
}

/* Which cost is the most frequent one? An unknown user is checked against such a hash. */
static int
find_usual(struct users *users)
{
    const struct user **sorted = calloc(users->n + 1, sizeof(struct user *));
    size_t most = 0, first = 0;

    if (sorted == NULL)
        return -1;
    for (size_t i = 0; i < users->n; i++)
        sorted[i] = &users->v[i];
    qsort(sorted, users->n, sizeof(struct user *), by_cost);
    for (size_t i = 0; i < users->n; i++) {
        if (by_cost(&sorted[first], &sorted[i]) != 0)
            first = i;
        if (i - first + 1 > most) {
            most = i - first + 1;
            users->usual = sorted[i];
        }
    }
    users->unusual = users->n - most;
    free(sorted);
    return 0;
}

static void
find_twins(struct reading *r)
{
    const struct users *users = r->users;

    for (size_t i = 1; i < users->n; i++) {
        const struct user *user = &users->v[i], *before = user - 1;

        if (user_compare(user->name, user->name_len, before->name, before->name_len) != 0)
            continue;
        r->line = user->line;
        (void)reading_wrong(r, "\"%s\" stands in line %u already", user->name, before->line);
    }
}

int
users_read(struct users *users, char *text, size_t len, bool legacy, users_wrong *wrong, void *arg)
{
    struct reading r = { .users = users, .legacy = legacy, .wrong = wrong, .arg = arg };
    size_t lines = 1;

    *users = (struct users){ .text = text, .len = len };
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    users->v = calloc(lines, sizeof *users->v);
    if (users->v == NULL) {
        wrong(arg, 0, "there is not enough memory");
        users_free(users);
        return -1;
    }
    read_lines(&r);
    qsort(users->v, users->n, sizeof *users->v, by_name);
    find_twins(&r);
    if (r.n_wrong == 0 && find_usual(users) == 0)
        return 0;
    if (r.n_wrong == 0)
        wrong(arg, 0, "there is not enough memory");
    users_free(users);
    return -1;
}

void
users_free(struct users *users)
{
    if (users->text != NULL)
        sodium_memzero(users->text, users->len);
    free(users->text);
    free(users->v);
    *users = (struct users){ .text = NULL };
}

/* ---- asking */

const struct user *
users_find(const struct users *users, const char *name, size_t len)
{
    size_t low = 0, high = users->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct user *user = &users->v[middle];
        const int order = user_compare(name, len, user->name, user->name_len);

        if (order == 0)
            return user;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

enum users_answer
users_check(const struct users *users, const struct user *user, const char *secret, size_t len, struct crypt_data *data)
{
    const struct user *asked = user != NULL ? user : users->usual;
    char key[USERS_SECRET_MAX + 1];
    enum users_answer answer = USERS_FAILED;
    const char *made;

    if (asked == NULL)
        return USERS_UNKNOWN;
    if (len > USERS_SECRET_MAX || memchr(secret, '\0', len) != NULL)
        return user != NULL ? USERS_WRONG : USERS_UNKNOWN;
    memcpy(key, secret, len);
    key[len] = '\0';
    made = crypt_rn(key, asked->hash, data, (int)sizeof *data);
    if (made != NULL && made[0] != '*') {
        /* The length of a hash is no secret; a password whose end would not count must not be right. */
        const bool same = strlen(made) == asked->hash_len && sodium_memcmp(made, asked->hash, asked->hash_len) == 0;
        const bool whole = asked->kind->secret_max == 0 || len <= asked->kind->secret_max;

        answer = user == NULL ? USERS_UNKNOWN : same && whole ? USERS_RIGHT : USERS_WRONG;
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(data, sizeof *data);
    return answer;
}
