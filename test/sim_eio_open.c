/* sim_eio_open.c - who may connect, and what hooks of the application may do meanwhile
 * SPDX-License-Identifier: MIT
 *
 * The checks of a handshake that the list of observations names are in sim_net_requests.c. */
#include "lib.h"
#include "sim.h"

#define AT "/socket.io/?EIO=4&transport=polling"
#define WS "/socket.io/?EIO=4&transport=websocket"

static void on_fail(const char *text)
{
    fail_msg("%s", text);
}

static sio_server *server;

static sio_server *begin(const sio_options *o)
{
    sim_fail = on_fail;
    server = sim_new(o);
    assert_non_null(server);
    return server;
}

/* ---- Hooks ---------------------------------------------------------------------------------- */

static const char *refuse_all(sio_http *http)
{
    (void)http;
    return "not you";
}

static void mark(sio_http *http, bool initial)
{
    sio_http_add_header(http, "X-Mark", initial ? "first" : "later");
}

/* The hooks of an endpoint of plain Engine.IO are its own. */
static void each_endpoint_asks_its_own_hooks(void **state)
{
    static const sio_engine_handlers none = { .open = NULL };
    static const sio_options closed = { .path = "/closed", .allow_request = refuse_all };
    static const sio_options marked = { .path = "/marked", .headers = mark };
    (void)state;
    sio_server *io = begin(NULL);
    assert_int_equal(sio_engine(io, &closed, &none), 0);
    assert_int_equal(sio_engine(io, &marked, &none), 0);
    sim_answer a = sim_http(io, "GET", "/closed/?EIO=4&transport=polling", NULL, NULL);
    assert_int_equal(a.status, 403);
    assert_string_equal(a.body, "{\"code\":4,\"message\":\"not you\"}");
    assert_null(sim_ws_open(io, "/closed/?EIO=4&transport=websocket", NULL));
    a = sim_http(io, "GET", "/marked/?EIO=4&transport=polling", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(sim_field(a, "X-Mark"), "first");
    a = sim_http(io, "GET", AT, NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(sim_field(a, "X-Mark"), "");
    sim_free(io);
}

static void close_it(sio_socket *socket, void *data)
{
    if (data != NULL)
        sio_disconnect(socket, true);
    else
        sio_end_connection(socket);
}

/* Ends everybody when the query says so: at once, or in order. */
static void kick(sio_http *http)
{
    const char *how = sio_http_query(http, "kick");
    if (how != NULL)
        sio_each(sio_all(sio_of(server, "/")), close_it, *how == 'd' ? server : NULL);
}

static void kick_in_headers(sio_http *http, bool initial)
{
    (void)initial;
    kick(http);
}

static const char *kick_and_allow(sio_http *http)
{
    kick(http);
    return NULL;
}

/* A hook ends the session that a request is for. Where a GET waits, on the same connection, that one
 * is told, and the request is for a session that is unknown. */
static void a_hook_may_end_the_session_that_is_asked_for(void **state)
{
    static const struct {
        const char *method, *at, *rest;
    } requests[] = {
        { "GET", AT, "\r\n" },
        { "POST", AT, "Content-Length: 2\r\n\r\n40" },
        { "GET", WS, SIM_UPGRADE "\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(requests); i++) {
        sim_peer p;
        bool waiting = i % 2 == 1;
        sio_server *io = begin(&(sio_options){ .headers = kick_in_headers });
        sim_open(io, &p, SIM_POLL, NULL);
        sim_say(&p, "40");
        sim_hear(&p);
        sim_client *c = sim_connect();
        if (waiting)
            sim_sendf(c, "GET %s&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n", AT, p.sid);
        sim_sendf(c, "%s %s&sid=%s&kick=1 HTTP/1.1\r\nHost: x\r\n%s", requests[i / 2].method,
                  requests[i / 2].at, p.sid, requests[i / 2].rest);
        sim_run_ms(io, 0);
        if (waiting)
            assert_string_equal(sim_answered(c, false).body, "1");
        int left = i / 2 == 2 ? 101 : 200;  // it is over with the answer to a request
        assert_int_equal(sim_answered(c, false).status, waiting ? 400 : left);
        sim_run_ms(io, 100000);
        sim_free(io);
    }
}

/* An orderly end leaves the session to the requests that come: this one is told. */
static void a_hook_may_disconnect_the_session_that_is_asked_for(void **state)
{
    (void)state;
    char target[200];
    sim_peer p;
    sio_server *io = begin(&(sio_options){ .headers = kick_in_headers });
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    sim_hear(&p);
    snprintf(target, sizeof target, AT "&sid=%s&kick=d", p.sid);
    assert_string_equal(sim_http(io, "GET", target, NULL, NULL).body, "41");
    assert_string_equal(sim_http(io, "GET", target, NULL, NULL).body, "6\x1e"
                                                                      "1");
    assert_int_equal(sim_http(io, "GET", target, NULL, NULL).status, 400);
    sim_free(io);
}

static void a_hook_may_end_others_before_a_session_opens(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        sim_peer p;
        sio_server *io = begin(&(sio_options){ .allow_request = kick_and_allow });
        sim_open(io, &p, SIM_POLL, NULL);
        sim_say(&p, "40");
        sim_hear(&p);
        sim_client *c = sim_connect();  // whose other request is the GET of the one that ends
        sim_sendf(c, "GET %s&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n", AT, p.sid);
        sim_sendf(c, "GET %s&kick=%c HTTP/1.1\r\nHost: x\r\n\r\n", AT, way == 0 ? '1' : 'd');
        sim_run_ms(io, 0);
        assert_true(sim_like(way == 0 ? "1" : "41", sim_answered(c, false).body));
        assert_true(sim_like("0{*", sim_answered(c, false).body));
        sim_free(io);
    }
}

/* A refusal says what it was told to say, however long; what is no text is replaced. */
static const char *long_refusal;

static const char *refuse_at_length(sio_http *http)
{
    (void)http;
    return long_refusal;
}

static void a_refusal_is_as_long_as_its_message(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .allow_request = refuse_at_length });
    char *message = filled(20000, 'x');
    long_refusal = message;
    sim_answer a = sim_http(io, "GET", AT, NULL, NULL);
    assert_int_equal(a.status, 403);
    assert_int_equal(a.n, 20000 + strlen("{\"code\":4,\"message\":\"\"}"));
    assert_memory_equal(a.body + 21, message, 20000);
    long_refusal = "\xff";
    a = sim_http(io, "GET", AT, NULL, NULL);
    assert_string_equal(a.body, "{\"code\":4,\"message\":\"Forbidden\"}");
    sim_free(io);
    free(message);
}

