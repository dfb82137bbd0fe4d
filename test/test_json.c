/* test_json.c - the grammar of JSON (RFC 8259), its limits, and the walk over checked text
 * SPDX-License-Identifier: MIT
 *
 * Strings and numbers have files of their own: test_json_text.c, test_json_number.c. */
#include "lib.h"

typedef struct text_case {
    const char *rule, *p;
    size_t n;
} text_case;

static const text_case valid[] = {
    { "2: white space around and between", BYTES(" \t\r\n[ \n1 ,\r2\t] \t\r\n") },
    { "2: white space in an object", BYTES(" { \"a\" : 1 ,\n\"b\" : 2 } ") },
    { "3: true stands alone", BYTES("true") },
    { "3: false stands alone", BYTES("false") },
    { "3: null stands alone", BYTES(" null ") },
    { "4: an empty object", BYTES("{}") },
    { "4: an empty object with a space", BYTES("{ }") },
    { "4: an empty name", BYTES("{\"\":0}") },
    { "4: equal names", BYTES("{\"a\":1,\"a\":2}") },
    { "4: a name with escapes", BYTES("{\"\\u0061\\n\\\"\":1}") },
    { "4: a member of each kind",
      BYTES("{\"a\":{},\"b\":[],\"c\":\"\",\"d\":0,\"e\":null,\"f\":true,\"g\":false}") },
    { "5: an empty array", BYTES("[]") },
    { "5: an element of each kind", BYTES("[[],{},\"\",0,null,true,false]") },
    { "5: arrays in arrays", BYTES("[[[[]],[]],[]]") },
    { "5: objects and arrays in turn", BYTES("[{\"a\":[{\"b\":[{}]}]}]") },
    { "6: zero", BYTES("0") },
    { "6: minus zero", BYTES("-0") },
    { "6: an integer", BYTES("-123") },
    { "6: a fraction", BYTES("0.1") },
    { "6: zeros in a fraction", BYTES("-0.000") },
    { "6: an exponent", BYTES("1e1") },
    { "6: a large E", BYTES("1E1") },
    { "6: an exponent with a plus", BYTES("1e+1") },
    { "6: an exponent with a minus", BYTES("1.5e-10") },
    { "6: zeros before an exponent's digits", BYTES("1e007") },
    { "6: zero with an exponent", BYTES("0E+0") },
    { "6: more digits than a double has", BYTES("123456789012345678901234567890.123456789") },
    { "6: larger than any double", BYTES("-1e400") },
    { "7: an empty string", BYTES("\"\"") },
    { "7: every short escape", BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") },
    { "7: hexadecimal digits in both cases", BYTES("\"\\u0aBc\\uDeF0\"") },
    { "7: U+0000 as an escape", BYTES("\"\\u0000\"") },
    { "7: a surrogate pair", BYTES("\"\\ud83d\\ude00\"") },
    { "8.2: a lone high surrogate", BYTES("\"\\ud800\"") },
    { "8.2: a lone low surrogate", BYTES("\"\\udc00x\"") },
    { "8.2: surrogates the wrong way round", BYTES("\"\\ude00\\ud83d\"") },
    { "7: DEL is not a control character here", BYTES("\"\x7f\"") },
    { "7: U+2028 and U+2029 stand unescaped", BYTES("\"\xe2\x80\xa8\xe2\x80\xa9\"") },
    { "7: two, three and four bytes of UTF-8", BYTES("\"\xc3\xa9\xed\x95\x9c\xf0\x9f\x98\x80\"") },
    { "7: brackets and commas in a string", BYTES("[\"]},{[:\"]") },
    { "7: a backslash, then the end", BYTES("[\"\\\\\"]") },
    { "7: a quote behind two backslashes", BYTES("[\"\\\\\\\"\"]") },
};

static const text_case invalid[] = {
    { "2: no text", BYTES("") },
    { "2: white space alone", BYTES(" \t\r\n") },
    { "2: a form feed is no white space", BYTES("[\f1]") },
    { "2: a vertical tab is no white space", BYTES("[1]\v") },
    { "2: U+00A0 is no white space", BYTES("[\xc2\xa0]") },
    { "2: U+2028 is no white space", BYTES("[1\xe2\x80\xa8]") },
    { "2: two texts", BYTES("1 2") },
    { "2: two arrays", BYTES("[][]") },
    { "2: a letter behind", BYTES("[1]x") },
    { "2: a comma behind", BYTES("1,") },
    { "2: NUL behind", BYTES("[1]\0") },
    { "2: NUL alone", BYTES("\0") },
    { "2: a comment", BYTES("[1/* one */]") },
    { "2: a comment to the line's end", BYTES("1//") },
    { "8.1: a byte order mark", BYTES("\xef\xbb\xbf[]") },
    { "3: a literal cut short", BYTES("tru") },
    { "3: a literal too long", BYTES("nulls") },
    { "3: a literal in capitals", BYTES("True") },
    { "3: a name that is no literal", BYTES("undefined") },
    { "4: an open object", BYTES("{") },
    { "4: no name", BYTES("{:1}") },
    { "4: a name without quotes", BYTES("{a:1}") },
    { "4: a name in single quotes", BYTES("{'a':1}") },
    { "4: a number as a name", BYTES("{1:1}") },
    { "4: a literal as a name", BYTES("{null:1}") },
    { "4: an array as a name", BYTES("{[]:1}") },
    { "4: no colon", BYTES("{\"a\" 1}") },
    { "4: a comma for a colon", BYTES("{\"a\",1}") },
    { "4: two colons", BYTES("{\"a\"::1}") },
    { "4: a name alone", BYTES("{\"a\"}") },
    { "4: no value", BYTES("{\"a\":}") },
    { "4: no value and a comma", BYTES("{\"a\":,\"b\":1}") },
    { "4: a comma at the end", BYTES("{\"a\":1,}") },
    { "4: a comma at the start", BYTES("{,\"a\":1}") },
    { "4: a comma alone", BYTES("{,}") },
    { "4: two commas", BYTES("{\"a\":1,,\"b\":2}") },
    { "4: no comma", BYTES("{\"a\":1 \"b\":2}") },
    { "4: closed as an array", BYTES("{\"a\":1]") },
    { "4: closed twice", BYTES("{\"a\":1}}") },
    { "4: closed without being opened", BYTES("}") },
    { "4: empty, closed as an array", BYTES("{]") },
    { "5: an open array", BYTES("[") },
    { "5: an open array behind a comma", BYTES("[1,") },
    { "5: a comma at the end", BYTES("[1,]") },
    { "5: a comma at the start", BYTES("[,1]") },
    { "5: a comma alone", BYTES("[,]") },
    { "5: two commas", BYTES("[1,,2]") },
    { "5: no comma", BYTES("[1 2]") },
    { "5: no comma between strings", BYTES("[\"a\"\"b\"]") },
    { "5: a colon", BYTES("[\"a\":1]") },
    { "5: closed as an object", BYTES("[1}") },
    { "5: empty, closed as an object", BYTES("[}") },
    { "5: closed twice", BYTES("[]]") },
    { "5: closed without being opened", BYTES("]") },
    { "5: the inner one is open", BYTES("[[]") },
    { "5: closed crosswise", BYTES("[{\"a\":[}]]") },
    { "6: a leading zero", BYTES("01") },
    { "6: a leading zero behind minus", BYTES("-01") },
    { "6: two zeros", BYTES("[00]") },
    { "6: a plus", BYTES("+1") },
    { "6: minus alone", BYTES("-") },
    { "6: two minuses", BYTES("--1") },
    { "6: no digit before the point", BYTES(".5") },
    { "6: no digit between minus and point", BYTES("-.5") },
    { "6: no digit behind the point", BYTES("1.") },
    { "6: an exponent behind the point", BYTES("[1.e1]") },
    { "6: two points", BYTES("1.5.5") },
    { "6: no digit in the exponent", BYTES("1e") },
    { "6: a sign alone in the exponent", BYTES("[1E+]") },
    { "6: a point in the exponent", BYTES("1e1.5") },
    { "6: hexadecimal", BYTES("0x1") },
    { "6: NaN", BYTES("[NaN]") },
    { "6: minus infinity", BYTES("-Infinity") },
    { "6: Arabic digits", BYTES("\xd9\xa1") },
    { "7: an open string", BYTES("\"a") },
    { "7: a quote alone", BYTES("\"") },
    { "7: the closing quote is escaped", BYTES("\"\\\"") },
    { "7: a backslash last", BYTES("\"\\") },
    { "7: single quotes", BYTES("'a'") },
    { "7: an unknown escape", BYTES("\"\\x41\"") },
    { "7: an escaped single quote", BYTES("\"\\'\"") },
    { "7: an escape in capitals", BYTES("\"\\N\"") },
    { "7: an escaped NUL", BYTES("\"\\\0\"") },
    { "7: an escaped line end", BYTES("\"\\\n\"") },
    { "7: three hexadecimal digits", BYTES("\"\\u123\"") },
    { "7: three hexadecimal digits and the end", BYTES("\"\\u123") },
    { "7: a foreign hexadecimal digit", BYTES("\"\\u12g4\"") },
    { "7: a sign for a hexadecimal digit", BYTES("\"\\u-123\"") },
    { "7: a cut escape behind a good one", BYTES("\"\\ud83d\\ude0\"") },
    { "7: a raw line end", BYTES("[\"a\nb\"]") },
    { "7: a raw tab", BYTES("{\"\t\":1}") },
    { "7: a raw NUL", BYTES("[\"a\0b\"]") },
};

/* Takes memory of exactly the text's size. */
static bool accepts(const char *p, size_t n, size_t depth)
{
    sio_json_index index;
    char *copy = exact(p, n);
    bool noted = sio_json_check(copy, n, depth, &index),
         plain = sio_json_check(copy, n, depth, NULL);
    free(copy);
    assert_int_equal(noted, plain);
    return plain;
}

static void what_the_grammar_has_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++)
        if (!accepts(valid[i].p, valid[i].n, SIO_JSON_DEPTH))
            fail_msg("refused: %s", valid[i].rule);
}

