/* web_raw.c - plain WebSocket (RFC 6455) and plain Engine.IO endpoints beside Socket.IO
 * SPDX-License-Identifier: MIT
 *
 *     handshake --> open, in e->sockets --> close, in e->dead --> freed
 *
 * A plain WebSocket is pinged each ping_interval_ms (5.5.2). Any frame is an answer; none within
 * ping_timeout_ms ends it. A message that comes in several frames has request_timeout_ms.
 *
 * What holds here: a handler's "close" is called exactly once for each "open", and the object it is
 * called for is freed when the turn ends. */
#include "sio_core.h"

#include <errno.h>

/* ---- Plain WebSocket -------------------------------------------------------------------------------- */

typedef struct ws_endpoint {
    sio_part part;  // first
    sio_mount mount;
    sio_server *io;
    sio_ws_handlers handlers;
    sio_ws_events events;
    sio_ws *sockets, *dead;
    sio_fifo ping_fifo, pong_fifo, message_fifo;
    size_t path_n;
    char path[];
} ws_endpoint;

struct sio_ws {
    ws_endpoint *endpoint;
    sio_conn *conn;
    sio_ws *prev, *next;
    void *data;
    sio_deadline beat;     // of the next ping; pinged: of the answer
    sio_deadline message;  // of one that has begun
    bool over, pinged;
    sio_handshake *handshake;
    // Behind it, where rates are limited: its sio_meter
};

/* Ends it: its handler hears of it, and it is freed when the turn ends. */
static void end_ws(sio_ws *ws, int code, bool clean)
{
    ws_endpoint *e = ws->endpoint;
    if (ws->over)
        return;
    ws->over = true;
    sio_deadline_clear(&ws->beat);
    sio_deadline_clear(&ws->message);
    if (ws->prev != NULL)
        ws->prev->next = ws->next;
    else
        e->sockets = ws->next;
    if (ws->next != NULL)
        ws->next->prev = ws->prev;
    sio_scope_enter(&e->io->net);
    if (e->handlers.close != NULL)
        e->handlers.close(ws, code, clean);
    sio_scope_leave(&e->io->net);
    ws->next = e->dead;
    e->dead = ws;
}

/* Encodes one frame; type: the letter in front of a text, or "". 0 or -1. */
static int encode(sio_net *net, unsigned char op, const char *type, const void *p, size_t n,
                  sio_ref *ref)
{
    sio_out *out = &net->out;
    if (op == SIO_WS_TEXT && sio_utf8_prefix(p, n) != n)
        return sio_fail(EINVAL);
    sio_out_begin(out);
    sio_out_frame(out);
    if (op == SIO_WS_TEXT)
        sio_put_text(&out->sink, type);
    sio_put(&out->sink, p, n);
    sio_out_frame_end(out, op);
    return sio_out_end(out, ref) ? 0 : sio_fail(ENOMEM);
}

static sio_about about(const sio_ws *ws)
{
    return (sio_about){ .address = { ws->handshake->text, strlen(ws->handshake->text) },
                        .path = { ws->endpoint->path, ws->endpoint->path_n } };
}

static void set_beat(sio_ws *ws, bool pinged)
{
    ws_endpoint *e = ws->endpoint;
    ws->pinged = pinged;
    sio_deadline_set(&e->io->net.clock, pinged ? &e->pong_fifo : &e->ping_fifo, &ws->beat);
}

static void on_ws_ping_due(void *owner, sio_deadline *d)
{
    ws_endpoint *e = owner;
    sio_ws *ws = (sio_ws *)(void *)((char *)d - offsetof(sio_ws, beat));
    sio_ref ref;
    bool encoded = encode(&e->io->net, SIO_WS_PING, "", NULL, 0, &ref) == 0;
    set_beat(ws, encoded);  // without memory the client can't know that it was asked
    if (!encoded)
        return;
    sio_conn_send(ws->conn, ref);
    sio_ref_release(ref);
}

