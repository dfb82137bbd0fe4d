/* sim_eio_poll_upgrade.c - from polling to WebSocket, and every way in which that can go wrong
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. In the
 * scripts A is the session, and B its WebSocket; after "5" all goes over B. */
#include "sim_app.h"

#define BEGIN "A poll\n> 40\n< 40*\n< 42*\n"

static const play upgrades[] = {
    { "U01: a probe", "B up A\nB.\nB> 2probe\nB< 3probe" },
    { "U01: again", "B up A\nB> 2probe\nB< 3probe\nB> 2probe\nB< 3probe" },
    { "U03: 5 has no answer; then all goes over the WebSocket",
      "B up A\nB> 2probe\nB< 3probe\nB> 5\nB.\nB> 42['message',1]\nB< 42['message-back',1]\n"
      "+ 25000\nB< 2" },
    { "U04: what is buffered comes, in order",
      "B up A\nB> 2probe\nB< 3probe\n> 42['message',1]|42['emit-binary',1,1]|42['message',2]\nB.\n"
      "B> 5\nB< 42['message-back',1]\nB< 452-*\nB< <00>\nB< <00>\nB< 42['message-back',2]" },
    { "U05: while a GET waits it comes there",
      "B up A\nB> 2probe\nB< 3probe\n.\n> 42['message',1]\n< 42['message-back',1]\nB." },
    { "U07: 5 without a probe", "B up A\nB> 5\nB.\nB> 42['message',1]\nB< 42['message-back',1]" },
    { "U09: a second WebSocket meanwhile",
      "B up A\nC up A\nC< CLOSE()\nB> 2probe\nB< 3probe\nB> 5\n"
      "B> 42['message',1]\nB< 42['message-back',1]" },
    { "U09: a second WebSocket afterwards", "B up A\nB> 5\nC up A\nC< CLOSE()\nB> 42['message',1]\n"
                                            "B< 42['message-back',1]" },
    { "U10: 2 alone", "B up A\nB> 2\nB< CLOSE()\n> 42['message',1]\n< 42['message-back',1]" },
    { "U10: another probe", "B up A\nB> 2probe2\nB< CLOSE()\n> 42['message',1]\n< 42*" },
    { "U10: a message", "B up A\nB> 42['message',1]\nB< CLOSE()\n.\n> 42['message',2]\n"
                        "< 42['message-back',2]" },
    { "U10: bytes", "B up A\nB# 00\nB< CLOSE()\n> 42['message',1]\n< 42*" },
    { "U10: an empty text", "B up A\nB> \nB< CLOSE()\n> 42['message',1]\n< 42*" },
    { "U10: a message behind the probe", "B up A\nB> 2probe\nB< 3probe\nB> 6\nB< CLOSE()\n"
                                         "> 42['message',1]\n< 42*" },
    { "U11: no 5 in time", "B up A\nB> 2probe\nB< 3probe\n+ 9999\nB.\n+ 1\nB< CLOSE()\n"
                           "> 42['message',1]\n< 42*" },
    { "U11: not even a probe", "B up A\n+ 10000\nB< CLOSE()\n> 42['message',1]\n< 42*" },
    { "U12: the WebSocket drops; a second attempt",
      "B up A\nB> 2probe\nB< 3probe\nB/ \n"
      "> 42['message',1]\n< 42['message-back',1]\nC up A\nC> 2probe\nC< 3probe\nC> 5\n"
      "C> 42['message',2]\nC< 42['message-back',2]" },
    { "U12: reset", "B up A\nB^ \nC up A\nC> 5\nC> 42['message',2]\nC< 42['message-back',2]" },
    { "U12: closed with a frame", "B up A\nB> 2probe\nB< 3probe\nB~ \n> 42['message',1]\n< 42*" },
    { "U13: the client closes the session", "B up A\nB> 2probe\nB< 3probe\n> 1\nB< CLOSE()\n"
                                            "? transport close" },
    { "U14: disconnected, then 5",
      "B up A\nB> 2probe\nB< 3probe\n> 42['disconnect-me',true]\nB> 5\n"
      "B< 41\nB< CLOSE()\n? server namespace disconnect" },
    { "H10: the ping schedule is unchanged", "+ 10000\nB up A\nB> 5\n+ 14999\nB.\n+ 1\nB< 2\nB> 3\n"
                                             "+ 25000\nB< 2" },
    { "H10: a pong that is due stays due", "+ 25000\nB up A\nB> 5\nB< 2\n+ 19999\nB.\n+ 20001\n"
                                           "B< CLOSE()\n? ping timeout" },
};

