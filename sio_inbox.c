/* sio_inbox.c - what the other servers of a cluster say to us
 * SPDX-License-Identifier: MIT
 *
 *     a channel's message --JSON, or made JSON--> an event      to our clients
 *                                                 a request     done, or answered, or asked of our clients
 *                                                 an answer     to a question of ours (sio_cluster.c)
 *
 * MessagePack becomes JSON first, with its attachments beside it, so that all is read in one way.
 *
 * What holds here:
 *  - Who can publish is trusted with what our clients hear, with which rooms they are in and whether they
 *    stay, and with what our handlers of servers' events do; with nothing else: what is malformed is told
 *    and ignored, and the questions that strangers can have us keep have a limit.
 *  - We hear ourselves. Events, and what only the others shall do, are ignored then; joining, leaving and
 *    disconnecting is done then, in the order that the bus gives to what all members say.
 *  - What nobody here can want is dropped unread. */
#include "sio_core.h"

#include <errno.h>

enum {
    MAX_STRANGERS = 10000,  // questions of others that are open here, and answers that we owe them
    MAX_NAME = 100,         // bytes of what one of these is called by, and its member
    MAX_CLIENTS = 100000000,  // that all answers may announce
    LONGEST_MS = 600000       // for our clients to answer a question of others
};

static sio_adapter *adapter_of(sio_cluster *c)
{
    return (sio_adapter *)(void *)c;
}

static sio_span text_of(const char *text)
{
    return (sio_span){ text, strlen(text) };
}

/* ---- What a message is ----------------------------------------------------------------------- */

/* One as JSON, with the attachments that its placeholders stand for. */
typedef struct message {
    sio_span json;
    sio_span *blobs;
    size_t n_blobs;
} message;

static sio_span member(sio_span object, const char *key)
{
    if (object.n == 0 || object.p[0] != '{')
        return SIO_NONE;
    return sio_value_member(object, key, strlen(key));
}

static bool is_text(sio_span value)
{
    return value.n > 1 && value.p[0] == '"';
}

static bool is_array(sio_span value)
{
    return value.n > 1 && value.p[0] == '[';
}

/* -1: it is no number, or none that fits. */
static int64_t number_of(sio_span value)
{
    int64_t n;
    bool is = value.n > 0 && (sio_is_digit(value.p[0]) || value.p[0] == '-') &&
              sio_json_integer(value, &n);
    return is ? n : -1;
}

/* A string's text in the arena, with its NUL; p NULL: no memory, or none that has a name in C. */
static sio_span decoded(sio_adapter *a, sio_span string)
{
    char *text = sio_arena_get(&a->io->net.arena, string.n);
    if (text == NULL)
        return SIO_NONE;
    size_t n = sio_json_unescape(string, text);
    text[n] = '\0';
    return memchr(text, '\0', n) != NULL ? SIO_NONE : (sio_span){ text, n };
}

/* False: it is none, or there is no memory. */
static bool read_message(sio_adapter *a, sio_span payload, message *m)
{
    size_t depth = a->io->options.max_depth;
    *m = (message){ .json = payload };
    if (payload.n > 0 && payload.p[0] == '{')
        return sio_utf8_prefix(payload.p, payload.n) == payload.n &&
               sio_json_check(payload.p, payload.n, depth, NULL);
    if (!sio_msgpack_check(payload.p, payload.n, depth, &m->n_blobs) ||
        m->n_blobs > SIO_ATTACHMENTS_OUT)  // each may be two bytes, and forty as JSON
        return false;
    m->blobs = sio_arena_get(&a->io->net.arena, m->n_blobs * sizeof *m->blobs);
    sio_textbuf text = sio_text_new(&a->io->net.memory);
    if (m->blobs != NULL)
        sio_msgpack_put_as_json(&text.sink, payload, m->blobs);
    char *copy =
        m->blobs == NULL || text.sink.failed ? NULL : sio_arena_get(&a->io->net.arena, text.sink.n);
    m->json = (sio_span){ copy, text.sink.n };
    if (copy != NULL)
        memcpy(copy, text.sink.p, text.sink.n);
    sio_text_free(&text);
    return copy != NULL;
}

