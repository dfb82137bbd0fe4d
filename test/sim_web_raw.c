/* sim_web_raw.c - plain WebSocket beside Socket.IO (RFC 6455)
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static sio_ws *newest;
static int closes, last_code, messages;
static bool last_clean;

static void on_open(sio_ws *ws)
{
    newest = ws;
}

static void on_message(sio_ws *ws, bool text, const void *p, size_t n)
{
    messages++;
    sio_ws_send(ws, text, p, n);
}

static void on_close(sio_ws *ws, int code, bool clean)
{
    (void)ws;
    closes++;
    last_code = code;
    last_clean = clean;
}

static const sio_ws_handlers handlers = { .open = on_open,
                                          .message = on_message,
                                          .close = on_close };

static sio_server *begin(const sio_options *o)
{
    sio_server *io = sim_new(o);
    closes = last_code = messages = 0;
    last_clean = false;
    assert_int_equal(sio_websocket(io, "/raw", &handlers), 0);
    return io;
}

/* ---- Handshakes ------------------------------------------------------------------------------ */

#define UP "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define KEY "Sec-WebSocket-Key: " SIM_KEY "\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define AT "/raw HTTP/1.1\r\nHost: x\r\n"

static const struct {
    const char *rule, *head;
    const char *log;  // a pattern; NULL: it is accepted
} handshakes[] = {
    { "4.2.1: a good one", "GET " AT UP KEY V13, NULL },
    { "4.2.1: POST", "POST " AT UP KEY V13, "*refused: Invalid HTTP method *path \"/raw\"" },
    { "4.2.1: HTTP/1.0", "GET /raw HTTP/1.0\r\n" UP KEY V13, "*refused: Invalid HTTP version*" },
    { "4.2.1: no key", "GET " AT UP V13, "*refused: *Sec-WebSocket-Key*" },
    { "11.3.1: two keys", "GET " AT UP KEY KEY V13, "*refused: *Sec-WebSocket-Key*" },
    { "4.4: no version", "GET " AT UP KEY, "*refused: *Sec-WebSocket-Version*" },
    { "11.3.5: two versions", "GET " AT UP KEY V13 V13, "*refused: *Sec-WebSocket-Version*" },
    { "4.2.1: h2c", "GET " AT "Connection: Upgrade\r\nUpgrade: h2c\r\n" KEY V13,
      "*refused: Invalid Upgrade header*" },
    { "10.2: a foreign origin", "GET " AT UP KEY V13 "Origin: http://evil\r\n",
      "*refused: *option origins*origin \"http://evil\"" },
    { "10.2: a good one", "GET " AT UP KEY V13 "Origin: http://a\r\n", NULL },
};

static void refused_handshakes_are_told_and_counted(void **state)
{
    (void)state;
    sio_options o = { .origins = "http://a" };
    sio_server *io = begin(&o);
    uint64_t refused = 0;
    for (size_t i = 0; i < COUNT(handshakes); i++) {
        bool good = handshakes[i].log == NULL;
        unsigned long before = sim.logged;
        sim_client *c = sim_connect();
        sim_sendf(c, "%s\r\n", handshakes[i].head);
        sim_run_ms(io, 0);
        refused += !good;
        int status = sim_answered(c, false).status;
        if (status != (good ? 101 : 400) || sim_ended(c) == good || sim.logged - before != !good ||
            (!good && !sim_like(handshakes[i].log, sim.log)) ||
            sio_get_stats(io)->refused != refused)
            fail_msg("%s: %d, %s", handshakes[i].rule, status, sim.log);
    }
    assert_int_equal(sio_websocket(io, "raw", &handlers), -1);
    assert_null(sim_ws_open(io, "/other", NULL));  // nobody's
    assert_int_equal(sio_get_stats(io)->refused, refused + 1);
    assert_true(sim_like("*refused*listens on /socket.io/*path \"/other\"", sim.log));
    sim_free(io);
}

/* ---- Asking the application ------------------------------------------------------------------ */

static const char *allow_answer;
static char allow_saw[200];
static int allow_asked, opened;

