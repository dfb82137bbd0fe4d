/* test_base64.c - Base64 against RFC 4648, and what is lenient or strict beyond it
 * SPDX-License-Identifier: MIT */
#include "lib.h"

/* Decodes from and to memory of exactly the size that the contract names. */
static ptrdiff_t decode(const char *p, size_t n, char *out, size_t room)
{
    char *in = exact(p, n), *to = malloc(n / 4 * 3 + 2);
    ptrdiff_t got = sio_base64_decode(in, n, to);
    if (got > 0 && (size_t)got <= room)
        memcpy(out, to, (size_t)got);
    free(in);
    free(to);
    return got;
}

static void the_vectors_of_section_10_hold_both_ways(void **state)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text), size = strlen(cases[i].code);
        char *in = exact(cases[i].text, n), *code = malloc(size), back[8];
        assert_int_equal(sio_base64_size(n), size);
        assert_int_equal(sio_base64_encode(in, n, code), size);
        assert_memory_equal(code, cases[i].code, size);
        assert_int_equal(decode(code, size, back, sizeof back), n);
        assert_memory_equal(back, cases[i].text, n);
        free(in);
        free(code);
    }
}

/* Sections 4 and 5: the alphabets differ in their last two digits only. */
static void each_alphabet_has_its_64_digits(void **state)
{
    unsigned char bytes[48];
    char out[64];
    (void)state;
    for (unsigned i = 0; i < 64; i += 4) {  // the values 0 to 63, six bits each
        unsigned v = i << 18 | (i + 1) << 12 | (i + 2) << 6 | (i + 3);
        unsigned char *p = bytes + i / 4 * 3;
        p[0] = (unsigned char)(v >> 16), p[1] = (unsigned char)(v >> 8), p[2] = (unsigned char)v;
    }
    assert_int_equal(sio_base64_encode(bytes, 48, out), 64);
    assert_memory_equal(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                        64);
    assert_int_equal(sio_base64url_encode(bytes, 48, out), 64);
    assert_memory_equal(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                        64);
}

static void the_url_alphabet_is_written_without_padding(void **state)
{
    char out[4];
    (void)state;
    assert_int_equal(sio_base64url_encode("\xff", 1, out), 2);
    assert_memory_equal(out, "_w", 2);
    assert_int_equal(sio_base64url_encode("\xfb\xff", 2, out), 3);
    assert_memory_equal(out, "-_8", 3);
}

