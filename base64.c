/* base64.c - Base64: RFC 4648, sections 4 and 5
 * SPDX-License-Identifier: MIT
 *
 *     three bytes    aaaaaaaa bbbbbbbb cccccccc
 *     four digits    aaaaaa aabbbb bbbbcc cccccc
 *
 * Decoding is lenient where the clients of Socket.IO need it: both alphabets, padding or none. It
 * is strict otherwise: a foreign character, padding inside, or a single digit left over is refused.
 * Bits left over behind the last byte are ignored, as all decoders in the field do. */
#include "codec.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Section 4: writes n bytes as digits without padding. Returns the digits. */
static size_t encode(const unsigned char *p, size_t n, const char *digits, char *out)
{
    char *start = out;
    for (; n >= 3; p += 3, n -= 3) {
        *out++ = digits[p[0] >> 2];
        *out++ = digits[(p[0] << 4 | p[1] >> 4) & 63];
        *out++ = digits[(p[1] << 2 | p[2] >> 6) & 63];
        *out++ = digits[p[2] & 63];
    }
    if (n > 0) {
        unsigned second = n > 1 ? p[1] : 0;
        *out++ = digits[p[0] >> 2];
        *out++ = digits[((unsigned)p[0] << 4 | second >> 4) & 63];
        if (n > 1)
            *out++ = digits[second << 2 & 63];
    }
    return (size_t)(out - start);
}

size_t sio_base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}

size_t sio_base64_encode(const void *p, size_t n, char *out)
{
    size_t used = encode(p, n, standard, out);
    while (used % 4 != 0)
        out[used++] = '=';
    return used;
}

size_t sio_base64url_encode(const void *p, size_t n, char *out)
{
    return encode(p, n, url_safe, out);
}

/* The six bits of a digit of either alphabet (tables 1 and 2), or -1. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

ptrdiff_t sio_base64_decode(const char *p, size_t n, void *out)
{
    if (n > 0 && n % 4 == 0 && p[n - 1] == '=')
        n -= p[n - 2] == '=' ? 2 : 1;
    if (n % 4 == 1)
        return -1;

    unsigned char *q = out;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        int v = digit_value(p[i]);
        if (v < 0)
            return -1;
        bits = bits << 6 | (uint32_t)v;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *q++ = (unsigned char)(bits >> count);
        }
    }
    return q - (unsigned char *)out;
}
