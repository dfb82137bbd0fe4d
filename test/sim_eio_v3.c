/* sim_eio_v3.c - protocol 3, which clients of Socket.IO 2 speak, and JSONP
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. */
#include "sim_app.h"

#define AT "/socket.io/?EIO=3&transport=polling"

typedef struct session {
    sio_server *io;
    char target[160], sid[21];
} session;

static const char *get(session *s)
{
    sim_client *c = sim_connect();
    sim_request(c, "GET", s->target, NULL, NULL);
    sim_run_ms(s->io, 0);
    return sim_answered(c, false).body;
}

static int post(session *s, const char *body)
{
    return sim_http(s->io, "POST", s->target, NULL, body).status;
}

/* Opens a session and hears that "/" is joined. query: more of it. */
static session begin(sio_server *io, const char *query)
{
    session s = { .io = io };
    snprintf(s.target, sizeof s.target, AT "%s", query);
    sim_answer a = sim_http(io, "GET", s.target, NULL, NULL);
    const char *sid = strstr(a.body, "sid");  // of JSONP in escaped quotes
    assert_non_null(sid);
    sid += strcspn(sid, ":");
    snprintf(s.sid, sizeof s.sid, "%.20s", sid + strspn(sid, ":\\\""));
    snprintf(s.target, sizeof s.target, AT "&sid=%s%s", s.sid, query);
    return s;
}

static sio_server *begin_server(void)
{
    sio_server *io = app_new();
    sio_allow_v3(io);
    return io;
}

/* V01, V02: the handshake, and "/" is joined without being asked. */
static void a_session_opens_and_joins(void **state)
{
    (void)state;
    sio_server *io = begin_server();
    sim_answer a = sim_http(io, "GET", AT, NULL, NULL);
    char *end;
    unsigned long n = strtoul(a.body, &end, 10);
    assert_int_equal(n, strlen(end + 1));  // V01
    assert_true(sim_like(":0{\"sid\":\"*\",\"upgrades\":[\"websocket\"],*}", end));
    session s = begin(io, "");
    assert_string_equal(get(&s), "2:4013:42[\"auth\",{}]");  // V02
    assert_int_equal(sim_http(io, "GET", "/socket.io/?transport=polling", NULL, NULL).status, 200);
    app_free(io);
}

/* What one POST does. heard: what a GET gets then; NULL: the session is gone, for that reason. */
static const struct {
    const char *rule, *query, *body, *heard, *reason;
} posts[] = {
    { "V03: a ping", "", "1:2", "1:3", NULL },
    { "V03: a ping with data", "", "6:2probe", "1:3", NULL },
    { "V04: a pong", "", "1:3", NULL, "transport error" },
    { "V06: an accent", "", "17:42[\"message\",\"\xc3\xa9\"]",
      "22:42[\"message-back\",\"\xc3\xa9\"]", NULL },
    { "V06: a character of two units", "", "18:42[\"message\",\"\xf0\x9f\x98\x80\"]",
      "23:42[\"message-back\",\"\xf0\x9f\x98\x80\"]", NULL },
    { "V06: two packets", "", "15:42[\"message\",1]15:42[\"message\",2]",
      "20:42[\"message-back\",1]20:42[\"message-back\",2]", NULL },
    { "V06: no colon", "", "3", NULL, "parse error" },
    { "V06: no length", "", ":3", NULL, "parse error" },
    { "V06: a negative length", "", "-1:3", NULL, "parse error" },
    { "V06: a length too long", "", "99:42[\"message\"]", NULL, "parse error" },
    { "V06: a length that is 1 in 32 bits", "", "4294967297:2", NULL, "parse error" },
    { "V06: half a character", "", "16:42[\"message\",\"\xf0\x9f\x98\x80\"]", NULL,
      "forced close" },
    { "V06: nothing", "", "", NULL, "parse error" },
    { "V06: an empty packet is skipped", "", "0:15:42[\"message\",1]", "20:42[\"message-back\",1]",
      NULL },
    { "V08: binary as text", "&b64=1",
      "45:451-[\"message\",{\"_placeholder\":true,\"num\":0}]6:b4AQID",
      "*[\"message-back\",{\"_placeholder\":true,\"num\":0}]6:b4AQID", NULL },
    { "V11: the auth stands in the name", "", "24:40/custom?token=abc&y=2,",
      "10:40/custom,*:42/custom,[\"auth\",{\"token\":\"abc\",\"y\":\"2\"}]", NULL },
    { "V12: a middleware's error is its data", "", "8:40/auth,",
      "*:44/auth,{\"code\":401,\"hint\":\"send the token\"}", NULL },
    { "V12: or its message", "", "21:40/auth?token=nodata,", "17:44/auth,\"no data\"", NULL },
    { "V12: an unknown namespace", "", "8:40/nope,",
      "*:44/nope,{\"message\":\"Invalid namespace\"}", NULL },
    { "V13: CONNECT for /", "", "2:40", NULL, "forced*close" },
    { "V04: the client closes", "", "1:1", NULL, "transport close" },
};

