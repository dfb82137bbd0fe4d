/* sim_net_limits.c - every limit of the options: at it, and one over it
 * SPDX-License-Identifier: MIT
 *
 * max_payload is in sim_eio_poll.c and sim_net_frames.c, max_head in sim_net_requests.c, times in
 * sim_eio_heartbeat.c. */
#include "sim_app.h"

/* ---- Who does not read ---------------------------------------------------------------------- */

/* A client over WebSocket with that much room asks for so many events of 1000 bytes. Says whether
 * it is still there. */
static bool survives(size_t room, int count, bool is_volatile)
{
    sio_server *io = app_begin();
    sim_peer p, other;
    char text[100];
    sim_open(io, &p, SIM_WS, NULL);
    sim_open(io, &other, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_hear_all(&p);
    sim_say(&other, "40");
    sim_hear_all(&other);
    sim_room(p.ws, room);
    snprintf(text, sizeof text, is_volatile ? "42[\"volatile\",%d]" : "42[\"flood\",%d,1000]",
             count);
    sim_say(&p, text);
    sim_run_ms(io, 10);
    bool there = !sim_closed(p.ws);
    if (!there) {
        assert_string_equal(app_reason(), "transport error");
        assert_non_null(strstr(sim.log, "max_output"));
        assert_int_equal(sio_get_stats(io)->overflows, 1);
    }
    sim_say(&other, "42[\"message\",1]");  // nobody else notices
    assert_string_equal(sim_hear(&other), "42[\"message-back\",1]");
    if (there) {
        sim_room(p.ws, SIZE_MAX);
        sim_run_ms(io, 0);
        for (int i = 0; i < count && !is_volatile; i++) {
            snprintf(text, sizeof text, "42[\"flood\",%d,*]", i);
            assert_true(sim_like(text, sim_hear(&p)));
        }
    }
    app_free(io);
    return there;
}

static void a_slow_reader_is_closed_at_its_limit(void **state)
{
    (void)state;
    size_t frame = 4 + strlen("42['flood',10,'']") + 1000;  // of events 10 to 99
    app_options()->max_output = 90 * frame + 10 * (frame - 1);
    assert_true(survives(0, 100, false));
    options.max_output--;
    assert_false(survives(0, 100, false));
    assert_true(survives(1, 100, false));  // one byte has left
    options.max_output = 1000;
    assert_true(survives(SIZE_MAX, 1000, true));  // one who reads
}

static void volatile_events_do_not_wait_for_a_slow_reader(void **state)
{
    (void)state;
    app_options()->max_output = 20000;
    sio_server *io = app_begin();
    sim_peer p, other;
    sim_open(io, &p, SIM_WS, NULL);
    sim_open(io, &other, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_hear_all(&p);
    sim_say(&other, "40");
    sim_hear_all(&other);
    sim_room(p.ws, 5);
    sim_say(&p, "42[\"flood\",1,1000]");
    for (int i = 0; i < 1000; i++)
        sim_say(&other, "42[\"volatile-broadcast\",100]");
    assert_int_equal(sio_get_stats(io)->volatile_drops, 100000);
    sim_room(p.ws, SIZE_MAX);
    sim_run_ms(io, 0);
    assert_true(sim_like("42[\"flood\",0,*]", sim_hear(&p)));
    assert_string_equal(sim_hear(&p), "");
    sim_say(&other, "42[\"volatile-broadcast\",1]");
    assert_string_equal(sim_hear(&p), "42[\"vol\",0]");
    app_free(io);
}

/* What waits for a GET that does not come is bounded as well. */
static void who_does_not_poll_is_closed_at_its_limit(void **state)
{
    (void)state;
    app_options()->max_output = 20000;
    sio_server *io = app_begin();
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    sim_hear_all(&p);
    p.waiting = true;
    sim_say(&p, "42[\"message\"]");  // its GET is answered, and none is waiting
    sim_say(&p, "42[\"flood\",19,1000]");
    sim_say(&p, "3");
    assert_int_equal(p.status, 200);
    sim_say(&p, "42[\"flood\",1,1000]");
    assert_string_equal(app_reason(), "transport error");
    sim_say(&p, "3");
    assert_int_equal(p.status, 400);
    app_free(io);
}

/* A slow reader holds what it is owed, and not what others got in the same turn. */
static void a_slow_reader_holds_only_its_own(void **state)
{
    (void)state;
    app_options();
    sio_server *io = app_begin();
    sim_peer slow, fast;
    sim_open(io, &slow, SIM_WS, NULL);
    sim_open(io, &fast, SIM_WS, NULL);
    sim_say(&slow, "40");
    sim_say(&fast, "40|420[\"join\",\"r\"]");
    sim_room(slow.ws, 0);
    sim_run_ms(io, 5000);
    size_t before = sim.bytes;
    for (int i = 0; i < 100; i++) {
        sim_ws_say(slow.ws, "42[\"message\",1]");
        sim_ws_say(fast.ws, "42[\"flood\",60,1000]");
        sim_run_ms(io, 0);
    }
    sim_run_ms(io, 5000);  // spare buffers go
    assert_true(sim.bytes - before < 200000);
    app_free(io);
}

/* ---- What is on its way ----------------------------------------------------------------------- */

static sio_net *net_of(sio_server *io)
{
    return &io->net;
}

/* What is on its way and what sessions keep, without the turn's buffer, which is there in any case. */
static size_t on_its_way(sio_server *io)
{
    const sio_buf *turn = net_of(io)->out.turn;
    return net_of(io)->held - (turn == NULL ? 0 : sizeof *turn + turn->cap);
}

static void join_as(sio_server *io, sim_peer *p, int transport)
{
    sim_open(io, p, transport, NULL);
    sim_say(p, "40");
    sim_hear_all(p);
}

/* What clients make the server hold: n bytes, or room for up to twice as many. */
static void leave_output(sio_server *io, sim_peer *p, size_t n)
{
    char text[64];
    join_as(io, p, SIM_WS);
    sim_room(p->ws, 0);
    snprintf(text, sizeof text, "42[\"flood\",1,%zu]", n);
    sim_say(p, text);
}

static void leave_polled(sio_server *io, sim_peer *p, size_t n)
{
    char text[64];
    join_as(io, p, SIM_POLL);
    p->waiting = true;
    sim_say(p, "42[\"message\"]");  // its GET is answered, and none is waiting
    snprintf(text, sizeof text, "42[\"flood\",1,%zu]", n);
    sim_say(p, text);
}

static void leave_frame(sio_server *io, sim_peer *p, size_t n)
{
    unsigned char header[14] = { 0x82, 0xff, [6] = 1 };  // 16 MiB
    char *bytes = calloc(1, n);
    join_as(io, p, SIM_WS);
    sim_send(p->ws, header, sizeof header);
    sim_send(p->ws, bytes, n);
    free(bytes);
}

static void leave_fragment(sio_server *io, sim_peer *p, size_t n)
{
    char *bytes = calloc(1, n);
    join_as(io, p, SIM_WS);
    sim_ws_frame(p->ws, 0x02, bytes, n);
    free(bytes);
}

static void leave_attachment(sio_server *io, sim_peer *p, size_t n)
{
    char *bytes = calloc(1, n);
    join_as(io, p, SIM_WS);
    sim_ws_say(p->ws, "452-[\"message\",{\"_placeholder\":true,\"num\":0},"
                      "{\"_placeholder\":true,\"num\":1}]");
    sim_ws_frame(p->ws, 0x82, bytes, n);
    free(bytes);
}

static void leave_body(sio_server *io, sim_peer *p, size_t n)
{
    char *bytes = calloc(1, n);
    join_as(io, p, SIM_POLL);
    sim_sendf(p->post,
              "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: %zu\r\n\r\n",
              p->sid, n * 5);
    sim_send(p->post, bytes, n);
    free(bytes);
}

static void leave_head(sio_server *io, sim_peer *p, size_t n)
{
    char *bytes = malloc(n);
    assert_non_null(bytes);
    memset(bytes, 'x', n);
    join_as(io, p, SIM_POLL);
    sim_sendf(p->post, "GET /");
    sim_send(p->post, bytes, n);
    free(bytes);
}

typedef void (*way)(sio_server *io, sim_peer *p, size_t n);
static const way ways[] = { leave_output,     leave_polled, leave_frame, leave_fragment,
                            leave_attachment, leave_body,   leave_head };

/* However clients make the server hold memory: it is counted, it is counted no more when they are
 * gone, and at the limit of all the one that holds most is ended, and nobody else. */
static void who_holds_most_is_ended_at_the_limit_of_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        sim_peer small[3], large, p;
        app_options()->max_memory = 1000000;
        options.max_payload = 20000000;
        options.max_head = 10000000;
        sio_server *io = app_begin();
        for (size_t k = 0; k < 3; k++)
            ways[(i + k) % COUNT(ways)](io, &small[k], 100000);
        join_as(io, &p, SIM_WS);
        sim_run_ms(io, 100);
        size_t before = on_its_way(io);
        assert_in_range(before, 300000, 700000);
        assert_int_equal(sio_get_stats(io)->overflows, 0);
        uint64_t sessions = sio_get_stats(io)->sessions;
        ways[i](io, &large, 950000);
        sim_run_ms(io, 100);
        assert_int_equal(sio_get_stats(io)->overflows, 1);
        assert_true(sio_get_stats(io)->sessions >= sessions);
        assert_non_null(strstr(sim.log, "max_memory"));
        assert_in_range(on_its_way(io), before, before + 300);  // a session may outlive its request
        sim_say(&p, "42[\"message\",1]");
        assert_string_equal(sim_hear(&p), "42[\"message-back\",1]");
        sio_shutdown(io);
        sim_run_ms(io, 60000);
        assert_int_equal(on_its_way(io), 0);
        app_free(io);
    }
}

