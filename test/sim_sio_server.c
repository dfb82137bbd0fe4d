/* sim_sio_server.c - the server's own life: timers, stopping, plain endpoints, and what it says of
 * itself SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static sio_server *begin(const sio_options *o)
{
    sim_fail = fail_with;
    return sim_new(o);
}

static uint64_t ids[8];
static char nothing[] = "";

static void note(sio_server *io, void *data)
{
    (void)io, (void)data;
}

/* ---- Handles ---------------------------------------------------------------------------------- */

/* A handle is used once, and never means something else. */
static void handles_of_the_gone_mean_nothing(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    uint64_t old = sio_after(io, 1, note, nothing);
    sio_cancel(io, old);
    for (int i = 0; i < 100; i++) {
        uint64_t id = sio_after(io, 1, note, nothing);
        assert_true(id != old && id != 0);
        sio_cancel(io, old);
        sim_run_ms(io, 1);
    }
    sim_free(io);
}

/* A server that was stopped says so, instead of listening for nobody. */
static void a_stopped_server_listens_no_more(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    assert_true(sio_listen(io, "127.0.0.1", 0) >= 0);
    sio_shutdown(io);
    for (int i = 0; i < 2; i++) {  // before it is carried out, and after
        errno = 0;
        assert_int_equal(sio_listen(io, "127.0.0.1", 0), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(sio_run(io), 0);
    }
    sim_free(io);
}

/* ---- Questions ------------------------------------------------------------------------------ */

static uint64_t handle;
static unsigned answers;

static void note_socket(sio_socket *socket, sio_event *event)
{
    (void)event;
    handle = sio_handle(socket);
}

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)data, (void)error, (void)answer;
    answers++;
    sio_cancel(io, ids[0]);
}

/* What waits for an answer when the server is freed hears so, and may look at what is freed. */
static void questions_end_with_the_server(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sim_peer p;
    answers = 0;
    sio_of(io, "/");
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    ids[0] = sio_after(io, 10, note, nothing);
    sio_target all = sio_timeout(sio_all(sio_of(io, "/")), 1000);
    assert_int_equal(sio_request(all, on_answer, NULL, "q", ""), 0);
    sim_free(io);
    assert_int_equal(answers, 1);
}

/* Without memory a question is either asked or refused, never lost or asked of some. */
static void questions_are_asked_or_refused(void **state)
{
    enum { ONE, ALL, DEAF, KINDS };  // DEAF: a socket that left its own room, with recovery
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        int result = -1;
        for (unsigned long k = 1; result < 0; k++) {
            sio_server *io = begin(NULL);
            if (kind == DEAF)
                sio_recover(io, NULL);
            sim_peer p[2];
            answers = 0;
            sio_on(sio_of(io, "/"), "connection", note_socket);
            for (int i = 0; i < 2; i++) {
                sim_open(io, &p[i], SIM_WS, NULL);
                sim_say(&p[i], "40");
                sim_hear_all(&p[i]);
            }
            sio_socket *socket = sio_socket_of(io, handle);
            sio_target t = sio_self(socket);
            if (kind == ALL)
                t = sio_timeout(sio_all(sio_ns(socket)), 1000);
            if (kind == DEAF)
                sio_leave(socket, sio_id(socket));
            sim.fail_alloc = sim.allocs + k;
            result = sio_request(t, on_answer, NULL, "q", "");
            sim.fail_alloc = 0;
            sim_run_ms(io, 0);
            for (int i = 0; i < 2; i++) {
                bool hears = result == 0 && kind != DEAF && (kind == ALL || i == 1);
                assert_string_equal(sim_hear(&p[i]), hears ? "420[\"q\"]" : "");
            }
            assert_int_equal(answers, 0);
            sim_free(io);
            assert_int_equal(answers, result == 0);
            assert_true(k < 20);
        }
    }
}

