/* sim_handlers.c - a handler may do anything to any socket at any time
 * SPDX-License-Identifier: MIT
 *
 * Each kind of callback does each kind of thing, over each transport; nothing crashes, hangs or
 * leaks, "disconnect" runs once for each "connection", and somebody else still gets an echo. */
#define _POSIX_C_SOURCE 200809L  // alarm
#include "lib.h"
#include "sim.h"

#include <unistd.h>

/* ---- What is done --------------------------------------------------------------------------- */

enum {
    LEAVE,
    DISCONNECT,
    CLOSE,
    LEAVE_OTHER,
    DISCONNECT_OTHER,
    CLOSE_OTHER,
    DISCONNECT_TWIN,  // the same client's socket in the other namespace
    DISCONNECT_ALL,
    LEAVE_ALL,
    EMIT_ALL,
    JOIN_AND_LEAVE,
    SET_DATA,
    ASK_SELF,
    ASK_ALL,
    NEW_NAMESPACE,
    TIMER,
    STOP,
    ACTIONS
};

/* ---- Where it is done ----------------------------------------------------------------------- */

enum {
    ON_MIDDLEWARE,
    ON_CONNECTION,
    ON_ANY,
    ON_EVENT_MIDDLEWARE,
    ON_EVENT,
    ON_OUTGOING,
    ON_DISCONNECTING,
    ON_DISCONNECT,
    ON_ANSWER,
    ON_RELEASE,
    ON_TIMER,
    ON_EACH,
    PLACES
};

static int place, action, acted;
static unsigned connections, disconnects;
static sio_server *io;
static sio_socket *newest;  // whose callback ran last
static uint64_t other;      // a handle

static void on_answer(sio_server *server, void *data, const char *error, sio_event *answer);

static void on_timer(sio_server *server, void *data)
{
    (void)server, (void)data;
}

static void nothing(sio_socket *s, sio_event *e)
{
    (void)s, (void)e;
}

static void release(void *data)
{
    (void)data;
}

/* A socket in the other namespace: the newest client's, as it is the only one there. */
static void keep_first(sio_socket *s, void *data)
{
    sio_socket **first = data;
    if (*first == NULL)
        *first = s;
}

static sio_socket *twin_of(sio_socket *s)
{
    const char *name = strcmp(sio_ns_name(sio_ns(s)), "/") == 0 ? "/b" : "/";
    sio_socket *first = NULL;
    sio_each(sio_all(sio_of(io, name)), keep_first, &first);
    return first == NULL ? s : first;
}

static void do_to(sio_socket *s, sio_socket *o)
{
    switch (action) {
    case LEAVE:
        sio_disconnect(s, false);
        break;
    case DISCONNECT:
        sio_disconnect(s, true);
        break;
    case CLOSE:
        sio_end_connection(s);
        break;
    case LEAVE_OTHER:
        sio_disconnect(o, false);
        break;
    case DISCONNECT_OTHER:
    case DISCONNECT_TWIN:
        sio_disconnect(o, true);
        break;
    case CLOSE_OTHER:
        sio_end_connection(o);
        break;
    case JOIN_AND_LEAVE:
        sio_join(s, "a");
        sio_leave(s, sio_id(s));
        sio_leave(s, "a");
        break;
    case SET_DATA:
        sio_set_data(s, &acted, release);
        break;
    case ASK_SELF:
        sio_request(sio_self(s), on_answer, NULL, "q", "");
        break;
    default:
        sio_request(sio_timeout(sio_all(sio_ns(s)), 10), on_answer, NULL, "q", "");
    }
}

/* Does the action once, if this is the place. */
static void act(int where, sio_socket *s)
{
    sio_socket *o = sio_socket_of(io, other);
    if (s != NULL)
        newest = s;
    if (where != place || acted++ > 0)
        return;
    switch (action) {
    case DISCONNECT_ALL:
        sio_disconnect_sockets(sio_all(sio_of(io, "/")), true);
        break;
    case LEAVE_ALL:
        sio_disconnect_sockets(sio_all(sio_of(io, "/")), false);
        break;
    case EMIT_ALL:
        sio_emit(sio_all(sio_of(io, "/")), "all", "%d", 1);
        break;
    case NEW_NAMESPACE:
        sio_on(sio_of(io, "/new"), "x", nothing);
        sio_on(sio_of(io, "/"), "x", nothing);
        break;
    case TIMER:
        sio_cancel(io, sio_after(io, 5, on_timer, NULL));
        sio_after(io, 0, on_timer, NULL);
        break;
    case STOP:
        sio_shutdown(io);
        break;
    default:
        if (s == NULL)
            s = sio_socket_of(io, other);
        if (s != NULL)
            do_to(s, action == DISCONNECT_TWIN ? twin_of(s) : o == NULL ? s : o);
    }
}