/* What is left of a payload of many packets, for later turns, is held as well. */
static void what_is_left_of_a_payload_counts(void **state)
{
    enum { BYTES = 199999 };
    sim_peer p;
    app_options();
    sio_server *io = app_begin();
    char *bytes = filled(BYTES, '6');
    (void)state;
    join_as(io, &p, SIM_POLL);
    for (size_t i = 1; i < BYTES; i += 2)
        bytes[i] = 0x1e;
    size_t before = on_its_way(io);
    sim_sendf(p.post,
              "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: %d\r\n\r\n",
              p.sid, BYTES);
    sim_send(p.post, bytes, BYTES);
    size_t most = 0;
    for (int i = 0; i < 1000; i++) {
        sio_turn(io, 0);
        most = on_its_way(io) > most ? on_its_way(io) : most;
    }
    assert_in_range(most, BYTES * 9 / 10, before + BYTES);
    assert_int_equal(on_its_way(io), before);
    free(bytes);
    app_free(io);
}

/* At the limit nobody is ended, with one byte less somebody is, and not everybody. */
static void the_limit_of_all_is_exact(void **state)
{
    size_t held = 0;
    (void)state;
    for (int run = 0; run < 3; run++) {  // measured, at the limit, above it
        sim_peer p[8];
        app_options()->max_memory = run == 2 ? held - 1 : held;
        sio_server *io = app_begin();
        for (int i = 0; i < 8; i++)
            leave_output(io, &p[i], 100000);
        held = run == 0 ? on_its_way(io) : held;
        sim_run_ms(io, 100);
        assert_in_range(sio_get_stats(io)->overflows, run == 2, run == 2 ? 3 : 0);
        assert_int_equal(sio_get_stats(io)->connections, 8 - sio_get_stats(io)->overflows);
        app_free(io);
    }
}