static bool accept_all(const char *name, sio_event *auth)
{
    (void)auth;
    return name != NULL;
}

static void disconnect_noted(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_socket *noted = sio_socket_of(sio_socket_server(socket), handle);
    if (noted != NULL)
        sio_disconnect(noted, false);
}

/* The client that gets no socket ends; its "disconnect" empties the namespace that it asked for. */
static void a_namespace_goes_once(void **state)
{
    (void)state;
    sio_options o = { .cleanup_empty_namespaces = true };
    for (unsigned long k = 1, hit = 1; hit; k++) {
        sio_server *io = begin(&o);
        sim_peer a, b;
        sio_on(sio_of(io, "/"), "disconnect", disconnect_noted);
        sio_on(sio_family(io, accept_all), "connection", note_socket);
        sim_open(io, &a, SIM_WS, NULL);
        sim_say(&a, "40/f");
        sim_open(io, &b, SIM_WS, NULL);
        sim_say(&b, "40");
        sim_hear_all(&b);
        sim.fail_alloc = sim.allocs + k;
        sim_say(&b, "40/f");
        hit = sim.allocs >= sim.fail_alloc;
        sim.fail_alloc = 0;
        sim_free(io);
        assert_true(k < 60);
    }
}

/* ---- Listeners of what goes out ------------------------------------------------------------- */

static char heard[200];

static void on_outgoing(sio_socket *socket, sio_event *event)
{
    size_t n;
    const char *args = sio_json(sio_make(sio_socket_server(socket), "[%p]", sio_args(event)), &n);
    size_t at = strlen(heard);
    snprintf(heard + at, sizeof heard - at, "%s %zu %.*s|", sio_name(event), sio_argc(event),
             (int)n, args);
}

/* They hear the arguments, without the offset of recovery, whatever the namespace's name is. */
static void listeners_hear_what_was_emitted(void **state)
{
    (void)state;
    static const char *const names[] = { "/", "/a[1]", "/[[", "/5-[" };
    for (size_t i = 0; i < COUNT(names); i++) {
        sio_server *io = begin(NULL);
        sio_recover(io, NULL);
        sio_namespace *ns = sio_of(io, names[i]);
        sim_peer p;
        char connect[20];
        heard[0] = '\0';
        sio_on_any_outgoing(ns, on_outgoing);
        sio_on(ns, "connection", note_socket);
        sim_open(io, &p, SIM_WS, NULL);
        snprintf(connect, sizeof connect, "40%s,", names[i]);
        sim_say(&p, connect);
        sio_emit(sio_all(ns), "e", "1, [2]");
        sio_emit(sio_all(ns), "none", "");
        sio_emit(sio_all(ns), "ten", "1,2,3,4,5,6,7,8,9,10");
        sio_emit(sio_all(ns), "b", "%p", sio_binary(io, "x", 1));
        sio_request(sio_self(sio_socket_of(io, handle)), on_answer, NULL, "q", "'?'");
        assert_string_equal(heard, "e 2 [1,[2]]|none 0 []|ten 10 [1,2,3,4,5,6,7,8,9,10]|"
                                   "b 1 [{\"_placeholder\":true,\"num\":0}]|q 1 [\"?\"]|");
        sim_free(io);
    }
}

static void disconnect_receiver(sio_socket *socket, sio_event *event)
{
    (void)event;
    if (sio_handle(socket) == handle)
        sio_disconnect(socket, false);
}

