/* sim_sio_namespace_handlers.c - handlers that come, go, run once, know what they were set with
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static char order[64];
static sio_namespace *ns;

static sio_server *begin(sim_peer *p)
{
    sio_server *io = sim_new(NULL);
    order[0] = '\0';
    ns = sio_of(io, "/");
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, "40");
    sim_run_ms(io, 0);
    sim_hear_all(p);
    return io;
}

/* Says events, and returns what their handlers noted. */
static const char *say(sim_peer *p, const char *packets)
{
    order[0] = '\0';
    sim_say(p, packets);
    sim_run_ms(p->io, 0);
    return order;
}

static void note(sio_socket *socket, sio_event *event)
{
    (void)socket;
    strcat(order, sio_handler_data(event) == NULL ? "-" : sio_handler_data(event));
}

static void handlers_know_what_they_were_set_with(void **state)
{
    static char a[] = "a", b[] = "b";
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    assert_int_equal(sio_on(ns, "e", note), 0);
    assert_int_equal(sio_on(ns, "e", note, a), 0);
    assert_int_equal(sio_on(ns, "e", note, b), 0);
    assert_string_equal(say(&p, "42[\"e\"]"), "-ab");
    sio_off(ns, "e", note, a);
    assert_string_equal(say(&p, "42[\"e\"]"), "-b");
    sio_off(ns, "e", note);  // those without data
    assert_string_equal(say(&p, "42[\"e\"]"), "b");
    assert_int_equal(sio_off(ns, "other", NULL), 0);
    assert_int_equal(sio_off(ns, "e", note), 0);
    assert_int_equal(sio_off(ns, "e", NULL), 1);
    assert_string_equal(say(&p, "42[\"e\"]"), "");
    sio_on_any(ns, note, a);
    sio_on_any_outgoing(ns, note, b);
    assert_string_equal(say(&p, "42[\"e\"]"), "a");
    sio_emit(sio_all(ns), "out", "");
    assert_string_equal(order, "ab");
    sio_off_any(ns, note, a);
    assert_string_equal(say(&p, "42[\"e\"]"), "");
    sio_emit(sio_all(ns), "out", "");
    assert_string_equal(order, "b");
    sim_free(io);
}

/* ---- Lists that change while they run --------------------------------------------------------- */

static void change(sio_socket *socket, sio_event *event)
{
    static char late[] = "l";
    note(socket, event);
    sio_off(ns, "e", change, sio_handler_data(event));  // itself
    sio_off(ns, "e", note, NULL);                       // one that was to run
    sio_on(ns, "e", note, late);                        // runs for the next one
}

static void lists_may_change_while_they_run(void **state)
{
    static char one[] = "1", two[] = "2";
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_on(ns, "e", note, one);
    sio_on(ns, "e", change, two);
    sio_on(ns, "e", note);
    assert_string_equal(say(&p, "42[\"e\"]"), "12");
    assert_string_equal(say(&p, "42[\"e\"]"), "1l");
    for (int i = 0; i < 1000; i++) {
        sio_on(ns, "e", note, two);
        sio_off(ns, "e", note, two);
    }
    assert_string_equal(say(&p, "42[\"e\"]"), "1l");
    sim_free(io);
}

/* As a program does that sets its handlers in "connection". */
static void a_handler_is_set_once(void **state)
{
    static char a[] = "a";
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sio_on(ns, "e", note), 0);
        assert_int_equal(sio_on(ns, "e", note, a), 0);
    }
    assert_string_equal(say(&p, "42[\"e\"]"), "-a");
    assert_int_equal(sio_off(ns, "e", note), 1);
    assert_int_equal(sio_on(ns, "e", note), 0);
    assert_string_equal(say(&p, "42[\"e\"]"), "a-");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sio_on_any(ns, note), 0);
        assert_int_equal(sio_on_any(ns, note, a), 0);
        assert_int_equal(sio_on_any_outgoing(ns, note), 0);
    }
    assert_string_equal(say(&p, "42[\"none\"]"), "-a");
    sio_emit(sio_all(ns), "out", "");
    assert_string_equal(order, "-a-");
    assert_int_equal(sio_off_any(ns, note), 2);
    sim_free(io);
}

