/* sim_sio_client.c - what sockets and their data live through
 * SPDX-License-Identifier: MIT
 *
 * Each test is an application that does in a callback what sio.h allows, or forbids. */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static sio_server *io;
static sio_namespace *ns;
static int released, seen;

static void begin(const sio_options *options)
{
    io = sim_new(options);
    assert_non_null(io);
    ns = sio_of(io, "/");
    released = seen = 0;
}

static void arrive(sim_peer *p)
{
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, "40");
    sim_hear_all(p);
}

/* ---- Data ----------------------------------------------------------------------------------- */

typedef struct datum {
    sio_socket *socket;
    int number;
} datum;

static void set_datum(sio_socket *s, void (*release)(void *data))
{
    datum *d = malloc(sizeof *d);
    assert_non_null(d);
    *d = (datum){ s, 42 };
    sio_set_data(s, d, release);
}

static void count_release(void *data)
{
    released++;
    free(data);
}

static void clear_own_data(void *data)
{
    sio_set_data(((datum *)data)->socket, NULL, NULL);
    count_release(data);
}

static void set_clearing(sio_socket *s, sio_event *e)
{
    (void)e;
    set_datum(s, clear_own_data);
}

static void a_release_may_clear_the_data_that_it_releases(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_on(ns, "connection", set_clearing);
    arrive(&a);
    sim_say(&a, "41");
    assert_int_equal(released, 1);
    sim_free(io);
}

static void disconnect_all(void *data)
{
    sio_disconnect_sockets(sio_all(ns), true);
    count_release(data);
}

static void set_disconnecting(sio_socket *s, sio_event *e)
{
    (void)e;
    set_datum(s, disconnect_all);
}

static void a_release_may_disconnect_its_socket(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_on(ns, "new", set_disconnecting);
    arrive(&a);
    sim_say(&a, "42[\"new\"]");
    assert_int_equal(released, 0);
    sim_say(&a, "42[\"new\"]");
    assert_int_equal(released, 2);
    assert_int_equal(sio_ns_size(ns), 0);
    sim_free(io);
}

static void set_counted(sio_socket *s, sio_event *e)
{
    (void)e;
    set_datum(s, count_release);
}

/* Leaves, and looks at its data afterwards. */
static void leave_and_look(sio_socket *s, sio_event *e)
{
    const datum *d = sio_data(s);
    (void)e;
    sio_disconnect(s, false);
    assert_int_equal(d->number, 42);
    assert_ptr_equal(sio_data(s), d);
    assert_int_equal(released, 0);
    seen++;
}

static void data_stays_until_the_callback_returns(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_on(ns, "connection", set_counted);
    sio_on(ns, "leave", leave_and_look);
    arrive(&a);
    sim_say(&a, "42[\"leave\"]");
    assert_int_equal(seen, 1);
    assert_int_equal(released, 1);
    sim_free(io);
}

static void set_same(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_set_data(s, sio_data(s), count_release);
}

static void the_same_data_is_released_once(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_on(ns, "connection", set_counted);
    sio_on(ns, "same", set_same);
    arrive(&a);
    sim_say(&a, "42[\"same\"]");
    assert_int_equal(released, 0);
    sim_say(&a, "41");
    assert_int_equal(released, 1);
    sim_free(io);
}

/* Data that is set when the socket is gone already is released too. */
static void data_of_a_gone_socket_is_released(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_on(ns, "disconnect", set_counted);
    arrive(&a);
    sim_say(&a, "41");
    assert_int_equal(released, 1);
    sim_free(io);
}

/* ---- Data that recovery keeps --------------------------------------------------------------- */

static void emit_and_look(sio_socket *s, sio_event *e)
{
    static char text[6000];
    (void)e;
    memset(text, 'x', sizeof text - 1);
    sio_emit(sio_broadcast(s), "left", "%s", text);  // fills the log
    assert_int_equal(((const datum *)sio_data(s))->number, 42);
    seen++;
}

