/* monkey.h - an application whose every callback does anything, and clients that do the same
 * SPDX-License-Identifier: MIT
 *
 * sim_monkey.c lets a seed decide, fuzz_monkey.c its input: both define pick. What must hold,
 * besides what sim.h says:
 *  - each "connection" has one "disconnect", each question one answer, each datum one release;
 *  - data that a socket shows has not been released;
 *  - sio_turn refuses to be called from a callback.
 * The limits of the server are low, so that they are reached. */
#ifndef TEST_MONKEY_H
#define TEST_MONKEY_H

#include <errno.h>

#include "sim.h"

/* A number below n: the next choice. */
static size_t pick(size_t n);

enum {
    HANDLES = 64,
    LATERS = 32,
    KEPT = 16,
    TIMERS = 16,
    PLAIN = 16,
    DEPTH = 5,
    ALIVE = 0x600dda7a
};

static struct monkey {
    sio_server *io;
    sio_namespace *family[2];
    int depth, budget;  // of actions: callbacks call back, but not for ever
    int growing;        // values inside of each other
    bool between;       // turns: no callback is running
    bool ending;
    uint64_t handle[HANDLES], timer[TIMERS];
    size_t n_handles;
    sio_later later[LATERS];
    sio_admission admission[LATERS];
    sio_value kept[KEPT];
    sio_ws *ws[PLAIN];
    sio_session *session[PLAIN];
    long connections, disconnects, questions, answers, data, releases;
} m;

/* ---- What is acted on ------------------------------------------------------------------------ */

static const char *const room_names[] = {
    "a", "b", "c", "a \"room\" \xc3\xa9", "", "a longer name"
};
static const char *const ns_names[] = { "/",      "/b",     "/c",     "/dyn-1",
                                        "/dyn-2", "/fam-1", "/new-1", "/new-2" };

/* A connected socket, often s; or s, which may be NULL. */
static sio_socket *any_socket(sio_socket *s)
{
    if (s != NULL && pick(3) == 0)
        return s;
    for (int i = 0; i < 4 && m.n_handles > 0; i++) {
        size_t n = m.n_handles < HANDLES ? m.n_handles : HANDLES;
        sio_socket *other = sio_socket_of(m.io, m.handle[pick(n)]);
        if (other != NULL)
            return other;
    }
    return s;
}

static sio_namespace *any_namespace(sio_socket *s)
{
    if (s != NULL && pick(2) == 0)
        return sio_ns(s);
    sio_namespace *ns = sio_find(m.io, ns_names[pick(8)]);
    return ns != NULL ? ns : sio_of(m.io, "/");
}

/* A name, which may be lent by a room that the next action makes go. */
static const char *any_room(sio_socket *s)
{
    sio_socket *other = any_socket(s);
    if (other != NULL && pick(3) == 0)
        return sio_id(other);
    if (other != NULL && pick(3) == 0 && sio_room(other, 0) != NULL)
        return sio_room(other, 0);
    return room_names[pick(6)];
}

static sio_target any_target(sio_socket *s)
{
    static const char *list[2][3];
    sio_socket *other = any_socket(s);
    size_t kind = pick(6);
    sio_target t = sio_all(any_namespace(s));
    if (kind == 0 && other != NULL)
        t = sio_self(other);
    else if (kind == 1 && other != NULL)
        t = sio_broadcast(other);
    else if (kind == 2)
        t = sio_all(m.family[pick(2)]);
    while (pick(3) == 0)
        t = sio_to(t, any_room(s));
    while (pick(4) == 0)
        t = sio_except(t, any_room(s));
    for (size_t i = 0; i < 6; i++)
        list[i / 3][i % 3] = room_names[i];
    if (pick(8) == 0)
        t = sio_to_list(t, list[0], 1 + pick(3));
    if (pick(8) == 0)
        t = sio_except_list(t, list[1], 1 + pick(3));
    return pick(5) == 0 ? sio_volatile(t) : t;
}

static sio_value any_value(sio_socket *s, sio_event *e);

