/* sim_eio_open_later.c - handshakes about which allow_request says later what it thinks
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

#define AT "/socket.io/?EIO=4&transport=polling"
#define WS "/socket.io/?EIO=4&transport=websocket"

static sio_server *server;
static uint64_t kept, first;  // the last, and the first of a server
static unsigned asked, wrong;

/* Does what the query says: keeps the request or not, and returns that. */
static const char *ask(sio_http *http)
{
    const char *how = sio_http_query(http, "how");
    sio_http_add_header(http, "X-Asked", "1");  // of no effect, here as ever
    kept = how != NULL && strncmp(how, "lost", 4) == 0 ? 0 : sio_http_keep(http);
    if (asked++ == 0)
        first = kept;
    wrong += sio_http_allow(http, NULL) != -1 || errno != EINVAL;  // it has not returned yet
    wrong += kept != 0 && (sio_http_of(server, kept) != http || sio_http_keep(http) != kept);
    if (how != NULL && strcmp(how, "yes") == 0)
        return NULL;
    return how != NULL && strcmp(how, "no") == 0 ? "no" : SIO_LATER;
}

static void mark(sio_http *http, bool initial)
{
    const char *name = sio_http_header(http, "X-Name");
    sio_http_add_header(http, "X-Mark", name == NULL ? "-" : name);
    wrong += !initial || sio_http_keep(http) != 0;
}

static sio_server *begin(sio_options o)
{
    sim_fail = fail_with;
    o.allow_request = ask;
    server = sim_new(&o);
    assert_non_null(server);
    asked = wrong = 0;
    return server;
}

static sim_client *knock(const char *target, const char *fields)
{
    sim_client *c = sim_connect();
    sim_request(c, "GET", target, fields, NULL);
    sim_run_ms(server, 1000);
    return c;
}

static sim_answer told(sim_client *c)
{
    sim_run_ms(server, 0);
    return sim_answered(c, false);
}

/* ---- By polling ------------------------------------------------------------------------------- */

static void polling_opens_when_it_is_allowed(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .cors = "*", .headers = mark, .cookie = "io" });
    sim_client *c = knock(AT, "X-Name: n\r\n");
    assert_int_equal(sim_answered(c, false).status, 0);
    assert_int_equal(sio_get_stats(io)->sessions, 0);
    sio_http *http = sio_http_of(io, kept);
    assert_string_equal(sio_http_header(http, "X-Name"), "n");
    assert_int_equal(sio_http_reply(http, 200, NULL, "", 0), -1);  // only a route's
    sio_http_add_header(http, "X-Late", "1");
    assert_int_equal(sio_http_allow(http, NULL), 0);
    assert_null(sio_http_of(io, kept));
    assert_int_equal(sio_http_allow(http, NULL), -1);
    assert_string_equal(sio_http_path(http), "/socket.io/");  // until the callback ends
    sim_answer a = told(c);
    assert_int_equal(a.status, 200);
    assert_true(sim_like("0{\"sid\":\"*\"upgrades\":[\"websocket\"]*", a.body));
    assert_string_equal(sim_field(a, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(sim_field(a, "X-Mark"), "n");
    assert_string_equal(sim_field(a, "X-Asked"), "");
    assert_string_equal(sim_field(a, "X-Late"), "");
    assert_true(sim_like("io=*", sim_field(a, "Set-Cookie")));
    assert_int_equal(sio_get_stats(io)->sessions, 1);
    assert_int_equal(asked, 1);
    assert_int_equal(wrong, 0);
    sim_free(io);
}

static void a_session_that_was_allowed_later_is_a_session(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .origins = NULL });
    sio_of(io, "/");
    sim_client *c = knock(AT, NULL);
    sio_http_allow(sio_http_of(io, kept), NULL);
    sim_answer a = told(c);
    char target[200];
    snprintf(target, sizeof target, AT "&sid=%.20s", strstr(a.body, "sid\":\"") + 6);
    assert_string_equal(sim_http(io, "POST", target, NULL, "40").body, "ok");
    assert_true(sim_like("40{*", sim_http(io, "GET", target, NULL, NULL).body));
    assert_int_equal(asked, 1);
    sim_free(io);
}

