/* sim_net_requests.c - requests: HTTP itself, the endpoint's checks and their order, CORS
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. */
#include "sim_app.h"

#define AT "/socket.io/?EIO=4&transport=polling"
#define CODE(number, text) "{\"code\":" #number ",\"message\":\"" text "\"}"
#define UNKNOWN_TRANSPORT CODE(0, "Transport unknown")
#define UNKNOWN_SESSION CODE(1, "Session ID unknown")
#define BAD_METHOD CODE(2, "Bad handshake method")
#define BAD_REQUEST CODE(3, "Bad request")
#define FORBIDDEN CODE(4, "Forbidden")
#define BAD_VERSION CODE(5, "Unsupported protocol version")
#define OPEN                                                                                       \
    "0{\"sid\":\"*\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,"   \
    "\"maxPayload\":1000000}"

/* ---- The endpoint --------------------------------------------------------------------------- */

typedef struct request_case {
    const char *rule, *method, *target;
    int status;
    const char *body;  // a pattern
} request_case;

static const request_case requests[] = {
    { "E01: a handshake", "GET", AT, 200, OPEN },
    { "E02: with t and b64", "GET", AT "&t=abc&b64=1", 200, OPEN },
    { "E03: without the slash", "GET", "/socket.io?EIO=4&transport=polling", 404, "not found" },
    { "E04: below the path", "GET", "/socket.io/foo/bar?EIO=4&transport=polling", 200, OPEN },
    { "E05: a longer name", "GET", "/socket.ioX?EIO=4&transport=polling", 404, "not found" },
    { "E05: another case", "GET", "/Socket.IO/?EIO=4&transport=polling", 404, "not found" },
    { "E05: two slashes", "GET", "//socket.io/?EIO=4&transport=polling", 404, "not found" },
    { "E05: an escape", "GET", "/socket%2eio/?EIO=4&transport=polling", 404, "not found" },
    { "E05: an absolute target", "GET", "http://h/socket.io/?EIO=4&transport=polling", 404, "*" },
    { "E06: escapes in the query", "GET", "/socket.io/?EIO=%34&transport=p%6Flling", 200, OPEN },
    { "E07: the last of two counts", "GET", "/socket.io/?EIO=3&EIO=4&transport=polling", 200,
      OPEN },
    { "E07: also when it is bad", "GET", "/socket.io/?EIO=4&EIO=3&transport=polling", 400,
      BAD_VERSION },
    { "E08: a bad escape", "GET", AT "&x=%zz", 200, OPEN },
    { "E09: an empty sid is none", "GET", AT "&sid=", 200, OPEN },
    { "E10: no query", "GET", "/socket.io/", 400, UNKNOWN_TRANSPORT },
    { "E10: no transport", "GET", "/socket.io/?EIO=4", 400, UNKNOWN_TRANSPORT },
    { "E10: transport=foo", "GET", "/socket.io/?EIO=4&transport=foo", 400, UNKNOWN_TRANSPORT },
    { "E10: case counts", "GET", "/socket.io/?EIO=4&transport=Polling", 400, UNKNOWN_TRANSPORT },
    { "E10: webtransport", "GET", "/socket.io/?EIO=4&transport=webtransport", 400,
      UNKNOWN_TRANSPORT },
    { "E10: __proto__", "GET", "/socket.io/?EIO=4&transport=__proto__", 400, UNKNOWN_TRANSPORT },
    { "E10: a NUL behind it", "GET", "/socket.io/?EIO=4&transport=polling%00", 400,
      UNKNOWN_TRANSPORT },
    { "E10: text behind it", "GET", "/socket.io/?EIO=4&transport=pollingpollingpolling", 400,
      UNKNOWN_TRANSPORT },
    { "E11: sid=abc", "GET", AT "&sid=abc", 400, UNKNOWN_SESSION },
    { "E11: sid=__proto__", "GET", AT "&sid=__proto__", 400, UNKNOWN_SESSION },
    { "E11: sid=constructor", "GET", AT "&sid=constructor", 400, UNKNOWN_SESSION },
    { "E11: a sid of the right length", "GET", AT "&sid=AAAAAAAAAAAAAAAAAAAA", 400,
      UNKNOWN_SESSION },
    { "E11: a sid of another length", "GET",
      AT "&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      400, UNKNOWN_SESSION },
    { "E11: POST with an unknown sid", "POST", AT "&sid=abc", 400, UNKNOWN_SESSION },
    { "E12: POST without a sid", "POST", AT, 400, BAD_METHOD },
    { "E12: PUT", "PUT", AT, 400, BAD_METHOD },
    { "E12: DELETE", "DELETE", AT, 400, BAD_METHOD },
    { "E12: OPTIONS", "OPTIONS", AT, 400, BAD_METHOD },
    { "E13: HEAD", "HEAD", AT, 400, "" },
    { "E14: transport=websocket without an upgrade", "GET", "/socket.io/?EIO=4&transport=websocket",
      400, BAD_REQUEST },
    { "E17: EIO missing", "GET", "/socket.io/?transport=polling", 400, BAD_VERSION },
    { "E17: EIO=3", "GET", "/socket.io/?EIO=3&transport=polling", 400, BAD_VERSION },
    { "E17: EIO=5", "GET", "/socket.io/?EIO=5&transport=polling", 400, BAD_VERSION },
    { "E17: EIO=04", "GET", "/socket.io/?EIO=04&transport=polling", 400, BAD_VERSION },
    { "E18: POST with EIO=3: the method comes first", "POST", "/socket.io/?EIO=3&transport=polling",
      400, BAD_METHOD },
    { "E19: the hook refuses", "GET", AT "&deny=2", 403, FORBIDDEN },
    { "E20: the hook refuses with a text", "GET", AT "&deny=1", 403, CODE(4, "denied by fixture") },
    { "V14: protocol 3 is off", "GET", "/socket.io/?transport=polling&b64=1", 400, BAD_VERSION },
    { "C: parameters in any order", "GET", "/socket.io/?q=v&transport=polling&EIO=4", 200, OPEN },
};

static void requests_are_checked_in_order(void **state)
{
    (void)state;
    size_t bad = 0;
    sio_server *io = app_new();
    for (size_t i = 0; i < COUNT(requests); i++) {
        const request_case *k = &requests[i];
        sim_answer a =
            sim_http(io, k->method, k->target, NULL, strcmp(k->method, "POST") == 0 ? "40" : NULL);
        if (a.status == k->status && sim_like(k->body, a.body))
            continue;
        print_error("%s\n    got: %d %s\n", k->rule, a.status, a.body);
        bad++;
    }
    app_free(io);
    assert_int_equal(bad, 0);
}

/* E01, E21: what is in the head of an answer. */
static void answers_have_the_fields_that_clients_look_at(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_answer a = sim_http(io, "GET", AT, NULL, NULL);
    assert_true(sim_like("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n"
                         "Content-Length: 118\r\ncache-control: no-store\r\n"
                         "Date: Sun, 06 Nov 1994 *:*:* GMT\r\nConnection: keep-alive\r\n"
                         "Keep-Alive: timeout=5\r\n\r\n",
                         a.head));  // E01
    a = sim_http(io, "GET", "/socket.io/?EIO=4", NULL, NULL);
    assert_string_equal(sim_field(a, "Content-Type"), "application/json");  // E21
    assert_string_equal(sim_field(a, "Connection"), "keep-alive");
    app_free(io);
}

/* E15, E16, E28: a request that does not fit its session leaves it alone. */
static void a_wrong_request_does_not_harm_the_session(void **state)
{
    static const struct {
        const char *rule, *method, *query;
        int status;
        const char *body;
    } cases[] = {
        { "E15: a plain GET for its WebSocket", "GET", "EIO=4&transport=websocket", 400,
          BAD_REQUEST },
        { "E16: EIO=3", "GET", "EIO=3&transport=polling", 400, BAD_REQUEST },
        { "E16: no EIO", "GET", "transport=polling", 400, BAD_REQUEST },
        { "E16: EIO differs in a POST", "POST", "EIO=3&transport=polling", 400, BAD_REQUEST },
        { "E28: PUT", "PUT", "EIO=4&transport=polling", 500, "" },
        { "E28: DELETE", "DELETE", "EIO=4&transport=polling", 500, "" },
        { "E28: PATCH", "PATCH", "EIO=4&transport=polling", 500, "" },
        { "E28: HEAD", "HEAD", "EIO=4&transport=polling", 500, "" },
        { "E28: OPTIONS", "OPTIONS", "EIO=4&transport=polling", 500, "" },
        { "E28: TRACE", "TRACE", "EIO=4&transport=polling", 500, "" },
    };
    (void)state;
    sio_server *io = app_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        sim_peer p;
        char target[200];
        sim_open(io, &p, SIM_POLL, NULL);
        snprintf(target, sizeof target, "/socket.io/?%s&sid=%s", cases[i].query, p.sid);
        sim_answer a = sim_http(io, cases[i].method, target, NULL, NULL);
        sim_say(&p, "40");
        if (a.status != cases[i].status || strcmp(a.body, cases[i].body) != 0 || p.status != 200 ||
            !sim_like("40{*", sim_hear(&p)))
            fail_msg("%s: %d %s", cases[i].rule, a.status, a.body);
    }
    app_free(io);
}