/* Grows, and has parts that were taken before. */
static sio_value any_grown(sio_socket *s, sio_event *e)
{
    sio_value list = sio_array(m.io), object = sio_object(m.io), part = NULL;
    if (++m.growing > 2)
        list = NULL;
    for (size_t n = pick(5); n > 0 && list != NULL; n--) {
        sio_push(list, "%p, {'k': [%p]}", pick(3) ? any_value(s, e) : part,
                 pick(9) ? object : list);
        sio_set_member(object, room_names[pick(6)], "%p", pick(3) ? list : part);
        part = pick(2) ? sio_at(list, pick(4)) : sio_spread(m.io, list);
    }
    m.growing--;
    return pick(2) ? list : object;
}

static sio_value any_value(sio_socket *s, sio_event *e)
{
    static const char *const texts[] = { "{\"_placeholder\":true,\"num\":0}", " [1, \"\\ud800\"] ",
                                         "[{\"_placeholder\":true,\"num\":9}]", "no JSON" };
    size_t i = pick(4);
    switch (pick(12)) {
    case 9:
        return any_grown(s, e);
    case 10:
        return sio_parse(m.io, texts[i], strlen(texts[i]));
    case 11:
        return s == NULL ? NULL : sio_socket_rooms(s);
    case 0:
        return sio_null();
    case 1:
        return sio_binary(m.io, "binary bytes", pick(12));
    case 2:
        return m.kept[pick(KEPT)];
    case 3:
        return e == NULL ? NULL : sio_arg(e, pick(3));
    case 4:
        return sio_make(m.io, "{'a': %d, 'b': [%p, %g], 'c': %s}", (int)pick(100),
                        sio_binary(m.io, "x", 1), 0.25, any_room(s));
    case 5:
        return s == NULL ? NULL : sio_auth(s);
    case 6:
        return s == NULL ? NULL : sio_query(s);
    case 7:
        return sio_at(m.kept[pick(KEPT)], pick(3));
    default:
        return sio_make(m.io, "[1, 'two', {'three': [%p]}]", m.kept[pick(KEPT)]);
    }
}

/* ---- What is done ---------------------------------------------------------------------------- */

static void act(sio_socket *s, sio_event *e);

static void act_on(sio_socket *s, void *data)
{
    (void)data;
    act(s, NULL);
}

static void act_on_room(const char *room, size_t members, void *data)
{
    sio_socket *s = any_socket(NULL);
    (void)data;
    sim_must(members > 0, "a room without members");
    if (s != NULL && pick(3) == 0)
        pick(2) ? (void)sio_join(s, room) : sio_leave(s, room);
    act(NULL, NULL);
}

static void act_on_tick(sio_server *io, void *data)
{
    (void)io, (void)data;
    act(NULL, NULL);
}

static void act_on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error;
    m.answers++;
    sio_args(answer);
    act(NULL, answer);
}

typedef struct datum {
    long alive;
} datum;

static void release(void *data)
{
    datum *d = data;
    sim_must(d->alive == ALIVE, "released twice");
    d->alive = 0;
    m.releases++;
    free(d);
    act(NULL, NULL);
}

static void do_leave(sio_socket *s, sio_event *e)
{
    sio_socket *other = any_socket(s);
    size_t how = pick(12);
    (void)e;
    if (other != NULL && how < 2)
        sio_disconnect(other, how == 0);
    else if (other != NULL && how == 2)
        sio_end_connection(other);
}

static void do_emit(sio_socket *s, sio_event *e)
{
    sio_emit(any_target(s), pick(9) ? "ev" : "disconnect", "%p, {'k': %p}, '%s', %.*s",
             any_value(s, e), any_value(s, e), room_names[pick(6)], (int)pick(3), "abc");
}

static void do_forward(sio_socket *s, sio_event *e)
{
    sio_emit(any_target(s), "args", "%p", e != NULL ? sio_args(e) : any_value(s, e));
}

static void do_emit_much(sio_socket *s, sio_event *e)
{
    static char text[3000];
    (void)e;
    memset(text, 'x', sizeof text);
    sio_emit(any_target(s), "long", "%.*s", (int)pick(sizeof text), text);
}

static void do_emit_nonsense(sio_socket *s, sio_event *e)
{
    sio_emit(any_target(s), "t", "[%p", any_value(s, e));
    sio_emit(any_target(s), "\xff", "1");
}

static void do_join(sio_socket *s, sio_event *e)
{
    sio_socket *other = any_socket(s);
    (void)e;
    if (other != NULL)
        sio_join(other, any_room(s));
}