static void decoding_is_lenient_and_strict_where_it_should_be(void **state)
{
    static const struct {
        const char *rule, *code;
        ptrdiff_t want;
        const char *text;
    } cases[] = {
        { "protocol 1.6: padding may be missing, one byte", "Zg", 1, "f" },
        { "protocol 1.6: padding may be missing, two bytes", "Zm8", 2, "fo" },
        { "protocol 1.6: either alphabet, -_", "-_-_", 3, "\xfb\xff\xbf" },
        { "protocol 1.6: either alphabet, +/", "+/+/", 3, "\xfb\xff\xbf" },
        { "protocol 1.6: both alphabets at once", "+_-/", 3, "\xfb\xff\xbf" },
        { "protocol 1.6: an empty text is no bytes", "", 0, "" },
        { "bits left over are ignored", "Zh==", 1, "f" },
        { "bits left over are ignored, unpadded", "Zm9", 2, "fo" },
        { "one digit is no byte", "Z", -1, NULL },
        { "five digits are no length", "Zm9vZ", -1, NULL },
        { "one digit and padding", "Z===", -1, NULL },
        { "padding alone", "=", -1, NULL },
        { "padding alone, two", "==", -1, NULL },
        { "padding alone, four", "====", -1, NULL },
        { "half of the padding", "Zg=", -1, NULL },
        { "padding behind a whole group", "Zm9v=", -1, NULL },
        { "padding behind a whole group, two", "Zm9v==", -1, NULL },
        { "padding behind a whole group, four", "Zm9v====", -1, NULL },
        { "padding inside", "Zg==Zm9v", -1, NULL },
        { "padding between digits", "Z=g=", -1, NULL },
        { "white space", "Zm9v Zg==", -1, NULL },
        { "a line end behind", "Zm9v\n", -1, NULL },
        { "a foreign character", "Zm!v", -1, NULL },
        { "a foreign character last", "Zm9v!!!!", -1, NULL },
        { "above ASCII", "Zm9\xc3\xa9", -1, NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[16];
        ptrdiff_t got = decode(cases[i].code, strlen(cases[i].code), out, sizeof out);
        if (got != cases[i].want || (got > 0 && memcmp(out, cases[i].text, (size_t)got) != 0))
            fail_msg("%s: %d", cases[i].rule, (int)got);
    }
}

static void exactly_66_characters_are_digits(void **state)
{
    int digits = 0;
    (void)state;
    for (int c = 0; c < 256; c++) {
        char code[4] = { 'A', (char)c, 'A', 'A' }, out[3];
        ptrdiff_t got = decode(code, 4, out, 3);
        assert_true(got == 3 || got == -1);
        digits += got == 3;
    }
    assert_int_equal(digits, 66);
}

static void what_is_written_reads_back_at_every_length(void **state)
{
    unsigned char bytes[257];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 151 + 7);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t size = sio_base64_size(n);
        char *in = exact(bytes, n), *code = malloc(size), out[260];
        assert_int_equal(sio_base64_encode(in, n, code), size);
        assert_int_equal(decode(code, size, out, sizeof out), n);
        assert_memory_equal(out, bytes, n);
        size_t url = sio_base64url_encode(in, n, code);
        assert_int_equal(url, (n * 8 + 5) / 6);
        assert_int_equal(decode(code, url, out, sizeof out), n);
        assert_memory_equal(out, bytes, n);
        free(in);
        free(code);
    }
}

static void every_cut_of_a_text_is_read_inside_its_bounds(void **state)
{
    static const char code[] = "AAECAwQFBgcICQoLDA0ODw==";
    (void)state;
    for (size_t n = 0; n < sizeof code; n++) {
        char out[32];
        ptrdiff_t got = decode(code, n, out, sizeof out);
        size_t digits = n < 22 ? n : 22;
        bool good = n == 24 || (n <= 22 && digits % 4 != 1);
        assert_int_equal(got, good ? (ptrdiff_t)(digits * 6 / 8) : -1);
    }
}

/* The layers above decode an attachment where it stands. */
static void decoding_in_place_gives_the_same_bytes(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++) {
        char bytes[100], *code = malloc(sio_base64_size(n) + 2);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(i * 89 + n);
        size_t size = sio_base64_encode(bytes, n, code);
        assert_int_equal(sio_base64_decode(code, size, code), n);
        assert_memory_equal(code, bytes, n);
        free(code);
    }
}

/* The reference's parsers were slow on large input (threats.md: polling, packet parser). */
static void ten_megabytes_take_linear_time(void **state)
{
    (void)state;
    double start = seconds();
    char *p = filled(10000000, 'A');
    assert_int_equal(sio_base64_decode(p, 10000000, p), 7500000);
    free(p);
    assert_true(seconds() - start < LINEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_section_10_hold_both_ways),
        cmocka_unit_test(each_alphabet_has_its_64_digits),
        cmocka_unit_test(the_url_alphabet_is_written_without_padding),
        cmocka_unit_test(decoding_is_lenient_and_strict_where_it_should_be),
        cmocka_unit_test(exactly_66_characters_are_digits),
        cmocka_unit_test(what_is_written_reads_back_at_every_length),
        cmocka_unit_test(every_cut_of_a_text_is_read_inside_its_bounds),
        cmocka_unit_test(decoding_in_place_gives_the_same_bytes),
        cmocka_unit_test(ten_megabytes_take_linear_time),
    };
    return cmocka_run_group_tests_name("base64.c", tests, NULL, NULL);
}
