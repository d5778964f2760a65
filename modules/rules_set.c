/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules_set.c - a set of ranges and names from a file, as one block without pointers.
 *
 *   header | IPv4 spans | IPv6 spans | table of names | text of names
 *
 * Ranges only have to be told apart from the rest, not from each other: so they are kept as sorted spans of addresses
 * that neither touch nor overlap, and a search halves its way to the one that could hold an address. A name is looked
 * up once for each of its ends that begins at a label; one pass from behind gives the hashes of all of them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

#define SET_MAGIC 0x53677274u
#define SET_ERRORS_SHOWN 20
#define SET_LINE_MAX 512

struct span4 {
    uint32_t first, last; /* host order */
};

struct span6 {
    uint8_t first[16], last[16];
};

/* A place in the table of names; kinds 0: free. */
struct set_name {
    uint32_t hash, offset; /* offset: of the text, from the start of the block */
    uint16_t len, kinds;
};

struct set_head {
    uint32_t magic, n_slots; /* a power of two */
    uint64_t n4, n6, n_names;
    uint64_t at4, at6, at_names, at_text; /* offsets */
};

/* ---- the hash: FNV-1a over the octets from the last to the first */

#define SET_HASH_BASIS 2166136261u
#define SET_HASH_PRIME 16777619u

static uint32_t
set_hash_octet(uint32_t hash, char c)
{
    return (hash ^ (uint8_t)c) * SET_HASH_PRIME;
}

/* FNV leaves the low bits poor. */
static uint32_t
set_hash_end(uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= 0x7feb352du;
    return hash ^ hash >> 15;
}

/* ---- from text */

struct set_build {
    struct sg_instance *inst;
    const struct sg_image_source *source;
    bool names_allowed, no_memory;
    unsigned line, errors;
    size_t n4, size4, n6, size6, n_names, size_names, text_len, text_size;
    struct span4 *v4;
    struct span6 *v6;
    struct set_name *names;
    char *text;
};

static void SG_PRINTF(2, 3) set_error(struct set_build *b, const char *format, ...)
{
    const struct sg_where where = { b->source->path, b->line };
    char text[512];
    va_list args;

    if (++b->errors > SET_ERRORS_SHOWN)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_conf_error(b->inst, &where, "%s", text);
}

/* Room for `more` elements behind the `n` there are; NULL: no memory. */
static void *
set_room(struct set_build *b, void *v, size_t n, size_t *size, size_t more, size_t one)
{
    const size_t wanted = *size * 2 + more + 256;
    void *p;

    if (n + more <= *size)
        return v;
    p = reallocarray(v, wanted, one);
    if (p == NULL) {
        b->no_memory = true;
        return v;
    }
    *size = wanted;
    return p;
}