static void ignore(sio_adapter *a, const sio_namespace *ns, const char *what)
{
    sio_log(&a->io->net,
            "a message of the cluster was ignored: %s (see who publishes there); namespace %.60s",
            what, ns->name);
}

/* The names of an array, as a target takes them. *none: it has no elements, or is no array. False: no
 * memory. */
static bool read_names(sio_adapter *a, sio_span array, const char *const **list, size_t *n,
                       bool *none)
{
    sio_span name, value;
    size_t count = 0;
    if (!is_array(array))
        return *none = true;
    for (sio_json_walk w = sio_json_open(array); sio_json_next(&w, &name, &value);)
        count++;
    const char **names = sio_arena_get(&a->io->net.arena, count * sizeof *names);
    if (names == NULL)
        return false;
    for (sio_json_walk w = sio_json_open(array); sio_json_next(&w, &name, &value);) {
        sio_span text = is_text(value) ? decoded(a, value) : SIO_NONE;
        if (text.p != NULL)
            names[(*n)++] = text.p;
    }
    *list = names;
    *none = count == 0;
    return true;
}

/* Whom options mean of ours. Rooms that have no name in C are empty here. False: nobody. */
static bool read_target(sio_adapter *a, sio_namespace *ns, sio_span opts, sio_target *t)
{
    const char *const *rooms = NULL, *const *except = NULL;
    size_t n_rooms = 0, n_except = 0;
    bool all, nobody;
    if (!read_names(a, member(opts, "rooms"), &rooms, &n_rooms, &all) ||
        !read_names(a, member(opts, "except"), &except, &n_except, &nobody) ||
        (n_rooms == 0 && !all))
        return false;
    *t = sio_except_list(sio_to_list(sio_local(sio_all(ns)), rooms, n_rooms), except, n_except);
    t->is_volatile = sio_span_is(member(member(opts, "flags"), "volatile"), "true");
    return true;
}

/* Whether the text is the string's. */
static bool says(sio_span string, sio_span text)
{
    return is_text(string) && sio_json_text_is(string, text.p, text.n);
}

