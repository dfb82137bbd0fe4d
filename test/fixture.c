#define _POSIX_C_SOURCE 200809L  // strdup, sigaction, stat
/* fixture.c - a server application that makes every feature of the library visible on the wire
 * SPDX-License-Identifier: MIT
 *
 *     make fixture && build/fixture --port 3000
 *
 * The suites of test/ drive it over the network, and test/differential.mjs compares its answers with
 * those of the same application on the reference server. The letters and numbers in the comments are
 * the requirements of that application:
 *
 *     F  flags, CORS, cookies, hooks      N  namespaces and their middlewares
 *     H  plain HTTP routes                S  what happens on connection and for every event
 *     G  Engine.IO echo endpoint          E  one event each
 *     R  connection state recovery
 *
 * What holds here:
 *  - Arguments of the wrong types: the event is ignored, without an acknowledgement.
 *  - Arguments beyond those that an event has are ignored.
 *  - A target's rooms (ROOMS) are null or [] for everybody, a string, or an array of strings.
 *  - Lists of rooms are sorted by their bytes and do not hold the socket's own room.
 *  - What waits for a timer or an answer is a task, on one list from its making to its end.
 *
 * Left out: room and event names with U+0000, which a C string can't carry; such an event is
 * ignored. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "../sio.h"

enum {
    MAX_DELAY_MS = 10000,   // E15, E16, E23, E25 to E27, E38
    MAX_LOG = 2000,         // S3
    MAX_SIZE = 1000000,     // E17, E19, E24
    MAX_BUFFERS = 100,      // E19, E24
    AUTH_DELAY_MS = 250,    // N3
    MAX_PATH_BYTES = 4096,  // H4
};

/* ---- Growing lists and text ----------------------------------------------------------------- */

/* Room names, borrowed from the library for the length of a callback. */
struct names {
    const char **items;
    size_t n, cap;  // n <= cap, always
};

struct values {
    sio_value *items;
    size_t n, cap;  // n <= cap, always
};

/* p with room for one more than n items; NULL: no memory, p is untouched. */
static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    size_t want = *cap ? *cap * 2 : 16;
    void *bigger = realloc(p, want * size);
    if (bigger)
        *cap = want;
    return bigger;
}

static bool add_name(struct names *list, const char *name)
{
    void *items = grow(list->items, list->n, &list->cap, sizeof *list->items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->n++] = name;
    return true;
}

static bool add_value(struct values *list, sio_value v)
{
    void *items = grow(list->items, list->n, &list->cap, sizeof *list->items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->n++] = v;
    return true;
}

/* A template under construction. */
struct text {
    char *p;  // n bytes and a NUL
    size_t n, cap;
    bool failed;
};

static void add_byte(struct text *t, char c)
{
    void *p = grow(t->p, t->n + 1, &t->cap, 1);
    if (!p) {
        t->failed = true;
        return;
    }
    t->p = p;
    t->p[t->n++] = c;
    t->p[t->n] = '\0';
}

/* Adds JSON text, in which a percent sign can only stand inside a string, as template text. */
static void add_json(struct text *t, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '%')
            add_byte(t, '%');
        add_byte(t, p[i]);
    }
}

static void add_string(struct text *t, const char *s)
{
    while (*s)
        add_byte(t, *s++);
}

/* sio_make for templates that are made here, which the compiler can't check. */
static sio_value (*const make)(sio_server *io, const char *template, ...) = sio_make;

/* The array of n values. Halves are put together, so that it takes O(size * log n). */
static sio_value array(sio_server *io, const sio_value *values, size_t n)
{
    if (n == 0)
        return sio_make(io, "[]");
    if (n == 1)
        return sio_make(io, "[%p]", values[0]);
    sio_value left = array(io, values, n / 2);
    sio_value right = array(io, values + n / 2, n - n / 2);
    return sio_make(io, "[%p, %p]", sio_spread(io, left), sio_spread(io, right));
}

/* ---- Reading arguments ---------------------------------------------------------------------- */

/* A string without U+0000; NULL: v is none. */
static const char *text_of(sio_value v)
{
    size_t n;
    const char *s = sio_type(v) == SIO_STRING ? sio_text(v, &n) : NULL;
    return s && strlen(s) == n ? s : NULL;
}

static bool is_true(sio_value v)
{
    return sio_type(v) == SIO_TRUE;
}

/* A number from 0 to max; a fraction is allowed, as JavaScript's timers do. */
static bool read_number(sio_value v, double max, double *out)
{
    return sio_type(v) == SIO_NUMBER && sio_scan_value(v, "%lf", out) == 1 && *out >= 0 &&
           *out <= max;
}

/* A delay in milliseconds; JavaScript's timers drop the fraction and take at least 1. */
static bool read_delay(sio_value v, int *ms)
{
    double d;
    if (!read_number(v, MAX_DELAY_MS, &d))
        return false;
    *ms = d < 1 ? 1 : (int)d;
    return true;
}

/* As read_delay, where 0 stands for none. */
static bool read_limit(sio_value v, int *ms)
{
    double d;
    if (!read_number(v, MAX_DELAY_MS, &d) || !read_delay(v, ms))
        return false;
    if (!(d > 0))
        *ms = 0;
    return true;
}

/* An integer from 0 to max, however it is spelled: 5, 5.0 and 5e0 are the same number. */
static bool read_count(sio_value v, int max, int *out)
{
    double d;
    if (!read_number(v, max, &d) || (double)(int)d < d)
        return false;
    *out = (int)d;
    return true;
}

/* ROOMS, added to out; false: it is none of its types. */
static bool read_rooms(sio_value v, struct names *out)
{
    if (sio_type(v) == SIO_NULL)
        return true;
    if (sio_type(v) == SIO_STRING)
        return text_of(v) && add_name(out, text_of(v));
    if (sio_type(v) != SIO_ARRAY)
        return false;
    for (size_t i = 0, n = sio_count(v); i < n; i++) {
        const char *room = text_of(sio_at(v, i));
        if (!room || !add_name(out, room))
            return false;
    }
    return true;
}

/* What to emit: `ev, args`. */
struct call {
    const char *name;
    sio_value array;  // args
    sio_value args;   // args, one by one
};

static bool read_call(sio_server *io, sio_event *event, size_t i, struct call *out)
{
    out->name = text_of(sio_arg(event, i));
    out->array = sio_arg(event, i + 1);
    if (!out->name || sio_type(out->array) != SIO_ARRAY)
        return false;
    out->args = sio_spread(io, out->array);
    return true;
}

/* ---- State ---------------------------------------------------------------------------------- */

/* What the application knows of a socket. */
struct state {
    sio_value data;                        // E29: kept; NULL stands for {}. Survives a recovery
    unsigned any, any_outgoing, rejected;  // S2, S4
    bool once;                             // E33: its listener has been called
};

static sio_options options;    // of both endpoints, from the flags
static sio_recovery recovery;  // ms 0: there is none
static bool allow_v3;
static const char *redis;          // F26: its url; NULL: none
static sio_value log_of[MAX_LOG];  // S3: kept; a ring
static size_t log_n;               // entries ever made; the oldest is at log_n % MAX_LOG
static bool log_closed;            // the server is about to be freed
static sio_server *server;         // for the signal handler

