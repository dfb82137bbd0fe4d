/* test_json_text.c - UTF-8 (RFC 3629), JSON's strings (RFC 8259, 7) and the sinks they go to
 * SPDX-License-Identifier: MIT */
#include "lib.h"

static size_t utf8_prefix(const void *p, size_t n)
{
    char *copy = exact(p, n);
    size_t good = sio_utf8_prefix(copy, n);
    free(copy);
    return good;
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

static void utf_8_ends_where_the_first_bad_sequence_begins(void **state)
{
    static const struct {
        const char *rule, *p;
        size_t n, good;
    } cases[] = {
        { "3: nothing", BYTES(""), 0 },
        { "3: ASCII with its NUL", BYTES("a\0\x7f"), 3 },
        { "3: U+0080, the first of two bytes", BYTES("\xc2\x80"), 2 },
        { "3: U+07FF, the last of two bytes", BYTES("\xdf\xbf"), 2 },
        { "3: U+0800, the first of three bytes", BYTES("\xe0\xa0\x80"), 3 },
        { "3: U+D7FF, the last before the surrogates", BYTES("\xed\x9f\xbf"), 3 },
        { "3: U+E000, the first behind the surrogates", BYTES("\xee\x80\x80"), 3 },
        { "3: U+FFFF, the last of three bytes", BYTES("\xef\xbf\xbf"), 3 },
        { "3: U+FEFF, the byte order mark", BYTES("\xef\xbb\xbf"), 3 },
        { "3: U+10000, the first of four bytes", BYTES("\xf0\x90\x80\x80"), 4 },
        { "3: U+10FFFF, the last of all", BYTES("\xf4\x8f\xbf\xbf"), 4 },
        { "3: a sentence", BYTES("h\xc3\xa9 \xed\x95\x9c\xea\xb8\x80 \xf0\x9f\x98\x80!"), 16 },
        { "3: overlong in two bytes, U+0000", BYTES("ab\xc0\x80"), 2 },
        { "3: overlong in two bytes, U+007F", BYTES("\xc1\xbf"), 0 },
        { "3: overlong in three bytes, U+07FF", BYTES("a\xe0\x9f\xbf"), 1 },
        { "3: overlong in four bytes, U+FFFF", BYTES("\xf0\x8f\xbf\xbf"), 0 },
        { "3: the first surrogate", BYTES("\xed\xa0\x80"), 0 },
        { "3: the last surrogate", BYTES("\xed\xbf\xbf"), 0 },
        { "3: a pair of surrogates (CESU-8)", BYTES("\xed\xa0\xbd\xed\xb8\x80"), 0 },
        { "3: U+110000, above the last", BYTES("\xf4\x90\x80\x80"), 0 },
        { "3: a lead of F5", BYTES("\xf5\x80\x80\x80"), 0 },
        { "3: a lead of five bytes", BYTES("\xf8\x88\x80\x80\x80"), 0 },
        { "3: FE and FF", BYTES("\xfe\xff"), 0 },
        { "3: a continuation alone", BYTES("ab\x80"), 2 },
        { "3: a continuation too many", BYTES("\xc3\xa9\xa9"), 2 },
        { "3: two bytes cut", BYTES("\xc3"), 0 },
        { "3: three bytes cut after one", BYTES("a\xe2"), 1 },
        { "3: three bytes cut after two", BYTES("a\xe2\x82"), 1 },
        { "3: four bytes cut after three", BYTES("a\xf0\x9f\x98"), 1 },
        { "3: a lead, then ASCII", BYTES("\xc3xx"), 0 },
        { "3: two of three, then ASCII", BYTES("\xe2\x82xx"), 0 },
        { "3: three of four, then ASCII", BYTES("\xf0\x9f\x98x"), 0 },
        { "3: Latin-1", BYTES("caf\xe9 cr\xe8me"), 3 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t good = utf8_prefix(cases[i].p, cases[i].n);
        if (good != cases[i].good)
            fail_msg("%s: %zu bytes", cases[i].rule, good);
        for (size_t n = 0; n < cases[i].n; n++)  // a cut gives the same or less, never more
            assert_true(utf8_prefix(cases[i].p, n) <= (n < good ? n : good));
    }
}

/* A second opinion: by value, not by ranges of bytes. */
static size_t plain_utf8(const unsigned char *p, size_t n)
{
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (size < 2 || size > n || p[0] > 0xf7)
        return size == 1;
    uint32_t v = p[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        v = v << 6 | (p[i] & 63);
    }
    uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
    return v < least || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? 0 : size;
}

static void every_lead_with_every_second_byte_agrees_with_a_second_opinion(void **state)
{
    static const unsigned char next[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0xbf, 0xc0, 0xff };
    (void)state;
    for (unsigned i = 0; i < 0x80 * 0x100 * COUNT(next) * COUNT(next); i++) {
        unsigned char p[4] = { (unsigned char)(0x80 + i / 64 / 256), (unsigned char)(i / 64),
                               next[i / 8 % 8], next[i % 8] };
        size_t want = plain_utf8(p, 4), got = sio_utf8_prefix((char *)p, want > 0 ? want : 4);
        if (got != want)
            fail_msg("%02x %02x %02x %02x: %zu", p[0], p[1], p[2], p[3], got);
    }
}

static void a_bad_byte_is_found_at_any_place_of_any_block(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 140; n++)
        for (size_t at = 0; at < n; at++) {
            char *p = filled(n, 'a');
            p[at] = '\x80';
            if (utf8_prefix(p, n) != at)
                fail_msg("at %zu of %zu", at, n);
            free(p);
        }
}

static void a_good_sequence_may_straddle_any_two_blocks(void **state)
{
    (void)state;
    for (size_t n = 4; n <= 140; n++)
        for (size_t at = 0; at + 4 <= n; at++) {
            char *p = filled(n, 'a');
            memcpy(p + at, "\xf0\x9f\x98\x80", 4);
            assert_int_equal(utf8_prefix(p, n), n);
            assert_int_equal(utf8_prefix(p, at + 3), at);
            free(p);
        }
}

/* ---- Strings --------------------------------------------------------------------------------- */

/* Lengths at which a scan by 8 or 64 bytes changes its step. */
static const size_t edges[] = { 0,  1,  6,  7,  8,  9,  15,  16,  17, 62,
                                63, 64, 65, 66, 71, 72, 127, 128, 129 };

static void a_special_byte_is_found_at_any_place_of_any_block(void **state)
{
    (void)state;
    for (size_t e = 1; e < COUNT(edges); e++)
        for (size_t at = 0; at < edges[e]; at++)
            for (int c = 0; c < 256; c++) {
                size_t n = edges[e] + 2;
                char *p = filled(n, c % 2 ? ' ' : '\xff');
                p[0] = p[n - 1] = '"';
                p[at + 1] = (char)c;
                char *copy = exact(p, n);
                bool want = c >= 0x20 && c != '"' && (c != '\\');
                if (sio_json_check(copy, n, 1, NULL) != want)
                    fail_msg("byte %d at %zu of %zu", c, at, edges[e]);
                free(copy);
                free(p);
            }
}

/* Decodes into exactly the room that the contract asks for. */
static size_t unescape(const char *p, size_t n, char *out)
{
    char *in = exact(p, n), *to = malloc(n);
    assert_true(sio_json_check(in, n, 1, NULL));
    size_t got = sio_json_unescape((sio_span){ in, n }, to);
    assert_true(got < n);
    memcpy(out, to, got);
    free(in);
    free(to);
    return got;
}

static void escapes_decode_to_what_they_mean(void **state)
{
    static const struct {
        const char *rule, *string, *text;
        size_t n;
    } cases[] = {
        { "7: empty", "\"\"", BYTES("") },
        { "7: no escapes", "\"caf\xc3\xa9\"", BYTES("caf\xc3\xa9") },
        { "7: the short ones", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", BYTES("\"\\/\b\f\n\r\t") },
        { "7: U+0000 does not end a text", "\"a\\u0000b\"", BYTES("a\0b") },
        { "7: ASCII", "\"\\u0041\\u007f\"", BYTES("A\x7f") },
        { "7: two bytes", "\"\\u0080\\u07ff\"", BYTES("\xc2\x80\xdf\xbf") },
        { "7: three bytes", "\"\\u0800\\uFFFF\"", BYTES("\xe0\xa0\x80\xef\xbf\xbf") },
        { "7: either case", "\"\\uABCD\\uabcd\"", BYTES("\xea\xaf\x8d\xea\xaf\x8d") },
        { "7: beside the surrogates", "\"\\ud7ff\\ue000\"", BYTES("\xed\x9f\xbf\xee\x80\x80") },
        { "7: the first pair", "\"\\ud800\\udc00\"", BYTES("\xf0\x90\x80\x80") },
        { "7: the last pair", "\"\\udbff\\udfff\"", BYTES("\xf4\x8f\xbf\xbf") },
        { "7: a pair inside", "\"a\\uD83D\\uDE00b\"", BYTES("a\xf0\x9f\x98\x80\x62") },
        { "8.2: a lone high surrogate", "\"\\ud800\"", BYTES("\xef\xbf\xbd") },
        { "8.2: a lone low surrogate", "\"\\udfffx\"", BYTES("\xef\xbf\xbdx") },
        { "8.2: high, then a letter", "\"\\ud800x\"", BYTES("\xef\xbf\xbdx") },
        { "8.2: high, then an escape", "\"\\ud800\\n\"", BYTES("\xef\xbf\xbd\n") },
        { "8.2: high, then an escaped letter", "\"\\ud800\\u0041\"", BYTES("\xef\xbf\xbd\x41") },
        { "8.2: high, then a pair", "\"\\ud800\\ud83d\\ude00\"",
          BYTES("\xef\xbf\xbd\xf0\x9f\x98\x80") },
        { "8.2: low, then high", "\"\\udc00\\ud800\"", BYTES("\xef\xbf\xbd\xef\xbf\xbd") },
        { "7: an escaped backslash before u", "\"\\\\u0041\"", BYTES("\\u0041") },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64];
        size_t got = unescape(cases[i].string, strlen(cases[i].string), out);
        if (got != cases[i].n || memcmp(out, cases[i].text, got) != 0)
            fail_msg("%s: %.*s", cases[i].rule, (int)got, out);
    }
}

