/* eio.c - Engine.IO sessions: packets, heartbeat, close; protocol 4, and 3 by option
 * SPDX-License-Identifier: MIT
 *
 *     packet = type [data]: 0 open  1 close  2 ping  3 pong  4 message  5 upgrade  6 noop
 *
 * Heartbeat of protocol 4: the server pings ping_interval after the open or the last pong, and
 * expects a pong within ping_timeout; the first other packet meanwhile moves that deadline once. In
 * protocol 3 the client pings, and the server only watches for silence.
 *
 * What holds here:
 *  - A session is in eio->sessions until its close has been delivered. Its owner hears "close" once
 *    for each "open", as soon as the session is to end.
 *  - A session costs nobody anything to open, so there are three bounds: how many there are, how many
 *    of an address, and how long one by polling waits for its client to come back.
 *  - Sessions that are over are freed when the turn ends. */
#include "eio.h"

#include <string.h>

enum {
    LONG_INTERVAL_MS = 5000,  // from here on pings are sent together
    TICK_MS = 50              // how often a GET is released while an upgrade is under way
};

bool sio_session_open(const sio_session *s)
{
    return s->state == SIO_SESSION_POLLING || s->state == SIO_SESSION_WEBSOCKET;
}

/* ---- Who makes room ------------------------------------------------------------------------------- */

/* Closes the gaps of the list, when at least every second place is one; otherwise lets it grow. */
static bool reserve_unsettled(sio_eio *eio)
{
    size_t n = 0;
    if (eio->n_unsettled < eio->cap_unsettled)
        return true;
    for (size_t i = eio->first_unsettled; i < eio->n_unsettled; i++) {
        sio_session *s = eio->unsettled[i];
        if (s == NULL)
            continue;
        eio->unsettled[n++] = s;
        s->unsettled = (uint32_t)n;
    }
    eio->first_unsettled = 0;
    eio->n_unsettled = n;
    return n < eio->cap_unsettled / 2 ||
           sio_reserve(&eio->net->memory, &eio->unsettled, eio->cap_unsettled, &eio->cap_unsettled,
                       sizeof *eio->unsettled);
}

void sio_session_settled(sio_session *s)
{
    if (s->unsettled == 0)
        return;
    s->eio->unsettled[s->unsettled - 1] = NULL;
    s->unsettled = 0;
}

/* Whether one more session may open. */
static bool make_room(sio_eio *eio)
{
    if (eio->sessions.count < eio->options->max_sessions)
        return true;
    while (eio->first_unsettled < eio->n_unsettled && eio->unsettled[eio->first_unsettled] == NULL)
        eio->first_unsettled++;
    if (eio->first_unsettled == eio->n_unsettled)
        return false;
    sio_log(eio->net, "session closed: max_sessions is reached, and it has not been used yet");
    sio_session_abort(eio->unsettled[eio->first_unsettled], "forced close");
    return eio->sessions.count < eio->options->max_sessions;
}

/* ---- The session's life --------------------------------------------------------------------------- */

bool sio_session_enter(sio_session *s)
{
    sio_eio *eio = s->eio;
    if (eio->net->stopping || !make_room(eio) || !reserve_unsettled(eio) ||
        !sio_table_add(&eio->sessions, &s->node))
        return false;
    eio->unsettled[eio->n_unsettled++] = s;
    s->unsettled = (uint32_t)eio->n_unsettled;
    eio->net->stats.sessions++;
    eio->net->stats.handshakes++;
    return true;
}

/* Takes a session out of everything; it is freed when the turn ends. */
void sio_session_forget(sio_session *s)
{
    if (s->state == SIO_SESSION_CLOSED)
        return;
    sio_eio *eio = s->eio;
    s->state = SIO_SESSION_CLOSED;
    sio_deadline_clear(&s->beat);
    sio_session_returned(s);
    sio_table_remove(&eio->sessions, &s->node);
    sio_session_settled(s);
    sio_crowd_leave(&eio->crowds, s->handshake->from);
    eio->net->stats.sessions--;
    if (s->polling != NULL && s->polling->upgrade != NULL)
        sio_upgrade_abandon(s);
    if (s->polling != NULL && s->polling->rest != NULL)
        sio_poll_drop_rest(s);
    if (s->polling != NULL && s->polling->post != NULL)
        s->polling->post->user = NULL;
    s->node.next = (sio_node *)eio->dead;
    eio->dead = s;
}