/* A receiver that a listener disconnects does not get the event; the others do. */
static void listeners_may_disconnect_receivers(void **state)
{
    (void)state;
    for (int asking = 0; asking < 2; asking++) {
        sio_server *io = begin(NULL);
        sio_namespace *ns = sio_of(io, "/");
        sim_peer p[2];
        sio_on(ns, "connection", note_socket);
        sio_on_any_outgoing(ns, disconnect_receiver);
        for (int i = 0; i < 2; i++) {
            sim_open(io, &p[i], SIM_WS, NULL);
            sim_say(&p[i], "40");
            sim_hear_all(&p[i]);
        }
        if (asking)
            sio_request(sio_timeout(sio_all(ns), 10), on_answer, NULL, "e", "");
        else
            sio_emit(sio_all(ns), "e", "");
        sim_run_ms(io, 0);
        assert_string_equal(sim_hear_all(&p[0]), asking ? "420[\"e\"]" : "42[\"e\"]");
        assert_string_equal(sim_hear_all(&p[1]), "41");
        sim_free(io);
    }
}

/* Without memory for the list of receivers nobody gets the event. */
static void events_with_listeners_reach_all_or_nobody(void **state)
{
    enum { MANY = 600 };
    (void)state;
    int result = -1;
    static sim_peer p[MANY];
    for (unsigned long k = 1; result < 0; k++) {
        sio_server *io = begin(NULL);
        sio_on_any_outgoing(sio_of(io, "/"), note_socket);
        for (int i = 0; i < MANY; i++) {
            sim_open(io, &p[i], SIM_WS, NULL);
            sim_say(&p[i], "40");
            sim_hear_all(&p[i]);
        }
        sim.fail_alloc = sim.allocs + k;
        result = sio_emit(sio_all(sio_of(io, "/")), "e", "");
        sim.fail_alloc = 0;
        sim_run_ms(io, 0);
        for (int i = 0; i < MANY; i++)
            assert_string_equal(sim_hear(&p[i]), result < 0 ? "" : "42[\"e\"]");
        sim_free(io);
        assert_true(k < 10);
    }
}

/* ---- Stopping ------------------------------------------------------------------------------- */

static void stopping_tells_everybody_and_takes_its_time(void **state)
{
    (void)state;
    sio_options o = { .stop_timeout_ms = 300 };
    sio_server *io = begin(&o);
    sim_peer ws, poll, waiting, slow;
    sim_open(io, &ws, SIM_WS, NULL);
    sim_open(io, &poll, SIM_POLL, NULL);
    sim_open(io, &waiting, SIM_POLL, NULL);
    sim_open(io, &slow, SIM_WS, NULL);
    sim_room(slow.ws, 0);
    assert_string_equal(sim_hear(&waiting), "");
    sim_client *idle = sim_connect(), *half = sim_connect();
    sim_request(idle, "GET", "/nope", NULL, NULL);
    sim_sendf(half, "GET / HTTP/1.1\r\nHo");
    sim_run_ms(io, 0);
    sio_shutdown(io);
    assert_int_equal(sim_run_ms(io, 10), 1);
    assert_string_equal(sim_hear_all(&ws), "CLOSE()");
    assert_string_equal(sim_hear_all(&waiting), "CLOSE()");
    assert_true(sim_ended(idle));
    sim_client *late = sim_connect();
    sim_close(ws.ws);
    sim_close(idle);
    assert_int_equal(sim_run_ms(io, 10), 1);
    assert_true(sim_closed(ws.ws));
    assert_int_equal(sim_run_ms(io, 400), 0);
    assert_true(sim_closed(slow.ws) && sim_closed(half));
    assert_false(sim_closed(late));  // nobody accepted it
    sim_free(io);
}

/* Nobody answers the close: a loop that turns when sio_wait_ms says so sees that the time is up. */
static void stopping_takes_its_time_in_a_foreign_loop_too(void **state)
{
    (void)state;
    sio_options o = { .stop_timeout_ms = 300 };
    sio_server *io = begin(&o);
    sim_peer silent;
    sim_open(io, &silent, SIM_WS, NULL);
    int64_t start = sim.now;
    sio_shutdown(io);
    for (int turns = 0; sio_turn(io, 0) > 0; turns++) {
        assert_in_range(sio_wait_ms(io), 0, 300);
        sim.now += sio_wait_ms(io);
        assert_true(turns < 100);
    }
    assert_in_range(sim.now - start, 300, 330);
    sim_free(io);
}

