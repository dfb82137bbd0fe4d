/* test_ws.c - WebSocket frames, close codes and handshakes (RFC 6455; rows of PROTOCOL.md)
 * SPDX-License-Identifier: MIT */
#include "lib.h"

/* ---- Headers --------------------------------------------------------------------------------- */

#define KEY "\x37\xfa\x21\x3d"

static const struct {
    const char *rule, *p;
    size_t n;
    int want;
    uint64_t len;
} headers[] = {
    { "5.7: a masked text frame", BYTES("\x81\x85" KEY), 6, 5 },
    { "5.2: an empty text frame", BYTES("\x81\x80" KEY), 6, 0 },
    { "5.2: a binary frame", BYTES("\x82\x81" KEY), 6, 1 },
    { "5.4: a first fragment", BYTES("\x01\x83" KEY), 6, 3 },
    { "5.4: a continuation", BYTES("\x00\x83" KEY), 6, 3 },
    { "5.4: a last continuation", BYTES("\x80\x83" KEY), 6, 3 },
    { "5.2: 125 bytes", BYTES("\x82\xfd" KEY), 6, 125 },
    { "5.2: 126 bytes", BYTES("\x82\xfe\x00\x7e" KEY), 8, 126 },
    { "5.2: 65535 bytes", BYTES("\x82\xfe\xff\xff" KEY), 8, 65535 },
    { "5.2: 65536 bytes", BYTES("\x82\xff\0\0\0\0\0\x01\0\0" KEY), 14, 65536 },
    { "5.2: 2^53 bytes are for the caller to refuse", BYTES("\x82\xff\0\x20\0\0\0\0\0\0" KEY), 14,
      (uint64_t)1 << 53 },
    { "5.2: 2^63 - 1 bytes, the longest", BYTES("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" KEY), 14,
      INT64_MAX },
    { "5.5: a close frame", BYTES("\x88\x82" KEY), 6, 2 },
    { "5.5: an empty close frame", BYTES("\x88\x80" KEY), 6, 0 },
    { "5.5: a ping", BYTES("\x89\x80" KEY), 6, 0 },
    { "5.5: a ping of 125 bytes", BYTES("\x89\xfd" KEY), 6, 125 },
    { "5.5: a pong", BYTES("\x8a\x84" KEY), 6, 4 },

    { "5.1: unmasked", BYTES("\x81\x05"), -1002, 0 },
    { "5.1: unmasked and empty", BYTES("\x81\x00"), -1002, 0 },
    { "5.1: unmasked ping", BYTES("\x89\x00"), -1002, 0 },
    { "5.1: unmasked, 126", BYTES("\x81\x7e"), -1002, 0 },
    { "5.2: RSV1", BYTES("\xc1\x85"), -1002, 0 },
    { "5.2: RSV2", BYTES("\xa1\x85"), -1002, 0 },
    { "5.2: RSV3", BYTES("\x91\x85"), -1002, 0 },
    { "5.2: RSV1 on a control frame", BYTES("\xc9\x80"), -1002, 0 },
    { "5.2: opcode 3", BYTES("\x83\x80"), -1002, 0 },
    { "5.2: opcode 4", BYTES("\x84\x80"), -1002, 0 },
    { "5.2: opcode 5", BYTES("\x85\x80"), -1002, 0 },
    { "5.2: opcode 6", BYTES("\x86\x80"), -1002, 0 },
    { "5.2: opcode 7", BYTES("\x87\x80"), -1002, 0 },
    { "5.2: opcode 11", BYTES("\x8b\x80"), -1002, 0 },
    { "5.2: opcode 12", BYTES("\x8c\x80"), -1002, 0 },
    { "5.2: opcode 13", BYTES("\x8d\x80"), -1002, 0 },
    { "5.2: opcode 14", BYTES("\x8e\x80"), -1002, 0 },
    { "5.2: opcode 15", BYTES("\x8f\x80"), -1002, 0 },
    { "5.5: a fragmented close", BYTES("\x08\x80"), -1002, 0 },
    { "5.5: a fragmented ping", BYTES("\x09\x80"), -1002, 0 },
    { "5.5: a fragmented pong", BYTES("\x0a\x80"), -1002, 0 },
    { "5.5: a ping of 126 bytes", BYTES("\x89\xfe"), -1002, 0 },
    { "5.5: a close of 65536 bytes", BYTES("\x88\xff"), -1002, 0 },
    { "5.2: 125 in the second form", BYTES("\x82\xfe\x00\x7d" KEY), -1002, 0 },
    { "5.2: 0 in the second form", BYTES("\x82\xfe\x00\x00" KEY), -1002, 0 },
    { "5.2: 65535 in the third form", BYTES("\x82\xff\0\0\0\0\0\0\xff\xff" KEY), -1002, 0 },
    { "5.2: 0 in the third form", BYTES("\x82\xff\0\0\0\0\0\0\0\0" KEY), -1002, 0 },
    { "6.2: the top bit is set", BYTES("\x82\xff\x80\0\0\0\0\0\0\0" KEY), -1009, 0 },
    { "6.2: all bits are set", BYTES("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" KEY), -1009, 0 },
};