static const char *on_allow(sio_http *http)
{
    const char *who = sio_http_header(http, "X-Who");
    allow_asked++;
    snprintf(allow_saw, sizeof allow_saw, "%s %s %s %s %d %d", sio_http_path(http),
             who == NULL ? "-" : who, sio_http_address(http), (const char *)sio_http_data(http),
             opened, sio_http_reply(http, 200, NULL, "mine", 4));
    sio_http_add_header(http, "X-Added", "yes");
    return allow_answer != NULL && strcmp(allow_answer, "why") == 0 ? sio_http_query(http, "why")
                                                                    : allow_answer;
}

static void count_open(sio_ws *ws)
{
    newest = ws;
    opened++;
}

static const struct {
    const char *rule, *answer, *body;
    int status;
} allowances[] = {
    { "NULL accepts", NULL, "", 101 },
    { "the standard refusal", "", "Forbidden", 403 },
    { "a message of its own", "not today", "not today", 403 },
    { "a message that was lent for the call", "why", "late & tired", 403 },
};

static void a_handshake_can_be_refused(void **state)
{
    static char data[] = "mine";
    sio_ws_handlers asking = { .open = count_open, .allow = on_allow, .data = data };
    (void)state;
    for (size_t i = 0; i < COUNT(allowances); i++) {
        sio_server *io = sim_new(NULL);
        bool good = allowances[i].status == 101;
        assert_int_equal(sio_websocket(io, "/a", &asking), 0);
        allow_asked = opened = 0;
        allow_answer = allowances[i].answer;
        sim_client *c = sim_connect();
        sim_request(c, "GET", "/a?why=late+%26%20tired", SIM_UPGRADE "X-Who: me\r\n", NULL);
        sim_run_ms(io, 0);
        sim_answer a = sim_answered(c, false);
        if (a.status != allowances[i].status || strcmp(a.body, allowances[i].body) != 0 ||
            opened != good || sim_ended(c) == good || sio_get_stats(io)->refused != !good)
            fail_msg("%s: %d, %s", allowances[i].rule, a.status, a.body);
        assert_string_equal(allow_saw, "/a me 127.0.0.1 mine 0 -1");
        assert_string_equal(sim_field(a, "X-Added"), good ? "yes" : "");
        if (!good) {
            assert_string_equal(sim_field(a, "Content-Type"), "text/plain; charset=utf-8");
            assert_true(sim_like(
                "websocket handshake refused: its handler allow said so*path \"/a\"", sim.log));
        }
        assert_int_equal(allow_asked, 1);
        assert_int_equal(
            sim_http(io, "GET", "/a", "Connection: Upgrade\r\nUpgrade: websocket\r\n", NULL).status,
            400);
        assert_int_equal(allow_asked, 1);  // what is no handshake is not asked about
        sim_free(io);
    }
}

/* ---- What they know of their request --------------------------------------------------------- */

static char known[400];

static void remember(const char *url, const char *address, const char *host, const char *twice,
                     const char *none, sio_value query)
{
    int n = snprintf(known, sizeof known, "%s|%s|%s|%s|%s|%s", url, address, host, twice,
                     none == NULL ? "-" : none, sim_json(query));
    assert_in_range(n, 1, sizeof known - 1);
}

static void remember_ws(sio_ws *ws)
{
    assert_null(sio_ws_header(ws, NULL));
    remember(sio_ws_url(ws), sio_ws_address(ws), sio_ws_header(ws, "hOST"),
             sio_ws_header(ws, "x-twice"), sio_ws_header(ws, "X-None"), sio_ws_query(ws));
}

static void remember_ws_again(sio_ws *ws, int code, bool clean)
{
    (void)code, (void)clean;
    remember_ws(ws);
}

static void remember_session(sio_session *s)
{
    assert_null(sio_session_header(s, NULL));
    remember(sio_session_url(s), sio_session_address(s), sio_session_header(s, "hOST"),
             sio_session_header(s, "x-twice"), sio_session_header(s, "X-None"),
             sio_session_query(s));
}

static void remember_session_again(sio_session *s, const char *reason)
{
    (void)reason;
    remember_session(s);
}

#define FIELDS "X-Twice: 1\r\nX-Forwarded-For: 10.0.0.9, 10.1.2.3\r\nX-Twice: 2\r\n"

