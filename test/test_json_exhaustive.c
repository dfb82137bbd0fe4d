/* test_json_exhaustive.c - all short texts of JSON and all of UTF-8 against second parsers
 * SPDX-License-Identifier: MIT */
#include "exhaustive.h"

#include <errno.h>

/* ---- RFC 8259 -------------------------------------------------------------------------------- */

/* The elements of an outermost array. */
static size_t count;
static sio_span element[16];

static verdict value(cursor *c, int level);

static verdict string(cursor *c)  // section 7
{
    verdict v = one_of(c, "\"");
    while (v == GOOD) {
        if (c->p == c->end)
            return MORE;
        char b = *c->p++;
        if (b == '"')
            return GOOD;
        if ((unsigned char)b < 0x20)
            return BAD;
        if (b == '\\' && (v = one_of(c, "\"\\/bfnrtu")) == GOOD && c->p[-1] == 'u')
            for (int i = 0; i < 4 && v == GOOD; i++)
                v = one_of(c, DIGITS "abcdefABCDEF");
    }
    return v;
}

static verdict number(cursor *c)  // section 6
{
    if (sees(c, "-"))
        c->p++;
    verdict v = sees(c, "0") ? one_of(c, "0") : some_of(c, DIGITS);
    if (v == GOOD && sees(c, ".")) {
        c->p++;
        v = some_of(c, DIGITS);
    }
    if (v == GOOD && sees(c, "eE")) {
        c->p++;
        if (sees(c, "+-"))
            c->p++;
        v = some_of(c, DIGITS);
    }
    return v;
}

#define BLANKS " \t\r\n"  // section 2

static verdict member(cursor *c, int level)  // section 4
{
    verdict v = string(c);
    any_of(c, BLANKS);
    if (v == GOOD)
        v = one_of(c, ":");
    any_of(c, BLANKS);
    return v == GOOD ? value(c, level) : v;
}

static verdict container(cursor *c, int level)  // sections 4 and 5
{
    bool object = *c->p++ == '{';
    const char *close = object ? "}" : "]";
    any_of(c, BLANKS);
    if (sees(c, close))
        return one_of(c, close);
    for (;;) {
        any_of(c, BLANKS);
        const char *start = c->p;
        verdict v = object ? member(c, level + 1) : value(c, level + 1);
        if (v != GOOD)
            return v;
        if (level == 0)
            element[count++] = (sio_span){ start, (size_t)(c->p - start) };
        any_of(c, BLANKS);
        if (sees(c, close))
            return one_of(c, close);
        if ((v = one_of(c, ",")) != GOOD)
            return v;
    }
}

static verdict value(cursor *c, int level)  // section 3
{
    if (c->p == c->end)
        return MORE;
    switch (*c->p) {
    case '{':
    case '[':
        return container(c, level);
    case '"':
        return string(c);
    case 't':
        return literal(c, "true");
    case 'f':
        return literal(c, "false");
    case 'n':
        return literal(c, "null");
    default:
        return number(c);
    }
}

static verdict text(const char *p, size_t n)
{
    cursor c = { p, p + n };
    count = 0;
    any_of(&c, BLANKS);
    verdict v = value(&c, 0);
    any_of(&c, BLANKS);
    return v == GOOD && c.p < c.end ? BAD : v;
}

/* ---- Texts ------------------------------------------------------------------------------------- */

/* The elements as the check notes them and as a walk finds them. */
static void check_elements(const char *p, size_t n, const sio_json_index *index)
{
    sio_span whole = sio_json_value(p, n), name, v;
    sio_json_walk w = sio_json_open(whole);
    size_t i = 0;
    for (; sio_json_next(&w, &name, &v); i++) {
        bool named = whole.p[0] == '{';
        sio_span e = named ? (sio_span){ name.p, (size_t)(v.p + v.n - name.p) } : v;
        if (i >= count || !same(e, element[i]) || e.p != element[i].p)
            fail_msg("element %zu of %s", i, shown(p, n));
        if (!named && i < SIO_JSON_INDEX && !same(index->element[i], e))
            fail_msg("the index's element %zu of %s", i, shown(p, n));
    }
    if (i != count || (whole.p[0] == '[' && index->count != count))
        fail_msg("elements of %s", shown(p, n));
}

static bool agrees(const char *p, size_t n)
{
    sio_json_index index;
    verdict v = text(p, n);
    if (sio_json_check(p, n, 64, &index) != (v == GOOD) ||
        sio_json_check(p, n, 64, NULL) != (v == GOOD))
        fail_msg("%s is %s", shown(p, n), v == GOOD ? "refused" : "accepted");
    char first = v == GOOD ? sio_json_value(p, n).p[0] : '\0';
    if (first == '[' || first == '{')
        check_elements(p, n, &index);
    return v != BAD;
}

static void all_short_texts_of_single_bytes_agree_with_a_second_parser(void **state)
{
    static const char *const bytes[] = { "{", "}", "[", "]",  "\"",   ",",    ":", "0",
                                         "1", " ", "-", ".",  "e",    "E",    "+", "\\",
                                         "u", "t", "n", "\n", "\x1f", "\x7f", "/", NULL };
    (void)state;
    each_text(&(texts){ bytes, agrees, 6, 1 }, "");
}