static void on_answer(sio_server *server, void *data, const char *error, sio_event *answer)
{
    (void)server, (void)data, (void)error, (void)answer;
    act(ON_ANSWER, NULL);
}

static void on_release(void *data)
{
    (void)data;
    act(ON_RELEASE, NULL);
}

static void on_act_timer(sio_server *server, void *data)
{
    (void)server, (void)data;
    act(ON_TIMER, NULL);
}

static void on_each(sio_socket *s, void *data)
{
    (void)data;
    act(ON_EACH, s);
}

static const char *middleware(sio_socket *s, sio_event *e)
{
    (void)e;
    act(ON_MIDDLEWARE, s);
    return NULL;
}

static const char *event_middleware(sio_socket *s, sio_event *e)
{
    (void)e;
    act(ON_EVENT_MIDDLEWARE, s);
    return NULL;
}

static void on_any(sio_socket *s, sio_event *e)
{
    (void)e;
    act(ON_ANY, s);
}

static void on_outgoing(sio_socket *s, sio_event *e)
{
    (void)e;
    act(ON_OUTGOING, s);
}

static void on_connection(sio_socket *s, sio_event *e)
{
    (void)e;
    connections++;
    sio_set_data(s, &connections, on_release);
    act(ON_CONNECTION, s);
}

static void on_disconnecting(sio_socket *s, sio_event *e)
{
    (void)e;
    act(ON_DISCONNECTING, s);
}

static void on_disconnect(sio_socket *s, sio_event *e)
{
    (void)e;
    disconnects++;
    act(ON_DISCONNECT, s);
}

static void on_echo(sio_socket *s, sio_event *e)
{
    act(ON_EVENT, s);
    sio_emit(sio_self(s), "echo", "%p", sio_args(e));
    sio_ack(e, "%p", sio_args(e));
    sio_request(sio_timeout(sio_self(s), 20), on_answer, NULL, "q", "");
    sio_each(sio_all(sio_ns(s)), on_each, NULL);
}

static void serve(sio_namespace *ns)
{
    sio_use(ns, middleware);
    sio_use_event(ns, event_middleware);
    sio_on_any(ns, on_any);
    sio_on_any_outgoing(ns, on_outgoing);
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "disconnecting", on_disconnecting);
    sio_on(ns, "disconnect", on_disconnect);
    sio_on(ns, "echo", on_echo);
}

/* ---- How it goes ---------------------------------------------------------------------------- */

static void fail_saying(const char *text)
{
    fail_msg("place %d, action %d: %s", place, action, text);
}

/* Somebody connects, speaks and leaves, in two namespaces, while another one looks on. */
static void run(int transport, int end)
{
    sim_peer a, b, c;
    acted = 0, connections = disconnects = 0, other = 0, newest = NULL;
    io = sim_new(NULL);
    sio_recover(io, &(sio_recovery){ .ms = 1000 });
    serve(sio_of(io, "/"));
    serve(sio_of(io, "/b"));
    int where = place;
    place = PLACES;  // nothing is done to the one who looks on
    sim_open(io, &b, SIM_WS, NULL);
    sim_say(&b, "40");
    other = sio_handle(newest);
    place = where;
    sio_after(io, 10, on_act_timer, NULL);
    sim_open(io, &a, transport, NULL);
    sim_say(&a, "40|40/b,|421[\"echo\",1]|42/b,2[\"echo\",2]|430[]");
    sim_hear_all(&a);
    sim_run_ms(io, 50);
    if (end == 0)
        sim_say(&a, "41");
    else if (end == 1)
        sim_say(&a, "4abc");
    sim_close(transport == SIM_WS ? a.ws : a.get);
    if (sim_run_ms(io, 0) > 0 && action != STOP) {
        place = PLACES;
        sim_open(io, &c, SIM_POLL, NULL);
        sim_say(&c, "40|421[\"echo\",7]");
        if (strstr(sim_hear_all(&c), "42[\"echo\",7,") == NULL)
            fail_saying("no echo for others");
        place = where;
    }
    sim_free(io);
    assert_int_equal(connections, disconnects);
}

static void any_callback_may_do_anything(void **state)
{
    (void)state;
    sim_fail = fail_saying;
    for (place = 0; place < PLACES; place++)
        for (action = 0; action < ACTIONS; action++)
            for (int way = 0; way < 6; way++) {
                alarm(20);  // ends the program if the server hangs
                run(way % 2 ? SIM_WS : SIM_POLL, way / 2);
            }
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_callback_may_do_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
