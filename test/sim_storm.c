/* sim_storm.c - many clients, much time, every order of things
 * SPDX-License-Identifier: MIT */
#include "sim_app.h"

/* ---- Much time ------------------------------------------------------------------------------ */

/* A day, 20 clients over each transport: 3456 pings each, none lost, none too many, nothing grows.
 * */
static void a_day_of_heartbeats_loses_nobody(void **state)
{
    enum { PEERS = 40, DAY_MS = 86400000 };
    static sim_peer p[PEERS];
    (void)state;
    sio_server *io = app_new();
    for (int i = 0; i < PEERS; i++) {
        sim_open(io, &p[i], i % 2 ? SIM_WS : SIM_POLL, NULL);
        sim_say(&p[i], "40");
        sim_hear_all(&p[i]);
    }
    size_t bytes = 0;
    for (int64_t t = 0; t < DAY_MS; t += 25000) {
        sim_run_ms(io, 25000);
        for (int i = 0; i < PEERS; i++) {
            assert_string_equal(sim_hear_all(&p[i]), "2");
            sim_say(&p[i], "3");
            assert_string_equal(sim_hear(&p[i]), "");
        }
        if (t == 25000)
            bytes = sim.bytes;
    }
    assert_int_equal(sio_get_stats(io)->sessions, PEERS);
    assert_int_equal(sim.bytes, bytes);
    app_free(io);
}

/* ---- Many clients --------------------------------------------------------------------------- */

/* 20,000 clients join, all hear one event, half of them leave without a word. */
static void twenty_thousand_clients_hear_an_event(void **state)
{
    enum { PEERS = 20000 };
    (void)state;
    sio_options o = { .max_connections = 0 };
    sio_server *io = sim_new(&o);
    sim_client **c = calloc(PEERS, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < PEERS; i++) {
        c[i] = sim_connect();
        sim_request(c[i], "GET", "/socket.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
        sim_ws_say(c[i], "40");
    }
    sim_run_ms(io, 0);
    assert_int_equal(sio_get_stats(io)->sockets, PEERS);
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(sim_answered(c[i], false).status, 101);
        sim_ws_hear(c[i]);
        sim_ws_hear(c[i]);
    }
    sio_emit(sio_all(sio_of(io, "/")), "hi", "%d", 1);
    sim_run_ms(io, 0);
    for (int i = 0; i < PEERS; i++) {
        assert_string_equal(sim_ws_hear(c[i]), "42[\"hi\",1]");
        if (i % 2)
            sim_abort(c[i]);
    }
    sim_run_ms(io, 25000);
    assert_int_equal(sio_get_stats(io)->sockets, PEERS / 2);
    sim_run_ms(io, 20000);  // nobody answers the ping
    assert_int_equal(sio_get_stats(io)->sockets, 0);
    free(c);
    sim_free(io);
}