static void what_the_grammar_does_not_have_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(invalid); i++)
        if (accepts(invalid[i].p, invalid[i].n, SIO_JSON_DEPTH))
            fail_msg("accepted: %s", invalid[i].rule);
}

/* A number may be complete earlier; everything else has its last byte in its end. */
static void a_text_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        size_t end = valid[i].n;
        while (strchr(" \t\r\n", valid[i].p[end - 1]) != NULL)
            end--;
        for (size_t n = 0; n < end; n++)
            if (accepts(valid[i].p, n, SIO_JSON_DEPTH) &&
                strchr("-0123456789", *valid[i].p) == NULL)
                fail_msg("%s: accepted after %zu bytes", valid[i].rule, n);
    }
    for (size_t i = 0; i < COUNT(invalid); i++)
        for (size_t n = 0; n < invalid[i].n; n++)
            accepts(invalid[i].p, n, SIO_JSON_DEPTH);
}

/* ---- Depth ----------------------------------------------------------------------------------- */

/* levels arrays or objects, or both in turn, around a zero. Free it. */
static char *nested(size_t levels, const char *kind, size_t *n)
{
    char *p = malloc(levels * 6 + 1), *q = p;
    for (size_t i = 0; i < levels; i++)
        q += sprintf(q, "%s", kind[i % strlen(kind)] == '[' ? "[" : "{\"\":");
    *q++ = '0';
    for (size_t i = levels; i-- > 0;)
        *q++ = kind[i % strlen(kind)] == '[' ? ']' : '}';
    *n = (size_t)(q - p);
    return p;
}

