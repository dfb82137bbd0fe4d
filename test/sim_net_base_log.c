/* sim_net_base_log.c - the lines of the log: what happened, the remedy, and who it was
 * SPDX-License-Identifier: MIT
 *
 * Each test is a table of what a client does, and the line that says so. */
#include "lib.h"
#include "sim.h"

#define POLLING "/socket.io/?EIO=4&transport=polling"
#define WEBSOCKET "/socket.io/?EIO=4&transport=websocket"
#define CLIENT "; client \"127.0.0.1\""
#define AT CLIENT ", path \"/socket.io/\""
#define UP "Connection: Upgrade\r\nUpgrade: websocket\r\n"

/* Fails unless there was one line since before, of that pattern; NULL: none at all. */
static void expect(const char *rule, const char *line, unsigned long before)
{
    bool good =
        line == NULL ? sim.logged == before : sim.logged == before + 1 && sim_like(line, sim.log);
    if (!good)
        fail_msg("%s: %lu lines, the last is\n%s", rule, sim.logged - before, sim.log);
}

/* ---- Requests -------------------------------------------------------------------------------- */

typedef struct request {
    const char *rule, *start, *fields;  // "GET /path", and header lines
    const char *line;
} request;

/* Has somebody ask, over a connection of their own. */
static void ask(sio_server *io, const request *r, const char *line)
{
    unsigned long before = sim.logged;
    sim_sendf(sim_connect(), "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", r->start, r->fields);
    sim_run_ms(io, 0);
    expect(r->rule, line, before);
}

/* What goes wrong when somebody begins. */
static const request requests[] = {
    { "the path without its slash", "GET /socket.io?EIO=4&transport=polling", "",
      "not found: no route takes this method and path (Socket.IO listens on /socket.io/, said by "
      "the option path)" CLIENT ", path \"/socket.io\"" },
    { "another path", "GET /ws/?EIO=4&transport=polling&token=secret", "",
      "not found: *Socket.IO listens on /socket.io/*path \"/ws/\"" },
    { "another path, a WebSocket", "GET /ws/", UP,
      "websocket handshake refused: its path is nobody's (Socket.IO listens on /socket.io/, said "
      "by the option path)" CLIENT ", path \"/ws/\"" },
    { "no transport", "GET /socket.io/", "", "request refused: it names no transport*(*)" AT },
    { "E10: none that there is", "GET /socket.io/?EIO=4&transport=foo", "",
      "request refused: Transport unknown (*)" AT },
    { "V14: an old client", "GET /socket.io/?EIO=3&transport=polling", "",
      "request refused: Unsupported protocol version (call sio_allow_v3, *)" AT },
    { "E30: a foreign page", "GET " POLLING, "Origin: http://evil\r\n",
      "request refused: its origin is not one of the option origins (add it there)" AT
      ", origin \"http://evil\"" },
    { "E30: its WebSocket", "GET " WEBSOCKET, "Origin: http://evil\r\n" SIM_UPGRADE,
      "request refused: its origin is not one of the option origins (add it there)" AT
      ", origin \"http://evil\"" },
    { "E30: its <script>", "GET " POLLING, "Sec-Fetch-Site: cross-site\r\n",
      "request refused: a page of another site sends it and names no origin (*origins)" AT },
    { "J03: JSONP", "GET /socket.io/?EIO=3&transport=polling&j=0", "",
      "request refused: it is JSONP, which never passes origins (*)" AT },
    { "E12: a POST", "POST " POLLING, "",
      "request refused: Bad handshake method (have its client open sessions with GET)" AT },
    { "W06: a proxy drops Upgrade", "GET " WEBSOCKET, "Connection: close\r\n",
      "request refused: it asks for a WebSocket without Connection: Upgrade (have the proxy "
      "forward Upgrade and Connection, by HTTP/1.1)" AT },
    { "W06: and leaves the field", "GET " WEBSOCKET, "Upgrade: websocket\r\n",
      "request refused: it asks for a WebSocket without Connection: Upgrade (*)" AT },
    { "E14: Upgrade, and polling", "GET " POLLING, UP,
      "request refused: it upgrades to polling (*)" AT },
    { "W02: no key", "GET " WEBSOCKET, UP,
      "websocket handshake refused: Missing or invalid Sec-WebSocket-Key header (*)" AT },
    { "E11: a session of long ago", "GET " POLLING "&sid=abcdefghijABCDEFG-_9", "",
      "request refused: Session ID unknown, it has ended, or is another process's, or from before "
      "a restart (with several processes have the proxy use sticky sessions)" AT },
    { "E11: nobody's", "GET " POLLING "&sid=abc", "",
      "request refused: Session ID unknown, and no server like this one made it (*)" AT },
    { "E11: nobody's, as long", "GET " POLLING "&sid=abcdefghijABCDEFG-_%20", "",
      "request refused: Session ID unknown, and no server like this one made it (*)" AT },
    { "no HTTP", "HELLO", "", "request refused: 400 Bad Request, it breaks RFC 9112 (*)" CLIENT },
    { "TLS", "\26\3\1\2", "",
      "request refused: 400, it is TLS (have a proxy end https, *)" CLIENT },
};