static void do_leave_room(sio_socket *s, sio_event *e)
{
    sio_socket *other = any_socket(s);
    (void)e;
    if (other != NULL)
        sio_leave(other, any_room(s));
}

static void do_ask(sio_socket *s, sio_event *e)
{
    sio_target t = any_target(s);
    if (!t.only_self || pick(2) == 0)
        t = sio_timeout(t, 1 + (int)pick(100));
    m.questions++;
    if (sio_request(t, act_on_answer, NULL, "q", "%p", any_value(s, e)) < 0)
        m.questions--;
}

static void do_answer(sio_socket *s, sio_event *e)
{
    size_t i = pick(LATERS);
    if (e == NULL || s == NULL)
        return;
    if (pick(2) == 0) {
        sio_ack(e, "%p", any_value(s, e));
        return;
    }
    m.later[i] = sio_ack_later(e);
}

static void do_answer_later(sio_socket *s, sio_event *e)
{
    size_t i = pick(LATERS);  // a zeroed one does nothing, nor does one that was used
    if (pick(2) == 0)
        (sio_next)(m.admission[i], pick(3) ? NULL : "no", pick(2) ? "{'x': 1}" : "");
    else
        sio_ack_now(m.later[i], "%p", any_value(s, e));
}

/* The socket that waits to be let in may be anything but gone. */
static void do_admit(sio_socket *s, sio_event *e)
{
    sio_socket *other = sio_next_socket(m.admission[pick(LATERS)]);
    (void)s, (void)e;
    if (other == NULL)
        return;
    sim_must(!sio_connected(other), "who waits is not connected");
    sio_header(other, "cookie"), sio_auth(other), sio_socket_rooms(other);
    switch (pick(6)) {
    case 0:
        sio_join(other, any_room(NULL));
        break;
    case 1:
        sio_disconnect(other, pick(2) == 0);
        break;
    case 2:
        sio_end_connection(other);
        break;
    default:
        sio_emit(sio_self(other), "early", "");
    }
}

static void do_time(sio_socket *s, sio_event *e)
{
    size_t i = pick(TIMERS);
    (void)s, (void)e;
    switch (pick(5)) {
    case 0:
    case 1:
        m.timer[i] = sio_after(m.io, (int)pick(200), act_on_tick, NULL);
        break;
    case 2:  // takes the place of another, so that there are not ever more
        sio_cancel(m.io, m.timer[i]);
        m.timer[i] = sio_every(m.io, (int)pick(200), act_on_tick, NULL);
        break;
    default:
        sio_cancel(m.io, m.timer[i]);
    }
}

static void act_on_post(sio_server *io, void *data)
{
    (void)io, (void)data;
    sim_must(!m.ending, "nothing that was posted runs once sio_free has begun");
    act(NULL, NULL);
}

static void do_post(sio_socket *s, sio_event *e)
{
    (void)s, (void)e;
    sio_post(m.io, act_on_post, NULL);
}

static void do_each(sio_socket *s, sio_event *e)
{
    (void)e;
    switch (pick(8)) {
    case 0:
        sio_disconnect_sockets(any_target(s), pick(2) == 0);
        break;
    case 1:
    case 2:
        sio_sockets_join(any_target(s), any_room(s));
        break;
    case 3:
    case 4:
        sio_sockets_leave(any_target(s), any_room(s));
        break;
    case 5:
        sio_each_room(any_namespace(s), act_on_room, NULL);
        break;
    default:
        sio_each(any_target(s), act_on, NULL);
    }
}

static void act_on_event(sio_socket *s, sio_event *e)
{
    act(s, e);
}

static const char *rename_it(sio_socket *s, sio_event *e)
{
    static const char *const names[] = { "x",          "echo",  "once", "late", "connection",
                                         "disconnect", "error", "",     "\xff" };
    if (pick(2) == 0)
        sio_set_name(e, names[pick(9)]);
    act(s, e);
    return NULL;
}

static const char *const event_names[] = {
    "x", "echo", "once", "late", "connection", "disconnect"
};

static void act_with_data(sio_socket *s, sio_event *e)
{
    sim_must(sio_handler_data(e) == &m, "a handler's data");
    act(s, e);
}