static void nesting_is_accepted_to_its_limit_and_not_one_level_more(void **state)
{
    static const size_t limits[] = { 0, 1, 2, 7, 8, 9, 1023, 1024, 1025, 8191, SIO_JSON_DEPTH_MAX };
    static const char *const kinds[] = { "[", "{", "[{", "{{[" };
    (void)state;
    for (size_t i = 0; i < COUNT(limits); i++)
        for (size_t k = 0; k < COUNT(kinds); k++)
            for (size_t level = limits[i] > 0 ? limits[i] - 1 : 0; level <= limits[i] + 1;
                 level++) {
                size_t n;
                char *p = nested(level, kinds[k], &n);
                if (accepts(p, n, limits[i]) != (level <= limits[i]))
                    fail_msg("%zu levels of %s at limit %zu", level, kinds[k], limits[i]);
                free(p);
            }
}

static void a_limit_above_the_largest_counts_as_the_largest(void **state)
{
    size_t n;
    char *p = nested(SIO_JSON_DEPTH_MAX, "[", &n);
    (void)state;
    assert_true(accepts(p, n, SIZE_MAX));
    free(p);
    p = nested(SIO_JSON_DEPTH_MAX + 1, "[", &n);
    assert_false(accepts(p, n, SIZE_MAX));
    free(p);
}

