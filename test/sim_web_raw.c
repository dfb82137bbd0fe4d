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

static const sio_ws_handlers handlers = { on_open, on_message, on_close };

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
