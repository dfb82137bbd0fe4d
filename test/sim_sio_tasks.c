/* sim_sio_tasks.c - timers, posted calls and watched descriptors, with the simulator's clock
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static sio_server *begin(const sio_options *o)
{
    return sim_new(o);
}

/* ---- Timers --------------------------------------------------------------------------------- */

static char order[64];
static uint64_t ids[8];
static char nothing[] = "";

static void note(sio_server *io, void *data)
{
    (void)io;
    strcat(order, data);
}

static void cancel_next(sio_server *io, void *data)
{
    note(io, data);
    sio_cancel(io, ids[1]);  // due at the same time
    sio_cancel(io, ids[0]);  // itself
}

static void again(sio_server *io, void *data)
{
    int *left = data;
    strcat(order, "r");
    if (--*left > 0)
        assert_true(sio_after(io, 0, again, left) != 0);
}

static void timers_run_once_in_order(void **state)
{
    static char names[][2] = { "a", "b", "c", "d", "e" };
    int left = 3;
    (void)state;
    order[0] = '\0';
    sio_server *io = begin(NULL);
    ids[0] = sio_after(io, 10, cancel_next, names[0]);
    ids[1] = sio_after(io, 10, note, names[1]);
    ids[2] = sio_after(io, 10, note, names[2]);
    ids[3] = sio_after(io, 5, note, names[3]);
    ids[4] = sio_after(io, -5, note, names[4]);
    assert_int_equal(sio_wait_ms(io), 0);
    sim_run_ms(io, 0);
    assert_string_equal(order, "e");
    assert_int_equal(sio_wait_ms(io), 5);
    sim_run_ms(io, 9);
    assert_string_equal(order, "ed");
    sim_run_ms(io, 1);
    assert_string_equal(order, "edac");
    sio_cancel(io, ids[2]);  // long over
    sio_cancel(io, 0);
    sio_cancel(io, 12345);
    sio_after(io, 0, again, &left);
    sim_run_ms(io, 0);
    assert_string_equal(order, "edacrrr");
    assert_int_equal(sio_wait_ms(io), -1);
    for (int i = 0; i < 1000; i++)
        sio_after(io, i * 7919 % 1000, note, nothing);  // freed with the server
    sim_run_ms(io, 500);
    sim_free(io);
}

static void take_long(sio_server *io, void *data)
{
    sim.now += 300;  // as a slow callback does
    assert_true(sio_after(io, 200, note, data) != 0);
}

/* Time that passes in a callback, or while the application does something else, is not lost. */
static void timers_are_never_early(void **state)
{
    static char name[] = "x";
    (void)state;
    order[0] = '\0';
    sio_server *io = begin(NULL);
    sim_run_ms(io, 10);
    sim.now += 100;  // the turn's clock is that old
    sio_after(io, 50, note, name);
    assert_int_equal(sio_wait_ms(io), 50);
    sim.now += 20;
    assert_int_equal(sio_wait_ms(io), 30);
    sio_turn(io, 0);
    sim_run_ms(io, 29);
    assert_string_equal(order, "");
    sim_run_ms(io, 1);
    assert_string_equal(order, "x");
    sio_after(io, 0, take_long, name);
    sio_turn(io, 0);
    assert_int_equal(sio_wait_ms(io), 200);
    sio_turn(io, -1);  // waits no longer than that
    assert_string_equal(order, "xx");
    sim.now += 1000;
    assert_int_equal(sio_wait_ms(io), -1);
    sio_after(io, 5, note, name);
    sim.now += 1000;
    assert_int_equal(sio_wait_ms(io), 0);
    sio_turn(io, -1);
    assert_string_equal(order, "xxx");
    sim_free(io);
}

/* ---- Timers that repeat --------------------------------------------------------------------- */

static uint64_t repeating;
static int left;

static void tick(sio_server *io, void *data)
{
    note(io, data);
    if (--left == 0)
        sio_cancel(io, repeating);
}

