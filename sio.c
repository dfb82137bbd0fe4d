/* sio.c - Socket.IO 5: CONNECT, events, the packets of a client
 * SPDX-License-Identifier: MIT
 *
 *     session (eio.c) --- client --+-- socket in "/"      one connection carries a socket for
 *                                  +-- socket in "/chat"  each namespace that it joined (S08)
 *
 *     C> 0{"token":"x"}      CONNECT          S> 0{"sid":"..."}        or 4{"message":"..."}
 *     C> 2["hello",1]        EVENT            C> 27["hello",1]  S> 37["there"]
 *     C> 1                   DISCONNECT
 *
 * What holds here:
 *  - A socket is CONNECTING while middlewares look at it; it is in its namespace's list and receives
 *    broadcasts exactly while it is CONNECTED.
 *  - A packet that breaks the protocol ends the whole connection (section 7 of PROTOCOL.md); those that
 *    came before it have been delivered (D06).
 *  - Clients that are over are freed when the turn ends. */
#include "sio_core.h"

#include <errno.h>
#include <string.h>

const char SIO_DROP[] = "drop";

/* A binary packet whose attachments are still to come. */
typedef struct sio_partial {
    sio_deadline deadline;  // first
    sio_client *client;
    size_t n;  // of the packet's text
    size_t wanted, got;
    size_t size;  // of the text and the attachments that have come; at most max_packet
    sio_span *blobs;
    char text[];
} partial;

/* ---- CONNECT --------------------------------------------------------------------------------------- */

static void stop_joining(sio_client *c)
{
    if (c->u.joining == NULL)
        return;
    sio_deadline_clear(&c->u.joining->deadline);
    sio_free_mem(&sio_client_server(c)->net.memory, c->u.joining);
    c->u.joining = NULL;
}

/* S01, S02, S10; with recovery R01; in protocol 3 V02, V11. */
static void send_connected(sio_socket *s)
{
    char json[96];
    sio_sink sink = { .p = json, .cap = sizeof json };
    if (!sio_client_is_v3(s->client)) {
        sio_put_text(&sink, "{\"sid\":\"");
        sio_put_text(&sink, s->id);
        if (s->more != NULL && s->more->pid[0] != '\0') {
            sio_put_text(&sink, "\",\"pid\":\"");
            sio_put_text(&sink, s->more->pid);
        }
        sio_put_text(&sink, "\"}");
    }
    sio_client_send(s->client, SIO_CONNECT, sio_ns_span(s->ns), json, sink.n);
}

/* The middlewares have passed: the socket is in its namespace from here on. */
static void connected(sio_socket *s)
{
    sio_namespace *ns = s->ns;
    sio_server *io = ns->io;
    sio_client *c = s->client;
    if (io->keeper != NULL && !io->keeper->replay(io->keeper, s)) {  // R04; a hole would be silent
        sio_client_violate(
            c, true,
            "what it missed has left the log, or there is no memory (raise bytes of sio_recover)");
        return;
    }
    if (!sio_reserve(&io->net.memory, &ns->sockets, ns->n_sockets, &ns->cap_sockets,
                     sizeof *ns->sockets) ||
        !sio_table_add(&ns->ids, &s->node)) {
        sio_client_violate(c, true, "there is no memory (give the server more)");
        return;
    }
    s->place = (uint32_t)ns->n_sockets;
    ns->sockets[ns->n_sockets++] = s;
    s->state = SIO_SOCKET_CONNECTED;
    io->net.stats.sockets++;
    stop_joining(c);
    sio_session_settled(c->session);
    send_connected(s);  // M01: before what handlers emit
    sio_run_event(s, "connection", sio_auth(s), NULL);
}

/* The i-th one, the family's first; NULL behind the last. */
static const sio_bound *middleware_at(const sio_namespace *ns, size_t i)
{
    size_t n = ns->family == NULL ? 0 : ns->family->use.n;
    if (i < n)
        return &ns->family->use.at[i];
    return i - n < ns->use.n ? &ns->use.at[i - n] : NULL;
}

static const char middleware[] =
    "CONNECT refused: a middleware said so (look there, if it should not)";

/* For the log. */
static sio_about about(const sio_client *c, sio_span ns)
{
    sio_about a = sio_session_about(c->session);
    a.ns = ns;
    return a;
}

/* M04, M05: the error, with its data unless that is NULL; protocol 3 gets either, bare (V12). The
 * client may ask again (M06). */
