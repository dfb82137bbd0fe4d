/* net_frames.c - WebSocket messages on a connection: RFC 6455, sections 5 and 7
 * SPDX-License-Identifier: MIT
 *
 * A frame is unmasked and handed on where it was read. Only a message in several frames is put
 * together in memory of its own.
 *
 * What holds here:
 *  - A message is checked against its limit by the headers of its frames, before they are buffered.
 *  - After our close frame nothing is handed on, and only the client's close frame is looked for. */
#include "net.h"

enum {
    MAX_FRAGMENTS = 16384,   // frames of one message
    MAX_LAST_FRAME = 262144  // of what we look over while we wait for a close frame
};

static void free_fragments(const sio_memory *m, sio_fragments *f)
{
    sio_hold(m, 0, f->cap);
    sio_free_mem(m, f->p);
    sio_free_mem(m, f);
}

static void drop_fragments(sio_conn *c)
{
    if (c->u.ws.fragments != NULL)
        free_fragments(&c->net->memory, c->u.ws.fragments);
    c->u.ws.fragments = NULL;
}

/* From here on the owner hears nothing, and the connection has a deadline. */
static void forget_owner(sio_conn *c)
{
    drop_fragments(c);
    memset(&c->u, 0, sizeof c->u);
}

/* ---- WebSocket messages -------------------------------------------------------------------------- */

static void send_control(sio_conn *c, unsigned char op, const void *p, size_t n)
{
    sio_out *out = &c->net->out;
    sio_ref ref;
    sio_out_begin(out);
    sio_out_frame(out);
    sio_put(&out->sink, p, n);
    sio_out_frame_end(out, op);
    if (!sio_out_end(out, &ref))
        return;
    sio_conn_queue(c, ref);
    sio_ref_release(ref);
}

static void send_close(sio_conn *c, int code)
{
    unsigned char bytes[2] = { (unsigned char)(code >> 8), (unsigned char)code };
    send_control(c, SIO_WS_CLOSE, bytes, code == SIO_WS_NO_CODE ? 0 : 2);
}

/* 7.1.7: the client broke a rule: says which, and ends. */
static void fail(sio_conn *c, int code)
{
    const sio_ws_events *events = c->u.ws.events;
    void *owner = c->u.ws.owner;
    if (code != SIO_WS_TOO_BIG)  // which on_frame has told, with its numbers
        sio_log_of(c->net, sio_conn_about(c), "websocket closed: %d, %s", code,
                   code == SIO_WS_INVALID_DATA ? "a text is not UTF-8 (send such bytes as binary)"
                   : code == SIO_WS_POLICY     ? "a message has too many fragments (send fewer)"
                                               : "a frame breaks RFC 6455 (look at its client)");
    c->net->stats.parse_errors++;
    send_close(c, code);
    forget_owner(c);
    sio_conn_drain(c);
    events->close(owner, code, false);
}

static void on_message(sio_conn *c, unsigned op, const char *p, size_t n)
{
    if (op == SIO_WS_TEXT && sio_utf8_prefix(p, n) != n) {
        fail(c, SIO_WS_INVALID_DATA);  // 8.1
        return;
    }
    c->net->stats.packets_in++;
    c->u.ws.events->message(c->u.ws.owner, op == SIO_WS_TEXT, p, n);
}

/* 5.4: a frame of a message that has several. */
static void on_fragment(sio_conn *c, const sio_ws_head *h, const char *p, size_t n)
{
    const sio_memory *m = &c->net->memory;
    sio_fragments *f = c->u.ws.fragments;
    if (f == NULL) {
        f = c->u.ws.fragments = sio_alloc(m, sizeof *f);
        if (f != NULL)
            f->op = h->op;
    }
    if (f != NULL && f->cap - f->n < n) {
        size_t cap = sio_conn_room(f->n + n, 0), most = c->u.ws.events->max_message;
        if (cap > most)
            cap = most;  // check_frame has seen to it that this is enough
        char *more = sio_resize(m, f->p, cap);
        if (more != NULL) {
            sio_hold(m, cap, f->cap);
            f->p = more, f->cap = cap;
        }
    }
    if (f == NULL || f->cap - f->n < n) {
        sio_conn_end(c, false);
        return;
    }
    if (n > 0)
        memcpy(f->p + f->n, p, n);
    f->n += n;
    if (++f->count > MAX_FRAGMENTS) {
        fail(c, SIO_WS_POLICY);
        return;
    }
    if (!h->fin)
        return;
    c->u.ws.fragments = NULL;
    on_message(c, f->op, f->p == NULL ? "" : f->p, f->n);
    free_fragments(m, f);
}

/* 5.5: a PING is answered (5.5.2), a PONG is ignored (5.5.3), a CLOSE ends the connection (5.5.1). */
static void on_control(sio_conn *c, unsigned op, const unsigned char *p, size_t n)
{
    if (op == SIO_WS_PING)
        send_control(c, SIO_WS_PONG, p, n);
    if (op != SIO_WS_CLOSE)
        return;
    int code = sio_ws_close_code(p, n);
    if (code < 0) {
        fail(c, -code);
        return;
    }
    const sio_ws_events *events = c->u.ws.events;
    void *owner = c->u.ws.owner;
    send_control(c, SIO_WS_CLOSE, p, n);  // the same code back
    forget_owner(c);
    sio_conn_drain(c);
    events->close(owner, code == SIO_WS_NO_CODE ? SIO_WS_NO_STATUS : code, true);
}