static int parse(const char *p, size_t n, sio_ws_head *h)
{
    char *copy = exact(p, n);
    int got = sio_ws_parse_header((unsigned char *)copy, n, h);
    free(copy);
    return got;
}

static void a_header_is_read_or_refused_by_the_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++) {
        sio_ws_head h;
        int got = parse(headers[i].p, headers[i].n, &h);
        if (got != headers[i].want)
            fail_msg("%s: %d", headers[i].rule, got);
        if (got < 0)
            continue;
        if (h.len != headers[i].len || h.fin != ((headers[i].p[0] & 0x80) != 0) ||
            h.op != (headers[i].p[0] & 15) || memcmp(h.key, KEY, 4) != 0)
            fail_msg("%s: fields", headers[i].rule);
    }
}

/* threats.md: short frames that were read past their end. */
static void a_header_cut_anywhere_needs_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        for (size_t n = 0; n < headers[i].n; n++) {
            sio_ws_head h;
            memset(&h, 0x55, sizeof h);
            int got = parse(headers[i].p, n, &h);
            if (got != 0)
                fail_msg("%s: %d after %zu bytes", headers[i].rule, got, n);
            assert_int_equal(h.op, 0x55);  // untouched
        }
}

/* threats.md: lengths that overflow. The refusal comes with the header, not with the payload. */
static void every_first_byte_with_every_second_byte_agrees_with_the_tables(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            unsigned char p[14] = { (unsigned char)a, (unsigned char)b, 1, 2, 3, 4, 5 };
            unsigned op = a & 15, len = b & 127;
            bool known = op <= 2 || (op >= 8 && op <= 10);
            bool control = op >= 8 && (len > 125 || a < 0x80);
            bool good = (a & 0x70) == 0 && known && b >= 0x80 && !control;
            int size = len < 126 ? 6 : len == 126 ? 8 : 14;
            sio_ws_head h;
            assert_int_equal(parse((char *)p, 14, &h), good ? size : -1002);
            assert_int_equal(parse((char *)p, 2, &h), good ? 0 : -1002);
        }
}

static void what_we_write_reads_back_and_has_the_shortest_form(void **state)
{
    static const uint64_t lens[] = { 0, 1, 125, 126, 127, 65535, 65536, 70000, (uint64_t)1 << 31 };
    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        size_t size = lens[i] < 126 ? 2 : lens[i] < 65536 ? 4 : 10, len;
        char *p = malloc(size);
        unsigned char op;
        assert_int_equal(sio_ws_header_before(p + size, SIO_WS_BINARY, lens[i]), size);
        assert_int_equal(p[0] & 0xff, 0x82);  // FIN, no RSV
        assert_int_equal(p[1] & 0x80, 0);     // 5.1: a server does not mask
        assert_int_equal(sio_ws_own_header(p, &op, &len), size);
        assert_int_equal(op, SIO_WS_BINARY);
        assert_int_equal(len, lens[i]);
        free(p);
    }
}

static void a_header_that_we_write_is_rfc_6455s_but_for_the_mask(void **state)
{
    char p[10];
    (void)state;
    sio_ws_header_before(p + 2, SIO_WS_TEXT, 5);
    assert_memory_equal(p, "\x81\x05", 2);  // 5.7
    sio_ws_header_before(p + 4, SIO_WS_BINARY, 256);
    assert_memory_equal(p, "\x82\x7e\x01\x00", 4);  // 5.7
    sio_ws_header_before(p + 10, SIO_WS_BINARY, 65536);
    assert_memory_equal(p, "\x82\x7f\0\0\0\0\0\x01\0\0", 10);  // 5.7
    sio_ws_header_before(p + 2, SIO_WS_CLOSE, 0);
    assert_memory_equal(p, "\x88\x00", 2);
}

/* ---- Masks ----------------------------------------------------------------------------------- */

static void the_masked_hello_of_section_5_7_is_hello(void **state)
{
    unsigned char p[] = { 0x7f, 0x9f, 0x4d, 0x51, 0x58 };
    (void)state;
    sio_ws_unmask(p, 5, (const unsigned char *)KEY);
    assert_memory_equal(p, "Hello", 5);
}