static void release(void *data)
{
    struct state *state = data;
    sio_drop(state->data);
    free(state);
}

/* The socket's state, made on first use; NULL: no memory. */
static struct state *state_of(sio_socket *socket)
{
    struct state *state = sio_data(socket);
    if (state)
        return state;
    state = calloc(1, sizeof *state);
    if (state)
        sio_set_data(socket, state, release);
    return state;
}

static void replace_data(sio_socket *socket, sio_value v)
{
    struct state *state = state_of(socket);
    sio_value kept = state ? sio_keep(sio_socket_server(socket), v) : NULL;
    if (!kept)
        return;
    sio_drop(state->data);
    state->data = kept;
}

static sio_value data_of(sio_socket *socket)
{
    struct state *state = state_of(socket);
    return state && state->data ? state->data : sio_make(sio_socket_server(socket), "{}");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names, sorted, as an array; frees the list. */
static sio_value sorted(sio_server *io, struct names *names)
{
    struct values list = { 0 };
    if (names->n > 0)
        qsort(names->items, names->n, sizeof *names->items, by_bytes);
    for (size_t i = 0; i < names->n; i++)
        add_value(&list, sio_make(io, "%s", names->items[i]));
    sio_value made = array(io, list.items, list.n);
    free(list.items);
    free(names->items);
    return made;
}

static sio_value rooms_of(const sio_socket *socket)
{
    struct names rooms = { 0 };
    const char *room;
    for (size_t i = 0; (room = sio_room(socket, i)) != NULL; i++)
        add_name(&rooms, room);
    return sorted(sio_socket_server(socket), &rooms);
}

/* ---- Tasks: what is to be done later -------------------------------------------------------- */

struct task {
    struct task *next, **link;  // *link == this, always
    uint64_t socket;            // sio_handle of the sender
    sio_later later;            // its acknowledgement
    sio_admission admission;    // the rest of its middlewares
    char *nsp, *id, *name;      // of the socket, of the event
    sio_value value;            // kept; the event's arguments, or the acknowledgement's
    int n, i, ms;               // E16
    bool close;                 // E38
    const char *error;          // N3; NULL: none
};

static struct task *tasks;

static void end_task(struct task *task)
{
    if (task->next)
        task->next->link = task->link;
    *task->link = task->next;
    free(task->nsp);
    free(task->id);
    free(task->name);
    sio_drop(task->value);
    free(task);
}

/* A task of the socket, with a copy of the event's name (may be NULL) and of the value. */
static struct task *new_task(sio_socket *socket, const char *name, sio_value v)
{
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return NULL;
    task->next = tasks;
    task->link = &tasks;
    if (tasks)
        tasks->link = &task->next;
    tasks = task;
    task->socket = sio_handle(socket);
    task->nsp = strdup(sio_ns_name(sio_ns(socket)));
    task->id = strdup(sio_id(socket));
    task->name = name ? strdup(name) : NULL;
    task->value = v ? sio_keep(sio_socket_server(socket), v) : NULL;
    if (task->nsp && task->id && (!name || task->name) && (!v || task->value))
        return task;
    end_task(task);
    return NULL;
}

static void start(sio_server *io, int ms, void (*fn)(sio_server *io, void *data), struct task *task)
{
    if (!sio_after(io, ms, fn, task))
        end_task(task);
}

/* ---- S: every socket ------------------------------------------------------------------------ */

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    struct state *state = state_of(socket);
    if (state) {  // R4: of an earlier connection only the data goes on
        state->any = state->any_outgoing = state->rejected = 0;
        state->once = false;
    }
    sio_emit(sio_self(socket), "auth", "%p", sio_auth(socket));  // S1
}

static void count_incoming(sio_socket *socket, sio_event *event)  // S2
{
    (void)event;
    struct state *state = state_of(socket);
    if (state)
        state->any++;
}

static void count_outgoing(sio_socket *socket, sio_event *event)  // S2
{
    (void)event;
    struct state *state = state_of(socket);
    if (state)
        state->any_outgoing++;
}

static void on_disconnecting(sio_socket *socket, sio_event *event)  // S3
{
    sio_server *io = sio_socket_server(socket);
    if (log_closed)
        return;
    sio_value entry =
        sio_make(io, "{'id': %s, 'nsp': %s, 'reason': %p, 'rooms': %p}", sio_id(socket),
                 sio_ns_name(sio_ns(socket)), sio_arg(event, 0), rooms_of(socket));
    sio_value kept = sio_keep(io, entry);
    if (!kept)
        return;
    sio_drop(log_of[log_n % MAX_LOG]);
    log_of[log_n++ % MAX_LOG] = kept;
}

static const char *drop_or_reject(sio_socket *socket, sio_event *event)  // S4
{
    (void)socket;
    if (strcmp(sio_name(event), "mw-drop") == 0)
        return SIO_DROP;
    if (strcmp(sio_name(event), "mw-reject") != 0)
        return NULL;
    sio_error_data(event, "%p", sio_arg(event, 0));
    return "rejected by middleware";
}

static void on_error(sio_socket *socket, sio_event *event)  // S4, S6
{
    struct state *state = state_of(socket);
    if (state)
        state->rejected++;
    sio_emit(sio_self(socket), "mw-error", "{'message': %p, 'data': %p}", sio_arg(event, 0),
             sio_arg(event, 1));
}

static const char *mark(sio_socket *socket, sio_event *event)  // S5
{
    sio_value v = sio_arg(event, 0);
    if (strcmp(sio_name(event), "mw-mark") != 0 || sio_type(v) != SIO_STRING)
        return NULL;
    size_t n;
    const char *json = sio_json(v, &n);
    struct text t = { 0 };
    add_json(&t, json, n - 1);  // without its closing quote
    add_string(&t, "+marked\"");
    if (!t.failed)
        sio_set_arg(event, 0, make(sio_socket_server(socket), t.p));
    free(t.p);
    return NULL;
}

/* ---- E1 to E6: round trips, rooms ----------------------------------------------------------- */

static void on_message(sio_socket *socket, sio_event *event)  // E1
{
    sio_emit(sio_self(socket), "message-back", "%p", sio_args(event));
}

static void on_message_with_ack(sio_socket *socket, sio_event *event)  // E2
{
    (void)socket;
    sio_ack(event, "%p", sio_args(event));
}

static void on_join(sio_socket *socket, sio_event *event)  // E3
{
    struct names rooms = { 0 };
    if (read_rooms(sio_arg(event, 0), &rooms) && rooms.n > 0) {
        for (size_t i = 0; i < rooms.n; i++)
            sio_join(socket, rooms.items[i]);
        sio_ack(event, "%p", rooms_of(socket));
    }
    free(rooms.items);
}

static void on_leave(sio_socket *socket, sio_event *event)  // E4
{
    const char *room = text_of(sio_arg(event, 0));
    if (!room)
        return;
    sio_leave(socket, room);
    sio_ack(event, "%p", rooms_of(socket));
}

