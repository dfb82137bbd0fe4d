/* sim_failure.c - what happens when memory or the system fails, at every single call
 * SPDX-License-Identifier: MIT
 *
 * A session with everything in it is played again and again; the k-th allocation fails, or the k-th
 * system call, for every k. Nothing crashes, hangs or leaks, whoever asks gets at most one answer,
 * and afterwards the server serves a new client as if nothing had been. */
#define _POSIX_C_SOURCE 200809L  // alarm
#include "sim_app.h"

#include <unistd.h>

/* ---- A session with everything in it -------------------------------------------------------- */

/* Sends a request on a connection of its own; what comes back may be anything, or nothing. */
static sim_client *ask(sio_server *io, const char *method, const char *target, const char *fields,
                       const char *body)
{
    sim_client *c = sim_connect();
    sim_request(c, method, target, fields, body);
    sim_run_ms(io, 0);
    return c;
}

static void say(sio_server *io, sim_client *c, const char *packet)
{
    sim_ws_say(c, packet);
    sim_run_ms(io, 0);
}

/* A text between two others in what came; "" if it is not there. */
static void find(char out[32], const sim_client *c, const char *before)
{
    const char *p = strstr(sim_text(c, NULL), before);
    snprintf(out, 32, "%.*s", p == NULL ? 0 : (int)strcspn(p + strlen(before), "\""),
             p == NULL ? "" : p + strlen(before));
}

static sim_client *websocket(sio_server *io, const char *query)
{
    char target[256];
    snprintf(target, sizeof target, "/socket.io/?transport=websocket&%s", query);
    return ask(io, "GET", target, SIM_UPGRADE "Origin: http://a\r\n", NULL);
}