static void packets_carry_their_lengths(void **state)
{
    (void)state;
    size_t bad = 0;
    sio_server *io = begin_server();
    for (size_t i = 0; i < COUNT(posts); i++) {
        session s = begin(io, posts[i].query);
        get(&s);
        uint64_t packets = sio_get_stats(io)->packets_in;
        int status = post(&s, posts[i].body);
        bool two = strcmp(posts[i].rule, "V06: two packets") == 0;
        assert_true(!two || sio_get_stats(io)->packets_in - packets == 2);
        const char *got = "";
        bool good = status == 200;
        if (posts[i].heard == NULL)
            good &= sim_like(posts[i].reason, app_reason());
        else
            good &= sim_like(posts[i].heard, got = get(&s));
        if (!good)
            print_error("%s\n    got: %d %s, %s\n", posts[i].rule, status, got, app_reason());
        bad += !good;
    }
    app_free(io);
    assert_int_equal(bad, 0);
}

/* V05: the client pings; the server only watches. */
static void silence_ends_the_session(void **state)
{
    (void)state;
    sio_server *io = begin_server();
    session s = begin(io, "");
    get(&s);
    sim_run_ms(io, 40000);
    post(&s, "1:2");
    assert_string_equal(get(&s), "1:3");
    sim_run_ms(io, 44999);
    assert_int_equal(sio_get_stats(io)->sessions, 1);
    sim_run_ms(io, 1);
    assert_string_equal(app_reason(), "ping timeout");
    app_free(io);
}

/* V07, V09: bytes both ways. */
static void binary_payloads_go_both_ways(void **state)
{
    static const char event[] = "451-[\"message\",{\"_placeholder\":true,\"num\":0}]";
    (void)state;
    sio_server *io = begin_server();
    session s = begin(io, "");
    get(&s);
    char body[200] = { 0, 4, 6, (char)0xff };
    size_t n = 4;
    memcpy(body + n, event, sizeof event - 1);
    n += sizeof event - 1;
    body[1] = (char)((sizeof event - 1) / 10), body[2] = (char)((sizeof event - 1) % 10);
    memcpy(body + n, "\1\5\xff\4\1\2\3\4", 8);
    n += 8;
    sim_client *c = sim_connect();
    sim_sendf(c,
              "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
              "Content-Length: %zu\r\n\r\n",
              s.target, n);
    sim_send(c, body, n);
    sim_run_ms(io, 0);
    assert_string_equal(sim_answered(c, false).body, "ok");  // V09
    sim_request(c, "GET", s.target, NULL, NULL);
    sim_run_ms(io, 0);
    sim_answer a = sim_answered(c, false);
    assert_string_equal(sim_field(a, "Content-Type"), "application/octet-stream");  // V07
    size_t size = sizeof event - 1 + 5;
    assert_int_equal(a.n, 4 + size + 8);
    assert_int_equal(a.body[0], 0);
    assert_int_equal(a.body[1] * 10 + a.body[2], size);
    assert_int_equal((unsigned char)a.body[3], 0xff);
    assert_memory_equal(a.body + 4 + size, "\1\5\xff\4\1\2\3\4", 8);
    app_free(io);
}