/* When it opens, and when it is over. */
static void a_websocket_knows_its_request(void **state)
{
    static const char want[] = "/raw?a=%C3%A9+b&a=2&n|10.1.2.3|x|1, 2|-|{\"a\":\"2\",\"n\":\"\"}";
    sio_ws_handlers knowing = { .open = remember_ws, .close = remember_ws_again };
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .trust_proxy = true });
    sio_websocket(io, "/raw", &knowing);
    sim_client *c = sim_ws_open(io, "/raw?a=%C3%A9+b&a=2&n", FIELDS);
    assert_string_equal(known, want);
    *known = '\0';
    sim_abort(c);
    sim_run_ms(io, 0);
    assert_string_equal(known, want);
    sim_free(io);
}

static void a_session_knows_its_request(void **state)
{
    sio_engine_handlers knowing = { .open = remember_session, .close = remember_session_again };
    (void)state;
    for (int way = SIM_WS; way <= SIM_POLL; way++) {
        sio_server *io = sim_new(&(sio_options){ .trust_proxy = true });
        sio_engine(io, &(sio_options){ .path = "/e" }, &knowing);
        const char *target = way == SIM_WS ? "/e/?EIO=4&transport=websocket&a=%C3%A9"
                                           : "/e/?EIO=4&transport=polling&a=%C3%A9";
        char want[300];
        snprintf(want, sizeof want,
                 "%s|10.1.2.3|x|1, 2|-|{\"EIO\":\"4\",\"transport\":\"%s\",\"a\":\"\xc3\xa9\"}",
                 target, way == SIM_WS ? "websocket" : "polling");
        if (way == SIM_WS)
            sim_ws_open(io, target, FIELDS);
        else
            sim_http(io, "GET", target, FIELDS, NULL);
        assert_string_equal(known, want);
        *known = '\0';
        sim_free(io);  // which closes it
        assert_string_equal(known, want);
    }
}

/* ---- Data ------------------------------------------------------------------------------------ */

static int data_of[4];
static void *data_seen[3];

static void data_of_ws(sio_ws *ws)
{
    data_seen[0] = sio_ws_data(ws);
    sio_ws_set_data(ws, NULL);
    data_seen[1] = sio_ws_data(ws);
    sio_ws_set_data(ws, &data_of[3]);
}

static void data_of_closed_ws(sio_ws *ws, int code, bool clean)
{
    (void)code, (void)clean;
    data_seen[2] = sio_ws_data(ws);
}

static void data_of_session(sio_session *s)
{
    data_seen[0] = sio_session_data(s);
    sio_session_set_data(s, NULL);
    data_seen[1] = sio_session_data(s);
    sio_session_set_data(s, &data_of[3]);
}

static void data_of_closed_session(sio_session *s, const char *reason)
{
    (void)reason;
    data_seen[2] = sio_session_data(s);
}

static void data_is_the_endpoint_s_until_it_is_set(void **state)
{
    static const char *const paths[] = { "/0", "/1" };
    (void)state;
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < 2; i++) {
            sio_server *io = sim_new(NULL);
            for (int k = 0; k < 2; k++) {
                sio_ws_handlers ws = { .open = data_of_ws,
                                       .close = data_of_closed_ws,
                                       .data = &data_of[k] };
                sio_engine_handlers engine = { .open = data_of_session,
                                               .close = data_of_closed_session,
                                               .data = &data_of[k] };
                assert_int_equal(way == 0
                                     ? sio_websocket(io, paths[k], &ws)
                                     : sio_engine(io, &(sio_options){ .path = paths[k] }, &engine),
                                 0);
            }
            char target[60];
            snprintf(target, sizeof target, "%s%s", paths[i],
                     way == 0 ? "" : "/?EIO=4&transport=websocket");
            assert_non_null(sim_ws_open(io, target, NULL));
            assert_ptr_equal(data_seen[0], &data_of[i]);
            assert_null(data_seen[1]);
            sim_free(io);
            assert_ptr_equal(data_seen[2], &data_of[3]);
        }
}