static void on_ws_silence(void *owner, sio_deadline *d)
{
    ws_endpoint *e = owner;
    sio_ws *ws = (sio_ws *)(void *)((char *)d - offsetof(sio_ws, beat));
    e->io->net.stats.ping_timeouts++;
    sio_log_of(
        &e->io->net, about(ws),
        "websocket closed: no frame came for %lld ms behind a ping (raise ping_timeout_ms, if "
        "its network is slow and not gone)",
        (long long)e->pong_fifo.length);
    sio_conn_end(ws->conn, false);  // which tells on_ws_close
}

static void on_ws_message_late(void *owner, sio_deadline *d)
{
    ws_endpoint *e = owner;
    sio_ws *ws = (sio_ws *)(void *)((char *)d - offsetof(sio_ws, message));
    sio_log_of(&e->io->net, about(ws),
               "websocket closed: %d, a message in several frames took longer than "
               "request_timeout_ms, %d (raise it, or send it faster)",
               SIO_WS_POLICY, e->io->options.request_timeout_ms);
    sio_conn_close(ws->conn, SIO_WS_POLICY);
    end_ws(ws, SIO_WS_POLICY, false);
}

/* Counts a frame of n bytes, where rates are limited. False: it is too much, and ws is closed. */
static bool count_frame(sio_ws *ws, size_t n)
{
    sio_net *net = &ws->endpoint->io->net;
    sio_meter *m = (sio_meter *)(ws + 1);
    if (!net->metered)
        return true;
    const char *option = sio_meter_client(net, m, 1, n);
    if (option == NULL)
        option = sio_meter_address(net, &m->ip, 1, n);
    if (option == NULL)
        return true;
    sio_meter_tell(net, about(ws), "websocket closed: 1008", option);
    sio_conn_close(ws->conn, SIO_WS_POLICY);
    end_ws(ws, SIO_WS_POLICY, false);
    return false;
}

static bool on_ws_frame(void *owner, bool part, size_t n)
{
    sio_ws *ws = owner;
    ws_endpoint *e = ws->endpoint;
    if (!count_frame(ws, n))
        return false;
    if (ws->pinged)
        set_beat(ws, false);
    if (part && ws->message.next == NULL)
        sio_deadline_set(&e->io->net.clock, &e->message_fifo, &ws->message);
    return true;
}

static void on_ws_message(void *owner, bool text, const char *p, size_t n)
{
    sio_ws *ws = owner;
    const ws_endpoint *e = ws->endpoint;
    sio_deadline_clear(&ws->message);
    sio_scope_enter(&e->io->net);
    if (e->handlers.message != NULL)
        e->handlers.message(ws, text, p, n);
    sio_scope_leave(&e->io->net);
}

static size_t held(const void *owner)
{
    return sio_handshake_size(((const sio_ws *)owner)->handshake);
}

static void tell_about(const void *owner, sio_about *known)
{
    *known = about(owner);
}

static void on_ws_close(void *owner, int code, bool clean)
{
    end_ws(owner, code, clean && code != SIO_WS_ABNORMAL);
}

static void free_ws(const sio_memory *m, sio_ws *ws)
{
    sio_handshake_free(m, ws->handshake);
    sio_free_mem(m, ws);
}

/* Asks the application. False: it refused, and x is answered, or gone. */
static bool ask_allow(ws_endpoint *e, sio_exchange *x, const sio_http_head *head)
{
    sio_net *net = &e->io->net;
    sio_conn *c = x->conn;
    if (e->handlers.allow == NULL)
        return true;
    sio_scope_enter(net);
    const char *refusal = e->handlers.allow(x);
    bool answers = sio_conn_answers(c);
    if (refusal != NULL && answers) {
        const char *text = *refusal == '\0' ? "Forbidden" : refusal;
        sio_websocket_refused(c, head, "its handler allow said so (look there, if it should not)");
        sio_respond_last(x, 403, "text/plain; charset=utf-8", SIO_NONE,
                         (sio_span){ text, strlen(text) });
    }
    sio_scope_leave(net);  // behind the answer: the message may be in the arena
    return refusal == NULL && answers;
}