/* Handlers come and go in handlers; those that count stay. */
static void do_handle(sio_socket *s, sio_event *e)
{
    sio_namespace *ns = pick(4) ? any_namespace(s) : m.family[pick(2)];
    const char *name = event_names[pick(6)];
    (void)e;
    switch (pick(9)) {
    case 0:
        sio_on(ns, name, act_with_data, &m);
        break;
    case 1:
    case 2:
        sio_once(ns, name, act_with_data, &m);
        break;
    case 3:
        sio_off(ns, name, act_with_data, &m);
        break;
    case 4:
        sio_off(ns, event_names[pick(4)], NULL);
        break;
    case 5:
        sio_on_any(ns, act_with_data, &m);
        break;
    case 6:
        sio_on_any_outgoing(ns, act_with_data, &m);
        break;
    default:
        sio_off_any(ns, pick(3) ? act_with_data : NULL, pick(3) ? &m : NULL);
    }
}

static void do_make_namespace(sio_socket *s, sio_event *e)
{
    sio_namespace *ns = sio_of(m.io, ns_names[pick(8)]);
    (void)s, (void)e;
    if (ns != NULL && pick(10) == 0)
        sio_on(ns, "extra", act_on_event);
}

static void do_set_data(sio_socket *s, sio_event *e)
{
    sio_socket *other = any_socket(s);
    (void)e;
    if (other == NULL)
        return;
    datum *d = malloc(sizeof *d);
    sim_must(d != NULL, "memory");
    d->alive = ALIVE;
    m.data++;
    sio_set_data(other, d, release);
}

static void do_look_at_data(sio_socket *s, sio_event *e)
{
    sio_socket *other = any_socket(s);
    const datum *d = other == NULL ? NULL : sio_data(other);
    (void)e;
    sim_must(d == NULL || d->alive == ALIVE, "data is gone");
}

static void do_keep(sio_socket *s, sio_event *e)
{
    size_t i = pick(KEPT);
    sio_value v = m.ending ? NULL : sio_keep(m.io, any_value(s, e));
    sio_drop(m.kept[i]);
    m.kept[i] = v;
}

static void do_plain(sio_socket *s, sio_event *e)
{
    sio_ws *ws = m.ws[pick(PLAIN)];
    sio_session *session = m.session[pick(PLAIN)];
    (void)s, (void)e;
    sio_ws_broadcast(m.io, "/raw", pick(2) == 0, "broadcast", 9);
    if (ws != NULL && pick(2) == 0)
        pick(3) ? sio_ws_send(ws, true, "hello", 5) : sio_ws_close(ws, 1000);
    if (session != NULL && pick(2) == 0)
        pick(3) ? (void)sio_session_send(session, true, "hello", 5) : sio_session_close(session);
}

static void do_look(sio_socket *s, sio_event *e)
{
    sio_socket *other = any_socket(s);
    (void)e;
    if (other == NULL)
        return;
    sio_header(other, "cookie");
    sio_url(other), sio_address(other), sio_transport(other);
    sio_pending(other), sio_xdomain(other), sio_recovered(other);
    sio_room_size(sio_ns(other), any_room(s));
    sio_in_room(other, any_room(s));
    sio_socket *found = sio_socket_by_id(sio_ns(other), sio_id(other));
    sim_must(found == other || !sio_connected(other), "a connected socket is found by its id");
}

static void do_read(sio_socket *s, sio_event *e)
{
    char text[20];
    int n;
    sio_value v;
    for (size_t i = 0; e != NULL && i < sio_argc(e); i++) {
        sio_text(sio_arg(e, i), NULL);
        sio_bytes(sio_arg(e, i), NULL);
        sio_count(sio_arg(e, i));
    }
    if (e == NULL || s == NULL)
        return;
    sio_name(e);
    sio_scan(e, "{'a': %19s, 'b': [%p, %d]}, %19s", text, &v, &n, text);
    sio_set_arg(e, pick(4), any_value(s, e));
    sio_error_data(e, "%p", any_value(s, e));
}

static void do_forbidden(sio_socket *s, sio_event *e)
{
    (void)s, (void)e;
    if (m.between)
        return;
    errno = 0;
    sim_must(sio_turn(m.io, 0) == -1 && errno == EDEADLK, "sio_turn is refused in a callback");
    if (pick(300) == 0)
        sio_free(m.io);  // as sio_shutdown
    else if (pick(300) == 0)
        sio_shutdown(m.io);
}