static void on_rooms(sio_socket *socket, sio_event *event)  // E5
{
    sio_ack(event, "%p", rooms_of(socket));
}

static void add_room(const char *room, size_t members, void *data)
{
    (void)members;
    add_name(data, room);
}

static void on_nsp_rooms(sio_socket *socket, sio_event *event)  // E6
{
    struct names rooms = { 0 };
    sio_each_room(sio_ns(socket), add_room, &rooms);
    sio_ack(event, "%p", sorted(sio_socket_server(socket), &rooms));
}

/* ---- E7 to E21: emitting -------------------------------------------------------------------- */

/* Emits the call that starts at argument i to t; then acknowledges with nothing. Like the exception
 * in the reference, a reserved name ends the handler before that. */
static void forward(sio_socket *socket, sio_event *event, size_t i, sio_target t)
{
    struct call call;
    if (read_call(sio_socket_server(socket), event, i, &call) &&
        sio_emit(t, call.name, "%p", call.args) == 0)
        sio_ack(event, "");
}

static void forward_to_rooms(sio_socket *socket, sio_event *event, sio_target t)
{
    struct names rooms = { 0 };
    if (read_rooms(sio_arg(event, 0), &rooms))
        forward(socket, event, 1, sio_to_list(t, rooms.items, rooms.n));
    free(rooms.items);
}

static void on_to(sio_socket *socket, sio_event *event)  // E7
{
    forward_to_rooms(socket, event, sio_broadcast(socket));
}

static void on_in(sio_socket *socket, sio_event *event)  // E8
{
    forward_to_rooms(socket, event, sio_all(sio_ns(socket)));
}

static void on_to_except(sio_socket *socket, sio_event *event)  // E9
{
    struct names rooms = { 0 }, except = { 0 };
    if (read_rooms(sio_arg(event, 0), &rooms) && read_rooms(sio_arg(event, 1), &except)) {
        sio_target t = sio_to_list(sio_all(sio_ns(socket)), rooms.items, rooms.n);
        forward(socket, event, 2, sio_except_list(t, except.items, except.n));
    }
    free(rooms.items);
    free(except.items);
}

static void on_broadcast(sio_socket *socket, sio_event *event)  // E10
{
    forward(socket, event, 0, sio_broadcast(socket));
}

static void on_nsp_emit(sio_socket *socket, sio_event *event)  // E11
{
    forward(socket, event, 0, sio_all(sio_ns(socket)));
}

static void on_nsp_emit_to(sio_socket *socket, sio_event *event)  // E12
{
    sio_server *io = sio_socket_server(socket);
    const char *name = text_of(sio_arg(event, 0));
    struct call call;
    if (!name || !read_call(io, event, 1, &call))
        return;
    sio_namespace *ns = sio_find(io, name);
    if (!ns || sio_emit(sio_all(ns), call.name, "%p", call.args) == 0)
        sio_ack(event, "%p", sio_bool(ns != NULL));
}

static void on_private(sio_socket *socket, sio_event *event)  // E13
{
    const char *id = text_of(sio_arg(event, 0));
    if (id)
        forward(socket, event, 1, sio_to(sio_broadcast(socket), id));
}

static void on_emit(sio_socket *socket, sio_event *event)  // E14
{
    struct call call;
    if (!read_call(sio_socket_server(socket), event, 0, &call))
        return;
    int sent = sio_emit(sio_self(socket), call.name, "%p", call.args);
    sio_ack(event, "{'ok': %p}", sio_bool(sent == 0));
}

/* With recovery the reference emits to a socket by its room, so that a later connection of the same
 * session gets what was meant for this one. */
static void emit_now(sio_server *io, void *data)
{
    struct task *task = data;
    sio_socket *socket = sio_socket_of(io, task->socket);
    sio_namespace *ns = recovery.ms > 0 ? sio_find(io, task->nsp) : NULL;
    if (socket)
        sio_emit(sio_self(socket), task->name, "%p", sio_spread(io, task->value));
    else if (ns)
        sio_emit(sio_to(sio_all(ns), task->id), task->name, "%p", sio_spread(io, task->value));
    end_task(task);
}

static void on_emit_later(sio_socket *socket, sio_event *event)  // E15
{
    sio_server *io = sio_socket_server(socket);
    int ms;
    struct call call;
    if (!read_delay(sio_arg(event, 0), &ms) || !read_call(io, event, 1, &call))
        return;
    struct task *task = new_task(socket, call.name, call.array);
    if (!task)
        return;
    start(io, ms, emit_now, task);
    sio_ack(event, "");
}

static void tick(sio_server *io, void *data)
{
    struct task *task = data;
    sio_socket *socket = sio_socket_of(io, task->socket);
    if (socket && task->i < task->n)
        sio_emit(sio_self(socket), "tick", "%d", task->i++);
    if (socket && task->i < task->n)
        start(io, task->ms, tick, task);
    else
        end_task(task);
}

static void on_ticks(sio_socket *socket, sio_event *event)  // E16
{
    int n, ms;
    if (!read_count(sio_arg(event, 0), 1000, &n) || !read_delay(sio_arg(event, 1), &ms))
        return;
    struct task *task = new_task(socket, NULL, NULL);
    if (!task)
        return;
    task->n = n;
    task->ms = ms;
    start(sio_socket_server(socket), ms, tick, task);
}

static void on_flood(sio_socket *socket, sio_event *event)  // E17
{
    static char filler[MAX_SIZE];
    if (!filler[0])
        memset(filler, 'x', sizeof filler);
    int n, size;
    if (!read_count(sio_arg(event, 0), 100000, &n) ||
        !read_count(sio_arg(event, 1), MAX_SIZE, &size))
        return;
    for (int i = 0; i < n && sio_connected(socket); i++)
        sio_emit(sio_self(socket), "flood", "%d, %.*s", i, size, filler);
    sio_ack(event, "%d", n);
}

static void on_sandwich(sio_socket *socket, sio_event *event)  // E18
{
    sio_emit(sio_self(socket), "bread", "%d", 1);
    sio_ack(event, "%s", "filling");
    sio_emit(sio_self(socket), "bread", "%d", 2);
}

/* E19: the n buffers of the given size, as an array. Byte j of buffer i is (31 * i + j) mod 256, so
 * that each of them is a part of one ramp. */
static sio_value buffers(sio_server *io, int n, int size)
{
    static unsigned char ramp[MAX_SIZE + 256];
    for (size_t j = 0; j < sizeof ramp; j++)
        ramp[j] = (unsigned char)j;
    sio_value list[MAX_BUFFERS];
    for (int i = 0; i < n; i++)
        list[i] = sio_binary(io, ramp + 31 * i % 256, (size_t)size);
    return array(io, list, (size_t)n);
}

static bool read_buffers(sio_event *event, int *n, int *size)
{
    return read_count(sio_arg(event, 0), MAX_BUFFERS, n) &&
           read_count(sio_arg(event, 1), MAX_SIZE, size);
}

static void on_emit_binary(sio_socket *socket, sio_event *event)  // E19
{
    int n, size;
    if (!read_buffers(event, &n, &size))
        return;
    sio_value list = buffers(sio_socket_server(socket), n, size);
    sio_emit(sio_self(socket), "binary", "{'n': %d, 'list': %p, 'deep': {'first': %p}}", n, list,
             sio_at(list, 0));
    sio_ack(event, "");
}