static const play websocket[] = {
    { "V10: bytes have a leading 04",
      "< 40\n< 42['auth',{}]\n"
      "> 451-['message',{'_placeholder':true,'num':0}]\n# 040102\n"
      "< 451-['message-back',{'_placeholder':true,'num':0}]\n< <040102>" },
    { "V10: bytes without it",
      "< 40\n< 42*\n> 451-['message',{'_placeholder':true,'num':0}]\n# 0102\n"
      "< CLOSE()\n? parse error" },
    { "V03: a ping", "< 40\n< 42*\n> 2\n< 3\n> 2x\n< 3" },
    { "V05: silence", "< 40\n< 42*\n+ 44999\n.\n+ 1\n< CLOSE()\n? ping timeout" },
    { "V16: an acknowledgement", "< 40\n< 42*\n> 421['message-with-ack',1]\n< 431[1]" },
};

static void websockets_speak_it_too(void **state)
{
    (void)state;
    size_t bad = 0;
    sio_server *io = begin_server();
    for (size_t i = 0; i < COUNT(websocket); i++) {
        char script[500];
        snprintf(script, sizeof script, "A ws 3\n%s", websocket[i].script);
        bad += !sim_play(io, websocket[i].rule, script);
    }
    assert_int_equal(bad, 0);
    session s = begin(io, "");  // V16: an upgrade
    get(&s);
    sim_client *waiting = sim_connect();
    sim_request(waiting, "GET", s.target, NULL, NULL);
    char target[100];
    snprintf(target, sizeof target, "/socket.io/?EIO=3&transport=websocket&sid=%s", s.sid);
    sim_client *ws = sim_ws_open(io, target, NULL);
    sim_ws_say(ws, "2probe");
    sim_run_ms(io, 100);
    assert_string_equal(sim_ws_hear(ws), "3probe");
    assert_string_equal(sim_answered(waiting, false).body, "1:6");
    sim_ws_say(ws, "5");
    sim_ws_say(ws, "42[\"message\",1]");
    sim_run_ms(io, 0);
    assert_string_equal(sim_ws_hear(ws), "42[\"message-back\",1]");
    assert_true(
        sim_play_over(io, SIM_WS, "V15: protocol 4 beside it", JOINED "> 42['message']\n< 42*"));
    assert_true(
        sim_play_over(io, SIM_POLL, "V15: protocol 4 beside it", JOINED "> 42['message']\n< 42*"));
    app_free(io);
}