/* E22 to E24, E29: options that change the handshake. */
static void options_change_what_is_offered(void **state)
{
    (void)state;
    app_options()->transports = SIO_WEBSOCKET;
    sio_server *io = app_begin();
    assert_string_equal(sim_http(io, "GET", AT, NULL, NULL).body, UNKNOWN_TRANSPORT);  // E22
    app_free(io);

    app_options()->transports = SIO_POLLING;
    io = app_begin();
    assert_true(sim_like("*\"upgrades\":[],*", sim_http(io, "GET", AT, NULL, NULL).body));  // E23
    sim_answer a = sim_http(io, "GET", "/socket.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    assert_int_equal(a.status, 400);
    assert_string_equal(a.body, UNKNOWN_TRANSPORT);  // E23: the HTTP side answers
    assert_string_equal(sim_field(a, "Connection"), "keep-alive");
    app_free(io);

    app_options()->upgrades = SIO_OFF;
    io = app_begin();
    assert_true(sim_like("*\"upgrades\":[],*", sim_http(io, "GET", AT, NULL, NULL).body));  // E24
    app_free(io);

    app_options()->path = "/ws";
    io = app_begin();
    assert_int_equal(sim_http(io, "GET", "/ws/?EIO=4&transport=polling", NULL, NULL).status, 200);
    assert_int_equal(sim_http(io, "GET", "/ws?EIO=4&transport=polling", NULL, NULL).status, 404);
    assert_int_equal(sim_http(io, "GET", AT, NULL, NULL).status, 404);
    app_free(io);

    sio_options *slashless = app_options();  // E29
    slashless->path = "/ws";
    slashless->trailing_slash = SIO_OFF;
    io = app_begin();
    assert_int_equal(sim_http(io, "GET", "/ws?EIO=4&transport=polling", NULL, NULL).status, 200);
    assert_int_equal(sim_http(io, "GET", "/ws/?EIO=4&transport=polling", NULL, NULL).status, 200);
    app_free(io);
}

/* E25; threat "guessable ids": sids are 20 characters of the URL alphabet and differ, and come from
 * the random source: without it there is no session, and no server. */
static void session_ids_are_random_and_never_guessed(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (void)state;
    sio_server *io = app_new();
    sim_peer p[50];
    for (size_t i = 0; i < COUNT(p); i++) {
        sim_open(io, &p[i], SIM_POLL, NULL);
        assert_int_equal(strlen(p[i].sid), 20);
        assert_int_equal(strspn(p[i].sid, alphabet), 20);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(p[i].sid, p[k].sid);
    }
    sim_client *c = sim_connect();
    sim_request(c, "GET", AT, NULL, NULL);
    sim.fail_only = "random", sim.fail_call = sim.calls + 1;
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 503);
    app_free(io);
}

