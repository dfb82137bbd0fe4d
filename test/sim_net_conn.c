/* sim_net_conn.c - connections and turns: who is served when, what is logged, and a kernel that refuses
 * SPDX-License-Identifier: MIT
 *
 * Limits are in sim_net_limits.c, what ends a connection in sim_net_requests.c and sim_net_frames.c. */
#include "lib.h"
#include "sim.h"

#include <limits.h>

/* ---- The budget of a turn ------------------------------------------------------------------- */

enum { BUSY = 100 };

static int served[BUSY + 1];  // by the number in the message
static int slowness;          // milliseconds for a message

static void on_message(sio_ws *ws, bool text, const void *p, size_t n)
{
    char digits[8] = "";
    memcpy(digits, p, n < 7 ? n : 7);
    int i = atoi(digits);
    (void)text;
    served[i]++;
    if (i < BUSY)
        sim.now += slowness;
    sio_ws_send(ws, true, "answer", 6);
}

static sio_server *serve(sim_client *c[], int n)
{
    static const sio_ws_handlers handlers = { .message = on_message };
    sio_server *io = sim_new(&(sio_options){ .ping_interval_ms = INT_MAX });  // no pings
    assert_int_equal(sio_websocket(io, "/plain", &handlers), 0);
    for (int i = 0; i < n; i++) {
        c[i] = sim_ws_open(io, "/plain", NULL);
        assert_non_null(c[i]);
    }
    memset(served, 0, sizeof served);
    return io;
}

static void say(sim_client *c, int i)
{
    char text[16];
    snprintf(text, sizeof text, "%d", i);
    sim_ws_say(c, text);
}

/* Clients that always have something to say take turns; one who speaks rarely does not wait until all
 * of them have been served. */
static void busy_clients_take_turns_and_a_quiet_one_goes_first(void **state)
{
    sim_client *c[BUSY + 1];
    sio_server *io = serve(c, BUSY + 1);
    (void)state;
    slowness = 2;
    for (int turn = 0; turn < 1000; turn++) {
        for (int i = 0; i < BUSY; i++)
            say(c[i], i);
        if (turn >= 200 && turn % 10 == 0)
            say(c[BUSY], BUSY);
        int before = served[BUSY];
        sio_turn(io, 0);
        if (turn >= 200 && turn % 10 == 0) {
            assert_int_equal(served[BUSY], before + 1);
            assert_string_equal(sim_ws_hear(c[BUSY]), "answer");
        }
    }
    for (int i = 1; i < BUSY; i++)  // each read takes all that has come meanwhile
        assert_in_range(served[i], 700, 1000);
    sim_free(io);
}

/* Where nobody is slow, a turn comes to everybody. */
static void a_turn_comes_to_all_where_there_is_time(void **state)
{
    sim_client *c[BUSY];
    sio_server *io = serve(c, BUSY);
    (void)state;
    slowness = 0;
    for (int i = 0; i < BUSY; i++)
        say(c[i], i);
    sio_turn(io, 0);
    for (int i = 0; i < BUSY; i++)
        assert_int_equal(served[i], 1);
    sim_free(io);
}

/* Many who send much share what a turn reads; few get as much as they like. */
static void what_a_turn_reads_is_bounded(void **state)
{
    static const int counts[] = { 1, 4, 5, BUSY };
    static char payload[300000];
    (void)state;
    for (size_t k = 0; k < COUNT(counts); k++) {
        sim_client *c[BUSY];
        sio_server *io = serve(c, counts[k]);
        slowness = 0;
        for (int i = 0; i < counts[k]; i++)
            sim_ws_frame(c[i], 0x82, payload, sizeof payload);
        uint64_t before = sio_get_stats(io)->bytes_in, n = (uint64_t)counts[k];
        sio_turn(io, 0);
        uint64_t each = (sio_get_stats(io)->bytes_in - before) / n;
        assert_int_equal(each, n <= 4 ? 262144 : 1048576 / n);
        sim_run_ms(io, 0);
        assert_int_equal(served[0], n);
        sim_free(io);
    }
}

