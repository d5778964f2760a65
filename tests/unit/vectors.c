/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
    uint8_t octets[4096];
    size_t len, at;
    char direction;
    bool judged; /* a `=` line has ended it */
};

static void
vector_octets(struct message *m, const char *line)
{
    char *end;

    if (m->judged || m->direction != line[0])
        *m = (struct message){ .direction = line[0] };
    for (line++; *line != '\0'; line = end) {
        const unsigned long octet = strtoul(line, &end, 16);

        cr_assert(end != line && octet <= 0xff && m->len < sizeof m->octets, "%s", line);
        m->octets[m->len++] = (uint8_t)octet;
    }
}

static unsigned
vector_judge(struct message *m, const char *file, unsigned number, const char *line, char direction,
             void (*check)(const struct vector_case *c))
{
    const size_t name = strcspn(line + 2, " ");
    char codec[16];
    struct vector_case c = { .file = file, .line = number, .codec = codec, .expect = line + 2 + name };
    const char *consumed;

    (void)snprintf(codec, sizeof codec, "%.*s", (int)name, line + 2);
    /* An octet too far must be seen by AddressSanitizer: every case has a block of its own. */
    c.len = m->len - m->at;
    c.octets = memcpy(malloc(c.len + 1), m->octets + m->at, c.len);
    if (m->direction == direction)
        check(&c);
    free((void *)(uintptr_t)c.octets);
    m->judged = true;
    consumed = vector_field(&c, "consumed");
    if (consumed != NULL)
        m->at += strtoul(consumed, NULL, 10);
    return m->direction == direction;
}

unsigned
vectors_each(char direction, void (*check)(const struct vector_case *c))
{
    unsigned n = 0;
    glob_t files;

    cr_assert_eq(glob(SG_SOURCE "/tests/vectors/*.txt", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *in = fopen(files.gl_pathv[i], "r");
        struct message m = { .judged = true };
        char line[1100];
        unsigned number = 0;

        cr_assert_not_null(in);
        while (fgets(line, sizeof line, in) != NULL) {
            number++;
            line[strcspn(line, "\n")] = '\0';
            if (line[0] == '>' || line[0] == '<')
                vector_octets(&m, line);
            else if (line[0] == '=')
                n += vector_judge(&m, files.gl_pathv[i], number, line, direction, check);
        }
        (void)fclose(in);
    }
    globfree(&files);
    return n;
}

const char *
vector_field(const struct vector_case *c, const char *key)
{
    static char value[600];
    const size_t len = strlen(key);

    for (const char *p = c->expect; (p = strstr(p, key)) != NULL; p++)
        if (p[len] == '=' && p > c->expect && p[-1] == ' ') {
            (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(p + len + 1, " "), p + len + 1);
            return value;
        }
    return NULL;
}