/* The code to refuse a frame with for its header alone, or 0. */
static int check_frame(const sio_conn *c, const sio_ws_head *h)
{
    const sio_fragments *f = c->u.ws.fragments;
    size_t most = c->u.ws.events->max_message;
    if (h->op >= SIO_WS_CLOSE)
        return 0;
    if ((f != NULL) != (h->op == SIO_WS_CONTINUATION))
        return SIO_WS_PROTOCOL_ERROR;  // 5.4
    if (h->len > most - (f == NULL ? 0 : f->n))
        return SIO_WS_TOO_BIG;
    return 0;
}

/* Bytes that the incomplete frame at p will have; 0: its header is incomplete as well. */
static size_t frame_size(const char *p, size_t n)
{
    sio_ws_head h;
    int used = sio_ws_parse_header((const unsigned char *)p, n, &h);
    return used <= 0 ? 0 : (size_t)used + (size_t)h.len;
}

/* The client is told the code alone, as by the reference. size: with what came before. */
static void tell_too_big(const sio_conn *c, uint64_t size)
{
    const sio_fragments *f = c->u.ws.fragments;
    sio_log_of(
        c->net, sio_conn_about(c),
        "websocket closed: %d, a message of %llu bytes or more exceeds max_payload, %zu (raise "
        "it, or send less at once)",
        SIO_WS_TOO_BIG, (unsigned long long)size + (f == NULL ? 0 : f->n),
        c->u.ws.events->max_message);
}

/* 5.2: a frame is refused by its header alone, and handled when it has come whole. */
static size_t on_frame(sio_conn *c, char *p, size_t n, size_t seen)
{
    (void)seen;
    sio_ws_head h = { .len = (uint64_t)1 << 63 };  // which no parsed one has
    int used = sio_ws_parse_header((unsigned char *)p, n, &h);
    if (used == 0)
        return 0;
    int code = used < 0 ? -used : check_frame(c, &h);
    if (code == SIO_WS_TOO_BIG)
        tell_too_big(c, h.len);
    if (code != 0) {
        fail(c, code);
        return n;
    }
    if (n - (size_t)used < h.len)
        return 0;
    char *payload = p + used;
    size_t len = (size_t)h.len;
    sio_ws_unmask((unsigned char *)payload, len, h.key);
    if (c->u.ws.events->frame != NULL && !c->u.ws.events->frame(c->u.ws.owner, !h.fin, len))
        return (size_t)used + len;
    if (h.op >= SIO_WS_CLOSE)
        on_control(c, h.op, (unsigned char *)payload, len);
    else if (h.fin && c->u.ws.fragments == NULL)
        on_message(c, h.op, payload, len);
    else
        on_fragment(c, &h, payload, len);
    return (size_t)used + len;
}

/* 7.1.1: after our close frame only the client's is of interest, and it is not waited for behind a long
 * frame. */
static size_t on_last_frame(sio_conn *c, char *p, size_t n, size_t seen)
{
    (void)seen;
    sio_ws_head h;
    int used = sio_ws_parse_header((unsigned char *)p, n, &h);
    if (used == 0)
        return 0;
    if (used < 0 || h.op == SIO_WS_CLOSE) {
        sio_conn_drain(c);
        return n;
    }
    if (h.len > n - (size_t)used) {
        if (h.len > MAX_LAST_FRAME)
            sio_conn_drain(c);
        return 0;
    }
    return (size_t)used + (size_t)h.len;
}

/* ---- The protocol -------------------------------------------------------------------------------- */

static void end(sio_conn *c, bool clean)
{
    drop_fragments(c);
    c->u.ws.events->close(c->u.ws.owner, SIO_WS_ABNORMAL, clean);
}

static size_t held(const sio_conn *c)
{
    const sio_fragments *f = c->u.ws.fragments;
    const sio_ws_events *events = c->u.ws.events;
    return (f == NULL ? 0 : f->cap) + (events->held == NULL ? 0 : events->held(c->u.ws.owner));
}

static void tell_about(const sio_conn *c, sio_about *about)
{
    if (c->u.ws.events->about != NULL)
        c->u.ws.events->about(c->u.ws.owner, about);
}

static const sio_conn_protocol messages = {
    .take = on_frame, .want = frame_size, .end = end, .held = held, .about = tell_about
};

/* Our close frame is sent. */
static const sio_conn_protocol closing = { .take = on_last_frame };

static bool speaks(const sio_conn *c)
{
    return !c->dead && c->protocol == &messages;
}

void sio_frames_begin(sio_conn *c, const sio_ws_events *events, void *owner)
{
    c->protocol = &messages;
    c->u.ws.fragments = NULL;
    sio_conn_set_owner(c, events, owner);
}

/* ---- For the layers above ------------------------------------------------------------------------ */

void sio_conn_set_owner(sio_conn *c, const sio_ws_events *events, void *owner)
{
    c->u.ws.events = events;
    c->u.ws.owner = owner;
}

bool sio_conn_send(sio_conn *c, sio_ref frames)
{
    if (!speaks(c) || c->broken)
        return false;
    sio_conn_queue(c, frames);
    return !c->broken;
}

bool sio_conn_writable(const sio_conn *c)
{
    return speaks(c) && c->out.n == 0 && !c->watch.want_write && !c->broken;
}

void sio_conn_close(sio_conn *c, int code)
{
    if (!speaks(c))
        return;
    send_close(c, code);
    forget_owner(c);
    c->protocol = &closing;
    sio_deadline_set(&c->net->clock, &c->net->close_fifo, &c->u.http.deadline);
}