static bool may_open(ws_endpoint *e, sio_exchange *x, const sio_http_head *head)
{
    if (!sio_origin_allowed(&e->io->options, head)) {  // 10.2
        sio_websocket_refused(x->conn, head,
                              "its origin is not one of the option origins (add it there)");
        sio_respond_last(x, 400, "text/html", SIO_NONE, SIO_SPAN("Forbidden"));
        return false;
    }
    return sio_websocket_check(x, head) && ask_allow(e, x, head);  // 4.2.1
}

/* The object is there before the 101 is, so that the connection has its owner at once; the handler
 * hears of it when it can send. */
static void on_ws_head(void *owner, sio_exchange *x, const sio_http_head *head, sio_span raw)
{
    ws_endpoint *e = owner;
    sio_net *net = &e->io->net;
    const sio_conn *c = x->conn;
    (void)raw;
    if (!may_open(e, x, head))
        return;
    sio_ws *ws = sio_alloc(&net->memory, sizeof *ws + sio_meter_size(net));
    if (ws != NULL)
        ws->handshake = sio_handshake_new(x->conn, head);
    if (ws == NULL || ws->handshake == NULL) {
        sio_free_mem(&net->memory, ws);
        sio_websocket_refused(c, head, "there is no memory for it (give the server more)");
        sio_respond_last(x, 503, NULL, SIO_NONE, SIO_NONE);
        return;
    }
    ws->endpoint = e;
    ws->data = e->handlers.data;
    if (net->metered)
        ((sio_meter *)(ws + 1))->ip = sio_client_ip(x->conn, head);
    ws->conn = sio_conn_upgrade(x, head, &e->events, ws);
    if (ws->conn == NULL) {
        sio_websocket_refused(
            c, head,
            "an earlier request of its connection still waits, or there is no memory "
            "(have its client wait)");
        free_ws(&net->memory, ws);
        return;
    }
    ws->next = e->sockets;
    if (ws->next != NULL)
        ws->next->prev = ws;
    e->sockets = ws;
    set_beat(ws, false);
    sio_scope_enter(net);
    if (e->handlers.open != NULL)
        e->handlers.open(ws);
    sio_scope_leave(net);
}

static const sio_endpoint ws_http_endpoint = { .head = on_ws_head };

/* A route of the same path comes first: it takes no handshakes, but other upgrades, which a server may
 * leave alone (RFC 9110, 7.8). */
static unsigned fits(const sio_mount *m, const sio_http_head *head, sio_span path)
{
    const ws_endpoint *e = m->owner;
    bool here = path.n == e->path_n && memcmp(path.p, e->path, path.n) == 0;
    return here && head->upgrade ? SIO_FITS_ENDPOINT : SIO_FITS_NOT;
}

static void bury_dead(sio_part *p)
{
    ws_endpoint *e = (ws_endpoint *)(void *)p;
    while (e->dead != NULL) {
        sio_ws *ws = e->dead;
        e->dead = ws->next;
        free_ws(&e->io->net.memory, ws);
    }
}

static void close_sockets(sio_part *p, const char *reason)
{
    ws_endpoint *e = (ws_endpoint *)(void *)p;
    (void)reason;
    while (e->sockets != NULL)
        sio_ws_close(e->sockets, 1001);  // RFC 6455, 7.4.1: going away
}

static void free_ws_endpoint(sio_part *p)
{
    ws_endpoint *e = (ws_endpoint *)(void *)p;
    sio_clock *clock = &e->io->net.clock;
    sio_fifo_remove(clock, &e->ping_fifo);
    sio_fifo_remove(clock, &e->pong_fifo);
    sio_fifo_remove(clock, &e->message_fifo);
    sio_free_mem(&e->io->net.memory, e);
}