static void do_remember(sio_socket *s, sio_event *e)
{
    (void)e;
    if (s != NULL && sio_connected(s))
        m.handle[m.n_handles++ % HANDLES] = sio_handle(s);
}

static void (*const actions[])(sio_socket *s, sio_event *e) = {
    do_leave,          do_leave,    do_emit,      do_emit,          do_emit,   do_emit,
    do_emit,           do_forward,  do_emit_much, do_emit_nonsense, do_join,   do_join,
    do_leave_room,     do_ask,      do_ask,       do_answer,        do_answer, do_answer_later,
    do_answer_later,   do_time,     do_time,      do_each,          do_each,   do_each,
    do_make_namespace, do_set_data, do_set_data,  do_look_at_data,  do_keep,   do_keep,
    do_plain,          do_plain,    do_look,      do_read,          do_read,   do_forbidden,
    do_remember,       do_handle,   do_handle,    do_post,          do_admit,  do_handle,
};

/* A few actions. s and e are those of the callback, or NULL. */
static void act(sio_socket *s, sio_event *e)
{
    if (m.depth > DEPTH)
        return;
    m.depth++;
    bool between = m.between;
    for (size_t n = pick(4); n > 0 && m.budget > 0; n--, m.budget--) {
        actions[pick(sizeof actions / sizeof *actions)](s, e);
        m.between = between;
    }
    m.depth--;
}

/* ---- Where it is done ------------------------------------------------------------------------ */

static const char *middleware(sio_socket *s, sio_event *e)
{
    size_t i;
    act(s, e);
    switch (pick(8)) {
    case 0:
        return "refused";
    case 1:
        i = pick(LATERS);
        m.admission[i] = sio_next_later(e);
        return SIO_LATER;
    case 2:
        return pick(4) ? NULL : SIO_DROP;
    default:
        return NULL;
    }
}

static const char *event_middleware(sio_socket *s, sio_event *e)
{
    act(s, e);
    switch (pick(10)) {
    case 0:
        return "no such event";
    case 1:
        return SIO_DROP;
    case 2:
        return pick(5) ? NULL : "\xff is not UTF-8";
    default:
        return NULL;
    }
}

static void on_connection(sio_socket *s, sio_event *e)
{
    m.connections++;
    do_remember(s, e);
    act(s, e);
}

static void on_disconnect(sio_socket *s, sio_event *e)
{
    m.disconnects++;
    do_look_at_data(s, e);
    act(s, e);
    do_look_at_data(s, e);
}

static void on_echo(sio_socket *s, sio_event *e)
{
    sio_emit(sio_self(s), "echo", "%p", sio_args(e));
    act(s, e);
    sio_ack(e, "%p", sio_args(e));
}

static void serve(sio_namespace *ns)
{
    for (size_t n = pick(3); n > 0; n--)
        sio_use(ns, middleware);
    if (pick(2) == 0)
        sio_use_event(ns, event_middleware);
    if (pick(3) == 0)
        sio_use_event(ns, rename_it);
    if (pick(2) == 0)
        sio_on_any(ns, act_on_event);
    if (pick(2) == 0)
        sio_on_any_outgoing(ns, act_on_event);
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "disconnecting", act_on_event);
    sio_on(ns, "disconnect", on_disconnect);
    sio_on(ns, "error", act_on_event);
    sio_on(ns, "echo", on_echo);
    sio_on(ns, "x", act_on_event);
    sio_on(ns, "x", act_on_event);
}

/* Sometimes it makes the namespace itself. */
static bool accept_dyn(const char *name, sio_event *auth)
{
    bool accepted = strncmp(name, "/dyn", 4) == 0 && pick(5) > 0;
    act(NULL, auth);
    if (accepted && pick(10) == 0)
        sio_of(m.io, name);
    return accepted;
}

static bool accept_fam(const char *name, sio_event *auth)
{
    (void)auth;
    return strncmp(name, "/fam", 4) == 0;
}

static void on_ws_open(sio_ws *ws)
{
    m.ws[pick(PLAIN)] = ws;
    act(NULL, NULL);
}

static void on_ws_message(sio_ws *ws, bool text, const void *p, size_t n)
{
    sio_ws_send(ws, text, p, n);
    act(NULL, NULL);
}