static void unmasking_is_the_same_for_every_length(void **state)
{
    unsigned char want[80], key[4] = { 0xde, 0xad, 0xbe, 0xef };
    (void)state;
    for (size_t i = 0; i < sizeof want; i++)
        want[i] = (unsigned char)((i * 37) ^ key[i % 4]);
    for (size_t n = 0; n <= sizeof want; n++) {
        unsigned char *p = malloc(n);
        for (size_t i = 0; i < n; i++)
            p[i] = (unsigned char)(i * 37);
        sio_ws_unmask(p, n, key);
        assert_memory_equal(p, want, n);
        free(p);
    }
}

static void unmasking_works_at_any_address_and_leaves_its_neighbours(void **state)
{
    (void)state;
    for (size_t at = 0; at < 16; at++)
        for (size_t n = 0; n < 40; n++) {
            unsigned char p[64];
            memset(p, 0xaa, sizeof p);
            sio_ws_unmask(p + at, n, (const unsigned char *)"\xff\xff\xff\xff");
            for (size_t i = 0; i < sizeof p; i++)
                assert_int_equal(p[i], i >= at && i < at + n ? 0x55 : 0xaa);
        }
}

/* ---- Closing --------------------------------------------------------------------------------- */

static int close_code(const void *p, size_t n)
{
    char *copy = exact(p, n);
    int code = sio_ws_close_code((unsigned char *)copy, n);
    free(copy);
    return code;
}

/* 7.4, W21, W22: every one of the 65536. */
static void only_codes_that_may_be_sent_are_accepted(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 65536; code++) {
        unsigned char p[2] = { (unsigned char)(code >> 8), (unsigned char)code };
        bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);
        assert_int_equal(close_code(p, 2), good ? (int)code : -1002);
    }
}