static void an_empty_container_counts_as_a_level(void **state)
{
    (void)state;
    assert_true(accepts("[[]]", 4, 2));
    assert_false(accepts("[[]]", 4, 1));
    assert_false(accepts("{}", 2, 0));
    assert_true(accepts("[[],[],{}]", 10, 2));  // neighbours don't add up
}

/* threats.md: deep nesting overran the stack of several parsers. */
static void a_hundred_thousand_open_brackets_are_refused_at_once(void **state)
{
    (void)state;
    double start = seconds();
    size_t n;
    char *p = filled(100000, '[');
    assert_false(accepts(p, 100000, SIO_JSON_DEPTH));
    assert_false(accepts(p, 100000, SIZE_MAX));
    free(p);
    p = nested(100000, "[", &n);
    assert_false(accepts(p, n, SIO_JSON_DEPTH));
    free(p);
    p = nested(100000, "{", &n);
    assert_false(accepts(p, n, SIZE_MAX));
    free(p);
    assert_true(seconds() - start < LINEAR);
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* head, then unit again and again up to size bytes, then tail. */
static void check_in_linear_time(const char *head, const char *unit, const char *tail, bool want)
{
    size_t size = 2000000, n = 0, u = strlen(unit);
    char *p = malloc(size + 32);
    double start = seconds();
    for (n = strlen(head), memcpy(p, head, n); n < size; n += u)
        memcpy(p + n, unit, u);
    memcpy(p + n, tail, strlen(tail));
    n += strlen(tail);
    assert_int_equal(sio_json_check(p, n, 8, NULL), want);
    if (want)
        assert_true(sio_json_value(p, n).n <= n);
    if (seconds() - start > LINEAR)
        fail_msg("%s%s...%s takes too long", head, unit, tail);
    free(p);
}

/* threats.md: packets of the largest size that burned the processor. */
static void two_megabytes_of_anything_take_linear_time(void **state)
{
    (void)state;
    check_in_linear_time("\"", "a", "\"", true);
    check_in_linear_time("\"", "a", "", false);
    check_in_linear_time("\"", "\\\"", "\"", true);
    check_in_linear_time("\"", "\\\\", "\"", true);
    check_in_linear_time("\"", "\\\\", "", false);
    check_in_linear_time("\"", "\\u0061", "\"", true);
    check_in_linear_time("\"", "\xed\x95\x9c", "\"", true);
    check_in_linear_time("[0", ",0", "]", true);
    check_in_linear_time("[[]", ",[]", "]", true);
    check_in_linear_time("[[]", ",[]", "", false);
    check_in_linear_time("{\"\":0", ",\"\":0", "}", true);
    check_in_linear_time("[\"\"", ",\"\"", "]", true);
    check_in_linear_time("[", " ", "]", true);
    check_in_linear_time("1", "1", "", true);
    check_in_linear_time("1e1", "1", "", true);
    check_in_linear_time("1.1", "1", ".", false);
}

/* threats.md: a string that ended in backslashes never ended. */
static void a_string_may_end_in_any_number_of_backslashes(void **state)
{
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        char *p = filled(n + 2, '\\');
        p[0] = '"', p[n + 1] = '"';
        assert_int_equal(accepts(p, n + 2, 1), n % 2 == 0);
        assert_false(accepts(p, n + 1, 1) && n > 0);
        free(p);
    }
}