static void on_ws_close(sio_ws *ws, int code, bool clean)
{
    (void)code, (void)clean;
    act(NULL, NULL);
    sio_ws_header(ws, "host");  // the request stays as long as it
    sio_ws_query(ws);
    for (size_t i = 0; i < PLAIN; i++)
        if (m.ws[i] == ws)
            m.ws[i] = NULL;
}

static void on_session_open(sio_session *s)
{
    m.session[pick(PLAIN)] = s;
    act(NULL, NULL);
}

static void on_session_message(sio_session *s, bool text, const void *p, size_t n)
{
    sio_session_send(s, text, p, n);
    act(NULL, NULL);
}

static void on_session_close(sio_session *s, const char *reason)
{
    (void)reason;
    act(NULL, NULL);
    sio_session_header(s, "host");
    sio_session_query(s);
    for (size_t i = 0; i < PLAIN; i++)
        if (m.session[i] == s)
            m.session[i] = NULL;
}

static void on_request(sio_http *http)
{
    sio_http_add_header(http, "X-A", "b");
    act(NULL, NULL);
    if (pick(4) > 0)
        sio_http_reply(http, 200, "text/plain", "hi", 2);
    act(NULL, NULL);
}

static const char *allow(sio_http *http)
{
    (void)http;
    act(NULL, NULL);
    return pick(12) > 0 ? NULL : "no";
}

static void headers(sio_http *http, bool initial)
{
    (void)initial;
    sio_http_add_header(http, "X-H", "1");
    act(NULL, NULL);
}

static void on_line(const char *line)
{
    (void)line;
    if (pick(6) == 0)
        act(NULL, NULL);
}

/* ---- Clients --------------------------------------------------------------------------------- */

enum { GUESTS = 6, STEPS = 500 };

static struct mate {
    sim_client *client, *probe;  // probe: the WebSocket of an upgrade
    const char *path;
    bool polling, v3;
    char sid[32], pid[32], offset[32];
} mates[GUESTS];
typedef struct mate mate;

static const char *const phrases[] = {
    "40",
    "40",
    "40{\"a\":1}",
    "40/b,",
    "40/c,{\"token\":\"x\"}",
    "40/dyn-1,",
    "40/dyn-2,{\"token\":1}",
    "40/fam-1,",
    "40/none,",
    "41",
    "41/b,",
    "41/dyn-1,",
    "41/fam-1,",
    "421[\"echo\",{\"a\":\"s\",\"b\":[1,2]},\"t\"]",
    "42[\"x\",1]",
    "422[\"y\",[1,2,3],{}]",
    "42/b,3[\"x\",\"q\"]",
    "42/dyn-1,4[\"echo\",1]",
    "42/fam-1,[\"x\"]",
    "42/c,[\"x\"]",
    "42[\"none\"]",
    "42[\"once\"]",
    "42[\"late\",{\"_placeholder\":true,\"num\":0}]",
    "430[1]",
    "431[]",
    "432[\"x\"]",
    "43/b,0[2]",
    "43/dyn-1,0[1]",
    "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]",
    "461-0[{\"_placeholder\":true,\"num\":0}]",
    "bAAAA",
    "3",
    /* Those that end a connection come less often. */
    "4abc",
    "1",
    "2",
    "5",
    "42[\"disconnect\"]",
    "42[\"echo\"",
    "",
};
enum { PHRASES = sizeof phrases / sizeof *phrases, HARMLESS = 32 };

static const char *any_phrase(void)
{
    return phrases[pick(pick(12) > 0 ? HARMLESS : PHRASES)];
}

/* Copies 20 characters behind the last of those texts that came. */
static void note(const mate *g, const char *before, char *out)
{
    size_t n, k = strlen(before);
    const char *p = g->client == NULL ? NULL : sim_text(g->client, &n);
    for (size_t i = 0; p != NULL && i + k + 20 < n; i++)
        if (memcmp(p + i, before, k) == 0)
            snprintf(out, 21, "%.20s", p + i + k);
}

static void note_all(mate *g)
{
    note(g, "0{\"sid\":\"", g->sid);
    note(g, "\"pid\":\"", g->pid);
    note(g, ",\"17841", g->offset + 5);  // as all offsets of the simulator's clock begin
    if (g->offset[5] != '\0')
        memcpy(g->offset, "17841", 5);
    g->offset[16] = '\0';
}

