/* fuzz_base64.c - any bytes to and from Base64
 * SPDX-License-Identifier: MIT
 *
 * What is claimed:
 *  - What is encoded decodes to the same bytes, in both alphabets.
 *  - What is decoded and encoded again has the same digits, but for the last one's spare bits.
 *  - Decoding in place gives the same, and nothing is written beyond the room that is asked for. */
#include "fuzz.h"

static void there_and_back(const uint8_t *data, size_t n)
{
    size_t size = sio_base64_size(n), room = size / 4 * 3 + 2;
    char *code = malloc(size), *back = malloc(room);
    must(sio_base64_encode(data, n, code) == size, "the size is known before");
    must(sio_base64_decode(code, size, back) == (ptrdiff_t)n, "what we write decodes");
    must(n == 0 || memcmp(back, data, n) == 0, "what we write decodes to the same");
    size_t url = sio_base64url_encode(data, n, code);
    must(url == (n * 8 + 5) / 6, "the URL alphabet has no padding");
    must(sio_base64_decode(code, url, code) == (ptrdiff_t)n, "the URL alphabet decodes in place");
    must(n == 0 || memcmp(code, data, n) == 0, "the URL alphabet decodes to the same");
    free(code);
    free(back);
}

static char standard_digit(char c)
{
    return c == '-' ? '+' : c == '_' ? '/' : c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    there_and_back(data, n);
    const char *p = (const char *)data;
    char *out = malloc(n / 4 * 3 + 2), *same_place = exact(data, n);
    ptrdiff_t got = sio_base64_decode(p, n, out);
    must(got == sio_base64_decode(same_place, n, same_place), "in place is accepted as well");
    if (got >= 0) {
        size_t k = (size_t)got, digits = (k * 8 + 5) / 6;
        char *code = malloc(sio_base64_size(k));
        must(k == 0 || memcmp(out, same_place, k) == 0, "in place decodes to the same");
        sio_base64_encode(out, k, code);
        must(digits <= n && n - digits <= 2, "there are digits and up to two of padding");
        for (size_t i = 0; i < n; i++)
            must(i == digits - 1 ? k % 3 != 0 || code[i] == standard_digit(p[i])
                 : i < digits    ? code[i] == standard_digit(p[i])
                                 : p[i] == '=',
                 "the digits are the same");
        free(code);
    }
    free(out);
    free(same_place);
    return 0;
}
