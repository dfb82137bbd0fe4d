/* sio.c - Socket.IO 5: namespaces, sockets, CONNECT, events, disconnects
 * SPDX-License-Identifier: MIT
 *
 *     session (eio.c) --- client --+-- socket in "/"      one connection carries a socket for
 *                                  +-- socket in "/chat"  each namespace that it joined
 *
 *     C> 0{"token":"x"}      CONNECT          S> 0{"sid":"..."}        or 4{"message":"..."}
 *     C> 2["hello",1]        EVENT            C> 27["hello",1]  S> 37["there"]
 *     C> 1                   DISCONNECT
 *
 * What holds here:
 *  - A socket is CONNECTING while middlewares look at it; it is in its namespace's list and receives
 *    broadcasts exactly while it is CONNECTED.
 *  - "disconnect" runs exactly once for each "connection".
 *  - A packet that breaks the protocol ends the whole connection; the other packets of the same read
 *    that came before it have been delivered.
 *  - Clients and sockets that are over are freed when the turn ends. */
#include "layers.h"

#include <errno.h>
#include <string.h>

const char SIO_DROP[] = "drop";
const char SIO_LATER[] = "later";

enum { ID_BYTES = 15 };

/* A binary packet whose attachments are still to come. */
typedef struct sio_partial {
    size_t n;  // of the packet's text
    size_t wanted, got;
    sio_span *blobs;
    char text[];
} partial;

int sio_fail(int error)
{
    errno = error;
    return -1;
}

void sio_enter(sio_server *io)
{
    io->depth++;
}

void sio_leave_callback(sio_server *io)
{
    if (--io->depth == 0)
        sio_arena_reset(&io->net.arena);
}

/* ---- Packets out ----------------------------------------------------------------------------------- */

sio_server *sio_client_server(const sio_client *c)
{
    return c->session->eio->owner;
}

static void stop_joining(sio_client *c)
{
    if (c->u.joining == NULL)
        return;
    sio_deadline_clear(&c->u.joining->deadline);
    sio_free_mem(&sio_client_server(c)->net.memory, c->u.joining);
    c->u.joining = NULL;
}

bool sio_client_alive(const sio_client *c)
{
    return !c->over;
}

bool sio_socket_send(sio_socket *s, sio_ref frames)
{
    if (s->state != SIO_SOCKET_CONNECTED || !sio_client_alive(s->client))
        return false;
    sio_session_frames(s->client->session, frames);
    return true;
}

/* Sends a packet without id and attachments, whatever the socket's state. */
static void send_packet(sio_client *c, unsigned type, sio_span ns, const char *json, size_t n)
{
    sio_out *out = &sio_client_server(c)->net.out;
    char head[2] = { '4', (char)('0' + type) };
    sio_ref ref;
    if (!sio_client_alive(c))
        return;
    sio_out_begin(out);
    sio_out_frame(out);
    sio_put(&out->sink, head, 2);
    if (ns.n > 1) {
        sio_put(&out->sink, ns.p, ns.n);
        sio_put(&out->sink, ",", 1);
    }
    sio_put(&out->sink, json, n);
    sio_out_frame_end(out, SIO_WS_TEXT);
    if (!sio_out_end(out, &ref))
        return;
    sio_session_frames(c->session, ref);
    sio_ref_release(ref);
}

static sio_span ns_span(const sio_namespace *ns)
{
    return (sio_span){ ns->name, ns->node.n };
}

static bool is_v3(const sio_client *c)
{
    return c->session->protocol == 3;
}

static void send_connected(sio_socket *s)
{
    char json[96];
    sio_sink sink = { .p = json, .cap = sizeof json };
    if (!is_v3(s->client)) {
        sio_put_text(&sink, "{\"sid\":\"");
        sio_put_text(&sink, s->id);
        if (s->more != NULL && s->more->pid[0] != '\0') {
            sio_put_text(&sink, "\",\"pid\":\"");
            sio_put_text(&sink, s->more->pid);
        }
        sio_put_text(&sink, "\"}");
    }
    send_packet(s->client, SIO_CONNECT, ns_span(s->ns), json, sink.n);
}

