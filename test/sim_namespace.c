/* sim_namespace.c - who gets into a namespace: middlewares that answer later, families, names
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static void fail_saying(const char *text)
{
    fail_msg("%s", text);
}

static sio_server *begin(const sio_options *o)
{
    sim_fail = fail_saying;
    return sim_new(o);
}

static const char *hear(sio_server *io, sim_peer *p)
{
    sim_run_ms(io, 0);
    return sim_hear_all(p);
}

/* ---- Middlewares that answer later ---------------------------------------------------------- */

/* What the first middleware does beside taking a handle. */
static enum { WAITS, GOES_ON, FAILS, DROPS, USES_IT, USES_IT_AND_GOES_ON, TAKES_TWO } way;
static sio_admission taken[2];
static sio_later later;
static unsigned runs, connections;

static const char *take(sio_socket *socket, sio_event *event)
{
    (void)socket;
    taken[0] = sio_next_later(event);
    if (way == TAKES_TWO)
        taken[1] = sio_next_later(event);
    if (way == USES_IT || way == USES_IT_AND_GOES_ON)
        sio_next(taken[0], NULL, " ");
    if (way == FAILS)
        return "no";
    if (way == DROPS)
        return SIO_DROP;
    return way == GOES_ON || way == USES_IT_AND_GOES_ON ? NULL : SIO_LATER;
}

static const char *count_runs(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    runs++;
    return NULL;
}

static const char *count_and_wait(sio_socket *socket, sio_event *event)
{
    (void)socket;
    runs++;
    taken[1] = sio_next_later(event);
    return SIO_LATER;
}

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    connections++;
}

static void take_ack(sio_socket *socket, sio_event *event)
{
    (void)socket;
    later = sio_ack_later(event);
}

static sio_server *begin_with(sio_middleware second, sim_peer *p)
{
    sio_server *io = begin(NULL);
    sio_namespace *ns = sio_of(io, "/");
    memset(taken, 0, sizeof taken);
    runs = connections = 0;
    sio_use(ns, take);
    sio_use(ns, second);
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "e", take_ack);
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, "40");
    return io;
}

/* Whatever it does, a socket gets in once or not at all, and nobody throws it out afterwards. */
static void a_middleware_answers_once(void **state)
{
    static const struct {
        const char *at_once, *in_the_end;
        unsigned runs;
    } cases[] = {
        [WAITS] = { "", "44{\"message\":\"late\"}", 0 },
        [GOES_ON] = { "40*", "", 1 },
        [FAILS] = { "44{\"message\":\"no\"}", "", 0 },
        [DROPS] = { "", "", 0 },
        [USES_IT] = { "40*", "", 1 },
        [USES_IT_AND_GOES_ON] = { "40*", "", 1 },
        [TAKES_TWO] = { "", "44{\"message\":\"late\"}", 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sim_peer p;
        way = i;
        sio_server *io = begin_with(count_runs, &p);
        assert_true(sim_like(cases[i].at_once, hear(io, &p)));
        assert_int_equal(sio_next(taken[1], "second", " "), 0);  // the second handle is none
        assert_string_equal(hear(io, &p), "");
        assert_int_equal(sio_next(taken[0], "late", " "), 0);
        assert_string_equal(hear(io, &p), cases[i].in_the_end);
        assert_int_equal(sio_next(taken[0], "later", " "), 0);
        assert_string_equal(hear(io, &p), "");
        assert_int_equal(runs, cases[i].runs);
        assert_int_equal(connections, cases[i].runs);
        sim_free(io);
    }
}

/* The handle of the first is used up when the second has its own. */
static void middlewares_wait_one_after_the_other(void **state)
{
    (void)state;
    for (way = WAITS; way <= USES_IT_AND_GOES_ON; way += USES_IT_AND_GOES_ON) {
        sim_peer p;
        sio_server *io = begin_with(count_and_wait, &p);
        sio_next(taken[0], NULL, " ");
        assert_int_equal(runs, 1);
        assert_string_equal(hear(io, &p), "");
        sio_next(taken[0], NULL, " ");
        assert_int_equal(runs, 1);
        sio_next(taken[1], NULL, " ");
        assert_true(sim_like("40*", hear(io, &p)));
        assert_int_equal(connections, 1);
        sim_free(io);
    }
}

/* Two types, for compilers; and what was forced into the other one means nothing. */
static void handles_of_one_kind_are_none_of_the_other(void **state)
{
    sim_peer p;
    (void)state;
    way = WAITS;
    sio_server *io = begin_with(count_runs, &p);
    assert_int_equal(sio_ack_now((sio_later){ io, taken[0].socket, taken[0].serial }, "'not you'"),
                     0);
    assert_string_equal(hear(io, &p), "");
    sio_next(taken[0], NULL, " ");
    assert_true(sim_like("40*", hear(io, &p)));
    sim_say(&p, "427[\"e\"]");
    sim_run_ms(io, 0);
    assert_int_equal(sio_next((sio_admission){ io, later.socket, later.serial }, "out", " "), 0);
    sio_next((sio_admission){ io, later.socket, later.serial }, NULL, " ");
    assert_string_equal(hear(io, &p), "");
    sio_ack_now(later, "'you'");
    assert_string_equal(hear(io, &p), "437[\"you\"]");
    assert_int_equal(connections, 1);
    sim_free(io);
}

/* A socket that nobody could let in any more does not wait. */
static void without_memory_for_a_handle_the_connection_ends(void **state)
{
    (void)state;
    way = WAITS;
    for (unsigned long k = 1, hit = 1; hit; k++) {
        sim_peer p;
        sio_server *io = begin(NULL);
        sio_use(sio_of(io, "/"), take);
        sim_open(io, &p, SIM_WS, NULL);
        sim.fail_alloc = sim.allocs + k;
        taken[0].serial = 0;
        sim_say(&p, "40");
        sim_run_ms(io, 0);
        hit = sim.allocs >= sim.fail_alloc;
        sim.fail_alloc = 0;
        sio_next(taken[0], NULL, " ");
        const char *heard = hear(io, &p);
        if (!sim_like("40*", heard) && strcmp(heard, "CLOSE()") != 0 && strcmp(heard, "END") != 0)
            fail_msg("allocation %lu: %s", k, heard);
        sim_free(io);
        assert_true(k < 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_middleware_answers_once),
        cmocka_unit_test(middlewares_wait_one_after_the_other),
        cmocka_unit_test(handles_of_one_kind_are_none_of_the_other),
        cmocka_unit_test(without_memory_for_a_handle_the_connection_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
