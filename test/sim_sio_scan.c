/* sim_sio_scan.c - the templates of sio_scan
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>

/* Templates that are made here, which a compiler can't check. */
static sio_value (*const make)(sio_server *io, const char *template, ...) = sio_make;
static int (*const scan)(sio_value v, const char *template, ...) = sio_scan_value;

/* Scans of one integer: what is stored, or how many are. */
static const struct {
    const char *json, *template;
    int stored, value;
} integers[] = {
    { "7", "%d", 1, 7 },
    { "-2147483648", "%d", 1, INT_MIN },
    { "2147483648", "%d", 0, 0 },
    { "1e2", "%d", 1, 100 },
    { "1.0", "%d", 1, 1 },
    { "1.5", "%d", 0, 0 },
    { "1e400", "%d", 0, 0 },
    { "\"7\"", "%d", 0, 0 },
    { "null", "%d", 0, 0 },
    { "[7]", "[%d]", 1, 7 },
    { "[7, 8]", "[%d]", 1, 7 },
    { "[]", "[%d]", 0, 0 },
    { "{}", "[%d]", 0, 0 },
    { "{\"a\": 7}", "{'a': %d}", 1, 7 },
    { "{\"b\": 1, \"a\": 7}", "{\"a\": %d}", 1, 7 },
    { "{\"\\u0061\": 7}", "{'a': %d}", 1, 7 },
    { "{\"a\": {\"b\": [1, {\"c\": 7}]}}", "{'a': {'b': [%p, {'c': %d}]}}", -2, 7 },
    { "{\"b\": 7}", "{'a': %d}", 0, 0 },
    { "7", "%", -1, 0 },
    { "7", "%q", -1, 0 },
    { "7", "7", -1, 0 },
    { "7", "", -1, 0 },
    { "\"x\"", "%s", -1, 0 },  // a width is needed
    { "[7]", "[%d", -1, 7 },
    { "{\"a\": 7}", "{'a' %d}", -1, 7 },
    { "{\"a\": 7}", "{a: %d}", -1, 0 },
    { "{\"a\": 7}", "{'a: %d}", -1, 0 },
};

static void scans_store_what_fits(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    for (size_t i = 0; i < COUNT(integers); i++) {
        int value = 0, stored;
        char text[100];
        sio_value v, ignored;
        snprintf(text, sizeof text, "[%s]", integers[i].json);
        v = sio_at(make(io, text), 0);
        if (integers[i].stored == -2)
            stored = scan(v, integers[i].template, &ignored, &value) == 2 ? -2 : 0;
        else
            stored = scan(v, integers[i].template, &value);
        if (stored != integers[i].stored || (stored > 0 && value != integers[i].value))
            fail_msg("%s of %s: %d, %d", integers[i].template, integers[i].json, stored, value);
    }
    sim_free(io);
}

static void scans_know_their_lengths(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    unsigned u = 0;
    long l = 0;
    long long ll = 0;
    size_t z = 0;
    double d = 0;
    float f = 0;
    intmax_t j = 0;
    assert_int_equal(sio_scan_value(sio_make(io, "4294967295"), "%u", &u), 1);
    assert_int_equal(u, UINT_MAX);
    assert_int_equal(sio_scan_value(sio_make(io, "4294967296"), "%u", &u), 0);
    assert_int_equal(sio_scan_value(sio_make(io, "-1"), "%u", &u), 0);
    assert_int_equal(sio_scan_value(sio_make(io, "-5"), "%ld", &l), 1);
    assert_int_equal(l, -5);
    assert_int_equal(sio_scan_value(sio_make(io, "-9223372036854775808"), "%lld", &ll), 1);
    assert_true(ll == LLONG_MIN);
    assert_int_equal(sio_scan_value(sio_make(io, "9223372036854775808"), "%lld", &ll), 0);
    assert_int_equal(sio_scan_value(sio_make(io, "77"), "%zu", &z), 1);
    assert_int_equal(z, 77);
    assert_int_equal(sio_scan_value(sio_make(io, "-77"), "%zu", &z), 0);
    assert_int_equal(sio_scan_value(sio_make(io, "-77"), "%jd", &j), 1);
    assert_true(j == -77);
    assert_int_equal(sio_scan_value(sio_make(io, "0.5"), "%lf", &d), 1);
    assert_true(d > 0.49 && d < 0.51);
    assert_int_equal(sio_scan_value(sio_make(io, "3"), "%f", &f), 1);
    assert_true(f > 2.9f && f < 3.1f);
    assert_int_equal(sio_scan_value(sio_make(io, "'3'"), "%lf", &d), 0);
    sim_free(io);
}