static void data_can_be_looked_at_when_recovery_drops_it(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_recover(io, &(sio_recovery){ .ms = 10000, .bytes = 5000 });
    sio_on(ns, "connection", set_counted);
    sio_on(ns, "disconnect", emit_and_look);
    arrive(&a);
    sim_close(a.ws);
    sim_run_ms(io, 10);
    assert_int_equal(seen, 1);
    assert_int_equal(released, 1);
    sim_free(io);
}

static void close_and_set_same(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_end_connection(s);
    sio_set_data(s, sio_data(s), count_release);
}

static void close_and_take_away(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_end_connection(s);
    sio_set_data(s, NULL, NULL);
}

static void close_and_own(sio_socket *s, sio_event *e)
{
    void *d = sio_data(s);
    (void)e;
    sio_end_connection(s);
    sio_set_data(s, d, NULL);  // the application frees it
    count_release(d);
}

/* What is set of a socket that has left counts, though it may come back: that is kept. */
static void data_of_a_gone_socket_is_kept_as_it_was_set_last(void **state)
{
    static const sio_handler ways[] = { close_and_set_same, close_and_take_away, close_and_own };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sim_peer a;
        begin(NULL);
        assert_int_equal(sio_recover(io, NULL), 0);
        sio_on(ns, "connection", set_counted);
        sio_on(ns, "leave", ways[i]);
        arrive(&a);
        sim_say(&a, "42[\"leave\"]");
        assert_int_equal(released, i == 0 ? 0 : 1);
        sim_free(io);
        assert_int_equal(released, 1);
    }
}

static void free_data(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_set_data(s, NULL, NULL);
}

static void data_that_disconnect_takes_away_is_not_kept(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_recover(io, &(sio_recovery){ .ms = 10000 });
    sio_on(ns, "connection", set_counted);
    sio_on(ns, "disconnect", free_data);
    arrive(&a);
    sim_close(a.ws);
    sim_run_ms(io, 10);
    assert_int_equal(released, 1);
    sim_free(io);
    assert_int_equal(released, 1);
}

static void join_all(void *data)
{
    char room[3000];
    memset(room, 'r', sizeof room - 1);
    room[sizeof room - 1] = '\0';
    sio_sockets_join(sio_all(ns), room);
    count_release(data);
}

static void join_long_room(sio_socket *s, sio_event *e)
{
    char room[700];
    (void)e;
    memset(room, 'q', sizeof room - 1);
    room[sizeof room - 1] = '\0';
    sio_join(s, room);
    set_datum(s, join_all);
}

/* There is place for one of them: the other's data is released for it, which joins rooms. */
static void a_release_may_join_while_another_is_saved(void **state)
{
    sim_peer a, b;
    (void)state;
    begin(NULL);
    sio_recover(io, &(sio_recovery){ .ms = 10000, .bytes = 1500 });
    sio_on(ns, "connection", join_long_room);
    arrive(&a);
    arrive(&b);
    sim_close(a.ws);
    sim_run_ms(io, 10);
    sim_close(b.ws);
    sim_run_ms(io, 10);
    assert_int_equal(released, 1);
    sim_free(io);
    assert_int_equal(released, 2);
}

static void emit_values(void *data)
{
    sio_value v = sio_make(io, "%s", "who has left");
    sio_emit(sio_all(ns), "one", "%p", v);
    sio_emit(sio_all(ns), "two", "{'a': %d, 'b': %p}", 12345, v);
    count_release(data);
}

static void set_emitting(sio_socket *s, sio_event *e)
{
    (void)e;
    set_datum(s, emit_values);
}

static void a_release_may_make_values(void **state)
{
    sim_peer a, b;
    (void)state;
    begin(NULL);
    sio_recover(io, &(sio_recovery){ .ms = 1000 });
    sio_on(ns, "connection", set_emitting);
    arrive(&a);
    arrive(&b);
    sim_close(a.ws);
    sim_run_ms(io, 2000);
    assert_true(
        sim_hears(&b, "42['one','who has left',*]|42['two',{'a':12345,'b':'who has left'},*]"));
    sim_free(io);
}

