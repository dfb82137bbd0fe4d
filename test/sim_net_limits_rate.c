/* sim_net_limits_rate.c - what may come in a second: under the limits, at them, and one over
 * SPDX-License-Identifier: MIT
 *
 * Two seconds' worth fit at once, and what has come runs out by the millisecond. */
#include "sim_app.h"

#define POLLING "/socket.io/?EIO=4&transport=polling"
#define WEBSOCKET "/socket.io/?EIO=4&transport=websocket"

static uint64_t limited(const sio_server *io)
{
    return sio_get_stats(io)->rate_limited;
}

/* ---- Of a client ---------------------------------------------------------------------------- */

typedef struct burst {
    const char *rule;
    size_t packets, bytes;  // the options
    int first;              // packets of 20 bytes, CONNECT not counted
    int64_t wait;
    int then;
    bool over;
} burst;

static const char packet[] = "42[\"message\",123456]";  // 20 bytes

/* CONNECT is a packet too, of 2 bytes. */
static const burst bursts[] = {
    { "no limit", 0, 0, 500, 0, 500, false },
    { "packets: at two seconds' worth", 5, 0, 9, 0, 0, false },
    { "packets: one over", 5, 0, 10, 0, 0, true },
    { "packets: full, and before one has run out", 5, 0, 9, 199, 1, true },
    { "packets: full, and when one has run out", 5, 0, 9, 200, 1, false },
    { "packets: that one, and another", 5, 0, 9, 200, 2, true },
    { "packets: empty again", 5, 0, 9, 2000, 10, false },
    { "packets: empty again, and one over", 5, 0, 9, 2000, 11, true },
    { "packets: nothing is saved up", 5, 0, 9, 20000, 11, true },
    { "bytes: at two seconds' worth", 0, 101, 10, 0, 0, false },
    { "bytes: one over", 0, 100, 10, 0, 0, true },
    { "bytes: full, and before 20 have run out", 0, 101, 10, 198, 1, true },
    { "bytes: full, and when 20 have run out", 0, 101, 10, 199, 1, false },
    { "both: the packets are too many", 5, 1000, 10, 0, 0, true },
    { "both: the bytes are too many", 50, 100, 10, 0, 0, true },
    { "as large as can be", SIZE_MAX, SIZE_MAX, 500, 0, 500, false },
};

static void say_packets(sim_peer *p, int n)
{
    for (int i = 0; i < n; i++)
        sim_say(p, packet);
}

static void play_burst(const burst *b, int transport)
{
    sim_peer p, other;
    app_options()->max_packet_rate = b->packets;
    options.max_byte_rate = b->bytes;
    sio_server *io = app_begin();
    sim_open(io, &p, transport, NULL);
    sim_open(io, &other, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_say(&other, "40");
    sim_hear_all(&other);
    int64_t begin = sim.now;
    say_packets(&p, b->first);
    if (sim.now != begin)
        fail_msg("%s: the clock went on", b->rule);
    bool early = limited(io) > 0;
    sim_run_ms(io, b->wait);
    if (!early)
        say_packets(&p, b->then);
    if ((limited(io) == 1) != b->over || (b->then > 0 && early))
        fail_msg("%s, by %s: %d", b->rule, transport == SIM_WS ? "websocket" : "polling",
                 (int)limited(io));
    const char *heard = sim_hear_all(&p);
    if (b->over && transport == SIM_WS && !sim_like("*CLOSE(1008)*", heard))
        fail_msg("%s: %s", b->rule, heard);
    if (b->over)
        assert_string_equal(app_reason(), "transport error");
    if (b->over && transport == SIM_WS) {  // by polling there is a line of the next POST as well
        assert_true(sim_like("session closed: more came at once than two seconds of max_*_rate "
                             "allow (*); client \"127.0.0.1\", session *",
                             sim.log));
    }
    assert_int_equal(sio_get_stats(io)->sessions, b->over ? 1 : 2);
    if (b->wait < 10000)
        sim_say(&other, "42[\"message\",1]");
    if (b->wait < 10000)  // each has its own
        assert_true(sim_like("*42[\"message-back\",1]", sim_hear_all(&other)));
    app_free(io);
}

static void a_client_may_send_so_much_in_a_second(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bursts); i++) {
        burst b = bursts[i];
        play_burst(&b, SIM_WS);
        if (b.wait < 10000)
            play_burst(&b, SIM_POLL);
    }
}