/* data: NULL, or the error's data. Protocol 3 has no object: the data, or the message. */
static void send_connect_error(sio_client *c, sio_span ns, const char *message, sio_value data,
                               bool object)
{
    sio_value v;
    size_t n;
    if (!sio_client_alive(c))
        return;
    if (data != NULL && (object || !is_v3(c)))
        v = sio_make(sio_client_server(c), "{'message': %s, 'data': %p}", message, data);
    else if (object || !is_v3(c))
        v = sio_make(sio_client_server(c), "{'message': %s}", message);
    else
        v = data != NULL ? data : sio_make(sio_client_server(c), "%s", message);
    if (v == NULL)
        v = sio_make(sio_client_server(c), "{'message': 'error'}");  // its text was not UTF-8
    const char *json = sio_json(v, &n);
    send_packet(c, SIO_CONNECT_ERROR, ns, json, n);
}

/* ---- Sockets come and go --------------------------------------------------------------------------- */

/* Ends the connection for something that the client must not do. state: it is the wrong time for it;
 * otherwise the packet is malformed. */
static void violate(sio_client *c, bool state, const char *what)
{
    if (!sio_client_alive(c))
        return;
    sio_client_server(c)->net.stats.parse_errors++;
    sio_log(&sio_client_server(c)->net, "connection closed: %s", what);
    bool told = !state || sio_session_reachable(c->session);
    sio_session_end(c->session, told ? "forced close" : "forced server close");
}

static void unlink_socket(sio_socket *s)
{
    sio_client *c = s->client;
    sio_socket **at = &c->sockets;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    c->n_sockets--;
}

/* Takes a socket out of everything; it is freed when the turn ends. */
static void bury_socket(sio_socket *s)
{
    sio_server *io = s->ns->io;
    unlink_socket(s);
    sio_rooms_leave_all(s);
    if (s->state == SIO_SOCKET_CONNECTED) {
        sio_namespace *ns = s->ns;
        sio_socket *last = ns->sockets[--ns->n_sockets];
        ns->sockets[s->place] = last;
        last->place = s->place;
        sio_table_remove(&ns->ids, &s->node);
        io->net.stats.sockets--;
    }
    s->state = SIO_SOCKET_GONE;
    s->next = io->dead_sockets;
    io->dead_sockets = s;
}

void sio_socket_leave(sio_socket *s, const char *reason)
{
    sio_server *io = s->ns->io;
    sio_namespace *ns = s->ns;
    if (s->state == SIO_SOCKET_GONE || s->leaving)
        return;
    s->leaving = true;
    bool was_connected = s->state == SIO_SOCKET_CONNECTED;
    sio_enter(io);
    sio_value why = sio_make(io, "%s", reason);
    if (was_connected)
        sio_run_event(s, "disconnecting", why, NULL);
    if (was_connected && sio_recovery_save(s, reason))
        s->release = NULL;  // the saved session has it now
    bury_socket(s);
    sio_awaited_cancel(s);
    if (was_connected)
        sio_run_event(s, "disconnect", why, NULL);
    if (s->release != NULL)
        s->release(s->data);
    s->data = NULL, s->release = NULL;
    ns->users--;
    sio_namespace_unused(ns);
    sio_leave_callback(io);
}

static void leave_all(sio_client *c, const char *reason)
{
    sio_socket *s = c->sockets;
    while (s != NULL) {
        bool leaving =
            s->leaving;  // a handler of "disconnecting" called: it goes when that returns
        sio_socket *next = s->next;
        sio_socket_leave(s, reason);
        s = leaving ? next : c->sockets;
    }
}

