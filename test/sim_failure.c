/* sim_failure.c - what happens when memory or the system fails, at every single call
 * SPDX-License-Identifier: MIT
 *
 * Each scenario is played again and again; the k-th allocation fails, or the k-th system call in each
 * way that it can, for every k. Nothing crashes, hangs or leaks, whoever asks gets at most one answer,
 * and afterwards the server serves a new client as if nothing had been. Where a call only gives
 * nothing now, or the least that it can, the scenario goes as if it had given all. */
#define _POSIX_C_SOURCE 200809L  // alarm
#include "sim_app.h"

#include <errno.h>
#include <unistd.h>

/* ---- Scenarios ------------------------------------------------------------------------------- */

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

/* Whether that came; there may be NULs around it. */
static bool came(const sim_client *c, const char *text)
{
    size_t n, size = strlen(text);
    const char *p = sim_text(c, &n);
    for (; n >= size; p++, n--)
        if (memcmp(p, text, size) == 0)
            return true;
    return false;
}

/* Events, binary ones, rooms, questions, namespaces. */
static bool speak(sio_server *io)
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
    };
    sim_client *c = websocket(io, "EIO=4&hdr=1"), *other = websocket(io, "EIO=4");
    say(io, other, "40");
    for (size_t i = 0; i < COUNT(lines); i++)
        say(io, c, lines[i]);
    sim_ws_frame(c, 0x89, "ping", 4);
    sim_run_ms(io, 300);
    sim_room(c, 500);  // reads slowly
    say(io, c, "42[\"flood\",30,4000]");
    sim_room(c, 50000);
    say(io, c, "4210[\"rooms\"]");
    sim_room(c, SIZE_MAX);
    sim_run_ms(io, 0);
    say(io, c, "42[\"disconnect-me\",true]");
    sim_finish(c);
    say(io, other, "4abc");
    return came(c, "433[\"late\"]") && came(c, "439[") && came(c, "4310[") &&
           came(other, "42[\"all\",1");
}

/* Attachments in both directions and in fragments; one for a packet that has none. */
static bool speak_binary(sio_server *io)
{
    sim_client *c = websocket(io, "EIO=4");
    say(io, c, "40");
    say(io, c, "42[\"emit-binary\",2,700]");
    say(io, c,
        "452-[\"message\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]");
    sim_ws_frame(c, 2, "ab", 2);
    sim_ws_frame(c, 0x80, "cd", 2);
    sim_ws_frame(c, 0x82, "ef", 2);
    sim_run_ms(io, 0);
    say(io, c, "421[\"ack-binary\",2,300]");
    bool all = came(c, "abcd") && came(c, "462-1[");
    sim_ws_frame(c, 0x82, "stray", 5);
    sim_run_ms(io, 0);
    return all;
}

