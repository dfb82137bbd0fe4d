/* sim_sio_template.c - the templates of sio_emit
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>

/* Templates that are made here, which a compiler can't check. */
static sio_value (*const make)(sio_server *io, const char *template, ...) = sio_make;

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_become_json_or_nothing),
        cmocka_unit_test(random_templates_never_make_what_is_no_json),
        cmocka_unit_test(random_values_never_make_what_is_no_json),
        cmocka_unit_test(conversions_are_printfs),
        cmocka_unit_test(a_precision_cuts_between_letters),
        cmocka_unit_test(lengths_cut_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