/* ---- Leaving -------------------------------------------------------------------------------- */

static sio_socket *others[2];
static char reasons[200];

static void keep_other(sio_socket *s, sio_event *e)
{
    (void)e;
    others[others[0] != NULL] = s;
}

static void note_reason(sio_socket *s, sio_event *e)
{
    (void)s;
    size_t n = strlen(reasons);
    snprintf(reasons + n, sizeof reasons - n, "%s|", sio_text(sio_arg(e, 0), NULL));
}

static void end_with_the_others(sio_socket *s, sio_event *e)
{
    (void)s, (void)e;
    sio_disconnect(others[0], true);
}

/* D02: who is leaving already is told nothing more, but the others are. */
static void a_leaving_socket_may_end_the_connection(void **state)
{
    static const char *const names[] = { "/a", "/b" };
    sim_peer a;
    (void)state;
    begin(NULL);
    others[0] = others[1] = NULL;
    reasons[0] = '\0';
    for (size_t i = 0; i < 2; i++) {
        sio_on(sio_of(io, names[i]), "connection", keep_other);
        sio_on(sio_of(io, names[i]), "disconnect", note_reason);
    }
    sio_on(ns, "disconnecting", end_with_the_others);
    sio_on(ns, "disconnect", note_reason);
    arrive(&a);
    sim_say(&a, "40/a,");
    sim_say(&a, "40/b,");
    sim_hear_all(&a);
    assert_non_null(others[1]);
    sim_say(&a, "41");
    assert_true(sim_hears(&a, "41/a,|41/b,|CLOSE()"));
    assert_string_equal(reasons, "server namespace disconnect|server namespace disconnect|"
                                 "client namespace disconnect|");
    sim_free(io);
}

static char endings[200];

static void note_ending(sio_socket *s, sio_event *e)
{
    (void)s;
    size_t n = strlen(endings);
    const char *details = sio_argc(e) > 1 ? sio_text(sio_arg(e, 1), NULL) : "none";
    snprintf(endings + n, sizeof endings - n, "%s|%s||", sio_text(sio_arg(e, 0), NULL), details);
}

/* Whether both events were told that, since the last time. */
static bool ended(const char *rule, const char *told)
{
    char twice[200];
    snprintf(twice, sizeof twice, "%s||%s||", told, told);
    bool good = strcmp(endings, twice) == 0;
    if (!good)
        print_error("%s: %s\n", rule, endings);
    endings[0] = '\0';
    return good;
}

static const struct {
    const char *rule;
    unsigned first;  // byte of a frame
    const char *payload;
    size_t n;
    const char *told;  // the reason, and the details
} frames[] = {
    { "W20", 0x88, "\3", 1, "transport error|RangeError: Invalid WebSocket frame" },
    { "W14", 0xc1, "x", 1, "transport error|RangeError: Invalid WebSocket frame" },
    { "W25", 0x81, "\xff", 1,
      "transport error|Error: Invalid WebSocket frame: invalid UTF-8 sequence" },
    { "W27", 0x81, NULL, 101, "transport error|RangeError: Max payload size exceeded" },
    { "W35", 0x81, "2", 1, "transport error|invalid heartbeat direction" },
    { "W21", 0x88, "\3\350", 2, "transport close|none" },
    { "W34", 0x81, "9", 1, "parse error|none" },
    { "S12", 0x81, "41", 2, "client namespace disconnect|none" },
    { "S07", 0x81, "40", 2, "forced close|none" },
};

static const struct {
    const char *rule, *requests, *told;  // each "$" is the query of the session
} polls[] = {
    { "P16", "GET $\r\n\r\nGET $\r\n\r\n", "transport error|overlap from client" },
    { "P17", "POST $\r\nContent-Length: 1\r\n\r\n",
      "transport error|data request overlap from client" },
    { "P18", "GET $\r\n\r\n^", "transport error|poll connection closed prematurely" },
    { "P19", "POST $\r\nContent-Length: 2\r\n\r\n4^",
      "transport error|data request connection closed prematurely" },
    { "P25", "POST $\r\nContent-Length: 1\r\nContent-Type: application/octet-stream\r\n\r\n4",
      "transport error|invalid content" },
    { "P11", "POST $\r\nContent-Length: 1\r\n\r\n2",
      "transport error|invalid heartbeat direction" },
    { "P14", "POST $\r\nContent-Length: 1\r\n\r\n1", "transport close|none" },
    { "P09", "POST $\r\nContent-Length: 1\r\n\r\n9", "parse error|none" },
};