static void a_refused_request_has_a_line(void **state)
{
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .origins = "http://a", .cors = "http://a" });
    for (size_t i = 0; i < COUNT(requests); i++)
        ask(io, &requests[i], requests[i].line);
    sim_free(io);
}

/* Requests that are not what their session is. */
static void a_mismatch_has_a_line(void **state)
{
    static const struct {
        const char *rule, *target, *fields;
        int transport;
        const char *line;
    } cases[] = {
        { "E15", POLLING, "", SIM_WS,
          "request refused: its session is on a WebSocket already (*)" AT },
        { "E16", "/socket.io/?EIO=3&transport=polling", "", SIM_POLL,
          "request refused: its session speaks another protocol (*)" AT },
        { "E15: Upgrade, and polling", POLLING, UP, SIM_POLL,
          "request refused: it upgrades to polling (*)" AT },
        { "U08: a proxy drops Upgrade", WEBSOCKET, "Connection: close\r\n", SIM_POLL,
          "request refused: it asks for a WebSocket without Connection: Upgrade (*)" AT },
    };
    char target[200];
    sim_peer p;
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_allow_v3(io);
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned long before = sim.logged;
        sim_open(io, &p, cases[i].transport, NULL);
        snprintf(target, sizeof target, "%s&sid=%s", cases[i].target, p.sid);
        sim_http(io, "GET", target, cases[i].fields, NULL);
        expect(cases[i].rule, cases[i].line, before);
    }
    sim_free(io);
}

static const char *never(sio_http *http)
{
    (void)http;
    return "no";
}

/* Whom the server, or its application, does not want. */
static void who_is_turned_away_has_a_line(void **state)
{
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .allow_request = never, .max_per_address = 1 });
    sim_client *c = sim_connect_from("::1");
    sim_request(c, "GET", POLLING, NULL, NULL);
    sim_run_ms(io, 0);
    expect("E19",
           "handshake refused: allow_request said so (*); client \"::1\", path \"/socket.io/\"", 0);
    sim_connect_from("::1");
    sim_run_ms(io, 0);
    expect("a limit",
           "connection refused: max_connections, or max_per_address *(*); client \"::1\"", 1);
    sim_free(io);
}

