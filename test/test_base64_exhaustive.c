/* test_base64_exhaustive.c - all short texts and bytes against a second reading of RFC 4648
 * SPDX-License-Identifier: MIT */
#include "exhaustive.h"

/* The bits of the digits from the left, by table 1; '-' and '_' are table 2's. -1: no encoding. */
static ptrdiff_t decode(const char *p, size_t n, unsigned char *out)
{
    static const char digits[] = LETTERS DIGITS "+/-_";
    size_t bits = 0, padding = 0;
    memset(out, 0, TEXT_BYTES);
    if (n % 4 == 0)
        while (padding < 2 && padding < n && p[n - 1 - padding] == '=')
            padding++;
    n -= padding;
    for (size_t i = 0; i < n; i++) {
        const char *at = p[i] == '\0' ? NULL : strchr(digits, p[i]);
        if (at == NULL)
            return -1;
        size_t v = (size_t)(at - digits);
        v = v < 64 ? v : v - 2;
        for (size_t bit = 6; bit-- > 0; bits++)
            out[bits / 8] |= (unsigned char)((v >> bit & 1) << (7 - bits % 8));
    }
    return n % 4 == 1 ? -1 : (ptrdiff_t)(n * 6 / 8);
}

static bool agrees(const char *p, size_t n)
{
    unsigned char want[TEXT_BYTES];
    char *got = malloc(n / 4 * 3 + 2);
    ptrdiff_t size = decode(p, n, want), found = sio_base64_decode(p, n, got);
    if (found != size || (size > 0 && memcmp(got, want, (size_t)size) != 0))
        fail_msg("%s decodes to %td bytes", shown(p, n), found);
    free(got);
    return true;
}

static void all_short_texts_agree_with_a_second_decoder(void **state)
{
    static const char *const edges[] = { "A", "Z", "a", "z",    "0",    "9", "+", "/",
                                         "-", "_", "=", "@",    "[",    "`", "{", ":",
                                         ",", ".", " ", "\x80", "\xff", NULL };
    static const char *const few[] = { "A", "_", "=", "!", NULL };
    (void)state;
    each_text(&(texts){ edges, agrees, 4, 0 }, "");
    each_text(&(texts){ edges, agrees, 4, 0 }, "AAAA");
    each_text(&(texts){ few, agrees, 9, 0 }, "");
}

static void all_pairs_of_bytes_agree_with_a_second_decoder(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 1u << 16; v++) {
        char p[2] = { (char)(v >> 8), (char)(v & 0xff) }, whole[4] = { p[0], p[1], 'A', '=' };
        agrees(p, 2);
        agrees(whole, 4);
    }
}

/* What is written is the one text without spare bits that decodes to the bytes. */
static void check_encoding(const unsigned char *p, size_t n)
{
    char text[8], url[8];
    unsigned char back[TEXT_BYTES];
    size_t size = sio_base64_encode(p, n, text), digits = (n * 8 + 5) / 6;
    if (size != (n + 2) / 3 * 4 || decode(text, size, back) != (ptrdiff_t)n ||
        memcmp(back, p, n) != 0 || back[n] != 0 || memcmp(text + digits, "==", size - digits) != 0)
        fail_msg("%s is encoded as %s", shown((const char *)p, n), text);
    if (sio_base64url_encode(p, n, url) != digits)
        fail_msg("%s is encoded in a wrong length", shown((const char *)p, n));
    for (size_t i = 0; i < digits; i++)
        assert_int_equal(url[i], text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
}

static void all_bytes_and_pairs_are_encoded_as_they_decode(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 1u << 16; v++) {
        unsigned char p[3] = { (unsigned char)(v >> 8), (unsigned char)v };
        check_encoding(p, 2);
        check_encoding(p + 1, 1);
        for (unsigned third = 1; third < 256; third *= 2) {
            p[2] = (unsigned char)(v % 2 == 0 ? third : ~third);
            check_encoding(p, 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_short_texts_agree_with_a_second_decoder),
        cmocka_unit_test(all_pairs_of_bytes_agree_with_a_second_decoder),
        cmocka_unit_test(all_bytes_and_pairs_are_encoded_as_they_decode),
    };
    return cmocka_run_group_tests_name("base64.c, exhaustively", tests, NULL, NULL);
}