static void stopping_with_nobody_there_is_done_at_once(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sio_shutdown(io);
    assert_int_equal(sio_run(io), 0);
    assert_int_equal(sim.now, 1000000);
    sim_free(io);
}

/* ---- Plain endpoints: their handlers may do anything ---------------------------------------- */

enum { NOTHING, SEND, CLOSE, CLOSE_AND_SEND, BROADCAST, STOP, ACTIONS };
enum { ON_OPEN, ON_MESSAGE, ON_CLOSE, PLACES };
static int place, action, opened, closed;

static void act_ws(int where, sio_ws *ws)
{
    if (where != place)
        return;
    if (action == CLOSE || action == CLOSE_AND_SEND)
        sio_ws_close(ws, 1000);
    if (action == SEND || action == CLOSE_AND_SEND)
        sio_ws_send(ws, true, "x", 1);
    if (action == BROADCAST)
        sio_ws_broadcast(sio_ws_server(ws), "/raw", false, "y", 1);
    if (action == STOP)
        sio_shutdown(sio_ws_server(ws));
}

static void ws_open(sio_ws *ws)
{
    opened++;
    assert_string_equal(sio_ws_address(ws), "127.0.0.1");
    act_ws(ON_OPEN, ws);
}

static void ws_message(sio_ws *ws, bool text, const void *p, size_t n)
{
    (void)text, (void)p, (void)n;
    act_ws(ON_MESSAGE, ws);
}

static void ws_close(sio_ws *ws, int code, bool clean)
{
    (void)code, (void)clean;
    closed++;
    act_ws(ON_CLOSE, ws);
}

static void act_engine(int where, sio_session *s)
{
    if (where != place)
        return;
    if (action == CLOSE || action == CLOSE_AND_SEND)
        sio_session_close(s);
    if (action == SEND || action == CLOSE_AND_SEND || action == BROADCAST)
        sio_session_send(s, action == SEND, "x", 1);
    if (action == STOP)
        sio_shutdown(sio_session_server(s));
}

static void engine_open(sio_session *s)
{
    opened++;
    assert_int_equal(strlen(sio_session_id(s)), 20);
    sio_session_set_data(s, &opened);
    act_engine(ON_OPEN, s);
}

static void engine_message(sio_session *s, bool text, const void *p, size_t n)
{
    (void)text, (void)p, (void)n;
    assert_ptr_equal(sio_session_data(s), &opened);
    act_engine(ON_MESSAGE, s);
}

static void engine_close(sio_session *s, const char *reason)
{
    closed++;
    assert_true(*reason != '\0');
    act_engine(ON_CLOSE, s);
}

static void visit(sio_server *io, int end)
{
    sim_client *c[3];
    char target[100];
    c[0] = sim_ws_open(io, "/raw", NULL);
    c[1] = sim_ws_open(io, "/engine.io/?EIO=4&transport=websocket", NULL);
    sim_answer a = sim_http(io, "GET", "/engine.io/?EIO=4&transport=polling", NULL, NULL);
    if (a.status == 200) {
        snprintf(target, sizeof target, "/engine.io/?EIO=4&transport=polling&sid=%.20s",
                 a.body + 8);
        sim_http(io, "POST", target, NULL,
                 "4a\x1e"
                 "bYQ\x1e"
                 "4b");
        c[2] = sim_connect();
        sim_request(c[2], "GET", target, NULL, NULL);
    } else {
        c[2] = NULL;
    }
    for (int i = 0; i < 3; i++) {
        if (c[i] == NULL)
            continue;
        if (i < 2) {
            sim_ws_say(c[i], "4a");
            sim_ws_frame(c[i], 0x82, "b", 1);
        }
        sim_run_ms(io, 0);
        if (end == 0)
            sim_abort(c[i]);
        else if (end == 1)
            sim_finish(c[i]);
        sim_run_ms(io, 1);
    }
}

