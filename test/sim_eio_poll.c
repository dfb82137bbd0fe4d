/* sim_eio_poll.c - polling: what a GET is answered, what a POST may bring, and what ends a session
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. */
#include "sim_app.h"

#define AT "/socket.io/?EIO=4&transport=polling"
#define RS "\x1e"

/* A session of its own with what a test needs of it. */
typedef struct session {
    sio_server *io;
    sim_peer p;
    char target[120];
} session;

/* Opens one; joined: "/" is, and all of that is heard. */
static session begin(sio_server *io, bool joined)
{
    session s = { .io = io };
    sim_open(io, &s.p, SIM_POLL, NULL);
    snprintf(s.target, sizeof s.target, AT "&sid=%s", s.p.sid);
    if (joined) {
        sim_say(&s.p, "40");
        if (!sim_like("40{*", sim_hear(&s.p)) || !sim_like("42[*", sim_hear(&s.p)))
            fail_msg("the session did not begin");
    }
    return s;
}

/* Sends a GET and leaves it waiting, unless it is answered at once. */
static sim_client *get(session *s)
{
    sim_client *c = sim_connect();
    sim_request(c, "GET", s->target, NULL, NULL);
    sim_run_ms(s->io, 0);
    return c;
}

static sim_answer post(session *s, const char *fields, const char *body)
{
    return sim_http(s->io, "POST", s->target, fields, body);
}

static bool is_gone(session *s)
{
    sim_answer a = sim_http(s->io, "GET", s->target, NULL, NULL);
    return a.status == 400 &&
           strcmp(a.body, "{\"code\":1,\"message\":\"Session ID unknown\"}") == 0;
}

static void answered(sim_client *c, int status, const char *body)
{
    sim_answer a = sim_answered(c, false);
    assert_int_equal(a.status, status);
    if (!sim_like(body, a.body))
        fail_msg("%s, not %s", a.body, body);
}

/* ---- POST ----------------------------------------------------------------------------------- */

/* What one POST does to a session that has joined "/". heard: what a GET gets then; NULL: the
 * session is gone, for that reason. */
static const struct {
    const char *rule, *fields, *body;
    int status;
    const char *heard, *reason;
} posts[] = {
    { "P03: two packets in order", NULL, "42[\"message\",1]" RS "42[\"message\",2]", 200,
      "42[\"message-back\",1]" RS "42[\"message-back\",2]", NULL },
    { "P07: nothing", NULL, "", 200, NULL, "parse error" },
    { "P07: neither a length nor chunks", NULL, NULL, 200, NULL, "parse error" },
    { "P08: RS behind", NULL, "42[\"message\"]" RS, 200, NULL, "parse error" },
    { "P08: RS in front", NULL, RS "42[\"message\"]", 200, NULL, "parse error" },
    { "P08: RS twice", NULL, "3" RS RS "3", 200, NULL, "parse error" },
    { "P09: type 9", NULL, "9", 200, NULL, "parse error" },
    { "P09: abc", NULL, "abc", 200, NULL, "parse error" },
    { "P11: a ping", NULL, "2", 200, NULL, "transport error" },
    { "P11: a probe", NULL, "2probe", 200, NULL, "transport error" },
    { "P12: an unsolicited pong", NULL, "3", 200, "", NULL },
    { "P12: with data", NULL, "3abc", 200, "", NULL },
    { "P13: open", NULL, "0", 200, "", NULL },
    { "P13: upgrade", NULL, "5", 200, "", NULL },
    { "P13: noop", NULL, "6", 200, "", NULL },
    { "P15: close, and an event behind it", NULL, "1" RS "42[\"message\"]", 200, NULL,
      "transport close" },
    { "P25: octets", "Content-Type: application/octet-stream\r\n", "40", 400, NULL,
      "transport error" },
    { "P26: octets, in other words", "Content-Type: application/octet-stream; x=y\r\n",
      "42[\"message\"]", 200, "42[\"message-back\"]", NULL },
    { "P26: JSON", "Content-Type: application/json\r\n", "42[\"message\"]", 200,
      "42[\"message-back\"]", NULL },
    { "P26: a form", "Content-Type: application/x-www-form-urlencoded\r\n", "42[\"message\"]", 200,
      "42[\"message-back\"]", NULL },
    { "P26: an odd case", "cOnTeNt-TyPe: TEXT/PLAIN\r\n", "42[\"message\"]", 200,
      "42[\"message-back\"]", NULL },
    { "P27: base64 without padding", NULL,
      "451-[\"message\",{\"_placeholder\":true,\"num\":0}]" RS "b-_8", 200,
      "451-[\"message-back\",{\"_placeholder\":true,\"num\":0}]" RS "b+/8=", NULL },
    { "P28: an empty attachment", NULL,
      "451-[\"message\",{\"_placeholder\":true,\"num\":0}]" RS "b", 200,
      "451-[\"message-back\",{\"_placeholder\":true,\"num\":0}]" RS "b", NULL },
    { "P31: invalid UTF-8", NULL, "42[\"message\",\"\xff\"]", 200, NULL, "parse error" },
    { "P32: a byte order mark", NULL,
      "\xef\xbb\xbf"
      "42[\"message\"]",
      200, NULL, "parse error" },
};