/* E26: the cookie is in the answer that opens a polling session, and in no other. */
static void the_cookie_comes_with_the_handshake_alone(void **state)
{
    (void)state;
    app_options()->cookie = "io";
    sio_server *io = app_begin();
    sim_answer a = sim_http(io, "GET", AT, NULL, NULL);
    assert_true(sim_like("io=*; Path=/; HttpOnly; SameSite=Lax", sim_field(a, "Set-Cookie")));
    assert_memory_equal(sim_field(a, "Set-Cookie") + 3, a.body + strlen("0{'sid':'"), 20);
    char target[100];
    snprintf(target, sizeof target, AT "&sid=%.20s", a.body + strlen("0{'sid':'"));
    assert_string_equal(sim_field(sim_http(io, "POST", target, NULL, "40"), "Set-Cookie"), "");
    assert_string_equal(sim_field(sim_http(io, "GET", target, NULL, NULL), "Set-Cookie"), "");
    sim_client *c = sim_connect();
    sim_request(c, "GET", "/socket.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    sim_run_ms(io, 0);
    assert_string_equal(sim_field(sim_answered(c, false), "Set-Cookie"), "");
    app_free(io);
}

/* Threat "an upgrade with an unknown transport": every combination of what a query can say, for
 * every kind of session, gets one answer, and the server goes on. */
static void every_combination_of_parameters_has_one_answer(void **state)
{
    static const char *const ways[] = { "", "&transport=polling", "&transport=websocket",
                                        "&transport=foo", "&transport=" };
    static const char *const versions[] = { "", "&EIO=4", "&EIO=3", "&EIO=" };
    static const char *const methods[] = { "GET", "POST", "PUT", "HEAD", "OPTIONS" };
    static const char *const fields[] = { NULL, SIM_UPGRADE, "Upgrade: websocket\r\n",
                                          "Connection: upgrade\r\n" };
    (void)state;
    sio_server *io = app_new();
    sio_allow_v3(io);
    for (unsigned n = 0; n < 5 * 4 * 5 * 4 * 5; n++) {
        sim_peer p;
        char target[200];
        int kind = (int)(n / 400);  // no sid, an empty one, a wrong one, polling's, a WebSocket's
        if (kind > 2)
            sim_open(io, &p, kind == 3 ? SIM_POLL : SIM_WS, NULL);
        snprintf(target, sizeof target, "/socket.io/?%s%s%s%s", ways[n % 5], versions[n / 5 % 4],
                 kind > 0 ? "&sid=" : "",
                 kind > 2    ? p.sid
                 : kind == 2 ? "abc"
                             : "");
        sim_client *c = sim_connect();
        const char *method = methods[n / 20 % 5];
        sim_request(c, method, target, fields[n / 100 % 4], NULL);
        sim_run_ms(io, 0);
        int status = sim_answered(c, strcmp(method, "HEAD") == 0).status;
        bool waits = kind == 3 && status == 0 && strcmp(method, "GET") == 0;
        if (status == 0 && !waits)
            fail_msg("%s %s (%u): no answer", method, target, n);
        sim_close(c);
        if (kind > 2)
            sim_close(kind == 3 ? p.get : p.ws);
        sim_run_ms(io, 0);
    }
    app_free(io);
}

static const char *refuse_as_asked(sio_http *http)
{
    return sio_http_query(http, "why");
}

/* A hook's message may be anything that the request lends it. */
static void a_hook_may_return_what_it_was_lent(void **state)
{
    (void)state;
    sim_fail = app_fail;
    sio_options o = { .allow_request = refuse_as_asked };
    sio_server *io = sim_new(&o);
    char *target = filled(9000, 'x');
    int n = sprintf(target, AT "&why=short&x=");
    target[n] = 'x';
    assert_string_equal(sim_http(io, "GET", target, NULL, NULL).body, CODE(4, "short"));
    assert_int_equal(sim_http(io, "GET", AT, NULL, NULL).status, 200);
    free(target);
    sim_free(io);
}

/* ---- HTTP ----------------------------------------------------------------------------------- */

static const struct {
    const char *rule, *bytes;
    const char *answer;  // a pattern of all that comes
    bool closed;
} heads[] = {
    { "T01: no Host", "GET " AT " HTTP/1.1\r\n\r\n", "HTTP/1.1 400 *Connection: close\r\n\r\n",
      true },
    { "T02: garbage", "hello\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n*", true },
    { "T02: TLS", "\x16\x03\x01\x02", "HTTP/1.1 400 *\r\n\r\n", true },
    { "T02: a method that nobody has is nobody's", "BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
      "HTTP/1.1 404 *", false },
    { "T02: in small letters too", "get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 *",
      false },
    { "T02: the endpoint refuses it", "BREW " AT " HTTP/1.1\r\nHost: x\r\n\r\n",
      "HTTP/1.1 400 *" BAD_METHOD, false },
    { "T02: more than garbage's first bytes", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA{",
      "HTTP/1.1 400 *", true },
    { "T02: a target that never ends as one", "GET /aaaaaaaaaaaaaaaaaaaaaaaa\x01", "HTTP/1.1 400 *",
      true },
    { "a target with a fragment", "GET /healthz#f HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 *",
      true },
    { "T02: bare LF", "GET / HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 *", true },
    { "T02: a folded field", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 400 *",
      true },
    { "T02: a space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "HTTP/1.1 400 *",
      true },
    { "T02: a control byte in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T02: a bare CR in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", "HTTP/1.1 400 *",
      true },
    { "T02: a control byte in the target", "GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T02: bytes above ASCII in a value are well",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA: \xff\r\n\r\n", "HTTP/1.1 200 OK*ok", false },
    { "T02: empty lines before a request are well",
      "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK*ok", false },
    { "T04: a length and a transfer coding",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 400 *\r\n\r\n", true },
    { "T04: the other order",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
      "5\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 400 *\r\n\r\n", true },
    { "T04: two lengths",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
      "HTTP/1.1 400 *\r\n\r\n", true },
    { "T04: a list", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 7, 7\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T04: a plus", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +7\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T04: a negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -7\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T04: hex", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x7\r\n\r\n", "HTTP/1.1 400 *",
      true },
    { "T04: nothing", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", "HTTP/1.1 400 *",
      true },
    { "T04: over 2^64",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T04: leading zeros are well",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:  002 \r\n\r\nab", "HTTP/1.1 200 *ab",
      false },
    { "T05: gzip", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T05: chunked, gzip",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T05: xchunked", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T05: chunked twice",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
      "chunked\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T05: gzip, chunked is not decoded",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      "HTTP/1.1 501 *", true },
    { "T05: without a space",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip,chunked\r\n\r\n", "HTTP/1.1 501 *",
      true },
    { "T05: chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T06: a chunk's extension, and trailers",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
      "2;a=b\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n",
      "HTTP/1.1 200 *abc", false },
    { "T06: a request is no trailer",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
      "HTTP/1.1 400 *Connection: close\r\n\r\n", true },
    { "T06: an extension without a name",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;\r\na\r\n0\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T07: a bad size",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 400 *", true },
    { "T07: 0x7", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x7\r\n",
      "HTTP/1.1 400 *", true },
    { "T07: a size that overflows",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
      "HTTP/1.1 400 *", true },
    { "T07: a wrong length",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
      "HTTP/1.1 400 *", true },
    { "T08: HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK*Connection: close*ok",
      true },
    { "T08: HTTP/1.0, kept alive", "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "HTTP/1.1 200 OK*Connection: keep-alive*ok", false },
    { "T08: Connection: close", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      "HTTP/1.1 200 OK*Connection: close*ok", true },
    { "T09: pipelined",
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 *okHTTP/1.1 404 *not foundHTTP/1.1 200 *abc", false },
    { "T10: Expect: 100-continue",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 *ab", false },
    { "T10: HTTP/1.0 knows no expectations",
      "POST /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
      "HTTP/1.1 200 *ab", true },
    { "T10: another expectation", "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n",
      "HTTP/1.1 417 *", true },
    { "T11: bytes behind a body",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab}}}}",
      "HTTP/1.1 200 *abHTTP/1.1 400 *", true },
    { "T13: CONNECT", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 *", true },
    { "T14: a long length, and few bytes",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nab", "", false },
    { "an upgrade with a body is no way to smuggle",
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nContent-Length: "
      "3\r\n" SIM_UPGRADE "\r\nabc",
      "HTTP/1.1 400 *", true },
};

/* Each of them whole, and byte by byte. */
static void heads_and_bodies_are_read_strictly(void **state)
{
    (void)state;
    size_t bad = 0;
    for (size_t cut = 0; cut < 2; cut++) {
        sio_server *io = app_new();
        sim.cut = cut;
        for (size_t i = 0; i < COUNT(heads); i++) {
            sim_client *c = sim_connect();
            sim_send(c, heads[i].bytes, strlen(heads[i].bytes));
            sim_run_ms(io, 0);
            if (!sim_like(heads[i].answer, sim_text(c, NULL)) || sim_ended(c) != heads[i].closed) {
                print_error("%s (cut at %zu)\n    got: %s\n", heads[i].rule, cut,
                            sim_text(c, NULL));
                bad++;
            }
            sim_close(c);
            sim_run_ms(io, 0);
        }
        app_free(io);
    }
    assert_int_equal(bad, 0);
}

/* T03: 431 as soon as the head is too long, not when it ends. */
static void a_head_that_is_too_long_is_refused(void **state)
{
    (void)state;
    sio_server *io = app_new();
    for (int over = 0; over < 2; over++) {
        sim_client *c = sim_connect();
        const char *start = "GET /healthz HTTP/1.1\r\nHost: x\r\nA: ";
        size_t n = 16384 - strlen(start) - 4 + (size_t)over;
        char *value = filled(n, 'a');
        sim_send(c, start, strlen(start));
        sim_send(c, value, n);
        sim_send(c, "\r\n\r\n", 4);
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, over ? 431 : 200);
        assert_int_equal(sim_ended(c), over);
        free(value);
    }
    sim_client *c = sim_connect();
    for (int i = 0; i < 101; i++)
        sim_sendf(c, i == 0 ? "GET / HTTP/1.1\r\nHost: %d\r\n" : "A: %d\r\n", i);
    sim_send(c, "\r\n", 2);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 431);  // T03: more fields than there may be
    app_free(io);
}

/* T07: the session is gone with a malformed body; T04: nothing of such a request is delivered. */
static void a_malformed_body_ends_the_session(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    sim_hear(&p);
    sim_client *c = sim_connect();
    sim_sendf(c,
              "POST " AT "&sid=%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              "2\r\n42zz\r\n",
              p.sid);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 400);
    assert_string_equal(app_reason(), "transport error");  // T07
    app_free(io);
}

/* T12, and the other deadlines of requests. */
static void time_is_bounded(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_client *idle = sim_connect(), *silent = sim_connect(), *slow = sim_connect();
    sim_client *body = sim_connect();
    sim_request(idle, "GET", "/healthz", NULL, NULL);
    sim_sendf(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
    sim_run_ms(io, 4999);
    assert_false(sim_closed(idle));
    sim_run_ms(io, 1001);
    assert_true(sim_closed(idle));  // T12: between 5 and 6 seconds
    for (int i = 6; i < 66; i++) {
        assert_false(sim_closed(slow));
        sim_sendf(slow, i == 6 ? "GET / HTTP/1.1\r\n" : "A: b\r\n");
        sim_run_ms(io, 1000);
    }
    assert_true(sim_closed(silent));  // who says nothing
    assert_true(sim_closed(slow));    // who says a line a second: a minute from the first
    assert_false(sim_closed(body));
    sim_run_ms(io, 234000);
    assert_true(sim_closed(body));  // five minutes for a request
    app_free(io);
}

/* A request that begins while the connection is idle has the time of any request. */
static void a_request_on_an_idle_connection_is_not_cut_off(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_client *c = sim_connect();
    sim_request(c, "GET", "/healthz", NULL, NULL);
    sim_run_ms(io, 4900);
    sim_answered(c, false);
    sim_sendf(c, "GET /healthz HTTP/1.1\r\n");
    sim_run_ms(io, 200);
    sim_sendf(c, "Host: x\r\n\r\n");
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 200);
    app_free(io);
}

/* ---- CORS ----------------------------------------------------------------------------------- */

static const struct {
    const char *rule, *cors;
    bool credentials;
    const char *method, *query, *origin;
    int status;
    const char *allow, *vary;
} cors_cases[] = {
    { "O01: no option", NULL, false, "GET", "&x=1", "http://a", 200, "", "" },
    { "O02: OPTIONS without the option", NULL, false, "OPTIONS", "", "http://a", 400, "", "" },
    { "O03: *", "*", false, "GET", "", "http://a", 200, "*", "" },
    { "O03: * on errors", "*", false, "GET", "&sid=abc", "http://a", 400, "*", "" },
    { "O04: * preflight", "*", false, "OPTIONS", "", "http://a", 204, "*",
      "Access-Control-Request-Headers" },
    { "O05: one string, whoever asks", "http://b", false, "GET", "", "http://a", 200, "http://b",
      "Origin" },
    { "O06: a list, a foreign origin", "http://b,http://c", false, "GET", "", "http://a", 200, "",
      "Origin" },
    { "O06: a list, its second", "http://b,http://c", false, "GET", "", "http://c", 200, "http://c",
      "Origin" },
    { "O06: part of an origin is not the origin", "http://b.example,http://c", false, "GET", "",
      "http://b", 200, "", "Origin" },
    { "O06: a list's preflight", "http://b,http://c", false, "OPTIONS", "", "http://c", 204,
      "http://c", "Origin, Access-Control-Request-Headers" },
    { "O06: reflected", "reflect", false, "GET", "", "http://a", 200, "http://a", "Origin" },
    { "O07: credentials", "http://a", true, "GET", "", "http://a", 200, "http://a", "Origin" },
};

static void cors_is_answered_and_never_blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cors_cases); i++) {
        app_options()->cors = cors_cases[i].cors;
        options.cors_credentials = cors_cases[i].credentials;
        sio_server *io = app_begin();
        char fields[200], target[200];
        snprintf(fields, sizeof fields, "Origin: %s\r\nAccess-Control-Request-Headers: x-a\r\n",
                 cors_cases[i].origin);
        snprintf(target, sizeof target, AT "%s", cors_cases[i].query);
        sim_answer a = sim_http(io, cors_cases[i].method, target, fields, NULL);
        const char *credentials = cors_cases[i].credentials ? "true" : "";
        if (a.status != cors_cases[i].status ||
            strcmp(sim_field(a, "Access-Control-Allow-Origin"), cors_cases[i].allow) != 0 ||
            strcmp(sim_field(a, "Vary"), cors_cases[i].vary) != 0 ||
            strcmp(sim_field(a, "Access-Control-Allow-Credentials"), credentials) != 0)
            fail_msg("%s: %s", cors_cases[i].rule, a.head);
        if (a.status == 204) {  // O04
            assert_string_equal(sim_field(a, "Access-Control-Allow-Methods"),
                                "GET,HEAD,PUT,PATCH,POST,DELETE");
            assert_string_equal(sim_field(a, "Access-Control-Allow-Headers"), "x-a");
            assert_int_equal(a.n, 0);
        }
        app_free(io);
    }
}

