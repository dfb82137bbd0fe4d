/* sim_eio_heartbeat.c - pings, pongs, and the time until a namespace must be joined
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. */
#include "sim_app.h"

static const play websocket[] = {
    { "H01: silence for the interval", "+ 24999\n.\n+ 1\n< 2" },
    { "H02: no pong", "+ 25000\n< 2\n+ 19999\n.\n+ 1\n< CLOSE()\n? ping timeout" },
    { "H03: the next ping counts from the pong", "+ 25000\n< 2\n+ 5000\n> 3\n+ 24999\n.\n+ 1\n< 2\n"
                                                 "> 3\n+ 25000\n< 2" },
    { "H04: another packet extends the time once",
      "+ 25000\n< 2\n+ 10000\n> 42['message']\n< 42*\n"
      "+ 15000\n> 42['message']\n< 42*\n+ 4999\n.\n+ 1\n< CLOSE()\n? ping timeout" },
    { "H04: and again after the next ping",
      "+ 25000\n< 2\n+ 10000\n> 42['message']\n< 42*\n> 3\n"
      "+ 25000\n< 2\n+ 19000\n> 42['message']\n< 42*\n+ 19999\n.\n+ 1\n< CLOSE()" },
    { "H05: an unsolicited pong counts", "+ 20000\n> 3\n+ 24999\n.\n+ 1\n< 2" },
    { "H06: a pong with data", "+ 25000\n< 2\n> 3abc\n+ 24999\n.\n+ 1\n< 2" },
    { "H02: a WebSocket ping is no pong", "+ 25000\n< 2\n+ 20000\n< CLOSE()" },
};

static const play polling[] = {
    { "H01: silence for the interval", ".\n+ 24999\n.\n+ 1\n< 2" },
    { "H03: the next ping counts from the pong",
      ".\n+ 25000\n< 2\n+ 5000\n> 3\n.\n+ 24999\n.\n+ 1\n< 2" },
    { "H07: a GET waits at the deadline",
      ".\n+ 25000\n< 2\n.\n+ 20000\n< CLOSE()\n!\n? ping timeout" },
    { "H08: never polled: the session is gone", "+ 45000\n< CLOSE()\n!\n? ping timeout" },
    { "H08: but not before", "+ 44999\n> 3\n< 2\n.\n+ 25000\n< 2" },
    { "H09: the ping waits for the next GET", "+ 25000\n+ 10000\n< 2\n> 3\n.\n+ 25000\n< 2" },
    { "H09: what arrives by POST keeps it alive only once",
      "+ 25000\n+ 15000\n> 42['message']\n+ 19999\n> 42['message']\n+ 1\n< CLOSE()\n? ping "
      "timeout" },
};

static void heartbeats_are_timed_from_the_pong(void **state)
{
    (void)state;
    app_options();
    play_alone(SIM_WS, JOINED, websocket, COUNT(websocket));
    play_alone(SIM_POLL, JOINED, polling, COUNT(polling));
}

/* ---- connect_timeout ------------------------------------------------------------------------ */

static const play connects[] = {
    { "C01: no CONNECT, but pongs", ".\n+ 25000\n< 2\n> 3\n+ 19999\n.\n+ 1\n< CLOSE()" },
    { "C02: only a refused CONNECT", "> 40/nope\n< 44*\n+ 25000\n< 2\n> 3\n+ 20000\n< CLOSE()" },
    { "C02: a refused CONNECT does not start the time again",
      ".\n+ 25000\n< 2\n> 3\n+ 15000\n> 40/auth,\n< 44*\n+ 5000\n< CLOSE()" },
    { "C01: joined once stops it for good", "> 40\n< 40*\n< 42*\n> 41\n+ 25000\n< 2\n> 3\n+ 25000\n"
                                            "< 2\n> 3\n.\n> 40\n< 40*" },
};

static void a_namespace_must_be_joined_in_time(void **state)
{
    (void)state;
    play_default("", connects, COUNT(connects));
}

static const char *hang(sio_socket *socket, sio_event *event)
{
    (void)socket;
    sio_next_later(event);
    return SIO_LATER;
}

static const char *drop(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    return SIO_DROP;
}

/* C03: a middleware that never answers. */
static void a_middleware_that_hangs_is_ended(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sio_use(sio_of(io, "/hang"), hang);
    sio_use(sio_of(io, "/drop"), drop);
    assert_true(
        sim_play_over(io, SIM_WS, "C03", "> 40/hang,\n.\n+ 25000\n< 2\n> 3\n+ 20000\n< CLOSE()"));
    assert_true(
        sim_play_over(io, SIM_WS, "C03", "> 40/drop,\n.\n+ 25000\n< 2\n> 3\n+ 20000\n< CLOSE()"));
    assert_true(sim_play_over(io, SIM_POLL, "C03",
                              "> 40/hang,\n.\n+ 25000\n< 2\n> 3\n.\n+ 20000\n< CLOSE()"));
    app_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heartbeats_are_timed_from_the_pong),
        cmocka_unit_test(a_namespace_must_be_joined_in_time),
        cmocka_unit_test(a_middleware_that_hangs_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