static void upgrades_move_the_session_or_leave_it_alone(void **state)
{
    (void)state;
    app_options();
    play_alone(0, BEGIN, upgrades, COUNT(upgrades));
}

/* U02, U06, U08: what GETs are answered meanwhile. */
static void a_waiting_get_is_let_go(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    char target[120], upgrade[120];
    sim_open(io, &p, SIM_POLL, NULL);
    snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=polling&sid=%s", p.sid);
    snprintf(upgrade, sizeof upgrade, "/socket.io/?EIO=4&transport=websocket&sid=%s", p.sid);
    for (int round = 0; round < 2; round++) {
        sim_client *get = sim_connect();
        sim_request(get, "GET", target, NULL, NULL);
        sim_run_ms(io, 200);
        assert_int_equal(sim_answered(get, false).status, 0);
        sim_client *ws = sim_ws_open(io, upgrade, NULL);
        sim_ws_say(ws, "2probe");
        sim_run_ms(io, 100);
        assert_string_equal(sim_answered(get, false).body, "6");  // U02
        get = sim_connect();
        sim_request(get, "GET", target, NULL, NULL);  // and later ones
        sim_run_ms(io, 100);
        assert_string_equal(sim_answered(get, false).body, "6");
        sim_close(ws);
        sim_run_ms(io, 0);
    }
    app_free(io);
}

static void a_get_that_waits_at_the_end_is_answered(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    char target[120], upgrade[120];
    sim_open(io, &p, SIM_POLL, NULL);
    snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=polling&sid=%s", p.sid);
    snprintf(upgrade, sizeof upgrade, "/socket.io/?EIO=4&transport=websocket&sid=%s", p.sid);
    sim_client *get = sim_connect();
    sim_request(get, "GET", target, NULL, NULL);
    sim_client *ws = sim_ws_open(io, upgrade, NULL);
    sim_ws_say(ws, "2probe");
    sim_ws_say(ws, "5");
    sim_run_ms(io, 0);
    assert_string_equal(sim_answered(get, false).body, "6");  // U06
    static const char bad[] = "{\"code\":3,\"message\":\"Bad request\"}";
    assert_string_equal(sim_http(io, "GET", target, NULL, NULL).body, bad);  // U08
    assert_string_equal(sim_http(io, "POST", target, NULL, "3").body, bad);
    sim_ws_say(ws, "40");
    sim_run_ms(io, 0);
    assert_string_equal(sim_ws_hear(ws), "3probe");
    assert_true(sim_like("40{*", sim_ws_hear(ws)));
    app_free(io);
}

/* U15: the connection of a POST whose body still comes is closed unanswered. */
static void a_half_post_dies_with_the_upgrade(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    sim_client *post = sim_connect();
    sim_sendf(post,
              "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: 9\r\n\r\n42",
              p.sid);
    char upgrade[120];
    snprintf(upgrade, sizeof upgrade, "/socket.io/?EIO=4&transport=websocket&sid=%s", p.sid);
    sim_client *ws = sim_ws_open(io, upgrade, NULL);
    sim_ws_say(ws, "5");
    sim_ws_say(ws, "40");
    sim_run_ms(io, 0);
    assert_true(sim_closed(post));
    assert_int_equal(sim_answered(post, false).status, 0);
    assert_true(sim_like("40{*", sim_ws_hear(ws)));
    app_free(io);
}

/* Threat "a malformed first frame right after the upgrade": 1002 there, polling goes on. */
static void a_wrong_frame_ends_the_probe_alone(void **state)
{
    static const char frame[] = "\xc1\x86\0\0\0\0"
                                "2probe";
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    sim_hear_all(&p);
    char target[120];
    snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=websocket&sid=%s", p.sid);
    for (int round = 0; round < 2; round++) {
        sim_client *c = sim_connect();
        sim_request(c, "GET", target, SIM_UPGRADE, NULL);
        if (round == 1)
            sim_run_ms(io, 0);  // else it comes with the request
        sim_send(c, frame, sizeof frame - 1);
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, 101);
        assert_string_equal(sim_ws_hear(c), "CLOSE(1002)");
        assert_string_equal(sim_ws_hear(c), "END");
        sim_say(&p, "42[\"message\",1]");
        assert_string_equal(sim_hear(&p), "42[\"message-back\",1]");
    }
    app_free(io);
}