/* What was refused for what the server's options say names the option, and its number. */
static void a_limit_has_a_line_with_its_number(void **state)
{
    char head[600], body[200];
    sim_peer p;
    (void)state;
    memset(body, 'x', sizeof body - 1), body[sizeof body - 1] = '\0';
    snprintf(head, sizeof head, "X: %0500d\r\n", 0);
    sio_server *io = sim_new(&(sio_options){ .max_payload = 100,
                                             .max_head = 400,
                                             .max_sessions_per_address = 1,
                                             .transports = SIO_POLLING });
    sim_http(io, "GET", "/", head, NULL);
    expect("431",
           "request refused: 431, its head is longer than max_head, 400 (raise it, *)" CLIENT, 0);
    sim_http(io, "GET", WEBSOCKET, NULL, NULL);
    expect("E23",
           "request refused: its transport is switched off (add it to the option transports)" AT,
           1);
    sim_open(io, &p, SIM_POLL, NULL);
    sim_request(sim_connect(), "GET", POLLING, NULL, NULL);
    sim_run_ms(io, 0);
    expect("503",
           "handshake refused: max_sessions, 100000, or max_sessions_per_address, 1, is *" AT, 2);
    char target[200];
    snprintf(target, sizeof target, POLLING "&sid=%s", p.sid);
    sim_http(io, "POST", target, NULL, body);
    expect("P20", "request refused: 413, a body is longer than max_payload, 100 (*)" CLIENT, 3);
    sim_http(io, "POST", target, "Transfer-Encoding: chunked\r\n", "zzz\r\n");
    expect("T", "request refused: 400*", 4);
    sim_free(io);
}

/* CORS is told once, and not for what needs none: the server's own pages, programs, WebSockets. */
static void cors_is_told_once(void **state)
{
    static const request cases[] = {
        { "a program", "GET " POLLING, "", NULL },
        { "its own page", "GET " POLLING, "Origin: http://x\r\n", NULL },
        { "a WebSocket", "GET " WEBSOCKET, "Origin: http://y\r\n" SIM_UPGRADE, NULL },
        { "another's page", "GET " POLLING, "Origin: http://yx\r\n",
          "CORS: a page of another origin asks, and its browser hides the answers from it (set its "
          "origin in the option cors; told once)" AT ", origin \"http://yx\"" },
        { "again", "GET " POLLING, "Origin: http://y\r\n", NULL },
    };
    (void)state;
    for (int with = 0; with < 2; with++) {
        sio_server *io = sim_new(&(sio_options){ .cors = with ? "http://y, http://yx" : NULL });
        for (size_t i = 0; i < COUNT(cases); i++)
            ask(io, &cases[i], with ? NULL : cases[i].line);
        sim_free(io);
    }
    for (int with = 0; with < 2; with++) {
        sio_server *io = sim_new(&(sio_options){ .cors = with ? "http://ok" : NULL });
        static const request preflight = { "O04", "OPTIONS " POLLING, "Origin: http://p\r\n",
                                           "request refused: a browser asks what a page of another "
                                           "origin may (set its origin in the "
                                           "option cors)" AT ", origin \"http://p\"" };
        static const request stranger = { "a page that is not in the option", "GET " POLLING,
                                          "Origin: http://p\r\n",
                                          "CORS: a page of another origin *" };
        if (!with)
            ask(io, &preflight, preflight.line);
        else
            ask(io, &stranger, stranger.line);
        sim_free(io);
    }
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static const struct {
    const char *rule, *script;
    const char *line;
} sessions[] = {
    { "H02", "A ws\n> 40\n< 40*\n+ 45000",
      "session closed: ping timeout, nothing came for 20000 ms (raise ping_timeout_ms, if its "
      "network is slow and not gone)" CLIENT ", session \"*\"" },
    { "H04", "A ws\n> 40\n< 40*\n+ 25000\n> 42['x']\n+ 40000",
      "session closed: ping timeout, packets came but no pong for 20000 ms (*)" CLIENT
      ", session \"*\"" },
    { "V04", "A ws 3\n< 40\n+ 45000",
      "session closed: ping timeout, nothing came for 45000 ms (*)*" },
    { "P41", "A poll\n+ 10000",
      "session closed: its client did not come back within return_timeout_ms, 10000 (*)" CLIENT
      ", session \"*\"" },
    { "C01", "A ws\n+ 25000\n< 2\n> 3\n+ 20000",
      "connection closed: it joined no namespace within connect_timeout_ms, 45000 (*)" CLIENT
      ", session \"*\"" },
    { "S04", "A ws\n> 40/none,\n< 44/none,*",
      "CONNECT refused: there is no such namespace (call sio_of or sio_family)" CLIENT
      ", session \"*\", namespace \"/none\"" },
    { "S07", "A ws\n> 40\n< 40*\n> 40\n",
      "connection closed: it joins a namespace twice (have its client do it once)" CLIENT
      ", session \"*\"" },
    { "S23", "A ws\n> 4x\n",
      "connection closed: a packet is malformed, *(*)" CLIENT ", session \"*\"" },
    { "W34", "A ws\n> 9\n", "session closed: parse error, a packet is none of Engine.IO, *(*)*" },
    { "W35", "A ws\n> 2\n", "session closed: transport error, invalid heartbeat direction (*)*" },
    { "U11", "A poll\n> 40\n< 40*\nB up A\n+ 10000",
      "upgrade given up: it was not completed within upgrade_timeout_ms, 10000 (*)" CLIENT
      ", session \"*\"" },
    { "W21, W42, D01", "A ws\n> 40\n< 40*\nB poll\nB> 40\nB< 40*\n> 41\n/\nB> 1\n+ 100", NULL },
};

static void a_closed_session_has_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sessions); i++) {
        sio_server *io = sim_new(NULL);
        sio_of(io, "/");
        sio_allow_v3(io);
        assert_true(sim_play(io, sessions[i].rule, sessions[i].script));
        expect(sessions[i].rule, sessions[i].line, 0);
        sim_free(io);
    }
}