static void once_is_once(void **state)
{
    static char o[] = "o";
    sim_peer p, q;
    (void)state;
    sio_server *io = begin(&p);
    sio_once(ns, "e", note, o);
    sio_once(ns, "e", note);
    assert_string_equal(say(&p, "42[\"e\"]|42[\"e\"]"), "o-");
    sio_once(ns, "connection", note, o);
    order[0] = '\0';
    for (int i = 0; i < 2; i++) {
        sim_open(io, &q, SIM_WS, NULL);
        say(&q, "40");
        assert_string_equal(order, i == 0 ? "o" : "");
    }
    sio_once(ns, "e", note);
    sio_off(ns, "e", note);
    assert_string_equal(say(&p, "42[\"e\"]"), "");
    sim_free(io);
}

static void set_again(sio_socket *socket, sio_event *event)
{
    note(socket, event);
    if (strlen(order) < 10)
        sio_once(ns, "e", set_again);
}

static void take_and_set_again(sio_socket *socket, sio_event *event)
{
    note(socket, event);
    sio_off(ns, "e", take_and_set_again, sio_handler_data(event));
    if (strlen(order) < 10)
        sio_on(ns, "e", take_and_set_again, sio_handler_data(event));
}

/* It is for the next event, not for this one again. */
static void a_handler_may_set_itself_again(void **state)
{
    static char a[] = "a";
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_once(ns, "e", set_again);
    sio_on(ns, "e", take_and_set_again, a);
    assert_string_equal(say(&p, "42[\"e\"]"), "-a");
    assert_string_equal(say(&p, "42[\"e\"]|42[\"e\"]"), "-a-a");
    sim_free(io);
}

/* As programs have that wait for each answer under a name of its own. */
static void names_go_with_their_handlers(void **state)
{
    char name[20], packet[40];
    size_t bytes = 0;
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "reply%d", i);
        snprintf(packet, sizeof packet, "42[\"%s\"]", name);
        if (i % 2 == 0)
            sio_once(ns, name, note);
        else
            sio_on(ns, name, note);
        assert_string_equal(say(&p, packet), "-");
        assert_int_equal(sio_off(ns, name, NULL), i % 2);
        bytes = i == 10 ? sim.bytes : bytes;
    }
    assert_int_equal(sim.bytes, bytes);
    sim_free(io);
}

/* ---- Middlewares ------------------------------------------------------------------------------- */

static const char *rename_it(sio_socket *socket, sio_event *event)
{
    (void)socket;
    assert_int_equal(sio_set_name(event, NULL), -1);
    return sio_set_name(event, sio_handler_data(event)) == 0 ? NULL : "no";
}

static void tell_name(sio_socket *socket, sio_event *event)
{
    assert_ptr_equal(sio_event_socket(event), socket);
    strcat(order, sio_name(event));
    int n = 0;
    assert_int_equal(sio_scan(event, "%d", &n), 1);
    assert_int_equal(n, 7);
}

static void middlewares_may_rename_events(void **state)
{
    static char name[] = "chat:new";
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_use_event(ns, rename_it, name);
    sio_on(ns, "e", note);
    sio_on(ns, "chat:new", tell_name);
    assert_string_equal(say(&p, "42[\"e\",7]"), "chat:new");
    sim_free(io);
}

static const char *rename_as_asked(sio_socket *socket, sio_event *event)
{
    char name[20];
    (void)socket;
    if (sio_scan(event, "%19s", name) == 1)
        assert_int_equal(sio_set_name(event, name), 0);
    memset(name, 'x', sizeof name);  // it was copied
    return NULL;
}

static void fail_if_called(sio_socket *socket, sio_event *event)
{
    (void)socket;
    fail_msg("called for %s", sio_name(event));
}

