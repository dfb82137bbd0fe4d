/* test_ws_exhaustive.c - all heads of frames, close codes and short payloads against RFC 6455
 * SPDX-License-Identifier: MIT */
#include "lib.h"

/* Section 5.2, bit by bit from the left, as the RFC draws it. */
typedef struct bits {
    const unsigned char *p;
    size_t at;
} bits;

static uint64_t take(bits *b, size_t count)
{
    uint64_t v = 0;
    for (; count > 0; count--, b->at++)
        v = v * 2 + ((unsigned)b->p[b->at / 8] >> (7 - b->at % 8)) % 2;
    return v;
}

static int second_parser(const unsigned char *p, size_t n, sio_ws_head *out)
{
    bits b = { p, 0 };
    if (n < 2)
        return 0;
    out->fin = take(&b, 1) == 1;
    uint64_t rsv = take(&b, 3);
    out->op = (unsigned char)take(&b, 4);
    bool masked = take(&b, 1) == 1;
    out->len = take(&b, 7);
    switch (out->op) {
    case 0x0:
    case 0x1:
    case 0x2:
        break;
    case 0x8:
    case 0x9:
    case 0xa:
        if (!out->fin || out->len > 125)
            return -1002;
        break;
    default:
        return -1002;
    }
    if (rsv != 0 || !masked)
        return -1002;
    size_t more = out->len == 127 ? 64 : out->len == 126 ? 16 : 0;
    if (n < 2 + more / 8 + 4)
        return 0;
    if (more > 0) {
        uint64_t least = more == 16 ? 126 : 65536;
        out->len = take(&b, more);
        if (out->len > INT64_MAX)
            return -1009;
        if (out->len < least)
            return -1002;
    }
    for (int i = 0; i < 4; i++)
        out->key[i] = (unsigned char)take(&b, 8);
    return (int)(b.at / 8);
}

static void check_head(const unsigned char *bytes, size_t n)
{
    static unsigned char *memory;
    if (memory == NULL && (memory = malloc(SIO_WS_HEADER)) == NULL)
        abort();
    for (size_t cut = 0; cut <= n; cut++) {
        sio_ws_head want, got = { .op = 0x55 };
        memcpy(memory + SIO_WS_HEADER - cut, bytes, cut);
        int size = second_parser(bytes, cut, &want);
        int found = sio_ws_parse_header(memory + SIO_WS_HEADER - cut, cut, &got);
        if (found != size)
            fail_msg("%02x %02x, %zu bytes: %d, not %d", bytes[0], bytes[1], cut, found, size);
        if (size > 0 && (got.fin != want.fin || got.op != want.op || got.len != want.len ||
                         memcmp(got.key, want.key, 4) != 0))
            fail_msg("%02x %02x: its fields", bytes[0], bytes[1]);
        if (size <= 0)
            assert_int_equal(got.op, 0x55);  // untouched
    }
}

static void all_heads_with_all_edges_of_lengths_agree_with_a_second_parser(void **state)
{
    static const uint64_t edges[] = { 0,         1,     125,   126,   127,       255,
                                      256,       65535, 65536, 65537, INT64_MAX, (uint64_t)1 << 63,
                                      UINT64_MAX };
    (void)state;
    for (unsigned v = 0; v < 1u << 16; v++) {
        size_t more = v % 128 == 126 ? 2 : v % 128 == 127 ? 8 : 0;
        for (size_t i = 0; i < (more > 0 ? COUNT(edges) : 1); i++) {
            unsigned char p[SIO_WS_HEADER] = { (unsigned char)(v >> 8), (unsigned char)v };
            for (size_t k = 0; k < more; k++)
                p[1 + more - k] = (unsigned char)(edges[i] >> 8 * k);
            memcpy(p + 2 + more, "\x37\xfa\x21\x3d", 4);
            check_head(p, 2 + more + 4);
        }
    }
}

