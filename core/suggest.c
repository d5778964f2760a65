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

static bool
suggest_same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned
suggest_distance(const char *a, size_t n, const char *b, size_t m)
{
    unsigned d[3][SUGGEST_MAX + 1]; /* the last three rows of the usual table */

    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = d[i % 3], *above = d[(i - 1) % 3], *two_above = d[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            const unsigned other = suggest_same(a[i - 1], b[j - 1]) ? 0 : 1;

            row[j] = suggest_min(above[j - 1] + other, suggest_min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && suggest_same(a[i - 1], b[j - 2]) && suggest_same(a[i - 2], b[j - 1]))
                row[j] = suggest_min(row[j], two_above[j - 2] + 1);
        }
    }
    return d[n % 3][m];
}

/* A third of the letters may be wrong, rounded up, but not all that there are. */
void
sg_suggest(struct sg_suggestion *suggestion, const char *candidate)
{
    const size_t n = strlen(suggestion->word), m = strlen(candidate);
    const size_t longer = n > m ? n : m;
    unsigned d;

    if (n == 0 || m == 0 || longer > SUGGEST_MAX)
        return;
    d = suggest_distance(suggestion->word, n, candidate, m);
    if (d <= (longer + 2) / 3 && d < longer && (suggestion->best == NULL || d < suggestion->distance)) {
        suggestion->best = candidate;
        suggestion->distance = d;
    }
}

const char *
sg_suggest_item(const char *word, const struct sg_conf_item *items)
{
    struct sg_suggestion suggestion = { .word = word };

    for (; items != NULL && items->name != NULL; items++)
        sg_suggest(&suggestion, items->name);
    return suggestion.best;
}

const char *
sg_suggest_word(const char *word, const struct sg_conf_word *words)
{
    struct sg_suggestion suggestion = { .word = word };

    for (; words != NULL && words->word != NULL; words++)
        sg_suggest(&suggestion, words->word);
    return suggestion.best;
}