static void emit_volatile(sio_event *event, sio_target t)
{
    int n;
    if (!read_count(sio_arg(event, 0), 1000, &n))
        return;
    for (int i = 0; i < n; i++)
        sio_emit(sio_volatile(t), "vol", "%d", i);
    sio_ack(event, "");
}

static void on_volatile(sio_socket *socket, sio_event *event)  // E20
{
    emit_volatile(event, sio_self(socket));
}

static void on_volatile_broadcast(sio_socket *socket, sio_event *event)  // E21
{
    emit_volatile(event, sio_broadcast(socket));
}

/* ---- E22 to E27: acknowledgements ----------------------------------------------------------- */

static void on_ack_twice(sio_socket *socket, sio_event *event)  // E22
{
    (void)socket;
    sio_ack(event, "%s", "first");
    sio_ack(event, "%s", "second");
}

static void ack_now(sio_server *io, void *data)
{
    (void)io;
    struct task *task = data;
    sio_ack_now(task->later, "%p", task->value);
    end_task(task);
}

static void on_ack_later(sio_socket *socket, sio_event *event)  // E23
{
    int ms;
    if (!read_delay(sio_arg(event, 0), &ms))
        return;
    struct task *task = new_task(socket, NULL, sio_arg(event, 1));
    if (!task)
        return;
    task->later = sio_ack_later(event);
    start(sio_socket_server(socket), ms, ack_now, task);
}

static void on_ack_binary(sio_socket *socket, sio_event *event)  // E24
{
    sio_server *io = sio_socket_server(socket);
    int n, size;
    if (read_buffers(event, &n, &size))
        sio_ack(event, "%p", sio_spread(io, buffers(io, n, size)));
}

/* Emits the call to t and lets fn acknowledge the event when the answer is there. */
static void request(sio_socket *socket, sio_event *event, struct call call, sio_target t,
                    sio_answer fn)
{
    struct task *task = new_task(socket, NULL, NULL);
    if (!task)
        return;
    task->later = sio_ack_later(event);
    if (sio_request(t, fn, task, call.name, "%p", call.args) < 0)
        end_task(task);
}

static void answer_one(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io;
    struct task *task = data;
    if (error)
        sio_ack_now(task->later, "{'ok': false, 'error': %s}", error);
    else
        sio_ack_now(task->later, "{'ok': true, 'args': [%p]}", sio_args(answer));
    end_task(task);
}

static void on_ask(sio_socket *socket, sio_event *event)  // E25
{
    int ms = 0;
    struct call call;
    if (!read_call(sio_socket_server(socket), event, 0, &call) ||
        (sio_type(sio_arg(event, 2)) != SIO_NULL && !read_limit(sio_arg(event, 2), &ms)))
        return;
    sio_target self = sio_self(socket);
    request(socket, event, call, ms > 0 ? sio_timeout(self, ms) : self, answer_one);
}

static void answer_all(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io;
    struct task *task = data;
    if (error)
        sio_ack_now(task->later, "{'ok': false, 'error': %s, 'responses': [%p]}", error,
                    sio_args(answer));
    else
        sio_ack_now(task->later, "{'ok': true, 'responses': [%p]}", sio_args(answer));
    end_task(task);
}

static void ask_rooms(sio_socket *socket, sio_event *event, sio_target t)
{
    struct names rooms = { 0 };
    struct call call;
    int ms;
    if (read_rooms(sio_arg(event, 0), &rooms) &&
        read_call(sio_socket_server(socket), event, 1, &call) &&
        read_limit(sio_arg(event, 3), &ms) && ms > 0) {
        t = sio_timeout(sio_to_list(t, rooms.items, rooms.n), ms);
        request(socket, event, call, t, answer_all);
    }
    free(rooms.items);
}

static void on_ask_all(sio_socket *socket, sio_event *event)  // E26
{
    ask_rooms(socket, event, sio_all(sio_ns(socket)));
}

static void on_ask_others(sio_socket *socket, sio_event *event)  // E27
{
    ask_rooms(socket, event, sio_broadcast(socket));
}

/* ---- E28 to E33: looking -------------------------------------------------------------------- */

/* A header field, or null. Bytes above 127 are characters of ISO 8859-1, as in the reference. */
static sio_value header(sio_socket *socket, const char *name)
{
    const char *s = sio_header(socket, name);
    if (!s)
        return sio_null();
    struct text t = { 0 };
    add_string(&t, "");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x80)
            add_byte(&t, (char)(0xc0 | c >> 6));
        add_byte(&t, c < 0x80 ? *s : (char)(0x80 | (c & 0x3f)));
    }
    sio_value v = sio_make(sio_socket_server(socket), "%s", t.p ? t.p : "");
    free(t.p);
    return v;
}

static void on_whoami(sio_socket *socket, sio_event *event)  // E28
{
    sio_value headers = sio_make(sio_socket_server(socket),
                                 "{'user-agent': %p, 'x-test': %p, 'cookie': %p, 'origin': %p}",
                                 header(socket, "User-Agent"), header(socket, "X-Test"),
                                 header(socket, "Cookie"), header(socket, "Origin"));
    sio_ack(event,
            "{'id': %s, 'nsp': %s, 'recovered': %p, 'connected': %p, 'ownRoom': %p,"
            " 'transport': %s, 'protocol': %d, 'url': %s, 'query': %p, 'auth': %p, 'xdomain': %p,"
            " 'secure': %p, 'address': %s, 'headers': %p}",
            sio_id(socket), sio_ns_name(sio_ns(socket)), sio_bool(sio_recovered(socket)),
            sio_bool(sio_connected(socket)), sio_bool(sio_in_room(socket, sio_id(socket))),
            sio_transport(socket), sio_protocol(socket), sio_url(socket), sio_query(socket),
            sio_auth(socket), sio_bool(sio_xdomain(socket)), sio_bool(sio_secure(socket)),
            sio_address(socket), headers);
}

static void on_set_data(sio_socket *socket, sio_event *event)  // E29
{
    sio_value v = sio_arg(event, 0);
    if (sio_type(v) != SIO_OBJECT && sio_type(v) != SIO_BINARY)  // a Buffer is an object, too
        return;
    replace_data(socket, v);
    sio_ack(event, "");
}

static void on_get_data(sio_socket *socket, sio_event *event)  // E29
{
    sio_ack(event, "%p", data_of(socket));
}

static void on_counters(sio_socket *socket, sio_event *event)  // E30
{
    const struct state *state = state_of(socket);
    if (state)
        sio_ack(event, "{'any': %u, 'anyOutgoing': %u, 'rejected': %u}", state->any,
                state->any_outgoing, state->rejected);
}

