/* sim_eio.c - sessions: how many there may be, who makes room, and what a stop leaves of them
 * SPDX-License-Identifier: MIT
 *
 * Heartbeats are in sim_eio_heartbeat.c. */
#include "lib.h"
#include "sim.h"

#define AT "/socket.io/?EIO=4&transport=polling"
#define WS "/socket.io/?EIO=4&transport=websocket"

static void on_fail(const char *text)
{
    fail_msg("%s", text);
}

static sio_server *begin(const sio_options *o)
{
    sim_fail = on_fail;
    sio_server *io = sim_new(o);
    assert_non_null(io);
    sio_of(io, "/");
    return io;
}

/* The status of a handshake by polling from there. */
static int opens(sio_server *io, const char *from, const char *fields)
{
    sim_client *c = sim_connect_from(from);
    sim_request(c, "GET", AT, fields, NULL);
    sim_run_ms(io, 0);
    int status = sim_answered(c, false).status;
    sim_close(c);
    sim_run_ms(io, 0);
    return status;
}

/* ---- Sessions of one address ---------------------------------------------------------------- */

static void sessions_of_an_address_are_limited(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .max_sessions_per_address = 2 });
    assert_int_equal(opens(io, "10.0.0.1", NULL), 200);
    assert_int_equal(opens(io, "10.0.0.1", NULL), 200);
    assert_int_equal(opens(io, "10.0.0.1", NULL), 503);
    assert_non_null(strstr(sim.log, "max_sessions_per_address"));
    assert_int_equal(sio_get_stats(io)->refused, 1);
    assert_int_equal(opens(io, "10.0.0.2", NULL), 200);
    assert_int_equal(opens(io, "2001:db8::1", NULL), 200);
    assert_int_equal(opens(io, "2001:db8::2", NULL), 200);
    assert_int_equal(opens(io, "2001:db8::3", NULL), 503);
    assert_int_equal(opens(io, "2001:db8:0:1::3", NULL), 200);
    assert_int_equal(opens(io, "10.0.0.1", "X-Forwarded-For: 10.9.9.9\r\n"), 503);
    sim_run_ms(io, 10000);
    assert_int_equal(opens(io, "10.0.0.1", NULL), 200);  // those that never came back are gone
    sim_free(io);
}

/* WebSockets count, and stop to when they end; so do sessions that their client closes. */
static void each_session_counts_until_it_ends(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .max_sessions_per_address = 1 });
    for (int round = 0; round < 3; round++) {
        sim_peer p;
        sim_client *c = sim_ws_open(io, WS, NULL);
        assert_non_null(c);
        assert_null(sim_ws_open(io, WS, NULL));
        assert_int_equal(opens(io, "127.0.0.1", NULL), 503);
        sim_close(c);
        sim_run_ms(io, 0);
        sim_open(io, &p, SIM_POLL, NULL);
        assert_null(sim_ws_open(io, WS, NULL));
        sim_say(&p, "1");
    }
    assert_int_equal(sio_get_stats(io)->sessions, 0);
    sim_free(io);
}

/* Behind a proxy its word counts, and the peer's address where it names none. */
static void a_trusted_proxys_clients_are_counted_one_by_one(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .max_sessions_per_address = 1, .trust_proxy = true });
    for (int i = 0; i < 2; i++) {
        int want = i == 0 ? 200 : 503;
        assert_int_equal(opens(io, "10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\n"), want);
        assert_int_equal(opens(io, "10.0.0.1", "X-Forwarded-For: 1.1.1.1, 1.1.1.2\r\n"), want);
        assert_int_equal(opens(io, "10.0.0.1", "X-Forwarded-For: unknown\r\n"), want);
        assert_int_equal(opens(io, "10.0.0.2", "X-Forwarded-For: ::ffff:1.1.1.1\r\n"), 503);
        assert_int_equal(opens(io, "10.0.0.1", NULL), 503);
    }
    sim_free(io);
}

/* ---- Who makes room ------------------------------------------------------------------------- */

static unsigned closes;
static char reason[40];