/* Nobody makes the library's own events happen by a name. */
static void own_events_are_not_to_be_had_by_name(void **state)
{
    static const char *const own[] = { "connection", "disconnecting", "disconnect", "error" };
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_use_event(ns, rename_as_asked);
    sio_on(ns, "e", fail_if_called);
    sio_on(ns, "\xff", note);
    sio_on(ns, "", note);
    for (size_t i = 0; i < COUNT(own); i++) {
        char packet[80];
        assert_int_equal(sio_on(ns, own[i], fail_if_called), 0);
        snprintf(packet, sizeof packet, "42[\"e\",\"%s\"]|42[\"%s\"]", own[i],
                 strncmp(own[i], "disconnect", 10) == 0 ? "none" : own[i]);
        say(&p, packet);
        assert_int_equal(sio_off(ns, own[i], fail_if_called), 1);
    }
    assert_string_equal(say(&p, "42[\"e\",\"\"]"), "-");
    sim_free(io);
}

static const char *forget_it(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    return SIO_LATER;
}

static void who_forgets_the_handle_is_told(void **state)
{
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_use_event(ns, forget_it);
    sio_on(ns, "e", note);
    assert_string_equal(say(&p, "42[\"e\"]"), "");
    assert_non_null(strstr(sim.log, "sio_use_event returned SIO_LATER (only"));
    sio_use(ns, forget_it);
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_run_ms(io, 0);
    assert_string_equal(sim_hear_all(&p), "44{\"message\":\"internal error\"}");
    assert_non_null(strstr(sim.log, "SIO_LATER without a handle (call sio_next_later"));
    sim_free(io);
}

static sio_admission waiting;

static const char *wait_for_it(sio_socket *socket, sio_event *event)
{
    (void)socket;
    waiting = sio_next_later(event);
    return SIO_LATER;
}

/* Check the token, remember the user, go on. */
static void who_waits_can_be_reached(void **state)
{
    static char user[] = "ann";
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_use(ns, wait_for_it);
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40{\"token\":\"t1\"}");
    sim_run_ms(io, 0);
    sio_socket *socket = sio_next_socket(waiting);
    char token[9];
    assert_non_null(socket);
    assert_int_equal(sio_scan_value(sio_auth(socket), "{'token': %8s}", token), 1);
    assert_string_equal(token, "t1");
    sio_set_data(socket, user, NULL);
    sio_next(waiting, NULL, "");
    assert_null(sio_next_socket(waiting));
    sim_run_ms(io, 0);
    assert_true(sim_like("40*", sim_hear_all(&p)));
    assert_string_equal(sio_data(socket), "ann");
    assert_null(sio_next_socket((sio_admission){ .io = NULL }));
    sim_free(io);
}

/* What stands for several arguments, or none, can't be one. */
static const char *set_spread(sio_socket *socket, sio_event *event)
{
    sio_server *io = sio_socket_server(socket);
    errno = 0;
    assert_int_equal(sio_set_arg(event, 0, sio_spread(io, sio_array(io))), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_set_arg(event, 0, sio_args(event)), -1);
    assert_int_equal(sio_set_arg(event, 1, sio_array(io)), 0);
    assert_int_equal(sio_set_arg(event, 3, sio_null()), -1);
    return NULL;
}

static void forward(sio_socket *socket, sio_event *event)
{
    sio_emit(sio_self(socket), "f", "%p", sio_args(event));
}

static void an_argument_is_one_value(void **state)
{
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_use_event(ns, set_spread);
    sio_on(ns, "e", forward);
    say(&p, "42[\"e\",1,2]");
    assert_string_equal(sim_hear_all(&p), "42[\"f\",1,[]]");
    sim_free(io);
}

static const char *add_bytes(sio_socket *socket, sio_event *event)
{
    sio_set_arg(event, 1, sio_binary(sio_socket_server(socket), "b", 1));
    return NULL;
}

static void see_no_args(sio_socket *socket, sio_event *event)
{
    (void)socket;
    assert_int_equal(sio_type(sio_arg(event, 0)), SIO_OBJECT);
    assert_int_equal(sio_type(sio_arg(event, 1)), SIO_BINARY);
    strcat(order, sio_args(event) == NULL ? "none" : "some");
}

