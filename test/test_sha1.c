/* test_sha1.c - SHA-1 against the vectors of FIPS 180-4 and RFC 3174
 * SPDX-License-Identifier: MIT */
#include "lib.h"

static void hex_of(const void *p, size_t n, char out[41])
{
    unsigned char digest[20];
    char *copy = exact(p, n);
    sio_sha1(copy, n, digest);
    free(copy);
    for (size_t i = 0; i < 20; i++)
        snprintf(out + i * 2, 3, "%02x", digest[i]);
}

static void the_published_vectors_come_out(void **state)
{
    static const struct {
        const char *rule, *message, *digest;
    } cases[] = {
        { "FIPS 180: no bytes", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
        { "FIPS 180: one block", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
        { "FIPS 180: 448 bits, two blocks",
          "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
        { "FIPS 180: 896 bits",
          "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
          "lm"
          "nopqrsmnopqrstnopqrstu",
          "a49b2446a02c645bf419f995b67091253a04a259" },
        { "RFC 6455, 1.3: the handshake's key",
          "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
          "b37a4f2cc0624f1690f64606cf385945b2bec4ea" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char hex[41];
        hex_of(cases[i].message, strlen(cases[i].message), hex);
        if (strcmp(hex, cases[i].digest) != 0)
            fail_msg("%s: %s", cases[i].rule, hex);
    }
}

static void a_million_times_the_letter_a_comes_out(void **state)
{
    (void)state;
    char hex[41], *p = filled(1000000, 'a');
    hex_of(p, 1000000, hex);
    free(p);
    assert_string_equal(hex, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void rfc_3174_test_4_comes_out(void **state)
{
    (void)state;
    char hex[41], p[641];
    for (int i = 0; i < 640; i++)
        p[i] = (char)('0' + i % 8);
    hex_of(p, 640, hex);
    assert_string_equal(hex, "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

/* 5.1.1: 55 bytes share the last block with their length, 56 need one more. */
static void the_padding_is_right_at_each_edge_of_a_block(void **state)
{
    static const struct {
        size_t n;
        const char *digest;
    } cases[] = {
        { 1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8" },
        { 54, "b05d71c64979cb95fa74a33cdb31a40d258ae02e" },
        { 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a" },
        { 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699" },
        { 57, "f08f24908d682555111be7ff6f004e78283d989a" },
        { 63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5" },
        { 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d" },
        { 65, "11655326c708d70319be2610e8a57d9a5b959d3b" },
        { 119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56" },
        { 120, "f34c1488385346a55709ba056ddd08280dd4c6d6" },
        { 127, "89d95fa32ed44a7c610b7ee38517ddf57e0bb975" },
        { 128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0" },
        { 129, "d96debf1bdcbc896e6c134ea76e8141f40d78536" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char hex[41], *p = filled(cases[i].n, 'a');
        hex_of(p, cases[i].n, hex);
        free(p);
        if (strcmp(hex, cases[i].digest) != 0)
            fail_msg("%zu bytes: %s", cases[i].n, hex);
    }
}

/* The digest of the digests of 300 messages, as another implementation has it. */
static void every_length_up_to_300_agrees_with_another_implementation(void **state)
{
    unsigned char digests[300 * 20], message[300];
    char hex[41];
    (void)state;
    for (size_t n = 0; n < 300; n++) {
        for (size_t i = 0; i < n; i++)
            message[i] = (unsigned char)(i * 7 + n);
        sio_sha1(message, n, digests + n * 20);
    }
    hex_of(digests, sizeof digests, hex);
    assert_string_equal(hex, "dfc942b5ddc5fe6421ccada9be50fa42e873926c");
}

/* A span of nothing may be nowhere. */
static void no_bytes_are_read_of_an_empty_message(void **state)
{
    unsigned char nowhere[20], empty[20];
    (void)state;
    sio_sha1(NULL, 0, nowhere);
    sio_sha1("", 0, empty);
    assert_memory_equal(nowhere, empty, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_come_out),
        cmocka_unit_test(a_million_times_the_letter_a_comes_out),
        cmocka_unit_test(rfc_3174_test_4_comes_out),
        cmocka_unit_test(the_padding_is_right_at_each_edge_of_a_block),
        cmocka_unit_test(every_length_up_to_300_agrees_with_another_implementation),
        cmocka_unit_test(no_bytes_are_read_of_an_empty_message),
    };
    return cmocka_run_group_tests_name("sha1.c", tests, NULL, NULL);
}