static void on_close(sio_session *s, const char *why)
{
    (void)s;
    closes++;
    snprintf(reason, sizeof reason, "%s", why);
}

/* Who never joined goes first, the oldest before the others, over either transport; who joined does
 * not. */
static void the_oldest_that_never_joined_makes_room(void **state)
{
    (void)state;
    sim_peer p[5];
    sio_server *io = begin(&(sio_options){ .max_sessions = 3 });
    sim_open(io, &p[0], SIM_WS, NULL);
    sim_open(io, &p[1], SIM_POLL, NULL);
    sim_open(io, &p[2], SIM_WS, NULL);
    sim_say(&p[0], "40");
    assert_true(sim_like("40{*", sim_hear(&p[0])));
    assert_int_equal(opens(io, "10.0.0.1", NULL), 200);
    assert_non_null(strstr(sim.log, "max_sessions"));
    sim_say(&p[1], "40");
    assert_int_equal(p[1].status, 400);
    assert_string_equal(sim_hear(&p[2]), "");
    sim_open(io, &p[3], SIM_WS, NULL);
    assert_string_equal(sim_hear(&p[2]), "CLOSE()");
    assert_int_equal(sio_get_stats(io)->sessions, 3);
    sim_say(&p[3], "40");
    sim_open(io, &p[4], SIM_WS, NULL);
    sim_say(&p[4], "40");
    assert_true(sim_like("40{*", sim_hear(&p[4])));
    assert_int_equal(opens(io, "10.0.0.1", NULL), 503);  // all three have joined
    assert_null(sim_ws_open(io, WS, NULL));
    assert_int_equal(sio_get_stats(io)->refused, 3);
    sim_say(&p[0], "1");
    assert_int_equal(opens(io, "10.0.0.1", NULL), 200);
    sim_free(io);
}

/* A session of plain Engine.IO is used when it has sent a message; its handler hears why it went. */
static void plain_sessions_make_room_too(void **state)
{
    static const sio_engine_handlers engine = { .close = on_close };
    static const sio_options o = { .path = "/e", .max_sessions = 2 };
    (void)state;
    sio_server *io = begin(NULL);
    sio_engine(io, &o, &engine);
    sim_client *c[4];
    closes = 0;
    for (int i = 0; i < 4; i++) {
        c[i] = sim_ws_open(io, "/e/?EIO=4&transport=websocket", NULL);
        if (i == 0)
            sim_ws_say(c[i], "4hello");
        sim_run_ms(io, 0);
        assert_true(sim_like("0{*", sim_ws_hear(c[i])));
    }
    assert_int_equal(closes, 2);
    assert_string_equal(reason, "forced close");
    assert_string_equal(sim_ws_hear(c[0]), "");
    assert_string_equal(sim_ws_hear(c[1]), "CLOSE()");
    assert_string_equal(sim_ws_hear(c[2]), "CLOSE()");
    assert_string_equal(sim_ws_hear(c[3]), "");
    sim_free(io);
}

/* The list of those that may have to make room is as long as there are sessions, whatever comes and
 * goes, and finds the oldest at once. */
static void room_is_made_in_order_and_linear_time(void **state)
{
    enum { SESSIONS = 3000, ROUNDS = 40 };
    (void)state;
    sio_server *io = begin(&(sio_options){ .max_sessions = SESSIONS });
    sim_client *c = sim_connect();
    sim_peer old;
    sim_open(io, &old, SIM_WS, NULL);  // it keeps the front of the list
    size_t bytes = 0;
    double start = seconds();
    sim.unchecked = true;  // its work is not measured
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SESSIONS / 10; i++) {
            sim_sendf(c, "GET " AT " HTTP/1.1\r\nHost: x\r\n\r\n");
            if (i % 10 == 9)
                sim_run_ms(io, 0);
        }
        size_t n;
        sim_text(c, &n);
        sim_take(c, n);
        if (round == ROUNDS / 2)
            bytes = sim.bytes;
    }
    assert_true(seconds() - start < LINEAR);
    assert_int_equal(sio_get_stats(io)->sessions, SESSIONS);
    assert_true(sim.bytes <= bytes + 10000);
    assert_string_equal(sim_hear(&old), "CLOSE()");
    sim_free(io);
}