static bool has_name(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static void on_last_disconnects(sio_socket *socket, sio_event *event)  // E31
{
    struct names ids = { 0 };
    struct values found = { 0 };
    bool all = sio_type(sio_arg(event, 0)) == SIO_NULL;
    if (sio_type(sio_arg(event, 0)) == SIO_STRING || !read_rooms(sio_arg(event, 0), &ids)) {
        free(ids.items);
        return;
    }
    for (size_t i = log_n > MAX_LOG ? log_n - MAX_LOG : 0; i < log_n; i++) {
        sio_value entry = log_of[i % MAX_LOG];
        if (all || has_name(&ids, sio_text(sio_member(entry, "id"), NULL)))
            add_value(&found, entry);
    }
    sio_ack(event, "%p", array(sio_socket_server(socket), found.items, found.n));
    free(ids.items);
    free(found.items);
}

static void on_nsp_exists(sio_socket *socket, sio_event *event)  // E32
{
    const char *name = text_of(sio_arg(event, 0));
    if (name)
        sio_ack(event, "%p", sio_bool(sio_find(sio_socket_server(socket), name) != NULL));
}

static void on_nsp_size(sio_socket *socket, sio_event *event)  // E32
{
    sio_ack(event, "%zu", sio_ns_size(sio_ns(socket)));
}

static void on_mw_mark(sio_socket *socket, sio_event *event)  // E32
{
    (void)socket;
    sio_ack(event, "%p", sio_arg(event, 0));
}

static void on_once(sio_socket *socket, sio_event *event)  // E33
{
    struct state *state = state_of(socket);
    if (!state || state->once)
        return;
    state->once = true;
    sio_ack(event, "%s", "only once");
}

/* ---- E34 to E40: other sockets, closing ----------------------------------------------------- */

/* The strings of an array, sorted, but for one; frees nothing. */
static sio_value sorted_texts(sio_server *io, sio_value texts, const char *without)
{
    struct names names = { 0 };
    for (size_t i = 0, n = sio_count(texts); i < n; i++) {
        const char *text = text_of(sio_at(texts, i));
        if (text && (!without || strcmp(text, without) != 0))
            add_name(&names, text);
    }
    return sorted(io, &names);
}

static void answer_sockets(sio_server *io, void *data, const char *error, sio_event *answer)
{
    struct task *task = data;
    struct values found = { 0 };
    (void)error;  // those that were found in time
    for (size_t i = 0, n = sio_argc(answer); i < n; i++) {
        sio_value s = sio_arg(answer, i), id = sio_member(s, "id");
        add_value(&found, sio_make(io, "{'id': %p, 'rooms': %p, 'data': %p}", id,
                                   sorted_texts(io, sio_member(s, "rooms"), sio_text(id, NULL)),
                                   sio_member(s, "data")));
    }
    sio_ack_now(task->later, "%p", array(io, found.items, found.n));
    free(found.items);
    end_task(task);
}

static void on_fetch_sockets(sio_socket *socket, sio_event *event)  // E34
{
    struct names rooms = { 0 };
    struct task *task = NULL;
    if (read_rooms(sio_arg(event, 0), &rooms))
        task = new_task(socket, NULL, NULL);
    if (task) {
        task->later = sio_ack_later(event);
        if (sio_fetch_sockets(sio_to_list(sio_all(sio_ns(socket)), rooms.items, rooms.n),
                              answer_sockets, task) < 0)
            end_task(task);
    }
    free(rooms.items);
}

/* Calls fn with the rooms of argument 1 for the sockets in those of argument 0. */
static void change_rooms(sio_socket *socket, sio_event *event,
                         int (*fn)(sio_target, const char *const *, size_t))
{
    struct names rooms = { 0 }, what = { 0 };
    if (read_rooms(sio_arg(event, 0), &rooms) && read_rooms(sio_arg(event, 1), &what) &&
        what.n > 0) {
        fn(sio_to_list(sio_all(sio_ns(socket)), rooms.items, rooms.n), what.items, what.n);
        sio_ack(event, "");
    }
    free(rooms.items);
    free(what.items);
}

static void on_sockets_join(sio_socket *socket, sio_event *event)  // E35
{
    change_rooms(socket, event, sio_sockets_join_list);
}

static void on_sockets_leave(sio_socket *socket, sio_event *event)  // E35
{
    change_rooms(socket, event, sio_sockets_leave_list);
}

static void on_disconnect_sockets(sio_socket *socket, sio_event *event)  // E36
{
    struct names rooms = { 0 };
    if (read_rooms(sio_arg(event, 0), &rooms)) {
        sio_ack(event, "");
        sio_disconnect_sockets(sio_to_list(sio_all(sio_ns(socket)), rooms.items, rooms.n),
                               is_true(sio_arg(event, 1)));
    }
    free(rooms.items);
}

static void on_disconnect_me(sio_socket *socket, sio_event *event)  // E37
{
    sio_disconnect(socket, is_true(sio_arg(event, 0)));
}

static void disconnect_now(sio_server *io, void *data)
{
    struct task *task = data;
    sio_socket *socket = sio_socket_of(io, task->socket);
    if (socket)
        sio_disconnect(socket, task->close);
    end_task(task);
}

static void on_disconnect_me_later(sio_socket *socket, sio_event *event)  // E38
{
    int ms;
    if (!read_delay(sio_arg(event, 0), &ms))
        return;
    struct task *task = new_task(socket, NULL, NULL);
    if (!task)
        return;
    task->close = is_true(sio_arg(event, 1));
    start(sio_socket_server(socket), ms, disconnect_now, task);
}

static void on_goodbye(sio_socket *socket, sio_event *event)  // E39
{
    sio_emit(sio_self(socket), "farewell", "%d", 1);
    sio_emit(sio_self(socket), "farewell", "%d", 2);
    on_disconnect_me(socket, event);
}

static void on_engine_close(sio_socket *socket, sio_event *event)  // E40
{
    (void)event;
    sio_end_connection(socket);
}

/* ---- C: several processes ------------------------------------------------------------------- */

static sio_value notes[2];  // C2: kept; of "/" and "/custom", arrays of arrays

static sio_value *notes_of(const sio_namespace *ns)
{
    return strcmp(sio_ns_name(ns), "/") == 0         ? &notes[0]
           : strcmp(sio_ns_name(ns), "/custom") == 0 ? &notes[1]
                                                     : NULL;
}

static void on_emit_local(sio_socket *socket, sio_event *event)  // C1
{
    struct call call;
    if (!read_call(sio_socket_server(socket), event, 0, &call))
        return;
    sio_emit(sio_local(sio_all(sio_ns(socket))), call.name, "%p", call.args);
    sio_ack(event, "");
}

static void on_note(sio_socket *socket, sio_event *event)  // C2
{
    sio_value args = sio_arg(event, 0);
    if (sio_type(args) != SIO_ARRAY)
        return;
    sio_server_emit(sio_ns(socket), "fixture-note", "%p",
                    sio_spread(sio_socket_server(socket), args));
    sio_ack(event, "");
}

static void on_notes(sio_socket *socket, sio_event *event)  // C2
{
    const sio_value *kept = notes_of(sio_ns(socket));
    sio_ack(event, "%p", kept && *kept ? *kept : sio_make(sio_socket_server(socket), "[]"));
}

static void on_noted(sio_socket *socket, sio_event *event)  // C2: another process's
{
    sio_namespace *ns = sio_handler_data(event);
    sio_server *io = sio_ns_server(ns);
    sio_value *kept = notes_of(ns), old = *kept;
    (void)socket;
    sio_value all = old ? sio_make(io, "[%p, [%p]]", sio_spread(io, old), sio_args(event))
                        : sio_make(io, "[[%p]]", sio_args(event));
    *kept = sio_keep(io, all);
    sio_drop(old);
}

static void on_question(sio_socket *socket, sio_event *event)  // C3: another process's
{
    const char *first = text_of(sio_arg(event, 0));
    (void)socket;
    if (!first || strcmp(first, "silent") != 0)
        sio_ack(event, "%p", sio_arg(event, 0));
}

static void answer_servers(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io;
    struct task *task = data;
    if (error)
        sio_ack_now(task->later, "{'ok': false, 'error': %s}", error);
    else
        sio_ack_now(task->later, "{'ok': true, 'responses': [%p]}", sio_args(answer));
    end_task(task);
}

static void on_ask_servers(sio_socket *socket, sio_event *event)  // C3
{
    sio_value args = sio_arg(event, 0);
    struct task *task = sio_type(args) == SIO_ARRAY ? new_task(socket, NULL, NULL) : NULL;
    if (!task)
        return;
    task->later = sio_ack_later(event);
    if (sio_server_request(sio_ns(socket), answer_servers, task, "fixture-question", "%p",
                           sio_spread(sio_socket_server(socket), args)) < 0)
        end_task(task);
}

static void answer_rooms(sio_server *io, void *data, const char *error, sio_event *answer)
{
    struct task *task = data;
    (void)error;
    sio_value names = sio_make(io, "[%p]", sio_args(answer));
    sio_ack_now(task->later, "%p", sorted_texts(io, names, NULL));
    end_task(task);
}

static void answer_count(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)error;
    struct task *task = data;
    sio_ack_now(task->later, "%p", sio_arg(answer, 0));
    end_task(task);
}