/* E19, E20, W10 */
static void a_refusal_is_the_same_later(void **state)
{
    static const struct {
        const char *refusal, *body, *message;
    } cases[] = {
        { "", "{\"code\":4,\"message\":\"Forbidden\"}", "Forbidden" },
        { "nope", "{\"code\":4,\"message\":\"nope\"}", "nope" },
        { "\xff", "{\"code\":4,\"message\":\"Forbidden\"}", "Forbidden" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sio_server *io = begin((sio_options){ .cors = "http://a" });
        sim_client *c = knock(AT, NULL);
        assert_int_equal(sio_http_allow(sio_http_of(io, kept), cases[i].refusal), 0);
        sim_answer a = told(c);
        assert_int_equal(a.status, 403);
        assert_string_equal(a.body, cases[i].body);
        assert_string_equal(sim_field(a, "Access-Control-Allow-Origin"), "http://a");
        assert_false(sim_ended(c));
        c = knock(WS, SIM_UPGRADE);
        assert_int_equal(sio_http_allow(sio_http_of(io, kept), cases[i].refusal), 0);
        a = told(c);
        assert_int_equal(a.status, 400);
        assert_string_equal(a.body, cases[i].message);
        assert_string_equal(sim_field(a, "Content-Type"), "text/html");
        assert_true(sim_ended(c));
        assert_int_equal(sio_get_stats(io)->refused, 2);
        assert_int_equal(sio_get_stats(io)->sessions, 0);
        sim_free(io);
    }
}

/* ---- By WebSocket ------------------------------------------------------------------------------- */

static void a_websocket_opens_when_it_is_allowed(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .headers = mark });
    sim_client *c = knock(WS, SIM_UPGRADE "X-Name: n\r\nSec-WebSocket-Protocol: one, two\r\n");
    assert_int_equal(sim_answered(c, false).status, 0);
    sio_http *http = sio_http_of(io, kept);
    assert_int_equal(sio_http_allow(http, NULL), 0);
    assert_int_equal(sio_http_allow(http, NULL), -1);
    assert_string_equal(sio_http_header(http, "X-Name"), "n");
    sim_answer a = told(c);
    assert_int_equal(a.status, 101);
    assert_string_equal(sim_field(a, "X-Mark"), "n");
    assert_string_equal(sim_field(a, "Sec-WebSocket-Protocol"), "one");
    assert_string_equal(sim_field(a, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_true(sim_like("0{*", sim_ws_hear(c)));
    sim_ws_say(c, "40");
    sim_run_ms(io, 0);
    assert_true(sim_like("40{*", sim_ws_hear(c)));
    sim_run_ms(io, 25000);
    assert_string_equal(sim_ws_hear(c), "2");
    assert_int_equal(wrong, 0);
    sim_free(io);
}

/* W03: only who may come in is told what is wrong with the handshake. */
static void a_malformed_handshake_is_told_behind_the_hook(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .origins = NULL });
    sim_client *c = knock(WS, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    assert_int_equal(sio_http_allow(sio_http_of(io, kept), NULL), 0);
    sim_answer a = told(c);
    assert_int_equal(a.status, 400);
    assert_string_equal(a.body, "Missing or invalid Sec-WebSocket-Key header");
    sim_free(io);
}