void sio_session_closed(sio_session *s, const char *reason)
{
    bool was_open = sio_session_open(s);
    sio_session_forget(s);
    if (was_open)
        s->eio->events->close(s->eio->owner, s, reason);
}

void sio_session_abort(sio_session *s, const char *reason)
{
    if (s->state == SIO_SESSION_WEBSOCKET)
        sio_conn_close(s->conn, SIO_WS_NO_CODE);
    else if (s->polling != NULL)
        sio_poll_release(s, "1");
    sio_session_closed(s, reason);
}

bool sio_session_reachable(const sio_session *s)
{
    return s->state == SIO_SESSION_WEBSOCKET || (s->polling != NULL && s->polling->get != NULL);
}

/* On polling, what is queued takes the waiting GET, and the close the next one; or an upgrade that
 * is under way takes both. */
void sio_session_end(sio_session *s, const char *reason)
{
    if (!sio_session_open(s))
        return;
    if (s->state == SIO_SESSION_WEBSOCKET ||
        (s->polling->get != NULL && s->polling->queue.n == 0)) {
        sio_session_abort(s, reason);
        return;
    }
    sio_poll_flush(s);
    s->state = SIO_SESSION_CLOSING;
    sio_deadline_set(&s->eio->net->clock, &s->eio->closing_fifo, &s->beat);
    s->eio->events->close(s->eio->owner, s, reason);
}

/* ---- Heartbeat ------------------------------------------------------------------------------------ */

static sio_session *session_of(sio_deadline *d)
{
    return (sio_session *)(void *)((char *)d - offsetof(sio_session, beat));
}

static void on_ping_due(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_session *s = session_of(d);
    s->pinged = true;
    s->refreshed = false;
    sio_deadline_set(&eio->net->clock, &eio->pong_fifo, &s->beat);
    sio_eio_static_frame(s, '2');
}

static void on_silence(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    eio->net->stats.ping_timeouts++;
    sio_session_abort(session_of(d), "ping timeout");
}

/* Nobody but who opened it knows of it, so it need not wait for a ping. */
static void on_no_return(void *owner, sio_deadline *d)
{
    sio_polling *k = (sio_polling *)(void *)((char *)d - offsetof(sio_polling, returned));
    sio_eio *eio = owner;
    eio->net->stats.ping_timeouts++;
    sio_log(eio->net, "session closed: its client has not come back within return_timeout");
    sio_session_abort(k->session, "ping timeout");
}

void sio_session_returned(sio_session *s)
{
    if (s->polling != NULL)
        sio_deadline_clear(&s->polling->returned);
}

static void on_closing_over(void *owner, sio_deadline *d)
{
    (void)owner;
    sio_session_forget(session_of(d));
}

void sio_session_beat(sio_session *s)
{
    sio_eio *eio = s->eio;
    s->pinged = false;
    sio_deadline_set(&eio->net->clock, s->protocol == 3 ? &eio->silence_fifo : &eio->ping_fifo,
                     &s->beat);
}

/* ---- Packets in ----------------------------------------------------------------------------------- */

static void on_base64(sio_session *s, const char *p, size_t n)
{
    sio_net *net = s->eio->net;
    char *bytes = sio_resize(&net->memory, NULL, n / 4 * 3 + 3);
    ptrdiff_t size = bytes == NULL ? -1 : sio_base64_decode(p, n, bytes);
    if (size < 0)
        sio_session_abort(s, "parse error");
    else
        s->eio->events->message(s->eio->owner, s, false, bytes, (size_t)size);
    sio_free_mem(&net->memory, bytes);
}

/* A packet that is neither message nor heartbeat, of either protocol. */
static void on_packet(sio_session *s, char type)
{
    switch (type) {
    case '0':
    case '5':
    case '6':
        break;
    case '1':
        if (s->polling != NULL)
            sio_poll_release(s, "6");
        if (s->state == SIO_SESSION_WEBSOCKET)
            sio_conn_close(s->conn, SIO_WS_NO_CODE);
        sio_session_closed(s, "transport close");
        break;
    default:
        s->eio->net->stats.parse_errors++;
        sio_session_abort(s, "parse error");
    }
}