static void refuse_socket(sio_socket *s, const char *message, sio_value data, const char *line)
{
    sio_server *io = s->ns->io;
    sio_value v = data;
    size_t n;
    io->net.stats.refused++;
    sio_log_text(&io->net, about(s->client, sio_ns_span(s->ns)), line);
    if (!sio_client_is_v3(s->client) && data != NULL)
        v = sio_make(io, "{'message': %s, 'data': %p}", message, data);
    else if (!sio_client_is_v3(s->client))
        v = sio_make(io, "{'message': %s}", message);
    else if (data == NULL)
        v = sio_make(io, "%s", message);
    if (v == NULL)
        v = sio_make(io, "{'message': 'error'}");  // its text was not UTF-8
    const char *json = sio_json(v, &n);
    sio_client_send(s->client, SIO_CONNECT_ERROR, sio_ns_span(s->ns), json, n);
    sio_socket_leave(s, "server namespace disconnect", NULL);
}

/* Whether the rest is left to sio_next. A middleware that took a handle and returns anything but
 * SIO_LATER has answered twice: it is the first answer that counts. */
static bool is_left(const sio_socket *s, const sio_event *e, const char *error)
{
    uint64_t next;
    if (error == SIO_LATER || e->admission == 0)
        return error == SIO_LATER;
    return !sio_owed_take(e->io, sio_handle(s), e->admission, SIO_OWED_ADMISSION, &next);
}

/* Runs the middlewares from number i on, and connects. */
static void run_middlewares(sio_socket *s, size_t i)
{
    sio_server *io = s->ns->io;
    for (const sio_bound *b; (b = middleware_at(s->ns, i)) != NULL; i++) {
        sio_value set[1] = { sio_auth(s) };
        sio_event e = { .io = io, .socket = s, .packet = &sio_no_packet, .set = set, .n_set = 1 };
        e.next = (uint32_t)i + 1;
        e.data = b->data;
        const char *error = b->fn.middleware(s, &e);
        if (error == SIO_LATER && e.admission == 0 && s->state == SIO_SOCKET_CONNECTING) {
            refuse_socket(s, "internal error", e.error_data,  // nobody could let it in any more
                          "CONNECT refused: a middleware returned SIO_LATER without a handle (call "
                          "sio_next_later before)");
            return;
        }
        if (s->state != SIO_SOCKET_CONNECTING || is_left(s, &e, error) || error == SIO_DROP)
            return;
        if (error != NULL) {
            refuse_socket(s, error, e.error_data, middleware);
            return;
        }
    }
    connected(s);
}

int(sio_next)(sio_admission a, const char *error, const char *template, ...)
{
    sio_server *io = a.io;
    uint64_t next;
    if (!sio_owed_take(io, a.socket, a.serial, SIO_OWED_ADMISSION, &next))
        return 0;
    sio_socket *s = sio_handle_get(&io->handles, a.socket);
    sio_scope_enter(&io->net);
    if (error != NULL) {
        sio_value data = NULL;
        sio_arguments args;
        va_start(args.ap, template);
        if (template[strspn(template, " ")] != '\0')
            data = sio_template_make(io, "sio_next", template, &args);
        va_end(args.ap);
        refuse_socket(s, error, data, middleware);
    } else {
        run_middlewares(s, (size_t)next);
    }
    sio_scope_leave(&io->net);
    return 0;
}

sio_admission sio_next_later(sio_event *event)
{
    sio_admission a = { .io = event->io };
    sio_socket *s = event->socket;
    if (event->next == 0 || event->admission != 0)
        return a;
    a.socket = sio_handle(s);
    a.serial = event->admission = sio_owed_new(s, SIO_OWED_ADMISSION, event->next);
    if (a.serial == 0 && s->state != SIO_SOCKET_GONE)  // nobody could let it in any more
        sio_client_violate(s->client, true, "there is no memory (give the server more)");
    return a;
}

sio_socket *sio_next_socket(sio_admission a)
{
    return sio_owed_is(a.io, a.socket, a.serial, SIO_OWED_ADMISSION)
               ? sio_handle_get(&a.io->handles, a.socket)
               : NULL;
}

int(sio_error_data)(sio_event *event, const char *template, ...)
{
    sio_arguments args;
    va_start(args.ap, template);
    sio_value v = sio_template_make(event->io, "sio_error_data", template, &args);
    va_end(args.ap);
    if (v == NULL)
        return sio_fail(EINVAL);
    event->error_data = v;
    return 0;
}