/* What many are owed is there once, and counts once: a broadcast is no attack. */
static void a_broadcast_counts_once(void **state)
{
    sim_peer p[20];
    app_options()->max_memory = 1000000;
    sio_server *io = app_begin();
    char *text = filled(200000, 'x');
    (void)state;
    for (int i = 0; i < 20; i++) {
        join_as(io, &p[i], SIM_WS);
        sim_room(p[i].ws, 0);
    }
    sio_emit(sio_all(sio_of(io, "/")), "long", "%s", text);
    sim_run_ms(io, 100);
    assert_in_range(net_of(io)->held, 200000, 400000);
    assert_int_equal(sio_get_stats(io)->overflows, 0);
    free(text);
    app_free(io);
}

/* Who has read most of a long message holds all of its memory, and not what is left of the bytes; what
 * many are owed is no single one's. */
static void who_holds_memory_is_ended_and_not_who_is_owed_bytes(void **state)
{
    sim_peer large[3], owed[10], slow;
    app_options()->max_memory = 2500000;
    sio_server *io = app_begin();
    char *text = filled(200000, 'x');
    (void)state;
    leave_output(io, &slow, 100000);
    for (int i = 0; i < 10; i++) {
        join_as(io, &owed[i], SIM_WS);
        sim_room(owed[i].ws, 0);
    }
    sio_emit(sio_all(sio_of(io, "/")), "long", "%s", text);
    sim_run_ms(io, 100);
    for (int i = 0; i < 3; i++) {
        join_as(io, &large[i], SIM_WS);
        sim_room(large[i].ws, 799000);
        sim_say(&large[i], "42[\"flood\",1,800000]");
    }
    sim_run_ms(io, 100);
    assert_in_range(sio_get_stats(io)->overflows, 1, 3);
    assert_int_equal(sio_get_stats(io)->connections, 14 - sio_get_stats(io)->overflows);
    assert_false(sim_closed(slow.ws));
    for (int i = 0; i < 10; i++)
        assert_false(sim_closed(owed[i].ws));
    free(text);
    app_free(io);
}