/* Each packet of a payload counts, and what stands behind the one too many is not handled. */
static void packets_of_a_payload_count(void **state)
{
    (void)state;
    for (int n = 9; n <= 10; n++) {
        char body[1000] = "";
        sim_peer p;
        app_options()->max_packet_rate = 5;
        sio_server *io = app_begin();
        sim_open(io, &p, SIM_POLL, NULL);
        sim_say(&p, "40");
        sim_hear_all(&p);
        for (int i = 0; i < n; i++)
            snprintf(body + strlen(body), 100, "%s42[\"join\",\"room %d\"]", i > 0 ? "|" : "", i);
        sim_say(&p, body);
        assert_int_equal(limited(io), n > 9);
        assert_int_equal(sio_get_stats(io)->sessions, n <= 9);
        app_free(io);
    }
}

/* Whatever a frame is: a ping, an empty piece of a message, a pong of the session. */
static void every_frame_counts(void **state)
{
    static const struct {
        const char *rule;
        unsigned first;
    } frames[] = { { "a ping", 0x89 }, { "a pong", 0x8a }, { "a piece", 0x00 } };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(frames); i++) {
        sim_peer p;
        app_options()->max_packet_rate = 5;
        sio_server *io = app_begin();
        sim_open(io, &p, SIM_WS, NULL);
        sim_ws_frame(p.ws, 0x01, "4", 1);
        int more = i % 2 == 0 ? 9 : 10;
        for (int k = 0; k < more; k++)
            sim_ws_frame(p.ws, frames[i / 2].first, "", 0);
        sim_run_ms(io, 0);
        if ((limited(io) > 0) != (more > 9))
            fail_msg("%s, %d times", frames[i / 2].rule, more);
        app_free(io);
    }
}

/* The WebSocket that is to take a session over counts with it. */
static void an_upgrade_counts(void **state)
{
    sim_peer p;
    (void)state;
    app_options()->max_packet_rate = 5;
    sio_server *io = app_begin();
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    char target[200];
    snprintf(target, sizeof target, WEBSOCKET "&sid=%s", p.sid);
    sim_client *ws = sim_ws_open(io, target, NULL);
    for (int i = 0; i < 10; i++)
        sim_ws_say(ws, "2probe");
    sim_run_ms(io, 0);
    assert_int_equal(limited(io), 1);
    assert_int_equal(sio_get_stats(io)->sessions, 0);
    app_free(io);
}

/* Its bytes count for the address too: an upgrade that is given up costs as much as a message. */
static void bytes_of_an_upgrade_count(void **state)
{
    (void)state;
    for (int n = 1; n <= 2; n++) {
        sim_peer p;
        char bytes[1000] = "", target[200];
        app_options()->max_byte_rate_per_address = 1000;
        sio_server *io = app_begin();
        sim_open(io, &p, SIM_POLL, NULL);
        sim_say(&p, "40");
        snprintf(target, sizeof target, WEBSOCKET "&sid=%s", p.sid);
        sim_client *ws = sim_ws_open(io, target, NULL);
        sim_run_ms(io, 2000);
        for (int i = 0; i < n; i++)
            sim_ws_frame(ws, i == 0 ? 0x01 : 0x00, bytes, sizeof bytes);
        sim_ws_frame(ws, 0x89, "", 0);
        sim_ws_frame(ws, 0x89, "x", 1);
        sim_run_ms(io, 0);
        assert_int_equal(limited(io), n > 1);
        assert_int_equal(sio_get_stats(io)->sessions, n < 2);
        app_free(io);
    }
}

static int ended_with;
static bool ended_clean;

static void note_code(sio_ws *ws, int code, bool clean)
{
    (void)ws;
    ended_with = code;
    ended_clean = clean;
}

static void a_plain_websocket_is_a_client(void **state)
{
    static const sio_ws_handlers handlers = { .close = note_code };
    (void)state;
    for (int n = 10; n <= 11; n++) {
        sio_server *io = sim_new(&(sio_options){ .max_packet_rate = 5 });
        assert_int_equal(sio_websocket(io, "/raw", &handlers), 0);
        sim_client *c = sim_ws_open(io, "/raw", NULL);
        ended_with = 0;
        for (int i = 0; i < n; i++)
            sim_ws_say(c, "x");
        sim_run_ms(io, 0);
        assert_int_equal(ended_with, n > 10 ? 1008 : 0);
        if (n > 10) {
            assert_false(ended_clean);
            assert_string_equal(sim_ws_hear(c), "CLOSE(1008)");
            assert_true(sim_like("websocket closed: 1008: more came*max_packet_rate*path \"/raw\"",
                                 sim.log));
        }
        sim_free(io);
    }
}

/* ---- Of an address -------------------------------------------------------------------------- */

