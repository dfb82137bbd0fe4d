/* sim_sio_emit.c - questions and their answers, acknowledgements, volatile events
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static sio_server *begin(const sio_options *o)
{
    sim_fail = fail_with;
    return sim_new(o);
}

static sio_socket *newest;

static void note_socket(sio_socket *socket, sio_event *event)
{
    (void)event;
    newest = socket;
}

/* One client in "/". */
static void join(sio_server *io, sim_peer *p, int transport)
{
    sio_on(sio_of(io, "/"), "connection", note_socket);
    sim_open(io, p, transport, NULL);
    sim_say(p, "40");
    sim_hear_all(p);
}

/* ---- Questions ------------------------------------------------------------------------------ */

static unsigned answers, depth, deepest;
static char last_error[64];
static int asked_again;

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)answer;
    answers++;
    snprintf(last_error, sizeof last_error, "%s", error == NULL ? "" : error);
}

static sio_target everybody(sio_server *io)
{
    return sio_timeout(sio_all(sio_of(io, "/")), 1000);
}

static void ask_again(sio_server *io, void *data, const char *error, sio_event *answer)
{
    assert_null(error);
    assert_int_equal(sio_argc(answer), 0);
    deepest = ++depth > deepest ? depth : deepest;
    if (++answers < 1000)
        assert_int_equal(sio_request(everybody(io), ask_again, data, "q", ""), 0);
    depth--;
}

/* A question to nobody is answered by nobody, but not before its asker is ready for that. */
static void a_question_never_calls_back_before_it_returns(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    answers = depth = deepest = 0;
    assert_int_equal(sio_request(everybody(io), ask_again, NULL, "q", ""), 0);
    assert_int_equal(answers, 0);
    assert_int_equal(sio_wait_ms(io), 0);
    sim_run_ms(io, 1);
    assert_int_equal(answers, 1000);
    assert_int_equal(deepest, 1);
    sim_free(io);
}

static void ask_the_leaving(sio_socket *socket, sio_event *event)
{
    (void)event;
    answers = 0;
    assert_int_equal(sio_request(sio_self(socket), on_answer, NULL, "q", ""), 0);
    assert_int_equal(answers, 0);
}

static void a_socket_that_has_left_is_asked_in_vain(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sim_peer p;
    sio_on(sio_of(io, "/"), "disconnect", ask_the_leaving);
    join(io, &p, SIM_WS);
    sim_say(&p, "41");
    sim_run_ms(io, 0);
    assert_int_equal(answers, 1);
    assert_string_equal(last_error, "socket has been disconnected");
    sim_free(io);
}

static void ask_in_vain(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)data, (void)error, (void)answer;
    answers++;
    asked_again = sio_request(everybody(io), ask_in_vain, NULL, "q", "");
    assert_int_equal(errno, ECANCELED);
}

/* An application that asks again in each answer can still be ended. */
static void the_end_of_the_server_is_the_last_answer(void **state)
{
    (void)state;
    for (int there = 0; there < 2; there++) {
        sio_server *io = begin(NULL);
        sim_peer p;
        answers = 0, asked_again = 0;
        if (there)
            join(io, &p, SIM_WS);
        sio_request(everybody(io), ask_in_vain, NULL, "q", "");
        sim_free(io);
        assert_int_equal(answers, 1);
        assert_int_equal(asked_again, -1);
    }
}

/* As in the reference, no time at all is a timeout. */
static void a_timeout_of_nothing_is_over_at_once(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sim_peer p;
    join(io, &p, SIM_WS);
    for (int ms = -1; ms < 2; ms++) {
        answers = 0;
        assert_int_equal(sio_request(sio_timeout(sio_self(newest), ms), on_answer, NULL, "q", ""),
                         0);
        assert_int_equal(answers, 0);
        sim_run_ms(io, 0);
        assert_int_equal(answers, ms < 1);
        sim_run_ms(io, 1);
        assert_int_equal(answers, 1);
        assert_string_equal(last_error, "operation has timed out");
    }
    answers = 0;
    sim.now += 500;  // a question is asked long after the turn: its time begins then
    sio_request(sio_timeout(sio_self(newest), 200), on_answer, NULL, "q", "");
    sim_run_ms(io, 199);
    assert_int_equal(answers, 0);
    sim_run_ms(io, 1);
    assert_int_equal(answers, 1);
    answers = 0;
    assert_int_equal(sio_request(sio_self(newest), on_answer, NULL, "q", ""), 0);
    assert_int_equal(sio_request(sio_all(sio_ns(newest)), on_answer, NULL, "q", ""), -1);
    assert_int_equal(errno, EINVAL);
    sim_run_ms(io, 20000);
    assert_int_equal(answers, 0);  // there is no limit where none was set
    sim_free(io);
}

/* ---- Acknowledgements ----------------------------------------------------------------------- */

static bool starve;
static bool wanted;

static void ack_starving(sio_socket *socket, sio_event *event)
{
    (void)socket;
    sim.fail_alloc = starve ? sim.allocs + 1 : 0;
    sio_later later = sio_ack_later(event);
    sim.fail_alloc = 0;
    wanted = sio_wants_ack(event);
    sio_ack_now(later, "'later'");
    sio_ack(event, "'now'");
}

/* Who can't have a handle still has the acknowledgement. */
static void an_acknowledgement_is_not_lost_with_its_handle(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sio_server *io = begin(NULL);
        sim_peer p;
        starve = i == 1;
        sio_on(sio_of(io, "/"), "e", ack_starving);
        join(io, &p, SIM_WS);
        sim_say(&p, "421[\"e\"]");
        assert_string_equal(sim_hear_all(&p), starve ? "431[\"now\"]" : "431[\"later\"]");
        assert_int_equal(wanted, starve);
        sim_free(io);
    }
}

static void ack_badly_first(sio_socket *socket, sio_event *event)
{
    (void)socket;
    assert_int_equal(sio_ack(event, "%s", "\xff"), -1);
    sio_later later = sio_ack_later(event);
    assert_int_equal(sio_ack_now(later, "%s", "\xff"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_ack_now(later, "1"), 0);
    assert_int_equal(sio_ack_now(later, "2"), 0);
    sio_later none = { 0 };  // as in a struct that was cleared
    assert_int_equal(sio_ack_now(none, "3"), 0);
}

/* What could not be said was not said; it may be said in another way, and then once. */
static void an_acknowledgement_that_failed_may_be_tried_again(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sim_peer p;
    sio_on(sio_of(io, "/"), "e", ack_badly_first);
    join(io, &p, SIM_WS);
    sim_say(&p, "421[\"e\"]");
    assert_string_equal(sim_hear_all(&p), "431[1]");
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_never_calls_back_before_it_returns),
        cmocka_unit_test(a_socket_that_has_left_is_asked_in_vain),
        cmocka_unit_test(the_end_of_the_server_is_the_last_answer),
        cmocka_unit_test(a_timeout_of_nothing_is_over_at_once),
        cmocka_unit_test(an_acknowledgement_is_not_lost_with_its_handle),
        cmocka_unit_test(an_acknowledgement_that_failed_may_be_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
