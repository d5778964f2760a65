/* SPDX-License-Identifier: BSD-2-Clause */
#include "utf8.h"

size_t
sg_utf8_next(const uint8_t *p, size_t n, uint32_t *character_out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);

    if (len > 1 && (p[0] < 0xc2 || p[0] > 0xf4 || n < len))
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *character_out = c;
    return len;
}

bool
sg_utf8_harmless(uint32_t character)
{
    const bool control = character < 0x20 || (character >= 0x7f && character < 0xa0);
    const bool separator_or_mark = (character >= 0x2028 && character <= 0x202e) ||
                                   (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;

    return !control && !separator_or_mark;
}