static void arguments_beside_bytes_are_no_bytes(void **state)
{
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_use_event(ns, add_bytes);
    sio_on(ns, "e", see_no_args);
    assert_string_equal(say(&p, "42[\"e\",{\"_placeholder\":true,\"num\":0}]"), "none");
    assert_string_equal(say(&p, "42[\"e\",{\"_placeholder\":false,\"num\":0}]"), "some");
    sim_free(io);
}

/* ---- Answers ------------------------------------------------------------------------------------ */

static void tell_socket(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data;
    strcat(order, sio_event_socket(answer) == NULL ? "none" : "one");
    strcat(order, error == NULL ? "" : error);
}

static void take_handle(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_request(sio_timeout(sio_self(socket), 10), tell_socket, NULL, "q", "");
}

static void answers_name_their_socket(void **state)
{
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_on(ns, "e", take_handle);
    say(&p, "42[\"e\"]");
    assert_string_equal(say(&p, "430[]"), "one");
    say(&p, "42[\"e\"]");
    sim_run_ms(io, 20);
    assert_string_equal(order, "oneoperation has timed out");
    order[0] = '\0';
    sio_request(sio_timeout(sio_all(ns), 10), tell_socket, NULL, "q", "");
    sim_run_ms(io, 20);
    assert_string_equal(order, "noneoperation has timed out");
    sim_free(io);
}

static void tell_rooms(sio_socket *socket, sio_event *event)
{
    sio_join(socket, "a");
    sio_join(socket, "b");
    sio_ack(event, "%p", sio_socket_rooms(socket));
    sio_leave(socket, sio_id(socket));
}

static void no_rooms(sio_socket *socket, sio_event *event)
{
    (void)event;
    assert_false(sio_in_room(socket, sio_id(socket)));
    assert_int_equal(sio_count(sio_socket_rooms(socket)), 0);
    strcat(order, "none");
}

static void rooms_come_in_one_call(void **state)
{
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    sio_on(ns, "e", tell_rooms);
    say(&p, "421[\"e\"]");
    const char *heard = sim_hear_all(&p);
    if (!sim_like("431[[\"*\",\"a\",\"b\"]]", heard))
        fail_msg("%s", heard);
    sio_on(ns, "disconnect", no_rooms);
    say(&p, "422[\"e\"]");
    assert_string_equal(sim_hear_all(&p), "432[[\"a\",\"b\"]]");
    sim_open(io, &p, SIM_WS, NULL);
    say(&p, "40");
    assert_string_equal(say(&p, "41"), "none");
    sim_free(io);
}

/* In protocol 3 the id of a socket in another namespace begins with that one's name. */
static void the_own_room_is_the_id(void **state)
{
    sim_peer p, q;
    (void)state;
    sio_server *io = begin(&p);
    sio_allow_v3(io);
    sio_on(sio_of(io, "/b"), "e", tell_rooms);
    sim_open(io, &q, SIM_WS, "3");
    say(&q, "40/b");
    sim_hear_all(&q);
    say(&q, "42/b,1[\"e\"]");
    const char *heard = sim_hear_all(&q);
    if (!sim_like("43/b,1[[\"/b#*\",\"a\",\"b\"]]", heard))
        fail_msg("%s", heard);
    sim_free(io);
}

/* ---- What is NULL ------------------------------------------------------------------------------- */

static bool accept_all(const char *name, sio_event *auth)
{
    (void)name;
    strcat(order, sio_handler_data(auth));
    return true;
}

static void join_nothing(sio_socket *socket, sio_event *event)
{
    (void)event;
    assert_int_equal(sio_join(socket, NULL), -1);
    assert_int_equal(errno, EINVAL);
    sio_leave(socket, NULL);
    assert_false(sio_in_room(socket, NULL));
    assert_int_equal(sio_room_size(sio_ns(socket), NULL), 0);
    assert_null(sio_socket_by_id(sio_ns(socket), NULL));
    assert_int_equal(sio_sockets_join(sio_self(socket), NULL), -1);
    assert_int_equal(sio_sockets_leave(sio_self(NULL), "a"), -1);
    assert_int_equal(sio_each(sio_self(socket), NULL, NULL), -1);
    strcat(order, "joined nothing");
}

