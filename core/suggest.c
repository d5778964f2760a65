/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suggest.c - "did you mean": the nearest name by edit distance, where a transposition counts one.
 */
#include <ctype.h>
#include <string.h>

#include "schema.h"

#define SUGGEST_MAX 48

static unsigned
suggest_min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned
suggest_distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    unsigned d[3][SUGGEST_MAX + 1]; /* the last three rows of the usual table */

    if (n > SUGGEST_MAX || m > SUGGEST_MAX)
        return SUGGEST_MAX;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = d[i % 3], *above = d[(i - 1) % 3], *two_above = d[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            const unsigned other = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);

            row[j] = suggest_min(above[j - 1] + other, suggest_min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = suggest_min(row[j], two_above[j - 2] + 1);
        }
    }
    return d[n % 3][m];
}

/* Keeps the better of two candidates; a third of the letters may be wrong. */
static void
suggest_try(const char *word, const char *candidate, const char **best, unsigned *distance)
{
    const size_t longer = strlen(word) > strlen(candidate) ? strlen(word) : strlen(candidate);
    const unsigned d = suggest_distance(word, candidate);

    if (d <= (longer + 2) / 3 && d < *distance) {
        *best = candidate;
        *distance = d;
    }
}

const char *
sg_suggest_item(const char *word, const struct sg_conf_item *items)
{
    const char *best = NULL;
    unsigned distance = SUGGEST_MAX;

    for (; items != NULL && items->name != NULL; items++)
        suggest_try(word, items->name, &best, &distance);
    return best;
}

const char *
sg_suggest_word(const char *word, const struct sg_conf_word *words)
{
    const char *best = NULL;
    unsigned distance = SUGGEST_MAX;

    for (; words != NULL && words->word != NULL; words++)
        suggest_try(word, words->word, &best, &distance);
    return best;
}