/* The turn's buffer is no client's: with a limit that is below it nobody is ended, nor looked for when
 * the server goes. */
static void the_limit_is_about_clients(void **state)
{
    static const sio_engine_handlers none = { .open = NULL };
    sim_peer p, slow;
    (void)state;
    app_options()->max_memory = 10000;
    sio_server *io = app_begin();
    assert_int_equal(sio_engine(io, &(sio_options){ .path = "/deaf" }, &none), 0);
    leave_output(io, &slow, 5000);
    join_as(io, &p, SIM_WS);
    sim_say(&p, "42[\"message\",1]");
    assert_string_equal(sim_hear(&p), "42[\"message-back\",1]");
    assert_int_equal(sio_get_stats(io)->overflows, 0);
    app_free(io);
}

/* What sio.h says that one connection can make the server hold. */
static void one_client_pins_what_the_options_say(void **state)
{
    static char bytes[600000];
    (void)state;
    app_options()->max_output = 300000;
    sio_server *io = app_begin();
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_run_ms(io, 5000);
    size_t before = sim.bytes, most = 2 * (2 * 1000000 + 300000) + 128 * 1024;
    sim_room(p.ws, 0);
    for (int i = 0; i < 300000 / 127; i++)
        sim_ws_frame(p.ws, 0x89, bytes, 125);
    sim_ws_frame(p.ws, 0x02, bytes, 500001);
    sim_run_ms(io, 0);
    unsigned char header[14] = { 0x80, 0xff, [7] = 7, 0xa1, 0x1f };  // 499,999 bytes
    sim_send(p.ws, header, sizeof header);
    sim_send(p.ws, bytes, 499998);
    sim_run_ms(io, 5000);
    assert_false(sim_closed(p.ws));
    assert_in_range(sim.bytes - before, 1750000, most);
    assert_true(net_of(io)->held <= 2 * 1000000 + 65536 + 300000);
    app_free(io);
}

/* When much was held and little is left, free memory goes back to the system: once, after a while, and
 * only where it is libc's. */
static void memory_goes_back_after_a_great_fall(void **state)
{
    static const struct {
        const char *say;  // megabytes
        bool libc;
        unsigned long times;
    } cases[] = { { "42[\"flood\",9,1000000]", true, 1 },
                  { "42[\"flood\",9,1000000]", false, 0 },
                  { "42[\"flood\",5,1000000]", true, 0 } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sim_peer p, other;
        sio_server *io = app_new();
        net_of(io)->libc_memory = cases[i].libc;
        join_as(io, &other, SIM_WS);
        for (int round = 0; round < 2; round++) {
            sim.given_back = 0;
            join_as(io, &p, SIM_WS);
            sim_room(p.ws, 0);
            sim_say(&p, cases[i].say);
            sim_run_ms(io, 10000);
            assert_int_equal(sim.given_back, 0);
            sim_abort(p.ws);
            sim_run_ms(io, 1000);
            assert_int_equal(sim.given_back, 0);
            sim_run_ms(io, 20000);
            assert_int_equal(sim.given_back, cases[i].times);
        }
        app_free(io);
    }
}