/* The ends of a session: protocol 3's framing there too. */
static void ends_are_framed(void **state)
{
    (void)state;
    sio_server *io = begin_server();
    static const char *const cases[][2] = {
        { "1:1", "1:6" },
        { "1:3", "1:1" },
        { "1:9", "1:1" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        session s = begin(io, "");
        get(&s);
        sim_client *c = sim_connect();
        sim_request(c, "GET", s.target, NULL, NULL);
        sim_run_ms(io, 0);
        post(&s, cases[i][0]);
        assert_string_equal(sim_answered(c, false).body, cases[i][1]);
    }
    session s = begin(io, "");
    get(&s);
    post(&s, "24:42[\"disconnect-me\",true]");
    assert_string_equal(get(&s), "2:41");
    assert_string_equal(get(&s), "1:61:1");
    app_free(io);
}

/* J01, J02: JSONP; protocol 4 does without. */
static void jsonp_is_a_script_and_a_form(void **state)
{
    (void)state;
    sio_server *io = begin_server();
    sim_answer a = sim_http(io, "GET", AT "&j=7", NULL, NULL);
    assert_true(sim_like("___eio[7](\"*:0{\\\"sid\\\":\\\"*}\");", a.body));  // J01
    const char *sid = strstr(a.body, "sid\\\":\\\"") + 8;
    char target[120];
    snprintf(target, sizeof target, AT "&j=x1y2&sid=%.20s", sid);
    sim_http(io, "GET", target, NULL, NULL);
    assert_string_equal(sim_http(io, "POST", target, NULL, "d=1:2").body, "ok");  // J02
    assert_string_equal(sim_http(io, "GET", target, NULL, NULL).body, "___eio[12](\"1:3\");");
    sim_http(io, "POST", target, NULL, "x=1&d=21:42%5B%22message%22%2C%22a%5C%5Cnb%E2%80%A8%22%5D");
    a = sim_http(io, "GET", target, NULL, NULL);
    assert_string_equal(a.body,
                        "___eio[12](\"26:42[\\\"message-back\\\",\\\"a\\\\nb\\u2028\\\"]\");");
    assert_string_equal(sim_field(a, "Content-Type"), "text/plain; charset=UTF-8");
    assert_string_equal(sim_http(io, "POST", target, NULL, "x=1").body, "ok");
    session s = begin(io, "&j=7");
    assert_string_equal(get(&s), "___eio[7](\"2:4013:42[\\\"auth\\\",{}]\");");
    a = sim_http(io, "GET", "/socket.io/?EIO=4&transport=polling&j=7", NULL, NULL);
    assert_true(sim_like("0{\"sid\":*}", a.body));
    app_free(io);
}

/* Without memory a form is not answered "ok" while its packets are lost. */
static void a_form_is_read_or_refused(void **state)
{
    (void)state;
    int refused = 0;
    for (unsigned long k = 1; k < 30; k++) {
        sio_server *io = begin_server();
        session s = begin(io, "&j=1");
        get(&s);
        sim_client *c = sim_connect();
        sim_run_ms(io, 0);
        sim_request(c, "POST", s.target, NULL, "d=15:42%5B%22message%22%2C1%5D");
        sim.fail_alloc = sim.allocs + k;
        sim_run_ms(io, 0);
        sim.fail_alloc = 0;
        sim_answer a = sim_answered(c, false);
        const char *got = get(&s);
        assert_true(a.status != 200 || sim_like("*message-back*", got) ||
                    sim_like("*Session ID unknown*", got));
        refused += a.status == 503;
        app_free(io);
    }
    assert_true(refused > 0);
}

/* V14: not before the call; from then on at each endpoint, whether it was there before or not. */
static void one_call_is_for_all_endpoints(void **state)
{
    static const char *const targets[] = { AT, "/a/?EIO=3&transport=polling",
                                           "/b/?EIO=3&transport=polling" };
    static const sio_engine_handlers engine = { .open = NULL };
    (void)state;
    sio_server *io = app_new();
    sio_engine(io, &(sio_options){ .path = "/a" }, &engine);
    for (size_t i = 0; i < 2; i++) {
        sim_answer a = sim_http(io, "GET", targets[i], NULL, NULL);
        assert_int_equal(a.status, 400);
        assert_string_equal(a.body, "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    }
    assert_int_equal(sio_allow_v3(io), 0);
    sio_engine(io, &(sio_options){ .path = "/b" }, &engine);
    for (size_t i = 0; i < COUNT(targets); i++)
        assert_int_equal(sim_http(io, "GET", targets[i], NULL, NULL).status, 200);
    app_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_opens_and_joins),
        cmocka_unit_test(packets_carry_their_lengths),
        cmocka_unit_test(silence_ends_the_session),
        cmocka_unit_test(binary_payloads_go_both_ways),
        cmocka_unit_test(websockets_speak_it_too),
        cmocka_unit_test(ends_are_framed),
        cmocka_unit_test(jsonp_is_a_script_and_a_form),
        cmocka_unit_test(one_call_is_for_all_endpoints),
        cmocka_unit_test(a_form_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