/* RFC 6455, 4.1: a client waits for the answer. What it sends before can't be told from a request. */
static void who_speaks_before_a_websocket_is_open_is_refused(void **state)
{
    static const struct {
        const char *rule, *more;
        size_t n;
    } cases[] = {
        { "a frame", BYTES("\x81\x82\0\0\0\0"
                           "40") },
        { "the first byte of one", BYTES("\x81") },
        { "a request", BYTES("GET /none HTTP/1.1\r\nHost: x\r\n\r\n") },
        { "a part of one", BYTES("GET /none HT") },
        { "a handshake", BYTES("GET " WS " HTTP/1.1\r\nHost: x\r\n" SIM_UPGRADE "\r\n") },
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        sio_server *io = begin((sio_options){ .origins = NULL });
        sim_client *c = sim_connect();
        sim_request(c, "GET", WS, SIM_UPGRADE, NULL);
        if (i % 2 == 0)
            sim_run_ms(io, 10);
        sim_send(c, cases[i / 2].more, cases[i / 2].n);
        sim_run_ms(io, 10);
        assert_int_equal(sio_http_allow(sio_http_of(io, first), NULL), 0);
        int status = told(c).status;
        if (status != 400)
            fail_msg("%s: %d", cases[i / 2].rule, status);
        sim_run_ms(io, 400000);
        assert_true(sim_ended(c));
        assert_int_equal(sio_get_stats(io)->sessions, 0);
        sim_free(io);
    }
}

static void a_websocket_behind_a_request_that_waits_is_refused(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .origins = NULL });
    sim_client *c = knock(AT, NULL);
    sim_request(c, "GET", WS, SIM_UPGRADE, NULL);
    sim_run_ms(io, 0);
    assert_int_equal(asked, 2);
    assert_int_equal(sio_http_allow(sio_http_of(io, kept), NULL), 0);
    sim_run_ms(io, 0);
    assert_int_equal(sio_http_allow(sio_http_of(io, first), NULL), 0);
    assert_int_equal(told(c).status, 200);
    assert_int_equal(told(c).status, 400);
    assert_true(sim_ended(c));
    assert_int_equal(sio_get_stats(io)->sessions, 1);
    sim_free(io);
}

/* ---- Whatever the transport ------------------------------------------------------------------------ */

static const struct {
    const char *target, *fields;
} transports[] = { { AT, NULL }, { WS, SIM_UPGRADE } };

static void plain_engines_ask_too(void **state)
{
    static const sio_engine_handlers none = { .open = NULL };
    static const sio_options o = { .path = "/e", .allow_request = ask };
    (void)state;
    sim_fail = fail_with;
    sio_server *io = server = sim_new(NULL);
    asked = wrong = 0;
    assert_int_equal(sio_engine(io, &o, &none), 0);
    for (int refused = 0; refused < 2; refused++) {
        sim_client *c = knock("/e/?EIO=4&transport=polling", NULL);
        sim_client *ws;
        assert_int_equal(sio_http_allow(sio_http_of(io, kept), refused ? "no" : NULL), 0);
        assert_int_equal(told(c).status, refused ? 403 : 200);
        ws = knock("/e/?EIO=4&transport=websocket", SIM_UPGRADE);
        assert_int_equal(sio_http_allow(sio_http_of(io, kept), refused ? "no" : NULL), 0);
        assert_int_equal(told(ws).status, refused ? 400 : 101);
    }
    assert_int_equal(sio_get_stats(io)->sessions, 2);
    assert_int_equal(asked, 4);
    sim_free(io);
}

/* E17, V14, W11: the protocol is checked last, as it is without waiting. */
static void the_protocol_is_checked_behind_the_hook(void **state)
{
    (void)state;
    for (int v3 = 0; v3 < 2; v3++) {
        sio_server *io = begin((sio_options){ .origins = NULL });
        sim_client *c = knock("/socket.io/?EIO=3&transport=polling&j=1", NULL);
        if (v3)
            sio_allow_v3(io);
        assert_int_equal(sio_http_allow(sio_http_of(io, kept), NULL), 0);
        sim_answer a = told(c);
        assert_int_equal(a.status, v3 ? 200 : 400);
        const char *body = v3 ? "___eio[1](\"" : "{\"code\":5,";
        if (strncmp(a.body, body, strlen(body)) != 0)
            fail_msg("%s", a.body);
        sim_free(io);
    }
}