int sio_websocket(sio_server *io, const char *path, const sio_ws_handlers *handlers)
{
    const sio_options *o = &io->options;
    if (path == NULL || path[0] != '/' || handlers == NULL)
        return sio_fail(EINVAL);
    size_t n = strlen(path);
    ws_endpoint *e = sio_alloc(&io->net.memory, sizeof *e + n + 1);
    if (e == NULL)
        return sio_fail(ENOMEM);
    memcpy(e->path, path, n);
    e->path_n = n;
    e->io = io;
    e->handlers = *handlers;
    e->events = (sio_ws_events){ .message = on_ws_message,
                                 .close = on_ws_close,
                                 .max_message = o->max_payload,
                                 .frame = on_ws_frame,
                                 .held = held,
                                 .about = tell_about };
    sio_clock *clock = &io->net.clock;
    sio_fifo_init(clock, &e->ping_fifo, o->ping_interval_ms, on_ws_ping_due, e);
    sio_fifo_init(clock, &e->pong_fifo, o->ping_timeout_ms, on_ws_silence, e);
    sio_fifo_init(clock, &e->message_fifo, o->request_timeout_ms, on_ws_message_late, e);
    e->part = (sio_part){
        .bury = bury_dead, .stop = close_sockets, .close = close_sockets, .free = free_ws_endpoint
    };
    sio_part_add(io, &e->part);
    e->mount = (sio_mount){
        .fits = fits, .endpoint = &ws_http_endpoint, .owner = e, .data = handlers->data
    };
    sio_mount_add(&io->net, &e->mount);
    return 0;
}

static const ws_endpoint *find_ws(const sio_server *io, const char *path)
{
    for (const sio_mount *m = io->net.mounts; m != NULL; m = m->next)
        if (m->endpoint == &ws_http_endpoint &&
            strcmp(((const ws_endpoint *)m->owner)->path, path) == 0)
            return m->owner;
    return NULL;
}

int sio_ws_send(sio_ws *ws, bool text, const void *p, size_t n)
{
    sio_ref ref;
    if (ws->over)
        return sio_fail(EPIPE);
    unsigned char op = text ? SIO_WS_TEXT : SIO_WS_BINARY;
    if (encode(&ws->endpoint->io->net, op, "", p, n, &ref) < 0)
        return -1;
    bool queued = sio_conn_send(ws->conn, ref);
    sio_ref_release(ref);
    return queued ? 0 : sio_fail(EPIPE);
}

int sio_ws_broadcast(sio_server *io, const char *path, bool text, const void *p, size_t n)
{
    const ws_endpoint *e = path == NULL ? NULL : find_ws(io, path);
    sio_ref ref;
    if (e == NULL)
        return sio_fail(path == NULL ? EINVAL : ENOENT);
    if (encode(&io->net, text ? SIO_WS_TEXT : SIO_WS_BINARY, "", p, n, &ref) < 0)
        return -1;
    for (sio_ws *ws = e->sockets; ws != NULL; ws = ws->next)
        sio_conn_send(ws->conn, ref);
    sio_ref_release(ref);
    return 0;
}

int sio_ws_close(sio_ws *ws, int code)
{
    if (code != SIO_WS_NO_CODE && !sio_ws_is_code(code))
        return sio_fail(EINVAL);
    if (ws->over)
        return 0;
    sio_conn_close(ws->conn, code);
    end_ws(ws, code == SIO_WS_NO_CODE ? SIO_WS_NO_STATUS : code, true);
    return 0;
}

sio_server *sio_ws_server(const sio_ws *ws)
{
    return ws->endpoint->io;
}

const char *sio_ws_url(const sio_ws *ws)
{
    return sio_handshake_url(ws->handshake);
}

const char *sio_ws_address(const sio_ws *ws)
{
    return ws->handshake->text;
}

const char *sio_ws_header(sio_ws *ws, const char *name)
{
    return sio_handshake_header(ws->handshake, name, &ws->endpoint->io->net.arena);
}

/* The query of a request that was kept, as an object. */
static sio_value query_of(sio_server *io, const sio_handshake *h)
{
    const char *url = sio_handshake_url(h);
    return sio_query_object(io, sio_http_target_query((sio_span){ url, strlen(url) }));
}