static void what_is_missing_is_refused(void **state)
{
    static char data[] = "d";
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    errno = 0;
    assert_int_equal(sio_on(ns, "e", NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_on(ns, NULL, note), -1);
    assert_int_equal(sio_on(NULL, "e", note), -1);
    assert_int_equal(sio_once(NULL, "e", note), -1);
    assert_int_equal(sio_on_any(ns, NULL), -1);
    assert_int_equal(sio_on_any(NULL, note), -1);
    assert_int_equal(sio_on_any_outgoing(NULL, note), -1);
    assert_int_equal(sio_on_any_outgoing(ns, NULL), -1);
    assert_int_equal(sio_use(NULL, wait_for_it), -1);
    assert_int_equal(sio_use(ns, NULL), -1);
    assert_int_equal(sio_use_event(NULL, wait_for_it), -1);
    assert_int_equal(sio_use_event(ns, NULL), -1);
    sio_off(NULL, "e", note);
    sio_off(ns, NULL, note);
    sio_off_any(NULL, note);
    assert_null(sio_family(io, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(sio_of(io, NULL));
    assert_null(sio_of(NULL, "/"));
    assert_int_equal(sio_listen(NULL, "127.0.0.1", 0), -1);
    assert_int_equal(sio_turn(NULL, 0), -1);
    sio_free(NULL);
    assert_null(sio_find(io, NULL));
    assert_string_equal(say(&p, "42[\"e\"]"), "");
    sio_on(ns, "e", join_nothing);
    assert_string_equal(say(&p, "42[\"e\"]"), "joined nothing");
    order[0] = '\0';
    assert_non_null(sio_family(io, accept_all, data));
    assert_non_null(sio_of(io, "/new"));
    assert_string_equal(order, "d");
    sim_free(io);
}

static void a_slash_may_be_left_out(void **state)
{
    char longest[SIO_NS_NAME + 2];
    sim_peer p;
    (void)state;
    sio_server *io = begin(&p);
    assert_ptr_equal(sio_of(io, "chat"), sio_of(io, "/chat"));
    assert_ptr_equal(sio_find(io, "/chat"), sio_of(io, "chat"));
    assert_null(sio_find(io, "chat"));  // it is for what clients say
    assert_null(sio_find(io, ""));
    assert_null(sio_find(NULL, "/chat"));
    assert_ptr_equal(sio_of(io, ""), sio_of(io, "/"));
    assert_string_equal(sio_ns_name(sio_of(io, "chat")), "/chat");
    memset(longest, 'x', sizeof longest);
    longest[SIO_NS_NAME] = '\0';
    assert_null(sio_of(io, longest));
    assert_null(sio_find(io, longest));
    longest[SIO_NS_NAME - 1] = '\0';
    assert_non_null(sio_of(io, longest));
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handlers_know_what_they_were_set_with),
        cmocka_unit_test(lists_may_change_while_they_run),
        cmocka_unit_test(a_handler_is_set_once),
        cmocka_unit_test(once_is_once),
        cmocka_unit_test(a_handler_may_set_itself_again),
        cmocka_unit_test(names_go_with_their_handlers),
        cmocka_unit_test(who_forgets_the_handle_is_told),
        cmocka_unit_test(middlewares_may_rename_events),
        cmocka_unit_test(own_events_are_not_to_be_had_by_name),
        cmocka_unit_test(an_argument_is_one_value),
        cmocka_unit_test(arguments_beside_bytes_are_no_bytes),
        cmocka_unit_test(who_waits_can_be_reached),
        cmocka_unit_test(answers_name_their_socket),
        cmocka_unit_test(rooms_come_in_one_call),
        cmocka_unit_test(the_own_room_is_the_id),
        cmocka_unit_test(what_is_missing_is_refused),
        cmocka_unit_test(a_slash_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