static void
set_add_range(struct set_build *b, const struct sg_range *range)
{
    const uint8_t *ip = range->base.ip;

    if (range->base.family == SG_FAMILY_IPV4) {
        const uint32_t first = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
        const uint32_t rest = range->bits == 0 ? UINT32_MAX : range->bits == 32 ? 0 : UINT32_MAX >> range->bits;

        b->v4 = set_room(b, b->v4, b->n4, &b->size4, 1, sizeof *b->v4);
        if (!b->no_memory)
            b->v4[b->n4++] = (struct span4){ first, first | rest };
        return;
    }
    b->v6 = set_room(b, b->v6, b->n6, &b->size6, 1, sizeof *b->v6);
    if (b->no_memory)
        return;
    memcpy(b->v6[b->n6].first, ip, 16);
    memcpy(b->v6[b->n6].last, ip, 16);
    for (unsigned bit = range->bits; bit < 128; bit++)
        b->v6[b->n6].last[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    b->n6++;
}

static void
set_add_name(struct set_build *b, const struct rule_entry *entry)
{
    uint32_t hash = SET_HASH_BASIS;

    b->names = set_room(b, b->names, b->n_names, &b->size_names, 1, sizeof *b->names);
    b->text = set_room(b, b->text, b->text_len, &b->text_size, entry->len, 1);
    if (b->no_memory)
        return;
    for (size_t i = entry->len; i-- > 0;)
        hash = set_hash_octet(hash, entry->name[i]);
    b->names[b->n_names++] =
        (struct set_name){ set_hash_end(hash), (uint32_t)b->text_len, (uint16_t)entry->len, (uint16_t)entry->kinds };
    memcpy(b->text + b->text_len, entry->name, entry->len);
    b->text_len += entry->len;
}

/* One line without its comment and the blanks around it. */
static void
set_entry(struct set_build *b, const char *line, size_t len)
{
    struct rule_entry entry;
    char text[SET_LINE_MAX], why[384];

    if (len >= sizeof text || memchr(line, '\0', len) != NULL) {
        set_error(b, "this line is no entry");
        return;
    }
    memcpy(text, line, len);
    text[len] = '\0';
    if (rule_entry_parse(text, &entry, why, sizeof why) == -1)
        set_error(b, "%s", why);
    else if (entry.kinds == 0)
        set_add_range(b, &entry.range);
    else if (b->names_allowed)
        set_add_name(b, &entry);
    else
        set_error(b, "\"%.60s\" is a name; where clients come from is told by address ranges alone", text);
}

static void
set_lines(struct set_build *b)
{
    const char *at = b->source->text, *const end = at + b->source->len;

    while (at < end && !b->no_memory) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline != NULL ? newline + 1 : end, *stop = newline != NULL ? newline : end;
        const char *hash = memchr(at, '#', (size_t)(stop - at));

        b->line++;
        stop = hash != NULL ? hash : stop;
        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
            stop--;
        if (stop > at)
            set_entry(b, at, (size_t)(stop - at));
        at = next;
    }
}

/* ---- spans that neither touch nor overlap */

static int
span4_compare(const void *a, const void *b)
{
    const struct span4 *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

static size_t
span4_merge(struct span4 *v, size_t n)
{
    size_t kept = 0;

    if (n > 0)
        qsort(v, n, sizeof *v, span4_compare);
    for (size_t i = 0; i < n; i++)
        if (kept > 0 && (v[i].first <= v[kept - 1].last || v[i].first == v[kept - 1].last + 1))
            v[kept - 1].last = v[i].last > v[kept - 1].last ? v[i].last : v[kept - 1].last;
        else
            v[kept++] = v[i];
    return kept;
}

static int
span6_compare(const void *a, const void *b)
{
    return memcmp(((const struct span6 *)a)->first, ((const struct span6 *)b)->first, 16);
}

static size_t
span6_merge(struct span6 *v, size_t n)
{
    size_t kept = 0;

    if (n > 0)
        qsort(v, n, sizeof *v, span6_compare);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || memcmp(v[i].first, v[kept - 1].last, 16) > 0)
            v[kept++] = v[i];
        else if (memcmp(v[i].last, v[kept - 1].last, 16) > 0)
            memcpy(v[kept - 1].last, v[i].last, 16);
    }
    return kept;
}

/* ---- the block */

static void
set_put_names(const struct set_build *b, struct set_head *head, char *block)
{
    struct set_name *table = (struct set_name *)(void *)(block + head->at_names);

    for (size_t i = 0; i < b->n_names; i++) {
        struct set_name name = b->names[i];
        uint32_t slot = name.hash & (head->n_slots - 1);

        name.offset += (uint32_t)head->at_text;
        while (table[slot].kinds != 0) {
            if (table[slot].hash == name.hash && table[slot].len == name.len &&
                memcmp(block + table[slot].offset, block + name.offset, name.len) == 0)
                break;
            slot = (slot + 1) & (head->n_slots - 1);
        }
        /* The same name once more adds to what is meant of it. */
        name.kinds |= table[slot].kinds;
        table[slot] = name;
    }
}

