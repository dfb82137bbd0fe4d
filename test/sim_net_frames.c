/* sim_net_frames.c - WebSocket handshakes and frames, as clients send them
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. */
#include "sim_app.h"

#define AT "/socket.io/?EIO=4&transport=websocket"

/* ---- Handshakes ----------------------------------------------------------------------------- */

#define KEY "Sec-WebSocket-Key: " SIM_KEY "\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define UP "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define BAD_KEY "Missing or invalid Sec-WebSocket-Key header"
#define BAD_VERSION "Missing or invalid Sec-WebSocket-Version header"

static const struct {
    const char *rule, *method, *target, *fields;
    int status;
    const char *body;
    bool closed;
} handshakes[] = {
    { "W01: good headers", "GET", AT, UP V13 KEY, 101, "", false },
    { "W02: no key", "GET", AT, UP V13, 400, BAD_KEY, true },
    { "W02: a short key", "GET", AT, UP V13 "Sec-WebSocket-Key: abcd\r\n", 400, BAD_KEY, true },
    { "W02: an unpadded key", "GET", AT, UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
      400, BAD_KEY, true },
    { "W03: version 12", "GET", AT, UP KEY "Sec-WebSocket-Version: 12\r\n", 400, BAD_VERSION,
      true },
    { "W03: no version", "GET", AT, UP KEY, 400, BAD_VERSION, true },
    { "W04: Upgrade: h2c", "GET", AT, "Connection: Upgrade\r\nUpgrade: h2c\r\n" V13 KEY, 400,
      "Invalid Upgrade header", true },
    { "W04: a list", "GET", AT, "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n" V13 KEY, 400,
      "Invalid Upgrade header", true },
    { "W05: another case, and a list", "GET", AT,
      "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" V13 KEY, 101, "", false },
    { "W06: no Connection: Upgrade", "GET", AT, "Upgrade: websocket\r\n" V13 KEY, 400,
      "{\"code\":3,\"message\":\"Bad request\"}", false },
    { "W06: no Upgrade", "GET", AT, "Connection: Upgrade\r\n" V13 KEY, 400,
      "{\"code\":3,\"message\":\"Bad request\"}", false },
    { "W08: deflate is not taken", "GET", AT,
      UP V13 KEY "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", 101,
      "", false },
    { "W08: names of extensions that are nobody's", "GET", AT,
      UP V13 KEY "Sec-WebSocket-Extensions: constructor, __proto__; toString\r\n", 101, "", false },
    { "W09: an unknown sid", "GET", AT "&sid=abc", UP V13 KEY, 400, "Session ID unknown", true },
    { "W09: an unknown sid with a bad key", "GET", AT "&sid=abc", UP V13, 400, "Session ID unknown",
      true },
    { "W09: an unknown transport", "GET", "/socket.io/?EIO=4&transport=foo", UP V13 KEY, 400,
      "Transport unknown", true },
    { "W09: no transport", "GET", "/socket.io/?EIO=4", UP V13 KEY, 400, "Transport unknown", true },
    { "W09: webtransport", "GET", "/socket.io/?EIO=4&transport=webtransport", UP V13 KEY, 400,
      "Transport unknown", true },
    { "W09: POST", "POST", AT, UP V13 KEY, 400, "Bad handshake method", true },
    { "W10: the hook refuses", "GET", AT "&deny=2", UP V13 KEY, 400, "Forbidden", true },
    { "W10: with a text", "GET", AT "&deny=1", UP V13 KEY, 400, "denied by fixture", true },
    { "W11: no EIO", "GET", "/socket.io/?transport=websocket", UP V13 KEY, 400,
      "Unsupported protocol version", true },
    { "W12: a path that is nobody's gets no bytes", "GET", "/nope", UP V13 KEY, 0, "", true },
};