static void nothing_is_refused_and_no_crash(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    errno = 0;
    assert_int_equal(sio_websocket(io, NULL, &handlers), -1);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_int_equal(sio_websocket(io, "/x", NULL), -1);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_int_equal(sio_engine(io, NULL, NULL), -1);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_int_equal(sio_ws_broadcast(io, NULL, true, "x", 1), -1);
    assert_int_equal(errno, EINVAL);
    assert_null(sim_ws_open(io, "/x", NULL));
    assert_int_equal(sio_websocket(io, "/x", &(sio_ws_handlers){ .open = NULL }), 0);
    assert_non_null(sim_ws_open(io, "/x", NULL));
    sim_free(io);
}

/* ---- Silence --------------------------------------------------------------------------------- */

static const sio_options slow = { .ping_interval_ms = 1000,
                                  .ping_timeout_ms = 300,
                                  .request_timeout_ms = 5000 };

/* 5.5.2. */
static void a_silent_client_is_asked_and_ended(void **state)
{
    (void)state;
    sio_server *io = begin(&slow);
    sim_client *c = sim_ws_open(io, "/raw", NULL);
    sim_run_ms(io, 999);
    assert_string_equal(sim_ws_hear(c), "");
    sim_run_ms(io, 1);
    assert_string_equal(sim_ws_hear(c), "PING()");
    sim_run_ms(io, 299);
    assert_int_equal(closes, 0);
    sim_run_ms(io, 1);
    assert_true(sim_closed(c));
    assert_int_equal(closes, 1);
    assert_int_equal(last_code, 1006);
    assert_false(last_clean);
    assert_int_equal(sio_get_stats(io)->ping_timeouts, 1);
    sim_free(io);
    assert_int_equal(closes, 1);
}

