/* sim_sio_template_safe.c - what is wrong with a template is refused and told; booleans, optional
 * members, values that grow
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

/* Templates that a compiler can't check. */
static int (*const emit)(sio_target t, const char *event, const char *format, ...) = sio_emit;
static int (*const add)(sio_value array, const char *format, ...) = sio_push;
static int (*const scan)(sio_value v, const char *format, ...) = sio_scan_value;

/* ---- What is wrong is heard ------------------------------------------------------------------ */

static const struct {
    const char *template, *line;
} mistakes[] = {
    { "{ok: true}", "template wrong: a member without a name, at 'ok: true}' (event hi)" },
    { "{'a': nope}", "template wrong: no JSON, at 'nope}' (event hi)" },
    { "1 2", "template wrong: no comma between two values, at '2' (event hi)" },
    { "'a' 'b'", "template wrong: no comma between two values, at ''b'' (event hi)" },
    { "[1", "template wrong: a bracket that is not closed, at '' (event hi)" },
    { "1,", "template wrong: a comma without a value behind it, at '' (event hi)" },
    { ", 1", "template wrong: a comma without a value before it, at ', 1' (event hi)" },
    { "{'a': }", "template wrong: a value is missing, at '}' (event hi)" },
    { "]", "template wrong: a bracket that closes none of its kind, at ']' (event hi)" },
    { "'a", "template wrong: a quote that does not end, at ''a' (event hi)" },
    { "'\\x'", "template wrong: no escape of JSON, at ''\\x'' (event hi)" },
    { "{'a' 1}", "template wrong: a name without a colon, at ''a' 1}' (event hi)" },
    { "%c", "template wrong: no conversion of ours, or not in this place, at '%c' (event hi)" },
    { "%x", "template wrong: no conversion of ours, or not in this place, at '%x' (event hi)" },
    { "%e", "template wrong: no conversion of ours, or not in this place, at '%e' (event hi)" },
    { "%10s", "template wrong: no conversion of ours, or not in this place, at '%10s' (event hi)" },
    { "%-3d", "template wrong: no conversion of ours, or not in this place, at '%-3d' (event hi)" },
    { "%%", "template wrong: %% stands inside quotes alone, at '%%' (event hi)" },
    { "!%d", "template wrong: !! stands before %d alone, at '!%d' (event hi)" },
    { "!!'a'", "template wrong: !! stands before %d alone, at '!!'a'' (event hi)" },
    { "!!%s", "template wrong: !! stands before %d alone, at '!!%s' (event hi)" },
};

/* Nothing is sent, errno is EINVAL, and one line says which event and where. */
static void mistakes_are_told(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        sim.logged = 0;
        errno = 0;
        int result = emit(sio_all(sio_of(io, "/")), "hi", mistakes[i].template, 1);
        sim_run_ms(io, 2000);  // ten lines of a kind in a second
        if (result != -1 || errno != EINVAL || sim.logged != 1)
            fail_msg("%s: %d, %d, %lu lines", mistakes[i].template, result, errno, sim.logged);
        if (strcmp(sim.log, mistakes[i].line) != 0)
            fail_msg("%s: %s", mistakes[i].template, sim.log);
    }
    sim_free(io);
}

static const char *told(sio_server *io, int result)
{
    assert_int_equal(result, -1);
    sim_run_ms(io, 2000);
    return sim.log;
}

static void on_nothing(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error, (void)answer;
}