static void on_heartbeat(sio_session *s, char type)
{
    if (type != (s->protocol == 3 ? '2' : '3')) {
        sio_session_abort(s, "transport error");  // the wrong direction
        return;
    }
    sio_session_beat(s);
    if (s->protocol == 3)
        sio_eio_static_frame(s, '3');
}

void sio_session_packet(sio_session *s, bool text, const char *p, size_t n)
{
    bool v3 = s->protocol == 3;
    if (s->pinged && !s->refreshed && !(text && n > 0 && p[0] == '3')) {
        s->refreshed = true;
        sio_deadline_set(&s->eio->net->clock, &s->eio->pong_fifo, &s->beat);
    }
    if (text && n > 0 && p[0] == '4')  // nearly all of them
        s->eio->events->message(s->eio->owner, s, true, p + 1, n - 1);
    else if (!text && v3 && n > 0 && p[0] == 4)
        s->eio->events->message(s->eio->owner, s, false, p + 1, n - 1);
    else if (!text && !v3)
        s->eio->events->message(s->eio->owner, s, false, p, n);
    else if (!text || n == 0)
        sio_session_abort(s, "parse error");
    else if (p[0] == 'b' && v3 && n > 1 && p[1] == '4')
        on_base64(s, p + 2, n - 2);
    else if (p[0] == 'b' && !v3)
        on_base64(s, p + 1, n - 1);
    else if (p[0] == '2' || p[0] == '3')
        on_heartbeat(s, p[0]);
    else
        on_packet(s, p[0]);
}

static void on_ws_message(void *owner, bool text, const char *p, size_t n)
{
    sio_session *s = owner;
    if (s->state == SIO_SESSION_WEBSOCKET)
        sio_session_packet(s, text, p, n);
}

static void on_ws_close(void *owner, int code, bool clean)
{
    (void)code;
    sio_session_closed(owner, clean ? "transport close" : "transport error");
}

/* ---- Packets out ---------------------------------------------------------------------------------- */

/* Writes a frame's payload as protocol 3 or base64 wants it, as a frame of its own. */
static void put_converted(sio_session *s, sio_out *out, unsigned char op, const char *p, size_t n)
{
    static const char binary_type = 4;
    sio_out_frame(out);
    if (op == SIO_WS_BINARY && s->base64) {
        sio_put_text(&out->sink, s->protocol == 3 ? "b4" : "b");
        sio_put_base64(&out->sink, p, n);
        op = SIO_WS_TEXT;
    } else {
        if (op == SIO_WS_BINARY && s->protocol == 3)
            sio_put(&out->sink, &binary_type, 1);
        sio_put(&out->sink, p, n);
    }
    sio_out_frame_end(out, op);
}

void sio_session_mark(sio_session *s)
{
    if (s->polling->dirty)
        return;
    s->polling->dirty = true;
    s->polling->next = s->eio->dirty;
    s->eio->dirty = s;
}

void sio_session_break(sio_session *s)
{
    sio_log(s->eio->net, "session closed: no memory for what its client is to get");
    if (s->state == SIO_SESSION_WEBSOCKET) {
        sio_conn_break(s->conn);
    } else if (s->state == SIO_SESSION_POLLING) {
        s->polling->overflow = true;
        sio_session_mark(s);
    }
}

/* The frames as this session's WebSocket carries binary ones. */
static void send_converted(sio_session *s, sio_ref frames)
{
    sio_out *out = &s->eio->net->out;
    const char *p = frames.buf->p + frames.at, *end = p + frames.n;
    sio_ref converted;
    sio_out_begin(out);
    while (p < end) {
        unsigned char op;
        size_t n;
        p += sio_ws_own_header(p, &op, &n);
        put_converted(s, out, op, p, n);
        p += n;
    }
    if (!sio_out_end(out, &converted)) {
        sio_session_break(s);
        return;
    }
    sio_conn_send(s->conn, converted);
    sio_ref_release(converted);
}

void sio_session_forward(sio_session *s, sio_ref frames)
{
    if (s->protocol == 3 || s->base64)
        send_converted(s, frames);
    else
        sio_conn_send(s->conn, frames);
}