static void a_post_does_what_its_packets_say(void **state)
{
    (void)state;
    size_t bad = 0;
    sio_server *io = app_new();
    for (size_t i = 0; i < COUNT(posts); i++) {
        session s = begin(io, true);
        sim_answer a = post(&s, posts[i].fields, posts[i].body);
        const char *body = posts[i].status == 200 ? "ok" : "";
        bool good = a.status == posts[i].status && strcmp(a.body, body) == 0;
        if (posts[i].heard == NULL) {
            good &= strcmp(app_reason(), posts[i].reason) == 0 && is_gone(&s);
        } else {
            a = sim_answered(get(&s), false);
            good &= strcmp(a.body, posts[i].heard) == 0;
        }
        if (!good)
            print_error("%s\n    got: %d %s, %s\n", posts[i].rule, a.status, a.body, app_reason());
        bad += !good;
        sim_say(&s.p, "1");
    }
    app_free(io);
    assert_int_equal(bad, 0);
}

/* P01, P02, P04, P05, P06: answers. */
static void a_get_waits_for_what_there_is(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, false);
    sim_answer a = post(&s, NULL, "40");
    assert_string_equal(a.body, "ok");
    assert_true(sim_like("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n"
                         "cache-control: no-store\r\n*",
                         a.head));                                     // P02
    answered(get(&s), 200, "40{\"sid\":\"*\"}" RS "42[\"auth\",{}]");  // P01

    sim_client *c = get(&s);
    sim_run_ms(io, 20000);
    assert_int_equal(sim_answered(c, false).status, 0);  // P04: held
    post(&s, NULL, "42[\"message\",1]" RS "42[\"message\",2]" RS "42[\"message\",3]");
    answered(c, 200,
             "42[\"message-back\",1]" RS "42[\"message-back\",2]" RS
             "42[\"message-back\",3]");  // P06: in order

    post(&s, NULL, "42[\"message\",\"a\"]" RS "42[\"emit-binary\",1,3]" RS "42[\"message\",\"c\"]");
    c = get(&s);
    answered(c, 200,
             "42[\"message-back\",\"a\"]" RS "452-[\"binary\",*]" RS "bAAEC" RS "bAAEC" RS
             "42[\"message-back\",\"c\"]");  // P05
    app_free(io);
}

/* P10: what stands behind a bad packet is never seen. */
static void a_bad_packet_ends_a_payload(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, true), other = begin(io, true);
    post(&s, NULL, "42[\"broadcast\",\"first\",[]]" RS "9" RS "42[\"broadcast\",\"third\",[]]");
    answered(get(&other), 200, "42[\"first\"]");
    sim_client *c = get(&other);
    assert_int_equal(sim_answered(c, false).status, 0);
    assert_true(is_gone(&s));
    app_free(io);
}

