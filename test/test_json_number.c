/* test_json_number.c - numbers in and out: RFC 8259, 6, and ECMA-262, Number::toString
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L  // setenv
#include "lib.h"

#include <locale.h>
#include <math.h>

static double read_number(const char *p, size_t n)
{
    char *copy = exact(p, n);
    double d = sio_json_number((sio_span){ copy, n });
    free(copy);
    return d;
}

static bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const struct {
    const char *rule, *text;
    double want;
} readings[] = {
    { "6: zero", "0", 0.0 },
    { "6: minus zero keeps its sign", "-0", -0.0 },
    { "6: minus zero with a fraction", "-0.000e5", -0.0 },
    { "6: an integer", "-123", -123.0 },
    { "6: a fraction", "0.1", 0.1 },
    { "6: a sum that is not 0.3", "0.30000000000000004", 0.30000000000000004 },
    { "6: an exponent", "1E2", 100.0 },
    { "6: an exponent with a plus", "1e+21", 1e21 },
    { "6: an exponent with a minus", "-1.5e-7", -1.5e-7 },
    { "6: zeros in an exponent", "1e000000000000000000000002", 100.0 },
    { "6: 2^53 - 1", "9007199254740991", 9007199254740991.0 },
    { "6: 2^53 + 1 is a tie and goes to even", "9007199254740993", 9007199254740992.0 },
    { "6: a little above that tie", "9007199254740993.00000000000000000000000000000001",
      9007199254740994.0 },
    { "6: 20 digits", "12345678901234567890", 12345678901234567890.0 },
    { "6: the largest", "1.7976931348623157e308", 1.7976931348623157e308 },
    { "6: larger, but nearer to the largest", "1.7976931348623158e308", 1.7976931348623157e308 },
    { "6: beyond the largest", "1.7976931348623159e308", HUGE_VAL },
    { "2.3: 1e400", "1e400", HUGE_VAL },
    { "2.3: -1e400", "-1e400", -HUGE_VAL },
    { "6: an exponent of 20 digits", "1e99999999999999999999", HUGE_VAL },
    { "6: a negative exponent of 20 digits", "1e-99999999999999999999", 0.0 },
    { "6: zero with an exponent of 20 digits", "0e99999999999999999999", 0.0 },
    { "6: the smallest", "5e-324", 5e-324 },
    { "6: above half of the smallest", "2.4703282292062328e-324", 5e-324 },
    { "6: below half of the smallest", "2.4703282292062327e-324", 0.0 },
    { "6: the largest subnormal", "2.225073858507201e-308", 2.225073858507201e-308 },
    { "6: the one that hung PHP", "2.2250738585072011e-308", 2.225073858507201e-308 },
    { "6: the one that hung Java", "2.2250738585072012e-308", 2.2250738585072014e-308 },
    { "6: a power of two", "7.120236347223045e-307", 7.120236347223045e-307 },
};

static void what_is_no_number_reads_as_zero(void **state)
{
    (void)state;
    assert_true(is_same(sio_json_number(SIO_NONE), 0.0));
}

static void check_readings(void)
{
    for (size_t i = 0; i < COUNT(readings); i++) {
        double d = read_number(readings[i].text, strlen(readings[i].text));
        if (!is_same(d, readings[i].want))
            fail_msg("%s: %s became %.17g", readings[i].rule, readings[i].text, d);
    }
}

static void a_number_reads_as_the_nearest_double(void **state)
{
    (void)state;
    check_readings();
}

/* head, n times the digit, tail. */
static double read_long(const char *head, char digit, size_t n, const char *tail)
{
    size_t h = strlen(head), t = strlen(tail);
    char *p = filled(h + n + t, digit);
    memcpy(p, head, h);
    memcpy(p + h + n, tail, t);
    assert_true(sio_json_check(p, h + n + t, 0, NULL));
    double d = read_number(p, h + n + t);
    free(p);
    return d;
}

static void a_number_may_have_more_digits_than_there_is_room_for(void **state)
{
    (void)state;
    assert_true(is_same(read_long("0.", '0', 500, "1e501"), 1.0));
    assert_true(is_same(read_long("-0.", '0', 5000, "25e5001"), -2.5));
    assert_true(is_same(read_long("1", '0', 500, "e-500"), 1.0));
    assert_true(is_same(read_long("-1", '0', 5000, "e-5000"), -1.0));
    assert_true(is_same(read_long("1", '0', 500, ".5e-500"), 1.0));
    assert_true(is_same(read_long("1.", '0', 5000, "1"), 1.0));
    assert_true(is_same(read_long("0.", '9', 1000, ""), 1.0));
    assert_true(is_same(read_long("0.", '3', 1000, ""), 1.0 / 3));
    assert_true(is_same(read_long("", '9', 1000, "e-1000"), 1.0));
    assert_true(is_same(read_long("1", '0', 400, ""), HUGE_VAL));
    assert_true(is_same(read_long("0.", '0', 400, "1"), 0.0));
}