/* O02: with a sid; O08: inside the 101. */
static void cors_is_in_a_101_too(void **state)
{
    (void)state;
    app_options()->cors = "*";
    sio_server *io = app_begin();
    sim_client *c = sim_connect();
    sim_request(c, "GET", "/socket.io/?EIO=4&transport=websocket",
                SIM_UPGRADE "Origin: http://a\r\n", NULL);
    sim_run_ms(io, 0);
    sim_answer a = sim_answered(c, false);
    assert_int_equal(a.status, 101);
    assert_string_equal(sim_field(a, "Access-Control-Allow-Origin"), "*");  // O08
    app_free(io);
}

/* Threat "cross-site WebSocket hijack", and "origin check fooled": origins guards upgrades as well,
 * and is compared byte by byte. */
static void origins_are_enforced_on_upgrades_too(void **state)
{
    static const struct {
        const char *origin;
        bool good;
    } cases[] = {
        { "http://a.example", true },
        { "http://b.example", true },
        { "http://a.example.evil.org", false },
        { "http://a.exampl", false },
        { "HTTP://a.example", false },
        { "http://evil.org/http://a.example", false },
        { "null", false },
        { "http://a.example,http://b.example", false },
        { "", false },
    };
    (void)state;
    app_options()->origins = "http://a.example,http://b.example";
    sio_server *io = app_begin();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char fields[300];
        snprintf(fields, sizeof fields, "Origin: %s\r\n", cases[i].origin);
        assert_int_equal(sim_http(io, "GET", AT, fields, NULL).status, cases[i].good ? 200 : 403);
        sim_client *c = sim_ws_open(io, "/socket.io/?EIO=4&transport=websocket", fields);
        assert_int_equal(c != NULL, cases[i].good);
    }
    app_free(io);
}