#define BIG "18446744073709551615"

/* The least and the most of each length are stored, one more is not, and no byte beside is touched. */
static void scans_check_ranges(void **state)
{
    static const struct {
        const char *template;
        size_t size;
        const char *least, *most, *below, *above;
    } ranges[] = {
        { "%hhd", 1, "-128", "127", "-129", "128" },
        { "%hhu", 1, "0", "255", "-1", "256" },
        { "%hd", 2, "-32768", "32767", "-32769", "32768" },
        { "%hu", 2, "0", "65535", "-1", "65536" },
        { "%d", 4, "-2147483648", "2147483647", "-2147483649", "2147483648" },
        { "%i", 4, "-2147483648", "2147483647", "-2147483649", "2147483648" },
        { "%u", 4, "0", "4294967295", "-1", "4294967296" },
        { "%lld", 8, "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
          "9223372036854775808" },
        { "%jd", 8, "-9223372036854775808", "9223372036854775807", "-9223372036854775809", "1e19" },
        { "%llu", 8, "0", BIG, "-1", "18446744073709551616" },
        { "%ju", 8, "-0", BIG, "-1", "1e20" },
        { "%hu", 2, "0.0", "6.5535e4", "-1.0", "0.5" },
    };
    (void)state;
    sio_server *io = sim_new(NULL);
    for (size_t i = 0; i < COUNT(ranges); i++) {
        const char *const texts[] = { ranges[i].least, ranges[i].most, ranges[i].below,
                                      ranges[i].above };
        for (size_t k = 0; k < COUNT(texts); k++) {
            union {
                uint8_t u8;
                uint16_t u16;
                uint32_t u32;
                uint64_t u64;
                unsigned char bytes[10];
            } got, want;
            uint64_t wanted = texts[k][0] == '-' ? (uint64_t)strtoll(texts[k], NULL, 10)
                                                 : strtoull(texts[k], NULL, 10);
            if (strpbrk(texts[k], ".e") != NULL)
                wanted = (uint64_t)strtod(texts[k], NULL);
            memset(&got, 0x55, sizeof got);
            memset(&want, 0x55, sizeof want);
            if (k < 2 && ranges[i].size == 1)
                want.u8 = (uint8_t)wanted;
            else if (k < 2 && ranges[i].size == 2)
                want.u16 = (uint16_t)wanted;
            else if (k < 2 && ranges[i].size == 4)
                want.u32 = (uint32_t)wanted;
            else if (k < 2)
                want.u64 = wanted;
            int stored = scan(make(io, texts[k]), ranges[i].template, &got);
            if (stored != (k < 2) || memcmp(&got, &want, sizeof got) != 0)
                fail_msg("%s of %s: %d", ranges[i].template, texts[k], stored);
        }
    }
    size_t z = 0;
    ptrdiff_t t = 0;
    unsigned long long u = 0;
    assert_int_equal(sio_scan_value(make(io, "-7"), "%td", &t), 1);
    assert_true(t == -7);
    assert_int_equal(sio_scan_value(make(io, "77"), "%zu", &z), 1);
    assert_true(z == 77);
    assert_int_equal(sio_scan_value(make(io, "1e19"), "%llu", &u), 1);
    assert_true(u == 10000000000000000000u);
    sim_free(io);
}

/* What is no conversion is said, with errno. */
static void scans_refuse_what_is_no_template(void **state)
{
    static const char *const bad[] = { "%",   "%5d",  "%.5s", "%*d",  "%ls", "%5s%",
                                       "%lp", "%hlf", "%Lf",  "%llf", "%5p", "%c" };
    char room[16];
    (void)state;
    sio_server *io = sim_new(NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        errno = 0;
        int stored = scan(make(io, "7"), bad[i], room);
        if (strcmp(bad[i], "%5s%") == 0 ? stored != 0 : stored != -1 || errno != EINVAL)
            fail_msg("%s: %d", bad[i], stored);
    }
    sim_free(io);
}