static void handshakes_are_checked(void **state)
{
    (void)state;
    size_t bad = 0;
    sio_server *io = app_new();
    for (size_t i = 0; i < COUNT(handshakes); i++) {
        sim_client *c = sim_connect();
        sim_request(c, handshakes[i].method, handshakes[i].target, handshakes[i].fields, NULL);
        sim_run_ms(io, 1000);
        sim_answer a = sim_answered(c, false);
        bool hint = strcmp(a.body, BAD_VERSION) == 0;
        if (a.status != handshakes[i].status || strcmp(a.body, handshakes[i].body) != 0 ||
            sim_ended(c) != handshakes[i].closed ||
            strcmp(sim_field(a, "Sec-WebSocket-Version"), hint ? "13, 8" : "") != 0 ||
            strcmp(sim_field(a, "Sec-WebSocket-Extensions"), "") != 0) {
            print_error("%s\n    got: %d %s\n", handshakes[i].rule, a.status, a.body);
            bad++;
        }
        if (a.status == 101)  // W01
            assert_string_equal(sim_field(a, "Sec-WebSocket-Accept"),
                                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
    app_free(io);
    assert_int_equal(bad, 0);
}

static const play opens[] = {
    { "W01: the session's data comes at once", "+ 0\n." },
    { "W38: RS has no meaning in a message", "> 40\n< 40*\n< 42*\n> 3\x1e"
                                             "3\n.\n"
                                             "> 42['message']\x1e"
                                             "42['message']\n< CLOSE()" },
    { "W34: an unknown type", JOINED "> 9\n< CLOSE()\n? parse error" },
    { "W34: an empty text", JOINED "> \n< CLOSE()\n? parse error" },
    { "W35: a ping", JOINED "> 2\n< CLOSE()\n? transport error" },
    { "W36: open, pong, upgrade, noop are ignored", JOINED "> 0|3|5|6\n.\n> 42['message']\n< 42*" },
    { "W37: close closes", JOINED "> 1\n< CLOSE()\n? transport close" },
    { "W39: an attachment as text", JOINED "> 451-['message',{'_placeholder':true,'num':0}]|bAQID\n"
                                           "< 451-*\n< <010203>" },
    { "W41: a close that the client does not answer",
      JOINED "> 4abc\n< CLOSE()\n.\n+ 29999\n.\n+ 1\n!" },
    { "W41: or answers", JOINED "> 4abc\n< CLOSE()\n~ \n!" },
    { "W42: TCP ends", JOINED "~ \n!\n? transport close" },
    { "W42: TCP breaks", JOINED "^ \n? transport error" },
};

static void packets_are_checked(void **state)
{
    (void)state;
    app_options();
    play_alone(SIM_WS, "", opens, COUNT(opens));
    sio_server *io = app_new();
    sim_client *c = sim_ws_open(io, AT, NULL);
    assert_true(
        sim_like("0{\"sid\":\"*\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,"
                 "\"maxPayload\":1000000}",
                 sim_ws_hear(c)));           // W01
    c = sim_ws_open(io, AT "&b64=1", NULL);  // binary packets as text
    sim_ws_hear(c);
    sim_ws_say(c, "40");
    sim_ws_say(c, "42[\"emit-binary\",1,3]");
    sim_run_ms(io, 0);
    for (int i = 0; i < 3; i++)
        sim_ws_hear(c);
    assert_string_equal(sim_ws_hear(c), "bAAEC");
    app_free(io);
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* Bytes after the handshake and CONNECT, unmasked keys of zeroes; what comes; why the socket went.
 * */
#define MASK "\0\0\0\0"
static const struct {
    const char *rule, *bytes;
    size_t n;
    const char *answer, *reason;
} frames[] = {
    { "W13: unmasked",
      BYTES("\x81\x02"
            "42"),
      "CLOSE(1002)", "transport error" },
    { "W14: RSV1", BYTES("\xc1\x81" MASK "3"), "CLOSE(1002)", "transport error" },
    { "W14: RSV2", BYTES("\xa1\x81" MASK "3"), "CLOSE(1002)", "transport error" },
    { "W14: RSV3", BYTES("\x91\x81" MASK "3"), "CLOSE(1002)", "transport error" },
    { "W15: opcode 3", BYTES("\x83\x80" MASK), "CLOSE(1002)", "transport error" },
    { "W15: opcode 7", BYTES("\x87\x80" MASK), "CLOSE(1002)", "transport error" },
    { "W15: opcode 11", BYTES("\x8b\x80" MASK), "CLOSE(1002)", "transport error" },
    { "W15: opcode 15", BYTES("\x8f\x80" MASK), "CLOSE(1002)", "transport error" },
    { "W16: a stray continuation", BYTES("\x80\x81" MASK "3"), "CLOSE(1002)", "transport error" },
    { "W16: a text inside of fragments", BYTES("\x01\x81" MASK "3\x81\x81" MASK "3"), "CLOSE(1002)",
      "transport error" },
    { "W17: a fragmented ping", BYTES("\x09\x80" MASK), "CLOSE(1002)", "transport error" },
    { "W17: a ping of 126 bytes", BYTES("\x89\xfe\0\x7e" MASK), "CLOSE(1002)", "transport error" },
    { "W18: a ping", BYTES("\x89\x82" MASK "hi"), "PONG(hi)", NULL },
    { "W18: an empty one", BYTES("\x89\x80" MASK), "PONG()", NULL },
    { "W18: a pong is ignored", BYTES("\x8a\x82" MASK "hi"), "", NULL },
    { "W19: a ping between fragments",
      BYTES("\x01\x85" MASK "42[\"m\x89\x81" MASK "x\x80\x88" MASK "essage\"]"),
      "PONG(x)|42[\"message-back\"]", NULL },
    { "W20: a close of one byte", BYTES("\x88\x81" MASK "\3"), "CLOSE(1002)", "transport error" },
    { "W23: an empty close", BYTES("\x88\x80" MASK), "CLOSE()", "transport close" },
    { "W21: with a reason",
      BYTES("\x88\x85" MASK "\3\xe8"
            "bye"),
      "CLOSE(1000 bye)", "transport close" },
    { "W24: a reason that is not UTF-8", BYTES("\x88\x83" MASK "\3\xe8\xff"), "CLOSE(1007)",
      "transport error" },
    { "W25: invalid UTF-8", BYTES("\x81\x81" MASK "\xff"), "CLOSE(1007)", "transport error" },
    { "W25: overlong", BYTES("\x81\x82" MASK "\xc0\xaf"), "CLOSE(1007)", "transport error" },
    { "W25: a surrogate", BYTES("\x81\x83" MASK "\xed\xa0\x80"), "CLOSE(1007)", "transport error" },
    { "W25: above U+10FFFF", BYTES("\x81\x84" MASK "\xf4\x90\x80\x80"), "CLOSE(1007)",
      "transport error" },
    { "W26: a character cut between two fragments",
      BYTES("\x01\x8f" MASK "42[\"message\",\"\xc3\x80\x83" MASK "\xa9\"]"),
      "42[\"message-back\",\"\xc3\xa9\"]", NULL },
    { "W29: 2^40 bytes", BYTES("\x81\xff\0\0\1\0\0\0\0\0" MASK), "CLOSE(1009)", "transport error" },
    { "W29: 2^53 bytes", BYTES("\x81\xff\0\x20\0\0\0\0\0\0" MASK), "CLOSE(1009)",
      "transport error" },
    { "W29: 2^63 bytes", BYTES("\x81\xff\x80\0\0\0\0\0\0\0" MASK), "CLOSE(1009)",
      "transport error" },
    { "W29: 2^64 - 1 bytes", BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" MASK), "CLOSE(1009)",
      "transport error" },
    { "W29: 2^63 bytes of a continuation",
      BYTES("\x01\x81" MASK "3\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff" MASK), "CLOSE(1009)",
      "transport error" },
    { "W31: data behind a close frame", BYTES("\x88\x80" MASK "\x81\x8d" MASK "42[\"message\"]"),
      "CLOSE()", "transport close" },
    { "W32: a length that is not the shortest is refused", BYTES("\x81\xfe\0\1" MASK "3"),
      "CLOSE(1002)", "transport error" },
};

/* Each of them whole, and byte by byte: W40. */
static void frames_are_read_strictly(void **state)
{
    (void)state;
    size_t bad = 0;
    for (size_t cut = 0; cut < 2; cut++) {
        sio_server *io = app_new();
        sim.cut = cut;
        for (size_t i = 0; i < COUNT(frames); i++) {
            sim_peer p;
            sim_open(io, &p, SIM_WS, NULL);
            sim_say(&p, "40");
            sim_hear_all(&p);
            sim_send(p.ws, frames[i].bytes, frames[i].n);
            sim_run_ms(io, 0);
            const char *got = sim_hear_all(&p);
            bool over = frames[i].reason != NULL;
            if (strcmp(got, frames[i].answer) != 0 || sim_ended(p.ws) != over ||
                (over && strcmp(app_reason(), frames[i].reason) != 0)) {
                print_error("%s (cut at %zu)\n    got: %s, %s\n", frames[i].rule, cut, got,
                            app_reason());
                bad++;
            }
            sim_close(p.ws);
            sim_run_ms(io, 0);
        }
        app_free(io);
    }
    assert_int_equal(bad, 0);
}

/* W21, W22: every code there is. */
static void close_codes_are_echoed_or_refused(void **state)
{
    (void)state;
    sio_server *io = app_new();
    for (unsigned code = 0; code < 65536; code += code < 6000 ? 1 : 977) {
        sim_client *c = sim_ws_open(io, AT, NULL);
        unsigned char bytes[2] = { (unsigned char)(code >> 8), (unsigned char)code };
        char wanted[32];
        bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);
        snprintf(wanted, sizeof wanted, "CLOSE(%u)", good ? code : 1002);
        sim_ws_hear(c);
        sim_ws_frame(c, 0x88, bytes, 2);
        sim_run_ms(io, 0);
        assert_string_equal(sim_ws_hear(c), wanted);
        assert_string_equal(sim_ws_hear(c), "END");
        sim_close(c);
        sim_run_ms(io, 0);
        sim_forget(c);
    }
    app_free(io);
}

/* W18: every length, the same bytes back and no others. */
static void pongs_carry_what_the_ping_did(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_client *c = sim_ws_open(io, AT, NULL);
    sim_ws_hear(c);
    for (size_t n = 0; n <= 125; n++) {
        char *text = filled(n, 'p'), wanted[140];
        snprintf(wanted, sizeof wanted, "PONG(%s)", text);
        sim_ws_frame(c, 0x89, text, n);
        sim_run_ms(io, 0);
        assert_string_equal(sim_ws_hear(c), wanted);
        free(text);
    }
    app_free(io);
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

/* W27, W28, W33. */
static void messages_are_limited_whole_and_in_fragments(void **state)
{
    (void)state;
    app_options()->max_payload = 100000;
    sio_server *io = app_begin();
    for (size_t pieces = 1; pieces <= 3; pieces++) {
        for (size_t over = 0; over < 2; over++) {
            size_t n = 100000 + over;
            char *text = filled(n, 'x');
            memcpy(text, "42[\"message\",\"", 14);
            memcpy(text + n - 2, "\"]", 2);
            sim_peer p;
            sim_open(io, &p, SIM_WS, NULL);
            sim_say(&p, "40");
            sim_hear_all(&p);
            for (size_t i = 0; i < pieces; i++)
                sim_ws_frame(p.ws, (i == 0 ? 1u : 0u) | (i + 1 == pieces ? 0x80u : 0u),
                             text + i * n / pieces, (i + 1) * n / pieces - i * n / pieces);
            sim_run_ms(io, 0);
            const char *got = sim_hear(&p);
            if (over)
                assert_string_equal(got, "CLOSE(1009)");  // W27, W28
            else
                assert_int_equal(strlen(got), n + strlen("-back"));  // W27; W33: one frame
            free(text);
        }
    }
    app_free(io);
}

/* W30; threat "many tiny fragments". */
static void fragments_are_counted(void **state)
{
    (void)state;
    sio_server *io = app_new();
    for (int over = 0; over < 2; over++) {
        sim_client *c = sim_ws_open(io, AT, NULL);
        sim_ws_hear(c);
        for (int i = 0; i < 16384 + over; i++)
            sim_ws_frame(c, (i == 0 ? 1u : 0u) | (i == 16383 + over ? 0x80u : 0u),
                         i == 0 ? "3" : "", i == 0);
        sim_run_ms(io, 0);
        assert_string_equal(sim_ws_hear(c), over ? "CLOSE(1008)" : "");
    }
    app_free(io);
}

/* A read that ends in the middle of a head does not make the next ones small. */
static void torn_heads_cost_no_turns(void **state)
{
    static const size_t sizes[] = { 100, 334, 634, 5000 };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (int torn = 0; torn < 2; torn++) {
            sio_server *io = app_new();
            sim_client *c = sim_connect();
            char *value = filled(sizes[i], 'a');
            int count = 1000000 / (int)sizes[i];
            for (int k = 0; k < count; k++)
                sim_sendf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nA: %s\r\n\r\n", value);
            if (torn) {
                sim.cut = sizes[i] * 2 / 3;
                sio_turn(io, 0);
                sio_turn(io, 0);
                sim.cut = 0;
            }
            unsigned long before = sim.turns;
            sim_run_ms(io, 0);
            assert_in_range(sim.turns - before, 1, 20);
            for (int k = 0; k < count; k++)
                assert_int_equal(sim_answered(c, false).status, 200);
            free(value);
            app_free(io);
        }
    }
}

/* The same of a frame. */
static void a_torn_header_costs_no_turns(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_client *c = sim_ws_open(io, AT, NULL);
    sim_ws_hear(c);
    char *pong = filled(100, 'x');
    pong[0] = '3';
    for (int i = 0; i < 10000; i++)
        sim_ws_frame(c, 0x81, pong, 100);
    sim.cut = 1;
    sio_turn(io, 0);
    sim.cut = 0;
    unsigned long before = sim.turns;
    sim_run_ms(io, 0);
    assert_in_range(sim.turns - before, 1, 10);  // five reads, and the torn one's rest
    assert_int_equal(sio_get_stats(io)->packets_in, 10000);
    free(pong);
    app_free(io);
}

/* Threats "a very long handshake, parsed again for each byte" and "a large packet in pieces": time
 * is linear in the bytes, however they are cut. */
static void slow_bytes_cost_linear_time(void **state)
{
    (void)state;
    sio_server *io = app_new();
    double start = seconds();
    sim.unchecked = true;  // its work is not measured
    sim.cut = 1;
    for (int i = 0; i < 20; i++) {
        char *value = filled(16000, 'a');
        sim_client *c = sim_connect();
        sim_send(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nA: ", 35);
        sim_send(c, value, 16000);
        sim_send(c, "\r\n\r\n", 4);
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, 200);
        free(value);
    }
    sim.cut = 64;
    sim_client *c = sim_ws_open(io, AT, NULL);
    char *big = filled(1000000, 'x');
    big[0] = '3';
    sim_ws_say(c, big);
    sim_run_ms(io, 0);
    free(big);
    sim_ws_hear(c);
    assert_string_equal(sim_ws_hear(c), "");
    assert_true(seconds() - start < LINEAR);
    app_free(io);
}

/* Threats "a never-finished message" and "a path that is nobody's, then a reset": the heartbeat
 * ends the one, and its memory goes; the other is closed at once. */
static void what_never_ends_is_ended(void **state)
{
    (void)state;
    sio_server *io = app_new();
    size_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        sim_client *c = sim_ws_open(io, AT, NULL);
        char *text = filled(500000, 'x');
        sim_ws_frame(c, 1, text, 500000);
        sim_send(c, "\x00\xff\0\0\0\0\0\x05\0\0" MASK "half of it", 24);
        sim_run_ms(io, 0);
        assert_true(sim.bytes > bytes + 500000);
        sim_run_ms(io, 80000);
        assert_true(sim_closed(c));
        if (bytes > 0)
            assert_true(sim.bytes <= bytes + 1000);
        bytes = sim.bytes;
        free(text);
        c = sim_connect();
        sim_request(c, "GET", "/nobody", SIM_UPGRADE, NULL);
        if (i > 0)
            sim_run_ms(io, i);
        sim_abort(c);
        sim_run_ms(io, 1000);
        assert_true(sim_closed(c));
    }
    app_free(io);
}

/* ---- Plain WebSocket ------------------------------------------------------------------------ */

static int opened, closed, last_code;
static bool last_clean;

static void on_raw_open(sio_ws *ws)
{
    opened++;
    sio_ws_set_data(ws, &opened);
    sio_ws_send(ws, true, "hello", 5);
}

static void on_raw(sio_ws *ws, bool text, const void *p, size_t n)
{
    assert_ptr_equal(sio_ws_data(ws), &opened);
    if (n == 3 && memcmp(p, "bye", 3) == 0)
        sio_ws_close(ws, 4000);
    else if (n == 3 && memcmp(p, "all", 3) == 0)
        sio_ws_broadcast(sio_ws_server(ws), "/raw", text, "x", 1);
    else
        sio_ws_send(ws, text, p, n);
    if (sio_ws_send(ws, true, "\xff", 1) == 0)  // not UTF-8, or closed
        fail();
}

static void on_raw_close(sio_ws *ws, int code, bool clean)
{
    (void)ws;
    closed++;
    last_code = code;
    last_clean = clean;
}

static void plain_websockets_stand_beside(void **state)
{
    static const sio_ws_handlers handlers = { .open = on_raw_open,
                                              .message = on_raw,
                                              .close = on_raw_close };
    (void)state;
    opened = closed = 0;
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_websocket(io, "/raw", &handlers), 0);
    sim_client *a = sim_ws_open(io, "/raw?x=1", NULL), *b = sim_ws_open(io, "/raw", NULL);
    assert_string_equal(sim_ws_hear(a), "hello");
    assert_string_equal(sim_ws_hear(b), "hello");
    sim_ws_say(a, "echo");
    sim_ws_frame(a, 0x82, "\1\2", 2);
    sim_run_ms(io, 0);
    sim_ws_say(b, "all");
    sim_run_ms(io, 0);
    assert_string_equal(sim_ws_hear(a), "echo");
    assert_string_equal(sim_ws_hear(a), "<0102>");
    assert_string_equal(sim_ws_hear(a), "x");
    assert_string_equal(sim_ws_hear(b), "x");
    sim_ws_say(a, "bye");
    sim_run_ms(io, 0);
    sim_ws_frame(b, 0x88, "\x0f\xa1", 2);
    sim_run_ms(io, 0);
    assert_string_equal(sim_ws_hear(a), "CLOSE(4000)");
    assert_string_equal(sim_ws_hear(b), "CLOSE(4001)");
    assert_int_equal(last_code, 4001);
    assert_true(last_clean);
    sim_client *c = sim_ws_open(io, "/raw", NULL);
    sim_abort(c);
    sim_run_ms(io, 0);
    assert_false(last_clean);
    sim_ws_open(io, "/raw", NULL);  // the server goes
    sim_free(io);
    assert_int_equal(opened, 4);
    assert_int_equal(closed, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_are_checked),
        cmocka_unit_test(packets_are_checked),
        cmocka_unit_test(frames_are_read_strictly),
        cmocka_unit_test(close_codes_are_echoed_or_refused),
        cmocka_unit_test(pongs_carry_what_the_ping_did),
        cmocka_unit_test(messages_are_limited_whole_and_in_fragments),
        cmocka_unit_test(fragments_are_counted),
        cmocka_unit_test(torn_heads_cost_no_turns),
        cmocka_unit_test(a_torn_header_costs_no_turns),
        cmocka_unit_test(slow_bytes_cost_linear_time),
        cmocka_unit_test(what_never_ends_is_ended),
        cmocka_unit_test(plain_websockets_stand_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