/* ---- Index and walk -------------------------------------------------------------------------- */

static void a_check_notes_the_first_eight_elements_and_counts_all(void **state)
{
    static const char text[] = " [ 1 ,\"two\",[3,[3]] , {\"4\":[4]},null,-6e1,\"]\",[] ,9,[10]]";
    static const char *const want[] = { "1",    "\"two\"", "[3,[3]]", "{\"4\":[4]}",
                                        "null", "-6e1",    "\"]\"",   "[]" };
    sio_json_index index;
    char *p = exact(text, sizeof text - 1);
    (void)state;
    assert_true(sio_json_check(p, sizeof text - 1, 3, &index));
    assert_int_equal(index.count, 10);
    for (size_t i = 0; i < SIO_JSON_INDEX; i++)
        if (!sio_span_is(index.element[i], want[i]))
            fail_msg("element %zu: %.*s", i, (int)index.element[i].n, index.element[i].p);
    free(p);
}

static void an_empty_array_has_no_elements_and_a_scalar_neither(void **state)
{
    static const char *const texts[] = { "[]", " [ ] ", "1", "\"[1]\"", "null", "{}" };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_json_index index = { .count = 7 };
        assert_true(sio_json_check(texts[i], strlen(texts[i]), 2, &index));
        assert_int_equal(index.count, 0);
    }
}

/* Writes what a walk sees: names and scalars as they are, containers in angle brackets. */
static void describe(sio_span s, char *out, size_t room)
{
    sio_span name, value;
    size_t n = strlen(out);
    if (*s.p != '[' && *s.p != '{') {
        snprintf(out + n, room - n, "%.*s", (int)s.n, s.p);
        return;
    }
    snprintf(out + n, room - n, "<");
    for (sio_json_walk w = sio_json_open(s); sio_json_next(&w, &name, &value);) {
        n = strlen(out);
        snprintf(out + n, room - n, "%.*s%s", (int)name.n, name.p, name.n > 0 ? "=" : "");
        describe(value, out, room);
        n = strlen(out);
        snprintf(out + n, room - n, ".");
    }
    n = strlen(out);
    snprintf(out + n, room - n, ">");
}

static void a_walk_visits_every_value_once_and_in_order(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "[]", "<>" },
        { "{}", "<>" },
        { " [ ] ", "<>" },
        { "{ }", "<>" },
        { "[1]", "<1.>" },
        { "[1,2,3]", "<1.2.3.>" },
        { " [ 1 , 2 , 3 ] ", "<1.2.3.>" },
        { "{\"a\":1}", "<\"a\"=1.>" },
        { "\n{\t\"a\" : 1 ,\r\"b\"\n:\n[ 2 , { } ] }", "<\"a\"=1.\"b\"=<2.<>.>.>" },
        { "[\"]\",\"}\",\"\\\"\",\",\"]", "<\"]\".\"}\".\"\\\"\".\",\".>" },
        { "{\":\":\",\",\"}\":{\"{\":[]}}", "<\":\"=\",\".\"}\"=<\"{\"=<>.>.>" },
        { "{\"a\":1,\"a\":2,\"\":null}", "<\"a\"=1.\"a\"=2.\"\"=null.>" },
        { "[[[]],[[],[]],-1.5e3,true,false]", "<<<>.>.<<>.<>.>.-1.5e3.true.false.>" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[200] = "";
        size_t n = strlen(cases[i].text);
        char *copy = exact(cases[i].text, n);
        assert_true(sio_json_check(copy, n, 8, NULL));
        describe(sio_json_value(copy, n), out, sizeof out);
        free(copy);
        assert_string_equal(out, cases[i].want);
    }
}