/* Constants have no server, and are what they are. */
static void constants_are_scanned_like_values(void **state)
{
    sio_value v = NULL;
    (void)state;
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_scan_value(sio_bool(true), "%p", &v), 1);
    assert_int_equal(sio_type(v), SIO_TRUE);
    assert_int_equal(sio_scan_value(sio_bool(false), "%p", &v), 1);
    assert_int_equal(sio_type(v), SIO_FALSE);
    assert_int_equal(sio_scan_value(sio_null(), "%p", &v), 1);
    assert_int_equal(sio_type(v), SIO_NULL);
    assert_int_equal(sio_scan_value(NULL, "%p", &v), 1);
    assert_int_equal(sio_type(v), SIO_NULL);
    sio_value list = sio_make(io, "[[true]]");
    assert_int_equal(sio_scan_value(list, "[%p]", &v), 1);  // v is not a place in the scan
    assert_string_equal(sim_json(v), "[true]");
    sio_value one = sio_binary(io, "x", 1);
    assert_int_equal(sio_scan_value(one, "%p", &v), 1);
    assert_int_equal(sio_type(v), SIO_BINARY);
    sim_free(io);
}

static void scanned_strings_have_a_bound(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    char text[6] = "-----";
    assert_int_equal(sio_scan_value(sio_make(io, "'abcd'"), "%4s", text), 1);
    assert_string_equal(text, "abcd");
    assert_int_equal(text[5], '\0');
    memcpy(text, "-----", 6);
    assert_int_equal(sio_scan_value(sio_make(io, "'abcde'"), "%4s", text), 0);
    assert_string_equal(text, "-----");  // untouched
    assert_int_equal(sio_scan_value(sio_make(io, "'\\u00e9\\u00e9'"), "%4s", text), 1);
    assert_string_equal(text, "\xc3\xa9\xc3\xa9");
    assert_int_equal(sio_scan_value(sio_make(io, "'\\u0000'"), "%4s", text),
                     0);  // NUL truncates nothing
    assert_int_equal(sio_scan_value(sio_make(io, "''"), "%4s", text), 1);
    assert_string_equal(text, "");
    assert_int_equal(sio_scan_value(sio_make(io, "'\\ud800'"), "%4s", text), 1);
    assert_string_equal(text, "\xef\xbf\xbd");
    assert_int_equal(sio_scan_value(sio_make(io, "7"), "%4s", text), 0);
    assert_int_equal(sio_scan_value(NULL, "%4s", text), 0);
    sio_value v;
    int n;
    assert_int_equal(
        sio_scan_value(sio_make(io, "{'a': [1], 'n': 3}"), "{'n': %d, 'a': %p}", &n, &v), 2);
    assert_string_equal(sim_json(v), "[1]");
    assert_int_equal(sio_scan_value(sio_make(io, "[1, 'x']"), "[%d, %d]", &n, &n), 1);
    sim_free(io);
}

/* ---- Booleans and optional members ------------------------------------------------------------- */

static void booleans_have_a_form(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_value v = sio_make(io, "[!!%d, {'a': !!%d}, !!%ld, !!%u]", 0, -7, 2L, 0u);
    assert_string_equal(sim_json(v), "[false,{\"a\":true},true,false]");
    int no = 9, yes = 9;
    signed char small = 9;
    long more = 9;
    assert_int_equal(
        sio_scan_value(v, "[!!%d, {'a': !!%d}, !!%ld, !!%hhd]", &no, &yes, &more, &small), 4);
    assert_int_equal(no, 0);
    assert_int_equal(yes, 1);
    assert_int_equal(more, 1);
    assert_int_equal(small, 0);
    assert_int_equal(sio_scan_value(sio_make(io, "1"), "!!%d", &yes), 0);
    assert_int_equal(errno, EDOM);
    assert_int_equal(scan(v, " [!%d]", &yes), -1);
    assert_int_equal(scan(v, " [!!%s]", &yes), -1);
    sim_free(io);
}

