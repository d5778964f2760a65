/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_verdicts.c - what each verdict means in each phase: the table of the manual against the one of the core.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "hooks.h"

static const char *const outcome_names[] = {
    [SG_OUTCOME_ERROR] = "error",         [SG_OUTCOME_GRANT] = "grant",       [SG_OUTCOME_REFUSE] = "refuse",
    [SG_OUTCOME_UNDECIDED] = "undecided", [SG_OUTCOME_MORE] = "more",         [SG_OUTCOME_NEXT] = "next",
    [SG_OUTCOME_WAIT] = "wait",           [SG_OUTCOME_REMEMBER] = "remember", [SG_OUTCOME_MISUSE] = "misuse",
};

#define VERDICTS 6

/* In the order of the manual's columns. */
static const enum sg_verdict columns[VERDICTS] = { SG_OK, SG_DECLINED, SG_UNDECIDED, SG_DENY, SG_AGAIN, SG_ERROR };

static const struct {
    enum sg_phase phase;
    const char *name;            /* in the manual */
    const char *means[VERDICTS]; /* in the order of `columns` */
    const char *at_end[2];       /* nothing was undecided; something was */
} rows[] = {
    { SG_PHASE_CLIENT, "client", { "next", "next", "next", "refuse", "wait", "error" }, { "grant", "grant" } },
    { SG_PHASE_REQUEST,
      "request",
      { "grant", "next", "remember", "refuse", "wait", "error" },
      { "refuse", "undecided" } },
    { SG_PHASE_TARGET, "target", { "grant", "next", "misuse", "refuse", "wait", "error" }, { "grant", "refuse" } },
    { SG_PHASE_AUTH_CHECK,
      "check",
      { "grant", "next", "misuse", "refuse", "misuse", "error" },
      { "refuse", "refuse" } },
    { SG_PHASE_AUTH_EXCHANGE,
      "exchange",
      { "grant", "misuse", "more", "refuse", "wait", "error" },
      { "refuse", "refuse" } },
    { SG_PHASE_COMMAND, "command", { "grant", "misuse", "misuse", "refuse", "wait", "error" }, { "refuse", "refuse" } },
};

#define ROWS (sizeof rows / sizeof rows[0])

Test(verdicts, each_means_what_the_table_says)
{
    cr_expect(ROWS == SG_PHASES, "a phase is missing");
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < VERDICTS; j++)
            cr_expect_str_eq(outcome_names[sg_verdict_meaning(rows[i].phase, columns[j])], rows[i].means[j],
                             "%s, verdict %d", rows[i].name, (int)columns[j]);
        for (unsigned undecided = 0; undecided < 2; undecided++)
            cr_expect_str_eq(outcome_names[sg_verdict_at_end(rows[i].phase, undecided != 0)], rows[i].at_end[undecided],
                             "%s, end of the list", rows[i].name);
    }
}

Test(verdicts, what_is_no_verdict_is_misuse)
{
    static const int none[] = { -1, 6, 7, 255, 256, 0x7fffffff };

    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < sizeof none / sizeof none[0]; j++)
            cr_expect(sg_verdict_meaning(rows[i].phase, (enum sg_verdict)none[j]) == SG_OUTCOME_MISUSE);
}

Test(verdicts, a_zeroed_answer_never_grants)
{
    for (size_t i = 0; i < ROWS; i++)
        cr_expect(sg_verdict_meaning(rows[i].phase, (enum sg_verdict)0) == SG_OUTCOME_ERROR);
}

/* The row of the manual as this test would write it. */
static void
manual_row(size_t row, char *text, size_t size)
{
    const char *const *means = rows[row].means, *const *at_end = rows[row].at_end;
    bool same = strcmp(at_end[0], at_end[1]) == 0;

    (void)snprintf(text, size, "| %s | %s | %s | %s | %s | %s | %s | %s%s%s |\n", rows[row].name, means[0], means[1],
                   means[2], means[3], means[4], means[5], at_end[0],
                   same ? "" : "; undecided: ", same ? "" : at_end[1]);
}

Test(verdicts, the_manual_has_the_same_table)
{
    char line[512], expected[512];
    bool found[ROWS] = { false };
    FILE *manual = fopen(SG_SOURCE "/doc/modules.md", "re");

    cr_assert(manual);
    while (fgets(line, sizeof line, manual))
        for (size_t i = 0; i < ROWS; i++) {
            manual_row(i, expected, sizeof expected);
            if (strcmp(line, expected) == 0)
                found[i] = true;
        }
    (void)fclose(manual);
    for (size_t i = 0; i < ROWS; i++) {
        manual_row(i, expected, sizeof expected);
        cr_expect(found[i], "doc/modules.md has no row %s", expected);
    }
}
