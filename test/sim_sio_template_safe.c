/* sim_sio_template_safe.c - what is wrong with a template is refused and told; values that grow
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

/* Templates that a compiler can't check. */
static int (*const emit)(sio_target t, const char *event, const char *format, ...) = sio_emit;
static int (*const add)(sio_value array, const char *format, ...) = sio_push;

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
    assert_non_null(strstr(told(io, emit(sio_all(ns), "a", "%s", none)),
                           "%s was given NULL, at '%s' (event a)"));
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
        cmocka_unit_test(arrays_and_objects_grow),
        cmocka_unit_test(what_does_not_grow_says_so),
        cmocka_unit_test(attachments_grow_along),
        cmocka_unit_test(json_text_becomes_a_value),
        cmocka_unit_test(what_looks_like_an_attachment_is_refused_beside_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
