/* SPDX-License-Identifier: BSD-2-Clause */
#include "told.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void
told_line(void *arg, int level, const char *text)
{
    struct told *told_so_far = arg;

    if (level >= 0) {
        cr_assert_lt(told_so_far->n, TOLD_MAX);
        told_so_far->v[told_so_far->n].level = level;
        (void)snprintf(told_so_far->v[told_so_far->n].text, sizeof told_so_far->v[0].text, "%s", text);
        told_so_far->n++;
        return;
    }
    cr_assert_gt(told_so_far->n, 0);
    if (text[strspn(text, " \t")] == '^' && told_so_far->v[told_so_far->n - 1].shown[0] != '\0')
        told_so_far->v[told_so_far->n - 1].column = (int)strlen(text);
    else
        (void)snprintf(told_so_far->v[told_so_far->n - 1].shown, sizeof told_so_far->v[0].shown, "%s", text);
}

void
told(const struct sg_diag *diag, const struct sg_conf_text *text, struct told *told_out)
{
    memset(told_out, 0, sizeof *told_out);
    sg_diag_show(diag, text, told_line, told_out);
}

const char *
told_all(const struct told *told)
{
    static char all[TOLD_MAX * 700];
    size_t len = 0;

    all[0] = '\0';
    for (size_t i = 0; i < told->n; i++)
        len += (size_t)snprintf(all + len, sizeof all - len, "\n    [%d] column %d: %s", told->v[i].level,
                                told->v[i].column, told->v[i].text);
    return all;
}

bool
told_is(const struct told *told, size_t n, const char *wanted)
{
    char *end;
    const unsigned long line = strtoul(wanted, &end, 10);
    const long column = strtol(end + 1, &end, 10);
    const char *words = end + 1, *colon;

    if (n >= told->n || strstr(told->v[n].text, words) == NULL || (column != 0 && column != told->v[n].column))
        return false;
    colon = strchr(told->v[n].text, ':');
    return colon != NULL && strtoul(colon + 1, NULL, 10) == line;
}

void
told_expect(const struct told *told, const char *const *wanted, const char *source)
{
    size_t n = 0;

    for (; wanted[n] != NULL; n++)
        cr_expect(told_is(told, n, wanted[n]), "%s: \"%s\" was expected in%s", source, wanted[n], told_all(told));
    cr_expect_eq(told->n, n, "%s: told was%s", source, told_all(told));
}