static void an_escape_decodes_at_any_place_of_any_block(void **state)
{
    (void)state;
    for (size_t e = 0; e < COUNT(edges); e++)
        for (size_t at = 0; at <= edges[e]; at++) {
            size_t n = edges[e] + 14;
            char *p = filled(n, 'a'), *want = filled(edges[e] + 4, 'a'), out[160];
            p[0] = p[n - 1] = '"';
            memcpy(p + at + 1, "\\ud83d\\ude00", 12);
            memcpy(want + at, "\xf0\x9f\x98\x80", 4);
            assert_int_equal(unescape(p, n, out), edges[e] + 4);
            assert_memory_equal(out, want, edges[e] + 4);
            free(p);
            free(want);
        }
}

static void a_string_may_be_decoded_in_place(void **state)
{
    char text[] = "\"a\\n\\u00e9\\ud83d\\ude00b\"";
    (void)state;
    size_t n = sio_json_unescape(SIO_SPAN(text), text);
    assert_int_equal(n, 9);
    assert_memory_equal(text, "a\n\xc3\xa9\xf0\x9f\x98\x80\x62", 9);
}

static void text_is_compared_by_its_meaning_not_by_its_spelling(void **state)
{
    static const struct {
        const char *string, *text;
        size_t n;
        bool want;
    } cases[] = {
        { "\"\"", BYTES(""), true },
        { "\"num\"", BYTES("num"), true },
        { "\"\\u006eum\"", BYTES("num"), true },
        { "\"n\\u0075\\u006D\"", BYTES("num"), true },
        { "\"num\"", BYTES("nu"), false },
        { "\"nu\"", BYTES("num"), false },
        { "\"nuM\"", BYTES("num"), false },
        { "\"\\u006eun\"", BYTES("num"), false },
        { "\"a\\u0000b\"", BYTES("a\0b"), true },
        { "\"a\\u0000b\"", BYTES("a\0c"), false },
        { "\"a\\u0000\"", BYTES("a"), false },
        { "1", BYTES("1"), false },
        { "null", BYTES("ul"), false },
        { "[\"a\"]", BYTES("\"a\""), false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].string);
        char *s = exact(cases[i].string, n), *text = exact(cases[i].text, cases[i].n);
        if (sio_json_text_is((sio_span){ s, n }, text, cases[i].n) != cases[i].want)
            fail_msg("%s and %s", cases[i].string, cases[i].text);
        free(s);
        free(text);
    }
}