void sio_disconnect(sio_socket *s, bool close)
{
    sio_client *c = s->client;
    if (s->state == SIO_SOCKET_GONE || s->leaving)
        return;
    if (!close) {
        send_packet(c, SIO_DISCONNECT, ns_span(s->ns), "", 0);
        sio_socket_leave(s, "server namespace disconnect");
        return;
    }
    for (sio_socket *each = c->sockets; each != NULL; each = c->sockets) {
        if (each->leaving)
            break;  // a handler of "disconnecting" called
        send_packet(c, SIO_DISCONNECT, ns_span(each->ns), "", 0);
        sio_socket_leave(each, "server namespace disconnect");
    }
    if (sio_client_alive(c))
        sio_session_end(c->session, "forced close");
}

void sio_close(sio_socket *s)
{
    if (sio_client_alive(s->client))
        sio_session_end(s->client->session, "forced close");
}

static sio_socket *find_socket(const sio_client *c, sio_span ns)
{
    sio_socket *s = c->sockets;
    while (s != NULL && (s->ns->node.n != ns.n || memcmp(s->ns->name, ns.p, ns.n) != 0))
        s = s->next;
    return s;
}

/* Sets the socket's id: random, or the session's in protocol 3. */
static bool set_id(sio_socket *s)
{
    const sio_client *c = s->client;
    unsigned char bytes[ID_BYTES];
    if (is_v3(c)) {
        memcpy(s->id, c->session->sid, c->session->node.n);
    } else {
        if (sio_loop_random(sio_client_server(c)->net.loop, bytes, sizeof bytes) < 0)
            return false;
        sio_base64url_encode(bytes, sizeof bytes, s->id);
    }
    s->id[20] = '\0';
    s->node.key = s->id, s->node.n = 20;
    if (!is_v3(c) || s->ns->node.n == 1)
        return true;
    size_t n = s->ns->node.n;  // "/chat#" and the session's id
    char *long_id = sio_resize(&sio_client_server(c)->net.memory, NULL, n + 22);
    if (long_id == NULL)
        return false;
    memcpy(long_id, s->ns->name, n);
    long_id[n] = '#';
    memcpy(long_id + n + 1, s->id, 21);
    s->node.key = long_id, s->node.n = (uint32_t)n + 21;
    return true;
}

static void free_socket(sio_socket *s)
{
    const sio_memory *m = &s->ns->io->net.memory;
    if (s->node.key != s->id)
        sio_free_mem(m, s->node.key);
    sio_free_mem(m, s->rooms);
    if (s->more != NULL)
        sio_free_mem(m, s->more->auth);
    sio_free_mem(m, s->more);
    sio_free_mem(m, s);
}

sio_socket_more *sio_more(sio_socket *s)
{
    if (s->more == NULL)
        s->more = sio_alloc(&s->ns->io->net.memory, sizeof *s->more);
    return s->more;
}

static bool keep_auth(sio_socket *s, sio_span auth)
{
    if (auth.n == 0)
        return true;
    if (sio_more(s) == NULL)
        return false;
    s->more->auth = sio_resize(&s->ns->io->net.memory, NULL, auth.n + 1);
    if (s->more->auth == NULL)
        return false;
    memcpy(s->more->auth, auth.p, auth.n);
    s->more->auth[auth.n] = '\0';
    return true;
}

static sio_socket *new_socket(sio_client *c, sio_namespace *ns, sio_span auth)
{
    sio_server *io = sio_client_server(c);
    sio_socket *s = sio_alloc(&io->net.memory, sizeof *s);
    if (s == NULL)
        return NULL;
    s->client = c, s->ns = ns;
    uint64_t handle = 0;
    if (set_id(s) && keep_auth(s, auth))
        handle = sio_handle_new(&io->handles, s);
    if (handle == 0) {
        free_socket(s);
        return NULL;
    }
    s->slot = (uint32_t)(handle & UINT32_MAX);
    sio_socket **end = &c->sockets;
    while (*end != NULL)
        end = &(*end)->next;
    *end = s;
    c->n_sockets++;
    ns->users++;
    return s;
}

/* ---- CONNECT --------------------------------------------------------------------------------------- */

