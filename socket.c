/* socket.c - sockets: one client in one namespace each
 * SPDX-License-Identifier: MIT
 *
 * A client (one Engine.IO session) has a list of sockets, one for each namespace that it asked for.
 * How they come and go, what is sent to one client, and what a socket can tell of itself.
 *
 * What holds here:
 *  - "disconnect" runs exactly once for each "connection", whoever ends it and from wherever.
 *  - A socket that left is in no list, table or room; its data is released and it is freed when the
 *    outermost callback has returned, or the turn ends: nobody up the stack loses what it looks at. */
#include "layers.h"

#include <string.h>

enum { ID_BYTES = 15 };

/* ---- Packets out ----------------------------------------------------------------------------------- */

sio_server *sio_client_server(const sio_client *c)
{
    return c->session->eio->owner;
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

void sio_client_send(sio_client *c, unsigned type, sio_span ns, const char *json, size_t n)
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
    if (!sio_out_end(out, &ref)) {
        sio_session_break(c->session);
        return;
    }
    sio_session_frames(c->session, ref);
    sio_ref_release(ref);
}

sio_span sio_ns_span(const sio_namespace *ns)
{
    return (sio_span){ ns->name, ns->node.n };
}

bool sio_client_is_v3(const sio_client *c)
{
    return c->session->protocol == 3;
}

/* ---- Sockets come and go --------------------------------------------------------------------------- */

void sio_client_violate(sio_client *c, bool state, const char *what)
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

/* Takes a socket out of everything; it is freed when nobody up the stack can have it. */
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
    if (was_connected)
        sio_recovery_save(s, reason);
    bury_socket(s);
    sio_awaited_cancel(s);
    if (was_connected)
        sio_run_event(s, "disconnect", why, NULL);
    ns->users--;
    sio_namespace_unused(ns);
    sio_leave_callback(io);
}

