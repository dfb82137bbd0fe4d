/* sim_sio_template.c - the templates of sio_emit and sio_scan
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

/* ---- Writing -------------------------------------------------------------------------------- */

/* Templates without conversions, or with %d only, which takes 1, 2, 3, 4. NULL: refused. */
static const struct {
    const char *template, *json;
} templates[] = {
    { "1", "1" },
    { " 1 ", "1" },
    { "-1.5e+3", "-1.5e+3" },
    { "null", "null" },
    { "true", "true" },
    { "'a'", "\"a\"" },
    { "\"a\"", "\"a\"" },
    { "'it\\'s'", "\"it's\"" },
    { "'say \"hi\"'", "\"say \\\"hi\\\"\"" },
    { "'\\n\\u00e9\\\\'", "\"\\n\\u00e9\\\\\"" },
    { "'\xc3\xa9'", "\"\xc3\xa9\"" },
    { "'100%%'", "\"100%\"" },
    { "''", "\"\"" },
    { "[]", "[]" },
    { "{}", "{}" },
    { "[1, 2,3]", "[1,2,3]" },
    { "[[],[[]],{}]", "[[],[[]],{}]" },
    { "{'a': 1, 'b': [2], 'c': {'d': null}}", "{\"a\":1,\"b\":[2],\"c\":{\"d\":null}}" },
    { "{'a' : 1}", "{\"a\":1}" },
    { "{'a':\n1}", "{\"a\":1}" },
    { "%d", "1" },
    { "[%d, %d]", "[1,2]" },
    { "{'a': %d, 'n%d': [%d]}", "{\"a\":1,\"n2\":[3]}" },
    { "'%d and %d'", "\"1 and 2\"" },
    { "%i", "1" },
    { "%u", "1" },
    { "", NULL },
    { " ", NULL },
    { "1, 2", NULL },  // sio_make makes one value
    { "1 2", NULL },
    { "[1 2]", NULL },
    { "[1,]", NULL },
    { "[,1]", NULL },
    { "[1,,2]", NULL },
    { ",", NULL },
    { "[", NULL },
    { "]", NULL },
    { "[}", NULL },
    { "{]", NULL },
    { "{1: 2}", NULL },
    { "{'a'}", NULL },
    { "{'a' 1}", NULL },
    { "{'a':}", NULL },
    { "{'a': 1 'b': 2}", NULL },
    { "{'a': 1,}", NULL },
    { "{'a': 'b': 1}", NULL },
    { "['a': 1]", NULL },
    { "'a", NULL },
    { "\"a'", NULL },
    { "'\\x'", NULL },
    { "'\\u12'", NULL },
    { "'\\", NULL },
    { "'\xff'", NULL },
    { "01", NULL },
    { "1.", NULL },
    { "tru", NULL },
    { "nul", NULL },
    { "abc", NULL },
    { "-", NULL },
    { "%", NULL },
    { "%%", NULL },
    { "%q", NULL },
    { "'%", NULL },
    { "1%d", NULL },
    { "%d%d", NULL },
    { "{%d: 1}", NULL },
    { "%10s", NULL },  // neither widths nor flags
    { "%4d", NULL },
    { "%-4d", NULL },
    { "%04d", NULL },
    { "%+d", NULL },
    { "'%4d'", NULL },
    { "%.3d", NULL },  // what a letter may not have is not ignored
    { "%.*d", NULL },
    { "'%.*d'", NULL },
    { "%ls", NULL },
    { "%hs", NULL },
    { "%.3p", NULL },
    { "%lp", NULL },
    { "%hf", NULL },
    { "%llg", NULL },
    { "%Lf", NULL },
    { "'%l%'", NULL },
    { "'%.1%'", NULL },
};

static void templates_become_json_or_nothing(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    for (size_t i = 0; i < COUNT(templates); i++) {
        const char *wanted = templates[i].json == NULL ? "(none)" : templates[i].json;
        const char *got = sim_json(make(io, templates[i].template, 1, 2, 3, 4));
        if (strcmp(got, wanted) != 0)
            fail_msg("%s: %s", templates[i].template, got);
    }
    char *deep = filled(200, '[');
    for (size_t n = 1; n < 100; n++) {
        memset(deep, '[', n);
        memset(deep + n, ']', n);
        deep[2 * n] = '\0';
        const char *got = sim_json(make(io, deep));
        if (n < 60)
            assert_string_equal(got, deep);
        else if (strcmp(got, "(none)") != 0)
            assert_string_equal(got, deep);  // as deep as it says it can
    }
    free(deep);
    sim_free(io);
}