/* The middlewares have passed: the socket is in its namespace from here on. */
static void connected(sio_socket *s, bool recovered, uint64_t offset)
{
    sio_namespace *ns = s->ns;
    sio_server *io = ns->io;
    sio_client *c = s->client;
    if (!sio_reserve(&io->net.memory, &ns->sockets, ns->n_sockets, &ns->cap_sockets,
                     sizeof *ns->sockets) ||
        !sio_table_add(&ns->ids, &s->node)) {
        violate(c, true, "no memory");
        return;
    }
    s->place = (uint32_t)ns->n_sockets;
    ns->sockets[ns->n_sockets++] = s;
    s->state = SIO_SOCKET_CONNECTED;
    if (s->more != NULL)
        s->more->since = io->log_serial;
    io->net.stats.sockets++;
    stop_joining(c);
    if (recovered)
        sio_recovery_replay(s, offset);
    send_connected(s);
    sio_run_event(s, "connection", sio_auth(s), NULL);
}

/* The number of middlewares, the family's first. */
static size_t count_middlewares(const sio_namespace *ns)
{
    return ns->use.n + (ns->family == NULL ? 0 : ns->family->use.n);
}

static sio_middleware middleware_at(const sio_namespace *ns, size_t i)
{
    size_t n = ns->family == NULL ? 0 : ns->family->use.n;
    return i < n ? ns->family->use.fn[i] : ns->use.fn[i - n];
}

static void refuse_socket(sio_socket *s, const char *message, sio_value data)
{
    s->ns->io->net.stats.refused++;
    send_connect_error(s->client, ns_span(s->ns), message, data, false);
    sio_socket_leave(s, "server namespace disconnect");
}

/* Runs the middlewares from number i on, and connects. */
static void run_middlewares(sio_socket *s, size_t i)
{
    sio_server *io = s->ns->io;
    for (; i < count_middlewares(s->ns); i++) {
        sio_value set[1] = { sio_auth(s) };
        sio_event e = { .io = io, .socket = s, .packet = &sio_no_packet, .set = set, .n_set = 1 };
        e.next = (uint32_t)i + 1;
        const char *error = middleware_at(s->ns, i)(s, &e);
        if (s->state != SIO_SOCKET_CONNECTING || error == SIO_LATER || error == SIO_DROP)
            return;
        if (error != NULL) {
            refuse_socket(s, error, e.error_data);
            return;
        }
    }
    connected(s, s->recovered, s->recovered ? s->more->since : 0);
}

int sio_next(sio_later later, const char *error, const char *template, ...)
{
    sio_server *io = later.io;
    sio_socket *s;
    uint64_t next;
    if (!sio_later_take(later, &s, &next))
        return 0;
    sio_enter(io);
    if (error != NULL) {
        sio_arguments args;
        va_start(args.ap, template);
        refuse_socket(s, error, sio_template_make(io, template, &args));
        va_end(args.ap);
    } else if (s->state == SIO_SOCKET_CONNECTING) {
        run_middlewares(s, (size_t)next);
    }
    sio_leave_callback(io);
    return 0;
}

sio_later sio_next_later(sio_event *event)
{
    if (event->next == 0)
        return (sio_later){ event->io, 0, 0 };
    return sio_later_new(event);
}

int sio_error_data(sio_event *event, const char *template, ...)
{
    sio_arguments args;
    va_start(args.ap, template);
    sio_value v = sio_template_make(event->io, template, &args);
    va_end(args.ap);
    if (v == NULL)
        return sio_fail(EINVAL);
    event->error_data = v;
    return 0;
}