/* Events, binary ones, rooms, questions, over a WebSocket; then away, and back. */
static void speak_websocket(sio_server *io)
{
    static const char *const lines[] = {
        "40{\"a\":1}",
        "40/dyn-1,",
        "40/auth,",
        "40/auth,{\"token\":\"slow\"}",
        "421[\"join\",[\"r\",\"s\"]]",
        "42[\"message\",{\"a\":[1,2.5,\"\\u00e9\"]}]",
        "422[\"message-with-ack\",1]",
        "42[\"nsp-emit\",\"all\",[1]]",
        "42[\"in\",[\"r\",\"x\"],\"e\",[]]",
        "42[\"emit-binary\",2,700]",
        "423[\"ack-later\",20,\"late\"]",
        "424[\"ask\",\"q\",[],30]",
        "425[\"ask-all\",null,\"q\",[],30]",
        "426[\"set-data\",{\"k\":1}]",
        "427[\"fetch-sockets\",null]",
        "428[\"whoami\"]",
        "42[\"mw-reject\",{\"d\":1}]",
        "429[\"mw-mark\",\"x\"]",
        "42[\"flood\",30,4000]",
        "41/dyn-1,",
        "452-[\"message\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]",
    };
    char pid[32], offset[32], query[160];
    sim_client *c = websocket(io, "EIO=4&hdr=1"), *other = websocket(io, "EIO=4");
    say(io, other, "40");
    for (size_t i = 0; i < COUNT(lines); i++)
        say(io, c, lines[i]);
    sim_ws_frame(c, 2, "ab", 2);
    sim_ws_frame(c, 0x80, "cd", 2);
    sim_ws_frame(c, 0x82, "ef", 2);
    sim_ws_frame(c, 0x89, "ping", 4);
    sim_run_ms(io, 300);
    find(pid, c, "\"pid\":\"");
    find(offset, c, "42[\"auth\",{\"a\":1},\"");
    sim_abort(c);
    sim_run_ms(io, 0);
    say(io, other, "42[\"nsp-emit\",\"missed\",[1]]");
    c = websocket(io, "EIO=4");
    snprintf(query, sizeof query, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", pid, offset);
    say(io, c, query);
    say(io, c, "42[\"disconnect-me\",true]");
    sim_finish(c);
    say(io, other, "4abc");
    c = websocket(io, "EIO=3");
    say(io, c, "42[\"emit-binary\",1,3]");
    sim_run_ms(io, 0);
}

/* Polling, an upgrade, and what is refused. */
static void speak_polling(sio_server *io)
{
    char sid[32], target[160];
    sim_client *c =
        ask(io, "GET", "/socket.io/?EIO=4&transport=polling&hdr=1", "Cookie: a\r\n", NULL);
    find(sid, c, "\"sid\":\"");
    snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    ask(io, "POST", target, NULL, "40");
    ask(io, "GET", target, NULL, NULL);
    ask(io, "POST", target, "Expect: 100-continue\r\n",
        "42[\"message\",1]\x1e"
        "451-[\"message\",{\"_placeholder\":true,\"num\":0}]\x1e"
        "bAQID");
    ask(io, "GET", target, NULL, NULL);
    ask(io, "GET", target, NULL, NULL);
    c = sim_connect();  // a body in chunks, and in pieces
    sim_sendf(c, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n42[\"m\r\n",
              target);
    sim_run_ms(io, 0);
    sim_sendf(c, "8\r\nessage\"]\r\n0\r\n\r\n");
    sim_run_ms(io, 0);
    snprintf(target, sizeof target, "EIO=4&sid=%s", sid);
    c = websocket(io, target);
    say(io, c, "2probe");
    sim_run_ms(io, 60);
    say(io, c, "5");
    say(io, c, "42[\"message\",2]");
    c = ask(io, "GET", "/socket.io/?EIO=3&transport=polling&j=1", NULL, NULL);
    sim_client *d = ask(io, "GET", "/socket.io/?EIO=4&transport=polling", NULL, NULL);
    find(sid, d, "\"sid\":\"");
    snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    d = ask(io, "GET", target, NULL, NULL);
    ask(io, "POST", target, NULL, "40|x");
    ask(io, "OPTIONS", "/socket.io/?EIO=4", "Access-Control-Request-Headers: x\r\n", NULL);
    ask(io, "GET", "/socket.io/?EIO=4&transport=polling&deny=1", NULL, NULL);
    sim_run_ms(io, 0);
}

/* Routes, files, plain WebSocket, Engine.IO alone. */
static void speak_http(sio_server *io)
{
    ask(io, "GET", "/healthz", NULL, NULL);
    ask(io, "POST", "/echo", NULL, "body");
    ask(io, "GET", "/file", NULL, NULL);
    ask(io, "GET", "/nope", NULL, NULL);
    ask(io, "GARBAGE", "/", NULL, NULL);
    sim_client *c = ask(io, "GET", "/raw", SIM_UPGRADE, NULL);
    say(io, c, "hello");
    c = ask(io, "GET", "/engine.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    say(io, c, "4hello");
    sim_ws_frame(c, 0x82, "bytes", 5);
    c = sim_connect();  // pipelined
    sim_request(c, "GET", "/healthz", NULL, NULL);
    sim_request(c, "POST", "/echo", NULL, "1234");
    sim_run_ms(io, 0);
    c = sim_connect_from("::1");
    sim_sendf(c, "GET / HT");
    sim_run_ms(io, 0);
    sim_room(c, 10);
    sim_sendf(c, "TP/1.1\r\nHost: x\r\n\r\n");
    sim_run_ms(io, 0);
    sim_room(c, SIZE_MAX);
    sim_run_ms(io, 0);
}

static void on_raw(sio_ws *ws, bool text, const void *p, size_t n)
{
    sio_ws_send(ws, text, p, n);
    sio_ws_broadcast(sio_ws_server(ws), "/raw", text, p, n);
}

static bool serve_all(sio_server *io)
{
    static const sio_ws_handlers raw = { .message = on_raw };
    sim_file("file", "<p>", 3, 1);
    return app_serve(io) && sio_websocket(io, "/raw", &raw) == 0 &&
           sio_file(io, "/file", "file") == 0;
}

/* ---- Every k -------------------------------------------------------------------------------- */

static const char *what;
static unsigned long which, fail_more;

static void fail_saying(const char *text)
{
    fail_msg("%s %lu: %s", what, which, text);
}

/* A new client is served as if nothing had been. */
static void look_after(sio_server *io)
{
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40|42[\"message\",7]");
    if (!sim_like("40{*}|42[\"auth\",*]|42[\"message-back\",7,*]", sim_hear_all(&p)))
        fail_saying("no echo afterwards");
}

/* Plays it all; the call fails that fail_alloc or fail_call says. */
static void play_session(unsigned long fail_alloc, unsigned long fail_call)
{
    alarm(20);
    app_options()->recovery_ms = 5000;
    options.cookie = "io";
    options.cors = "http://a,http://b";
    options.allow_eio3 = true;
    options.max_per_address = 1000;
    options.cleanup_empty_namespaces = true;
    app_prepare();
    sim_fail = fail_saying;
    sim_reset();
    sim.fail_alloc = fail_alloc, sim.fail_call = fail_call, sim.fail_more = fail_more;
    sio_server *io = sim_begin(&options);
    if (io != NULL && serve_all(io)) {
        speak_websocket(io);
        speak_polling(io);
        speak_http(io);
        sim_run_ms(io, 400);
        sim.fail_alloc = sim.fail_call = 0;
        sim_run_ms(io, 100);  // accepting may have paused
        const sio_stats *all = sio_get_stats(io);
        if (fail_alloc == 0 &&
            fail_call == 0)  // nothing failed: it is the session that it should be
            assert_true(all->recovered == 1 && all->upgrades == 1 && all->handshakes == 8 &&
                        all->refused >= 2);
        look_after(io);
    }
    app_free(io);
}

/* more: how many fail behind the k-th. */
static void fail_allocations(unsigned long more)
{
    what = more > 0 ? "allocations from" : "allocation";
    fail_more = 0;
    play_session(0, 0);
    unsigned long all = sim.allocs;
    assert_true(all > 1000);
    fail_more = more;
    for (which = 1; which <= all; which++)
        play_session(which, 0);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    fail_allocations(0);
}

static void memory_may_be_out_for_a_while(void **state)
{
    (void)state;
    fail_allocations(30);
}

static void fail_calls(unsigned long more)
{
    what = more > 0 ? "calls from" : "call";
    fail_more = 0;
    play_session(0, 0);
    unsigned long all = sim.calls;
    assert_true(all > 200);
    fail_more = more;
    for (which = 1; which <= all; which++)
        play_session(0, which);
}

static void any_system_call_may_fail(void **state)
{
    (void)state;
    fail_calls(0);
}

static void the_system_may_fail_for_a_while(void **state)
{
    (void)state;
    fail_calls(8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_system_call_may_fail),
        cmocka_unit_test(the_system_may_fail_for_a_while),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(memory_may_be_out_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