/* The namespace that a client asks for, or NULL: it gets a CONNECT_ERROR (S03, S04), in protocol 3 this
 * one too. */
static sio_namespace *wanted_namespace(sio_client *c, sio_span name, sio_span payload)
{
    static const char error[] = "{\"message\":\"Invalid namespace\"}";
    sio_server *io = sio_client_server(c);
    sio_namespace *ns = sio_namespace_find(io, name);
    const char *why = "there is no such namespace (call sio_of or sio_family)";
    if (c->n_sockets >= io->options.max_namespaces)
        why = "its client has joined max_namespaces (raise it)", ns = NULL;
    else if (ns == NULL && io->n_dynamic >= io->options.max_dynamic_namespaces)
        why = "max_dynamic_namespaces is reached (raise it, or set cleanup_empty_namespaces)";
    else if (ns == NULL)
        sio_families_ask(io, name, payload, &ns);
    if (ns != NULL)
        return ns;
    io->net.stats.refused++;
    sio_log_of(&io->net, about(c, name), "CONNECT refused: %s", why);
    sio_client_send(c, SIO_CONNECT_ERROR, name, error, sizeof error - 1);
    return NULL;
}

/* Whoever comes back is welcomed before the middlewares run: they see its rooms and data. */
static void on_connect(sio_client *c, sio_span name, sio_span auth)
{
    sio_keeper *keeper = sio_client_server(c)->keeper;
    if (name.n > SIO_NS_NAME) {  // S36
        sio_client_violate(
            c, false, "the name of a namespace is too long (have it at most SIO_NS_NAME bytes)");
        return;
    }
    if (sio_client_socket(c, name) != NULL) {  // S07, V13; who has left may join again: S14
        sio_client_violate(c, true, "it joins a namespace twice (have its client do it once)");
        return;
    }
    sio_namespace *ns = wanted_namespace(c, name, auth.n > 0 ? auth : SIO_SPAN("{}"));
    if (ns == NULL)
        return;
    sio_socket *s = c->over ? NULL : sio_socket_new(c, ns, auth);
    if (s == NULL) {
        sio_namespace_unused(ns);  // first: what ends with the client may do the same
        sio_client_violate(c, true, "there is no memory (give the server more)");
        return;
    }
    int welcome = keeper == NULL ? 0 : keeper->welcome(keeper, s);
    if (welcome < 0)
        sio_client_violate(c, true, "there is no memory (give the server more)");
    else if (welcome > 0)  // R10
        connected(s);
    else
        run_middlewares(s, 0);
}

/* V11: protocol 3 has the auth in the name, "/chat?token=x". Returns it as an object in the arena. */
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