/* 10,000 times somebody connects, chats and leaves: memory is what it was. */
static void ten_thousand_visits_leave_nothing(void **state)
{
    (void)state;
    sio_server *io = app_new();
    size_t bytes = 0, live = 0;
    for (int i = 0; i < 10000; i++) {
        sim_client *c = sim_connect();
        sim_request(c, "GET", "/socket.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
        sim_ws_say(c, "40");
        sim_ws_say(c, "420[\"join\",\"r\"]");
        sim_ws_say(c, "42[\"in\",\"r\",\"e\",[1]]");
        sim_ws_say(c, "421[\"ask\",\"q\",[],1000]");
        sim_run_ms(io, 1);
        if (i % 3 == 0)
            sim_abort(c);
        else
            sim_close(c);
        sim_run_ms(io, 1);
        sim_forget(c);
        if (i == 5000)  // the fixture's log of disconnects is full
            sim_run_ms(io, 5000), bytes = sim.bytes, live = sim.live;
    }
    sim_run_ms(io, 5000);
    assert_int_equal(sio_get_stats(io)->sockets, 0);
    assert_int_equal(sio_get_stats(io)->rooms, 0);
    assert_int_equal(sim.bytes, bytes);
    assert_int_equal(sim.live, live);
    app_free(io);
}

/* ---- Every order of things ------------------------------------------------------------------ */

/* One client, whose session is on its way from polling to WebSocket. */
typedef struct traveller {
    sio_server *io;
    sim_client *get, *ws;
    char poll[120], upgrade[120];
    bool upgraded;
    int emitted, heard;
} traveller;

/* Counts the events in a text of packets; they must come in order. */
static void count_events(traveller *t, const char *text)
{
    for (const char *p = text; (p = strstr(p, "42[\"n\",")) != NULL; p++) {
        int n = atoi(p + 7);
        if (n != t->heard)
            fail_msg("event %d came, not %d", n, t->heard);
        t->heard++;
    }
}

static void listen_all(traveller *t)
{
    for (sim_answer a; t->get != NULL && (a = sim_answered(t->get, false)).status != 0;) {
        count_events(t, a.body);
        t->get = NULL;
    }
    for (const char *got; t->ws != NULL && *(got = sim_ws_hear(t->ws)) != '\0';) {
        count_events(t, got);
        if (strcmp(got, "END") == 0)
            t->ws = NULL;
    }
}

enum { POLL, PROBE, FINISH, EMIT, DROP, POST, TICK, STEPS };

static void do_step(traveller *t, sio_namespace *ns, int step)
{
    switch (step) {
    case POLL:
        if (t->get != NULL || t->upgraded)
            return;
        t->get = sim_connect();
        sim_request(t->get, "GET", t->poll, NULL, NULL);
        break;
    case PROBE:
        if (t->ws != NULL || t->upgraded)
            return;
        t->ws = sim_connect();
        sim_request(t->ws, "GET", t->upgrade, SIM_UPGRADE, NULL);
        sim_ws_say(t->ws, "2probe");
        break;
    case FINISH:
        if (t->ws == NULL || t->upgraded)
            return;
        sim_ws_say(t->ws, "5");
        t->upgraded = true;
        break;
    case EMIT:
        sio_emit(sio_all(ns), "n", "%d", t->emitted++);
        break;
    case DROP:  // the probing connection; what moved over to it would be lost
        if (t->ws == NULL || t->upgraded)
            return;
        sim_abort(t->ws);
        t->ws = NULL;
        break;
    case POST:
        if (!t->upgraded)
            sim_request(sim_connect(), "POST", t->poll, NULL, "3");
        break;
    default:
        sim_run_ms(t->io, 60);
    }
}

/* The 101 of the upgrade is no frame. */
static void take_head(traveller *t)
{
    if (t->ws != NULL && strncmp(sim_text(t->ws, NULL), "HTTP", 4) == 0)
        sim_answered(t->ws, false);
}

/* Plays a trace of so many steps. at_once: the server sees several of them in one turn. */
static void travel(unsigned trace, int steps, unsigned at_once)
{
    traveller t = { .io = sim_new(NULL) };
    sim_peer p;
    sio_namespace *ns = sio_of(t.io, "/");
    sim_open(t.io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    sim_hear(&p);
    snprintf(t.poll, sizeof t.poll, "/socket.io/?EIO=4&transport=polling&sid=%s", p.sid);
    snprintf(t.upgrade, sizeof t.upgrade, "/socket.io/?EIO=4&transport=websocket&sid=%s", p.sid);
    for (int i = 0; i < steps; i++, trace /= STEPS, at_once /= 2) {
        do_step(&t, ns, (int)(trace % STEPS));
        if (at_once % 2 == 0)
            sim_run_ms(t.io, 0);
        take_head(&t);
        listen_all(&t);
    }
    sim_run_ms(t.io, 100);
    take_head(&t);
    listen_all(&t);
    while (!t.upgraded && t.heard < t.emitted) {
        int before = t.heard;
        do_step(&t, ns, POLL);
        sim_run_ms(t.io, 0);
        listen_all(&t);
        if (t.heard == before)
            fail_msg("%d of %d events are lost", t.emitted - t.heard, t.emitted);
    }
    assert_int_equal(t.heard, t.emitted);
    assert_int_equal(sio_get_stats(t.io)->sessions, 1);
    sim_free(t.io);
}

static unsigned power(unsigned base, int n)
{
    return n == 0 ? 1 : base * power(base, n - 1);
}

static void no_order_of_an_upgrade_loses_or_swaps_events(void **state)
{
    (void)state;
    for (int steps = 1; steps <= 4; steps++)
        for (unsigned trace = 0; trace < power(STEPS, steps); trace++)
            travel(trace, steps, 0);
    sim.seed = 7;
    uint64_t seed = 7;
    for (int i = 0; i < 4000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        travel((unsigned)(seed >> 33) % power(STEPS, 10), 10, (unsigned)(seed >> 20));
    }
}

/* ---- Any cut -------------------------------------------------------------------------------- */

/* Reads are cut at random: the same is heard. */
static void answers_do_not_depend_on_the_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        sio_server *io = app_new();
        sim.seed = seed;
        sim.cut = SIM_RANDOM;
        assert_true(sim_play(
            io, "cut at random",
            "A ws\nB poll\n" JOINED "B> 40\nB< 40*\nB< 42*\n"
            "> 451-['message',{'_placeholder':true,'num':0}]\n# 00010203040506070809\n"
            "< 451-['message-back',{'_placeholder':true,'num':0}]\n"
            "< <00010203040506070809>\n> 42['broadcast','e',['\xc3\xa9\xf0\x9f\x98\x80']]\n"
            "B< 42['e','\xc3\xa9\xf0\x9f\x98\x80']\nC up B\nC> 2probe\nC< 3probe\nC> 5\n"
            "C> 421['message-with-ack',[1,2,3]]\nC< 431[[1,2,3]]"));
        app_free(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_of_heartbeats_loses_nobody),
        cmocka_unit_test(twenty_thousand_clients_hear_an_event),
        cmocka_unit_test(ten_thousand_visits_leave_nothing),
        cmocka_unit_test(no_order_of_an_upgrade_loses_or_swaps_events),
        cmocka_unit_test(answers_do_not_depend_on_the_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