static void look_around(sio_socket *socket, sio_event *event,
                        int (*ask)(sio_namespace *, sio_answer, void *), sio_answer fn)
{
    struct task *task = new_task(socket, NULL, NULL);
    if (!task)
        return;
    task->later = sio_ack_later(event);
    if (ask(sio_ns(socket), fn, task) < 0)
        end_task(task);
}

static void on_all_rooms(sio_socket *socket, sio_event *event)  // C4
{
    look_around(socket, event, sio_all_rooms, answer_rooms);
}

static void on_server_count(sio_socket *socket, sio_event *event)  // C5
{
    look_around(socket, event, sio_server_count, answer_count);
}

/* ---- N: namespaces -------------------------------------------------------------------------- */

/* Every event of every namespace; on_x serves "x". */
static const struct {
    const char *name;
    sio_handler handler;
} events[] = {
    { "connection", on_connection },
    { "disconnecting", on_disconnecting },
    { "error", on_error },
    { "message", on_message },
    { "message-with-ack", on_message_with_ack },
    { "join", on_join },
    { "leave", on_leave },
    { "rooms", on_rooms },
    { "nsp-rooms", on_nsp_rooms },
    { "to", on_to },
    { "in", on_in },
    { "to-except", on_to_except },
    { "broadcast", on_broadcast },
    { "nsp-emit", on_nsp_emit },
    { "nsp-emit-to", on_nsp_emit_to },
    { "private", on_private },
    { "emit", on_emit },
    { "emit-later", on_emit_later },
    { "ticks", on_ticks },
    { "flood", on_flood },
    { "sandwich", on_sandwich },
    { "emit-binary", on_emit_binary },
    { "volatile", on_volatile },
    { "volatile-broadcast", on_volatile_broadcast },
    { "ack-twice", on_ack_twice },
    { "ack-later", on_ack_later },
    { "ack-binary", on_ack_binary },
    { "ask", on_ask },
    { "ask-all", on_ask_all },
    { "ask-others", on_ask_others },
    { "whoami", on_whoami },
    { "set-data", on_set_data },
    { "get-data", on_get_data },
    { "counters", on_counters },
    { "last-disconnects", on_last_disconnects },
    { "nsp-exists", on_nsp_exists },
    { "nsp-size", on_nsp_size },
    { "mw-mark", on_mw_mark },
    { "once", on_once },
    { "fetch-sockets", on_fetch_sockets },
    { "sockets-join", on_sockets_join },
    { "sockets-leave", on_sockets_leave },
    { "disconnect-sockets", on_disconnect_sockets },
    { "disconnect-me", on_disconnect_me },
    { "disconnect-me-later", on_disconnect_me_later },
    { "goodbye", on_goodbye },
    { "engine-close", on_engine_close },
    { "emit-local", on_emit_local },
    { "note", on_note },
    { "notes", on_notes },
    { "ask-servers", on_ask_servers },
    { "all-rooms", on_all_rooms },
    { "server-count", on_server_count },
};

/* Gives ns the connection handler that all namespaces have. -1: no memory. */
static int serve(sio_namespace *ns)
{
    if (!ns || sio_on_any(ns, count_incoming) < 0 || sio_on_any_outgoing(ns, count_outgoing) < 0 ||
        sio_use_event(ns, drop_or_reject) < 0 || sio_use_event(ns, mark) < 0)
        return -1;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (sio_on(ns, events[i].name, events[i].handler) < 0)
            return -1;
    return 0;
}

/* Sets the member "trail" of the socket's data, in its place, and keeps the others that recovered data
 * may have. */
static void set_trail(sio_socket *socket, const char *trail)
{
    sio_value data = data_of(socket), old = sio_member(data, "trail");
    struct text t = { 0 };
    size_t n, old_n = 0;
    const char *json = sio_json(data, &n), *at = json + n - 1;  // before the closing brace
    if (old)
        at = sio_json(old, &old_n);  // a part of json
    add_json(&t, json, (size_t)(at - json));
    if (!old)
        add_string(&t, sio_count(data) > 0 ? ",\"trail\":" : "\"trail\":");
    add_string(&t, trail);
    add_json(&t, at + old_n, n - old_n - (size_t)(at - json));
    if (!t.failed)
        replace_data(socket, make(sio_socket_server(socket), t.p));
    free(t.p);
}

static void next_now(sio_server *io, void *data)
{
    (void)io;
    struct task *task = data;
    sio_next(task->admission, task->error, "");
    end_task(task);
}

static const char *next_later(sio_socket *socket, sio_event *event, const char *error)
{
    struct task *task = new_task(socket, NULL, NULL);
    if (!task)
        return "no memory";
    task->error = error;
    task->admission = sio_next_later(event);
    start(sio_socket_server(socket), AUTH_DELAY_MS, next_now, task);
    return SIO_LATER;
}

static const char *check_token(sio_socket *socket, sio_event *event)  // N3
{
    set_trail(socket, "[\"first\"]");
    const char *token = text_of(sio_member(sio_arg(event, 0), "token"));
    if (!token)
        token = "";
    if (strcmp(token, "secret") == 0)
        return NULL;
    if (strcmp(token, "slow") == 0)
        return next_later(socket, event, NULL);
    if (strcmp(token, "slow-bad") == 0)
        return next_later(socket, event, "too late");
    if (strcmp(token, "nodata") == 0)
        return "no data";
    sio_error_data(event, "{'code': %d, 'hint': %s}", 401, "send the token");
    return "not authorized";
}