/* Away, and back: with what was missed, and its rooms. */
static bool recover(sio_server *io)
{
    char pid[32], offset[32], query[160];
    sim_client *c = websocket(io, "EIO=4"), *other = websocket(io, "EIO=4");
    say(io, other, "40");
    say(io, c, "40{\"a\":1}");
    say(io, c, "42[\"join\",\"r\"]");
    say(io, c, "42[\"set-data\",[1]]");
    find(pid, c, "\"pid\":\"");
    find(offset, c, "42[\"auth\",{\"a\":1},\"");
    sim_abort(c);
    sim_run_ms(io, 0);
    say(io, other, "42[\"nsp-emit\",\"missed\",[1]]");
    say(io, other, "42[\"in\",\"r\",\"missed\",[2]]");
    say(io, other, "42[\"emit-binary\",1,3]");
    snprintf(query, sizeof query, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", pid, offset);
    c = websocket(io, "EIO=4");
    say(io, c, query);
    say(io, c, "420[\"rooms\"]");
    say(io, websocket(io, "EIO=4"), query);  // nobody comes back twice
    return came(c, "42[\"missed\",1,") && came(c, "42[\"missed\",2,") && came(c, "430[[\"r\"]]") &&
           sio_get_stats(io)->recovered == 1;
}

/* Protocol 3 over WebSocket and polling, JSONP, attachments in Base64. */
static bool speak_old(sio_server *io)
{
    char sid[32], target[160];
    sim_client *c = websocket(io, "EIO=3");
    say(io, c, "2probe");
    say(io, c, "42[\"emit-binary\",1,3]");
    say(io, c, "420[\"message-with-ack\",1]");
    say(io, c, "40/auth?token=secret");
    bool all = came(c, "430[1]");
    c = ask(io, "GET", "/socket.io/?EIO=3&transport=polling&j=1", NULL, NULL);
    c = ask(io, "GET", "/socket.io/?EIO=3&transport=polling&b64=1", NULL, NULL);
    find(sid, c, "\"sid\":\"");
    snprintf(target, sizeof target, "/socket.io/?EIO=3&transport=polling&b64=1&sid=%s", sid);
    ask(io, "POST", target, NULL,
        "1:2"
        "16:42[\"message\",\"x\"]");
    ask(io, "POST", target, NULL, "24:42[\"emit-binary\",1,9]   ");
    c = ask(io, "GET", target, NULL, NULL);
    c = ask(io, "GET", target, NULL, NULL);
    ask(io, "POST", target, "Content-Type: application/octet-stream\r\n",
        "\1\1\xff"
        "4x");
    return all && sio_get_stats(io)->handshakes == 3;
}

/* Opens a polling session; target gets its address. */
static void open_polling(sio_server *io, const char *query, char sid[32], char target[160])
{
    snprintf(target, 160, "/socket.io/?EIO=4&transport=polling%s", query);
    find(sid, ask(io, "GET", target, "Cookie: a\r\n", NULL), "\"sid\":\"");
    snprintf(target, 160, "/socket.io/?EIO=4&transport=polling&sid=%s", sid);
}

/* A GET that waits, bodies of every kind, and the end of a session. */
static bool poll(sio_server *io)
{
    char sid[32], target[160];
    open_polling(io, "&hdr=1", sid, target);
    ask(io, "POST", target, NULL, "40");
    ask(io, "GET", target, NULL, NULL);
    sim_client *waits = ask(io, "GET", target, NULL, NULL);
    ask(io, "POST", target, "Expect: 100-continue\r\n",
        "42[\"message\",1]\x1e"
        "451-[\"message\",{\"_placeholder\":true,\"num\":0}]\x1e"
        "bAQID");
    ask(io, "GET", target, NULL, NULL);
    sim_client *c = sim_connect();  // a body in chunks, and in pieces
    sim_sendf(c, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n42[\"m\r\n",
              target);
    sim_run_ms(io, 0);
    sim_sendf(c, "8\r\nessage\"]\r\n0\r\n\r\n");
    sim_run_ms(io, 0);
    bool all = came(waits, "42[\"message-back\",1") && came(c, "ok");
    ask(io, "POST", target, NULL, "42[\"flood\",3,4000]");
    c = sim_connect();  // reads its answer slowly
    sim_room(c, 500);
    sim_request(c, "GET", target, NULL, NULL);
    sim_run_ms(io, 0);
    sim_room(c, SIZE_MAX);
    sim_run_ms(io, 0);
    ask(io, "GET", target, NULL, NULL);
    ask(io, "GET", target, NULL, NULL);
    ask(io, "GET", target, NULL, NULL);  // a second one beside one that waits ends the session
    open_polling(io, "", sid, target);
    ask(io, "GET", target, NULL, NULL);
    ask(io, "POST", target, NULL, "40|x");
    return all;
}

static bool upgrade(sio_server *io)
{
    char sid[32], target[160];
    open_polling(io, "", sid, target);
    ask(io, "POST", target, NULL, "40");
    ask(io, "GET", target, NULL, NULL);
    ask(io, "GET", target, NULL, NULL);
    snprintf(target, sizeof target, "EIO=4&sid=%s", sid);
    sim_client *c = websocket(io, target), *late = websocket(io, target);
    say(io, c, "2probe");
    sim_run_ms(io, 120);  // a noop ends the GET
    say(io, c, "5");
    say(io, c, "42[\"message\",2]");
    say(io, late, "2probe");
    return came(c, "42[\"message-back\",2") && sio_get_stats(io)->upgrades == 1;
}

/* Routes and files, what is refused, requests in a row and in pieces. */
static bool browse(sio_server *io)
{
    ask(io, "GET", "/healthz", NULL, NULL);
    ask(io, "POST", "/echo", NULL, "body");
    sim_client *file = ask(io, "GET", "/file", NULL, NULL);
    ask(io, "GET", "/file", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT\r\n", NULL);
    ask(io, "HEAD", "/file", NULL, NULL);
    ask(io, "GET", "/nope", NULL, NULL);
    ask(io, "GARBAGE", "/", NULL, NULL);
    ask(io, "OPTIONS", "/socket.io/?EIO=4", "Access-Control-Request-Headers: x\r\n", NULL);
    ask(io, "GET", "/socket.io/?EIO=4&transport=polling&deny=1", NULL, NULL);
    sim_client *c = sim_connect();  // pipelined
    sim_request(c, "GET", "/healthz", NULL, NULL);
    sim_request(c, "POST", "/echo", NULL, "1234");
    sim_run_ms(io, 0);
    sim_client *d = sim_connect_from("::1");
    sim_sendf(d, "GET / HT");
    sim_run_ms(io, 0);
    sim_room(d, 10);
    sim_sendf(d, "TP/1.1\r\nHost: x\r\n\r\n");
    sim_run_ms(io, 0);
    sim_room(d, SIZE_MAX);
    sim_run_ms(io, 0);
    return came(file, "<p>") && came(c, "1234") && came(d, "404");
}

/* Plain WebSockets: whole messages, fragments, to all, a goodbye. */
static bool speak_raw(sio_server *io)
{
    sim_client *c = ask(io, "GET", "/raw", SIM_UPGRADE, NULL);
    sim_client *other = ask(io, "GET", "/raw", SIM_UPGRADE, NULL);
    say(io, c, "hello");
    sim_ws_frame(c, 0x01, "in ", 3);
    sim_ws_frame(c, 0x89, "", 0);
    sim_ws_frame(c, 0x80, "two", 3);
    sim_ws_frame(other, 0x82, "bytes", 5);
    sim_run_ms(io, 0);
    sim_ws_frame(c, 0x88, "\3\xe8", 2);
    sim_run_ms(io, 0);
    say(io, other, "alone");
    return came(other, "hello") && came(other, "in two") && came(c, "bytes") &&
           came(other, "alone");
}

/* Engine.IO without Socket.IO over it. */
static bool speak_engine(sio_server *io)
{
    char sid[32], target[160];
    sim_client *c = ask(io, "GET", "/engine.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    say(io, c, "4hello");
    sim_ws_frame(c, 0x82, "bytes", 5);
    sim_run_ms(io, 0);
    bool all = came(c, "4hello") && came(c, "bytes");
    c = ask(io, "GET", "/engine.io/?EIO=4&transport=polling", NULL, NULL);
    find(sid, c, "\"sid\":\"");
    snprintf(target, sizeof target, "/engine.io/?EIO=4&transport=polling&sid=%s", sid);
    ask(io, "POST", target, NULL,
        "4polled\x1e"
        "bAQID");
    return all && came(ask(io, "GET", target, NULL, NULL), "4polled");
}

/* The server ends while everybody is there, and somebody in the middle of a request. */
static bool stop(sio_server *io)
{
    char sid[32], target[160];
    sim_client *c = websocket(io, "EIO=4");
    say(io, c, "40");
    ask(io, "GET", "/raw", SIM_UPGRADE, NULL);
    ask(io, "GET", "/engine.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    websocket(io, "EIO=3");
    open_polling(io, "", sid, target);
    ask(io, "POST", target, NULL, "40");
    ask(io, "GET", target, NULL, NULL);
    ask(io, "GET", target, NULL, NULL);
    sim_sendf(sim_connect(), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n42", target);
    sim_sendf(sim_connect(), "GET / HT");
    say(io, c, "42[\"ask\",\"q\",[],5000]");
    sim_room(c, 500);  // and somebody who does not read
    say(io, c, "42[\"flood\",30,4000]");
    sio_shutdown(io);
    int result = 1;
    for (int i = 0; i < 100 && result != 0; i++)
        result = sim_run_ms(io, 1000);
    if (result != 0)
        sim_fail("it does not stop");
    return true;
}

/* What fails says why. */
static bool is_done(bool done)
{
    if (!done && errno != ENOMEM)
        sim_fail(strerror(errno));
    return done;
}

static int once_runs;

static void count_once(sio_socket *s, sio_event *e)
{
    (void)s;
    once_runs += sio_handler_data(e) == &once_runs;
}

static void on_posted(sio_server *io, void *data)
{
    sio_emit(sio_all(data), "posted", "%p", sio_make(io, "%d", 1));
}

static uint64_t every;

static void on_every(sio_server *io, void *data)
{
    sio_emit(sio_all(data), "every", "");
    sio_cancel(io, every);
}

/* A list that could not grow is what it was. */
static sio_value grow_list(sio_server *io, sio_event *e)
{
    sio_value list = sio_array(io), object = sio_object(io);
    size_t count = 0;
    if (list == NULL || object == NULL)
        return NULL;
    for (int i = 0; i < 12; i++) {
        count += is_done(sio_push(list, "%p", sio_binary(io, "b", 1)) == 0);
        is_done(sio_set_member(object, "k", "[%p]", list) == 0);
        if (sio_count(list) != count)
            sim_fail("a list that did not grow has grown");
    }
    count += is_done(sio_push(list, "%p, %p", object, sio_args(e)) == 0);
    sio_value kept = sio_keep(io, list), parsed = sio_parse(io, "[1]", 3);
    is_done(parsed != NULL);
    is_done(sio_push(list, "%p, %p", kept, parsed) == 0);
    sio_drop(kept);
    return list;
}

static void on_new(sio_socket *s, sio_event *e)
{
    sio_server *io = sio_socket_server(s);
    char text[8] = "";
    int n = 7;
    sio_value v = NULL, list = grow_list(io, e);
    sio_scan(e, "{'a': %7s, 'n'?: %d, 'v': %p}", text, &n, &v);
    if (n != 7)
        sim_fail("what is not there was stored");
    sio_off(sio_ns(s), "once", count_once, &once_runs);
    is_done(sio_once(sio_ns(s), "once", count_once, &once_runs) == 0);
    is_done(sio_on_any(sio_ns(s), count_once) == 0);
    is_done(sio_post(io, on_posted, sio_ns(s)) == 0);
    sio_cancel(io, every);
    every = sio_every(io, 50, on_every, sio_ns(s));
    is_done(every != 0);
    sio_ack(e, "%p, %p, %p", list, v, sio_socket_rooms(s));
}

static const char *rename_new(sio_socket *s, sio_event *e)
{
    (void)s;
    if (strcmp(sio_name(e), "old") == 0 && is_done(sio_set_name(e, "new") == 0))
        is_done(sio_set_arg(e, 1, sio_null()) == 0);
    return NULL;
}

static const char *wait_new(sio_socket *s, sio_event *e)
{
    sio_admission a = sio_next_later(e);
    if (sio_next_socket(a) != NULL && sio_next_socket(a) != s)
        sim_fail("another socket waits");
    sio_next(a, NULL, "");
    return SIO_LATER;
}

/* Handlers that come and go, events under other names, values that grow, posts and timers. */
static bool handle(sio_server *io)
{
    sio_namespace *ns = sio_of(io, "/handle");
    once_runs = 0, every = 0;
    if (!is_done(ns != NULL) || !is_done(sio_use(ns, wait_new) == 0) ||
        !is_done(sio_use_event(ns, rename_new) == 0) || !is_done(sio_on(ns, "new", on_new) == 0))
        return false;
    sim_client *c = websocket(io, "EIO=4");
    say(io, c, "40/handle,");
    say(io, c, "42/handle,1[\"old\",{\"a\":\"text\",\"v\":[1]}]");
    say(io, c, "42/handle,[\"once\"]");
    say(io, c, "42/handle,[\"once\"]");
    sim_run_ms(io, 100);
    sio_off(ns, "new", NULL);
    sio_off_any(ns, NULL);
    return once_runs == 1 && came(c, "-/handle,1[[") && came(c, "[\"posted\",1") &&
           came(c, "[\"every\"");
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

static const struct scenario {
    const char *name;
    bool (*play)(sio_server *io);  // whether all of it went as it should
    bool stops;                    // the server; nobody can be served afterwards
} scenarios[] = {
    { "events", speak, false },
    { "binary events", speak_binary, false },
    { "recovery", recover, false },
    { "protocol 3", speak_old, false },
    { "polling", poll, false },
    { "upgrade", upgrade, false },
    { "routes and files", browse, false },
    { "plain WebSocket", speak_raw, false },
    { "plain Engine.IO", speak_engine, false },
    { "handlers and values", handle, false },
    { "stop", stop, true },
};

/* ---- Every k -------------------------------------------------------------------------------- */

/* What fails: number k, allocations or calls in that way, and so many behind it. */
static struct failure {
    const char *what;
    bool memory;
    int how;
    unsigned long more, k;
} failure;
static const struct scenario *now;
static unsigned long tried;  // steps

static void fail_saying(const char *text)
{
    fail_msg("%s: %s %lu: %s", now->name, failure.what, failure.k, text);
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

static void set_options(void)
{
    app_options();
    recovery.ms = 5000;
    options.cookie = "io";
    options.cors = "http://a,http://b";
    options.max_per_address = 1000;
    options.cleanup_empty_namespaces = true;
}

/* Plays the scenario, with the failure. What fails for good leaves what is heard to chance. */
static void play_it(void)
{
    bool harmless = failure.k == 0 || failure.how == SIM_NOT_NOW || failure.how == SIM_PART;
    alarm(300);  // for what hangs
    set_options();
    app_prepare();
    sim_fail = fail_saying;
    sim_reset();
    sim.fail_how = failure.how, sim.fail_more = failure.more;
    *(failure.memory ? &sim.fail_alloc : &sim.fail_call) = failure.k;
    sio_server *io = sim_begin(&options);
    if (io != NULL && sio_allow_v3(io) == 0 && serve_all(io)) {
        if (!now->play(io) && harmless)
            fail_saying("it went otherwise");
        if (!now->stops)
            sim_run_ms(io, 400);
        sim.fail_alloc = sim.fail_call = 0;
        if (!now->stops) {
            sim_run_ms(io, 100);  // accepting may have paused
            look_after(io);
        }
    } else if (harmless)
        fail_saying("it did not begin");
    app_free(io);
}

/* Every scenario, for every k. */
static void fail_everywhere(struct failure f)
{
    unsigned long steps = 0;
    for (size_t i = 0; i < COUNT(scenarios); i++) {
        now = &scenarios[i];
        failure = f;
        play_it();
        unsigned long all = f.memory ? sim.allocs : sim.calls;
        for (failure.k = 1; failure.k <= all; failure.k++)
            play_it();
        steps += all;
    }
    print_message("%s: %lu steps\n", f.what, steps);
    tried += steps;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    fail_everywhere((struct failure){ .what = "allocation", .memory = true });
}

static void memory_may_be_out_for_a_while(void **state)
{
    (void)state;
    fail_everywhere((struct failure){ .what = "allocations from", .memory = true, .more = 30 });
}

static void any_system_call_may_fail(void **state)
{
    (void)state;
    fail_everywhere((struct failure){ .what = "error of call", .how = SIM_ERROR });
    fail_everywhere((struct failure){ .what = "nothing now from call", .how = SIM_NOT_NOW });
    fail_everywhere((struct failure){ .what = "the least of call", .how = SIM_PART });
    fail_everywhere((struct failure){ .what = "jump of the clock at call", .how = SIM_JUMP });
}

static void the_system_may_fail_for_a_while(void **state)
{
    (void)state;
    fail_everywhere((struct failure){ .what = "errors from call", .how = SIM_ERROR, .more = 8 });
    fail_everywhere(
        (struct failure){ .what = "nothing now from calls at", .how = SIM_NOT_NOW, .more = 8 });
    fail_everywhere((struct failure){ .what = "the least from call", .how = SIM_PART, .more = 8 });
}

/* The turn's buffer is taken by one who does not read. Joins a namespace then, and the k-th allocation
 * fails; false: there were not so many. */
static bool joins_or_ends(const char *query, const char *packet, unsigned long k)
{
    static char text[40000];
    sim_peer slow, p;
    sio_server *io = sim_new(NULL);
    sio_namespace *ns = sio_of(io, "/b");
    assert_int_equal(sio_allow_v3(io), 0);
    memset(text, 'x', sizeof text - 1);
    sim_open(io, &slow, SIM_WS, NULL);
    sim_say(&slow, "40/b,");
    sim_open(io, &p, SIM_WS, query);
    sim_hear_all(&p);
    sim_room(slow.ws, 0);
    sio_emit(sio_all(ns), "x", "%s", text);
    sim_run_ms(io, 0);
    sim.fail_alloc = sim.allocs + k;
    sim_say(&p, packet);
    bool failed = sim.allocs >= sim.fail_alloc;
    sim.fail_alloc = 0;
    sim_run_ms(io, 10);
    const char *heard = sim_hear_all(&p);
    assert_true(strncmp(heard, "40", 2) == 0 || strstr(heard, "CLOSE") != NULL || sim_closed(p.ws));
    sim_free(io);
    return failed;
}

/* Without memory to tell a client something that it waits for, its connection ends. */
static void a_client_is_told_or_ends(void **state)
{
    static const char *const cases[][2] = { { NULL, "40" }, { "&b64=1", "40" }, { "3", "40/b" } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned long k = 1;
        while (joins_or_ends(cases[i][0], cases[i][1], k))
            k++;
        assert_true(k > 3);
    }
}

static char filled_text[70000];

/* A GET waits, and the k-th allocation fails while it is answered: it gets the event, or there is no session
 * any more. False: there were not so many. */
static bool is_answered_or_ends(int protocol, unsigned long k)
{
    char sid[32], target[160];
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_allow_v3(io), 0);
    snprintf(target, sizeof target, "/socket.io/?EIO=%d&transport=polling", protocol);
    find(sid, ask(io, "GET", target, NULL, NULL), "\"sid\":\"");
    snprintf(target + strlen(target), 40, "&sid=%s", sid);
    ask(io, "POST", target, NULL, protocol == 3 ? "1:2" : "40");
    ask(io, "GET", target, NULL, NULL);
    sim_client *waits = ask(io, "GET", target, NULL, NULL);
    assert_true(sio_get_stats(io)->sockets == 1 && sim_text(waits, NULL)[0] == '\0');
    sio_emit(sio_all(sio_of(io, "/")), "x", "%s", filled_text);
    sim.fail_alloc = sim.allocs + k;
    sim_run_ms(io, 0);
    bool failed = sim.allocs >= sim.fail_alloc;
    sim.fail_alloc = 0;
    sim_run_ms(io, 10);
    bool heard = strstr(sim_text(waits, NULL), "42[\"x\",\"xxx") != NULL;
    assert_true(heard != (sio_get_stats(io)->sessions == 0));
    sim_free(io);
    return failed;
}

static void a_poll_is_answered_or_its_session_ends(void **state)
{
    (void)state;
    for (int protocol = 3; protocol <= 4; protocol++) {
        unsigned long k = 1;
        while (is_answered_or_ends(protocol, k))
            k++;
        assert_true(k > 1);
    }
}

int main(void)
{
    memset(filled_text, 'x', sizeof filled_text - 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_system_call_may_fail),
        cmocka_unit_test(the_system_may_fail_for_a_while),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(memory_may_be_out_for_a_while),
        cmocka_unit_test(a_client_is_told_or_ends),
        cmocka_unit_test(a_poll_is_answered_or_its_session_ends),
    };
    int findings = cmocka_run_group_tests(tests, NULL, NULL);
    print_message("failure: %lu steps, %d findings\n", tried, findings);
    return findings;
}