static void arguments_are_looked_at(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_namespace *ns = sio_of(io, "/");
    const char *volatile none = NULL;
    void *text = (void *)(uintptr_t) "hello";
    assert_non_null(
        strstr(told(io, emit(sio_all(ns), "a", "%s", none)), "%s was given NULL, at '%s' (event a)"));
    assert_non_null(strstr(told(io, sio_emit(sio_all(ns), "b", "[%s]", "\xff")),
                           "template wrong: text that is not UTF-8, at '%s]' (event b)"));
    assert_non_null(strstr(told(io, sio_emit(sio_all(ns), "\xff", "")), "not UTF-8"));
    assert_non_null(strstr(told(io, sio_emit(sio_all(ns), "c", "1, %p", text)),
                           "template wrong: %p was given what is no sio_value, at '%p' (event c)"));
    text = (void *)(uintptr_t) "";
    assert_non_null(strstr(told(io, sio_emit(sio_all(ns), "d", "%p", text)), "event d"));
    assert_non_null(
        strstr(told(io, sio_emit(sio_all(ns), "connect", "")), "event connect: its name is one"));
    sio_target t = sio_all(ns);
    for (int i = 0; i <= SIO_TARGET_NAMES; i++)
        t = sio_to(t, "room");
    assert_non_null(strstr(told(io, sio_emit(t, "e", "")), "event e: more than 5 rooms by name"));
    assert_int_equal(sio_request(sio_all(ns), on_nothing, NULL, "q", ""), -1);
    assert_int_equal(errno, EINVAL);
    sim_run_ms(io, 2000);
    assert_string_equal(sim.log, "event q: it asks several sockets without end (use sio_timeout)");
    const sio_target nobody[] = { sio_all(NULL),
                                  sio_self(NULL),
                                  sio_broadcast(NULL),
                                  sio_to(sio_all(ns), NULL),
                                  sio_except(sio_all(ns), NULL),
                                  sio_to(sio_to(sio_all(ns), NULL), "a"),
                                  sio_to_list(sio_all(ns), NULL, 1),
                                  sio_except_list(sio_all(ns), NULL, 1) };
    for (size_t i = 0; i < COUNT(nobody); i++) {
        errno = 0;
        assert_int_equal(sio_emit(nobody[i], "f", ""), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(sio_disconnect_sockets(nobody[i], true), -1);
    }
    assert_int_equal(sio_emit(sio_all(NULL), "f", ""), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_emit(sio_all(ns), NULL, ""), -1);
    assert_int_equal(sio_request(sio_timeout(sio_all(ns), 5), NULL, NULL, "q", ""), -1);
    assert_null(sio_make(io, "1, 2"));
    sim_run_ms(io, 2000);
    assert_string_equal(sim.log, "template wrong: not one value, at '' (sio_make)");
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
    for (int i = 0; i < 300000; i++) {
        char text[200] = "";
        char *out[ROOM];
        for (size_t k = 0; k < ROOM; k++)
            out[k] = malloc(8);
        for (size_t n = sim_random() % ROOM; n > 0; n--)
            strcat(text, pieces[sim_random() % COUNT(pieces)]);
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

/* ---- Values that grow --------------------------------------------------------------------------- */

static void arrays_and_objects_grow(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_value list = sio_array(io), object = sio_object(io), first = NULL;
    assert_string_equal(sim_json(list), "[]");
    assert_string_equal(sim_json(object), "{}");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(sio_push(list, "{'n': %d}, %s", i, "x"), 0);
        if (i == 0)
            first = sio_at(list, 0);
    }
    assert_int_equal(sio_push(list, ""), 0);  // no values
    assert_int_equal(sio_count(list), 2000);
    assert_string_equal(sim_json(first), "{\"n\":0}");
    assert_string_equal(sim_json(sio_at(list, 1998)), "{\"n\":999}");
    assert_int_equal(sio_set_member(object, "a\"b", "[%d]", 1), 0);
    assert_int_equal(sio_set_member(object, "list", "%p", sio_at(list, 1)), 0);
    assert_string_equal(sim_json(object), "{\"a\\\"b\":[1],\"list\":\"x\"}");
    assert_int_equal(sio_push(list, "%p", list), 0);
    assert_int_equal(sio_count(list), 2001);
    sim_free(io);
}

static void what_does_not_grow_says_so(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_value list = sio_array(io), object = sio_object(io);
    assert_int_equal(sio_push(object, "1"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_set_member(list, "a", "1"), -1);
    assert_int_equal(sio_push(sio_make(io, "[1]"), "2"), -1);
    assert_int_equal(sio_push(NULL, "2"), -1);
    assert_int_equal(sio_set_member(object, NULL, "1"), -1);
    assert_int_equal(sio_set_member(object, "a", ""), -1);
    assert_int_equal(sio_set_member(object, "a", "1, 2"), -1);
    assert_int_equal(sio_set_member(object, "\xff", "1"), -1);
    assert_int_equal(add(list, "oops"), -1);
    assert_string_equal(sim_json(list), "[]");
    assert_string_equal(sim_json(object), "{}");
    sio_value kept = sio_keep(io, list);
    assert_int_equal(sio_push(kept, "1"), -1);  // a copy, as it is
    sio_drop(kept);
    sio_drop(list);  // was not kept: nothing happens
    assert_string_equal(sim_json(list), "[]");
    sim_free(io);
}

static void attachments_grow_along(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_value list = sio_array(io);
    for (int i = 0; i < 20; i++) {
        char byte = (char)('a' + i);
        static char bytes[20];
        char *p = &bytes[i];
        *p = byte;
        assert_int_equal(sio_push(list, "%p", sio_binary(io, p, 1)), 0);
    }
    for (size_t i = 0; i < 20; i++) {
        size_t n;
        const char *p = sio_bytes(sio_at(list, i), &n);
        assert_int_equal(n, 1);
        assert_int_equal(*p, 'a' + (int)i);
    }
    sim_free(io);
}

/* B17: what a client makes up can't stand for another's attachment, or for none. Alone it is an object. */
static void what_looks_like_an_attachment_is_refused_beside_some(void **state)
{
    static const char *const fakes[] = { "{\"_placeholder\":true,\"num\":0}",
                                         "[1,{\"num\":9,\"_placeholder\" : true}]",
                                         "{\"\\u005fplaceholder\":true}",
                                         "{\"x\":[{}],\"_placeholder\":true,\"num\":0}" };
    static const char *const others[] = { "{\"_placeholder\":1}", "[\"_placeholder\",true]",
                                          "{\"placeholder\":true}",
                                          "\"\\\"_placeholder\\\":true\"" };
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_target all = sio_all(sio_of(io, "/"));
    sio_value bytes = sio_binary(io, "b", 1);
    for (size_t i = 0; i < COUNT(fakes); i++) {
        sio_value fake = sio_parse(io, fakes[i], strlen(fakes[i]));
        sio_value other = sio_parse(io, others[i], strlen(others[i]));
        sio_value list = sio_array(io), object = sio_object(io);
        assert_int_equal(sio_emit(all, "e", "%p", fake), 0);
        assert_int_equal(sio_emit(all, "e", "%p, %p, %p", other, bytes, other), 0);
        errno = 0;
        assert_int_equal(sio_emit(all, "e", "%p, %p", fake, bytes), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(sio_emit(all, "e", "{'b': [%p, %p]}", bytes, fake), -1);
        assert_null(sio_make(io, "[%p, %p]", fake, bytes));
        assert_int_equal(sio_push(list, "%p", other), 0);
        assert_int_equal(sio_push(list, "%p, %p", other, bytes), 0);
        assert_int_equal(sio_push(list, "%p", fake), -1);
        assert_int_equal(sio_push(list, "%p", bytes), 0);
        assert_int_equal(sio_count(list), 4);
        assert_int_equal(sio_set_member(object, "f", "%p", fake), 0);
        assert_int_equal(sio_set_member(object, "b", "%p", bytes), -1);
        assert_int_equal(sio_set_member(object, "l", "%p", list), -1);
        assert_int_equal(sio_emit(all, "e", "%p, %p", list, object), -1);
        assert_int_equal(sio_emit(all, "e", "%p, %p", list, list), 0);
    }
    sim_run_ms(io, 0);
    assert_non_null(strstr(sim.log, "looks like an attachment"));
    sim_free(io);
}

static void json_text_becomes_a_value(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    char row[] = " {\"a\": [1, true]} ";
    sio_value v = sio_parse(io, row, sizeof row - 1);
    memset(row, 'x', sizeof row);
    assert_string_equal(sim_json(sio_member(v, "a")), "[1, true]");
    assert_null(sio_parse(io, "{a: 1}", 6));
    assert_int_equal(errno, EINVAL);
    assert_null(sio_parse(io, "1 2", 3));
    assert_null(sio_parse(io, "", 0));
    assert_null(sio_parse(io, NULL, 0));
    assert_null(sio_parse(io, "\"\xff\"", 3));
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(arguments_are_looked_at),
        cmocka_unit_test(booleans_have_a_form),
        cmocka_unit_test(scans_say_why_they_stop),
        cmocka_unit_test(arrays_and_objects_grow),
        cmocka_unit_test(what_does_not_grow_says_so),
        cmocka_unit_test(attachments_grow_along),
        cmocka_unit_test(json_text_becomes_a_value),
        cmocka_unit_test(what_looks_like_an_attachment_is_refused_beside_some),
        cmocka_unit_test(scans_leave_what_is_too_large),
        cmocka_unit_test(scans_say_that_memory_is_short),
        cmocka_unit_test(random_scans_keep_to_their_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
