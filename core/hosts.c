/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts.c - /etc/hosts as a table: the file's own text, lower-cased and cut into words, and a hash over the names.
 */
#include "hosts.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "addrs.h"
#include "file.h"

#define HOSTS_SIZE_MAX ((size_t)64 << 20)
#define HOSTS_BLANKS " \t\r\v\f"

struct hosts_entry {
    const char *name; /* into the text */
    size_t len;
    struct sg_addr addr;
    struct hosts_entry *next; /* of the same bucket, in the order of the file */
};

struct sg_hosts {
    char *text;
    size_t n, size;
    struct hosts_entry *entries;
    size_t n_buckets; /* a power of two */
    struct hosts_entry **buckets;
    unsigned char key[crypto_shorthash_KEYBYTES];
};

static size_t
hosts_bucket(const struct sg_hosts *hosts, const char *name, size_t len)
{
    union {
        unsigned char octets[crypto_shorthash_BYTES];
        uint64_t number;
    } hash;

    (void)crypto_shorthash(hash.octets, (const unsigned char *)name, len, hosts->key);
    return (size_t)hash.number & (hosts->n_buckets - 1);
}

static int
hosts_add(struct sg_hosts *hosts, const char *name, const struct sg_addr *addr)
{
    if (hosts->n == hosts->size) {
        const size_t more = hosts->size * 2 + 64;
        struct hosts_entry *p = reallocarray(hosts->entries, more, sizeof *p);

        if (p == NULL)
            return -1;
        hosts->entries = p;
        hosts->size = more;
    }
    hosts->entries[hosts->n++] = (struct hosts_entry){ name, strlen(name), *addr, NULL };
    return 0;
}

/* One line, without its comment: an address, then its names. */
static int
hosts_line(struct sg_hosts *hosts, char *line)
{
    struct sg_addr addr;
    char *at = NULL, *word;

    line[strcspn(line, "#")] = '\0';
    word = strtok_r(line, HOSTS_BLANKS, &at);
    if (word == NULL || sg_addr_parse(word, &addr) == -1)
        return 0;
    sg_addr_canonical(&addr);
    while ((word = strtok_r(NULL, HOSTS_BLANKS, &at)) != NULL) {
        for (char *p = word; *p != '\0'; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p - 'A' + 'a');
        if (hosts_add(hosts, word, &addr) == -1)
            return -1;
    }
    return 0;
}

static int
hosts_lines(struct sg_hosts *hosts)
{
    char *at = NULL;

    for (char *line = strtok_r(hosts->text, "\n", &at); line != NULL; line = strtok_r(NULL, "\n", &at))
        if (hosts_line(hosts, line) == -1)
            return -1;
    return 0;
}

/* From the last entry to the first, so that each chain has the order of the file. */
static int
hosts_hash(struct sg_hosts *hosts)
{
    for (hosts->n_buckets = 16; hosts->n_buckets < hosts->n;)
        hosts->n_buckets *= 2;
    hosts->buckets = calloc(hosts->n_buckets, sizeof(struct hosts_entry *));
    if (hosts->buckets == NULL)
        return -1;
    crypto_shorthash_keygen(hosts->key);
    for (size_t i = hosts->n; i-- > 0;) {
        struct hosts_entry *entry = &hosts->entries[i];
        struct hosts_entry **bucket = &hosts->buckets[hosts_bucket(hosts, entry->name, entry->len)];

        entry->next = *bucket;
        *bucket = entry;
    }
    return 0;
}

struct sg_hosts *
sg_hosts_read(const char *path)
{
    struct sg_hosts *hosts = calloc(1, sizeof *hosts);
    struct stat st;
    size_t len;

    if (hosts == NULL)
        return NULL;
    hosts->text = sg_file_read(path, HOSTS_SIZE_MAX, &len, &st);
    if (hosts->text != NULL && hosts_lines(hosts) == 0 && hosts_hash(hosts) == 0)
        return hosts;
    sg_hosts_free(hosts);
    return NULL;
}

void
sg_hosts_free(struct sg_hosts *hosts)
{
    const int err = errno;

    if (hosts == NULL)
        return;
    free(hosts->buckets);
    free(hosts->entries);
    free(hosts->text);
    free(hosts);
    errno = err;
}

static bool
hosts_is_localhost(const char *name, size_t len)
{
    static const char word[] = "localhost";
    const size_t word_len = sizeof word - 1;

    return len >= word_len && memcmp(name + len - word_len, word, word_len) == 0 &&
           (len == word_len || name[len - word_len - 1] == '.');
}

bool
sg_hosts_find(const struct sg_hosts *hosts, const char *name, size_t len, uint8_t family, struct sg_addr *addrs,
              unsigned max, unsigned *n_out)
{
    const struct hosts_entry *entry = hosts != NULL ? hosts->buckets[hosts_bucket(hosts, name, len)] : NULL;
    bool listed = false;

    *n_out = 0;
    for (; entry != NULL; entry = entry->next) {
        if (entry->len != len || memcmp(entry->name, name, len) != 0)
            continue;
        listed = true;
        if (entry->addr.family == family && *n_out < max)
            addrs[(*n_out)++] = entry->addr;
    }
    if (listed || !hosts_is_localhost(name, len))
        return listed;
    addrs[0] = (struct sg_addr){ .family = family };
    (void)sg_addr_parse(family == SG_FAMILY_IPV4 ? "127.0.0.1" : "::1", &addrs[0]);
    *n_out = 1;
    return true;
}