static const char *second_middleware(sio_socket *socket, sio_event *event)  // N3
{
    (void)event;
    set_trail(socket, "[\"first\",\"second\"]");
    return NULL;
}

static bool is_dyn(const char *name, sio_event *auth)  // N4
{
    (void)auth;
    static const char digits[] = "0123456789";
    if (strncmp(name, "/dyn-", 5) != 0)
        return false;
    return name[5] && name[5 + strspn(name + 5, digits)] == '\0';
}

static bool is_fam(const char *name, sio_event *auth)  // N5
{
    return strncmp(name, "/fam-", 5) == 0 && !is_true(sio_member(sio_arg(auth, 0), "deny"));
}

static void on_family_emit(sio_socket *socket, sio_event *event)  // N5
{
    struct call call;
    sio_namespace *family = sio_ns_family(sio_ns(socket));
    if (!read_call(sio_socket_server(socket), event, 0, &call))
        return;
    int sent = sio_emit(sio_all(family), call.name, "%p", call.args);
    if (sent == 0 && sio_argc(event) == 2)  // the reference takes its third parameter for the ack
        sio_ack(event, "");
}

static int serve_recovery(sio_server *io)
{
    return recovery.ms > 0 ? sio_recover(io, &recovery) : 0;
}

static int serve_namespaces(sio_server *io)
{
    static const char *const names[] = { "/", "/custom", "/with space", "/caf\xc3\xa9", "/auth" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)  // N1, N2
        if (serve(sio_of(io, names[i])) < 0)
            return -1;
    for (int i = 0; i < 2; i++) {  // C2, C3
        sio_namespace *ns = sio_of(io, names[i]);
        if (sio_on_server(ns, "fixture-note", on_noted, ns) < 0 ||
            sio_on_server(ns, "fixture-question", on_question) < 0)
            return -1;
    }
    sio_share(io, data_of);
    sio_namespace *auth = sio_of(io, "/auth");
    sio_namespace *dyn = sio_family(io, is_dyn);
    sio_namespace *fam = sio_family(io, is_fam);
    if (serve(dyn) < 0 || serve(fam) < 0 || sio_on(fam, "family-emit", on_family_emit) < 0)
        return -1;
    return sio_use(auth, check_token) < 0 || sio_use(auth, second_middleware) < 0 ? -1 : 0;
}

/* ---- H: plain HTTP -------------------------------------------------------------------------- */

static const char *static_dir;

static void reply_text(sio_http *http, int status, const char *text)
{
    sio_http_reply(http, status, "text/plain", text, strlen(text));
}

static void get_health(sio_http *http)  // H1
{
    reply_text(http, 200, "ok");
}

static void post_echo(sio_http *http)  // H2
{
    size_t n;
    const void *body = sio_http_body(http, &n);
    sio_http_reply(http, 200, "application/octet-stream", body, n);
}

static void not_found(sio_http *http)  // H3
{
    reply_text(http, 404, "not found");
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    if (!at)
        return -1;
    return at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* Decodes percent-encoding into out. -1: it is broken, or longer than the n bytes there. */
static int decode(const char *s, char *out, size_t n)
{
    size_t i = 0;
    for (; *s && i + 1 < n; s++) {
        int c = (unsigned char)*s;
        if (*s == '%') {
            int high = hex_digit(s[1]);
            int low = high < 0 ? -1 : hex_digit(s[2]);
            if (low < 0)
                return -1;
            c = high * 16 + low;
            s += 2;
        }
        out[i++] = c ? (char)c : '/';  // U+0000, like a slash, is in no file's name
    }
    out[i] = '\0';
    return *s ? -1 : 0;
}

/* The Content-Type of a file that may be served; NULL: it may not. */
static const char *type_of(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        { ".txt", "text/plain; charset=utf-8" },
        { ".html", "text/html; charset=utf-8" },
        { ".json", "application/json; charset=utf-8" },
    };
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    for (size_t i = 0; n > 0 && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(name + n, types[i].ending) == 0)
            return types[i].type;
    return NULL;
}

/* The whole file; free it. NULL: it can't be read. */
static char *read_file(const char *path, size_t *n)
{
    struct stat info;
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    if (!file)
        return NULL;
    *n = (size_t)info.st_size;
    char *p = malloc(*n + 1);
    if (p && fread(p, 1, *n, file) != *n) {
        free(p);
        p = NULL;
    }
    fclose(file);
    return p;
}

static void get_static(sio_http *http)  // H4
{
    char name[MAX_PATH_BYTES], path[2 * MAX_PATH_BYTES];
    if (decode(sio_http_path(http) + strlen("/static/"), name, sizeof name) < 0 ||
        !sio_make(sio_http_server(http), "%s", name)) {  // not UTF-8
        reply_text(http, 400, "bad request");
        return;
    }
    const char *type = type_of(name);
    int length = snprintf(path, sizeof path, "%s/%s", static_dir, name);
    size_t n = 0;
    char *p = type && length < (int)sizeof path ? read_file(path, &n) : NULL;
    if (p)
        sio_http_reply(http, 200, type, p, n);
    else
        not_found(http);
    free(p);
}

static int serve_http(sio_server *io)
{
    if (sio_route(io, "GET", "/healthz", get_health) < 0 ||
        sio_route(io, "POST", "/echo", post_echo) < 0 ||
        sio_route(io, "GET", "/static/*", get_static) < 0)
        return -1;
    return sio_route(io, "*", "*", not_found);
}

/* ---- F23, F24: hooks of the endpoint -------------------------------------------------------- */

static bool query_is(sio_http *http, const char *name, const char *value)
{
    const char *got = sio_http_query(http, name);
    return got && strcmp(got, value) == 0;
}

static const char *allow_request(sio_http *http)  // F23
{
    if (query_is(http, "deny", "1"))
        return "denied by fixture";
    return query_is(http, "deny", "2") ? "" : NULL;
}

static void add_headers(sio_http *http, bool initial)  // F24
{
    if (!query_is(http, "hdr", "1"))
        return;
    if (initial)
        sio_http_add_header(http, "X-Fixture-Initial", "yes");
    sio_http_add_header(http, "X-Fixture-All", "yes");
}

/* ---- G: Engine.IO echo ---------------------------------------------------------------------- */

static void echo(sio_session *session, bool text, const void *p, size_t n)
{
    sio_session_send(session, text, p, n);
}

static int serve_echo(sio_server *io)
{
    static const sio_engine_handlers handlers = { .message = echo };
    sio_options of_echo = options;
    of_echo.path = "/engine.io";
    of_echo.allow_request = NULL;
    of_echo.headers = NULL;
    return sio_engine(io, &of_echo, &handlers);
}

/* ---- F: flags ------------------------------------------------------------------------------- */

static int port = 3000, max_payload = 1000000;
static bool no_upgrades;
static const char *host = "127.0.0.1", *cors = "*", *transports = "polling,websocket";