void sio_client_leave_all(sio_client *c, const char *reason)
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
        sio_client_send(c, SIO_DISCONNECT, sio_ns_span(s->ns), "", 0);
        sio_socket_leave(s, "server namespace disconnect");
        return;
    }
    for (sio_socket *each = c->sockets; each != NULL; each = c->sockets) {
        if (each->leaving)
            break;  // a handler of "disconnecting" called
        sio_client_send(c, SIO_DISCONNECT, sio_ns_span(each->ns), "", 0);
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

sio_socket *sio_client_socket(const sio_client *c, sio_span ns)
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
    if (sio_client_is_v3(c)) {
        memcpy(s->id, c->session->sid, c->session->node.n);
    } else {
        if (sio_loop_random(sio_client_server(c)->net.loop, bytes, sizeof bytes) < 0)
            return false;
        sio_base64url_encode(bytes, sizeof bytes, s->id);
    }
    s->id[20] = '\0';
    s->node.key = s->id, s->node.n = 20;
    if (!sio_client_is_v3(c) || s->ns->node.n == 1)
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

/* Sets other data, then releases what was there. */
static void set_data(sio_socket *s, void *data, void (*release)(void *data))
{
    sio_server *io = s->ns->io;
    void (*release_old)(void *data) = s->release;
    void *old = s->data;
    s->data = data;  // first: release_old may look at it, or set it as well
    s->release = release;
    if (release_old == NULL)
        return;
    sio_enter(io);
    release_old(old);
    sio_leave_callback(io);
}

sio_socket *sio_socket_new(sio_client *c, sio_namespace *ns, sio_span auth)
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

void sio_sockets_bury(sio_server *io)
{
    while (io->dead_sockets != NULL) {
        sio_socket *s = io->dead_sockets;
        io->dead_sockets = s->next;
        sio_handle_free(&io->handles, sio_handle(s));
        sio_recovery_save_data(s);  // not before: whoever has the socket may set other data
        while (s->release != NULL)  // again: it may set other data
            set_data(s, NULL, NULL);
        free_socket(s);
    }
    while (io->dead_namespaces != NULL) {
        sio_namespace *ns = io->dead_namespaces;
        io->dead_namespaces = ns->next;
        sio_namespace_free(ns);
    }
}

/* ---- What a socket can tell ----------------------------------------------------------------------- */

const char *sio_id(const sio_socket *s)
{
    return s->node.key;
}

sio_namespace *sio_ns(const sio_socket *s)
{
    return s->ns;
}

sio_server *sio_socket_server(const sio_socket *s)
{
    return s->ns->io;
}

bool sio_connected(const sio_socket *s)
{
    return s->state == SIO_SOCKET_CONNECTED;
}

bool sio_recovered(const sio_socket *s)
{
    return s->recovered;
}

const char *sio_transport(const sio_socket *s)
{
    return s->client->session->state == SIO_SESSION_WEBSOCKET || s->client->session->polling == NULL
               ? "websocket"
               : "polling";
}

int sio_protocol(const sio_socket *s)
{
    return s->client->session->protocol;
}

uint64_t sio_handle(const sio_socket *s)
{
    return sio_handle_at(&s->ns->io->handles, s->slot);
}

sio_socket *sio_socket_of(sio_server *io, uint64_t handle)
{
    sio_socket *s = sio_handle_get(&io->handles, handle);
    return s != NULL && s->state == SIO_SOCKET_CONNECTED ? s : NULL;
}

sio_socket *sio_socket_by_id(const sio_namespace *ns, const char *id)
{
    return (sio_socket *)sio_table_find(&ns->ids, id, strlen(id));
}

void sio_set_data(sio_socket *s, void *data, void (*release)(void *data))
{
    if (s->data == data)
        s->release = release;
    else
        set_data(s, data, release);
}

void *sio_data(const sio_socket *s)
{
    return s->data;
}

size_t sio_pending(const sio_socket *s)
{
    return sio_session_pending(s->client->session);
}

static const sio_handshake *handshake_of(const sio_socket *s)
{
    return s->client->session->handshake;
}

const char *sio_address(const sio_socket *s)
{
    return handshake_of(s)->text;
}

const char *sio_url(const sio_socket *s)
{
    const char *address = handshake_of(s)->text;
    return address + strlen(address) + 1;
}

const char *sio_header(sio_socket *s, const char *name)
{
    return sio_handshake_header(handshake_of(s), name, &s->ns->io->net.arena);
}

bool sio_xdomain(sio_socket *s)
{
    const char *origin = sio_header(s, "origin");
    return origin != NULL && *origin != '\0';
}

bool sio_secure(const sio_socket *s)
{
    return handshake_of(s)->secure;
}

int64_t sio_issued(const sio_socket *s)
{
    return handshake_of(s)->issued;
}

sio_value sio_auth(sio_socket *s)
{
    sio_span auth = SIO_SPAN("{}");
    if (s->more != NULL && s->more->auth != NULL)
        auth = (sio_span){ s->more->auth, strlen(s->more->auth) };
    return sio_value_new(s->ns->io, SIO_VALUE_JSON, auth, NULL, 0);
}

/* ---- Queries --------------------------------------------------------------------------------------- */

enum { MAX_PARAMETERS = 200 };  // names of a query that sio_query shows

/* A name of a query, decoded, and the value of its last appearance, which is not. */
typedef struct parameter {
    sio_node node;  // first
    struct parameter *next;
    sio_span value;
} parameter;

sio_span sio_repair_text(sio_arena *arena, sio_span s)
{
    size_t good = sio_utf8_prefix(s.p, s.n), n = 0;
    if (good == s.n)
        return s;
    char *text = sio_arena_get(arena, s.n * 3);
    while (text != NULL && s.n > 0) {
        memcpy(text + n, s.p, good);
        s.p += good, s.n -= good, n += good;
        if (s.n > 0) {
            memcpy(text + n, "\xef\xbf\xbd", 3);
            s.p++, s.n--, n += 3;
        }
        good = sio_utf8_prefix(s.p, s.n);
    }
    return (sio_span){ text, n };
}

static parameter *add_parameter(sio_table *names, sio_arena *arena, sio_span name)
{
    parameter *q = sio_arena_get(arena, sizeof *q);
    if (q == NULL)
        return NULL;
    *q = (parameter){ .node = { .key = name.p, .n = (uint32_t)name.n } };
    return sio_table_add(names, &q->node) ? q : NULL;
}

/* Lists a query's parameters in the order of their first appearance. text has room for their names.
 * False: no memory. */
static bool read_query(sio_server *io, sio_span query, char *text, parameter **first)
{
    sio_table names = { .memory = &io->net.memory };
    sio_span name, value;
    bool good = true;
    while (good && sio_http_query_next(&query, &name, &value)) {
        name = (sio_span){ text, sio_http_decode(name, text) };
        parameter *q = (parameter *)sio_table_find(&names, name.p, name.n);
        if (q == NULL && names.count < MAX_PARAMETERS) {
            q = *first = add_parameter(&names, &io->net.arena, name);
            good = q != NULL;
            first = good ? &q->next : first;
            text += name.n;
        }
        if (q != NULL)
            q->value = value;
    }
    sio_table_free(&names);
    return good;
}

static void put_decoded(sio_sink *sink, sio_arena *arena, sio_span bytes)
{
    sio_span text = sio_repair_text(arena, bytes);
    sink->failed |= text.p == NULL;
    sio_put(sink, "\"", 1);
    sio_json_put_escaped(sink, text.p, text.n);
    sio_put(sink, "\"", 1);
}

sio_value sio_query_object(sio_server *io, sio_span query)
{
    sio_arena *arena = &io->net.arena;
    char *names = sio_arena_get(arena, query.n + 1), *text = sio_arena_get(arena, query.n + 1);
    parameter *q = NULL;
    if (names == NULL || text == NULL || !read_query(io, query, names, &q))
        return NULL;
    sio_textbuf t = sio_text_new(&io->net.memory);
    sio_put(&t.sink, "{", 1);
    for (; q != NULL; q = q->next) {
        if (t.sink.n > 1)
            sio_put(&t.sink, ",", 1);
        put_decoded(&t.sink, arena, (sio_span){ q->node.key, q->node.n });
        sio_put(&t.sink, ":", 1);
        put_decoded(&t.sink, arena, (sio_span){ text, sio_http_decode(q->value, text) });
    }
    sio_put(&t.sink, "}", 1);
    char *copy = t.sink.failed ? NULL : sio_arena_get(arena, t.sink.n);
    if (copy != NULL)
        memcpy(copy, t.sink.p, t.sink.n);
    sio_span json = { copy, t.sink.n };
    sio_text_free(&t);
    return copy == NULL ? NULL : sio_value_new(io, SIO_VALUE_JSON, json, NULL, 0);
}

sio_value sio_query(sio_socket *s)
{
    const char *url = sio_url(s);
    return sio_query_object(s->ns->io, sio_http_target_query((sio_span){ url, strlen(url) }));
}