/* W02, W03: what is wrong with a handshake is told to the log, too. */
static void a_malformed_handshake_is_told_and_counted(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sim_answer a = sim_http(io, "GET", WS, "Connection: Upgrade\r\nUpgrade: websocket\r\n", NULL);
    assert_string_equal(a.body, "Missing or invalid Sec-WebSocket-Key header");
    assert_true(
        sim_like("websocket handshake refused: *-Key header *path \"/socket.io/\"", sim.log));
    a = sim_http(io, "GET", WS,
                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " SIM_KEY "\r\n",
                 NULL);
    assert_string_equal(sim_field(a, "Sec-WebSocket-Version"), "13, 8");
    assert_true(sim_like("websocket handshake refused: *-Version*", sim.log));
    assert_int_equal(sim.logged, 2);
    assert_int_equal(sio_get_stats(io)->refused, 2);
    sim_free(io);
}

/* ---- Origins -------------------------------------------------------------------------------- */

/* Threat "cross-site": what a foreign page can make a browser send, whatever it is about. */
static const struct {
    const char *rule, *fields;
    bool good;
} visitors[] = {
    { "no browser", "", true },
    { "the first of the list", "Origin: http://a.example\r\n", true },
    { "the second, behind a blank", "Origin: http://b.example\r\n", true },
    { "the last, before one", "Origin: https://c.example\r\n", true },
    { "with the blank", "Origin:  http://b.example\r\nX: y\r\n", true },
    { "an empty one", "Origin: \r\n", false },
    { "another", "Origin: http://evil\r\n", false },
    { "a sandboxed page", "Origin: null\r\n", false },
    { "the server's own page", "Sec-Fetch-Site: same-origin\r\n", true },
    { "typed by the user", "Sec-Fetch-Site: none\r\n", true },
    { "a script of another site", "Sec-Fetch-Site: cross-site\r\n", false },
    { "a script of a neighbour", "Sec-Fetch-Site: same-site\r\n", false },
    { "fetched by a page that may", "Origin: http://a.example\r\nSec-Fetch-Site: cross-site\r\n",
      true },
};