/* ---- The end of a session ------------------------------------------------------------------- */

static const struct {
    const char *rule, *body, *first, *reason;
} endings[] = {
    { "P14: the client closes", "1", "6", "transport close" },
    { "P33: a violation of Socket.IO", "4abc", "1", "forced close" },
    { "P29: bytes that nobody waits for", "bAQID", "1", "forced close" },
    { "P09: of Engine.IO", "9", "1", "parse error" },
    { "P11: of the heartbeat's direction", "2", "1", "transport error" },
};

static void a_waiting_get_is_told_of_the_end(void **state)
{
    (void)state;
    sio_server *io = app_new();
    for (size_t i = 0; i < COUNT(endings); i++) {
        session s = begin(io, true);
        sim_client *c = get(&s);
        post(&s, NULL, endings[i].body);
        sim_answer a = sim_answered(c, false);
        if (a.status != 200 || strcmp(a.body, endings[i].first) != 0 ||
            strcmp(app_reason(), endings[i].reason) != 0 || !is_gone(&s))
            fail_msg("%s: %d %s, %s", endings[i].rule, a.status, a.body, app_reason());
    }
    app_free(io);
}

/* P16, P17: overlaps. */
static void overlapping_requests_end_the_session(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, true);
    sim_client *first = get(&s), *second = get(&s);
    answered(first, 200, "1");  // P16
    answered(second, 400, "");
    assert_string_equal(app_reason(), "transport error");
    assert_true(is_gone(&s));

    s = begin(io, true);
    first = sim_connect();
    sim_sendf(first, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n42", s.target);
    sim_run_ms(io, 0);
    assert_int_equal(post(&s, NULL, "42[\"message\"]").status, 400);  // P17
    assert_true(sim_closed(first));
    assert_int_equal(sim_answered(first, false).status, 0);
    assert_string_equal(app_reason(), "transport error");
    assert_true(is_gone(&s));

    s = begin(io, true);  // the same, pipelined on one connection
    first = sim_connect();
    sim_request(first, "GET", s.target, NULL, NULL);
    sim_request(first, "GET", s.target, NULL, NULL);
    sim_run_ms(io, 0);
    answered(first, 200, "1");
    answered(first, 400, "");
    app_free(io);
}

