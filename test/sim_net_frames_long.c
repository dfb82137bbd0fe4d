/* sim_net_frames_long.c - WebSocket messages as they come in pieces: what they cost, and what they hold
 * SPDX-License-Identifier: MIT
 *
 * What frames are answered is in sim_net_frames.c. */
#include "lib.h"
#include "sim.h"

#include <limits.h>

#define AT "/socket.io/?EIO=4&transport=websocket"

static size_t messages, bytes;

static void on_message(sio_ws *ws, bool text, const void *p, size_t n)
{
    (void)ws, (void)text, (void)p;
    messages++;
    bytes += n;
}

static sio_server *serve(sim_client **c)
{
    static const sio_ws_handlers handlers = { .message = on_message };
    sio_server *io = sim_new(&(sio_options){ .ping_interval_ms = INT_MAX });  // no pings
    assert_int_equal(sio_websocket(io, "/plain", &handlers), 0);
    *c = sim_ws_open(io, "/plain", NULL);
    assert_non_null(*c);
    messages = bytes = 0;
    return io;
}

/* Who announces a long frame and sends little of it holds little. */
static void a_frame_that_is_announced_holds_what_has_come(void **state)
{
    static const unsigned char header[] =
        "\x82\xff\0\0\0\0\0\x0f\x42\x40\0\0\0\0";  // 1,000,000 bytes
    static char payload[1000000];
    sim_client *c;
    sio_server *io = serve(&c);
    (void)state;
    size_t before = sim.bytes, sent = 0;
    sim_send(c, header, 14);
    sim_run_ms(io, 5000);
    assert_true(sim.bytes - before < 1000);
    for (size_t n = 1000; n <= 200000; n += 1000, sent += 1000) {
        sim_send(c, payload, 1000);
        sim_run_ms(io, 5000);
        assert_true(sim.bytes - before < 66000 + 4 * n);  // long blocks are multiples of 65536
    }
    sim_send(c, payload, sizeof payload - sent);
    sim_run_ms(io, 0);
    assert_int_equal(messages, 1);
    assert_int_equal(bytes, 1000000);
    sim_free(io);
}

/* However the bytes of long frames are cut, they come whole. */
static void long_frames_come_whole_however_they_are_cut(void **state)
{
    static const size_t cuts[] = {
        100, 511, 512, 1000, 1024, 1025, 4096, 65536, 262144, SIM_RANDOM
    };
    static char payload[300000];
    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        sim_client *c;
        sio_server *io = serve(&c);
        sim.cut = cuts[i];
        for (size_t n = 1; n < sizeof payload; n *= 7)
            sim_ws_frame(c, 0x82, payload, n);
        sim_run_ms(io, 0);
        assert_int_equal(messages, 7);
        assert_int_equal(bytes, 1 + 7 + 49 + 343 + 2401 + 16807 + 117649);
        sim_free(io);
    }
}

/* What comes in fragments holds no more than a message may have. */
static void fragments_hold_no_more_than_the_limit(void **state)
{
    static char payload[600000];
    sim_client *c;
    sio_server *io = serve(&c);
    (void)state;
    size_t before = sim.bytes;
    sim_ws_frame(c, 0x02, payload, 600000);
    sim_run_ms(io, 5000);
    assert_true(sim.bytes - before < 1001000);
    sim_ws_frame(c, 0x80, payload, 400000);
    sim_run_ms(io, 5000);
    assert_int_equal(bytes, 1000000);
    sim_free(io);
}

/* RFC 9110, 5.6.2: a subprotocol is a token, which has ASCII alone. */
static void a_subprotocol_is_a_token(void **state)
{
    static const struct {
        const char *offer, *chosen;
    } cases[] = {
        { "chat", "chat" }, { "a,b", "a" },   { "a b", "a" },
        { "a{", "a" },      { "a\xe9", "a" }, { "\xe9", NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sio_server *io = sim_new(NULL);
        sim_client *c = sim_connect();
        char line[64] = "";
        sim_sendf(c,
                  "GET " AT " HTTP/1.1\r\nHost: x\r\n" SIM_UPGRADE
                  "Sec-WebSocket-Protocol: %s\r\n\r\n",
                  cases[i].offer);
        sim_run_ms(io, 0);
        const char *at = strstr(sim_text(c, NULL), "Sec-WebSocket-Protocol: ");
        if (at != NULL)
            sscanf(at + 24, "%63[^\r]", line);
        assert_memory_equal(sim_text(c, NULL), "HTTP/1.1 101", 12);
        assert_string_equal(line, cases[i].chosen == NULL ? "" : cases[i].chosen);
        sim_free(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_that_is_announced_holds_what_has_come),
        cmocka_unit_test(long_frames_come_whole_however_they_are_cut),
        cmocka_unit_test(fragments_hold_no_more_than_the_limit),
        cmocka_unit_test(a_subprotocol_is_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
