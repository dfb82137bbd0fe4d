/* sha1.c - SHA-1: FIPS 180-4, section 6.1, and RFC 3174
 * SPDX-License-Identifier: MIT
 *
 * The message is read in blocks of 64 bytes. Behind its last byte come 0x80, zeros, and its
 * length in bits as 8 bytes, big-endian, so that the whole is a number of blocks (5.1.1).
 *
 * Broken as a signature: two messages of one digest can be made. The WebSocket handshake only
 * needs an answer that no cache or script gives by accident, and for that it is good enough. */
#include "codec.h"

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* 6.1.2: mixes one block into the state. */
static void mix(uint32_t state[5], const unsigned char *p)
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;  // 4.1.1, 4.2.1
        if (i < 20) {
            f = (b & c) | (~b & d), k = 0x5a827999;
        } else if (i < 40) {
            f = b ^ c ^ d, k = 0x6ed9eba1;
        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d, k = 0xca62c1d6;
        }
        uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

void sio_sha1(const void *message, size_t n, unsigned char digest[20])
{
    uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };  // 5.3.1
    const unsigned char *p = message;
    uint64_t bits = (uint64_t)n * 8;
    for (; n >= 64; p += 64, n -= 64)
        mix(state, p);

    unsigned char last[128] = { 0 };
    size_t size = n < 56 ? 64 : 128;
    if (n > 0)
        memcpy(last, p, n);
    last[n] = 0x80;
    for (int i = 1; i <= 8; i++, bits >>= 8)
        last[size - (size_t)i] = (unsigned char)bits;
    for (size_t i = 0; i < size; i += 64)
        mix(state, last + i);

    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(state[i / 4] >> (24 - i % 4 * 8));
}