/* So does the table of connections: it is as long as there were at the worst. */
static void the_table_of_connections_shrinks_after_a_great_fall(void **state)
{
    enum { MANY = 100 };
    (void)state;
    sio_server *io = app_new();
    net_of(io)->libc_memory = true;
    sim_client *c[MANY];
    for (int i = 0; i < MANY; i++)
        c[i] = sim_connect();
    sim_peer p, other;
    join_as(io, &p, SIM_WS);
    sim_room(p.ws, 0);
    sim_say(&p, "42[\"flood\",9,1000000]");
    sim_run_ms(io, 0);
    assert_true(net_of(io)->cap_conns > MANY);
    for (int i = 0; i < MANY; i++)
        sim_abort(c[i]);
    sim_abort(p.ws);
    sim_run_ms(io, 20000);
    assert_in_range(net_of(io)->cap_conns, net_of(io)->n_conns, 4);
    join_as(io, &other, SIM_WS);  // and grows again
    app_free(io);
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void connections_are_limited(void **state)
{
    (void)state;
    app_options()->max_connections = 3;
    sio_server *io = app_begin();
    sim_client *c[5];
    for (int i = 0; i < 5; i++) {
        c[i] = sim_connect();
        sim_run_ms(io, 0);
        assert_int_equal(sim_closed(c[i]), i >= 3);
    }
    assert_int_equal(sio_get_stats(io)->refused, 2);
    sim_close(c[0]);
    sim_run_ms(io, 0);
    c[0] = sim_connect();
    sim_run_ms(io, 0);
    assert_false(sim_closed(c[0]));
    app_free(io);
}

static void connections_per_address_are_limited(void **state)
{
    (void)state;
    app_options()->max_per_address = 2;
    sio_server *io = app_begin();
    static const char *const from[] = { "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2",
                                        "::1",      "::2",      "::3",      "0:0:0:1::1" };
    sim_client *c[8];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++)
            c[i] = sim_connect_from(from[i]);
        sim_run_ms(io, 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(sim_closed(c[i]), i == 2 || i == 6);
        for (int i = 0; i < 8; i++)
            sim_close(c[i]);
        sim_run_ms(io, 0);
    }
    app_free(io);
}

/* Out of descriptors, accepting pauses: it does not spin (sim.c looks), and goes on when it can. */
static void out_of_descriptors_accepting_pauses(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim.max_open = 3;
    sim_client *c[6];
    for (int i = 0; i < 6; i++)
        c[i] = sim_connect();
    unsigned long turns = sim.turns;
    sim_run_ms(io, 5000);
    assert_true(sim.turns - turns < 150);
    assert_int_equal(sim.open, 3);
    for (int i = 0; i < 3; i++)
        sim_close(c[i]);
    sim_run_ms(io, 0);
    sim_request(c[5], "GET", "/healthz", NULL, NULL);
    sim_run_ms(io, 100);
    assert_int_equal(sim_answered(c[5], false).status, 200);
    for (int i = 0; i < 60; i++)  // stopped while it pauses
        sim_connect();
    sim_run_ms(io, 10);
    app_free(io);
}

/* Threat "connection flood": who is served does not wait for those that arrive. */
static void a_flood_of_connections_delays_nobody(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_hear_all(&p);
    for (int i = 0; i < 5000; i++)
        sim_connect();
    sim_ws_say(p.ws, "42[\"message\",1]");
    sio_turn(io, 0);
    assert_string_equal(sim_hear(&p), "42[\"message-back\",1]");
    app_free(io);
}

/* ---- Packets, namespaces, rooms ------------------------------------------------------------- */

static void namespaces_of_a_connection_are_limited(void **state)
{
    (void)state;
    app_options()->max_namespaces = 3;
    static const play cases[] = {
        { "at 3, and at 4",
          "> 40\n< 40*\n< 42*\n> 40/dyn-1,\n< 40*\n< 42*\n> 40/dyn-2,\n< 40*\n< 42*\n"
          "> 40/dyn-3,\n< 44/dyn-3,{'message':'Invalid namespace'}\n> 41/dyn-1,\n> 40/dyn-3,\n< "
          "40/dyn-3*\n"
          "< 42*\n> 42['message']\n< 42['message-back']" },
    };
    play_everywhere("", cases, COUNT(cases));
}

static size_t most_bytes;

static void note_bytes(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    most_bytes = sim.bytes > most_bytes ? sim.bytes : most_bytes;
}

/* Threat "a small request that takes much memory": what one payload brings and takes away again is
 * not kept until the turn ends; only the answers are. */
static void a_payload_of_sockets_that_come_and_go_is_not_kept(void **state)
{
    enum { PAIRS = 20000, ANSWER = 64 };
    (void)state;
    sio_server *io = app_begin();
    sio_on(sio_of(io, "/empty"), "connection", note_bytes);
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    char *body = malloc(PAIRS * strlen("40/empty,|41/empty,|") + 1), *to = body;
    assert_non_null(body);
    for (int i = 0; i < PAIRS; i++)
        to += sprintf(to, "40/empty,|41/empty,%s", i + 1 < PAIRS ? "|" : "");
    size_t before = sim.bytes + 2 * strlen(body);  // the body is put together from reads
    most_bytes = 0;
    sim_say(&p, body);
    assert_int_equal(p.status, 200);
    assert_true(most_bytes > 0 && most_bytes < before + PAIRS * ANSWER);
    assert_true(sim_like("40/empty,{*}", sim_hear(&p)));
    free(body);
    app_free(io);
}