/* 0: go on; else the event goes no further (M07). */
static int run_event_middlewares(sio_namespace *ns, sio_socket *s, sio_event *e)
{
    for (size_t i = 0; i < ns->use_event.n; i++) {
        const sio_bound *b = &ns->use_event.at[i];
        e->error_data = NULL;
        e->data = b->data;
        const char *error = b->fn.middleware(s, e);
        if (error == SIO_LATER) {
            sio_log(&ns->io->net, "event dropped: a middleware of sio_use_event returned SIO_LATER "
                                  "(only those of sio_use can)");
            error = SIO_DROP;
        }
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

/* Listeners to any event, then middlewares, then the handlers of its name (section 10 of PROTOCOL.md);
 * any of them may disconnect the socket, and then it goes no further. */
static void on_event(sio_socket *s, sio_event *e)
{
    sio_namespace *ns = s->ns, *family = ns->family;
    sio_span key = e->packet->index.element[0];
    if (family != NULL)
        sio_run_list(s, &family->any, e, false);
    if (ns->any.n > 0)
        sio_run_list(s, &ns->any, e, false);
    if (s->state != SIO_SOCKET_CONNECTED)
        return;
    if (family != NULL && run_event_middlewares(family, s, e) < 0)
        return;
    if (run_event_middlewares(ns, s, e) < 0)
        return;
    if (e->packet->escaped || e->renamed != NULL)
        key = sio_event_name(e);
    else if (key.p[0] == '"')
        key.p++, key.n -= 2;
    if (key.p != NULL)
        sio_run_handlers(s, false, key, e);
}

/* ---- Packets in -------------------------------------------------------------------------------------- */

/* The client's socket in a namespace; what comes for one that is not joined ends the connection (S06,
 * S09, S15, S27, B15). */
static sio_socket *joined_socket(sio_client *c, sio_span ns)
{
    sio_socket *s = sio_client_socket(c, ns);
    if (s != NULL && s->state == SIO_SOCKET_CONNECTED)
        return s;
    sio_client_violate(c, true,
                       "a packet is for a namespace that is not joined (have its client wait for "
                       "CONNECT's answer)");
    return NULL;
}

/* A packet that is complete. */
static void on_packet(sio_client *c, const sio_packet *k, const sio_span *blobs, size_t n_blobs)
{
    sio_span ns = k->ns, auth = k->json;
    if (k->type == SIO_CONNECT) {
        if (sio_client_is_v3(c))
            auth = split_query(sio_client_server(c), &ns);
        on_connect(c, ns, auth);
        return;
    }
    sio_socket *s = joined_socket(c, ns);
    if (s == NULL || s->leaving)
        return;
    sio_event e = {
        .io = s->ns->io, .socket = s, .packet = k, .blobs = blobs, .n_blobs = (uint32_t)n_blobs
    };
    if (k->type == SIO_DISCONNECT)
        sio_socket_leave(s, "client namespace disconnect", NULL);  // S12
    else if (k->type == SIO_EVENT || k->type == SIO_BINARY_EVENT)
        on_event(s, &e);
    else if (k->has_id)  // S29: an ACK without one is ignored
        sio_socket_acked(s, k->id, &e);
}

/* The bytes that it keeps. */
static size_t size_of(const partial *b)
{
    return sizeof *b + b->wanted * sizeof *b->blobs + b->size;
}

static void free_partial(const sio_memory *m, partial *b)
{
    if (b == NULL)
        return;
    sio_hold(m, 0, size_of(b));
    sio_deadline_clear(&b->deadline);
    for (size_t i = 0; i < b->got; i++)
        sio_free_mem(m, b->blobs[i].p);
    sio_free_mem(m, b->blobs);
    sio_free_mem(m, b);
}

/* Keeps the text of a packet until its attachments are there; not for whoever has not joined. */
static void begin_partial(sio_client *c, const sio_packet *k, const char *p, size_t n)
{
    sio_server *io = sio_client_server(c);
    const sio_memory *m = &io->net.memory;
    if (joined_socket(c, k->ns) == NULL)
        return;
    if (n > io->options.max_packet) {
        sio_client_violate(c, false, "a packet with its attachments exceeds max_packet (raise it)");
        return;
    }
    partial *b = sio_resize(m, NULL, sizeof *b + n);
    sio_span *blobs = sio_alloc(m, k->attachments * sizeof *blobs);
    if (b == NULL || blobs == NULL) {
        sio_free_mem(m, b);
        sio_free_mem(m, blobs);
        sio_client_violate(c, true, "there is no memory (give the server more)");
        return;
    }
    *b = (partial){ .client = c, .n = n, .wanted = k->attachments, .size = n, .blobs = blobs };
    memcpy(b->text, p, n);
    c->partial = b;
    sio_hold(m, size_of(b), 0);
    sio_deadline_set(&io->net.clock, &io->partial_fifo, &b->deadline);
}

/* B11 */
void sio_partial_expired(void *owner, sio_deadline *d)
{
    (void)owner;
    sio_client_violate(((partial *)(void *)d)->client, true,
                       "attachments did not come within request_timeout_ms (raise it)");
}

/* B03, B04, B16: whether each placeholder stands for an attachment that there is, and none for another's:
 * what is named a thousand times would be sent a thousand times. */
static bool check_placeholders(sio_server *io, sio_span json, size_t n_blobs)
{
    sio_span object;
    size_t at = 0;
    int64_t num;
    char *named = sio_arena_get(&io->net.arena, n_blobs);
    if (named == NULL)
        return false;
    memset(named, 0, n_blobs);
    while (sio_packet_placeholder(json, &at, &object, &num)) {
        if (num < 0 || (uint64_t)num >= n_blobs || named[num])
            return false;
        named[num] = 1;
    }
    return true;
}

/* All attachments are there (B01, B02). Its text is parsed again: what was found in it the first time lay
 * in the buffer of what was being read. */
static void end_partial(sio_client *c)
{
    sio_server *io = sio_client_server(c);
    partial *b = c->partial;
    sio_packet k;
    c->partial = NULL;  // what follows may end the client
    int bad =
        sio_packet_parse(b->text, b->n, io->options.max_attachments, io->options.max_depth, &k);
    if (bad < 0 || !check_placeholders(io, k.json, b->wanted))
        sio_client_violate(
            c, false, "a packet's placeholders don't fit its attachments (look at its client)");
    else
        on_packet(c, &k, b->blobs, b->wanted);
    free_partial(&io->net.memory, b);
}

/* It is copied, for it lies in the buffer of what is being read. */
static void on_attachment(sio_client *c, const char *p, size_t n)
{
    sio_server *io = sio_client_server(c);
    partial *b = c->partial;
    if (b == NULL) {  // B10
        sio_client_violate(c, false, "an attachment comes without a packet (look at its client)");
        return;
    }
    if (n > io->options.max_packet - b->size) {
        sio_client_violate(c, false, "a packet with its attachments exceeds max_packet (raise it)");
        return;
    }
    char *copy = sio_resize(&io->net.memory, NULL, n + 1);
    if (copy == NULL) {
        sio_client_violate(c, true, "there is no memory (give the server more)");
        return;
    }
    memcpy(copy, p, n);
    b->blobs[b->got++] = (sio_span){ copy, n };
    sio_hold(&io->net.memory, n, 0);
    b->size += n;
    if (b->got == b->wanted)
        end_partial(c);
}

static void on_text(sio_client *c, const char *p, size_t n)
{
    const sio_options *o = &sio_client_server(c)->options;
    sio_packet k;
    if (c->partial != NULL) {  // B09
        sio_client_violate(c, false,
                           "a packet comes while attachments are due (look at its client)");
    } else if (sio_packet_parse(p, n, o->max_attachments, o->max_depth, &k) < 0) {  // S23
        sio_client_violate(
            c, false,
            "a packet is malformed, or beyond max_attachments or max_depth (look at its client)");
    } else if (k.attachments > 0) {
        begin_partial(c, &k, p, n);
    } else {
        on_packet(c, &k, NULL, 0);
    }
}

static void on_message(void *owner, sio_session *session, bool text, const char *p, size_t n)
{
    sio_server *io = owner;
    sio_client *c = session->user;
    if (c == NULL || c->over)
        return;
    sio_scope_enter(&io->net);
    if (text)
        on_text(c, p, n);
    else
        on_attachment(c, p, n);
    sio_scope_leave(&io->net);
    if (io->net.depth == 0)  // nobody up the stack looks at sockets; one payload can bring many
        sio_sockets_bury(io);
}

/* ---- Clients ------------------------------------------------------------------------------------------ */

/* A client is there from the first packet on, though it joins no namespace: it has so long to do it. */
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
    sio_deadline_set(&io->net.clock, &io->connect_fifo, &joining->deadline);
    if (sio_client_is_v3(c)) {  // V02: joins "/" without being asked
        sio_scope_enter(&io->net);
        on_connect(c, SIO_SPAN("/"), SIO_NONE);
        sio_scope_leave(&io->net);
    }
}

static void on_close(void *owner, sio_session *session, const char *reason, const char *details)
{
    sio_server *io = owner;
    sio_client *c = session->user;
    if (c == NULL)
        return;
    stop_joining(c);
    c->over = true;
    session->user = NULL;
    sio_client_leave_all(c, reason, details, false);
    free_partial(&io->net.memory, c->partial);
    c->partial = NULL;
    c->u.next = io->dead_clients;
    io->dead_clients = c;
}

static size_t held_for(const sio_session *session)
{
    const sio_client *c = session->user;
    size_t held = c == NULL || c->partial == NULL ? 0 : size_of(c->partial);
    for (const sio_socket *s = c == NULL ? NULL : c->sockets; s != NULL; s = s->next)
        held += sio_socket_size(s);
    return held;
}

const sio_eio_events sio_client_events = {
    .open = on_open, .message = on_message, .close = on_close, .held = held_for
};

/* C01 to C03 */
void sio_connect_expired(void *owner, sio_deadline *d)
{
    sio_server *io = owner;
    sio_client *c = ((sio_joining *)(void *)d)->client;
    sio_log_of(
        &io->net, sio_session_about(c->session),
        "connection closed: it joined no namespace within connect_timeout_ms, %d (have its client "
        "send CONNECT, or raise it)",
        io->options.connect_timeout_ms);
    sio_session_end(c->session, "forced close");
}

void sio_clients_bury(sio_server *io)
{
    const sio_memory *m = &io->net.memory;
    while (io->dead_clients != NULL) {
        sio_client *c = io->dead_clients;
        io->dead_clients = c->u.next;
        sio_free_mem(m, c);
    }
}