static void plain_handlers_may_do_anything(void **state)
{
    static const sio_ws_handlers ws = { .open = ws_open, .message = ws_message, .close = ws_close };
    static const sio_engine_handlers engine = { .open = engine_open,
                                                .message = engine_message,
                                                .close = engine_close };
    static const sio_options at = { .path = "/engine.io" };
    (void)state;
    for (int n = 0; n < PLACES * ACTIONS * 3; n++) {
        place = n % PLACES, action = n / PLACES % ACTIONS;
        opened = closed = 0;
        sio_server *io = begin(NULL);
        assert_int_equal(sio_websocket(io, "/raw", &ws), 0);
        assert_int_equal(sio_engine(io, &at, &engine), 0);
        visit(io, n / PLACES / ACTIONS);
        sim_free(io);
        assert_true(opened > 0);
        assert_int_equal(opened, closed);
    }
}

/* Plain Engine.IO echoes text as text and bytes as bytes; its close has a reason. */
static void echo(sio_session *s, bool text, const void *p, size_t n)
{
    if (n == 3 && memcmp(p, "bye", 3) == 0)
        sio_session_close(s);
    else
        assert_int_equal(sio_session_send(s, text, p, n), 0);
    assert_int_equal(sio_session_send(s, true, "\xff", 1), -1);
}

static void plain_sessions_echo(void **state)
{
    static const sio_engine_handlers engine = { .message = echo };
    static const sio_options at = { .path = "/engine.io",
                                    .ping_interval_ms = 300,
                                    .ping_timeout_ms = 200 };
    (void)state;
    sio_server *io = begin(NULL);
    sio_engine(io, &at, &engine);
    sim_client *c = sim_ws_open(io, "/engine.io/?EIO=4&transport=websocket", NULL);
    assert_true(sim_like("0{*\"pingInterval\":300,\"pingTimeout\":200,*", sim_ws_hear(c)));
    sim_ws_say(c, "4h\xc3\xa9");
    sim_ws_frame(c, 0x82, "\0\xff", 2);
    sim_run_ms(io, 0);
    assert_string_equal(sim_ws_hear(c), "4h\xc3\xa9");
    assert_string_equal(sim_ws_hear(c), "<00ff>");
    sim_run_ms(io, 300);
    assert_string_equal(sim_ws_hear(c), "2");
    sim_ws_say(c, "3");
    sim_ws_say(c, "4bye");
    sim_run_ms(io, 0);
    assert_string_equal(sim_ws_hear(c), "CLOSE()");
    sim_free(io);
}

/* ---- What it says of itself ----------------------------------------------------------------- */

static sio_server *told;

static void disconnect_whom_it_is_about(const char *line)
{
    (void)line;
    sio_socket *socket = sio_socket_of(told, handle);
    if (socket != NULL)
        sio_disconnect(socket, true);
}

static void emit_the_line(const char *line)
{
    sio_emit(sio_except(sio_all(sio_of(told, "/")), "quiet"), "log", "%s", line);
}

static void join_rooms(sio_socket *socket, sio_event *event)
{
    note_socket(socket, event);
    sio_join(socket, "all");
}

/* The log may do anything, whatever the line interrupts: a frame that breaks the protocol, or a
 * broadcast that is too much for one of its receivers. */