static void send_requests(const sim_peer *p, const char *text)
{
    sim_client *c = sim_connect();
    for (; *text != '\0'; text++) {
        if (*text == '$')
            sim_sendf(c, "/socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x", p->sid);
        else if (*text == '^')
            sim_abort(c);
        else
            sim_send(c, text, 1);
        if (text[1] == '^')
            sim_run_ms(io, 0);  // what was sent is read before
    }
    sim_run_ms(io, 0);
}

/* What the reference's handlers get as a second argument, by the same violations: an Error, of which
 * this is the message. Of an error of WebSocket that has many names it is their common beginning. */
static void a_transport_error_has_details(void **state)
{
    char big[101];
    sim_peer a;
    (void)state;
    memset(big, '4', sizeof big);
    begin(&(sio_options){ .max_payload = 100 });
    sio_on(ns, "disconnecting", note_ending);
    sio_on(ns, "disconnect", note_ending);
    endings[0] = '\0';
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        arrive(&a);
        const char *payload = frames[i].payload == NULL ? big : frames[i].payload;
        sim_ws_frame(a.ws, frames[i].first, payload, frames[i].n);
        sim_run_ms(io, 0);
        assert_true(ended(frames[i].rule, frames[i].told));
    }
    for (size_t i = 0; i < sizeof polls / sizeof *polls; i++) {
        sim_open(io, &a, SIM_POLL, NULL);
        sim_say(&a, "40");
        sim_hear(&a);
        if (i == 1)  // the first POST
            send_requests(&a, "POST $\r\nContent-Length: 2\r\n\r\n4");
        send_requests(&a, polls[i].requests);
        assert_true(ended(polls[i].rule, polls[i].told));
    }
    arrive(&a);
    sim_run_ms(io, 50000);
    assert_true(ended("H02", "ping timeout|none"));
    arrive(&a);
    sio_disconnect_sockets(sio_all(ns), false);
    assert_true(ended("D01", "server namespace disconnect|none"));
    sim_free(io);
}

/* The details are those of the connection: whom its handlers disconnect meanwhile has none. */
static void the_details_are_the_connections(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    others[0] = others[1] = NULL;
    sio_on(sio_of(io, "/a"), "connection", keep_other);
    sio_on(sio_of(io, "/a"), "disconnecting", note_ending);
    sio_on(sio_of(io, "/a"), "disconnect", note_ending);
    sio_on(ns, "disconnecting", end_with_the_others);
    endings[0] = '\0';
    arrive(&a);
    sim_say(&a, "40/a,");
    sim_say(&a, "2");
    assert_true(ended("S08", "server namespace disconnect|none"));
    sim_free(io);
}

/* ---- Values --------------------------------------------------------------------------------- */

static sio_value kept;
static char heard[200];

/* Drops what is under way, and then looks at it. */
static void drop_and_look(sio_socket *s, sio_event *e)
{
    size_t n;
    (void)s;
    sio_drop(kept);
    kept = NULL;
    const char *json = sio_json(sio_arg(e, 0), &n);
    snprintf(heard, sizeof heard, "%.*s", (int)n, json);
    const void *bytes = sio_bytes(sio_at(sio_arg(e, 0), 1), &n);
    assert_int_equal(n, 5);
    assert_memory_equal(bytes, "bytes", 5);
    seen++;
}