/* Whatever is made is JSON. */
static void random_templates_never_make_what_is_no_json(void **state)
{
    static const char *const pieces[] = { "{",     "}",   "[",    "]",  ",",    ":",      "'a'",
                                          "\"b\"", "1",   "null", "%d", "'%d'", " ",      "-2.5",
                                          "'",     "\\n", "'k':", "%%", "x",    "'c': %d" };
    (void)state;
    sio_server *io = sim_new(NULL);
    unsigned made = 0;
    for (int i = 0; i < 300000; i++) {
        char text[200] = "";
        for (size_t n = sim_random() % 9; n > 0; n--)
            strcat(text, pieces[sim_random() % COUNT(pieces)]);
        sio_value v = make(io, text, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        size_t n;
        const char *json = sio_json(v, &n);
        if (v != NULL && !sio_json_check(json, n, 100, NULL))
            fail_msg("%s made %.*s", text, (int)n, json);
        made += v != NULL;
        if (i % 1000 == 0)
            sio_turn(io, 0);  // lets the values go
    }
    assert_true(made > 5000);
    sim_free(io);
}

/* The same with values that are none, several, or attachments: written, pushed, and as members. */
static void random_values_never_make_what_is_no_json(void **state)
{
    static const char *const pieces[] = { "%p", "%p", "%p", ",",    ",", "[",
                                          "]",  "{",  "}",  "'k':", "1", " " };
    int (*const grow)(sio_value array, const char *format, ...) = sio_push;
    int (*const set)(sio_value object, const char *name, const char *format, ...) = sio_set_member;
    (void)state;
    sio_server *io = sim_new(NULL);
    unsigned made = 0;
    for (int i = 0; i < 200000; i++) {
        char text[100] = "";
        sio_value v[9], list = sio_array(io), object = sio_object(io);
        for (size_t n = sim_random() % 9; n > 0; n--)
            strcat(text, pieces[sim_random() % COUNT(pieces)]);
        for (size_t k = 0; k < 9; k++) {
            const sio_value kinds[] = { NULL,
                                        sio_null(),
                                        list,
                                        object,
                                        sio_binary(io, "b", 1),
                                        sio_spread(io, list),
                                        sio_make(io, "[1, 2]"),
                                        sio_spread(io, sio_make(io, "[1, [2]]")) };
            v[k] = kinds[sim_random() % COUNT(kinds)];
            if (sim_random() % 4 == 0)
                grow(list, text, v[0], v[k], v[k / 2], v[k], v[k], v[k], v[k], v[k], v[k]);
        }
        set(object, "m", text, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]);
        v[0] = make(io, text, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]);
        v[1] = list, v[2] = object;
        for (size_t k = 0; k < 3; k++) {
            size_t n;
            const char *json = sio_json(v[k], &n);
            if (v[k] != NULL && !sio_json_check(json, n, 100, NULL))
                fail_msg("%s made %.*s", text, (int)n, json);
        }
        made += v[0] != NULL;
        if (i % 100 == 0)
            sio_turn(io, 0);  // lets the values go
    }
    assert_true(made > 5000);
    sim_free(io);
}

