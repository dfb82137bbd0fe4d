/* sim_sio_room.c - rooms, targets, and those who change while they are walked
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static sio_server *io;
static sio_namespace *ns;
static int seen;

static void begin(const sio_options *options)
{
    io = sim_new(options);
    assert_non_null(io);
    ns = sio_of(io, "/");
    seen = 0;
}

/* Joins "/", and returns the socket, which lives until somebody leaves. */
static sio_socket *arrive(sim_peer *p)
{
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, "40");
    sim_hear_all(p);
    return sio_socket_by_id(ns, p->id);
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

/* The room is looked for in the shorter list: once in the socket's, once in the room's. */
static void a_room_is_found_from_both_sides(void **state)
{
    enum { ROOMS = 20 };
    sim_peer p[3];
    sio_socket *s[3];
    char name[20];
    (void)state;
    begin(NULL);
    for (int i = 0; i < 3; i++) {
        s[i] = arrive(&p[i]);
        assert_int_equal(sio_join(s[i], "all"), 0);
    }
    for (int i = 0; i < ROOMS; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(sio_join(s[0], name), 0);
        assert_int_equal(sio_join(s[0], name), 0);
        assert_int_equal(sio_room_size(ns, name), 1);
        assert_true(sio_in_room(s[0], name));
        assert_false(sio_in_room(s[1], name));
    }
    for (int i = 0; i < 3; i++) {
        assert_true(sio_in_room(s[i], "all"));
        assert_false(sio_in_room(s[i], "none"));
        assert_int_equal(sio_join(s[i], "all"), 0);
    }
    sio_leave(s[1], "7");
    assert_int_equal(sio_room_size(ns, "7"), 1);
    sio_leave(s[0], "7");
    assert_int_equal(sio_room_size(ns, "7"), 0);
    sio_leave(s[0], "all");
    assert_false(sio_in_room(s[0], "all"));
    assert_int_equal(sio_room_size(ns, "all"), 2);
    assert_int_equal(sio_get_stats(io)->rooms, ROOMS);
    sim_free(io);
}

static void rooms_of_a_socket_have_a_limit(void **state)
{
    sim_peer p;
    (void)state;
    begin(&(sio_options){ .max_rooms = 2 });
    sio_socket *s = arrive(&p);
    assert_int_equal(sio_join(s, "a"), 0);
    assert_int_equal(sio_join(s, "b"), 0);
    errno = 0;
    assert_int_equal(sio_join(s, "c"), -1);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(sio_join(s, "a"), 0);  // it is in there
    sio_leave(s, "a");
    assert_int_equal(sio_join(s, "c"), 0);
    assert_int_equal(sio_get_stats(io)->rooms, 2);
    sim_free(io);
}

/* The name goes with the room. */
static void a_name_that_is_lent_may_be_left(void **state)
{
    sim_peer a, b;
    (void)state;
    begin(NULL);
    sio_socket *s = arrive(&a), *other = arrive(&b);
    sio_join(s, "game 7");
    assert_int_equal(sio_sockets_leave(sio_all(ns), sio_room(s, 0)), 0);
    assert_null(sio_room(s, 0));
    sio_join(s, "game 8");
    sio_join(other, "game 8");
    assert_int_equal(sio_sockets_leave(sio_to(sio_all(ns), sio_room(s, 0)), sio_room(s, 0)), 0);
    assert_int_equal(sio_get_stats(io)->rooms, 0);
    sim_free(io);
}

static void leave_room(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_leave(s, "r");
    seen++;
}

/* So it is when listeners leave it, and the event is logged by that name. */
static void listeners_may_leave_the_room_that_is_sent_to(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_recover(io, NULL);
    sio_on_any_outgoing(ns, leave_room);
    sio_socket *s = arrive(&a);
    sio_join(s, "r");
    const char *lent = sio_room(s, 0);
    assert_int_equal(sio_emit(sio_to_list(sio_all(ns), &lent, 1), "e", "1"), 0);
    assert_int_equal(seen, 1);
    assert_true(sim_hears(&a, "42['e',1,'*']"));
    sim_free(io);
}

/* ---- Searches ------------------------------------------------------------------------------- */

/* Nobody has the mark of 2^32 searches ago. */
static void marks_are_not_used_twice(void **state)
{
    sim_peer a, b;
    (void)state;
    begin(NULL);
    arrive(&a);
    io->mark = UINT32_MAX;
    sio_emit(sio_all(ns), "e", "1");  // the first search
    assert_true(sim_hears(&a, "42['e',1]"));
    arrive(&b);
    io->mark = UINT32_MAX;  // as after all the others
    for (int i = 0; i < 3; i++)
        sio_emit(sio_all(ns), "e", "%d", i);
    assert_true(sim_hears(&a, "42['e',0]|42['e',1]|42['e',2]"));
    assert_true(sim_hears(&b, "42['e',0]|42['e',1]|42['e',2]"));
    sim_free(io);
}