static void write_target(const mate *g, const char *transport, char out[200])
{
    snprintf(out, 200, "%s?EIO=%d&transport=%s%s%s", g->path, g->v3 ? 3 : 4, transport,
             g->sid[0] != '\0' ? "&sid=" : "", g->sid);
}

static void ask(mate *g, const char *method, const char *body)
{
    char target[200];
    write_target(g, "polling", target);
    if (pick(20) == 0)
        strcat(target, "&j=0");
    if (g->client == NULL || sim_ended(g->client) || pick(2) == 0)
        g->client = sim_connect();
    sim_request(g->client, method, target, NULL, body);
}

static sim_client *open_websocket(const mate *g, const char *target)
{
    char own[200];
    sim_client *c = sim_connect();
    write_target(g, "websocket", own);
    sim_request(c, "GET", target != NULL ? target : own, SIM_UPGRADE, NULL);
    return c;
}

static void arrive(mate *g)
{
    g->sid[0] = '\0';
    g->probe = g->client = NULL;
    g->polling = pick(2) == 0;
    g->v3 = pick(6) == 0;
    g->path = pick(6) > 0 ? "/socket.io/" : "/engine.io/";
    if (g->polling) {
        ask(g, "GET", NULL);
        return;
    }
    g->client = open_websocket(g, pick(8) > 0 ? NULL : "/raw");
    if (!g->v3 && g->path[1] == 's')
        sim_ws_say(g->client, "40");
}

/* With the pid and the offset that it heard last, if it did. */
static void come_back(mate *g)
{
    char text[200];
    if (g->pid[0] == '\0')
        return;
    bool offset = g->offset[0] != '\0';
    snprintf(text, sizeof text, "40{\"pid\":\"%s\"%s%s%s}", g->pid, offset ? ",\"offset\":\"" : "",
             g->offset, offset ? "\"" : "");
    g->sid[0] = '\0';
    g->polling = g->v3 = false;
    g->path = "/socket.io/";
    g->client = open_websocket(g, NULL);
    sim_ws_say(g->client, text);
}

static void upgrade(mate *g)
{
    if (!g->polling || g->sid[0] == '\0')
        return;
    if (g->probe == NULL) {
        g->probe = open_websocket(g, NULL);
        if (pick(5) > 0)
            sim_ws_say(g->probe, "2probe");
    } else if (pick(6) == 0) {
        sim_ws_say(g->probe, "2probe");
    } else {
        sim_ws_say(g->probe, "5");
        g->client = g->probe;
        g->probe = NULL;
        g->polling = false;
    }
}

static void speak(mate *g)
{
    char payload[1500] = "", counted[1600];
    if (!g->polling) {
        const char *text = any_phrase();
        sim_ws_say(g->client, text);
        if (strstr(text, "_placeholder") != NULL && pick(5) > 0)
            sim_ws_frame(g->client, 0x82, "bin", 3);
        return;
    }
    for (size_t n = 1 + pick(4); n > 0; n--) {
        strcat(payload, any_phrase());
        strcat(payload, n > 1 ? "\x1e" : "");
    }
    snprintf(counted, sizeof counted, "%zu:%s", strlen(payload), payload);
    ask(g, "POST", g->v3 ? counted : payload);
}

static void depart(mate *g)
{
    sim_client *c = g->probe != NULL && pick(2) == 0 ? g->probe : g->client;
    size_t how = pick(3);
    if (c != NULL && how == 0)
        sim_close(c);
    else if (c != NULL && how == 1)
        sim_abort(c);
    else if (c != NULL)
        sim_finish(c);
    if (pick(3) > 0)
        arrive(g);
}

static void act_between_turns(void)
{
    m.budget = 50;
    m.between = true;
    act(NULL, NULL);
    m.between = false;
}

/* False: the server has stopped. */
static bool pass(int ms)
{
    m.budget = 300;
    m.depth = 0;
    return sim_run_ms(m.io, ms) > 0;
}