/* P18, P19, P40: connections that end. */
static void a_lost_connection_ends_the_session(void **state)
{
    (void)state;
    sio_server *io = app_new();
    for (int way = 0; way < 6; way++) {
        session s = begin(io, true);
        sim_client *c = sim_connect();
        if (way < 3)
            sim_request(c, "GET", s.target, NULL, NULL);
        else
            sim_sendf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n42", s.target);
        sim_run_ms(io, 0);
        void (*const ways[])(sim_client *) = { sim_close, sim_abort, sim_finish };
        ways[way % 3](c);
        sim_run_ms(io, 0);
        assert_string_equal(app_reason(), "transport error");
        assert_true(is_gone(&s));
    }
    app_free(io);
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

/* A body of n bytes: an event with a long string. */
static char *body_of(size_t n, const char *filler)
{
    char *text = filled(n, 'x');
    size_t start = (size_t)sprintf(text, "42[\"message\",\"");
    for (size_t i = start; i + 2 + strlen(filler) <= n; i += strlen(filler))
        memcpy(text + i, filler, strlen(filler));
    memset(text + start + (n - 2 - start) / strlen(filler) * strlen(filler), ' ',
           (n - 2 - start) % strlen(filler));
    memcpy(text + n - 2, "\"]", 3);
    return text;
}

/* P20 to P24, T15: the limit counts bytes; one byte more is a 413, and nothing else ends. */
static void a_body_is_limited_and_a_long_one_harms_nobody(void **state)
{
    (void)state;
    app_options()->max_payload = 1000;
    sio_server *io = app_begin();
    session s = begin(io, true);
    char *good = body_of(1000, "x"), *bad = body_of(1001, "x"), *wide = body_of(1002, "\xc3\xa9");
    assert_int_equal(post(&s, NULL, good).status, 200);  // P20
    answered(get(&s), 200, "42[\"message-back\",\"x*\"]");

    sim_client *waiting = get(&s);
    sim_answer a = post(&s, NULL, bad);
    assert_int_equal(a.status, 413);  // P21
    assert_string_equal(a.body, "");
    assert_int_equal(post(&s, NULL, wide).status, 413);  // P22
    sim_client *c = sim_connect();
    sim_sendf(c, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n%s",
              s.target, bad);
    sim_run_ms(io, 0);
    answered(c, 413, "");                                      // P23
    assert_int_equal(sim_answered(waiting, false).status, 0);  // P24: it waits
    sim_sendf(c, "\r\n0\r\n\r\n");
    sim_request(c, "POST", s.target, NULL, "42[\"message\",1]");
    sim_run_ms(io, 0);
    answered(c, 200, "ok");  // T15: the rest of the body, then the next request
    answered(waiting, 200, "42[\"message-back\",1]");

    c = sim_connect();  // T14, P21: as soon as the limit is crossed, not before
    sim_sendf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n%s", s.target, good);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 0);
    sim_sendf(c, "x");
    sim_run_ms(io, 0);
    answered(c, 413, "");
    assert_int_equal(post(&s, NULL, "3").status, 200);
    free(good);
    free(bad);
    free(wide);
    app_free(io);
}

/* Threat "a huge or odd POST burns the processor": a payload of many packets costs linear time, and
 * so does one that is cut into single bytes. */
static void a_payload_of_many_packets_costs_linear_time(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, true);
    char *many = filled(999999, '3');
    for (size_t i = 1; i < 999999; i += 2)
        many[i] = '\x1e';
    double start = seconds();
    sim.unchecked = true;  // its work is not measured
    assert_int_equal(post(&s, NULL, many).status, 200);
    sim.cut = 1;
    many[100000] = '\0';
    assert_int_equal(post(&s, NULL, many).status, 200);  // its last packet is empty
    assert_true(seconds() - start < LINEAR);
    assert_true(is_gone(&s));
    free(many);
    app_free(io);
}

/* P30: a character cut between two segments. */
static void characters_may_be_cut(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim.cut = 1;
    session s = begin(io, true);
    post(&s, NULL, "42[\"message\",\"\xf0\x9f\x98\x80\"]");
    answered(get(&s), 200, "42[\"message-back\",\"\xf0\x9f\x98\x80\"]");
    app_free(io);
}

/* ---- Orderly closes ------------------------------------------------------------------------- */

/* P34 to P37. */
static void a_close_is_delivered_in_order(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, true);
    post(&s, NULL, "40");                                             // a violation, no GET
    assert_int_equal(post(&s, NULL, "42[\"message\"]").status, 200);  // P36: ignored
    answered(get(&s), 200, "6" RS "1");                               // P34
    assert_true(is_gone(&s));

    s = begin(io, true);
    sim_client *c = get(&s);
    post(&s, NULL, "42[\"disconnect-me\",true]");
    answered(c, 200, "41");  // P35
    answered(get(&s), 200, "6" RS "1");
    assert_true(is_gone(&s));

    s = begin(io, true);
    post(&s, NULL, "42[\"disconnect-me\",true]");
    answered(get(&s), 200, "41");
    answered(get(&s), 200, "6" RS "1");
    assert_true(is_gone(&s));

    s = begin(io, true);
    post(&s, NULL, "42[\"disconnect-me\",true]");
    sim_run_ms(io, 29000);
    assert_int_equal(post(&s, NULL, "3").status, 200);
    sim_run_ms(io, 1000);
    assert_true(is_gone(&s));  // P37
    app_free(io);
}