/* However long it is, and wherever its escapes are. */
static void long_text_with_escapes_is_compared_too(void **state)
{
    static const size_t sizes[] = { 0, 1, 60, 240, 250, 255, 256, 257, 1000, 70000 };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t n = sizes[i];
        char *string = filled(2 * n + 14, 'x'), *text = filled(2 * n + 4, 'x');
        string[0] = string[2 * n + 13] = '"';
        memcpy(string + 1 + n, "\\ud83d\\ude00", 12);
        memcpy(text + n, "\xf0\x9f\x98\x80", 4);
        sio_span s = { string, 2 * n + 14 };
        assert_true(sio_json_text_is(s, text, 2 * n + 4));
        assert_false(sio_json_text_is(s, text, 2 * n + 3));
        assert_false(sio_json_text_is(s, text, n));
        text[2 * n + 3]++;
        assert_false(sio_json_text_is(s, text, 2 * n + 4));
        free(string);
        free(text);
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool grow(sio_sink *sink, size_t need)
{
    char *p = realloc(sink->p, sink->n + need);
    if (p == NULL)
        return false;
    sink->p = p;
    sink->cap = sink->n + need;  // exactly: a sanitizer sees one byte more
    return true;
}

static void check_written(const char *text, size_t n, const char *want)
{
    sio_sink sink = { .grow = grow };
    char *copy = exact(text, n);
    sio_json_put_string(&sink, copy, n);
    if (sink.failed || sink.n != strlen(want) || memcmp(sink.p, want, sink.n) != 0)
        fail_msg("%s became %.*s", want, (int)sink.n, sink.p);
    assert_true(sio_json_check(sink.p, sink.n, 0, NULL));
    char *out = malloc(sink.n);
    assert_int_equal(sio_json_unescape((sio_span){ sink.p, sink.n }, out), n);
    assert_memory_equal(out, copy, n);
    free(out);
    free(copy);
    free(sink.p);
}

/* S32: what the server writes itself. */
static void only_what_must_be_escaped_is_escaped(void **state)
{
    (void)state;
    check_written(BYTES(""), "\"\"");
    check_written(BYTES("a/b'\x7f"), "\"a/b'\x7f\"");
    check_written(BYTES("\"\\"), "\"\\\"\\\\\"");
    check_written(BYTES("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
    check_written(BYTES("\0\1\2\3\4\5\6\7"), "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006"
                                             "\\u0007\"");
    check_written(BYTES("\x0b\x0e\x0f\x10\x1a\x1e\x1f"),
                  "\"\\u000b\\u000e\\u000f\\u0010\\u001a\\u001e\\u001f\"");
    check_written(BYTES("\xe2\x80\xa8\xe2\x80\xa9 \xc3\xa9 \xf0\x9f\x98\x80"),
                  "\"\xe2\x80\xa8\xe2\x80\xa9 \xc3\xa9 \xf0\x9f\x98\x80\"");
}

static void a_byte_is_escaped_at_any_place_of_any_block(void **state)
{
    (void)state;
    for (size_t e = 1; e < COUNT(edges); e++)
        for (size_t at = 0; at < edges[e]; at++) {
            char *p = filled(edges[e], 'a'), *want = filled(edges[e] + 7, 'a');
            p[at] = '\x1e';
            want[0] = want[edges[e] + 6] = '"';
            memcpy(want + 1 + at, "\\u001e", 6);
            check_written(p, edges[e], want);
            free(p);
            free(want);
        }
}

static void text_that_is_not_utf_8_fails_the_sink(void **state)
{
    static const char *const bad[] = { "\xff", "\xc0\x80", "\xed\xa0\x80", "abc\xe2\x82",
                                       "\xf4\x90\x80\x80" };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char room[64];
        sio_sink sink = { .p = room, .cap = sizeof room };
        sio_json_put_string(&sink, bad[i], strlen(bad[i]));
        assert_true(sink.failed);
    }
}

static void a_sink_without_room_fails_and_writes_nothing_beyond(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 12; cap++) {
        sio_sink sink = { .p = malloc(cap), .cap = cap };
        sio_json_put_string(&sink, "abcd\nefg", 8);  // 11 bytes
        assert_int_equal(sink.failed, cap < 11);
        assert_true(sink.n <= cap);
        sio_put(&sink, "x", 0);
        sio_put_text(&sink, "");
        assert_int_equal(sink.failed, cap < 11);
        free(sink.p);
    }
}

static void whole_numbers_are_written_in_decimal(void **state)
{
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = { { 0, "0" },
                  { 7, "7" },
                  { 10, "10" },
                  { 4294967296, "4294967296" },
                  { UINT64_MAX, "18446744073709551615" } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char room[20];
        sio_sink sink = { .p = room, .cap = sizeof room };
        sio_put_number(&sink, cases[i].v);
        assert_true(sio_span_is((sio_span){ room, sink.n }, cases[i].text));
    }
}

static void spans_are_compared_whole_and_case_only_in_ascii(void **state)
{
    (void)state;
    assert_true(sio_span_is((sio_span){ NULL, 0 }, ""));
    assert_true(sio_span_is(SIO_SPAN("Host"), "Host"));
    assert_false(sio_span_is(SIO_SPAN("Host"), "Hos"));
    assert_false(sio_span_is(SIO_SPAN("Hos"), "Host"));
    assert_false(sio_span_is(SIO_SPAN("Host"), "host"));
    assert_true(sio_span_is_nocase(SIO_SPAN("hOsT"), "HoSt"));
    assert_true(sio_span_is_nocase((sio_span){ NULL, 0 }, ""));
    assert_false(sio_span_is_nocase(SIO_SPAN("Host"), "Hosts"));
    assert_false(sio_span_is_nocase(SIO_SPAN("Hosts"), "Host"));
    assert_false(sio_span_is_nocase(SIO_SPAN("a\0"), "a"));
    assert_false(sio_span_is_nocase(SIO_SPAN("@[`{"), "`{@["));  // 32 apart, but no letters
    assert_false(sio_span_is_nocase(SIO_SPAN("\xc3\x89"), "\xc3\xa9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf_8_ends_where_the_first_bad_sequence_begins),
        cmocka_unit_test(every_lead_with_every_second_byte_agrees_with_a_second_opinion),
        cmocka_unit_test(a_bad_byte_is_found_at_any_place_of_any_block),
        cmocka_unit_test(a_good_sequence_may_straddle_any_two_blocks),
        cmocka_unit_test(a_special_byte_is_found_at_any_place_of_any_block),
        cmocka_unit_test(escapes_decode_to_what_they_mean),
        cmocka_unit_test(an_escape_decodes_at_any_place_of_any_block),
        cmocka_unit_test(a_string_may_be_decoded_in_place),
        cmocka_unit_test(text_is_compared_by_its_meaning_not_by_its_spelling),
        cmocka_unit_test(long_text_with_escapes_is_compared_too),
        cmocka_unit_test(only_what_must_be_escaped_is_escaped),
        cmocka_unit_test(a_byte_is_escaped_at_any_place_of_any_block),
        cmocka_unit_test(text_that_is_not_utf_8_fails_the_sink),
        cmocka_unit_test(a_sink_without_room_fails_and_writes_nothing_beyond),
        cmocka_unit_test(whole_numbers_are_written_in_decimal),
        cmocka_unit_test(spans_are_compared_whole_and_case_only_in_ascii),
    };
    return cmocka_run_group_tests_name("json.c, text", tests, NULL, NULL);
}