void sio_session_frames(sio_session *s, sio_ref frames)
{
    s->eio->net->stats.packets_out++;
    if (s->state == SIO_SESSION_WEBSOCKET) {
        sio_session_forward(s, frames);
        return;
    }
    sio_polling *k = s->polling;
    sio_net *net = s->eio->net;
    if (s->state != SIO_SESSION_POLLING)
        return;
    sio_session_mark(s);
    if (k->queue.n > 0 && k->queue.n + frames.n > net->options->max_output) {
        if (!k->overflow) {
            net->stats.overflows++;
            sio_log(net, "session closed: the client does not poll, max_output is reached");
        }
        k->overflow = true;
    } else if (!sio_queue_add(&net->memory, &k->queue, frames)) {
        k->overflow = true;
    }
}

bool sio_session_writable(const sio_session *s)
{
    if (s->state == SIO_SESSION_WEBSOCKET)
        return sio_conn_writable(s->conn);
    const sio_polling *k = s->polling;
    return s->state == SIO_SESSION_POLLING && k->get != NULL && k->queue.n == 0;
}

size_t sio_session_pending(const sio_session *s)
{
    if (s->state == SIO_SESSION_WEBSOCKET)
        return sio_conn_pending(s->conn);
    return s->polling == NULL ? 0 : s->polling->queue.n;
}

/* Packets of one byte are always the same bytes: nobody counts references to them. */
void sio_eio_static_frame(sio_session *s, char type)
{
    static char bytes[] = "\x81\x01"
                          "2\x81\x01"
                          "3";
    static sio_buf buf = { .refs = 1, .fixed = true, .n = 6, .cap = 6, .p = bytes };
    sio_session_frames(s, (sio_ref){ &buf, type == '2' ? 0 : 3, 3 });
}

/* ---- What is on its way ----------------------------------------------------------------------------- */

static size_t held_by(const sio_session *s)
{
    const sio_eio_events *events = s->eio->events;
    const sio_polling *k = s->polling;
    size_t input = events->held == NULL ? 0 : events->held(s);
    if (k != NULL && k->rest != NULL)
        input += k->rest->payload.bytes.n;
    return input + (k == NULL ? 0 : k->queue.n);
}

static size_t held_for_ws(const void *owner)
{
    return held_by(owner);
}

/* Polling sessions; the others' are weighed with their connections. */
static size_t weigh(sio_holder *h, size_t least, size_t *excess)
{
    sio_eio *eio = (sio_eio *)(void *)((char *)h - offsetof(sio_eio, holder));
    size_t most = 0;
    for (sio_node *n = NULL; (n = sio_table_next(&eio->sessions, n)) != NULL;) {
        sio_session *s = (sio_session *)n;
        if (s->state == SIO_SESSION_WEBSOCKET || s->polling == NULL || s->polling->overflow)
            continue;
        size_t held = held_by(s);
        if (held >= least && *excess > 0) {
            *excess -= held < *excess ? held : *excess;
            eio->net->stats.overflows++;
            sio_log(eio->net, "session closed: max_memory is reached, and it holds most of it");
            s->polling->overflow = true;
            sio_session_mark(s);
        } else if (held > most) {
            most = held;
        }
    }
    return most;
}

/* ---- The endpoint --------------------------------------------------------------------------------- */