static void all_short_texts_of_tokens_agree_with_a_second_parser(void **state)
{
    static const char *const tokens[] = { "{",     "}",      "[",    "]", ",", ":",
                                          "\"a\"", "-1.5e3", "true", " ", NULL };
    (void)state;
    each_text(&(texts){ tokens, agrees, 7, 1 }, "");
    each_text(&(texts){ tokens, agrees, 7, 1 }, "[{\"\":0},");
    each_text(&(texts){ tokens, agrees, 5, 2 }, "[0,1,2,3,4,5,6");
}

static void all_short_literals_agree_with_a_second_parser(void **state)
{
    static const char *const letters[] = { "t", "r", "u", "e", "f", "a", "l", "s", "n", ",", NULL };
    (void)state;
    each_text(&(texts){ letters, agrees, 5, 1 }, "");
    each_text(&(texts){ letters, agrees, 7, 1 }, "[");
}

/* ---- Strings ----------------------------------------------------------------------------------- */

/* Section 7 the other way round: first all units of 16 bits and bytes as they stand, then their pairs. */
static size_t decode(const char *p, size_t n, char *out)
{
    enum { RAW = 1 << 16 };
    uint32_t unit[TEXT_BYTES];
    size_t units = 0, k = 0;
    for (const char *end = p + n - 1; ++p < end;) {
        if (*p != '\\') {
            unit[units++] = RAW | (unsigned char)*p;
        } else if (*++p == 'u') {
            char hex[5] = { p[1], p[2], p[3], p[4] };
            unit[units++] = (uint32_t)strtoul(hex, NULL, 16);
            p += 4;
        } else {
            unit[units++] =
                (unsigned char)"\b\f\n\r\t\"\\/"[strchr("bfnrt\"\\/", *p) - "bfnrt\"\\/"];
        }
    }
    for (size_t i = 0; i < units; i++) {
        uint32_t u = unit[i];
        bool pair = u >> 10 == 0xd800 >> 10 && i + 1 < units && unit[i + 1] >> 10 == 0xdc00 >> 10;
        if (pair)
            u = 0x10000 + ((u & 0x3ff) << 10 | (unit[++i] & 0x3ff));
        else if (u >> 11 == 0xd800 >> 11)
            u = 0xfffd;
        if (u < 0x80 || (u >= RAW && !pair)) {
            out[k++] = (char)u;
        } else if (u < 0x800) {
            out[k++] = (char)(0xc0 + u / 64);
            out[k++] = (char)(0x80 + u % 64);
        } else if (u < 0x10000) {
            out[k++] = (char)(0xe0 + u / 4096);
            out[k++] = (char)(0x80 + u / 64 % 64);
            out[k++] = (char)(0x80 + u % 64);
        } else {
            out[k++] = (char)(0xf0 + u / 262144);
            out[k++] = (char)(0x80 + u / 4096 % 64);
            out[k++] = (char)(0x80 + u / 64 % 64);
            out[k++] = (char)(0x80 + u % 64);
        }
    }
    return k;
}

static bool decodes(const char *p, size_t n)
{
    if (!agrees(p, n))
        return false;
    if (text(p, n) != GOOD || p[n - 1] != '"')  // white space is behind it
        return true;
    char want[TEXT_BYTES], got[TEXT_BYTES];
    size_t k = decode(p, n, want);
    sio_span s = { p, n };
    if (sio_json_unescape(s, got) != k || memcmp(got, want, k) != 0)
        fail_msg("%s decodes to %s", shown(p, n), shown(got, k));
    assert_true(sio_json_text_is(s, want, k));
    assert_false(sio_json_text_is(s, want, k + 1));
    for (size_t i = 0; i < k; i++) {
        want[i] ^= 1;
        assert_false(sio_json_text_is(s, want, k));
        want[i] ^= 1;
    }
    return false;  // a byte behind its end
}

static void all_short_strings_agree_and_decode_as_a_second_decoder_does(void **state)
{
    static const char *const bytes[] = { "\"", "\\", "u", "0", "d", "8",    "C",        "b",
                                         "n",  "/",  "x", " ", "g", "\x1f", "\xc3\xa9", NULL };
    static const char *const escapes[] = { "\"",      "\\ud7ff", "\\ud800", "\\uD83d", "\\udbff",
                                           "\\udc00", "\\uDE00", "\\udfff", "\\ue000", "\\u0000",
                                           "\\u007f", "\\u0080", "\\u07ff", "\\u0800", "\\uffff",
                                           "\\",      "\\/",     "u",       "\\t",     "a",
                                           NULL };
    (void)state;
    each_text(&(texts){ bytes, decodes, 6, 1 }, "\"");
    each_text(&(texts){ escapes, decodes, 4, 1 }, "\"");
}

/* ---- Numbers ----------------------------------------------------------------------------------- */