/* Makes the namespace of that name, if a family takes it. */
static sio_namespace *ask_families(sio_server *io, sio_span name, sio_span auth)
{
    char *text = sio_arena_get(&io->net.arena, name.n + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    for (sio_namespace *f = io->families; f != NULL; f = f->next) {
        sio_value set[1] = { sio_value_new(io, SIO_VALUE_JSON, auth, NULL, 0) };
        sio_event e = { .io = io, .packet = &sio_no_packet, .set = set, .n_set = 1 };
        if (!f->accept(text, &e))
            continue;
        sio_namespace *ns = sio_namespace_find(io, name);  // accept may have made it
        if (ns == NULL && (ns = sio_namespace_make(io, name)) != NULL)
            ns->family = f;
        return ns;
    }
    return NULL;
}

/* The namespace that a client asks for, or NULL: it gets a CONNECT_ERROR. */
static sio_namespace *wanted_namespace(sio_client *c, sio_span name, sio_span payload)
{
    sio_server *io = sio_client_server(c);
    bool full = c->n_sockets >= io->options.max_namespaces;
    sio_namespace *ns = full ? NULL : sio_namespace_find(io, name);
    if (!full && ns == NULL && memchr(name.p, '\0', name.n) == NULL)
        ns = ask_families(io, name, payload);
    if (ns != NULL)
        return ns;
    io->net.stats.refused++;
    sio_log(&io->net, "CONNECT refused: %s",
            full ? "max_namespaces is reached" : "no such namespace; call sio_of or sio_family");
    send_connect_error(c, name, "Invalid namespace", NULL, true);
    return NULL;
}

static void on_connect(sio_client *c, sio_span name, sio_span auth)
{
    sio_server *io = sio_client_server(c);
    uint64_t offset;
    if (find_socket(c, name) != NULL) {
        violate(c, true, "CONNECT for a namespace that is joined");
        return;
    }
    sio_span payload = auth.n > 0 ? auth : SIO_SPAN("{}");
    sio_namespace *ns = wanted_namespace(c, name, payload);
    if (ns == NULL)
        return;
    sio_socket *s = sio_client_alive(c) ? new_socket(c, ns, auth) : NULL;
    if (s == NULL) {
        violate(c, true, "no memory");
        sio_namespace_unused(ns);
        return;
    }
    sio_value v = sio_value_new(io, SIO_VALUE_JSON, payload, NULL, 0);
    s->recovered = io->options.recovery_ms > 0 && sio_recovery_restore(s, v, &offset);
    if (io->options.recovery_ms > 0 && !s->recovered && sio_recovery_new_pid(s) < 0) {
        violate(c, true, "no memory");
        return;
    }
    if (s->recovered)
        s->more->since = offset;  // run_middlewares hands it on
    if (s->recovered && !io->options.recovery_run_middlewares)
        connected(s, true, offset);
    else
        run_middlewares(s, 0);
}

/* Protocol 3 has the auth in the name: "/chat?token=x". Returns it as an object in the arena. */
static sio_span split_query(sio_server *io, sio_span *name)
{
    const char *mark = memchr(name->p, '?', name->n);
    if (mark == NULL || name->n > io->options.max_head)
        return SIO_NONE;
    sio_span rest = { mark + 1, name->n - (size_t)(mark + 1 - name->p) };
    name->n = (size_t)(mark - name->p);
    sio_value v = sio_query_object(io, rest);
    sio_span json = SIO_NONE;
    if (v != NULL)
        json.p = sio_json(v, &json.n);
    return json;
}

/* ---- Events ----------------------------------------------------------------------------------------- */

/* 0: go on; else the event goes no further. */
static int run_event_middlewares(sio_namespace *ns, sio_socket *s, sio_event *e)
{
    for (size_t i = 0; i < ns->use_event.n; i++) {
        e->error_data = NULL;
        const char *error = ns->use_event.fn[i](s, e);
        if (s->state != SIO_SOCKET_CONNECTED || error == SIO_DROP)
            return -1;
        if (error != NULL) {
            sio_value data = e->error_data == NULL ? sio_null() : e->error_data;
            sio_run_event(s, "error", sio_make(ns->io, "%s", error), data);
            return -1;
        }
    }
    return 0;
}

static void run_any(sio_namespace *ns, sio_socket *s, sio_event *e)
{
    for (size_t i = 0; i < ns->any.n; i++)
        ns->any.fn[i](s, e);
}

static void on_event(sio_socket *s, const sio_packet *k, const sio_span *blobs, size_t n_blobs)
{
    sio_namespace *ns = s->ns, *family = ns->family;
    sio_event e = {
        .io = ns->io, .socket = s, .packet = k, .blobs = blobs, .n_blobs = (uint32_t)n_blobs
    };
    sio_span key = k->index.element[0];
    if (family != NULL)
        run_any(family, s, &e);
    run_any(ns, s, &e);
    if (s->state != SIO_SOCKET_CONNECTED)
        return;
    if (family != NULL && run_event_middlewares(family, s, &e) < 0)
        return;
    if (run_event_middlewares(ns, s, &e) < 0)
        return;
    if (k->escaped) {
        char *text = sio_arena_get(&ns->io->net.arena, key.n);
        if (text == NULL)
            return;
        key = (sio_span){ text, sio_json_unescape(key, text) };
    } else if (key.p[0] == '"') {
        key.p++, key.n -= 2;
    }
    sio_run_handlers(s, false, key, &e);
}

static void on_ack(sio_socket *s, const sio_packet *k, const sio_span *blobs, size_t n_blobs)
{
    sio_event e = { .io = s->ns->io, .packet = k, .blobs = blobs, .n_blobs = (uint32_t)n_blobs };
    if (k->has_id)
        sio_socket_acked(s, k->id, &e);
}

/* ---- Packets in -------------------------------------------------------------------------------------- */

static void on_packet(sio_client *c, const sio_packet *k, const sio_span *blobs, size_t n_blobs)
{
    sio_span ns = k->ns, auth = k->json;
    if (k->type == SIO_CONNECT) {
        if (is_v3(c))
            auth = split_query(sio_client_server(c), &ns);
        on_connect(c, ns, auth);
        return;
    }
    sio_socket *s = find_socket(c, ns);
    if (s == NULL || s->state != SIO_SOCKET_CONNECTED) {
        violate(c, true, "a packet for a namespace that is not joined");
        return;
    }
    if (s->leaving)
        return;
    switch (k->type) {
    case SIO_DISCONNECT:
        sio_socket_leave(s, "client namespace disconnect");
        break;
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        on_event(s, k, blobs, n_blobs);
        break;
    default:
        on_ack(s, k, blobs, n_blobs);
    }
}

static void free_partial(sio_client *c)
{
    const sio_memory *m = &sio_client_server(c)->net.memory;
    partial *b = c->partial;
    if (b == NULL)
        return;
    c->partial = NULL;
    for (size_t i = 0; i < b->got; i++)
        sio_free_mem(m, b->blobs[i].p);
    sio_free_mem(m, b->blobs);
    sio_free_mem(m, b);
}

static void begin_partial(sio_client *c, const char *p, size_t n, size_t wanted)
{
    const sio_memory *m = &sio_client_server(c)->net.memory;
    partial *b = sio_resize(m, NULL, sizeof *b + n);
    sio_span *blobs = sio_alloc(m, wanted * sizeof *blobs);
    if (b == NULL || blobs == NULL) {
        sio_free_mem(m, b);
        sio_free_mem(m, blobs);
        violate(c, true, "no memory");
        return;
    }
    *b = (partial){ .n = n, .wanted = wanted, .blobs = blobs };
    memcpy(b->text, p, n);
    c->partial = b;
}

/* Whether each placeholder stands for an attachment that there is. */
static bool check_placeholders(sio_span json, size_t n_blobs)
{
    sio_span object;
    size_t at = 0;
    int64_t num;
    while (sio_packet_placeholder(json, &at, &object, &num))
        if (num < 0 || (uint64_t)num >= n_blobs)
            return false;
    return true;
}

static void on_attachment(sio_client *c, const char *p, size_t n)
{
    sio_server *io = sio_client_server(c);
    partial *b = c->partial;
    if (b == NULL) {
        violate(c, false, "an attachment without a packet");
        return;
    }
    char *copy = sio_resize(&io->net.memory, NULL, n + 1);
    if (copy == NULL) {
        violate(c, true, "no memory");
        return;
    }
    memcpy(copy, p, n);
    b->blobs[b->got++] = (sio_span){ copy, n };
    if (b->got < b->wanted)
        return;
    sio_packet k;
    int bad =
        sio_packet_parse(b->text, b->n, io->options.max_attachments, io->options.max_depth, &k);
    if (bad < 0 || !check_placeholders(k.json, b->wanted)) {
        violate(c, false, "illegal attachments");
        free_partial(c);
        return;
    }
    c->partial = NULL;  // the handler may end the client
    on_packet(c, &k, b->blobs, b->wanted);
    c->partial = c->partial == NULL ? b : c->partial;
    free_partial(c);
}

static void on_text(sio_client *c, const char *p, size_t n)
{
    const sio_options *o = &sio_client_server(c)->options;
    sio_packet k;
    if (c->partial != NULL) {
        violate(c, false, "a packet while attachments are due");
    } else if (sio_packet_parse(p, n, o->max_attachments, o->max_depth, &k) < 0) {
        violate(c, false, "a packet is malformed");
    } else if (k.attachments > 0) {
        begin_partial(c, p, n, k.attachments);
    } else {
        on_packet(c, &k, NULL, 0);
    }
}

static void on_message(void *owner, sio_session *session, bool text, const char *p, size_t n)
{
    sio_server *io = owner;
    sio_client *c = session->user;
    if (c == NULL || !sio_client_alive(c))
        return;
    sio_enter(io);
    if (text)
        on_text(c, p, n);
    else
        on_attachment(c, p, n);
    sio_leave_callback(io);
}

/* ---- Clients ------------------------------------------------------------------------------------------ */

static void on_open(void *owner, sio_session *session)
{
    sio_server *io = owner;
    const sio_memory *m = &io->net.memory;
    sio_client *c = sio_alloc(m, sizeof *c);
    sio_joining *joining = sio_alloc(m, sizeof *joining);
    if (c == NULL || joining == NULL) {
        sio_free_mem(m, c);
        sio_free_mem(m, joining);
        sio_session_abort(session, "forced close");
        return;
    }
    joining->client = c;
    c->u.joining = joining;
    c->session = session;
    session->user = c;
    sio_deadline_set(&io->net.clock, &io->connect_fifo, &c->u.joining->deadline);
    if (session->protocol == 3) {  // joins "/" without being asked
        sio_enter(io);
        on_connect(c, SIO_SPAN("/"), SIO_NONE);
        sio_leave_callback(io);
    }
}

static void on_close(void *owner, sio_session *session, const char *reason)
{
    sio_server *io = owner;
    sio_client *c = session->user;
    if (c == NULL)
        return;
    stop_joining(c);
    c->over = true;
    session->user = NULL;
    leave_all(c, reason);
    free_partial(c);
    c->u.next = io->dead_clients;
    io->dead_clients = c;
}

const sio_eio_events sio_client_events = { .open = on_open,
                                           .message = on_message,
                                           .close = on_close };

void sio_connect_expired(void *owner, sio_deadline *d)
{
    sio_server *io = owner;
    sio_client *c = ((sio_joining *)(void *)d)->client;
    sio_log(&io->net, "connection closed: no namespace joined within connect_timeout");
    sio_session_end(c->session, "forced close");
}

void sio_sockets_bury(sio_server *io)
{
    const sio_memory *m = &io->net.memory;
    while (io->dead_sockets != NULL) {
        sio_socket *s = io->dead_sockets;
        io->dead_sockets = s->next;
        sio_handle_free(&io->handles, sio_handle(s));
        free_socket(s);
    }
    while (io->dead_clients != NULL) {
        sio_client *c = io->dead_clients;
        io->dead_clients = c->u.next;
        sio_free_mem(m, c);
    }
    while (io->dead_namespaces != NULL) {
        sio_namespace *ns = io->dead_namespaces;
        io->dead_namespaces = ns->next;
        sio_namespace_free(ns);
    }
}