int sio_eio_init(sio_eio *eio, sio_net *net, const sio_options *o, const sio_eio_events *events,
                 void *owner)
{
    sio_clock *clock = &net->clock;
    size_t n = strlen(o->path);
    eio->net = net, eio->options = o, eio->events = events, eio->owner = owner;
    eio->prefix = sio_resize(&net->memory, NULL, n + 2);
    if (eio->prefix == NULL)
        return -1;
    memcpy(eio->prefix, o->path, n);
    if (!o->no_trailing_slash && (n == 0 || eio->prefix[n - 1] != '/'))
        eio->prefix[n++] = '/';
    eio->prefix[n] = '\0';
    eio->prefix_n = n;
    eio->sessions.memory = eio->crowds.memory = &net->memory;
    eio->ws_events = (sio_ws_events){ .message = on_ws_message,
                                      .close = on_ws_close,
                                      .max_message = o->max_payload,
                                      .held = held_for_ws };
    eio->upgrade_events = (sio_ws_events){ .message = sio_upgrade_message,
                                           .close = sio_upgrade_closed,
                                           .max_message = o->max_payload };
    eio->holder.weigh = weigh;
    sio_holder_add(net, &eio->holder);
    sio_fifo_init(clock, &eio->ping_fifo, o->ping_interval_ms, on_ping_due, eio);
    if (o->ping_interval_ms >= LONG_INTERVAL_MS)
        eio->ping_fifo.early = o->ping_interval_ms / 256;  // ten thousand pings in 256 turns
    sio_fifo_init(clock, &eio->pong_fifo, o->ping_timeout_ms, on_silence, eio);
    sio_fifo_init(clock, &eio->silence_fifo, o->ping_interval_ms + o->ping_timeout_ms, on_silence,
                  eio);
    sio_fifo_init(clock, &eio->return_fifo, o->return_timeout_ms, on_no_return, eio);
    sio_fifo_init(clock, &eio->closing_fifo, o->close_timeout_ms, on_closing_over, eio);
    sio_fifo_init(clock, &eio->upgrade_fifo, o->upgrade_timeout_ms, sio_upgrade_timeout, eio);
    sio_fifo_init(clock, &eio->tick_fifo, TICK_MS, sio_upgrade_tick, eio);
    return 0;
}

void sio_eio_flush(sio_eio *eio)
{
    while (eio->dirty != NULL) {
        sio_session *s = eio->dirty;
        sio_polling *k = s->polling;
        eio->dirty = k->next;
        k->dirty = false;
        if (s->state == SIO_SESSION_WEBSOCKET) {
            sio_poll_free(s);  // the upgrade's leftover
        } else if (k->overflow && s->state != SIO_SESSION_CLOSED) {
            sio_session_abort(s, "transport error");
        } else if (sio_session_open(s)) {
            sio_poll_flush(s);
            if (!sio_queue_settle(&eio->net->memory, &k->queue))
                sio_session_abort(s, "transport error");
        }
    }
}

void sio_eio_bury(sio_eio *eio)
{
    const sio_memory *m = &eio->net->memory;
    while (eio->dead != NULL) {
        sio_session *s = eio->dead;
        eio->dead = (sio_session *)s->node.next;
        sio_poll_free(s);
        sio_free_mem(m, s->handshake);
        sio_free_mem(m, s);
    }
    while (eio->dead_upgrades != NULL) {
        sio_upgrade *u = eio->dead_upgrades;
        eio->dead_upgrades = u->next;
        sio_free_mem(m, u);
    }
}

void sio_eio_close_all(sio_eio *eio, const char *reason)
{
    sio_node *node;
    size_t from = 0;
    while ((node = sio_table_any(&eio->sessions, &from)) != NULL) {
        sio_session *s = (sio_session *)node;
        sio_session_abort(s, reason);
    }
}

/* What ends a session runs handlers, which may end others, so the table is not walked meanwhile. */
void sio_eio_stop(sio_eio *eio, const char *reason)
{
    const sio_memory *m = &eio->net->memory;
    size_t n = 0;
    sio_session **all = sio_resize(m, NULL, eio->sessions.count * sizeof *all);
    if (all == NULL) {
        sio_eio_close_all(eio, reason);
        return;
    }
    for (sio_node *node = NULL; (node = sio_table_next(&eio->sessions, node)) != NULL;)
        all[n++] = (sio_session *)node;
    for (size_t i = 0; i < n; i++) {
        sio_session *s = all[i];
        if (s->state == SIO_SESSION_POLLING && s->polling->queue.n > 0)
            sio_session_end(s, reason);
        else if (sio_session_open(s))
            sio_session_abort(s, reason);
    }
    sio_free_mem(m, all);
}

void sio_eio_free(sio_eio *eio)
{
    sio_fifo *fifos[] = { &eio->ping_fifo,   &eio->pong_fifo,    &eio->silence_fifo,
                          &eio->return_fifo, &eio->closing_fifo, &eio->upgrade_fifo,
                          &eio->tick_fifo };
    for (size_t i = 0; i < sizeof fifos / sizeof *fifos; i++)
        sio_fifo_remove(&eio->net->clock, fifos[i]);
    sio_table_free(&eio->sessions);
    sio_table_free(&eio->crowds);
    sio_free_mem(&eio->net->memory, eio->unsettled);
    sio_free_mem(&eio->net->memory, eio->prefix);
}
