/* chat_names.c - names of people and rooms, and which of them look alike
 * SPDX-License-Identifier: MIT
 *
 * Names that look alike are the same name, as far as this goes without the tables of Unicode: without
 * regard to the case of Latin, Greek and Cyrillic letters, to joiners, to full width, and to the letters
 * of these scripts that are drawn alike, like i and l. Nobody has a name with spaces or other marks that
 * can't be seen, or that begins with an accent. The page sends normal form C. */
#include "chat.h"

/* Lists of letters, in pairs: from the first to the last. They end with zeros. Accents: not at the
 * beginning of a name, where they would go with nothing. Joiners go with emoji, Persian and rare forms
 * of letters, and have no look of their own. Unseen are spaces, controls, marks that turn what follows,
 * and what is shown as nothing. */
static const unsigned long accents[] = { 0x300,  0x36f,  0x1ab0, 0x1aff, 0x1dc0, 0x1dff,
                                         0x20d0, 0x20ff, 0xfe20, 0xfe2f, 0,      0 };
static const unsigned long joiners[] = { 0x200c, 0x200d, 0xfe00, 0xfe0f, 0xe0100, 0xe01ef, 0, 0 };
static const unsigned long unseen[] = {
    0,       ' ',     0x7f,    0xa0,    0xad,    0xad,    0x34f,  0x34f,  0x61c,   0x61c,
    0x115f,  0x1160,  0x1680,  0x1680,  0x17b4,  0x17b5,  0x180b, 0x180f, 0x2000,  0x200b,
    0x200e,  0x200f,  0x2028,  0x202f,  0x205f,  0x206f,  0x2800, 0x2800, 0x3000,  0x3000,
    0x3164,  0x3164,  0xfeff,  0xfeff,  0xffa0,  0xffa0,  0xfff0, 0xfffb, 0x1bca0, 0x1bca3,
    0x1d173, 0x1d17a, 0xe0000, 0xe00ff, 0xe01f0, 0xe0fff, 0,      0
};

/* Pairs too: a letter in lower case, and the Latin one that it, or its capital, is drawn like. */
static const unsigned long drawn_like[] = {
    '0',   'o', '1',   'l', 'i',   'l', '|',   'l', 0x430, 'a', 0x432, 'b', 0x435, 'e',
    0x437, '3', 0x43a, 'k', 0x43c, 'm', 0x43d, 'h', 0x43e, 'o', 0x440, 'p', 0x441, 'c',
    0x442, 't', 0x443, 'y', 0x445, 'x', 0x455, 's', 0x456, 'l', 0x458, 'j', 0x3b1, 'a',
    0x3b2, 'b', 0x3b5, 'e', 0x3b6, 'z', 0x3b7, 'h', 0x3b9, 'l', 0x3ba, 'k', 0x3bc, 'm',
    0x3bd, 'n', 0x3bf, 'o', 0x3c1, 'p', 0x3c4, 't', 0x3c5, 'y', 0x3c7, 'x', 0,     0
};

static bool is_in(const unsigned long *list, unsigned long c)
{
    while (list[1] > 0 && (c < list[0] || c > list[1]))
        list += 2;
    return list[1] > 0;
}

/* Takes a letter off a text, which is UTF-8; 0 at the end. */
static unsigned long next_letter(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    unsigned long c = *p;
    if (c >= 0xc0)
        c &= c >= 0xf0 ? 0x07 : c >= 0xe0 ? 0x0f : 0x1f;
    for (p += *p != 0; (*p & 0xc0) == 0x80; p++)
        c = c << 6 | (*p & 0x3f);
    *text = (const char *)p;
    return c;
}

static unsigned long lower(unsigned long c)
{
    if (c >= 0xff01 && c <= 0xff5e)  // full width
        c -= 0xfee0;
    bool is_capital = (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
                      (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f);
    return is_capital ? c + 32 : c >= 0x400 && c <= 0x40f ? c + 80 : c;
}

static unsigned long plain_letter(unsigned long c)
{
    c = lower(c);
    for (const unsigned long *pair = drawn_like; pair[0] > 0; pair += 2)
        if (c == pair[0])
            return pair[1];
    return c;
}

/* Writes a letter; it may have become one of fewer bytes, never of more. Returns them. */
static size_t put_letter(char *out, unsigned long c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[n] | c);
    return n;
}

bool chat_plain(const char *name, char plain[CHAT_NAME + 1])
{
    const char *rest = name;
    unsigned long c = next_letter(&rest);
    if (is_in(accents, c) || is_in(joiners, c))
        return false;
    size_t n = 0;
    for (rest = name; *rest != '\0';) {
        c = next_letter(&rest);
        if (is_in(unseen, c))
            return false;
        if (!is_in(joiners, c))
            n += put_letter(plain + n, plain_letter(c));
    }
    plain[n] = '\0';
    return n > 0;
}