/* ---- Walks ---------------------------------------------------------------------------------- */

static void disconnect_everybody(sio_socket *s, void *data)
{
    (void)data;
    assert_true(sio_connected(s));
    seen++;
    sio_disconnect_sockets(sio_all(sio_ns(s)), true);
}

static void sockets_that_left_are_not_visited(void **state)
{
    sim_peer p[3];
    (void)state;
    begin(NULL);
    for (int i = 0; i < 3; i++)
        arrive(&p[i]);
    assert_int_equal(sio_each(sio_all(ns), disconnect_everybody, NULL), 0);
    assert_int_equal(seen, 1);
    sim_free(io);
}

static void disconnect_outgoing(sio_socket *s, sio_event *e)
{
    (void)e;
    assert_true(sio_connected(s));
    seen++;
    sio_disconnect_sockets(sio_all(sio_ns(s)), false);
}

static void listeners_are_not_called_for_those_who_left(void **state)
{
    sim_peer p[3];
    (void)state;
    begin(NULL);
    sio_on_any_outgoing(ns, disconnect_outgoing);
    sio_on_any_outgoing(ns, disconnect_outgoing);
    for (int i = 0; i < 3; i++)
        arrive(&p[i]);
    sio_emit(sio_all(ns), "e", "");
    assert_int_equal(seen, 1);
    sim_free(io);
}

/* ---- Families ------------------------------------------------------------------------------- */

enum { MEMBERS = 30 };

static bool accept_member(const char *name, sio_event *auth)
{
    (void)auth;
    return name[1] == 'f';
}

/* Makes so many namespaces that the table of all of them grows. */
static void make_namespaces(sio_socket *s, sio_event *e)
{
    static int made;
    char name[30];
    (void)s, (void)e;
    seen++;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "/n%d", made++);
        assert_non_null(sio_of(io, name));
    }
}

static void visit_and_make(sio_socket *s, void *data)
{
    (void)data;
    make_namespaces(s, NULL);
}

/* A client in so many members of a family. */
static sio_namespace *begin_family(sim_peer *p)
{
    begin(&(sio_options){ .max_namespaces = 1000, .cleanup_empty_namespaces = true });
    sio_namespace *family = sio_family(io, accept_member);
    sim_open(io, p, SIM_WS, NULL);
    for (int i = 0; i < MEMBERS; i++) {
        char text[30];
        snprintf(text, sizeof text, "40/f%d,", i);
        sim_say(p, text);
    }
    sim_hear_all(p);
    return family;
}

static int count_heard(sim_peer *p)
{
    int n = 0;
    sim_run_ms(io, 0);
    while (*sim_hear(p) != '\0')
        n++;
    return n;
}

static void an_event_reaches_all_of_a_family_that_grows(void **state)
{
    sim_peer p;
    (void)state;
    sio_namespace *family = begin_family(&p);
    sio_on_any_outgoing(family, make_namespaces);
    assert_int_equal(sio_emit(sio_all(family), "e", "%s, %d", "text", 7), 0);
    assert_int_equal(seen, MEMBERS);
    assert_int_equal(count_heard(&p), MEMBERS);
    sim_free(io);
}

static void a_visit_reaches_all_of_a_family_that_grows(void **state)
{
    sim_peer p;
    (void)state;
    sio_namespace *family = begin_family(&p);
    assert_int_equal(sio_each(sio_all(family), visit_and_make, NULL), 0);
    assert_int_equal(seen, MEMBERS);
    sim_free(io);
}

/* Members whose last socket leaves go; the walk has passed them, or comes to them. */
static void a_family_may_shrink_while_it_is_walked(void **state)
{
    sim_peer p;
    (void)state;
    sio_namespace *family = begin_family(&p);
    sio_on_any_outgoing(family, disconnect_outgoing);
    assert_int_equal(sio_emit(sio_all(family), "e", ""), 0);
    assert_int_equal(seen, MEMBERS);
    assert_int_equal(sio_disconnect_sockets(sio_all(family), true), 0);
    sim_run_ms(io, 0);
    assert_null(sio_find(io, "/f7"));
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_is_found_from_both_sides),
        cmocka_unit_test(rooms_of_a_socket_have_a_limit),
        cmocka_unit_test(a_name_that_is_lent_may_be_left),
        cmocka_unit_test(listeners_may_leave_the_room_that_is_sent_to),
        cmocka_unit_test(marks_are_not_used_twice),
        cmocka_unit_test(sockets_that_left_are_not_visited),
        cmocka_unit_test(listeners_are_not_called_for_those_who_left),
        cmocka_unit_test(an_event_reaches_all_of_a_family_that_grows),
        cmocka_unit_test(a_visit_reaches_all_of_a_family_that_grows),
        cmocka_unit_test(a_family_may_shrink_while_it_is_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