static const struct {
    const char *rule;
    unsigned first;
    const char *payload;
    size_t n;
    const char *line;
} frames[] = {
    { "W27", 0x81, NULL, 101,
      "websocket closed: 1009, a message of 101 bytes or more exceeds max_payload, 100 (raise it, "
      "or send less at once)*" },
    { "W28", 0x80, NULL, 61,
      "websocket closed: 1009, a message of 111 bytes or more exceeds *, 100 (*)*" },
    { "W25", 0x81, "\xff", 1, "websocket closed: 1007, a text is not UTF-8 (*)*" },
    { "W14", 0xc1, "x", 1,
      "websocket closed: 1002, a frame breaks RFC 6455 (look at its client)*" },
};

/* The client is told the code alone. */
static void an_error_of_websocket_has_a_line(void **state)
{
    static const sio_ws_handlers none = { .open = NULL };
    static const char *const targets[] = { WEBSOCKET, "/raw" };
    static const char *const who[] = { "*" CLIENT ", session \"*\"", "*" CLIENT ", path \"/raw\"" };
    char big[101];
    (void)state;
    memset(big, 'x', sizeof big);
    sio_server *io = sim_new(&(sio_options){ .max_payload = 100 });
    sio_websocket(io, "/raw", &none);
    for (size_t i = 0; i < 2 * COUNT(frames); i++) {
        size_t k = i / 2;
        unsigned long before = sim.logged;
        sim_client *c = sim_ws_open(io, targets[i % 2], NULL);
        if (i % 2 == 0)
            sim_ws_hear(c);
        if (frames[k].first == 0x80)
            sim_ws_frame(c, 0x01, big, 50);
        sim_ws_frame(c, frames[k].first, frames[k].payload == NULL ? big : frames[k].payload,
                     frames[k].n);
        sim_run_ms(io, 0);
        expect(frames[k].rule, frames[k].line, before);
        expect(frames[k].rule, who[i % 2], before);
        char code[16];
        snprintf(code, sizeof code, "CLOSE(%.4s)", sim.log + 18);
        assert_string_equal(sim_ws_hear(c), code);
    }
    sim_ws_open(io, "/raw", NULL);
    unsigned long before = sim.logged;
    sim_run_ms(io, 45000);
    expect("5.5.2",
           "websocket closed: no frame came for 20000 ms behind a ping (*)" CLIENT
           ", path \"/raw\"",
           before);
    sim_free(io);
}

