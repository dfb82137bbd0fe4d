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
    if (!sio_out_end(out, &ref))
        return;
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
    bool saved = was_connected && sio_recovery_save(s, reason);
    bury_socket(s);
    sio_awaited_cancel(s);
    if (was_connected)
        sio_run_event(s, "disconnect", why, NULL);
    if (saved)
        sio_recovery_save_data(s);  // last: handlers may set other data
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

/* Bytes as text: what is not UTF-8 becomes U+FFFD, as decoders of queries do. */
static void put_lax(sio_sink *sink, const char *p, size_t n)
{
    while (n > 0) {
        size_t good = sio_utf8_prefix(p, n);
        sio_json_put_escaped(sink, p, good);
        p += good, n -= good;
        if (n > 0) {
            sio_put_text(sink, "\xef\xbf\xbd");
            p++, n--;
        }
    }
}

/* Whether the rest of a query names it again: then the later one counts. */
static bool comes_again(sio_span rest, const char *name, size_t n, char *scratch)
{
    sio_span other, value;
    while (sio_http_query_next(&rest, &other, &value))
        if (other.n >= n && sio_http_decode(other, scratch) == n && memcmp(scratch, name, n) == 0)
            return true;
    return false;
}

sio_value sio_query_object(sio_server *io, sio_span query)
{
    sio_textbuf t = sio_text_new(&io->net.memory);
    char *text = sio_arena_get(&io->net.arena, query.n + 1);
    char *scratch = sio_arena_get(&io->net.arena, query.n + 1);
    sio_span name, value;
    sio_put(&t.sink, "{", 1);
    for (int left = 200;
         text != NULL && scratch != NULL && left > 0 && sio_http_query_next(&query, &name, &value);
         left--) {
        size_t n = sio_http_decode(name, text);
        if (comes_again(query, text, n, scratch))
            continue;
        sio_put_text(&t.sink, t.sink.n > 1 ? ",\"" : "\"");
        put_lax(&t.sink, text, n);
        sio_put_text(&t.sink, "\":\"");
        put_lax(&t.sink, text, sio_http_decode(value, text));
        sio_put(&t.sink, "\"", 1);
    }
    sio_put(&t.sink, "}", 1);
    char *copy = t.sink.failed ? NULL : sio_arena_get(&io->net.arena, t.sink.n);
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