sio_value sio_ws_query(sio_ws *ws)
{
    return query_of(ws->endpoint->io, ws->handshake);
}

void sio_ws_set_data(sio_ws *ws, void *data)
{
    ws->data = data;
}

void *sio_ws_data(const sio_ws *ws)
{
    return ws->data;
}

/* ---- Plain Engine.IO --------------------------------------------------------------------------------- */

typedef struct engine {
    sio_eio_part engine;  // first
    sio_server *io;
    sio_options options;
    char *strings;
    sio_engine_handlers handlers;
} engine;

static void on_engine_open(void *owner, sio_session *s)
{
    engine *e = owner;
    s->user = e->handlers.data;
    sio_scope_enter(&e->io->net);
    if (e->handlers.open != NULL)
        e->handlers.open(s);
    sio_scope_leave(&e->io->net);
}

static void on_engine_message(void *owner, sio_session *s, bool text, const char *p, size_t n)
{
    engine *e = owner;
    sio_session_settled(s);
    sio_scope_enter(&e->io->net);
    if (e->handlers.message != NULL)
        e->handlers.message(s, text, p, n);
    sio_scope_leave(&e->io->net);
}

static void on_engine_close(void *owner, sio_session *s, const char *reason, const char *details)
{
    engine *e = owner;
    (void)details;
    sio_scope_enter(&e->io->net);
    if (e->handlers.close != NULL)
        e->handlers.close(s, reason);
    sio_scope_leave(&e->io->net);
}

static const sio_eio_events engine_events = { .open = on_engine_open,
                                              .message = on_engine_message,
                                              .close = on_engine_close };

static void free_engine(sio_part *p)
{
    engine *e = (engine *)(void *)p;
    const sio_memory *m = &e->io->net.memory;
    sio_eio_part_free(p);
    sio_free_mem(m, e->strings);
    sio_free_mem(m, e);
}

int sio_engine(sio_server *io, const sio_options *options, const sio_engine_handlers *handlers)
{
    const sio_memory *m = &io->net.memory;
    if (handlers == NULL)
        return sio_fail(EINVAL);
    engine *e = sio_alloc(m, sizeof *e);
    if (e == NULL)
        return sio_fail(ENOMEM);
    e->io = io;
    e->handlers = *handlers;
    if (sio_options_copy(m, &e->options, options, &e->strings) < 0 ||
        sio_eio_part_add(io, &e->engine, &e->options, &engine_events, e) < 0) {
        int error = errno;
        sio_free_mem(m, e->strings);
        sio_free_mem(m, e);
        return sio_fail(error);
    }
    e->engine.part.free = free_engine;
    return 0;
}

int sio_session_send(sio_session *s, bool text, const void *p, size_t n)
{
    sio_ref ref;
    if (!sio_session_open(s))
        return sio_fail(EPIPE);
    if (encode(s->eio->net, text ? SIO_WS_TEXT : SIO_WS_BINARY, "4", p, n, &ref) < 0)
        return -1;
    sio_session_frames(s, ref);
    sio_ref_release(ref);
    return 0;
}

void sio_session_close(sio_session *s)
{
    sio_session_end(s, "forced close");
}

sio_server *sio_session_server(const sio_session *s)
{
    const engine *e = s->eio->owner;
    return e->io;
}

const char *sio_session_id(const sio_session *s)
{
    return s->sid;
}

const char *sio_session_url(const sio_session *s)
{
    return sio_handshake_url(s->handshake);
}

const char *sio_session_address(const sio_session *s)
{
    return s->handshake->text;
}

const char *sio_session_header(sio_session *s, const char *name)
{
    return sio_handshake_header(s->handshake, name, &s->eio->net->arena);
}

sio_value sio_session_query(sio_session *s)
{
    return query_of(sio_session_server(s), s->handshake);
}

void sio_session_set_data(sio_session *s, void *data)
{
    s->user = data;
}

void *sio_session_data(const sio_session *s)
{
    return s->user;
}