/* A packet's array, if it is an event for that namespace (5.2). NULL: it is not. */
static sio_value array_of(sio_adapter *a, const sio_namespace *ns, sio_span packet,
                          const message *m)
{
    sio_span data = member(packet, "data"), nsp = member(packet, "nsp"), name, first;
    int64_t type = number_of(member(packet, "type"));
    if (!is_array(data) || (type != SIO_EVENT && type != SIO_BINARY_EVENT) ||
        !says(nsp.n == 0 ? SIO_SPAN("\"/\"") : nsp, sio_ns_span(ns)))
        return NULL;
    sio_json_walk w = sio_json_open(data);
    if (!sio_json_next(&w, &name, &first) || !is_text(first))
        return NULL;
    sio_span text = decoded(a, first);
    if (text.p != NULL && sio_packet_reserved(text.p, text.n))
        return NULL;
    return sio_value_new(a->io, SIO_VALUE_SPREAD, (sio_span){ data.p + 1, data.n - 2 }, m->blobs,
                         m->n_blobs);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* Whether anybody of ours is in the room of a channel, or may come back to it. */
static bool has_room(const sio_namespace *ns, sio_span channel)
{
    sio_span events = ns->channels->events;
    sio_span room = { channel.p + events.n, channel.n - events.n };
    if (ns->history != NULL)
        return true;
    if (ns->n_sockets == 0)
        return false;
    if (room.n == 0)
        return true;
    room.n--;  // the '#' at its end
    return sio_table_find(&ns->rooms, room.p, room.n) != NULL ||
           sio_table_find(&ns->ids, room.p, room.n) != NULL;
}

/* Whether a message is one of ours: it begins as an array of three with our uid. */
static bool is_own(const sio_adapter *a, sio_span payload)
{
    char head[2 + SIO_UID];
    sio_sink sink = { .p = head, .cap = sizeof head };
    sio_msgpack_put_array(&sink, 3);
    sio_put_word(&sink, a->uid);
    return payload.n > sink.n && memcmp(payload.p, head, sink.n) == 0;
}

static void on_event(sio_adapter *a, sio_namespace *ns, sio_span channel, sio_span payload)
{
    message m;
    sio_span name, part[3] = { SIO_NONE, SIO_NONE, SIO_NONE };
    sio_target t;
    if (!has_room(ns, channel) || is_own(a, payload))
        return;
    if (!read_message(a, payload, &m) || !is_array(m.json)) {
        ignore(a, ns, "an event is no MessagePack array");
        return;
    }
    sio_json_walk w = sio_json_open(m.json);
    for (int i = 0; i < 3 && sio_json_next(&w, &name, &part[i]); i++)
        ;
    if (says(part[0], text_of(a->uid)))
        return;
    sio_value array = array_of(a, ns, part[1], &m);
    if (array == NULL)
        ignore(a, ns, "an event has no name and arguments, or another namespace");
    else if (read_target(a, ns, part[2], &t))
        sio_emit_array(&t, array);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* Publishes an answer, and frees its text. uid: of who asked, a JSON string; n == 0: to all. */
static void respond(sio_adapter *a, const sio_namespace *ns, sio_span uid, sio_textbuf *text)
{
    if (ns->channels == NULL) {  // it went with its last socket, which we had to disconnect
        sio_text_free(text);
        return;
    }
    sio_span channel = sio_channel_of(ns, SIO_CH_ANSWERS);
    sio_span id = a->own_channel && is_text(uid) ? decoded(a, uid) : SIO_NONE;
    char *own = id.p == NULL ? NULL : sio_arena_get(&a->io->net.arena, channel.n + id.n + 1);
    if (own != NULL) {
        memcpy(own, channel.p, channel.n);
        memcpy(own + channel.n, id.p, id.n);
        own[channel.n + id.n] = '#';
        channel = (sio_span){ own, channel.n + id.n + 1 };
    }
    if (!text->sink.failed)
        a->bus->publish(a->bus, channel, (sio_span){ text->sink.p, text->sink.n });
    sio_text_free(text);
}

/* Begins {"requestId":..: what a request, or answer, names itself by. */
static sio_textbuf begin_answer(sio_adapter *a, sio_span id)
{
    sio_textbuf text = sio_text_new(&a->io->net.memory);
    sio_put_text(&text.sink, "{\"requestId\":");
    sio_put(&text.sink, id.p, id.n);
    return text;
}

/* The elements of an answer's array are separated. */
static void put_comma(sio_sink *sink)
{
    sio_put(sink, ",", !sink->failed && sink->p[sink->n - 1] != '[');
}

static void put_room(sio_span room, void *data)
{
    sio_sink *sink = data;
    put_comma(sink);
    sio_json_put_string(sink, room.p, room.n);
}

static void put_id(sio_socket *s, void *data)
{
    put_room((sio_span){ s->id, strlen(s->id) }, data);
}

static void put_socket(sio_socket *s, void *data)
{
    sio_sink *sink = data;
    sio_server *io = s->ns->io;
    sio_textbuf text = sio_text_new(&io->net.memory);
    sio_template t = { .io = io, .sink = &text.sink };
    sio_template_value(&t, sio_socket_described(s));
    sink->failed |= text.sink.failed;
    put_comma(sink);
    if (!text.sink.failed)
        sio_put_plain(sink, (sio_span){ text.sink.p, text.sink.n }, t.blobs, t.n_blobs);
    sio_text_free(&text);
}

/* SIO_ASK_SOCKETS, _ROOMS, _FETCH */
static void tell_own(sio_adapter *a, sio_namespace *ns, sio_span request, int64_t type, sio_span id)
{
    sio_target t;
    sio_span opts = type == SIO_ASK_SOCKETS ? request : member(request, "opts");
    sio_textbuf text = begin_answer(a, id);
    sio_put_text(&text.sink, type == SIO_ASK_ROOMS ? ",\"rooms\":[" : ",\"sockets\":[");
    if (type == SIO_ASK_ROOMS)
        sio_own_rooms(ns, put_room, &text.sink);
    else if (read_target(a, ns, opts, &t))
        sio_each(t, type == SIO_ASK_FETCH ? put_socket : put_id, &text.sink);
    sio_put_text(&text.sink, "]}");
    respond(a, ns, member(request, "uid"), &text);
}

static void change_target(const sio_target *t, int64_t type, const char *const *rooms, size_t n,
                          bool close)
{
    if (type == SIO_JOIN)
        sio_sockets_join_list(*t, rooms, n);
    else if (type == SIO_LEAVE)
        sio_sockets_leave_list(*t, rooms, n);
    else
        sio_disconnect_sockets(*t, close);
}

/* Servers before 4 name one socket; they want an answer from the one that has it. */
static void change_one(sio_adapter *a, sio_namespace *ns, sio_span request, int64_t type)
{
    sio_span sid = member(request, "sid"), room = member(request, "room");
    const char *id = is_text(sid) ? decoded(a, sid).p : NULL;
    const char *name = is_text(room) ? decoded(a, room).p : NULL;
    sio_socket *s = sio_socket_by_id(ns, id);
    if (s == NULL || (name == NULL && type != SIO_END))
        return;
    sio_target t = sio_self(s);
    sio_span answer_id = member(request, "requestId");
    change_target(&t, type, &name, 1, sio_span_is(member(request, "close"), "true"));
    if (answer_id.n == 0)
        return;
    sio_textbuf text = begin_answer(a, answer_id);
    sio_put_text(&text.sink, "}");
    respond(a, ns, member(request, "uid"), &text);
}

/* SIO_JOIN, SIO_LEAVE, SIO_END */
static void on_change(sio_adapter *a, sio_namespace *ns, sio_span request, int64_t type)
{
    sio_target t;
    const char *const *rooms = NULL;
    size_t n = 0;
    bool none, close = sio_span_is(member(request, "close"), "true");
    sio_span opts = member(request, "opts");
    if (opts.n == 0) {
        change_one(a, ns, request, type);
        return;
    }
    if (!read_target(a, ns, opts, &t) ||
        !read_names(a, member(request, "rooms"), &rooms, &n, &none))
        return;
    change_target(&t, type, rooms, n, close);
}

/* ---- Questions of others --------------------------------------------------------------------- */

/* An answer that we owe a member: an application's, to its event. */
typedef struct debt {
    sio_deadline deadline;  // first
    uint64_t handle;
    sio_span channel, id;  // where to, and the request's, as JSON
    char text[];
} debt;

static void free_debt(sio_adapter *a, debt *d)
{
    sio_deadline_clear(&d->deadline);
    sio_handle_free(&a->debts, d->handle);
    a->strangers--;
    sio_free_mem(&a->io->net.memory, d);
}

/* Nobody waits for it any more. */
static void on_debt_expired(void *owner, sio_deadline *d)
{
    free_debt(owner, (debt *)(void *)d);
}

/* The serial of a new one; 0: there are too many, the id is too long, or no memory. */
static uint64_t new_debt(sio_adapter *a, const sio_namespace *ns, sio_span id)
{
    sio_span channel = sio_channel_of(ns, SIO_CH_ANSWERS);
    debt *d = a->strangers >= MAX_STRANGERS || id.n > MAX_NAME
                  ? NULL
                  : sio_alloc(&a->io->net.memory, sizeof *d + channel.n + id.n);
    if (d == NULL)
        return 0;
    d->handle = sio_handle_new(&a->debts, d);
    if (d->handle == 0) {
        sio_free_mem(&a->io->net.memory, d);
        return 0;
    }
    memcpy(d->text, channel.p, channel.n);
    memcpy(d->text + channel.n, id.p, id.n);
    d->channel = (sio_span){ d->text, channel.n };
    d->id = (sio_span){ d->text + channel.n, id.n };
    a->strangers++;
    sio_deadline_set(&a->io->net.clock, &a->debt_fifo, &d->deadline);
    return d->handle;
}

/* One argument is all that an answer has. */
static int answer(sio_cluster *c, uint64_t serial, const char *template, sio_arguments *args)
{
    sio_adapter *a = adapter_of(c);
    debt *d = sio_handle_get(&a->debts, serial);
    if (d == NULL)
        return 0;
    sio_textbuf text = sio_text_new(&a->io->net.memory), out = sio_text_new(&a->io->net.memory);
    sio_template t = { .io = a->io, .sink = &text.sink };
    sio_template_write(&t, template, args);
    sio_put_text(&out.sink, "{\"type\":6,\"requestId\":");
    sio_put(&out.sink, d->id.p, d->id.n);
    sio_span first = text.sink.n == 0 ? SIO_NONE : sio_json_value(text.sink.p, text.sink.n);
    if (!text.sink.failed && first.n > 0) {
        sio_put_text(&out.sink, ",\"data\":");
        sio_put_plain(&out.sink, first, t.blobs, t.n_blobs);
    }
    sio_put_text(&out.sink, "}");
    int result = 0;
    if (text.sink.failed || out.sink.failed) {
        result = sio_template_fail(&t, "acknowledgement", SIO_NONE);
    } else {
        a->bus->publish(a->bus, d->channel, (sio_span){ out.sink.p, out.sink.n });
        free_debt(a, d);
    }
    sio_text_free(&text);
    sio_text_free(&out);
    return result;
}

/* SIO_ASK_SERVERS: an event for the application, not for clients. */
static void on_server_event(sio_adapter *a, sio_namespace *ns, sio_span request, const message *m)
{
    sio_span id = member(request, "requestId"), data = member(request, "data");
    sio_packet k = { .type = SIO_EVENT, .json = data };
    if (says(member(request, "uid"), text_of(a->uid)))
        return;
    if (!is_array(data) || !sio_json_check(data.p, data.n, a->io->options.max_depth, &k.index) ||
        k.index.count == 0 || !is_text(k.index.element[0])) {
        ignore(a, ns, "an event of a server has no name");
        return;
    }
    k.escaped = memchr(k.index.element[0].p, '\\', k.index.element[0].n) != NULL;
    sio_event e = { .io = a->io, .packet = &k, .blobs = m->blobs };
    e.n_blobs = (uint32_t)m->n_blobs;
    if (id.n > 0) {
        k.id = new_debt(a, ns, id);
        k.has_id = k.id != 0;
    }
    sio_span name = sio_event_name(&e);
    if (name.p == NULL)
        return;
    if (ns->family != NULL)
        sio_handlers_run(NULL, &ns->family->of_servers, name, &e);
    sio_handlers_run(NULL, &ns->of_servers, name, &e);
}

/* A question of a member to our clients. */
typedef struct stranger {
    sio_question base;  // first
    sio_adapter *adapter;
    sio_namespace *ns;
    sio_span uid, id;  // as JSON
    char text[];
} stranger;

static void on_stranger_over(sio_question *q)
{
    ((stranger *)(void *)q)->adapter->strangers--;
}

static void pass_on(sio_question *q, sio_value value)
{
    stranger *s = (stranger *)(void *)q;
    sio_adapter *a = s->adapter;
    sio_textbuf json = sio_text_new(&a->io->net.memory), text = json;
    sio_template t = { .io = a->io, .sink = &json.sink };
    sio_template_value(&t, value);
    sio_msgpack_put_map(&text.sink, 3);
    sio_put_word(&text.sink, "type");
    sio_msgpack_put_integer(&text.sink, SIO_TELL_ANSWER);
    sio_put_word(&text.sink, "requestId");
    sio_msgpack_put_json(&text.sink, s->id, NULL, 0);
    sio_put_word(&text.sink, "packet");
    if (!json.sink.failed)
        sio_msgpack_put_json(&text.sink, (sio_span){ json.sink.p, json.sink.n }, t.blobs,
                             t.n_blobs);
    text.sink.failed |= json.sink.failed;
    sio_text_free(&json);
    respond(a, s->ns, s->uid, &text);
}

static stranger *new_stranger(sio_adapter *a, sio_namespace *ns, sio_span uid, sio_span id)
{
    stranger *s = a->strangers >= MAX_STRANGERS || uid.n > MAX_NAME || id.n > MAX_NAME
                      ? NULL
                      : sio_alloc(&a->io->net.memory, sizeof *s + uid.n + id.n);
    if (s == NULL)
        return NULL;
    s->base = (sio_question){ .io = a->io, .heard = pass_on, .over = on_stranger_over };
    s->adapter = a, s->ns = ns;
    if (uid.n > 0)
        memcpy(s->text, uid.p, uid.n);
    memcpy(s->text + uid.n, id.p, id.n);
    s->uid = (sio_span){ s->text, uid.n };
    s->id = (sio_span){ s->text + uid.n, id.n };
    a->strangers++;
    return s;
}

/* SIO_ASK_CLIENTS: says how many of ours will answer; each answer follows. */
static void on_question(sio_adapter *a, sio_namespace *ns, sio_span request, const message *m,
                        sio_span id)
{
    sio_target t;
    sio_span opts = member(request, "opts"), uid = member(request, "uid");
    int64_t ms = number_of(member(member(opts, "flags"), "timeout"));
    sio_value array = array_of(a, ns, member(request, "packet"), m);
    size_t count = 0;
    if (array == NULL) {
        ignore(a, ns, "a question has no name and arguments, or another namespace");
        return;
    }
    if (read_target(a, ns, opts, &t)) {
        stranger *s = new_stranger(a, ns, uid, id);
        t.timeout_ms = ms <= 0 ? a->cluster.timeout_ms : ms < LONGEST_MS ? (int)ms : LONGEST_MS;
        if (s == NULL || sio_question_ask(&t, &s->base, array) < 0) {
            ignore(a, ns, "there are too many questions, their names are too long, or no memory");
            return;
        }
        count = s->base.expected;
    }
    sio_textbuf text = sio_text_new(&a->io->net.memory);
    sio_put_text(&text.sink, "{\"type\":8,\"requestId\":");
    sio_put(&text.sink, id.p, id.n);
    sio_put_text(&text.sink, ",\"clientCount\":");
    sio_put_number(&text.sink, count);
    sio_put_text(&text.sink, "}");
    respond(a, ns, uid, &text);
}

/* Ours that is open under that id. */
static sio_inquiry *inquiry_of(const sio_adapter *a, const char *id)
{
    char *node = (char *)sio_table_find(&a->inquiries, id, SIO_UID);
    return node == NULL ? NULL : (sio_inquiry *)(void *)(node - offsetof(sio_inquiry, node));
}

/* id: as JSON */
static sio_inquiry *find_inquiry(const sio_adapter *a, sio_span id)
{
    return is_text(id) && id.n == SIO_UID + 2 ? inquiry_of(a, id.p + 1) : NULL;
}

static void on_request(sio_adapter *a, sio_namespace *ns, sio_span payload)
{
    message m;
    if (!read_message(a, payload, &m)) {
        ignore(a, ns, "a request is neither JSON nor MessagePack");
        return;
    }
    int64_t type = number_of(member(m.json, "type"));
    sio_span id = member(m.json, "requestId");
    bool answers = type == SIO_ASK_SOCKETS || type == SIO_ASK_ROOMS || type == SIO_ASK_FETCH;
    bool own = says(member(m.json, "uid"), text_of(a->uid));
    if (type == SIO_JOIN || type == SIO_LEAVE || type == SIO_END)
        on_change(a, ns, m.json, type);
    else if (type == SIO_ASK_SERVERS)
        on_server_event(a, ns, m.json, &m);
    else if ((answers || type == SIO_ASK_CLIENTS) && own)
        return;
    else if (answers && id.n > 0)
        tell_own(a, ns, m.json, type, id);
    else if (type == SIO_ASK_CLIENTS && id.n > 0)
        on_question(a, ns, m.json, &m, id);
    else
        ignore(a, ns, "a request is of no type that there is");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static sio_value value_of(sio_adapter *a, sio_span json, const message *m)
{
    return json.n == 0 ? NULL : sio_value_new(a->io, SIO_VALUE_JSON, json, m->blobs, m->n_blobs);
}

static void on_answer(sio_adapter *a, sio_namespace *ns, sio_span payload)
{
    message m;
    sio_span name, value;
    if (a->inquiries.count == 0)
        return;
    if (!read_message(a, payload, &m)) {
        ignore(a, ns, "an answer is neither JSON nor MessagePack");
        return;
    }
    sio_inquiry *q = find_inquiry(a, member(m.json, "requestId"));
    if (q == NULL)
        return;  // another's, or it is over
    int64_t type = number_of(member(m.json, "type"));
    sio_span list = member(m.json, q->type == SIO_ASK_ROOMS ? "rooms" : "sockets");
    if (q->type == SIO_ASK_CLIENTS && type == SIO_TELL_ANSWER) {
        sio_inquiry_hear(q, value_of(a, member(m.json, "packet"), &m));
        return;
    }
    if (q->type == SIO_ASK_CLIENTS && type != SIO_TELL_COUNT)
        return;  // an answer to another kind of question
    if (q->type == SIO_ASK_CLIENTS) {
        int64_t count = number_of(member(m.json, "clientCount"));
        bool fits = count > 0 && count < MAX_CLIENTS && q->base.expected < MAX_CLIENTS;
        q->base.expected += fits ? (size_t)count : 0;
    } else if (q->type == SIO_ASK_SERVERS) {
        sio_inquiry_hear(q, value_of(a, member(m.json, "data"), &m));
    } else if (is_array(list)) {
        for (sio_json_walk w = sio_json_open(list); sio_json_next(&w, &name, &value);)
            sio_inquiry_hear(q, value_of(a, value, &m));
    }
    sio_inquiry_heard(q);
}

/* ---- The inbox ------------------------------------------------------------------------------------------ */

void sio_inbox_hear(sio_adapter *a, sio_span as, sio_span channel, sio_span payload)
{
    sio_channel *at = (sio_channel *)sio_table_find(&a->names, as.p, as.n);
    if (at == NULL)
        return;
    sio_namespace *ns = at->of->ns;
    sio_scope_enter(&a->io->net);
    if (at == &at->of->at[SIO_CH_REQUESTS])
        on_request(a, ns, payload);
    else if (at != &at->of->at[SIO_CH_EVENTS])
        on_answer(a, ns, payload);
    else if (channel.n >= at->of->events.n)
        on_event(a, ns, channel, payload);
    sio_scope_leave(&a->io->net);
}

void sio_inbox_counted(sio_adapter *a, const char id[8], int64_t n)
{
    sio_inquiry *q = inquiry_of(a, id);
    if (q != NULL)
        sio_inquiry_counted(q, n);
}

void sio_inbox_begin(sio_adapter *a)
{
    a->cluster.answer = answer;
    a->debts.memory = &a->io->net.memory;
    sio_fifo_init(&a->io->net.clock, &a->debt_fifo, a->cluster.timeout_ms, on_debt_expired, a);
}

void sio_inbox_end(sio_adapter *a)
{
    sio_deadline *end = &a->debt_fifo.head;
    while (end->next != end)
        free_debt(a, (debt *)(void *)end->next);
    sio_fifo_remove(&a->io->net.clock, &a->debt_fifo);
    sio_handles_free(&a->debts);
}