static void rooms_of_a_socket_are_limited(void **state)
{
    (void)state;
    app_options()->max_rooms = 2;
    static const play cases[] = {
        { "at 2, and at 3",
          JOINED "> 421['join',['a','b','c']]\n< 431[['a','b']]\n> 421['leave','a']\n"
                 "< 431[['b']]\n> 421['join','c']\n< 431[['b','c']]" },
    };
    play_alone(SIM_WS, "", cases, COUNT(cases));
}

static void attachments_are_limited(void **state)
{
    (void)state;
    app_options()->max_attachments = 1;
    static const play cases[] = {
        { "at 1", JOINED "> 451-['message',1]\n# 01\n< 42['message-back',1]" },
        { "at 2", JOINED "> 452-['message',1]\n< CLOSE()" },
    };
    play_everywhere("", cases, COUNT(cases));
}

static void depth_is_limited(void **state)
{
    (void)state;
    app_options()->max_depth = 3;
    static const play cases[] = {
        { "at 3", JOINED "> 42['message',[[]]]\n< 42['message-back',[[]]]" },
        { "at 4", JOINED "> 42['message',[[[]]]]\n< CLOSE()" },
    };
    play_everywhere("", cases, COUNT(cases));
}

/* ---- Handshakes with options of their own --------------------------------------------------- */

static void a_trusted_proxy_names_the_address(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *address;
    } cases[] = {
        { "X-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\n", "5.6.7.8" },
        { "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nX-Forwarded-Proto: https\r\n", "5.6.7.8" },
        { "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: ::1 ,5.6.7.8 \r\n"
          "X-Forwarded-Proto: https\r\n",
          "5.6.7.8" },
        { "X-Forwarded-For: 1.2.3.4,\r\nX-Forwarded-Proto: https\r\n", "127.0.0.1" },
        { "X-Forwarded-For: \r\nX-Forwarded-Proto: https\r\n", "127.0.0.1" },
    };
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        bool trust = i % 2 == 1;
        char address[64];
        app_options()->trust_proxy = trust;
        sio_server *io = app_begin();
        sim_client *c =
            sim_ws_open(io, "/socket.io/?EIO=4&transport=websocket", cases[i / 2].fields);
        sim_ws_say(c, "40");
        sim_ws_say(c, "421[\"whoami\"]");
        sim_run_ms(io, 0);
        for (int k = 0; k < 3; k++)
            sim_ws_hear(c);
        const char *got = sim_ws_hear(c);
        snprintf(address, sizeof address, "\"address\":\"%s\"",
                 trust ? cases[i / 2].address : "127.0.0.1");
        assert_non_null(strstr(got, address));
        assert_non_null(strstr(got, trust ? "\"secure\":true" : "\"secure\":false"));
        app_free(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_reader_is_closed_at_its_limit),
        cmocka_unit_test(volatile_events_do_not_wait_for_a_slow_reader),
        cmocka_unit_test(who_does_not_poll_is_closed_at_its_limit),
        cmocka_unit_test(a_slow_reader_holds_only_its_own),
        cmocka_unit_test(who_holds_most_is_ended_at_the_limit_of_all),
        cmocka_unit_test(what_is_left_of_a_payload_counts),
        cmocka_unit_test(the_limit_of_all_is_exact),
        cmocka_unit_test(a_broadcast_counts_once),
        cmocka_unit_test(who_holds_memory_is_ended_and_not_who_is_owed_bytes),
        cmocka_unit_test(the_limit_is_about_clients),
        cmocka_unit_test(one_client_pins_what_the_options_say),
        cmocka_unit_test(memory_goes_back_after_a_great_fall),
        cmocka_unit_test(the_table_of_connections_shrinks_after_a_great_fall),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(connections_per_address_are_limited),
        cmocka_unit_test(out_of_descriptors_accepting_pauses),
        cmocka_unit_test(a_flood_of_connections_delays_nobody),
        cmocka_unit_test(namespaces_of_a_connection_are_limited),
        cmocka_unit_test(a_payload_of_sockets_that_come_and_go_is_not_kept),
        cmocka_unit_test(rooms_of_a_socket_are_limited),
        cmocka_unit_test(attachments_are_limited),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(a_trusted_proxy_names_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