static void conversions_are_printfs(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    const char *not_utf8 = "\xff", *text = "a\"\\\n\x01\x7f\xe2\x80\xa8";
    assert_string_equal(sim_json(sio_make(io, "%s", text)),
                        "\"a\\\"\\\\\\n\\u0001\x7f\xe2\x80\xa8\"");
    assert_string_equal(sim_json(sio_make(io, "'<%s>'", text)),
                        "\"<a\\\"\\\\\\n\\u0001\x7f\xe2\x80\xa8>\"");
    assert_string_equal(sim_json(sio_make(io, "{%s: 1}", "k\"")), "{\"k\\\"\":1}");
    assert_string_equal(sim_json(sio_make(io, "%.*s", 2, "abc")), "\"ab\"");
    assert_string_equal(sim_json(sio_make(io, "%.2s", "abc")), "\"ab\"");
    assert_string_equal(sim_json(sio_make(io, "%.9s", "abc")), "\"abc\"");
    assert_null(sio_make(io, "%s", not_utf8));
    assert_null(sio_make(io, "%.1s", not_utf8));
    assert_string_equal(sim_json(sio_make(io, "[%d, %i, %u]", INT_MIN, INT_MAX, UINT_MAX)),
                        "[-2147483648,2147483647,4294967295]");
    assert_string_equal(sim_json(sio_make(io, "[%lld, %llu]", LLONG_MIN, ULLONG_MAX)),
                        "[-9223372036854775808,18446744073709551615]");
    assert_string_equal(sim_json(sio_make(io, "[%ld, %lu, %zu]", -5L, 5UL, SIZE_MAX)),
                        sizeof(size_t) == 8 ? "[-5,5,18446744073709551615]" : "[-5,5,4294967295]");
    assert_string_equal(sim_json(sio_make(io, "[%jd, %td]", (intmax_t)-7, (ptrdiff_t)7)), "[-7,7]");
    assert_string_equal(
        sim_json(sio_make(io, "[%hd, %hhd, %hhu]", (short)-3, (signed char)-4, (unsigned char)255)),
        "[-3,-4,255]");
    assert_string_equal(sim_json(sio_make(io, "[%g, %f, %.2f]", 0.1, 1e21, 2.345)),
                        "[0.1,1e+21,2.35]");
    assert_string_equal(sim_json(sio_make(io, "[%g, %g, %g]", HUGE_VAL, -HUGE_VAL, nan(""))),
                        "[null,null,null]");
    assert_string_equal(sim_json(sio_make(io, "[%g, %g]", DBL_MAX, DBL_MIN)),
                        "[1.7976931348623157e+308,2.2250738585072014e-308]");
    assert_string_equal(sim_json(sio_make(io, "'%d%%'", 50)), "\"50%\"");
    assert_string_equal(sim_json(sio_make(io, "[%p, %p, %p]", sio_null(), sio_bool(true), NULL)),
                        "[null,true,null]");
    assert_string_equal(sim_json(sio_make(io, "[%p]", sio_make(io, "{'a': %d}", 1))),
                        "[{\"a\":1}]");
    assert_null(sio_make(io, "'%p'", sio_null()));  // not inside of a string
    sim_free(io);
}

/* A precision takes the letters that fit in whole, and looks at no byte behind them. */
static void a_precision_cuts_between_letters(void **state)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";  // 1, 2, 3, 4, 1
    static const int whole[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11 };
    (void)state;
    sio_server *io = sim_new(NULL);
    for (int n = 0; n < (int)COUNT(whole); n++) {
        size_t size = n < 11 ? (size_t)n : sizeof text;
        char *exact = malloc(size + 1), wanted[20];
        snprintf(wanted, sizeof wanted, "\"%.*s\"", whole[n], text);
        memcpy(exact + 1, text, size);  // the sanitizer watches its end
        assert_string_equal(sim_json(sio_make(io, "%.*s", n, exact + 1)), wanted);
        assert_string_equal(sim_json(sio_make(io, "'%.*s'", n, exact + 1)), wanted);
        free(exact);
    }
    assert_string_equal(sim_json(sio_make(io, "%.*s", -1, text + 6)), "\"\xf0\x9f\x98\x80z\"");
    static const char *const broken[] = { "\x80\x80\x80\x80", "a\x80", "\xc3z", "\xff", "\xf5" };
    for (size_t i = 0; i < COUNT(broken); i++)
        assert_null(sio_make(io, "%.*s", (int)strlen(broken[i]), broken[i]));
    sim_free(io);
}

/* As printf does: only so much of the argument as the length says. */
static void lengths_cut_numbers(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    assert_string_equal(sim_json(make(io, "[%hd, %hu, %hhd, %hhu]", 65537, 65537, 258, 258)),
                        "[1,1,2,2]");
    assert_string_equal(sim_json(make(io, "[%hu, %hhu]", -1, -1)), "[65535,255]");
    assert_string_equal(sim_json(make(io, "[%zd, %td]", (ptrdiff_t)-5, (ptrdiff_t)-6)), "[-5,-6]");
    assert_string_equal(sim_json(sio_make(io, "%ju", UINTMAX_MAX)), "18446744073709551615");
    sim_free(io);
}

/* ---- Scanning ------------------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_become_json_or_nothing),
        cmocka_unit_test(random_templates_never_make_what_is_no_json),
        cmocka_unit_test(random_values_never_make_what_is_no_json),
        cmocka_unit_test(conversions_are_printfs),
        cmocka_unit_test(a_precision_cuts_between_letters),
        cmocka_unit_test(lengths_cut_numbers),
        cmocka_unit_test(scans_store_what_fits),
        cmocka_unit_test(scans_know_their_lengths),
        cmocka_unit_test(scans_check_ranges),
        cmocka_unit_test(scans_refuse_what_is_no_template),
        cmocka_unit_test(constants_are_scanned_like_values),
        cmocka_unit_test(scanned_strings_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