/* ---- The log -------------------------------------------------------------------------------- */

static char lines[100][200];
static size_t n_lines;

static void keep_line(const char *line)
{
    if (n_lines < COUNT(lines))
        snprintf(lines[n_lines], sizeof *lines, "%s", line);
    n_lines++;
}

/* Whoever makes the server write lines gets ten in a second, and a count; other kinds of lines are
 * told beside them. */
static void lines_of_a_kind_are_counted_after_the_tenth(void **state)
{
    static const struct {
        int wrong;
        size_t lines;
        const char *last;
    } cases[] = {
        { 9, 9, "request refused: 400 Bad Request, it breaks RFC 9112 (*); client \"127.0.0.1\"" },
        { 10, 10, "request refused: 400 Bad Request, *" },
        { 11, 11, "... and 1 more like it: request refused: " },
        { 5000, 11, "... and 4990 more like it: request refused: " },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sio_server *io = sim_new(NULL);
        sim.on_line = keep_line;
        for (int second = 0; second < 3; second++) {
            n_lines = 0;
            for (int k = 0; k < cases[i].wrong; k++)
                sim_sendf(sim_connect(), "\1\r\n\r\n");
            sim_run_ms(io, 500);
            assert_true(n_lines <= 10);
            sim_run_ms(io, 1000);
            assert_int_equal(n_lines, cases[i].lines);
            assert_true(sim_like(cases[i].last, lines[n_lines - 1]));
        }
        for (int k = 0; k < 20; k++) {
            sim_sendf(sim_connect(), "\1\r\n\r\n");
            sim_http(io, "GET", "/socket.io/?EIO=1", NULL, NULL);
        }
        n_lines = 0;
        sim_run_ms(io, 2000);
        assert_int_equal(n_lines, 2);
        sim_free(io);
    }
}

/* Each kind has a second of its own. */
static void the_second_of_one_kind_does_not_end_anothers(void **state)
{
    sio_server *io = sim_new(NULL);
    (void)state;
    sim.on_line = keep_line;
    n_lines = 0;
    sim_sendf(sim_connect(), "\1\r\n\r\n");
    sim_run_ms(io, 600);
    for (int k = 0; k < 20; k++)
        sim_http(io, "GET", "/socket.io/?EIO=1", NULL, NULL);
    sim_run_ms(io, 600);
    assert_int_equal(n_lines, 11);
    for (int k = 0; k < 20; k++)
        sim_http(io, "GET", "/socket.io/?EIO=1", NULL, NULL);
    assert_int_equal(n_lines, 11);
    sim_run_ms(io, 600);
    assert_int_equal(n_lines, 12);
    assert_true(sim_like("... and 30 more like it: request refused: it names no *", lines[11]));
    sim_free(io);
}

/* ---- A kernel that refuses ------------------------------------------------------------------ */

/* A connection that can't be watched for room would wait for ever: it ends, and no other. */
static void a_connection_that_is_not_watched_as_asked_ends(void **state)
{
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        sim_client *c[2];
        sio_server *io = serve(c, 2);
        slowness = 0;
        sim_room(c[0], 0);
        sim.fail_call = refused ? sim.calls + 2 : 0;  // the answer is sent first
        say(c[0], 0);
        sim_run_ms(io, 0);
        assert_int_equal(sim_closed(c[0]), refused);
        sim.fail_call = 0;
        sim_room(c[0], SIZE_MAX);
        say(c[1], 1);
        sim_run_ms(io, 0);
        assert_string_equal(sim_ws_hear(c[1]), "answer");
        if (!refused)
            assert_string_equal(sim_ws_hear(c[0]), "answer");
        sim_free(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_clients_take_turns_and_a_quiet_one_goes_first),
        cmocka_unit_test(a_turn_comes_to_all_where_there_is_time),
        cmocka_unit_test(what_a_turn_reads_is_bounded),
        cmocka_unit_test(lines_of_a_kind_are_counted_after_the_tenth),
        cmocka_unit_test(the_second_of_one_kind_does_not_end_anothers),
        cmocka_unit_test(a_connection_that_is_not_watched_as_asked_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