static void a_close_frames_reason_is_utf_8(void **state)
{
    static const struct {
        const char *rule, *p;
        size_t n;
        int want;
    } cases[] = {
        { "5.5.1: no body", BYTES(""), SIO_WS_NO_CODE },
        { "5.5.1: one byte", BYTES("\x03"), -1002 },
        { "5.5.1: a code", BYTES("\x03\xe8"), 1000 },
        { "5.5.1: a reason", BYTES("\x03\xe9going away"), 1001 },
        { "8.1: a reason in UTF-8", BYTES("\x0f\xa0\xed\x95\x9c"), 4000 },
        { "8.1: a cut reason", BYTES("\x03\xe8\xed\x95"), -1007 },
        { "8.1: a reason in Latin-1", BYTES("\x03\xe8\xe9"), -1007 },
        { "8.1: an overlong reason", BYTES("\x03\xe8\xc0\x80"), -1007 },
        { "7.4: a bad code with a bad reason", BYTES("\x03\xec\xff"), -1002 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int code = close_code(cases[i].p, cases[i].n);
        if (code != cases[i].want)
            fail_msg("%s: %d", cases[i].rule, code);
    }
}

/* ---- Handshake ------------------------------------------------------------------------------- */

#define CONNECTION "Connection: Upgrade\r\n"
#define START "GET / HTTP/1.1\r\n" CONNECTION
#define WEBSOCKET "Upgrade: websocket\r\n"
#define NONCE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static void a_handshake_is_checked_as_section_4_2_1_says(void **state)
{
    static const char method[] = "Invalid HTTP method", http[] = "Invalid HTTP version";
    static const char upgrade[] = "Invalid Upgrade header";
    static const char key[] = "Missing or invalid Sec-WebSocket-Key header";
    static const char version[] = "Missing or invalid Sec-WebSocket-Version header";
    static const struct {
        const char *rule, *text, *want;
    } cases[] = {
        { "4.2.1: good", START WEBSOCKET NONCE VERSION "\r\n", NULL },
        { "4.2.1: any case", START "upgrade: WebSocket\r\n" NONCE VERSION "\r\n", NULL },
        { "4.4: version 8", START WEBSOCKET NONCE "Sec-WebSocket-Version: 8\r\n\r\n", NULL },
        { "4.2.1: + and / in a key",
          START WEBSOCKET "Sec-WebSocket-Key: ++++//////////////////==\r\n" VERSION "\r\n", NULL },
        { "4.2.1: another protocol", START "Upgrade: h2c\r\n" NONCE VERSION "\r\n", upgrade },
        { "4.2.1: a list", START "Upgrade: websocket, h2c\r\n" NONCE VERSION "\r\n", upgrade },
        { "4.2.1: a version", START "Upgrade: websocket/13\r\n" NONCE VERSION "\r\n", upgrade },
        { "4.2.1: an empty field", START "Upgrade:\r\n" NONCE VERSION "\r\n", upgrade },
        { "4.2.1: no key", START WEBSOCKET VERSION "\r\n", key },
        { "4.2.1: an empty key", START WEBSOCKET "Sec-WebSocket-Key:\r\n" VERSION "\r\n", key },
        { "4.2.1: a short key",
          START WEBSOCKET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n" VERSION "\r\n", key },
        { "4.2.1: an unpadded key",
          START WEBSOCKET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n" VERSION "\r\n", key },
        { "4.2.1: half of the padding",
          START WEBSOCKET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n" VERSION "\r\n", key },
        { "4.2.1: 18 bytes",
          START WEBSOCKET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n" VERSION "\r\n", key },
        { "4.2.1: a long key",
          START WEBSOCKET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA==\r\n" VERSION "\r\n", key },
        { "4.2.1: the URL alphabet",
          START WEBSOCKET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_-==\r\n" VERSION "\r\n", key },
        { "4.2.1: a space in the key",
          START WEBSOCKET "Sec-WebSocket-Key: dGhlIHNhbXBsZ Bub25jZQ==\r\n" VERSION "\r\n", key },
        { "4.4: no version", START WEBSOCKET NONCE "\r\n", version },
        { "4.4: version 12", START WEBSOCKET NONCE "Sec-WebSocket-Version: 12\r\n\r\n", version },
        { "4.4: version 130", START WEBSOCKET NONCE "Sec-WebSocket-Version: 130\r\n\r\n", version },
        { "4.4: version 013", START WEBSOCKET NONCE "Sec-WebSocket-Version: 013\r\n\r\n", version },
        { "4.4: two versions", START WEBSOCKET NONCE "Sec-WebSocket-Version: 13, 8\r\n\r\n",
          version },
        { "4.2.1: POST", "POST / HTTP/1.1\r\nHost: a\r\n" CONNECTION WEBSOCKET NONCE VERSION "\r\n",
          method },
        { "4.2.1: HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n" CONNECTION WEBSOCKET NONCE VERSION "\r\n",
          method },
        { "4.2.1: HTTP/1.0",
          "GET / HTTP/1.0\r\nHost: a\r\n" CONNECTION WEBSOCKET NONCE VERSION "\r\n", http },
        { "11.3.1: two keys", START WEBSOCKET NONCE NONCE VERSION "\r\n", key },
        { "11.3.5: version in two fields", START WEBSOCKET NONCE VERSION VERSION "\r\n", version },
        { "4.2.1: two upgrades", START WEBSOCKET "Upgrade: websocket\r\n" NONCE VERSION "\r\n",
          upgrade },
        { "threats.md: names of prototypes as extensions",
          START WEBSOCKET NONCE VERSION "Sec-WebSocket-Extensions: constructor, __proto__\r\n\r\n",
          NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static sio_http_head head;
        bool hint = true;
        assert_true(sio_http_parse(cases[i].text, strlen(cases[i].text), &head) > 0);
        const char *got = sio_ws_check(&head, &hint);
        if ((got == NULL) != (cases[i].want == NULL) || (got && strcmp(got, cases[i].want) != 0))
            fail_msg("%s: %s", cases[i].rule, got == NULL ? "good" : got);
        if (hint != (cases[i].want == version))
            fail_msg("%s: hint", cases[i].rule);
    }
}

static void the_answer_to_the_key_of_section_1_3_is_the_published_one(void **state)
{
    char *key = exact("dGhlIHNhbXBsZSBub25jZQ==", 24), *out = malloc(28);
    (void)state;
    sio_ws_accept_key((sio_span){ key, 24 }, out);
    assert_memory_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28);
    free(key);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_read_or_refused_by_the_rule),
        cmocka_unit_test(a_header_cut_anywhere_needs_more),
        cmocka_unit_test(every_first_byte_with_every_second_byte_agrees_with_the_tables),
        cmocka_unit_test(what_we_write_reads_back_and_has_the_shortest_form),
        cmocka_unit_test(a_header_that_we_write_is_rfc_6455s_but_for_the_mask),
        cmocka_unit_test(the_masked_hello_of_section_5_7_is_hello),
        cmocka_unit_test(unmasking_is_the_same_for_every_length),
        cmocka_unit_test(unmasking_works_at_any_address_and_leaves_its_neighbours),
        cmocka_unit_test(only_codes_that_may_be_sent_are_accepted),
        cmocka_unit_test(a_close_frames_reason_is_utf_8),
        cmocka_unit_test(a_handshake_is_checked_as_section_4_2_1_says),
        cmocka_unit_test(the_answer_to_the_key_of_section_1_3_is_the_published_one),
    };
    return cmocka_run_group_tests_name("ws.c", tests, NULL, NULL);
}