/* ---- Who does not come back ----------------------------------------------------------------- */

/* Threat "sessions that are opened and left": one that was opened by polling goes when its client
 * does not come back. Any request for it is coming back; a WebSocket has its connection. */
static void who_does_not_come_back_goes_early(void **state)
{
    static const sio_engine_handlers engine = { .close = on_close };
    static const sio_options o = { .path = "/e", .return_timeout_ms = 700 };
    (void)state;
    sio_server *io = begin(NULL);
    sio_engine(io, &o, &engine);
    for (int way = 0; way < 2; way++) {
        int64_t ms = way == 0 ? 10000 : 700;
        closes = 0;
        sim_http(io, "GET", way == 0 ? AT : "/e/?EIO=4&transport=polling", NULL, NULL);
        assert_non_null(sim_ws_open(io, way == 0 ? WS : "/e/?EIO=4&transport=websocket", NULL));
        sim_run_ms(io, ms - 1);
        assert_int_equal(sio_get_stats(io)->sessions, 2 + (way == 1));
        sim_run_ms(io, 1);
        assert_int_equal(sio_get_stats(io)->sessions, 1 + (way == 1));
        assert_non_null(strstr(sim.log, "return_timeout"));
        assert_int_equal(closes, way);
    }
    assert_string_equal(reason, "ping timeout");
    sim_free(io);
}

static void any_request_is_coming_back(void **state)
{
    static const char *const methods[] = { "GET", "POST", "PUT" };
    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        char target[120];
        sio_server *io = begin(NULL);
        sim_answer a = sim_http(io, "GET", AT, NULL, NULL);
        snprintf(target, sizeof target, AT "&sid=%.20s", strstr(a.body, "sid") + 6);
        sim_client *c = sim_connect();
        sim_run_ms(io, 9999);
        sim_request(c, methods[i], target, NULL, i == 1 ? "40" : NULL);
        sim_run_ms(io, 10000);
        assert_int_equal(sio_get_stats(io)->sessions, 1);
        sim_free(io);
    }
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* Threat "one connection opens all sessions there may be": a bystander gets in, during the attack and
 * behind it, also when the attack comes from everywhere. */
static void a_flood_of_handshakes_shuts_nobody_out(void **state)
{
    (void)state;
    for (int from_everywhere = 0; from_everywhere < 2; from_everywhere++) {
        sio_server *io = begin(&(sio_options){ .max_sessions = 4000,
                                               .max_sessions_per_address = 1000,
                                               .trust_proxy = from_everywhere });
        sim_client *c = sim_connect_from("10.0.0.1");
        for (int i = 0; i < 10000; i++) {
            sim_sendf(c, "GET " AT " HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.%d.%d\r\n\r\n",
                      i / 200, i % 200);
            if (i % 10 != 9)
                continue;
            sim_run_ms(io, 0);
            size_t n;
            sim_text(c, &n);
            sim_take(c, n);
            if (i % 1000 != 999)
                continue;
            sim_peer p;
            sim_open(io, &p, i % 2000 == 999 ? SIM_WS : SIM_POLL, NULL);
            sim_say(&p, "40");
            assert_true(sim_like("40{*", sim_hear(&p)));
        }
        assert_int_equal(sio_get_stats(io)->sessions, from_everywhere ? 4000 : 1010);
        assert_int_equal(sio_get_stats(io)->sockets, 10);
        sim_run_ms(io, 10000);
        assert_int_equal(sio_get_stats(io)->sessions, 10);
        sim_free(io);
    }
}

/* ---- Stopping ------------------------------------------------------------------------------- */

/* A session that has joined "/" and has no GET waiting, for which "bye" is queued where its client is
 * to fetch it. */
static void begin_to_stop(sio_server *io, sim_peer *p, char target[120])
{
    sim_open(io, p, SIM_POLL, NULL);
    sim_say(p, "40");
    assert_true(sim_like("40{*", sim_hear(p)));
    snprintf(target, 120, AT "&sid=%s", p->sid);
}