/* An upgrade that does not begin, for nobody reads what is sent to its connection, has no session to
 * name; one that there is already is told besides. */
static void an_upgrade_that_does_not_begin_has_a_line(void **state)
{
    char target[200];
    sim_peer p;
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .max_output = 100 });
    sim_open(io, &p, SIM_POLL, NULL);
    snprintf(target, sizeof target, WEBSOCKET "&sid=%s", p.sid);
    for (unsigned long again = 0; again < 2; again++) {
        sim_client *c = sim_connect();
        sim_room(c, 0);
        sim_request(c, "GET", "/", NULL, NULL);
        sim_run_ms(io, 0);
        if (again)
            sim_ws_open(io, target, NULL);
        unsigned long before = sim.logged;
        sim_request(c, "GET", target, SIM_UPGRADE, NULL);
        sim_run_ms(io, 0);
        expect("U09",
               again ? "websocket closed: its session has one already *, session \"*\""
                     : "connection closed: more than max_output, 100 bytes, waits for *(*)" CLIENT,
               before + again);
    }
    sim_free(io);
}

/* ---- Who it was ------------------------------------------------------------------------------ */

/* What a client chose looks like nothing else in a line, and is cut. */
static void a_clients_bytes_are_escaped_and_cut(void **state)
{
    static const request cases[] = {
        { "quotes", "GET /a\",\\", "", "*; client \"127.0.0.1\", path \"/a\\x22,\\x5c\"" },
        { "an origin", "GET /", "Origin: \"\xff\t;\r\n", "*, origin \"\\x22\\xff\\x09;\"" },
        { "an address", "GET /", "X-Forwarded-For: 1.1.1.1, \"x\r\n", "*; client \"\\x22x\", *" },
        { "none", "GET /", "X-Forwarded-For: ,\r\n", "*; client \"127.0.0.1\", path \"/\"" },
    };
    char pattern[300], path[120];
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .trust_proxy = true });
    for (size_t i = 0; i < COUNT(cases); i++)
        ask(io, &cases[i], cases[i].line);
    for (int more = 0; more < 2; more++) {
        unsigned long before = sim.logged;
        snprintf(path, sizeof path, "/%099d%s", 0, more ? "x" : "");
        sim_http(io, "GET", path, NULL, NULL);
        snprintf(pattern, sizeof pattern, "*, path \"%.100s\"%s", path, more ? "..." : "");
        expect("a long path", pattern, before);
    }
    sim_free(io);
}

/* A session opened through a proxy has the address that the proxy said. */
static void a_session_has_its_clients_address(void **state)
{
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .trust_proxy = true });
    sim_client *c = sim_ws_open(io, WEBSOCKET, "X-Forwarded-For: 10.1.2.3\r\n");
    sim_ws_frame(c, 0xc1, "x", 1);
    sim_run_ms(io, 0);
    assert_true(sim_like("*; client \"10.1.2.3\", session \"*\"", sim.log));
    sim_free(io);
}

/* The application's own texts are told as they are, but for what would end the line. */
static void a_line_is_one_line(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_emit(sio_all(sio_of(io, "/")), "a\n\xc3\xa9", "%s", "\xff"), -1);
    sim_run_ms(io, 0);
    assert_true(sim_like("template wrong: *(event a\\x0a\xc3\xa9)*", sim.log));
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_request_has_a_line),
        cmocka_unit_test(a_mismatch_has_a_line),
        cmocka_unit_test(who_is_turned_away_has_a_line),
        cmocka_unit_test(a_limit_has_a_line_with_its_number),
        cmocka_unit_test(cors_is_told_once),
        cmocka_unit_test(a_closed_session_has_a_line),
        cmocka_unit_test(an_error_of_websocket_has_a_line),
        cmocka_unit_test(an_upgrade_that_does_not_begin_has_a_line),
        cmocka_unit_test(a_clients_bytes_are_escaped_and_cut),
        cmocka_unit_test(a_session_has_its_clients_address),
        cmocka_unit_test(a_line_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