/* What waits for a close that nobody fetches is short, and keeps no buffer of a whole turn. */
static void a_close_that_waits_costs_what_it_says(void **state)
{
    (void)state;
    enum { N = 20 };
    sio_server *io = app_new();
    session s[N];
    for (int i = 0; i < N; i++)
        s[i] = begin(io, true);
    size_t before = sim.bytes;
    for (int i = 0; i < N; i++)
        post(&s[i], NULL, "42[\"disconnect-me\",true]");
    sim_must(sim.bytes < before + N * 4096, "%zu bytes more", sim.bytes - before);
    for (int i = 0; i < N; i++)
        answered(get(&s[i]), 200, "41");
    app_free(io);
}

/* ---- Pipelining ----------------------------------------------------------------------------- */

/* P39: a POST then a GET, and a GET then a POST, over one connection. */
static void pipelined_requests_are_answered_in_their_order(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, true);
    sim_client *c = sim_connect();
    sim_request(c, "POST", s.target, NULL, "42[\"message\",1]");
    sim_request(c, "GET", s.target, NULL, NULL);
    sim_run_ms(io, 0);
    answered(c, 200, "ok");
    answered(c, 200, "42[\"message-back\",1]");
    sim_request(c, "GET", s.target, NULL, NULL);
    sim_request(c, "POST", s.target, NULL, "42[\"message\",2]");
    sim_run_ms(io, 0);
    answered(c, 200, "42[\"message-back\",2]");
    answered(c, 200, "ok");
    app_free(io);
}

/* A refused upgrade between a waiting GET and a POST that answers it: the connection ends behind
 * the refusal, and the POST behind that is not looked at. */
static void nothing_is_served_behind_a_refusal(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, true);
    sim_client *c = sim_connect();
    sim_request(c, "GET", s.target, NULL, NULL);
    sim_request(c, "GET", "/socket.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    sim_request(c, "POST", s.target, NULL, "4abc");
    sim_run_ms(io, 0);
    sim_say(&s.p, "42[\"message\",1]");
    answered(c, 200, "42[\"message-back\",1]");
    answered(c, 400, "*");
    assert_true(sim_ended(c));
    app_free(io);
}

/* Threat "an answer never sent": whatever is asked in whatever order, over one connection or two,
 * each request has one answer, and then the session is gone or as it was. sim_free looks at them
 * all. */
static void every_request_gets_exactly_one_answer(void **state)
{
    static const char *const kinds[][3] = {
        { "GET", NULL, NULL },
        { "POST", NULL, "42[\"message\",1]" },
        { "POST", NULL, "1" },
        { "POST", NULL, "4abc" },
        { "POST", "Content-Type: application/octet-stream\r\n", "x" },
        { "PUT", NULL, "x" },
        { "GET", SIM_UPGRADE, NULL },
        { "POST", "Expect: 100-continue\r\n", "42[\"disconnect-me\",true]" },
    };
    (void)state;
    sio_server *io = app_new();
    for (size_t n = 0; n < COUNT(kinds) * COUNT(kinds) * COUNT(kinds) * 2; n++) {
        session s = begin(io, true);
        sim_client *one = sim_connect(), *two = n % 2 ? sim_connect() : one;
        size_t k = n / 2;
        for (int i = 0; i < 3; i++, k /= COUNT(kinds)) {
            const char *const *kind = kinds[k % COUNT(kinds)];
            sim_request(i % 2 ? two : one, kind[0], s.target, kind[1], kind[2]);
        }
        sim_run_ms(io, 0);
        sim_run_ms(io, 50000);  // pings, timeouts: no GET waits any more
        size_t answers = 0, ended = sim_ended(one) && sim_ended(two);
        for (int status; (status = sim_answered(one, false).status) != 0 && status != 101;)
            answers += status != 100;
        for (int status;
             two != one && (status = sim_answered(two, false).status) != 0 && status != 101;)
            answers += status != 100;
        assert_true(answers <= 3 && ended);
        sim_close(one);
        sim_close(two);
        sim_close(s.p.get);
        sim_close(s.p.post);
        sim_run_ms(io, 0);
    }
    app_free(io);
}

/* ---- Long payloads -------------------------------------------------------------------------- */

enum { PACKETS = 20000 };