/* Any frame is a sign of life; half of one is none. */
static void whoever_says_something_stays(void **state)
{
    static const struct {
        const char *rule;
        unsigned first;
        const char *payload;
        bool alive;
    } cases[] = {
        { "a pong", 0x8a, "", true },  { "a pong with data that nobody sent", 0x8a, "hi", true },
        { "a ping", 0x89, "", true },  { "a message", 0x81, "hello", true },
        { "nothing", 0, NULL, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sio_server *io = begin(&slow);
        sim_client *c = sim_ws_open(io, "/raw", NULL);
        for (int round = 0; round < 20 && !sim_closed(c); round++) {
            sim_run_ms(io, 1000);
            assert_string_equal(sim_ws_hear(c), "PING()");
            sim_run_ms(io, 299);
            if (cases[i].payload != NULL)
                sim_ws_frame(c, cases[i].first, cases[i].payload, strlen(cases[i].payload));
            sim_run_ms(io, cases[i].payload == NULL);
            while (*sim_ws_hear(c) != '\0' && !sim_ended(c))
                continue;
        }
        if (sim_closed(c) == cases[i].alive)
            fail_msg("%s", cases[i].rule);
        sim_free(io);
    }
}

static void half_a_frame_is_silence(void **state)
{
    (void)state;
    sio_server *io = begin(&slow);
    sim_client *c = sim_ws_open(io, "/raw", NULL);
    sim_send(c, "\x81\x85\0\0\0\0hel", 9);
    for (int i = 0; i < 14; i++)
        sim_run_ms(io, 100);
    assert_true(sim_closed(c));
    assert_int_equal(last_code, 1006);
    sim_free(io);
}

/* 5.4: a message in frames may take its time, and no more, whatever is said in between. */
static void a_message_that_never_ends_is_ended(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        sio_server *io = begin(&slow);
        sim_client *c = sim_ws_open(io, "/raw", NULL);
        sim_ws_frame(c, 1, "a", 1);
        for (int i = 0; i < 49 + over; i++) {
            sim_run_ms(io, 100);
            sim_ws_frame(c, i % 2 ? 0x8a : 0, "b", 1);
        }
        sim_run_ms(io, 0);
        assert_int_equal(closes, over);
        sim_ws_frame(c, 0x80, "c", 1);
        sim_run_ms(io, 0);
        assert_int_equal(messages, !over);
        if (over)
            assert_int_equal(last_code, 1008);
        for (int i = 0; i < 60 && !over; i++) {  // the next one has its own time
            sim_run_ms(io, 100);
            sim_ws_frame(c, 0x8a, "", 0);
        }
        assert_int_equal(closes, over);
        if (over)
            assert_true(sim_like("*request_timeout_ms*", sim.log));
        sim_free(io);
    }
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void what_is_not_sent_is_said(void **state)
{
    (void)state;
    sio_options o = { .max_output = 10000 };
    sio_server *io = begin(&o);
    sim_client *c = sim_ws_open(io, "/raw", NULL);
    char *text = filled(6000, 'x');
    assert_int_equal(sio_ws_send(newest, true, "\xff", 1), -1);
    assert_int_equal(errno, EINVAL);
    sim_room(c, 0);
    sim_run_ms(io, 0);
    int sent = 0;
    while (sent < 100 && sio_ws_send(newest, true, text, 6000) == 0)
        sent++;
    assert_in_range(sent, 1, 2);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(sio_ws_send(newest, true, "", 0), -1);  // not the short one either
    assert_int_equal(closes, 0);
    sim_run_ms(io, 0);
    assert_int_equal(closes, 1);
    assert_int_equal(sio_ws_broadcast(io, "/raw", true, "x", 1), 0);  // nobody is there
    assert_int_equal(sio_ws_broadcast(io, "/other", true, "x", 1), -1);
    assert_int_equal(errno, ENOENT);
    free(text);
    sim_free(io);
}

/* 7.4: every code there is. */
static void codes_that_may_not_be_sent_are_refused(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    for (int code = -1; code < 70000; code += code < 6000 ? 1 : 977) {
        bool good = code == 0 || (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);
        sim_client *c = sim_ws_open(io, "/raw", NULL);
        int before = closes;
        errno = 0;
        if ((sio_ws_close(newest, code) == 0) != good || (errno == EINVAL) == good)
            fail_msg("%d", code);
        assert_int_equal(closes - before, good);
        if (good)
            assert_int_equal(last_code, code == 0 ? 1005 : code);
        assert_int_equal(sio_ws_close(newest, 1000), 0);  // closes the others, and these no more
        assert_int_equal(closes - before, 1);
        assert_true(last_clean);
        sim_close(c);
        sim_run_ms(io, 0);
        sim_forget(c);
    }
    sim_free(io);
}

/* Each allocation fails once. Who was let in is asked, answered, and told of its end once. */
static void memory_that_ends_harms_nobody(void **state)
{
    (void)state;
    bool failed = true;
    for (unsigned long k = 1; failed; k++) {
        sim_reset();
        sim.fail_alloc = k;
        closes = messages = 0;
        sio_server *io = sim_begin(&slow);
        bool served = io != NULL && sio_websocket(io, "/raw", &handlers) == 0;
        sim_client *c = served ? sim_ws_open(io, "/raw", NULL) : NULL;
        for (int i = 0; c != NULL && !sim_ended(c) && i < 3; i++) {
            sim_ws_frame(c, 1, "a", 1);
            sim_ws_frame(c, 0x80, "b", 1);
            sim_run_ms(io, 1000);
            sim_ws_frame(c, 0x8a, "", 0);
            sim_run_ms(io, 0);
        }
        failed = sim.allocs >= k;
        sim_free(io);
        assert_int_equal(closes, c != NULL);
        if (!failed)
            assert_int_equal(messages, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_handshakes_are_told_and_counted),
        cmocka_unit_test(a_handshake_can_be_refused),
        cmocka_unit_test(a_websocket_knows_its_request),
        cmocka_unit_test(a_session_knows_its_request),
        cmocka_unit_test(data_is_the_endpoint_s_until_it_is_set),
        cmocka_unit_test(nothing_is_refused_and_no_crash),
        cmocka_unit_test(a_silent_client_is_asked_and_ended),
        cmocka_unit_test(whoever_says_something_stays),
        cmocka_unit_test(half_a_frame_is_silence),
        cmocka_unit_test(a_message_that_never_ends_is_ended),
        cmocka_unit_test(what_is_not_sent_is_said),
        cmocka_unit_test(codes_that_may_not_be_sent_are_refused),
        cmocka_unit_test(memory_that_ends_harms_nobody),
    };
    return cmocka_run_group_tests_name("web_raw.c", tests, NULL, NULL);
}
