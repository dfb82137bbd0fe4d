/* chat_qr.c - a QR code of the third size: ISO/IEC 18004, version 3-L
 * SPDX-License-Identifier: MIT
 *
 *     +-------+   +-------+   29 modules a side. F: finders, three rings; t: timing, every second one
 *     | F     |ttt|     F |   dark; A: alignment, a small finder; f: which level and mask this is. All
 *     |       |fff|       |   the rest is bits, from the right to the left, in columns of two, up and
 *     +-------+   +-------+   down in turn.
 *       t f             f
 *     +-------+    +---+      55 bytes of data: the mode, 4 bits; the length, 8; the text; 4 zeros;
 *     | F     |    | A |      then EC 11 EC 11. Behind them stand 15 bytes of Reed-Solomon: the rest of
 *     |       |ff  +---+      a division of polynomials over GF(256).
 *     +-------+
 *
 * The mask, which keeps large areas of one colour away, is always the first of the eight: each can be
 * read, and choosing the best is longer than all of this. */
#include "chat.h"

#include <string.h>

enum { DATA = 55, CHECK = 15, FORMAT = 0x77c4 };  // level L, mask 0, with its own check bits

/* In GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. */
static unsigned char times(unsigned a, unsigned b)
{
    unsigned product = 0;
    for (; b > 0; b >>= 1, a = a << 1 ^ (a >> 7) * 0x11d)
        if (b & 1)
            product ^= a;
    return (unsigned char)product;
}

/* Writes the check bytes behind the data. */
static void add_check(unsigned char words[DATA + CHECK])
{
    unsigned char generator[CHECK + 1] = { 1 }, root = 1, *rest = words + DATA;
    for (int n = 1; n <= CHECK; n++, root = times(root, 2))  // times (x - root)
        for (int i = n; i > 0; i--)
            generator[i] ^= times(generator[i - 1], root);
    memset(rest, 0, CHECK);
    for (int i = 0; i < DATA; i++) {
        unsigned char factor = words[i] ^ rest[0];
        for (int k = 0; k < CHECK; k++)
            rest[k] = (k + 1 < CHECK ? rest[k + 1] : 0) ^ times(generator[k + 1], factor);
    }
}

/* Rings around a middle: dark where the distance from it is in the set of bits. */
static void draw_rings(bool dark[CHAT_QR][CHAT_QR], bool used[CHAT_QR][CHAT_QR], int row,
                       int column, int size, unsigned distances)
{
    for (int y = row - size; y <= row + size; y++)
        for (int x = column - size; x <= column + size; x++) {
            if (y < 0 || x < 0 || y >= CHAT_QR || x >= CHAT_QR)
                continue;
            int down = y < row ? row - y : y - row, right = x < column ? column - x : x - column;
            dark[y][x] = distances >> (down > right ? down : right) & 1;
            used[y][x] = true;
        }
}

static void draw_format(bool dark[CHAT_QR][CHAT_QR], bool used[CHAT_QR][CHAT_QR])
{
    for (int i = 0; i < 15; i++) {  // bit i, twice: around the first finder, and at the other two
        bool bit = FORMAT >> i & 1;
        int near = i < 6 ? i : i < 8 ? i + 1 : 14 - i + (i == 8);
        int y = i < 8 ? near : 8, x = i < 8 ? 8 : near;
        int far_y = i < 8 ? 8 : CHAT_QR - 15 + i, far_x = i < 8 ? CHAT_QR - 1 - i : 8;
        dark[y][x] = dark[far_y][far_x] = bit;
        used[y][x] = used[far_y][far_x] = true;
    }
    dark[CHAT_QR - 8][8] = used[CHAT_QR - 8][8] = true;
}

static void draw_bits(bool dark[CHAT_QR][CHAT_QR], bool used[CHAT_QR][CHAT_QR],
                      const unsigned char words[DATA + CHECK])
{
    int n = 0;
    bool up = true;
    for (int right = CHAT_QR - 1; right > 0; right -= 2, up = !up) {
        right -= right == 6;  // the column of the timing
        for (int i = 0; i < 2 * CHAT_QR; i++) {
            int x = right - i % 2, y = up ? CHAT_QR - 1 - i / 2 : i / 2;
            if (used[y][x])
                continue;
            bool bit = n < 8 * (DATA + CHECK) && (words[n / 8] >> (7 - n % 8) & 1);
            dark[y][x] = bit ^ ((y + x) % 2 == 0);  // the mask
            n++;
        }
    }
}

bool chat_qr(const char *text, bool dark[CHAT_QR][CHAT_QR])
{
    unsigned char words[DATA + CHECK] = { 0 };
    bool used[CHAT_QR][CHAT_QR] = { { false } };
    size_t n = strlen(text);
    if (n > DATA - 2)
        return false;
    words[0] = (unsigned char)(0x40 | n >> 4);  // the mode "bytes", and all is 4 bits late
    words[1] = (unsigned char)(n << 4);
    for (size_t i = 0; i < n; i++) {
        words[i + 1] |= (unsigned char)text[i] >> 4;
        words[i + 2] = (unsigned char)(text[i] << 4);
    }
    for (size_t i = n + 2; i < DATA; i++)
        words[i] = (i - n) % 2 == 0 ? 0xec : 0x11;
    add_check(words);

    for (int i = 0; i < CHAT_QR; i++) {
        dark[6][i] = dark[i][6] = i % 2 == 0;
        used[6][i] = used[i][6] = true;
    }
    draw_rings(dark, used, 3, 3, 4, 0xb);  // 0, 1 and 3 from the middle; 4 is the space around
    draw_rings(dark, used, 3, CHAT_QR - 4, 4, 0xb);
    draw_rings(dark, used, CHAT_QR - 4, 3, 4, 0xb);
    draw_rings(dark, used, CHAT_QR - 7, CHAT_QR - 7, 2, 0x5);
    draw_format(dark, used);
    draw_bits(dark, used, words);
    return true;
}