/* So many events in one payload, with last behind them. */
static char *many_packets(int n, const char *last)
{
    char *body = malloc((size_t)n * 40 + 100), *to = body;
    assert_non_null(body);
    for (int i = 0; i < n; i++)
        to += sprintf(to, "42[\"message\",%d]" RS, i);
    strcpy(to, last);
    return body;
}

/* How many echoes the next GET brings; they are numbered from 0. */
static int count_echoes(session *s)
{
    sim_answer a = sim_answered(get(s), false);
    int n = 0;
    for (const char *p = a.body; (p = strstr(p, "message-back\",")) != NULL; n++) {
        p += strlen("message-back\",");
        if (atoi(p) != n)
            fail_msg("%d, not %d", atoi(p), n);
    }
    return n;
}

/* Turns until a payload is being read. */
static void await_packets(sio_server *io)
{
    uint64_t before = sio_get_stats(io)->packets_in;
    while (sio_get_stats(io)->packets_in == before)
        sio_turn(io, 0);
    assert_true(sio_get_stats(io)->packets_in - before <= 2 * 4096);
}

/* Threat "a payload of a million packets": it takes many turns, in which others are served; the
 * answer comes when it has been read, and the order is kept. */
static void a_long_payload_is_read_in_slices(void **state)
{
    (void)state;
    sio_server *io = app_new();
    session s = begin(io, true), other = begin(io, true);
    char *body = many_packets(PACKETS, "42[\"message\",20000]");
    sim_client *c = sim_connect(), *beside = sim_connect();
    sim_request(c, "POST", s.target, NULL, body);
    await_packets(io);
    sim_request(beside, "POST", other.target, NULL, "42[\"message\",0]");
    sio_turn(io, 0);
    sio_turn(io, 0);
    answered(beside, 200, "ok");
    assert_int_equal(sim_answered(c, false).status, 0);
    sim_run_ms(io, 0);
    answered(c, 200, "ok");
    assert_int_equal(count_echoes(&s), PACKETS + 1);
    assert_int_equal(count_echoes(&other), 1);
    free(body);
    app_free(io);
}

/* All that are being read share a turn. */
static void long_payloads_share_the_turns(void **state)
{
    (void)state;
    enum { SESSIONS = 20 };
    sio_server *io = app_new();
    session s[SESSIONS];
    sim_client *c[SESSIONS];
    char *body = many_packets(PACKETS / 4, "3");
    for (int i = 0; i < SESSIONS; i++)
        s[i] = begin(io, true);
    for (int i = 0; i < SESSIONS; i++) {
        c[i] = sim_connect();
        sim_request(c[i], "POST", s[i].target, NULL, body);
    }
    await_packets(io);
    uint64_t last = 0;
    for (int first = 1; sio_get_stats(io)->packets_in > last; first = 0) {
        uint64_t now = sio_get_stats(io)->packets_in;
        assert_true(first || now - last <= 5 * 4096);
        last = now;
        sio_turn(io, 0);
    }
    for (int i = 0; i < SESSIONS; i++) {
        answered(c[i], 200, "ok");
        assert_int_equal(count_echoes(&s[i]), PACKETS / 4);
    }
    free(body);
    app_free(io);
}

/* What happens while a payload is read. */
enum { OVERLAP, PIPELINED, RESET, UPGRADE, CLOSED };

static void begin_long_post(session *s, sim_client *c, const char *body)
{
    sim_request(c, "POST", s->target, NULL, body);
    await_packets(s->io);
    assert_int_equal(sim_answered(c, false).status, 0);
}