static const struct {
    const char *rule, *json, *template;
    int stored, error;
} scans[] = {
    { "absent, optional", "{}", "{'n'?: %d}", 1, 0 },
    { "null, optional", "{\"n\":null}", "{'n'?: %d}", 1, 0 },
    { "there, optional", "{\"n\":7}", "{'n'?: %d}", 1, 0 },
    { "another type, optional", "{\"n\":\"7\"}", "{'n'?: %d}", 0, EDOM },
    { "absent, with more behind", "{\"m\":7}", "{'n'?: %d, 'm': %d}", 2, 0 },
    { "a whole object is absent", "{\"m\":7}", "{'o'?: {'a}': [%d, {}], 'b': !!%d}, 'm': %d}", 3,
      0 },
    { "brackets in names", "{\"m\":7}", "{'n'?: {'}': %d, \"'{\": [%d]}, 'm': %d}", 3, 0 },
    { "a percent sign in a name", "{\"m\":7}", "{'n'?: {'50%': %d}, 'm': %d}", 2, 0 },
    { "lists in lists", "{\"m\":7}", "{'n'?: [[%d], [], {'a'?: !!%d}], 'm': %d}", 3, 0 },
    { "blanks all over", "{\"m\":7}", "{ 'n'? : { 'a' : %d } , 'm' : %d }", 2, 0 },
    { "null in the middle", "{\"n\":null,\"m\":7}", "{'n'?: {'a': {'b': %d}}, 'm': %d}", 2, 0 },
    { "absent in one that is there", "{\"n\":{},\"m\":7}", "{'n'?: {'a'?: [%d]}, 'm': %d}", 2, 0 },
    { "a blank before the colon", "{}", "{'n'? : %d }", 1, 0 },
    { "absent", "{}", "{'n': %d}", 0, ENOENT },
    { "too few elements", "[1]", "[%d, %d]", 1, ENOENT },
    { "another type", "[true]", "[%d]", 0, EDOM },
    { "text for a number", "[\"1\"]", "[%d]", 0, EDOM },
    { "a number, and no integer", "[1.5]", "[%d]", 0, ERANGE },
    { "too large", "[3000000000]", "[%d]", 0, ERANGE },
    { "no object", "[1]", "[{'a': %d}]", 0, EDOM },
    { "an object that is absent", "[]", "[{'a': %d}]", 0, ENOENT },
    { "a number for a boolean", "[1]", "[!!%d]", 0, EDOM },
    { "a boolean that is absent", "[]", "[!!%d]", 0, ENOENT },
    { "no conversion", "{}", "{'n'?: %c}", -1, EINVAL },
    { "an optional value that does not end", "{}", "{'n'?: [%d", -1, EINVAL },
    { "a quote that does not end", "{}", "{'n'?: ['%d", -1, EINVAL },
    { "a question mark alone", "{}", "{?: %d}", -1, EINVAL },
};

static void scans_say_why_they_stop(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    for (size_t i = 0; i < COUNT(scans); i++) {
        int a = -1, b = -1, c = -1;
        sio_value v = sio_parse(io, scans[i].json, strlen(scans[i].json));
        errno = 0;
        int stored = scan(v, scans[i].template, &a, &b, &c);
        if (stored != scans[i].stored || errno != scans[i].error)
            fail_msg("%s: %d, errno %d", scans[i].rule, stored, errno);
        const int *last = stored == 1 ? &a : stored == 2 ? &b : &c;
        bool there = strchr(scans[i].json, '7') != NULL && scans[i].error == 0;
        if (stored > 0 && scans[i].error == 0)
            assert_int_equal(*last, there ? 7 : -1);
    }
    char name[5] = "";
    assert_int_equal(sio_scan_value(sio_make(io, "'12345'"), "%4s", name), 0);
    assert_int_equal(errno, ERANGE);
    sim_run_ms(io, 2000);
    scan(sio_make(io, "{}"), "{'n' %d}", name);
    sim_run_ms(io, 0);
    assert_string_equal(sim.log,
                        "template wrong: a name without a colon, at '%d}' (sio_scan_value)");
    sim_free(io);
}