static void a_listener_may_drop_a_value_under_way(void **state)
{
    sim_peer a, b;
    (void)state;
    begin(NULL);
    sio_on_any_outgoing(ns, drop_and_look);
    arrive(&a);
    arrive(&b);
    kept = sio_keep(io, sio_make(io, "['text', %p]", sio_binary(io, "bytes", 5)));
    assert_non_null(kept);
    assert_int_equal(sio_emit(sio_all(ns), "e", "%p, %p", kept, sio_at(kept, 0)), 0);
    assert_int_equal(seen, 2);
    assert_string_equal(heard, "[\"text\",{\"_placeholder\":true,\"num\":0}]");
    assert_true(sim_hears(&b, "451-['e',['text',{*}],'text']|<6279746573>"));
    sim_free(io);
}

static const char *replace_argument(sio_socket *s, sio_event *e)
{
    (void)s;
    sio_value v = sio_keep(io, sio_make(io, "{'replaced': true}"));
    sio_set_arg(e, 0, v);
    sio_drop(v);
    return NULL;
}

static void echo(sio_socket *s, sio_event *e)
{
    sio_emit(sio_self(s), "echo", "%p", sio_args(e));
}

static void a_dropped_argument_stays_for_its_event(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_use_event(ns, replace_argument);
    sio_on(ns, "echo", echo);
    arrive(&a);
    sim_say(&a, "42[\"echo\",1]");
    assert_true(sim_hears(&a, "42['echo',{'replaced':true}]"));
    sim_free(io);
}

/* ---- What a callback must not do ------------------------------------------------------------- */

static void turn_and_free(sio_socket *s, sio_event *e)
{
    errno = 0;
    assert_int_equal(sio_turn(io, 0), -1);
    assert_int_equal(errno, EDEADLK);
    assert_int_equal(sio_run(io), -1);
    sio_emit(sio_self(s), "still", "%p", sio_args(e));
    if (sio_argc(e) > 0)
        sio_free(io);
    seen++;
}

static void turns_and_the_end_are_refused_in_a_callback(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_on(ns, "x", turn_and_free);
    sio_on(ns, "disconnect", turn_and_free);
    arrive(&a);
    sim_say(&a, "42[\"x\",[1,2]]");
    assert_true(sim_hears(&a, "42['still',[1,2]]|*"));  // as sio_shutdown
    assert_int_equal(sim_run_ms(io, 1000), 0);
    assert_int_equal(seen, 2);
    sim_free(io);
}

/* Between turns it is the application's own code that calls: its callbacks are callbacks still. */
static void so_they_are_when_it_runs_between_turns(void **state)
{
    sim_peer a;
    (void)state;
    begin(NULL);
    sio_on(ns, "disconnecting", turn_and_free);
    arrive(&a);
    sio_disconnect_sockets(sio_all(ns), true);
    assert_int_equal(seen, 1);
    assert_int_equal(sim_run_ms(io, 1000), 0);  // the reason is an argument, so it was stopped
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_may_clear_the_data_that_it_releases),
        cmocka_unit_test(a_release_may_disconnect_its_socket),
        cmocka_unit_test(data_stays_until_the_callback_returns),
        cmocka_unit_test(the_same_data_is_released_once),
        cmocka_unit_test(data_of_a_gone_socket_is_released),
        cmocka_unit_test(data_can_be_looked_at_when_recovery_drops_it),
        cmocka_unit_test(data_of_a_gone_socket_is_kept_as_it_was_set_last),
        cmocka_unit_test(data_that_disconnect_takes_away_is_not_kept),
        cmocka_unit_test(a_release_may_join_while_another_is_saved),
        cmocka_unit_test(a_release_may_make_values),
        cmocka_unit_test(a_leaving_socket_may_end_the_connection),
        cmocka_unit_test(a_transport_error_has_details),
        cmocka_unit_test(the_details_are_the_connections),
        cmocka_unit_test(a_listener_may_drop_a_value_under_way),
        cmocka_unit_test(a_dropped_argument_stays_for_its_event),
        cmocka_unit_test(turns_and_the_end_are_refused_in_a_callback),
        cmocka_unit_test(so_they_are_when_it_runs_between_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