/* One request from an address, over a connection of its own. */
static int ask_from(sio_server *io, const char *address, const char *fields)
{
    sim_client *c = sim_connect_from(address);
    sim_request(c, "GET", "/healthz", fields, NULL);
    sim_run_ms(io, 0);
    return sim_answered(c, false).status;
}

/* Who comes back begins where the last one ended; others don't notice. */
static void requests_of_an_address_are_limited(void **state)
{
    (void)state;
    app_options()->max_packet_rate_per_address = 5;
    sio_server *io = app_begin();
    for (int i = 0; i < 12; i++)  // tables grow
        ask_from(io, "10.0.0.3", NULL);
    sim_run_ms(io, 60000);
    size_t before = sim.bytes;
    for (int i = 0; i < 12; i++)
        assert_int_equal(ask_from(io, "10.0.0.1", NULL), i < 10 ? 200 : 429);
    assert_int_equal(limited(io), 2 + 2);
    assert_true(sim_like("request refused: 429: more came at once than two seconds of "
                         "max_packet_rate_per_address allow (*); client \"10.0.0.1\", path "
                         "\"/healthz\"",
                         sim.log));
    assert_int_equal(ask_from(io, "10.0.0.2", NULL), 200);
    sim_run_ms(io, 199);
    assert_int_equal(ask_from(io, "10.0.0.1", NULL), 429);
    sim_run_ms(io, 1);
    assert_int_equal(ask_from(io, "10.0.0.1", NULL), 200);
    assert_int_equal(ask_from(io, "10.0.0.1", NULL), 429);
    sim_run_ms(io, 60000);
    assert_int_equal(sim.bytes, before);  // nobody remembers
    for (int i = 0; i < 11; i++)
        assert_int_equal(ask_from(io, "10.0.0.1", NULL), i < 10 ? 200 : 429);
    app_free(io);
}

/* A client that keeps sending is not let in again before there is room. */
static void who_was_refused_stays_refused(void **state)
{
    (void)state;
    app_options()->max_packet_rate_per_address = 1;
    sio_server *io = app_begin();
    int served = 0;
    for (int i = 0; i < 100; i++) {  // for ten seconds
        served += ask_from(io, "10.0.0.1", NULL) == 200;
        sim_run_ms(io, 100);
    }
    assert_int_equal(served, 2 + 9);
    app_free(io);
}

static void addresses_are_told_apart(void **state)
{
    static const struct {
        const char *rule, *first, *second, *fields;
        bool trust, same;
    } cases[] = {
        { "two of IPv4", "10.0.0.1", "10.0.0.2", NULL, false, false },
        { "one network of IPv6", "::1", "::2", NULL, false, true },
        { "two networks of IPv6", "::1", "0:0:0:1::1", NULL, false, false },
        { "behind a proxy that nobody trusts", "10.0.0.1", "10.0.0.2",
          "X-Forwarded-For: 1.1.1.1\r\n", false, false },
        { "behind one that is trusted", "10.0.0.1", "10.0.0.2", "X-Forwarded-For: 1.1.1.1\r\n",
          true, true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        app_options()->max_packet_rate_per_address = 5;
        options.trust_proxy = cases[i].trust;
        sio_server *io = app_begin();
        for (int k = 0; k < 10; k++)
            assert_int_equal(ask_from(io, cases[i].first, cases[i].fields), 200);
        int status = ask_from(io, cases[i].second, cases[i].fields);
        if (status != (cases[i].same ? 429 : 200))
            fail_msg("%s: %d", cases[i].rule, status);
        app_free(io);
    }
}

/* What all clients of an address send, over whatever. */
static void clients_of_an_address_share(void **state)
{
    (void)state;
    for (int transport = SIM_WS; transport <= SIM_POLL; transport++) {
        sim_peer a, b;
        app_options()->max_packet_rate_per_address = 15;
        sio_server *io = app_begin();
        sim_open(io, &a, transport, NULL);
        sim_open(io, &b, transport, NULL);
        sim_say(&a, "40");
        sim_say(&b, "40");
        int sent = 0;
        for (; sent < 40 && limited(io) == 0; sent++)
            sim_say(sent % 2 == 0 ? &a : &b, packet);
        // 30 fit: two handshakes and two CONNECTs; by polling a POST is one as well, and a GET.
        if (transport == SIM_WS)
            assert_int_equal(sent, 30 - 4 + 1);
        else
            assert_in_range(sent, 8, 13);
        app_free(io);
    }
}

static void bytes_of_an_address_are_limited(void **state)
{
    static const char target[] = "POST /echo HTTP/1.1\r\nHost: x\r\n";
    enum { LENGTH = 501 };
    (void)state;
    for (int over = 0; over <= 1; over++) {
        char head[200];
        int n = snprintf(head, sizeof head, "%sContent-Length: %d\r\n\r\n", target, LENGTH);
        app_options()->max_byte_rate_per_address = ((size_t)n + LENGTH) / 2 - (size_t)over;
        sio_server *io = app_begin();
        assert_int_equal((n + LENGTH) % 2, 0);  // so that it is two seconds' worth
        sim_client *c = sim_connect();
        sim_send(c, head, (size_t)n);
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, over ? 429 : 0);  // before its body
        app_free(io);
    }
}