static void much_may_happen_while_a_payload_is_read(void **state)
{
    (void)state;
    char *body = many_packets(PACKETS, "3");
    for (int what = OVERLAP; what <= CLOSED; what++) {
        sio_server *io = app_new();
        session s = begin(io, true);
        char upgrade[120];
        sim_client *c = sim_connect(), *ws;
        snprintf(upgrade, sizeof upgrade, "/socket.io/?EIO=4&transport=websocket&sid=%s", s.p.sid);
        ws = sim_ws_open(io, upgrade, NULL);
        begin_long_post(&s, c, body);
        if (what == OVERLAP)
            assert_int_equal(post(&s, NULL, "3").status, 400);
        else if (what == PIPELINED)
            sim_request(c, "POST", s.target, NULL, "3");
        else if (what == RESET)
            sim_abort(c);  // it came whole
        else if (what == UPGRADE)
            sim_ws_say(ws, "5");  // too early
        else
            sio_disconnect_sockets(sio_all(sio_of(io, "/")), true);
        sim_run_ms(io, 0);
        assert_int_equal(sim_closed(c), what <= RESET);
        if (what == UPGRADE)
            assert_string_equal(sim_ws_hear(ws), "CLOSE()");
        if (what >= UPGRADE)
            answered(c, 200, "ok");
        if (what == RESET || what == UPGRADE)
            assert_int_equal(count_echoes(&s), PACKETS);
        else if (what == CLOSED)
            assert_true(count_echoes(&s) <= 4 * 4096);
        else
            assert_true(is_gone(&s));
        app_free(io);
    }
    free(body);
}

/* How a long payload ends: as a short one does. */
static void a_long_payload_ends_like_a_short_one(void **state)
{
    static const struct {
        const char *last, *reason;
    } ends[] = {
        { "", "parse error" },  // P08: RS behind
        { "9", "parse error" },
        { "1" RS "42[\"message\"]", "transport close" },
        { "42[\"disconnect-me\",true]" RS "42[\"message\"]", "server namespace disconnect" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        for (int n = 4094; n <= 4098; n++) {
            sio_server *io = app_new();
            session s = begin(io, true);
            char *body = many_packets(n, ends[i].last);
            assert_string_equal(post(&s, NULL, body).body, "ok");
            assert_string_equal(app_reason(), ends[i].reason);
            free(body);
            app_free(io);
        }
    }
}

/* Without memory for what is left of it a payload is refused, and the session ends. */
static void a_long_payload_is_read_or_refused(void **state)
{
    (void)state;
    char *body = many_packets(5000, "3");
    int refused = 0;
    unsigned long most = 1;
    for (unsigned long k = 0; k <= most; k++) {
        sio_server *io = app_new();
        session s = begin(io, true);
        sim_client *c = sim_connect();
        sim_run_ms(io, 0);
        sim_request(c, "POST", s.target, NULL, body);
        unsigned long before = sim.allocs;
        sim.fail_alloc = k == 0 ? 0 : before + k;
        sim_run_ms(io, 0);
        most = k == 0 ? sim.allocs - before : most;
        sim_answer a = sim_answered(c, false);
        refused += a.status == 503;
        assert_true(a.status != 503 || is_gone(&s));  // for its packets are lost
        app_free(io);
    }
    assert_true(refused > 0);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_does_what_its_packets_say),
        cmocka_unit_test(a_get_waits_for_what_there_is),
        cmocka_unit_test(a_bad_packet_ends_a_payload),
        cmocka_unit_test(a_waiting_get_is_told_of_the_end),
        cmocka_unit_test(overlapping_requests_end_the_session),
        cmocka_unit_test(a_lost_connection_ends_the_session),
        cmocka_unit_test(a_body_is_limited_and_a_long_one_harms_nobody),
        cmocka_unit_test(a_payload_of_many_packets_costs_linear_time),
        cmocka_unit_test(characters_may_be_cut),
        cmocka_unit_test(a_close_is_delivered_in_order),
        cmocka_unit_test(a_close_that_waits_costs_what_it_says),
        cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
        cmocka_unit_test(nothing_is_served_behind_a_refusal),
        cmocka_unit_test(every_request_gets_exactly_one_answer),
        cmocka_unit_test(a_long_payload_is_read_in_slices),
        cmocka_unit_test(long_payloads_share_the_turns),
        cmocka_unit_test(much_may_happen_while_a_payload_is_read),
        cmocka_unit_test(a_long_payload_ends_like_a_short_one),
        cmocka_unit_test(a_long_payload_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