static void the_log_may_do_anything(void **state)
{
    static void (*const actions[])(const char *line) = { disconnect_whom_it_is_about,
                                                         emit_the_line };
    static char big[5000];
    (void)state;
    memset(big, 'x', sizeof big - 1);
    sio_options o = { .max_output = 4000 };
    for (size_t i = 0; i < COUNT(actions); i++) {
        told = begin(&o);
        sio_namespace *ns = sio_of(told, "/");
        sim_peer slow, quiet, bad;
        sio_on(ns, "connection", join_rooms);
        sim_open(told, &quiet, SIM_WS, NULL);
        sim_say(&quiet, "40");
        sio_join(sio_socket_of(told, handle), "quiet");
        sim_open(told, &bad, SIM_WS, NULL);
        sim_say(&bad, "40");
        sim_open(told, &slow, SIM_WS, NULL);
        sim_say(&slow, "40");
        sim_room(slow.ws, 0);
        sim.on_line = actions[i];
        for (int k = 0; k < 3; k++) {
            sio_emit(sio_to(sio_except(sio_all(ns), "quiet"), "all"), "big", "%s", big);
            sim_run_ms(told, 0);
        }
        assert_true(sim.logged > 0);
        sim_ws_frame(bad.ws, 0xc1, "x", 1);
        sim_run_ms(told, 0);
        assert_true(sim_like("40{*}", sim_hear_all(&quiet)));  // and nothing else
        sim.on_line = NULL;
        sim_free(told);
    }
}

/* More lines than anybody reads are counted. */
static void a_flood_of_lines_is_bounded(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sim_client *c = sim_connect();
    char *text = filled(250000, ' '), *to = text;
    while (to + 64 < text + 250000)
        to += sprintf(to, "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n");
    sim_send(c, text, (size_t)(to - text));
    sio_turn(io, 0);
    sio_turn(io, 0);
    assert_int_equal(sim.logged, 10);
    assert_true(sio_get_stats(io)->refused > 4000);
    free(text);
    sim_free(io);
}

static void counters_count(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    const sio_stats *s = sio_get_stats(io);
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    assert_int_equal(s->connections, 1);
    assert_int_equal(s->accepted, 1);
    assert_int_equal(s->sessions, 1);
    assert_int_equal(s->handshakes, 1);
    assert_int_equal(s->sockets, 1);
    size_t n;
    sim_text(p.ws, &n);
    assert_true(s->bytes_out > n && s->bytes_in > 0);
    sim_close(p.ws);
    sim_run_ms(io, 0);
    assert_int_equal(s->connections, 0);
    assert_int_equal(s->sessions, 0);
    assert_int_equal(s->sockets, 0);
    sim_open(io, &p, SIM_POLL, NULL);
    sim_run_ms(io, 50000);
    assert_int_equal(s->sessions, 0);
    assert_int_equal(s->ping_timeouts, 1);
    sim_free(io);
}