/* What the hook returns counts, where that is not SIO_LATER; where it is and nothing was kept, nobody
 * could go on. */
static void what_the_hook_returns_comes_first(void **state)
{
    static const struct {
        const char *how;
        int polling, websocket;
    } cases[] = { { "&how=yes", 200, 101 }, { "&how=no", 403, 400 }, { "&how=lost", 503, 503 } };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        char target[200];
        sio_server *io = begin((sio_options){ .request_timeout_ms = 3000, .headers = mark });
        snprintf(target, sizeof target, "%s%s", transports[i % 2].target, cases[i / 2].how);
        sim_client *c = knock(target, transports[i % 2].fields);
        int status = i % 2 == 0 ? cases[i / 2].polling : cases[i / 2].websocket;
        assert_int_equal(sim_answered(c, false).status, status);
        assert_null(sio_http_of(io, kept));
        assert_int_equal(sio_http_allow(sio_http_of(io, kept), NULL), -1);
        sim_run_ms(io, 3000);
        assert_int_equal(sim_answered(c, false).status, 0);
        assert_int_equal(sim_ended(c), i % 2 == 1 && status >= 400);
        assert_int_equal(sio_get_stats(io)->sessions, status < 400);
        if (status == 503)
            assert_true(sim_like("*handshake refused: *SIO_LATER*", sim.log));
        assert_int_equal(wrong, 0);
        sim_free(io);
    }
}

static void who_is_gone_is_let_in_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(transports); i++) {
        sio_server *io = begin((sio_options){ .origins = NULL });
        sim_client *c = knock(transports[i / 2].target, transports[i / 2].fields);
        assert_non_null(sio_http_of(io, kept));
        (i % 2 == 0 ? sim_abort : sim_finish)(c);
        sim_run_ms(io, 0);
        assert_null(sio_http_of(io, kept));
        errno = 0;
        assert_int_equal(sio_http_allow(sio_http_of(io, kept), NULL), -1);
        assert_int_equal(errno, EINVAL);
        sim_run_ms(io, 1000000);
        assert_int_equal(sio_get_stats(io)->handshakes, 0);
        assert_int_equal(sio_get_stats(io)->refused, 0);
        sim_free(io);
    }
}

static void without_an_answer_it_is_503(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(transports); i++) {
        sio_server *io = begin((sio_options){ .request_timeout_ms = 3000, .cors = "*" });
        sim_client *c = knock(transports[i].target, transports[i].fields);
        sim_run_ms(io, 1999);
        assert_int_equal(sim_answered(c, false).status, 0);
        sim_run_ms(io, 1);
        sim_answer a = sim_answered(c, false);
        assert_int_equal(a.status, 503);
        assert_string_equal(sim_field(a, "Access-Control-Allow-Origin"), "*");
        assert_int_equal(sim_ended(c), i == 1);
        assert_null(sio_http_of(io, kept));
        assert_int_equal(sio_get_stats(io)->refused, 1);
        sim_free(io);
    }
}

/* Requests of the same connection are answered in their order. */
static void what_is_pipelined_behind_a_handshake_waits(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .origins = NULL });
    sim_client *c = knock(AT, NULL);
    sim_request(c, "GET", AT "&how=no", NULL, NULL);
    assert_int_equal(told(c).status, 0);
    assert_int_equal(sio_http_allow(sio_http_of(io, first), NULL), 0);
    assert_int_equal(told(c).status, 200);
    assert_int_equal(told(c).status, 403);
    sim_free(io);
}

static void keep(sio_http *http)
{
    kept = sio_http_keep(http);
}