/* ---- Routes --------------------------------------------------------------------------------- */

static void hello(sio_http *http)
{
    sio_http_add_header(http, "X-A", "b");
    sio_http_reply(http, 200, "text/plain", "hello", 5);
}

static void forgetful(sio_http *http)
{
    (void)http;
}

/* Files and bundles have tags, and HEAD. */
static void files_and_bundles_are_served(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sim_file("a.html", "<p>", 3, 7);
    assert_int_equal(sio_file(io, "/", "a.html"), 0);
    assert_int_equal(sio_file(io, "/none", "none"), -1);
    assert_int_equal(sio_bundle(io, "/socket.io/socket.io.js", "application/javascript", "x()", 3),
                     0);
    sio_route(io, "GET", "/hello", hello);
    sio_route(io, "GET", "/forgetful", forgetful);

    sim_answer a = sim_http(io, "GET", "/", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "<p>");
    assert_string_equal(sim_field(a, "Content-Type"), "text/html; charset=utf-8");
    char fields[100];
    snprintf(fields, sizeof fields, "If-None-Match: W/%s\r\n", sim_field(a, "ETag"));
    assert_int_equal(sim_http(io, "GET", "/", fields, NULL).status, 304);
    assert_int_equal(sim_http(io, "HEAD", "/", NULL, NULL).status, 200);
    sim_file("a.html", "<b>!", 4, 8);
    assert_string_equal(sim_http(io, "GET", "/", fields, NULL).body, "<b>!");

    a = sim_http(io, "GET", "/socket.io/socket.io.js?v=1", NULL, NULL);
    assert_string_equal(a.body, "x()");
    assert_string_equal(sim_field(a, "Cache-Control"), "public, max-age=0");
    assert_string_equal(sim_field(sim_http(io, "GET", "/hello", NULL, NULL), "X-A"), "b");
    assert_int_equal(sim_http(io, "GET", "/forgetful", NULL, NULL).status, 500);
    assert_true(sim_like("500: a route's handler did not answer*path \"/forgetful\"", sim.log));
    assert_int_equal(sim_http(io, "POST", "/hello", NULL, "x").status, 404);
    sim_file("a.html", NULL, 0, 9);
    assert_int_equal(sim_http(io, "GET", "/", NULL, NULL).status, 404);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_checked_in_order),
        cmocka_unit_test(answers_have_the_fields_that_clients_look_at),
        cmocka_unit_test(a_wrong_request_does_not_harm_the_session),
        cmocka_unit_test(options_change_what_is_offered),
        cmocka_unit_test(session_ids_are_random_and_never_guessed),
        cmocka_unit_test(the_cookie_comes_with_the_handshake_alone),
        cmocka_unit_test(every_combination_of_parameters_has_one_answer),
        cmocka_unit_test(a_hook_may_return_what_it_was_lent),
        cmocka_unit_test(heads_and_bodies_are_read_strictly),
        cmocka_unit_test(a_head_that_is_too_long_is_refused),
        cmocka_unit_test(a_malformed_body_ends_the_session),
        cmocka_unit_test(time_is_bounded),
        cmocka_unit_test(a_request_on_an_idle_connection_is_not_cut_off),
        cmocka_unit_test(cors_is_answered_and_never_blocks),
        cmocka_unit_test(cors_is_in_a_101_too),
        cmocka_unit_test(origins_are_enforced_on_upgrades_too),
        cmocka_unit_test(files_and_bundles_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