/* Nothing is too much, and nothing is ever over. Sums of what is without an end do not wrap around. */
static void what_has_no_limit_has_none(void **state)
{
    sio_options o = { .ping_interval_ms = SIO_NEVER,
                      .ping_timeout_ms = SIO_NEVER,
                      .upgrade_timeout_ms = SIO_NEVER,
                      .connect_timeout_ms = SIO_NEVER,
                      .header_timeout_ms = SIO_NEVER,
                      .request_timeout_ms = SIO_NEVER,
                      .keep_alive_ms = SIO_NEVER,
                      .return_timeout_ms = SIO_NEVER,
                      .close_timeout_ms = SIO_NEVER,
                      .stop_timeout_ms = SIO_NEVER,
                      .max_payload = SIO_NO_LIMIT,
                      .max_head = SIO_NO_LIMIT,
                      .max_output = SIZE_MAX,  // more than that is the same
                      .max_attachments = SIO_NO_LIMIT,
                      .max_packet = SIO_NO_LIMIT,
                      .max_depth = SIO_NO_LIMIT,
                      .max_namespaces = SIO_NO_LIMIT,
                      .max_rooms = SIO_NO_LIMIT,
                      .max_connections = SIO_NO_LIMIT,
                      .max_sessions = SIO_NO_LIMIT,
                      .max_sessions_per_address = SIO_NO_LIMIT,
                      .max_per_address = SIO_NO_LIMIT,
                      .max_memory = SIO_NO_LIMIT,
                      .max_dynamic_namespaces = SIO_NO_LIMIT };
    const int64_t days = 86400 * (int64_t)1000;
    sim_peer p, q, old;
    (void)state;
    sio_server *io = begin(&o);
    sio_allow_v3(io);
    sim_open(io, &p, SIM_WS, NULL);
    sim_open(io, &q, SIM_POLL, NULL);
    sim_open(io, &old, SIM_WS, "3");
    for (int i = 0; i < 4; i++) {  // SIO_NEVER as a number would be over then
        sim_run_ms(io, 13 * days);
        assert_string_equal(sim_hear(&p), "2");
        assert_string_equal(sim_hear(&q), "2");
        sim_say(&p, "3");
        sim_say(&q, "3");
        sim_say(&old, "2");
        sim_run_ms(io, 0);
        assert_int_equal(sio_get_stats(io)->sessions, 3);
    }
    sim_say(&p, "40");
    sim_say(&q, "40");
    sim_run_ms(io, 0);
    assert_int_equal(sio_get_stats(io)->sockets, 3);
    uint64_t before = sio_get_stats(io)->packets_in;
    char *big = filled(2000000, 'x');
    memcpy(big, "42[\"e\",\"", 9);
    memcpy(big + 2000000 - 2, "\"]", 2);
    sim_say(&p, big);
    free(big);
    sim_run_ms(io, 0);
    assert_int_equal(sio_get_stats(io)->packets_in, before + 1);
    sim_free(io);
}

/* Names that can't be are refused, and errno says so. */
static void impossible_names_are_refused(void **state)
{
    errno = 0;
    assert_null(sio_new(&(sio_options){ .path = "socket.io" }));
    assert_int_equal(errno, EINVAL);
    assert_null(sio_new(&(sio_options){ .path = "" }));
    static const sio_ws_handlers ws = { .open = NULL };
    (void)state;
    sio_server *io = begin(NULL);
    assert_null(sio_of(io, "a,b"));
    assert_null(sio_of(io, "/a,b"));
    assert_int_equal(errno, EINVAL);
    assert_null(sio_find(io, "/a"));
    assert_non_null(sio_of(io, "/a"));
    assert_ptr_equal(sio_of(io, "/a"), sio_find(io, "/a"));
    assert_int_equal(sio_route(io, "GET", "", NULL), -1);
    assert_int_equal(
        sio_engine(io, &(sio_options){ .path = "e" }, &(sio_engine_handlers){ .open = NULL }), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_websocket(io, "/raw", &ws), 0);
    sim_client *c = sim_ws_open(io, "/raw", NULL);  // no handlers: everything is ignored
    sim_ws_say(c, "x");
    sim_close(c);
    sim_run_ms(io, 0);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_server_listens_no_more),
        cmocka_unit_test(handles_of_the_gone_mean_nothing),
        cmocka_unit_test(questions_end_with_the_server),
        cmocka_unit_test(questions_are_asked_or_refused),
        cmocka_unit_test(a_namespace_goes_once),
        cmocka_unit_test(listeners_hear_what_was_emitted),
        cmocka_unit_test(listeners_may_disconnect_receivers),
        cmocka_unit_test(events_with_listeners_reach_all_or_nobody),
        cmocka_unit_test(stopping_tells_everybody_and_takes_its_time),
        cmocka_unit_test(stopping_takes_its_time_in_a_foreign_loop_too),
        cmocka_unit_test(stopping_with_nobody_there_is_done_at_once),
        cmocka_unit_test(plain_handlers_may_do_anything),
        cmocka_unit_test(plain_sessions_echo),
        cmocka_unit_test(the_log_may_do_anything),
        cmocka_unit_test(a_flood_of_lines_is_bounded),
        cmocka_unit_test(counters_count),
        cmocka_unit_test(what_has_no_limit_has_none),
        cmocka_unit_test(impossible_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