/* Only what was left by the hook is gone on with. */
static void nothing_else_is_let_in(void **state)
{
    sim_peer p;
    (void)state;
    sio_server *io = begin((sio_options){ .origins = NULL });
    assert_int_equal(sio_http_allow(NULL, NULL), -1);
    sio_route(io, "GET", "/keep", keep);
    sim_client *c = knock("/keep", NULL);
    assert_int_equal(sio_http_allow(sio_http_of(io, kept), NULL), -1);
    assert_int_equal(sio_http_reply(sio_http_of(io, kept), 200, NULL, "", 0), 0);
    assert_int_equal(told(c).status, 200);
    knock(AT, NULL);
    assert_int_equal(sio_http_allow(sio_http_of(io, kept), SIO_LATER), -1);
    assert_non_null(sio_http_of(io, kept));
    sim_open(io, &p, SIM_WS, "&how=yes");
    assert_int_equal(sio_get_stats(io)->sessions, 1);
    sio_shutdown(io);
    sim_run_ms(io, 100);
    assert_int_equal(sio_http_allow(sio_http_of(io, first), NULL), 0);  // 503: it stops
    sim_run_ms(io, 10);
    assert_int_equal(sio_get_stats(io)->sessions, 0);
    sim_free(io);
}

static void they_go_with_the_server(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .origins = NULL });
    for (size_t i = 0; i < 6; i++)
        knock(transports[i % 2].target, transports[i % 2].fields);
    sio_http_allow(sio_http_of(io, kept), NULL);
    sim_free(io);
}

/* The k-th allocation fails. False: there were not so many. */
static bool opens_or_ends(size_t way, unsigned long k)
{
    sio_server *io = begin((sio_options){ .request_timeout_ms = 3000, .cors = "*" });
    sim_client *c = sim_connect();
    kept = 0;
    sim.fail_alloc = sim.allocs + k;
    sim_request(c, "GET", transports[way].target, transports[way].fields, NULL);
    sim_run_ms(io, 10);
    sio_http_allow(sio_http_of(io, kept), NULL);
    sim_run_ms(io, 10);
    bool failed = sim.allocs >= sim.fail_alloc;
    sim.fail_alloc = 0;
    sim_run_ms(io, 100);
    int status = sim_answered(c, false).status;
    if (status != (way == 0 ? 200 : 101) && !(failed && (status == 503 || sim_ended(c))))
        fail_msg("allocation %lu: %d", k, status);
    assert_int_equal(wrong, 0);
    c = knock(transports[way].target, transports[way].fields);  // all is as it was
    assert_int_equal(sio_http_allow(sio_http_of(io, kept), NULL), 0);
    assert_int_equal(told(c).status, way == 0 ? 200 : 101);
    sim_free(io);
    return failed;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t way = 0; way < COUNT(transports); way++) {
        unsigned long k = 1;
        while (opens_or_ends(way, k))
            k++;
        assert_true(k > 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polling_opens_when_it_is_allowed),
        cmocka_unit_test(a_session_that_was_allowed_later_is_a_session),
        cmocka_unit_test(a_refusal_is_the_same_later),
        cmocka_unit_test(a_websocket_opens_when_it_is_allowed),
        cmocka_unit_test(a_malformed_handshake_is_told_behind_the_hook),
        cmocka_unit_test(who_speaks_before_a_websocket_is_open_is_refused),
        cmocka_unit_test(a_websocket_behind_a_request_that_waits_is_refused),
        cmocka_unit_test(plain_engines_ask_too),
        cmocka_unit_test(the_protocol_is_checked_behind_the_hook),
        cmocka_unit_test(what_the_hook_returns_comes_first),
        cmocka_unit_test(who_is_gone_is_let_in_no_more),
        cmocka_unit_test(without_an_answer_it_is_503),
        cmocka_unit_test(what_is_pipelined_behind_a_handshake_waits),
        cmocka_unit_test(nothing_else_is_let_in),
        cmocka_unit_test(they_go_with_the_server),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("eio_open.c, later", tests, NULL, NULL);
}