static void all_lengths_around_the_edges_are_written_and_read(void **state)
{
    static const uint64_t edges[] = { 0, 126, 256, 65536, (uint64_t)1 << 31 };
    (void)state;
    for (size_t i = 0; i < COUNT(edges); i++)
        for (int d = -128; d < 128; d++) {
            uint64_t len = edges[i] + (uint64_t)d;
            if (len > edges[i] + 128)  // below 0
                continue;
            for (unsigned char op = 0; op < 16; op++) {
                char *memory = malloc(10);
                size_t size = len < 126 ? 2 : len < 65536 ? 4 : 10, back;
                unsigned char *p = (unsigned char *)memory + 10 - size, is;
                assert_int_equal(sio_ws_header_before(memory + 10, op, len), size);
                assert_int_equal(p[0], 0x80 | op);
                bits b = { p + 1, 1 };
                assert_true(p[1] < 0x80);
                uint64_t first = take(&b, 7);
                assert_int_equal(first, size == 2 ? len : size == 4 ? 126 : 127);
                assert_true(size == 2 || take(&b, size == 4 ? 16 : 64) == len);
                assert_int_equal(sio_ws_own_header((char *)p, &is, &back), size);
                assert_true(is == op && back == len);
                free(memory);
            }
        }
}

/* Section 7.4.2 and IANA's registry, as of 1014. */
static void all_close_codes_agree_with_the_registry(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 1u << 16; v++) {
        bool may_be_sent;
        if (v < 1000)
            may_be_sent = false;  // not used
        else if (v < 3000)
            may_be_sent = v <= 1014 && v != 1004 && v != 1005 && v != 1006;
        else
            may_be_sent = v < 5000;
        unsigned char p[4] = { (unsigned char)(v >> 8), (unsigned char)v, 'a', 0x80 };
        int good = (int)v;
        assert_int_equal(sio_ws_is_code(good), may_be_sent);
        assert_int_equal(sio_ws_close_code(p, 1), -1002);
        assert_int_equal(sio_ws_close_code(p, 2), may_be_sent ? good : -1002);
        assert_int_equal(sio_ws_close_code(p, 3), may_be_sent ? good : -1002);
        assert_int_equal(sio_ws_close_code(p, 4), may_be_sent ? -1007 : -1002);
    }
}

/* Section 5.3, of all lengths at all offsets in a word; each byte of the key for itself. */
static void all_short_payloads_are_unmasked_by_section_5_3(void **state)
{
    (void)state;
    for (size_t n = 0; n < 40; n++)
        for (size_t offset = 0; offset < 8; offset++)
            for (unsigned bit = 0; bit < 32; bit++) {
                unsigned char key[4] = { 0 }, *memory = malloc(offset + n + 1);
                key[bit / 8] = (unsigned char)(1 << bit % 8);
                memset(memory, 0x5a, offset + n);
                sio_ws_unmask(memory + offset, n, key);
                for (size_t i = 0; i < offset + n; i++)
                    assert_int_equal(memory[i], i < offset ? 0x5a : 0x5a ^ key[(i - offset) % 4]);
                free(memory);
            }
}

/* 4.2.1, point 5: 22 digits of Base64's first alphabet and two of padding. */
static void every_byte_at_every_place_of_a_key_is_checked(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char good[] = "dGhlIHNhbXBsZSBub25jZQ==";
    sio_http_head head = { .method = SIO_SPAN("GET"),
                           .minor = 1,
                           .n_fields = 3,
                           .field = { { SIO_SPAN("Upgrade"), SIO_SPAN("websocket") },
                                      { SIO_SPAN("Sec-WebSocket-Version"), SIO_SPAN("13") },
                                      { SIO_SPAN("Sec-WebSocket-Key"), { NULL, 24 } } } };
    (void)state;
    for (size_t i = 0; i < 24; i++)
        for (int b = 0; b < 256; b++) {
            char *key = exact(good, 24);
            bool hint, fits = i < 22 ? b != 0 && strchr(digits, b) != NULL : b == '=';
            key[i] = (char)b;
            head.field[2].value.p = key;
            if ((sio_ws_check(&head, &hint) == NULL) != fits)
                fail_msg("%02x at %zu", (unsigned)b, i);
            free(key);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_heads_with_all_edges_of_lengths_agree_with_a_second_parser),
        cmocka_unit_test(all_lengths_around_the_edges_are_written_and_read),
        cmocka_unit_test(all_close_codes_agree_with_the_registry),
        cmocka_unit_test(all_short_payloads_are_unmasked_by_section_5_3),
        cmocka_unit_test(every_byte_at_every_place_of_a_key_is_checked),
    };
    return cmocka_run_group_tests_name("ws.c, exhaustively", tests, NULL, NULL);
}
