/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * units.c - numbers with units.
 */
#include "units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first: formatting takes the first that divides. */
static const struct unit durations[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
                                         { "s", 1000 },     { "ms", 1 },      { NULL, 0 } };
static const struct unit sizes[] = {
    { "G", (int64_t)1 << 30 }, { "M", (int64_t)1 << 20 }, { "K", (int64_t)1 << 10 }, { "", 1 }, { NULL, 0 }
};

/* Digits only, at most `max`; the text behind them goes to `rest_out`. */
static int
units_digits(const char *text, int64_t max, int64_t *value_out, const char **rest_out)
{
    int64_t value = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        const int digit = *p - '0';

        if (value > (max - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    *value_out = value;
    *rest_out = p;
    return p > text ? 0 : -1;
}

static int
units_parse(const char *text, const struct unit *units, int64_t *value_out)
{
    int64_t value;
    const char *rest;

    if (units_digits(text, INT64_MAX, &value, &rest) == -1)
        return -1;
    if (value == 0 && *rest == '\0') {
        *value_out = 0;
        return 0;
    }
    for (; units->name != NULL; units++)
        if (strcmp(rest, units->name) == 0) {
            if (value > INT64_MAX / units->factor)
                return -1;
            *value_out = value * units->factor;
            return 0;
        }
    return -1;
}

static const char *
units_format(int64_t value, const struct unit *units, char *text, size_t size)
{
    for (; units[1].name != NULL && (value == 0 || value % units->factor != 0); units++)
        continue;
    (void)snprintf(text, size, "%" PRId64 "%s", value / units->factor, value == 0 ? "" : units->name);
    return text;
}

int
sg_parse_duration(const char *text, int64_t *ms_out)
{
    return units_parse(text, durations, ms_out);
}

int
sg_parse_size(const char *text, int64_t *octets_out)
{
    return units_parse(text, sizes, octets_out);
}

int
sg_parse_port_span(const char *text, uint16_t *first_out, uint16_t *last_out)
{
    int64_t first, last;
    const char *rest;

    if (units_digits(text, UINT16_MAX, &first, &rest) == -1)
        return -1;
    last = first;
    if (*rest == '-' && units_digits(rest + 1, UINT16_MAX, &last, &rest) == -1)
        return -1;
    if (*rest != '\0' || first > last)
        return -1;
    *first_out = (uint16_t)first;
    *last_out = (uint16_t)last;
    return 0;
}

const char *
sg_format_duration(int64_t ms, char *text, size_t size)
{
    return units_format(ms, durations, text, size);
}

const char *
sg_format_size(int64_t octets, char *text, size_t size)
{
    return units_format(octets, sizes, text, size);
}