static void *
set_block(struct set_build *b, size_t *size_out)
{
    struct set_head head = { .magic = SET_MAGIC, .n_slots = 16, .n_names = b->n_names };
    size_t size = sizeof head;
    char *block;

    head.n4 = span4_merge(b->v4, b->n4);
    head.n6 = span6_merge(b->v6, b->n6);
    while (head.n_slots / 2 < b->n_names)
        head.n_slots *= 2;
    head.at4 = size;
    head.at6 = head.at4 + head.n4 * sizeof *b->v4;
    head.at_names = head.at6 + head.n6 * sizeof *b->v6;
    head.at_text = head.at_names + head.n_slots * sizeof *b->names;
    size = head.at_text + b->text_len;
    block = size <= UINT32_MAX ? calloc(1, size) : NULL;
    if (block == NULL)
        return NULL;
    memcpy(block, &head, sizeof head);
    if (head.n4 > 0)
        memcpy(block + head.at4, b->v4, head.n4 * sizeof *b->v4);
    if (head.n6 > 0)
        memcpy(block + head.at6, b->v6, head.n6 * sizeof *b->v6);
    if (b->text_len > 0)
        memcpy(block + head.at_text, b->text, b->text_len);
    set_put_names(b, &head, block);
    *size_out = size;
    return block;
}

void *
rule_set_build(struct sg_instance *inst, const struct sg_image_source *source, size_t *size_out)
{
    struct set_build b = { .inst = inst, .source = source, .names_allowed = source->arg != NULL };
    void *block = NULL;

    set_lines(&b);
    if (b.errors > SET_ERRORS_SHOWN) {
        const unsigned more = b.errors - SET_ERRORS_SHOWN;

        b.errors = 0;
        set_error(&b, "and %u more lines like these", more);
    } else if (b.errors == 0 && !b.no_memory && b.n4 + b.n6 + b.n_names == 0) {
        b.line = 1;
        set_error(&b, "this set is empty: there must be at least one range or name in it");
    } else if (b.errors == 0) {
        block = b.no_memory ? NULL : set_block(&b, size_out);
        if (block == NULL)
            set_error(&b, "no memory for the set, or more than 4 GiB of it");
    }
    free(b.v4);
    free(b.v6);
    free(b.names);
    free(b.text);
    return block;
}

struct sg_image *
rule_set_new(struct sg_instance *inst, const struct sg_where *where, const char *path, bool names)
{
    static char names_allowed[] = "names";

    return sg_image_new(inst, where, path, rule_set_build, names ? names_allowed : NULL);
}

/* ---- lookups */

static bool
set_has4(const struct set_head *head, const uint8_t *ip)
{
    const struct span4 *v = (const void *)((const char *)head + head->at4);
    const uint32_t addr = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
    size_t low = 0, high = head->n4;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (v[middle].last < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low < head->n4 && v[low].first <= addr;
}

static bool
set_has6(const struct set_head *head, const uint8_t *ip)
{
    const struct span6 *v = (const void *)((const char *)head + head->at6);
    size_t low = 0, high = head->n6;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (memcmp(v[middle].last, ip, 16) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < head->n6 && memcmp(v[low].first, ip, 16) <= 0;
}

bool
rule_set_has_addr(const void *set, const struct sg_addr *addr)
{
    return addr->family == SG_FAMILY_IPV4   ? set_has4(set, addr->ip)
           : addr->family == SG_FAMILY_IPV6 ? set_has6(set, addr->ip)
                                            : false;
}

static bool
set_has_end(const struct set_head *head, uint32_t hash, const char *end, size_t len, unsigned kind)
{
    const char *block = (const char *)head;
    const struct set_name *table = (const void *)(block + head->at_names);

    hash = set_hash_end(hash);
    for (uint32_t slot = hash & (head->n_slots - 1); table[slot].kinds != 0; slot = (slot + 1) & (head->n_slots - 1))
        if (table[slot].hash == hash && table[slot].len == len && (table[slot].kinds & kind) != 0 &&
            memcmp(block + table[slot].offset, end, len) == 0)
            return true;
    return false;
}

bool
rule_set_has_name(const void *set, const char *name, size_t len)
{
    const struct set_head *head = set;
    uint32_t hash = SET_HASH_BASIS;

    for (size_t i = len; i-- > 0 && head->n_names > 0;) {
        hash = set_hash_octet(hash, name[i]);
        if (i == 0)
            return set_has_end(head, hash, name, len, RULE_NAME_SELF);
        if (name[i - 1] == '.' && set_has_end(head, hash, name + i, len - i, RULE_NAME_BELOW))
            return true;
    }
    return false;
}

bool
rule_set_has_ranges(const void *set)
{
    const struct set_head *head = set;

    return head->n4 + head->n6 > 0;
}