static bool take_step(mate *g)
{
    switch (pick(18)) {
    case 0:
        depart(g);
        break;
    case 1:
        come_back(g);
        break;
    case 2:
    case 3:
        upgrade(g);
        break;
    case 4:
        if (g->client != NULL)
            sim_room(g->client, pick(2) == 0 ? pick(3000) : SIZE_MAX);
        break;
    case 5:
        if (!g->polling)
            sim_ws_frame(g->client, pick(4) > 0 ? 0x82 : (unsigned)pick(256), "bytes", pick(6));
        break;
    case 6:
    case 7:
        if (g->polling)
            ask(g, "GET", NULL);
        break;
    case 8:
        if (!pass((int)pick(pick(10) > 0 ? 30 : 3000)))
            return false;
        break;
    case 9:
        sim_request(sim_connect(), pick(2) ? "GET" : "POST", pick(2) ? "/route?a=1" : "/pre/x",
                    NULL, pick(2) ? "body" : NULL);
        break;
    case 10:
        act_between_turns();
        break;
    default:
        speak(g);
    }
    if (pick(3) > 0 && !pass(0))
        return false;
    note_all(g);
    return true;
}

/* ---- A play ---------------------------------------------------------------------------------- */

static void begin_play(void)
{
    static const sio_ws_handlers raw = {
        .open = on_ws_open, .message = on_ws_message, .close = on_ws_close, .allow = allow
    };
    static const sio_engine_handlers engine = { .open = on_session_open,
                                                .message = on_session_message,
                                                .close = on_session_close };
    static const sio_options engine_options = { .path = "/engine.io",
                                                .ping_interval_ms = 500,
                                                .ping_timeout_ms = 300 };
    static const size_t cuts[] = { 0, 1, 7, SIM_RANDOM };
    sio_options o = { .ping_interval_ms = 700,
                      .ping_timeout_ms = 400,
                      .upgrade_timeout_ms = 300,
                      .connect_timeout_ms = 500,
                      .stop_timeout_ms = 200,
                      .allow_request = pick(2) ? allow : NULL,
                      .headers = pick(2) ? headers : NULL,
                      .cleanup_empty_namespaces = pick(3) > 0,
                      .max_output = 20000 + pick(60000),
                      .max_rooms = 5 + pick(10),
                      .max_namespaces = 3 + pick(6),
                      .max_sessions = 3 + pick(50) };
    m.io = sim_begin(&o);
    sim_must(m.io != NULL, "it begins");
    sio_recovery recover = { .ms = 1000 + (int)pick(2000),
                             .bytes = 3000 + pick(20000),
                             .run_middlewares = pick(2) == 0 };
    if (pick(3))
        sim_must(sio_recover(m.io, &recover) == 0, "it recovers");
    sio_allow_v3(m.io);
    sim.cut = cuts[pick(4)];
    sim.on_line = on_line;
    for (size_t i = 0; i < 3; i++)
        serve(sio_of(m.io, ns_names[i]));
    serve(m.family[0] = sio_family(m.io, accept_dyn));
    serve(m.family[1] = sio_family(m.io, accept_fam));
    sio_websocket(m.io, "/raw", &raw);
    sio_engine(m.io, &engine_options, &engine);
    sio_route(m.io, "*", "/route", on_request);
    sio_route(m.io, "*", "/pre/*", on_request);
}

static void end_play(void)
{
    m.budget = pick(2) ? 0 : 200;
    m.ending = true;
    for (size_t i = 0; i < KEPT; i++) {
        sio_drop(m.kept[i]);
        m.kept[i] = NULL;
    }
    sim_free(m.io);
    sim_must(m.connections == m.disconnects, "%ld connections, %ld disconnects", m.connections,
             m.disconnects);
    sim_must(m.questions == m.answers, "%ld questions, %ld answers", m.questions, m.answers);
    sim_must(m.data == m.releases, "%ld data, %ld releases", m.data, m.releases);
}

/* Plays until more says that it is enough. */
static void play_monkey(uint64_t seed, bool (*more)(void))
{
    m = (struct monkey){ .budget = 100 };
    memset(mates, 0, sizeof mates);
    sim_reset();
    sim.seed = seed;
    begin_play();
    for (size_t i = 0; i < GUESTS; i++)
        arrive(&mates[i]);
    bool going = true;
    for (int i = 0; i < STEPS && going && more(); i++)
        going = take_step(&mates[pick(GUESTS)]);
    if (going)
        pass(pick(2) ? 300 : 5000);
    end_play();
}

#endif
