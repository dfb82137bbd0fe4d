/* sim_sio_value.c - values, and the arguments of events
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

/* ---- Arrays ---------------------------------------------------------------------------------- */

static void arrays_are_spread(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_value two = sio_make(io, "[1, 2]"), none = sio_make(io, "[]"), object = sio_make(io, "{}");
    assert_string_equal(sim_json(sio_make(io, "[%p]", sio_spread(io, two))), "[1,2]");
    assert_string_equal(sim_json(sio_make(io, "[0, %p, 3]", sio_spread(io, two))), "[0,1,2,3]");
    assert_string_equal(sim_json(sio_make(io, "[%p, 3]", sio_spread(io, none))), "[3]");
    assert_string_equal(sim_json(sio_make(io, "[3, %p]", sio_spread(io, none))), "[3]");
    assert_string_equal(sim_json(sio_make(io, "[3, %p, 4]", sio_spread(io, none))), "[3,4]");
    assert_string_equal(sim_json(sio_make(io, "[%p]", sio_spread(io, none))), "[]");
    assert_string_equal(
        sim_json(sio_make(io, "[%p, %p]", sio_spread(io, none), sio_spread(io, none))), "[]");
    assert_string_equal(
        sim_json(sio_make(io, "[%p, %p]", sio_spread(io, two), sio_spread(io, two))), "[1,2,1,2]");
    assert_null(sio_make(io, "{'a': %p}", sio_spread(io, two)));
    assert_null(sio_make(io, "%p", sio_spread(io, two)));  // two values
    assert_null(sio_spread(io, object));
    assert_null(sio_spread(io, NULL));
    assert_int_equal(sio_count(sio_spread(io, two)), 2);
    assert_string_equal(sim_json(sio_at(sio_spread(io, two), 1)), "2");
    sio_value again = sio_spread(io, sio_spread(io, two));  // as sio_args is
    assert_string_equal(sim_json(sio_make(io, "[0, %p]", again)), "[0,1,2]");
    assert_string_equal(sim_json(sio_make(io, "[%p]", sio_spread(io, sio_spread(io, none)))), "[]");
    int a, b;
    assert_int_equal(sio_scan_value(sio_spread(io, sio_make(io, "[12, 34]")), "[%d, %d]", &a, &b),
                     2);
    assert_int_equal(a, 12);
    assert_int_equal(b, 34);
    sim_free(io);
}

/* ---- Attachments ---------------------------------------------------------------------------- */

static void bytes_travel_with_values(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
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
    assert_string_equal(sim_json(w),
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
    sio_server *io = sim_new(NULL);
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
    assert_string_equal(sim_json(sio_member(v, "i")), "7");  // the last of two
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
    assert_string_equal(sim_json(sio_make(sio_socket_server(s), "[%p]", sio_args(e))),
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

static char seen[64];
static unsigned admins;

static const char *see(sio_socket *s, sio_event *e)
{
    (void)s;
    snprintf(seen, sizeof seen, "%s", sio_name(e));
    return NULL;
}

static void on_admin(sio_socket *s, sio_event *e)
{
    (void)s;
    assert_string_equal(sio_name(e), seen);
    admins++;
}

/* Middlewares see the name by which handlers are found, also where it is none in C. */
static void names_are_the_same_for_everybody(void **state)
{
    static const struct {
        const char *json, *name;
        unsigned admins;
    } names[] = {
        { "\"ad\"", "ad", 1 },
        { "\"a\\u0064\"", "ad", 1 },
        { "\"ad\\u0000\"", "ad\xef\xbf\xbd", 0 },
        { "\"ad\\u0000min\"", "ad\xef\xbf\xbdmin", 0 },
        { "\"\\u0000ad\\u0000\\u0000\"",
          "\xef\xbf\xbd"
          "ad\xef\xbf\xbd\xef\xbf\xbd",
          0 },
        { "\"\\u0000\"", "\xef\xbf\xbd", 1 },
        { "\"\\ud800\"", "\xef\xbf\xbd", 1 },
        { "\"\xef\xbf\xbd\"", "\xef\xbf\xbd", 1 },
        { "7", "7", 1 },
        { "\"\"", "", 0 },
    };
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_namespace *ns = sio_of(io, "/");
    sio_use_event(ns, see);
    sio_on(ns, "ad", on_admin);
    sio_on(ns, "7", on_admin);
    sio_on(ns, "\xef\xbf\xbd", on_admin);
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_hear(&p);
    for (size_t i = 0; i < COUNT(names); i++) {
        char packet[64];
        admins = 0;
        snprintf(packet, sizeof packet, "42[%s]", names[i].json);
        sim_say(&p, packet);
        sim_run_ms(io, 0);
        assert_string_equal(seen, names[i].name);
        assert_int_equal(admins, names[i].admins);
    }
    sim_free(io);
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
    assert_string_equal(sim_json(sio_make(sio_socket_server(s), "[%p]", sio_args(e))),
                        "[\"new\",null,3]");
}

static void on_refused(sio_socket *s, sio_event *e)
{
    static const char *const reserved[] = { "connect",       "connect_error", "disconnect",
                                            "disconnecting", "newListener",   "removeListener" };
    sio_server *io = sio_socket_server(s);
    ran++;
    for (size_t i = 0; i < COUNT(reserved); i++)
        assert_int_equal(sio_emit(sio_self(s), reserved[i], ""), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_emit(sio_self(s), "x", "%s", "\xff"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_emit(sio_self(s), "\xff", ""), -1);
    assert_int_equal(errno, EINVAL);
    sio_target t = sio_all(sio_ns(s));
    for (int i = 0; i < SIO_TARGET_NAMES; i++)
        t = i % 2 ? sio_except(t, "s") : sio_to(t, "r");
    assert_int_equal(sio_emit(t, "x", ""), 0);
    assert_int_equal(sio_emit(sio_to(t, "r"), "x", ""), -1);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(sio_emit(sio_except(sio_except(t, "r"), "r"), "x", ""), -1);
    assert_int_equal(errno, E2BIG);
    sio_value list = sio_make(io, "[]");
    for (int i = 0; i < 1001; i++)
        list = sio_make(io, "[%p, %p]", sio_spread(io, list),
                        i < 1000 ? sio_binary(io, "x", 1) : NULL);
    assert_int_equal(sio_emit(sio_self(s), "x", "%p, %p", list, sio_binary(io, "y", 1)), -1);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(sio_request(sio_all(sio_ns(s)), NULL, NULL, "x", ""), -1);  // no timeout
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_ack(e, "%s", "\xff"), -1);
    assert_int_equal(sio_ack(e, "1 2"), -1);
    assert_int_equal(sio_ack(e, "1, 2"), 0);  // the right to answer was not lost
}

static void events_hand_over_their_arguments(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
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
        cmocka_unit_test(arrays_are_spread),
        cmocka_unit_test(bytes_travel_with_values),
        cmocka_unit_test(values_are_looked_at),
        cmocka_unit_test(names_are_the_same_for_everybody),
        cmocka_unit_test(events_hand_over_their_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