/* F1 to F18, with where their value goes: to one of the three. */
static const struct flag {
    const char *name;
    int *number;
    const char **text;
    bool *on;
} flags[] = {
    { "port", &port, NULL, NULL },
    { "host", NULL, &host, NULL },
    { "path", NULL, &options.path, NULL },
    { "ping-interval", &options.ping_interval_ms, NULL, NULL },
    { "ping-timeout", &options.ping_timeout_ms, NULL, NULL },
    { "max-payload", &max_payload, NULL, NULL },
    { "connect-timeout", &options.connect_timeout_ms, NULL, NULL },
    { "upgrade-timeout", &options.upgrade_timeout_ms, NULL, NULL },
    { "cors", NULL, &cors, NULL },
    { "cors-credentials", NULL, NULL, &options.cors_credentials },
    { "cookie", NULL, &options.cookie, NULL },
    { "transports", NULL, &transports, NULL },
    { "no-upgrades", NULL, NULL, &no_upgrades },
    { "allow-eio3", NULL, NULL, &allow_v3 },
    { "recovery", &recovery.ms, NULL, NULL },
    { "recovery-run-middlewares", NULL, NULL, &recovery.run_middlewares },
    { "cleanup-empty-nsps", NULL, NULL, &options.cleanup_empty_namespaces },
    { "static", NULL, &static_dir, NULL },
    { "redis", NULL, &redis, NULL },
};

/* Ends the program over its arguments (F19). */
static void usage(const char *what, const char *arg)
{
    fprintf(stderr, "fixture: %s %s\n", what, arg);
    exit(1);
}

/* A number of least at the least: 0 would mean the default in sio_options. */
static int parse_number(const char *name, const char *s, long least)
{
    char *end;
    errno = 0;
    long n = strtol(s, &end, 10);
    if (end == s || *end || errno || n < 0 || n > INT_MAX)
        usage("not a number:", name);
    return (int)(n < least ? least : n);
}

static const struct flag *find_flag(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strncmp(flags[i].name, name, n) == 0 && flags[i].name[n] == '\0')
            return &flags[i];
    return NULL;
}

/* Reads the flag at argv[0]; returns how many arguments it took. */
static int parse_flag(char **argv)
{
    if (argv[0][0] && strspn(argv[0], "0123456789") == strlen(argv[0])) {  // F1: a bare number
        port = parse_number("port", argv[0], 0);
        return 1;
    }
    if (strncmp(argv[0], "--", 2) != 0)
        usage("unknown argument", argv[0]);
    const char *name = argv[0] + 2;
    size_t n = strcspn(name, "=");
    const struct flag *flag = find_flag(name, n);
    if (!flag)
        usage("unknown flag", argv[0]);
    if (flag->on) {
        *flag->on = true;
        return 1;
    }
    const char *value = name[n] ? name + n + 1 : argv[1];
    if (!value)
        usage("no value for", argv[0]);
    if (flag->text)
        *flag->text = value;
    else
        *flag->number = parse_number(name, value, flag->number == &port ? 0 : 1);
    return name[n] ? 1 : 2;
}

/* F12: whether name is one of the names in list, which are separated by commas. */
static bool is_listed(const char *list, const char *name)
{
    for (const char *s = list;; s++) {
        size_t n = strcspn(s, ",");
        if (n == strlen(name) && strncmp(s, name, n) == 0)
            return true;
        s += n;
        if (!*s)
            return false;
    }
}

/* F18: the directory "static" beside the program, or where it lies in the source tree. */
static void find_static_dir(const char *program)
{
    static char paths[2][MAX_PATH_BYTES];
    const char *slash = strrchr(program, '/');
    int n = slash && slash - program < MAX_PATH_BYTES ? (int)(slash - program) : 0;
    snprintf(paths[0], sizeof paths[0], "%.*s/static", n > 0 ? n : 1, n > 0 ? program : ".");
    snprintf(paths[1], sizeof paths[1], "%.*s/../test/static", n > 0 ? n : 1,
             n > 0 ? program : ".");
    struct stat info;
    static_dir = "test/static";
    for (int i = 1; i >= 0; i--)
        if (stat(paths[i], &info) == 0 && S_ISDIR(info.st_mode))
            static_dir = paths[i];
}

static void parse_flags(char **argv)
{
    const char *env = getenv("PORT");
    if (env && *env)
        port = parse_number("PORT", env, 0);
    options.ping_interval_ms = 300;
    options.ping_timeout_ms = 200;
    options.connect_timeout_ms = 1000;
    find_static_dir(argv[0]);
    for (argv++; *argv;)
        argv += parse_flag(argv);

    options.max_payload = (size_t)max_payload;
    options.upgrades = no_upgrades ? SIO_OFF : SIO_ON;
    options.cors = strcmp(cors, "none") == 0 ? NULL : cors;
    if (is_listed(transports, "polling"))
        options.transports |= SIO_POLLING;
    if (is_listed(transports, "websocket"))
        options.transports |= SIO_WEBSOCKET;
    options.allow_request = allow_request;
    options.headers = add_headers;
    options.max_output = (size_t)1 << 30;  // the reference has none of these limits
    options.max_namespaces = 10000;
    options.max_rooms = 100000;
    options.max_depth = 5000;
    recovery.bytes = (size_t)1 << 28;
}

/* ---- F20, F25: start and stop --------------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
    sio_shutdown(server);
}

static void catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

/* Drops all kept values while their server is there. Tasks stay, for sio_free answers requests. */
static void drop_values(void)
{
    log_closed = true;
    for (size_t i = 0; i < MAX_LOG; i++)
        sio_drop(log_of[i]);
    for (struct task *task = tasks; task; task = task->next) {
        sio_drop(task->value);
        task->value = NULL;
    }
    for (int i = 0; i < 2; i++) {
        sio_drop(notes[i]);
        notes[i] = NULL;
    }
}

/* F26: a member before it serves, if Redis is there within some seconds. */
static int join_cluster(sio_server *io)
{
    time_t begun = time(NULL);
    if (sio_redis(io, redis, NULL) < 0)
        return -1;
    while (!sio_redis_ready(io) && time(NULL) - begun < 3)
        if (sio_turn(io, 50) < 0)
            return -1;
    return 0;
}

/* Says what failed, and why. */
static int fail(const char *what)
{
    fprintf(stderr, "fixture: %s: %s\n", what, strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    (void)argc;
    parse_flags(argv);
    server = sio_new(&options);
    if (!server || serve_recovery(server) < 0 || serve_namespaces(server) < 0 ||
        serve_http(server) < 0 || serve_echo(server) < 0)
        return fail("start");
    if (allow_v3 && sio_allow_v3(server) < 0)
        return fail("start");
    if (redis && join_cluster(server) < 0)
        return fail("redis");
    catch_signals();
    int real_port = sio_listen(server, host, port);
    if (real_port < 0)
        return fail("listen");
    printf("listening on %d\n", real_port);
    fflush(stdout);

    int status = sio_run(server) < 0 ? fail("run") : 0;
    drop_values();
    sio_free(server);
    while (tasks)
        end_task(tasks);
    return status;
}
