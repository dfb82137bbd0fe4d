#define _POSIX_C_SOURCE 200809L  // of sim.c
/* test_value.c - values, and the templates of sio_emit and sio_scan
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.c"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>

/* Templates that are made here, which a compiler can't check. */
static sio_value (*const make)(sio_server *io, const char *template, ...) = sio_make;
static int (*const scan)(sio_value v, const char *template, ...) = sio_scan_value;

/* A value's JSON; "(none)" for NULL. */
static const char *json_of(sio_value v)
{
    size_t n;
    if (v == NULL)
        return "(none)";
    const char *p = sio_json(v, &n);
    return keep(p, n);
}

static sio_server *begin(void)
{
    sim_fail = abort_saying;
    return sim_new(NULL);
}

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
};

static void templates_become_json_or_nothing(void **state)
{
    (void)state;
    sio_server *io = begin();
    for (size_t i = 0; i < COUNT(templates); i++) {
        const char *wanted = templates[i].json == NULL ? "(none)" : templates[i].json;
        const char *got = json_of(make(io, templates[i].template, 1, 2, 3, 4));
        if (strcmp(got, wanted) != 0)
            fail_msg("%s: %s", templates[i].template, got);
    }
    char *deep = filled(200, '[');
    for (size_t n = 1; n < 100; n++) {
        memset(deep, '[', n);
        memset(deep + n, ']', n);
        deep[2 * n] = '\0';
        const char *got = json_of(make(io, deep));
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
    sio_server *io = begin();
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

static void conversions_are_printfs(void **state)
{
    (void)state;
    sio_server *io = begin();
    const char *not_utf8 = "\xff", *text = "a\"\\\n\x01\x7f\xe2\x80\xa8";
    assert_string_equal(json_of(sio_make(io, "%s", text)),
                        "\"a\\\"\\\\\\n\\u0001\x7f\xe2\x80\xa8\"");
    assert_string_equal(json_of(sio_make(io, "'<%s>'", text)),
                        "\"<a\\\"\\\\\\n\\u0001\x7f\xe2\x80\xa8>\"");
    assert_string_equal(json_of(sio_make(io, "{%s: 1}", "k\"")), "{\"k\\\"\":1}");
    assert_string_equal(json_of(sio_make(io, "%.*s", 2, "abc")), "\"ab\"");
    assert_string_equal(json_of(sio_make(io, "%.2s", "abc")), "\"ab\"");
    assert_string_equal(json_of(sio_make(io, "%.9s", "abc")), "\"abc\"");
    assert_null(sio_make(io, "%s", not_utf8));
    assert_null(sio_make(io, "%.1s", "\xc3\xa9"));  // half a character
    assert_string_equal(json_of(sio_make(io, "[%d, %i, %u]", INT_MIN, INT_MAX, UINT_MAX)),
                        "[-2147483648,2147483647,4294967295]");
    assert_string_equal(json_of(sio_make(io, "[%lld, %llu]", LLONG_MIN, ULLONG_MAX)),
                        "[-9223372036854775808,18446744073709551615]");
    assert_string_equal(json_of(sio_make(io, "[%ld, %lu, %zu]", -5L, 5UL, SIZE_MAX)),
                        sizeof(size_t) == 8 ? "[-5,5,18446744073709551615]" : "[-5,5,4294967295]");
    assert_string_equal(json_of(sio_make(io, "[%jd, %td]", (intmax_t)-7, (ptrdiff_t)7)), "[-7,7]");
    assert_string_equal(
        json_of(sio_make(io, "[%hd, %hhd, %hhu]", (short)-3, (signed char)-4, (unsigned char)255)),
        "[-3,-4,255]");
    assert_string_equal(json_of(sio_make(io, "[%g, %f, %.2f]", 0.1, 1e21, 2.345)),
                        "[0.1,1e+21,2.35]");
    assert_string_equal(json_of(sio_make(io, "[%g, %g, %g]", HUGE_VAL, -HUGE_VAL, nan(""))),
                        "[null,null,null]");
    assert_string_equal(json_of(sio_make(io, "[%g, %g]", DBL_MAX, DBL_MIN)),
                        "[1.7976931348623157e+308,2.2250738585072014e-308]");
    assert_string_equal(json_of(sio_make(io, "'%d%%'", 50)), "\"50%\"");
    assert_string_equal(json_of(sio_make(io, "[%p, %p, %p]", sio_null(), sio_bool(true), NULL)),
                        "[null,true,null]");
    assert_string_equal(json_of(sio_make(io, "[%p]", sio_make(io, "{'a': %d}", 1))), "[{\"a\":1}]");
    assert_null(sio_make(io, "'%p'", sio_null()));  // not inside of a string
    sim_free(io);
}

static void arrays_are_spread(void **state)
{
    (void)state;
    sio_server *io = begin();
    sio_value two = sio_make(io, "[1, 2]"), none = sio_make(io, "[]"), object = sio_make(io, "{}");
    assert_string_equal(json_of(sio_make(io, "[%p]", sio_spread(io, two))), "[1,2]");
    assert_string_equal(json_of(sio_make(io, "[0, %p, 3]", sio_spread(io, two))), "[0,1,2,3]");
    assert_string_equal(json_of(sio_make(io, "[%p, 3]", sio_spread(io, none))), "[3]");
    assert_string_equal(json_of(sio_make(io, "[3, %p]", sio_spread(io, none))), "[3]");
    assert_string_equal(json_of(sio_make(io, "[3, %p, 4]", sio_spread(io, none))), "[3,4]");
    assert_string_equal(json_of(sio_make(io, "[%p]", sio_spread(io, none))), "[]");
    assert_string_equal(
        json_of(sio_make(io, "[%p, %p]", sio_spread(io, none), sio_spread(io, none))), "[]");
    assert_string_equal(json_of(sio_make(io, "[%p, %p]", sio_spread(io, two), sio_spread(io, two))),
                        "[1,2,1,2]");
    assert_null(sio_make(io, "{'a': %p}", sio_spread(io, two)));
    assert_null(sio_make(io, "%p", sio_spread(io, two)));  // two values
    assert_null(sio_spread(io, object));
    assert_null(sio_spread(io, NULL));
    assert_int_equal(sio_count(sio_spread(io, two)), 2);
    assert_string_equal(json_of(sio_at(sio_spread(io, two), 1)), "2");
    sim_free(io);
}

/* ---- Attachments ---------------------------------------------------------------------------- */

static void bytes_travel_with_values(void **state)
{
    (void)state;
    sio_server *io = begin();
    size_t n;
    sio_value a = sio_binary(io, "\1\2", 2), empty = sio_binary(io, NULL, 0);
    assert_int_equal(sio_type(a), SIO_BINARY);
    assert_int_equal(sio_type(empty), SIO_BINARY);
    sio_value v = sio_make(io, "{'x': [%p, %p], 'y': %p}", a, empty, a);
    sio_value x = sio_member(v, "x");
    assert_int_equal(sio_type(sio_at(x, 0)), SIO_BINARY);
    assert_memory_equal(sio_bytes(sio_at(x, 0), &n), "\1\2", 2);
    assert_int_equal(n, 2);
    assert_non_null(sio_bytes(sio_at(x, 1), &n));
    assert_int_equal(n, 0);
    sio_value w = sio_make(io, "[%p, %p]", sio_member(v, "y"), v);  // numbers count anew
    assert_string_equal(json_of(w),
                        "[{\"_placeholder\":true,\"num\":0},{\"x\":[{\"_placeholder\":true,"
                        "\"num\":1},{\"_placeholder\":true,\"num\":2}],\"y\":"
                        "{\"_placeholder\":true,\"num\":3}}]");
    sio_value kept = sio_keep(io, w);
    sio_turn(io, 0);
    assert_memory_equal(sio_bytes(sio_at(kept, 0), &n), "\1\2", 2);
    assert_memory_equal(sio_bytes(sio_member(sio_at(kept, 1), "y"), &n), "\1\2", 2);
    sio_value again = sio_keep(io, sio_member(sio_at(kept, 1), "y"));  // a part of it alone
    sio_drop(kept);
    assert_memory_equal(sio_bytes(again, &n), "\1\2", 2);
    sio_drop(again);
    sio_drop(NULL);
    again = sio_keep(io, a = sio_binary(io, "abc", 3));
    assert_memory_equal(sio_bytes(again, &n), "abc", 3);
    assert_int_equal(n, 3);
    sio_drop(again);
    assert_null(
        sio_bytes(sio_make(io, "{'_placeholder': true, 'num': 0}"), &n));  // one made by hand
    sim_free(io);
}

/* ---- Looking -------------------------------------------------------------------------------- */

static void values_are_looked_at(void **state)
{
    (void)state;
    sio_server *io = begin();
    size_t n;
    sio_value v =
        sio_make(io, "{'n': null, 'f': false, 't': true, 'i': -1, 's': 'a\\u0000b', 'a': [1, 2],"
                     " 'o': {}, 'i': 7, '\xc3\xa9': 8, 'k\"': 9}");
    static const struct {
        const char *key;
        enum sio_type type;
    } members[] = {
        { "n", SIO_NULL },     { "f", SIO_FALSE }, { "t", SIO_TRUE },   { "i", SIO_NUMBER },
        { "s", SIO_STRING },   { "a", SIO_ARRAY }, { "o", SIO_OBJECT }, { "\xc3\xa9", SIO_NUMBER },
        { "k\"", SIO_NUMBER }, { "x", SIO_NULL },
    };
    for (size_t i = 0; i < COUNT(members); i++)
        assert_int_equal(sio_type(sio_member(v, members[i].key)), members[i].type);
    assert_string_equal(json_of(sio_member(v, "i")), "7");  // the last of two
    assert_memory_equal(sio_text(sio_member(v, "s"), &n), "a\0b", 4);
    assert_int_equal(n, 3);
    assert_null(sio_text(sio_member(v, "i"), &n));
    assert_int_equal(sio_count(v), 10);
    assert_int_equal(sio_count(sio_member(v, "a")), 2);
    assert_int_equal(sio_count(sio_member(v, "s")), 0);
    assert_null(sio_at(sio_member(v, "a"), 2));
    assert_null(sio_at(v, 0));
    assert_null(sio_member(sio_member(v, "a"), "x"));
    assert_null(sio_member(v, ""));
    assert_int_equal(sio_type(NULL), SIO_NULL);
    assert_int_equal(sio_count(NULL), 0);
    assert_null(sio_at(NULL, 0));
    assert_null(sio_member(NULL, "a"));
    assert_null(sio_text(NULL, &n));
    assert_null(sio_bytes(NULL, &n));
    assert_memory_equal(sio_json(NULL, &n), "null", 4);
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
    sio_server *io = begin();
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
    sio_server *io = begin();
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

static void scanned_strings_have_a_bound(void **state)
{
    (void)state;
    sio_server *io = begin();
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
    assert_string_equal(json_of(v), "[1]");
    assert_int_equal(sio_scan_value(sio_make(io, "[1, 'x']"), "[%d, %d]", &n, &n), 1);
    sim_free(io);
}

/* ---- Events --------------------------------------------------------------------------------- */

static unsigned ran;

static void on_args(sio_socket *s, sio_event *e)
{
    char a[5];
    int b;
    double c;
    ran++;
    (void)s;
    assert_string_equal(sio_name(e), "args");
    assert_int_equal(sio_argc(e), 12);
    assert_int_equal(sio_scan(e, "%4s, {'k': %d}, [%lf]", a, &b, &c), 3);
    assert_string_equal(a, "text");
    assert_int_equal(b, 2);
    assert_int_equal(sio_scan(e, "%4s, %d", a, &b), 1);
    for (size_t i = 3; i < 12; i++) {
        int n = -1;
        assert_int_equal(sio_scan_value(sio_arg(e, i), "%d", &n), 1);
        assert_int_equal(n, i);
    }
    assert_null(sio_arg(e, 12));
    assert_string_equal(json_of(sio_make(sio_socket_server(s), "[%p]", sio_args(e))),
                        "[\"text\", {\"k\":2} ,[0.5],3,4,5,6,7,8,9, 10,11]");
}

static void on_number(sio_socket *s, sio_event *e)
{
    (void)s;
    ran++;
    assert_string_equal(sio_name(e), "1.5");
    assert_int_equal(sio_argc(e), 0);
}

static void on_escaped(sio_socket *s, sio_event *e)
{
    (void)s;
    ran++;
    assert_string_equal(sio_name(e), "h\xc3\xa9");
}

static const char *replace(sio_socket *s, sio_event *e)
{
    if (strcmp(sio_name(e), "set") != 0)
        return NULL;
    sio_server *io = sio_socket_server(s);
    assert_int_equal(sio_set_arg(e, 0, sio_make(io, "'new'")), 0);
    assert_int_equal(sio_set_arg(e, 2, sio_make(io, "3")), 0);  // one behind the last
    assert_int_equal(sio_set_arg(e, 4, sio_null()), -1);
    assert_int_equal(sio_set_arg(e, 1, NULL), 0);
    return NULL;
}

static void on_set(sio_socket *s, sio_event *e)
{
    ran++;
    assert_int_equal(sio_argc(e), 3);
    assert_string_equal(json_of(sio_make(sio_socket_server(s), "[%p]", sio_args(e))),
                        "[\"new\",null,3]");
}

static void on_refused(sio_socket *s, sio_event *e)
{
    static const char *const reserved[] = { "connect",       "connect_error", "disconnect",
                                            "disconnecting", "newListener",   "removeListener" };
    sio_server *io = sio_socket_server(s);
    ran++;
    for (size_t i = 0; i < COUNT(reserved); i++)
        assert_int_equal(sio_emit(sio_self(s), reserved[i], " "), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_emit(sio_self(s), "x", "%s", "\xff"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_emit(sio_self(s), "\xff", " "), -1);
    assert_int_equal(errno, EINVAL);
    sio_target t = sio_all(sio_ns(s));
    for (int i = 0; i < SIO_TARGET_NAMES; i++)
        t = i % 2 ? sio_except(t, "s") : sio_to(t, "r");
    assert_int_equal(sio_emit(t, "x", " "), 0);
    assert_int_equal(sio_emit(sio_to(t, "r"), "x", " "), -1);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(sio_emit(sio_except(sio_except(t, "r"), "r"), "x", " "), -1);
    assert_int_equal(errno, E2BIG);
    sio_value list = sio_make(io, "[]");
    for (int i = 0; i < 1001; i++)
        list = sio_make(io, "[%p, %p]", sio_spread(io, list),
                        i < 1000 ? sio_binary(io, "x", 1) : NULL);
    assert_int_equal(sio_emit(sio_self(s), "x", "%p, %p", list, sio_binary(io, "y", 1)), -1);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(sio_request(sio_all(sio_ns(s)), NULL, NULL, "x", " "), -1);  // no timeout
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_ack(e, "%s", "\xff"), -1);
    assert_int_equal(sio_ack(e, "1 2"), -1);
    assert_int_equal(sio_ack(e, "1, 2"), 0);  // the right to answer was not lost
}

static void events_hand_over_their_arguments(void **state)
{
    (void)state;
    sio_server *io = begin();
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "args", on_args);
    sio_on(ns, "1.5", on_number);
    sio_on(ns, "h\xc3\xa9", on_escaped);
    sio_use_event(ns, replace);
    sio_on(ns, "set", on_set);
    sio_on(ns, "refused", on_refused);
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_hear(&p);
    sim_say(&p, "42 [\"args\" , \"text\", {\"k\":2} ,[0.5],3,4,5,6,7,8,9, 10,11 ]");
    assert_string_equal(sim_hear(&p), "CLOSE()");  // white space before the payload
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40|42[ \"args\" , \"text\", {\"k\":2} ,[0.5],3,4,5,6,7,8,9, 10,11 ] \n");
    sim_say(&p, "42[1.5]|42[\"h\\u00e9\"]|42[\"set\",1,2]|427[\"refused\"]");
    assert_int_equal(ran, 5);
    sim_hear(&p);
    assert_string_equal(sim_hear_all(&p), "437[1,2]");
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_become_json_or_nothing),
        cmocka_unit_test(random_templates_never_make_what_is_no_json),
        cmocka_unit_test(conversions_are_printfs),
        cmocka_unit_test(arrays_are_spread),
        cmocka_unit_test(bytes_travel_with_values),
        cmocka_unit_test(values_are_looked_at),
        cmocka_unit_test(scans_store_what_fits),
        cmocka_unit_test(scans_know_their_lengths),
        cmocka_unit_test(scanned_strings_have_a_bound),
        cmocka_unit_test(events_hand_over_their_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