/* Threats "EIO differs on upgrade" and "invalid upgrade, then a reset": the session is unharmed. */
static void a_refused_upgrade_leaves_the_session_alone(void **state)
{
    static const char *const queries[] = {
        "EIO=3&transport=websocket",
        "transport=websocket",
        "EIO=4&transport=polling",
        "EIO=4&transport=foo",
        "EIO=4",
        "EIO=4&transport=webtransport",
    };
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    sim_hear_all(&p);
    for (size_t i = 0; i < COUNT(queries); i++) {
        sim_client *c = sim_connect();
        char target[160];
        snprintf(target, sizeof target, "/socket.io/?%s&sid=%s", queries[i], p.sid);
        sim_request(c, "GET", target, SIM_UPGRADE, NULL);
        if (i % 2)
            sim_abort(c);
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, i % 2 ? 0 : 400);
        sim_say(&p, "42[\"message\",1]");
        assert_string_equal(sim_hear(&p), "42[\"message-back\",1]");
    }
    app_free(io);
}

/* Threat "use after free when the peer leaves mid-handshake": at every byte of the whole
 * conversation of an upgrade the WebSocket is reset, or a polling request is. */
static void a_client_may_vanish_at_any_byte(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        bool more = true;
        for (size_t n = 0; more; n++) {
            sio_server *io = app_new();
            sim_peer p;
            char text[600], target[120];
            sim_open(io, &p, SIM_POLL, NULL);
            sim_say(&p, "40");
            sim_hear_all(&p);
            snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=%s&sid=%s",
                     who ? "polling" : "websocket", p.sid);
            int size =
                snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s",
                         who ? "POST" : "GET", target, who ? "Content-Length: 30\r\n" : SIM_UPGRADE,
                         who ? "42[\"message\",1]\x1e"
                               "42[\"message\"]"
                             : "\x81\x86\0\0\0\0"
                               "2probe");
            if (!who) {  // frames hold NUL
                size = (int)(strstr(text, "\r\n\r\n") + 4 - text);
                memcpy(text + size,
                       "\x81\x86\0\0\0\0"
                       "2probe\x81\x81\0\0\0\0"
                       "5",
                       19);
                size += 19;
            }
            more = n < (size_t)size;
            sim_client *c = sim_connect();
            sim_send(c, text, n);
            sim_run_ms(io, 0);
            sim_abort(c);
            sim_run_ms(io, 100);
            app_free(io);
        }
    }
}

/* What waited for a GET and leaves over the WebSocket is counted once. */
static void packets_are_counted_once(void **state)
{
    (void)state;
    sio_server *io = app_new();
    assert_true(sim_play(io, "U04", BEGIN "B up A\nB> 2probe\nB< 3probe\n"));
    uint64_t before = sio_get_stats(io)->packets_out;
    assert_true(sim_play(io, "U04", BEGIN "> 42['message',1]|42['message',2]\n"));
    uint64_t polling = sio_get_stats(io)->packets_out - before;
    before = sio_get_stats(io)->packets_out;
    assert_true(sim_play(io, "U04",
                         BEGIN "> 42['message',1]|42['message',2]\nB up A\nB> 5\n"
                               "B< 42['message-back',1]\nB< 42['message-back',2]"));
    assert_int_equal(sio_get_stats(io)->packets_out - before, polling);
    assert_int_equal(sio_get_stats(io)->upgrades, 1);
    app_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upgrades_move_the_session_or_leave_it_alone),
        cmocka_unit_test(a_waiting_get_is_let_go),
        cmocka_unit_test(a_get_that_waits_at_the_end_is_answered),
        cmocka_unit_test(a_half_post_dies_with_the_upgrade),
        cmocka_unit_test(a_wrong_frame_ends_the_probe_alone),
        cmocka_unit_test(a_refused_upgrade_leaves_the_session_alone),
        cmocka_unit_test(a_client_may_vanish_at_any_byte),
        cmocka_unit_test(packets_are_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
