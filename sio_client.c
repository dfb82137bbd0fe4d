/* sio_client.c - sockets: one client in one namespace each
 * SPDX-License-Identifier: MIT
 *
 * A client (one Engine.IO session) has a list of sockets, one for each namespace that it asked for.
 * How they come and go, and what is sent to one client alone. Only this file, and those that stand
 * behind it, end sockets.
 *
 *     "disconnecting" -> saved for a later one -> out of all lists -> answers cancelled ->
 *     "disconnect" -> its data handed to who saved it -> freed
 *
 * What holds here:
 *  - "disconnect" runs exactly once for each "connection", whoever ends it and from wherever.
 *  - A socket that left is in no list, table or room; its data is released and it is freed when the
 *    outermost callback has returned, or the turn ends: nobody up the stack loses what it looks at. */
#include "sio_core.h"

#include <string.h>

enum { ID_BYTES = 15, ID_CHARS = 20 };

/* ---- Packets out ----------------------------------------------------------------------------------- */

sio_server *sio_client_server(const sio_client *c)
{
    return c->session->eio->owner;
}

void sio_client_send(sio_client *c, unsigned type, sio_span ns, const char *json, size_t n)
{
    sio_out *out = &sio_client_server(c)->net.out;
    char head[2] = { '4', (char)('0' + type) };
    sio_ref ref;
    if (c->over)
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

bool sio_client_is_v3(const sio_client *c)
{
    return c->session->protocol == 3;
}

/* ---- Sockets come and go --------------------------------------------------------------------------- */

void sio_client_violate(sio_client *c, bool state, const char *what)
{
    if (c->over)
        return;
    sio_client_server(c)->net.stats.parse_errors++;
    sio_log_of(&sio_client_server(c)->net, sio_session_about(c->session), "connection closed: %s",
               what);
    bool told = !state || sio_session_reachable(c->session);  // D05
    sio_session_end(c->session, told ? "forced close" : "forced server close");
}

/* Takes a socket out of everything; it is freed when nobody up the stack can have it. */
static void bury_socket(sio_socket *s)
{
    sio_namespace *ns = s->ns;
    sio_server *io = ns->io;
    sio_socket **at = &s->client->sockets;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->client->n_sockets--;
    sio_rooms_leave_all(s);
    if (s->state == SIO_SOCKET_CONNECTED) {
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

/* D04: rooms and answers go between the two events. */
void sio_socket_leave(sio_socket *s, const char *reason, const char *details)
{
    sio_server *io = s->ns->io;
    sio_namespace *ns = s->ns;
    if (s->state == SIO_SOCKET_GONE || s->leaving)
        return;
    s->leaving = true;
    bool was_connected = s->state == SIO_SOCKET_CONNECTED;
    sio_scope_enter(&io->net);
    sio_value why = sio_make(io, "%s", reason);
    sio_value what = details == NULL ? NULL : sio_make(io, "%s", details);
    if (was_connected)
        sio_run_event(s, "disconnecting", why, what);
    if (was_connected && io->keeper != NULL)
        io->keeper->save(io->keeper, s, reason);
    bury_socket(s);
    sio_awaited_cancel(s);
    if (was_connected)
        sio_run_event(s, "disconnect", why, what);
    ns->users--;
    sio_namespace_unused(ns);
    sio_scope_leave(&io->net);
}

/* One that is leaving goes when its handlers of "disconnecting", one of which called, have returned. */
void sio_client_leave_all(sio_client *c, const char *reason, const char *details, bool told)
{
    sio_socket *s = c->sockets;
    while (s != NULL) {
        if (s->leaving) {
            s = s->next;
            continue;
        }
        if (told)
            sio_client_send(c, SIO_DISCONNECT, sio_ns_span(s->ns), "", 0);
        sio_socket_leave(s, reason, details);
        s = c->sockets;
    }
}

void sio_end_connection(sio_socket *s)
{
    if (s != NULL && !s->client->over)
        sio_session_end(s->client->session, "forced close");
}

void sio_disconnect(sio_socket *s, bool close)
{
    if (s == NULL || s->state == SIO_SOCKET_GONE || s->leaving)
        return;
    sio_client *c = s->client;
    if (!close) {  // D01
        sio_client_send(c, SIO_DISCONNECT, sio_ns_span(s->ns), "", 0);
        sio_socket_leave(s, "server namespace disconnect", NULL);
        return;
    }
    sio_client_leave_all(c, "server namespace disconnect", NULL, true);  // D02
    sio_end_connection(s);
}

sio_socket *sio_client_socket(const sio_client *c, sio_span ns)
{
    sio_socket *s = c->sockets;
    while (s != NULL && (s->ns->node.n != ns.n || memcmp(s->ns->name, ns.p, ns.n) != 0))
        s = s->next;
    return s;
}

/* Sets the socket's id: random (S10), or in protocol 3 the session's, with "/chat#" in front where its
 * namespace is not "/" (section 12). */
static bool set_id(sio_socket *s)
{
    sio_net *net = &s->ns->io->net;
    unsigned char bytes[ID_BYTES];
    size_t n = s->ns->node.n;
    s->node.key = s->id, s->node.n = ID_CHARS;
    if (!sio_client_is_v3(s->client)) {
        if (sio_loop_random(net->loop, bytes, sizeof bytes) < 0)
            return false;
        sio_base64url_encode(bytes, sizeof bytes, s->id);
        return true;
    }
    memcpy(s->id, s->client->session->sid, sizeof s->id);
    if (n == 1)
        return true;
    char *long_id = sio_resize(&net->memory, NULL, n + 1 + sizeof s->id);
    if (long_id == NULL)
        return false;
    memcpy(long_id, s->ns->name, n);
    long_id[n] = '#';
    memcpy(long_id + n + 1, s->id, sizeof s->id);
    s->node.key = long_id, s->node.n = (uint32_t)n + 1 + ID_CHARS;
    return true;
}

size_t sio_socket_size(const sio_socket *s)
{
    const char *auth = s->more == NULL ? NULL : s->more->auth;
    return sizeof *s + (auth == NULL ? 0 : strlen(auth) + 1);
}

static void free_socket(sio_socket *s)
{
    const sio_memory *m = &s->ns->io->net.memory;
    sio_hold(m, 0, sio_socket_size(s));
    if (s->node.key != s->id)
        sio_free_mem(m, s->node.key);
    sio_free_mem(m, s->rooms);
    if (s->more != NULL)
        sio_free_mem(m, s->more->auth);
    sio_free_mem(m, s->more);
    sio_free_mem(m, s);
}

/* S11 */
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
    sio_hold(&s->ns->io->net.memory, auth.n + 1, 0);
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
    sio_scope_enter(&io->net);
    release_old(old);
    sio_scope_leave(&io->net);
}

sio_socket *sio_socket_new(sio_client *c, sio_namespace *ns, sio_span auth)
{
    sio_server *io = sio_client_server(c);
    sio_socket *s = sio_alloc(&io->net.memory, sizeof *s);
    if (s == NULL)
        return NULL;
    s->client = c, s->ns = ns;
    sio_hold(&io->net.memory, sizeof *s, 0);
    uint64_t handle = set_id(s) && keep_auth(s, auth) ? sio_handle_new(&io->handles, s) : 0;
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
        if (io->keeper != NULL && s->more != NULL)  // not before: whoever has it may set other data
            io->keeper->save_data(io->keeper, s);
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

void sio_set_data(sio_socket *s, void *data, void (*release)(void *data))
{
    if (s != NULL && s->data == data)
        s->release = release;
    else if (s != NULL)
        set_data(s, data, release);
}

static void disconnect_visitor(sio_socket *s, void *data)
{
    sio_disconnect(s, *(bool *)data);
}

int sio_disconnect_sockets(sio_target t, bool close)
{
    if (sio_target_check(&t, "a visit of", "sockets") < 0)
        return -1;
    if (sio_target_change(&t, close ? SIO_END_ALL : SIO_END, NULL, 0))
        return 0;
    return sio_each(t, disconnect_visitor, &close);
}