static void the_first_value_ends_where_it_ends(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "1,2", "1" },      { " \"a\":1", "\"a\"" },
        { "[1],2]", "[1]" }, { "{\"]\":[1]}}", "{\"]\":[1]}" },
        { "null}", "null" }, { "-1.5e3]", "-1.5e3" },
        { "  ", "" },        { "", "" },
        { "]", "" },         { ",1", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        char *copy = exact(cases[i].text, n);
        assert_true(sio_span_is(sio_json_value(copy, n), cases[i].want));
        free(copy);
    }
}

/* What is no JSON has no meaning here, but an end. */
static void a_walk_over_what_is_no_json_stays_inside(void **state)
{
    static const struct {
        const char *text;
        size_t first, value;  // bytes of the first value, of the first element's
    } cases[] = {
        { "[1", 2, 0 },       { "[\"a", 3, 0 },      { "{\"a\"}", 5, 0 }, { "{\"a\":}", 6, 0 },
        { "[[1,\"a]", 7, 5 }, { "{\"a\" 1}", 7, 0 }, { "[-]", 3, 0 },     { "x", 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        char *p = exact(cases[i].text, n);
        sio_span name, value = { p, 0 };
        sio_json_walk w = sio_json_open((sio_span){ p, n });
        assert_int_equal(sio_json_value(p, n).n, cases[i].first);
        bool there = sio_json_next(&w, &name, &value);
        if (there != (cases[i].value > 0) || value.n != cases[i].value)
            fail_msg("%s: %zu", cases[i].text, value.n);
        free(p);
    }
}

static void a_walk_over_what_is_no_container_ends_at_once(void **state)
{
    sio_span name, value;
    sio_json_walk w = sio_json_open((sio_span){ NULL, 0 });
    (void)state;
    assert_false(sio_json_next(&w, &name, &value));
    w = sio_json_open(SIO_SPAN("1"));
    assert_false(sio_json_next(&w, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_grammar_has_is_accepted),
        cmocka_unit_test(what_the_grammar_does_not_have_is_refused),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
        cmocka_unit_test(nesting_is_accepted_to_its_limit_and_not_one_level_more),
        cmocka_unit_test(a_limit_above_the_largest_counts_as_the_largest),
        cmocka_unit_test(an_empty_container_counts_as_a_level),
        cmocka_unit_test(a_hundred_thousand_open_brackets_are_refused_at_once),
        cmocka_unit_test(two_megabytes_of_anything_take_linear_time),
        cmocka_unit_test(a_string_may_end_in_any_number_of_backslashes),
        cmocka_unit_test(a_check_notes_the_first_eight_elements_and_counts_all),
        cmocka_unit_test(an_empty_array_has_no_elements_and_a_scalar_neither),
        cmocka_unit_test(a_walk_visits_every_value_once_and_in_order),
        cmocka_unit_test(the_first_value_ends_where_it_ends),
        cmocka_unit_test(a_walk_over_what_is_no_json_stays_inside),
        cmocka_unit_test(a_walk_over_what_is_no_container_ends_at_once),
    };
    return cmocka_run_group_tests_name("json.c", tests, NULL, NULL);
}