static void be_slow(sio_server *io, void *data)
{
    note(io, data);
    sim.now += 250;
}

static void timers_repeat_without_drift(void **state)
{
    static char t[] = "t", s[] = "s";
    (void)state;
    order[0] = '\0';
    left = 3;
    sio_server *io = begin(NULL);
    repeating = sio_every(io, 100, tick, t);
    sim_run_ms(io, 99);
    assert_string_equal(order, "");
    sim_run_ms(io, 1);
    assert_string_equal(order, "t");
    sim.now += 150;  // late by 50
    sio_turn(io, 0);
    assert_string_equal(order, "tt");
    assert_int_equal(sio_wait_ms(io), 50);
    sim_run_ms(io, 50);
    assert_string_equal(order, "ttt");
    assert_int_equal(sio_wait_ms(io), -1);  // it has ended itself
    order[0] = '\0';
    repeating = sio_every(io, 100, be_slow, s);
    int64_t start = sim.now;
    for (int i = 0; i < 3; i++)
        sio_turn(io, -1);
    assert_string_equal(order, "sss");
    assert_int_equal(sim.now - start, 100 + 3 * 250);  // what was missed is not made up for
    sio_cancel(io, repeating);
    assert_int_equal(sio_every(io, 5, NULL, NULL), 0);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_after(io, 5, NULL, NULL), 0);
    left = 1000000;
    sio_every(io, 0, tick, nothing);  // each millisecond
    for (int i = 0; i < 100; i++)
        sio_turn(io, -1);
    assert_int_equal(1000000 - left, 100);
    sim_free(io);
}

/* ---- Posted calls ------------------------------------------------------------------------------- */

static void post_again(sio_server *io, void *data)
{
    note(io, nothing);
    left--;
    if (left > 0)
        sio_post(io, post_again, data);
}

static void posted_calls_run_in_order(void **state)
{
    static char names[][2] = { "a", "b", "c" };
    (void)state;
    order[0] = '\0';
    sio_server *io = begin(NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sio_post(io, note, names[i]), 0);
    assert_string_equal(order, "");
    sio_turn(io, 0);
    assert_string_equal(order, "abc");
    assert_int_equal(sio_post(io, NULL, NULL), -1);
    assert_int_equal(errno, EINVAL);
    left = 1000;
    sio_post(io, post_again, NULL);
    sio_turn(io, 0);  // ends, though they post each other
    assert_in_range(left, 1, 999);
    sim_run_ms(io, 10);
    assert_int_equal(left, 0);
    sio_post(io, note, names[0]);  // never called
    sim_free(io);
    assert_string_equal(order, "abc");
}

/* ---- The end ------------------------------------------------------------------------------------- */

static void on_over(sio_server *io, void *data, const char *error, sio_event *answer)
{
    char text[6];
    assert_int_equal(sio_argc(answer), 1);
    assert_int_equal(sio_scan(answer, "%5s", text), 1);
    note(io, text);
    note(io, data);
    assert_string_equal(error, "operation has timed out");
}

/* One of two has answered when all ends. */
static void what_has_come_of_answers_is_told_and_freed(void **state)
{
    static char end[] = "!";
    sim_peer p[2];
    (void)state;
    order[0] = '\0';
    sio_server *io = begin(NULL);
    for (int i = 0; i < 2; i++) {
        sim_open(io, &p[i], SIM_WS, NULL);
        sim_say(&p[i], "40");
        sim_run_ms(io, 0);
    }
    sio_request(sio_timeout(sio_all(sio_of(io, "/")), 1000), on_over, end, "q", "");
    sim_run_ms(io, 0);
    sim_say(&p[1], "430[\"hello\"]");
    sim_run_ms(io, 0);
    sim_free(io);
    assert_string_equal(order, "hello!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_are_never_early),
        cmocka_unit_test(timers_run_once_in_order),
        cmocka_unit_test(timers_repeat_without_drift),
        cmocka_unit_test(posted_calls_run_in_order),
        cmocka_unit_test(what_has_come_of_answers_is_told_and_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