/* Whether a number is an integer of 64 bits: digits are exact, others are what their double is. */
static bool is_integer(const char *text, double d, int64_t *out)
{
    if (strpbrk(text, ".eE") == NULL) {
        errno = 0;
        *out = strtoll(text, NULL, 10);
        return errno == 0;
    }
    if (d < -9223372036854775808.0 || d >= 9223372036854775808.0)
        return false;
    *out = (int64_t)d;
    return (double)*out == d;
}

static bool reads(const char *p, size_t n)
{
    if (!agrees(p, n))
        return false;
    if (text(p, n) != GOOD)
        return true;
    char copy[TEXT_BYTES];
    memcpy(copy, p, n);
    copy[n] = '\0';
    sio_span s = { p, n };
    double want = strtod(copy, NULL), got = sio_json_number(s);
    if (memcmp(&want, &got, sizeof want) != 0)
        fail_msg("%s reads as %g", copy, got);
    int64_t i, j;
    bool is = is_integer(copy, want, &j);
    if (sio_json_integer(s, &i) != is || (is && i != j))
        fail_msg("%s reads as %lld", copy, (long long)i);
    return true;
}

static void all_short_numbers_read_as_strtod_reads_them(void **state)
{
    static const char *const bytes[] = { "-", "0", "1", "5", "9", ".", "e", "E", "+", NULL };
    static const char *const parts[] = {
        "-", "922337203685477580", "7", "8", ".", "e", "0", "18", "+", "2", NULL
    };
    (void)state;
    each_text(&(texts){ bytes, reads, 7, 0 }, "");
    each_text(&(texts){ parts, reads, 5, 0 }, "");
}

/* ---- Spans ------------------------------------------------------------------------------------- */

static void all_pairs_of_bytes_are_equal_but_for_the_case_of_letters(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            char one = (char)a, other = (char)b;
            bool letter = a != 0 && strchr(LETTERS, (int)a) != NULL;
            bool want = a == b || (letter && (a ^ b) == 0x20);
            assert_int_equal(sio_equal_nocase(&one, &other, 1), want);
        }
}

/* ---- UTF-8 ------------------------------------------------------------------------------------- */

/* RFC 3629, section 3, by arithmetic: the bytes of the sequence at p, 0: there is none. */
static size_t sequence(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t size = p[0] < 0x80       ? 1
                  : p[0] / 32 == 6  ? 2
                  : p[0] / 16 == 14 ? 3
                  : p[0] / 8 == 30  ? 4
                                    : 0;
    if (size <= 1 || size > n)
        return size > n ? 0 : size;
    uint32_t u = p[0] % (1u << (7 - size));
    for (size_t i = 1; i < size; u = u * 64 + p[i] % 64, i++)
        if (p[i] / 64 != 2)
            return 0;
    bool surrogate = u >= 0xd800 && u <= 0xdfff;
    return u < least[size] || surrogate || u > 0x10ffff ? 0 : size;
}

static void check_prefix(const unsigned char *bytes, size_t n)
{
    static unsigned char *memory;
    if (memory == NULL && (memory = malloc(4)) == NULL)
        abort();
    unsigned char *p = memory + 4 - n;
    memcpy(p, bytes, n);
    size_t want = 0, size = 1;
    while (want < n && (size = sequence(p + want, n - want)) > 0)
        want += size;
    size_t got = sio_utf8_prefix((char *)p, n);
    if (got != want)
        fail_msg("%s is good for %zu bytes, not %zu", shown((char *)p, n), want, got);
}

static void all_sequences_of_up_to_three_bytes_agree_with_arithmetic(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 1u << 24; v++) {
        unsigned char p[3] = { (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                               (unsigned char)v };
        check_prefix(p, 3);
        if ((v & 0xff) == 0)
            check_prefix(p, 2);
        if ((v & 0xffff) == 0)
            check_prefix(p, 1);
    }
}

static void all_leads_and_seconds_of_four_bytes_agree_with_arithmetic(void **state)
{
    static const unsigned char edge[] = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xff };
    (void)state;
    for (unsigned v = 0; v < 1u << 16; v++)
        for (size_t i = 0; i < sizeof edge; i++)
            for (size_t k = 0; k < sizeof edge; k++) {
                unsigned char p[4] = { (unsigned char)(v >> 8), (unsigned char)v, edge[i],
                                       edge[k] };
                check_prefix(p, 4);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_short_texts_of_single_bytes_agree_with_a_second_parser),
        cmocka_unit_test(all_short_texts_of_tokens_agree_with_a_second_parser),
        cmocka_unit_test(all_short_literals_agree_with_a_second_parser),
        cmocka_unit_test(all_short_strings_agree_and_decode_as_a_second_decoder_does),
        cmocka_unit_test(all_short_numbers_read_as_strtod_reads_them),
        cmocka_unit_test(all_pairs_of_bytes_are_equal_but_for_the_case_of_letters),
        cmocka_unit_test(all_sequences_of_up_to_three_bytes_agree_with_arithmetic),
        cmocka_unit_test(all_leads_and_seconds_of_four_bytes_agree_with_arithmetic),
    };
    return cmocka_run_group_tests_name("json.c, exhaustively", tests, NULL, NULL);
}