/* What is queued for a polling client is there when it asks, over a connection that it has. */
static void a_stop_leaves_time_to_fetch_what_is_queued(void **state)
{
    (void)state;
    sim_peer p, other;
    char target[120], silent[120];
    sio_server *io = begin(NULL);
    begin_to_stop(io, &p, target);
    begin_to_stop(io, &other, silent);
    sim_client *idle = sim_connect();
    sim_run_ms(io, 0);
    sio_emit(sio_all(sio_of(io, "/")), "bye", "");
    sio_turn(io, 0);
    sio_shutdown(io);
    assert_int_equal(sim_run_ms(io, 300), 1);
    sim_request(p.get, "GET", target, NULL, NULL);
    sim_run_ms(io, 0);
    assert_string_equal(sim_answered(p.get, false).body, "42[\"bye\"]");
    sim_request(p.get, "GET", target, NULL, NULL);
    sim_run_ms(io, 0);
    assert_string_equal(sim_answered(p.get, false).body, "6\x1e"
                                                         "1");
    sim_request(idle, "GET", AT, NULL, NULL);
    assert_int_equal(sim_run_ms(io, 199), 1);
    assert_int_equal(sim_answered(idle, false).status, 503);  // no session opens any more
    assert_int_equal(sim_run_ms(io, 100), 0);                 // the other one did not come
    sim_free(io);
}

/* Nobody waits where nothing is to be fetched. */
static void a_stop_without_queues_is_over_at_once(void **state)
{
    (void)state;
    sim_peer p, ws;
    char target[120];
    sio_server *io = begin(NULL);
    begin_to_stop(io, &p, target);
    sim_open(io, &ws, SIM_WS, NULL);
    sim_client *waiting = sim_connect();
    sim_request(waiting, "GET", target, NULL, NULL);
    sim_run_ms(io, 0);
    sio_shutdown(io);
    sim_run_ms(io, 20);
    assert_string_equal(sim_answered(waiting, false).body, "1");
    assert_string_equal(sim_ws_hear(ws.ws), "CLOSE()");
    sim_free(io);
}

/* Plain Engine.IO is no different; all of them are gone within stop_timeout. */
static void whatever_is_open_a_stop_ends(void **state)
{
    static const sio_engine_handlers engine = { .close = on_close };
    static const sio_options o = { .path = "/e" };
    (void)state;
    sio_server *io = begin(NULL);
    sio_allow_v3(io);
    sio_engine(io, &o, &engine);
    closes = 0;
    for (int i = 0; i < 50; i++) {
        sim_client *c = sim_connect();
        sim_sendf(c, "GET %s/?EIO=%d&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n",
                  i % 2 == 0 ? "/e" : "/socket.io", i % 4 == 3 ? 3 : 4);
        sim_ws_open(io, i % 3 == 0 ? "/e/?EIO=4&transport=websocket" : WS, NULL);
        sim_sendf(sim_connect(), "POST /x HTTP/1.1\r\nContent-Len");
    }
    sim_run_ms(io, 0);
    sio_shutdown(io);
    assert_int_equal(sim_run_ms(io, 600), 0);
    assert_int_equal(closes, 25 + 17);
    assert_string_equal(reason, "server shutting down");
    assert_int_equal(sio_get_stats(io)->connections, 0);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_of_an_address_are_limited),
        cmocka_unit_test(each_session_counts_until_it_ends),
        cmocka_unit_test(a_trusted_proxys_clients_are_counted_one_by_one),
        cmocka_unit_test(the_oldest_that_never_joined_makes_room),
        cmocka_unit_test(plain_sessions_make_room_too),
        cmocka_unit_test(room_is_made_in_order_and_linear_time),
        cmocka_unit_test(who_does_not_come_back_goes_early),
        cmocka_unit_test(any_request_is_coming_back),
        cmocka_unit_test(a_flood_of_handshakes_shuts_nobody_out),
        cmocka_unit_test(a_stop_leaves_time_to_fetch_what_is_queued),
        cmocka_unit_test(a_stop_without_queues_is_over_at_once),
        cmocka_unit_test(whatever_is_open_a_stop_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