static void scans_leave_what_is_too_large(void **state)
{
    double d = 7;
    float f = 7;
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_value v = sio_make(io, "[3.4e38, 1e39, -1e39, 1e400, -1e400]");
    assert_int_equal(sio_scan_value(v, "[%f]", &f), 1);
    assert_true(f > 3.3e38f);
    assert_int_equal(sio_scan_value(sio_at(v, 2), "%lf", &d), 1);
    assert_true(d < 0);
    for (size_t i = 1; i < 5; i++) {
        errno = 0;
        assert_int_equal(sio_scan_value(sio_at(v, i), "%f", &f), 0);
        assert_int_equal(errno, ERANGE);
        errno = 0;
        assert_int_equal(sio_scan_value(sio_at(v, i), "%lf", &d), i < 3);
        assert_int_equal(errno, i < 3 ? 0 : ERANGE);
    }
    assert_true(f > 3.3e38f && d < 0 && d > -2e39);
    sim_free(io);
}

static void scans_say_that_memory_is_short(void **state)
{
    char text[10];
    sio_value v;
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_value text_value = sio_keep(io, sio_make(io, "'text'"));
    for (int i = 0; i < 2; i++) {
        unsigned failed = 0;
        for (int k = 0; k < 100000 && failed == 0;
             k++) {  // until what was fetched in bulk is used up
            sim.fail_alloc = sim.allocs + 1;
            errno = 0;
            int stored = i == 0 ? sio_scan_value(text_value, "%9s", text)
                                : sio_scan_value(text_value, "%p", &v);
            failed += stored == 0;
            assert_int_equal(errno, stored == 0 ? ENOMEM : 0);
        }
        assert_int_equal(failed, 1);
        sim_run_ms(io, 0);
    }
    sim.fail_alloc = 0;
    sio_drop(text_value);
    sim_free(io);
}

/* Whatever the template, a scan stores no more than it takes arguments for, each inside of its own. */
static void random_scans_keep_to_their_arguments(void **state)
{
    static const char *const pieces[] = { "{",     "}",    "[",      "]",      ",",      "'a'",
                                          "'a':",  "'a'?", "'b'?:",  "'c'?: ", "'{%d'",  "!!%d",
                                          "!!%d",  "%d",   "%3s",    "%p",     "%lf",    "'e':{",
                                          "'f':[", " ",    "\"d\":", "'z'?:[", "'z'?:{", "%hhd",
                                          "%",     "!!",   "'",      "?" };
    static const char json[] =
        "[{\"a\":1,\"b\":null,\"d\":true,\"e\":{\"a\":\"xyz\"},\"f\":[1,false]},"
        "[2,\"abcd\"],3]";
    enum { ROOM = 9 };
    (void)state;
    sio_server *io = sim_new(NULL);
    unsigned stored = 0;
    for (int i = 0; i < 600000; i++) {
        char text[200] = "";
        char *out[ROOM];
        for (size_t k = 0; k < ROOM; k++)
            out[k] = malloc(8);
        bool list = sim_random() % 2;  // of an array's elements; else it is all random
        strcat(text, list ? "[" : "");
        for (size_t n = sim_random() % ROOM, k = 0; k < n; k++) {
            strcat(text, list && k > 0 ? "," : "");
            strcat(text, pieces[sim_random() % COUNT(pieces)]);
        }
        strcat(text, list ? "]" : "");
        sio_value v = sio_parse(io, json, sizeof json - 1);
        v = sim_random() % 2 ? v : sio_at(v, sim_random() % 3);
        int got =
            scan(v, text, out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7], out[8]);
        size_t conversions = 0;
        for (const char *p = text; *p != '\0'; p++)
            conversions += *p == '%';
        if (got < -1 || got > (int)conversions)
            fail_msg("%s: %d", text, got);
        stored += got > 0;
        for (size_t k = 0; k < ROOM; k++)
            free(out[k]);
        if (i % 1000 == 0)
            sio_turn(io, 0);  // lets the values go
    }
    assert_true(stored > 5000);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans_store_what_fits),
        cmocka_unit_test(scans_know_their_lengths),
        cmocka_unit_test(scans_check_ranges),
        cmocka_unit_test(scans_refuse_what_is_no_template),
        cmocka_unit_test(constants_are_scanned_like_values),
        cmocka_unit_test(scanned_strings_have_a_bound),
        cmocka_unit_test(booleans_have_a_form),
        cmocka_unit_test(scans_say_why_they_stop),
        cmocka_unit_test(scans_leave_what_is_too_large),
        cmocka_unit_test(scans_say_that_memory_is_short),
        cmocka_unit_test(random_scans_keep_to_their_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