static void origins_hold_for_every_request(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .origins = "http://a.example, http://b.example,,"
                                                      "\thttps://c.example " });
    for (size_t i = 0; i < COUNT(visitors); i++) {
        const char *fields = visitors[i].fields, *rule = visitors[i].rule;
        bool good = visitors[i].good;
        char at[120], ws[120];
        sim_peer p;
        sim_open(io, &p, SIM_POLL, NULL);
        snprintf(at, sizeof at, AT "&sid=%s", p.sid);
        snprintf(ws, sizeof ws, WS "&sid=%s", p.sid);
        sim_must((sim_http(io, "GET", AT, fields, NULL).status == 200) == good, "GET: %s", rule);
        sim_must((sim_ws_open(io, WS, fields) != NULL) == good, "WebSocket: %s", rule);
        sim_must((sim_http(io, "POST", at, fields, "40").status == 200) == good, "POST: %s", rule);
        sim_must((sim_http(io, "GET", at, fields, NULL).status == 200) == good ||
                     sim_http(io, "GET", at, NULL, NULL).status == 200,
                 "GET with a sid: %s", rule);
        sim_must((sim_ws_open(io, ws, fields) != NULL) == good, "upgrade: %s", rule);
    }
    sim_free(io);
}

/* A <script> and a <form> of any page reach JSONP: it is refused where origins are set, and the
 * session that was opened otherwise is not harmed by it. */
static void jsonp_never_passes_origins(void **state)
{
    static const char v3[] = "/socket.io/?EIO=3&transport=polling";
    (void)state;
    sio_server *io = begin(&(sio_options){ .origins = "http://a" });
    sio_allow_v3(io);
    char target[120];
    sim_answer a = sim_http(io, "GET", "/socket.io/?EIO=3&transport=polling&j=0", NULL, NULL);
    assert_int_equal(a.status, 403);
    assert_string_equal(a.body, "{\"code\":4,\"message\":\"Forbidden\"}");
    assert_non_null(strstr(sim.log, "JSONP"));
    a = sim_http(io, "GET", v3, "Origin: http://a\r\n", NULL);
    assert_int_equal(a.status, 200);
    snprintf(target, sizeof target, "%s&j=0&sid=%.20s", v3, strstr(a.body, "sid") + 6);
    assert_int_equal(sim_http(io, "GET", target, NULL, NULL).status, 403);
    assert_int_equal(sim_http(io, "POST", target, NULL, "d=1:2").status, 403);
    snprintf(target, sizeof target, "%s&sid=%.20s", v3, strstr(a.body, "sid") + 6);
    assert_int_equal(sim_http(io, "POST", target, NULL, "1:2").status, 200);
    assert_string_equal(sim_http(io, "GET", target, NULL, NULL).body, "2:401:3");
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_endpoint_asks_its_own_hooks),
        cmocka_unit_test(a_hook_may_end_the_session_that_is_asked_for),
        cmocka_unit_test(a_hook_may_disconnect_the_session_that_is_asked_for),
        cmocka_unit_test(a_hook_may_end_others_before_a_session_opens),
        cmocka_unit_test(a_refusal_is_as_long_as_its_message),
        cmocka_unit_test(a_malformed_handshake_is_told_and_counted),
        cmocka_unit_test(origins_hold_for_every_request),
        cmocka_unit_test(jsonp_never_passes_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