/* A body whose length is not announced counts as it comes, with what says the lengths. */
static void chunks_of_an_address_count(void **state)
{
    (void)state;
    for (int over = 0; over <= 1; over++) {
        static const char head[] =
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        size_t n = sizeof head - 1 + 10 * (4 + 100 + 2) + 5;
        app_options()->max_byte_rate_per_address = (n + 1) / 2 - (size_t)over;
        sio_server *io = app_begin();
        char *bytes = filled(100, 'x');
        sim_client *c = sim_connect();
        sim_sendf(c, "%s", head);
        for (int i = 0; i < 10; i++)
            sim_sendf(c, "64\r\n%s\r\n", bytes);
        sim_sendf(c, "0\r\n\r\n");
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, over ? 429 : 200);
        assert_int_equal(limited(io), over);
        free(bytes);
        app_free(io);
    }
}

/* An answer that waits leaves before the refusal of what was pipelined behind it. */
static void a_refusal_waits_for_its_turn(void **state)
{
    (void)state;
    app_options()->max_packet_rate_per_address = 1;
    sio_server *io = app_begin();
    sim_client *c = sim_connect();
    for (int i = 0; i < 4; i++)
        sim_request(c, "GET", "/healthz", NULL, NULL);
    sim_run_ms(io, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sim_answered(c, false).status, i < 2 ? 200 : 429);
    assert_int_equal(sim_answered(c, false).status, 0);  // the connection has ended
    assert_int_equal(limited(io), 1);
    app_free(io);
}

/* ---- What it costs --------------------------------------------------------------------------- */

/* Bytes of a session over WebSocket. */
static size_t cost(size_t packet_rate, size_t address_rate)
{
    sim_peer p;
    app_options()->max_packet_rate = packet_rate;
    options.max_packet_rate_per_address = address_rate;
    sio_server *io = app_begin();
    sim_open(io, &p, SIM_WS, NULL);  // tables and buffers
    sim_run_ms(io, 5000);
    size_t before = sim.bytes;
    sim_open(io, &p, SIM_WS, NULL);
    sim_run_ms(io, 5000);
    size_t got = sim.bytes - before;
    app_free(io);
    return got;
}

static void what_is_off_costs_no_byte(void **state)
{
    (void)state;
    size_t off = cost(0, 0);
    assert_int_equal(cost(1000, 0), off + sizeof(sio_meter));
    assert_int_equal(cost(1000, 1000), off + sizeof(sio_meter));  // its address is quiet
}

/* Without memory to count somebody the server goes on. */
static void without_memory_nobody_is_harmed(void **state)
{
    (void)state;
    for (unsigned long k = 1; k < 100; k++) {
        app_options()->max_packet_rate_per_address = 1000;
        options.max_byte_rate = 100000;
        sio_server *io = app_begin();
        sim.fail_alloc = sim.allocs + k;
        sim_client *c = sim_connect();
        sim_sendf(c, "GET " POLLING " HTTP/1.1\r\nHost: x\r\n\r\n");
        sim_sendf(c, "GET " WEBSOCKET " HTTP/1.1\r\nHost: x\r\n" SIM_UPGRADE "\r\n");
        sim_ws_say(c, "40");
        sim_run_ms(io, 10);
        assert_int_equal(limited(io), 0);
        app_free(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_may_send_so_much_in_a_second),
        cmocka_unit_test(packets_of_a_payload_count),
        cmocka_unit_test(every_frame_counts),
        cmocka_unit_test(an_upgrade_counts),
        cmocka_unit_test(bytes_of_an_upgrade_count),
        cmocka_unit_test(a_plain_websocket_is_a_client),
        cmocka_unit_test(requests_of_an_address_are_limited),
        cmocka_unit_test(who_was_refused_stays_refused),
        cmocka_unit_test(addresses_are_told_apart),
        cmocka_unit_test(clients_of_an_address_share),
        cmocka_unit_test(bytes_of_an_address_are_limited),
        cmocka_unit_test(chunks_of_an_address_count),
        cmocka_unit_test(a_refusal_waits_for_its_turn),
        cmocka_unit_test(what_is_off_costs_no_byte),
        cmocka_unit_test(without_memory_nobody_is_harmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