static void integers_are_exact_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t want;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "1", true, 1 },
        { "-1", true, -1 },
        { "9007199254740993", true, 9007199254740993 },
        { "1234567890123456789", true, 1234567890123456789 },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775808", true, INT64_MIN },
        { "-9223372036854775809", false, 0 },
        { "18446744073709551617", false, 0 },  // 2^64 + 1 must not wrap to 1
        { "99999999999999999999999999", false, 0 },
        { "1.0", true, 1 },
        { "1.5", false, 0 },
        { "0.5", false, 0 },
        { "0.5e1", true, 5 },
        { "1e2", true, 100 },
        { "-1E+2", true, -100 },
        { "100e-2", true, 1 },
        { "1e18", true, 1000000000000000000 },
        { "1e19", false, 0 },
        { "-1e19", false, 0 },
        { "1e400", false, 0 },
        { "1e-400", true, 0 },
        { "\"1\"", false, 0 },
        { "true", false, 0 },
        { "null", false, 0 },
        { "[1]", false, 0 },
        { "{}", false, 0 },
        { "", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        char *copy = exact(cases[i].text, n);
        int64_t v = 42;
        bool good = sio_json_integer((sio_span){ copy, n }, &v);
        free(copy);
        if (good != cases[i].good || v != (good ? cases[i].want : 42))
            fail_msg("%s: %d, %lld", cases[i].text, good, (long long)v);
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

static size_t write_number(double d, int precision, char *room, size_t cap)
{
    sio_sink sink = { .p = room, .cap = cap };
    sio_json_put_number(&sink, d, precision);
    assert_false(sink.failed);
    return sink.n;
}

static const struct {
    double d;
    const char *text;
} writings[] = {
    { 0.0, "0" },
    { -0.0, "0" },
    { 1.0, "1" },
    { -1.0, "-1" },
    { 10.0, "10" },
    { 0.1, "0.1" },
    { -0.5, "-0.5" },
    { 123.456, "123.456" },
    { 1.0 / 3, "0.3333333333333333" },
    { 0.1 + 0.2, "0.30000000000000004" },
    { 5e-7, "5e-7" },
    { 1e-7, "1e-7" },
    { -1.5e-7, "-1.5e-7" },
    { 1e-6, "0.000001" },
    { 1.25e-6, "0.00000125" },
    { 1e20, "100000000000000000000" },
    { 1e21, "1e+21" },
    { -1.5e21, "-1.5e+21" },
    { 123456789012345680000.0, "123456789012345680000" },
    { 12345678901234567890.0, "12345678901234567000" },
    { 9007199254740991.0, "9007199254740991" },
    { 9007199254740992.0, "9007199254740992" },
    { 4294967296.0, "4294967296" },
    { 1.7976931348623157e308, "1.7976931348623157e+308" },
    { 5e-324, "5e-324" },
    { 1.5e-323, "1.5e-323" },
    { 2.225073858507201e-308, "2.225073858507201e-308" },
    { 2.2250738585072014e-308, "2.2250738585072014e-308" },
    { 7.120236347223045e-307, "7.120236347223045e-307" },  // powers of two: the nearest 16 digits
    { 8.209073602596753e-289, "8.209073602596753e-289" },  // don't read back, their neighbours do
    { 5.684341886080802e-14, "5.684341886080802e-14" },
    { HUGE_VAL, "null" },
    { -HUGE_VAL, "null" },
};

static void check_writings(void)
{
    for (size_t i = 0; i < COUNT(writings); i++) {
        char room[32];
        size_t n = write_number(writings[i].d, -1, room, sizeof room);
        if (!sio_span_is((sio_span){ room, n }, writings[i].text))
            fail_msg("%s became %.*s", writings[i].text, (int)n, room);
    }
}

static void a_number_is_written_as_ecmascript_writes_it(void **state)
{
    (void)state;
    check_writings();
}

static void not_a_number_is_written_as_null(void **state)
{
    char room[8];
    (void)state;
    assert_int_equal(write_number(NAN, -1, room, sizeof room), 4);
    assert_memory_equal(room, "null", 4);
    assert_int_equal(write_number(NAN, 2, room, sizeof room), 4);
    assert_int_equal(write_number(-HUGE_VAL, 2, room, sizeof room), 4);
    assert_memory_equal(room, "null", 4);
}

static const struct {
    double d;
    int precision;
    const char *text;
} fixed[] = {
    { 0.0, 0, "0" },
    { 1.5, 2, "1.50" },
    { -1.25, 3, "-1.250" },
    { 1.0 / 3, 5, "0.33333" },
    { 1e21, 1, "1000000000000000000000.0" },
    { 99.999, 0, "100" },
    { 1e-9, 3, "0.000" },
};

static void check_fixed(void)
{
    for (size_t i = 0; i < COUNT(fixed); i++) {
        char room[32];
        size_t n = write_number(fixed[i].d, fixed[i].precision, room, sizeof room);
        if (!sio_span_is((sio_span){ room, n }, fixed[i].text))
            fail_msg("%s became %.*s", fixed[i].text, (int)n, room);
    }
}

static void a_precision_fixes_the_digits_behind_the_point(void **state)
{
    char room[400];
    (void)state;
    check_fixed();
    assert_int_equal(write_number(-1.7976931348623157e308, 60, room, sizeof room), 371);
    size_t n = write_number(-1.7976931348623157e308, INT32_MAX, room, sizeof room);
    assert_true(sio_json_check(room, n, 0, NULL));
}

/* xorshift64, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

static void a_hundred_thousand_doubles_read_back_as_they_were(void **state)
{
    uint64_t x = 88172645463325252;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        double d;
        uint64_t bits = next_random(&x);
        memcpy(&d, &bits, sizeof d);
        if (d - d != 0 || d == 0)
            continue;
        char room[25];  // the longest: -1.2345678901234567e-308
        size_t n = write_number(d, -1, room, sizeof room);
        if (!sio_json_check(room, n, 0, NULL) || !is_same(read_number(room, n), d))
            fail_msg("%.*s", (int)n, room);
    }
}

/* The same tables where the C library writes a comma, or a point of two bytes. `make test` builds such
 * locales. */
static void check_locale(const char *name, const char *point)
{
    const char *found = setlocale(LC_ALL, name);
    if (found == NULL) {
        setenv("LOCPATH", "build/locale", 0);
        found = setlocale(LC_ALL, name);
    }
    if (found == NULL || strcmp(localeconv()->decimal_point, point) != 0) {
        print_message("skipped: no locale %s on this machine\n", name);
        skip();
    }
    check_readings();
    check_writings();
    check_fixed();
    setlocale(LC_ALL, "C");
}

static void a_decimal_comma_does_not_matter(void **state)
{
    (void)state;
    check_locale("de_DE.UTF-8", ",");
}

static void a_decimal_point_of_two_bytes_does_not_matter(void **state)
{
    (void)state;
    check_locale("ps_AF.UTF-8", "\xd9\xab");
}

/* The shortest number is found by trying: of each power of two, whose neighbour below is nearer than the
 * one above, no digit can be left out. */
static void a_power_of_two_has_no_digit_too_many(void **state)
{
    (void)state;
    for (int e = -1074; e < 1024; e++) {
        double d = ldexp(1, e);
        char room[32], text[40];
        size_t n = write_number(d, -1, room, sizeof room - 1), digits = 0;
        room[n] = '\0';
        assert_true(is_same(strtod(room, NULL), d));
        for (size_t i = strspn(room, "0."); i < n && room[i] != 'e'; i++)
            digits += room[i] != '.';
        if (strpbrk(room, ".e") == NULL || digits < 2)
            continue;  // zeros at the end may be needed
        snprintf(text, sizeof text, "%.*e", (int)digits - 2, d);
        char *last = strchr(text, 'e') - 1;
        if (*last == '.')
            last--;
        for (char c = '0'; c <= '9'; c++) {
            *last = c;
            if (strtod(text, NULL) == d)
                fail_msg("%s could be %s", room, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_reads_as_the_nearest_double),
        cmocka_unit_test(a_number_may_have_more_digits_than_there_is_room_for),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(a_number_is_written_as_ecmascript_writes_it),
        cmocka_unit_test(not_a_number_is_written_as_null),
        cmocka_unit_test(a_precision_fixes_the_digits_behind_the_point),
        cmocka_unit_test(a_hundred_thousand_doubles_read_back_as_they_were),
        cmocka_unit_test(what_is_no_number_reads_as_zero),
        cmocka_unit_test(a_power_of_two_has_no_digit_too_many),
        cmocka_unit_test(a_decimal_comma_does_not_matter),
        cmocka_unit_test(a_decimal_point_of_two_bytes_does_not_matter),
    };
    return cmocka_run_group_tests_name("json.c, numbers", tests, NULL, NULL);
}
