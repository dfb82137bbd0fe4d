/* eio.c - Engine.IO sessions: packets, heartbeat, close, and the transport over a WebSocket
 * SPDX-License-Identifier: MIT
 *
 * Ids like H04, here and in its neighbours, are rows of PROTOCOL.md.
 *
 *     packet = type [data]: 0 open  1 close  2 ping  3 pong  4 message  5 upgrade  6 noop
 *
 * Heartbeat (H01 to H10): the server pings ping_interval after the open or the last pong,
 * and expects a pong within ping_timeout; the first other packet meanwhile moves that deadline once.
 *
 * A session travels by one of two transports, and has one of three states: both are drawn in eio.h.
 * What is queued on either are WebSocket frames, for most receivers want them.
 *
 * What holds here:
 *  - A session is in eio->sessions until its close has been delivered. Its owner hears "close" once
 *    for each "open", as soon as the session is to end.
 *  - A session costs nobody anything to open, so there are three bounds: how many there are, how many
 *    of an address, and how long one by polling waits for its client to come back.
 *  - Sessions that are over are freed when the turn ends. */
#include "eio.h"

#include <string.h>

enum { LONG_INTERVAL_MS = 5000 };  // from here on pings are sent together

bool sio_session_open(const sio_session *s)
{
    return s->state == SIO_SESSION_OPEN;
}

sio_about sio_session_about(const sio_session *s)
{
    const char *address = s->handshake->text;
    bool known = address[0] != '\0';
    return (sio_about){ .address =
                            known ? (sio_span){ address, strlen(address) } : SIO_SPAN("unix"),
                        .session = { s->sid, s->node.n } };
}

size_t sio_handshake_size(const sio_handshake *h)
{
    return sizeof *h + h->n;
}

void sio_handshake_free(const sio_memory *m, sio_handshake *h)
{
    if (h == NULL)
        return;
    sio_hold(m, 0, sio_handshake_size(h));
    sio_free_mem(m, h);
}

size_t sio_session_held(const sio_session *s)
{
    const sio_eio_events *events = s->eio->events;
    return sio_handshake_size(s->handshake) + (events->held == NULL ? 0 : events->held(s));
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
    sio_session *oldest = eio->unsettled[eio->first_unsettled];
    sio_log_of(
        eio->net, sio_session_about(oldest),
        "session closed: max_sessions, %zu, is reached, and it was not used yet (raise it, or "
        "lower max_sessions_per_address)",
        eio->options->max_sessions);
    sio_session_abort(oldest, "forced close");
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
    sio_table_remove(&eio->sessions, &s->node);
    sio_session_settled(s);
    sio_crowd_leave(&eio->crowds, s->handshake->from);
    eio->net->stats.sessions--;
    if (s->transport->gone != NULL)
        s->transport->gone(s);
    s->node.next = (sio_node *)eio->dead;
    eio->dead = s;
}

void sio_session_closed(sio_session *s, const char *reason, const char *details)
{
    bool was_open = sio_session_open(s);
    if (was_open && sio_traced(s))
        sio_trace_end(s, reason);
    sio_session_forget(s);
    if (was_open)
        s->eio->events->close(s->eio->owner, s, reason, details);
}

/* details: what went wrong, where the reason is "transport error" and that is known. */
static void end_now(sio_session *s, const char *reason, const char *details)
{
    if (s->state == SIO_SESSION_CLOSED)
        return;
    s->transport->close(s, false);
    sio_session_closed(s, reason, details);
}

void sio_session_abort(sio_session *s, const char *reason)
{
    end_now(s, reason, NULL);
}

void sio_session_lost(sio_session *s, const char *details)
{
    end_now(s, "transport error", details);
}

void sio_session_error(sio_session *s, const char *details, const char *remedy)
{
    sio_log_of(s->eio->net, sio_session_about(s), "session closed: transport error, %s (%s)",
               details, remedy);
    end_now(s, "transport error", details);
}

void sio_session_malformed(sio_session *s)
{
    sio_log_of(
        s->eio->net, sio_session_about(s),
        "session closed: parse error, a packet is none of Engine.IO, or there is no memory for "
        "it (look at its client)");
    end_now(s, "parse error", NULL);
}

bool sio_session_reachable(const sio_session *s)
{
    return s->state != SIO_SESSION_CLOSED &&
           (s->transport->reachable == NULL || s->transport->reachable(s));
}

void sio_session_end(sio_session *s, const char *reason)
{
    if (!sio_session_open(s))
        return;
    if (s->transport->flush == NULL || s->transport->flush(s)) {
        sio_session_abort(s, reason);
        return;
    }
    if (sio_traced(s))
        sio_trace_end(s, reason);
    s->state = SIO_SESSION_CLOSING;
    sio_deadline_set(&s->eio->net->clock, &s->eio->closing_fifo, &s->beat);
    s->eio->events->close(s->eio->owner, s, reason, NULL);
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
    sio_session_frames(s, sio_eio_word('2'));  // H01; by polling it may wait for a GET (H09)
}

void sio_session_silent(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_session *s = session_of(d);
    const sio_fifo *f = s->protocol == 3 ? &eio->silence_fifo : &eio->pong_fifo;
    eio->net->stats.ping_timeouts++;
    sio_log_of(
        eio->net, sio_session_about(s),
        "session closed: ping timeout, %s for %lld ms (raise ping_timeout_ms, if its network is "
        "slow and not gone)",
        s->refreshed ? "packets came but no pong" : "nothing came", (long long)f->length);
    sio_session_abort(s, "ping timeout");  // H02, H07, H08
}

static void on_closing_over(void *owner, sio_deadline *d)
{
    (void)owner;
    sio_session_forget(session_of(d));  // P37
}

void sio_session_beat(sio_session *s)
{
    sio_eio *eio = s->eio;
    s->pinged = false;
    if (s->protocol == 3)  // its client pings
        eio->net->v3->beat(s);
    else
        sio_deadline_set(&eio->net->clock, &eio->ping_fifo, &s->beat);  // H03, H05
}

/* ---- Packets in ----------------------------------------------------------------------------------- */

bool sio_session_count(sio_session *s, size_t packets, size_t bytes)
{
    sio_net *net = s->eio->net;
    if (!net->metered)
        return true;
    sio_meter *m = (sio_meter *)(s + 1);
    bool by_websocket = s->transport == &sio_by_websocket;
    const char *option = sio_meter_client(net, m, packets, bytes);
    if (option == NULL)  // bytes without a packet are a request's, and were counted with it
        option = sio_meter_address(net, &m->ip, packets, packets > 0 ? bytes : 0);
    if (option == NULL)
        return true;
    sio_meter_tell(net, sio_session_about(s), "session closed", option);
    if (by_websocket)
        sio_conn_close(s->on.conn, SIO_WS_POLICY);
    sio_session_abort(s, "transport error");
    return false;
}

/* P27, P28, W39 */
void sio_session_base64(sio_session *s, const char *p, size_t n)
{
    sio_net *net = s->eio->net;
    char *bytes = sio_resize(&net->memory, NULL, n / 4 * 3 + 3);
    ptrdiff_t size = bytes == NULL ? -1 : sio_base64_decode(p, n, bytes);
    if (size < 0)
        sio_session_malformed(s);
    else
        s->eio->events->message(s->eio->owner, s, false, bytes, (size_t)size);
    sio_free_mem(&net->memory, bytes);
}

void sio_session_control(sio_session *s, char type)
{
    switch (type) {
    case '0':
    case '5':
    case '6':
        break;  // P13, W36
    case '1':   // P14, W37
        s->transport->close(s, true);
        sio_session_closed(s, "transport close", NULL);
        break;
    default:  // P09, P32, W34
        s->eio->net->stats.parse_errors++;
        sio_session_malformed(s);
    }
}

void sio_session_packet(sio_session *s, bool text, const char *p, size_t n)
{
    if (sio_traced(s))
        sio_trace_packet(s, "-> ", s->transport == &sio_by_websocket, text, (sio_span){ p, n });
    if (s->pinged && !s->refreshed && !(text && n > 0 && p[0] == '3')) {  // H04
        s->refreshed = true;
        sio_deadline_set(&s->eio->net->clock, &s->eio->pong_fifo, &s->beat);
    }
    if (text && n > 0 && p[0] == '4')  // nearly all; over a WebSocket with any RS in it (W38)
        s->eio->events->message(s->eio->owner, s, true, p + 1, n - 1);
    else if (s->protocol == 3)  // binary messages begin with a type, and the client pings
        s->eio->net->v3->packet(s, text, p, n);
    else if (!text)
        s->eio->events->message(s->eio->owner, s, false, p, n);
    else if (n == 0)
        sio_session_malformed(s);  // P07, P08, W34
    else if (p[0] == 'b')
        sio_session_base64(s, p + 1, n - 1);
    else if (p[0] == '3')
        sio_session_beat(s);  // H03, H06, P12, W36
    else if (p[0] == '2')
        sio_session_error(s, "invalid heartbeat direction", "look at its client");  // P11, W35
    else
        sio_session_control(s, p[0]);
}

/* ---- Packets out ---------------------------------------------------------------------------------- */

void sio_session_frames(sio_session *s, sio_ref frames)
{
    s->eio->net->stats.packets_out++;
    if (!sio_session_open(s))
        return;
    if (sio_traced(s))
        sio_trace_frames(s, frames);
    s->transport->send(s, frames);
}

bool sio_session_writable(const sio_session *s)
{
    return sio_session_open(s) && s->transport->ready(s);
}

size_t sio_session_pending(const sio_session *s)
{
    return s->state == SIO_SESSION_CLOSED ? 0 : s->transport->pending(s);
}

/* They are always the same bytes: nobody counts references to them. */
sio_ref sio_eio_word(char type)
{
    static const char types[] = "2361";
    static char bytes[] = "\x81\x01"
                          "2\x81\x01"
                          "3\x81\x01"
                          "6\x81\x01"
                          "1";
    static sio_buf buf = { .refs = 1, .fixed = true, .n = 12, .cap = 12, .p = bytes };
    return (sio_ref){ &buf, 3 * (uint32_t)(strchr(types, type) - types), 3 };
}

/* ---- The transport over a WebSocket --------------------------------------------------------------- */

static bool on_ws_frame(void *owner, bool part, size_t n)
{
    (void)part;
    return sio_session_count(owner, 1, n);
}

static void on_ws_message(void *owner, bool text, const char *p, size_t n)
{
    sio_session_packet(owner, text, p, n);  // it is open: a close takes the connection's owner away
}

/* What the reference tells the application of who broke a rule of WebSocket, as far as its code says. */
static const char *details_of(int code)
{
    switch (code) {
    case SIO_WS_PROTOCOL_ERROR:
        return "RangeError: Invalid WebSocket frame";
    case SIO_WS_INVALID_DATA:
        return "Error: Invalid WebSocket frame: invalid UTF-8 sequence";
    case SIO_WS_POLICY:
        return "RangeError: Too many message fragments";
    case SIO_WS_TOO_BIG:
        return "RangeError: Max payload size exceeded";
    default:
        return NULL;
    }
}

/* W21, W42; who broke a rule of WebSocket was told which, and is a transport error. */
static void on_ws_close(void *owner, int code, bool clean)
{
    if (clean)
        sio_session_closed(owner, "transport close", NULL);
    else
        sio_session_closed(owner, "transport error", details_of(code));
}

static size_t held_for_ws(const void *owner)
{
    const sio_session *s = owner;
    return sio_session_held(s);
}

static void tell_about(const void *owner, sio_about *about)
{
    *about = sio_session_about(owner);
}

void sio_session_break(sio_session *s)
{
    sio_log_of(s->eio->net, sio_session_about(s),
               "session closed: there is no memory for what its client is to get (give the server "
               "more)");
    if (sio_session_open(s))
        s->transport->fail(s);
}

/* Writes a packet as a frame of text, for a client that takes no binary ones (E02). */
static void put_base64(const sio_session *s, sio_out *out, unsigned char op, const char *p,
                       size_t n)
{
    (void)s;
    sio_out_frame(out);
    if (op == SIO_WS_BINARY) {
        sio_put(&out->sink, "b", 1);
        sio_put_base64(&out->sink, p, n);
    } else {
        sio_put(&out->sink, p, n);
    }
    sio_out_frame_end(out, SIO_WS_TEXT);
}

/* What is queued are frames as most clients want them; for the others each is written anew. */
static void ws_send(sio_session *s, sio_ref frames)
{
    sio_net *net = s->eio->net;
    const char *p = frames.buf->p + frames.at, *end = p + frames.n;
    sio_ref converted;
    if (s->protocol == 4 && !s->base64) {
        sio_conn_send(s->on.conn, frames);
        return;
    }
    sio_out_begin(&net->out);
    while (p < end) {
        unsigned char op;
        size_t n;
        p += sio_ws_own_header(p, &op, &n);
        (s->protocol == 3 ? net->v3->put : put_base64)(s, &net->out, op, p, n);
        p += n;
    }
    if (!sio_out_end(&net->out, &converted)) {
        sio_session_break(s);
        return;
    }
    sio_conn_send(s->on.conn, converted);
    sio_ref_release(converted);
}

static bool ws_ready(const sio_session *s)
{
    return sio_conn_writable(s->on.conn);
}

static size_t ws_pending(const sio_session *s)
{
    return sio_conn_pending(s->on.conn);
}

static void ws_close(sio_session *s, bool asked)
{
    (void)asked;
    sio_conn_close(s->on.conn, SIO_WS_NO_CODE);
}

static void ws_fail(sio_session *s)
{
    sio_conn_break(s->on.conn);
}

const sio_session_transport sio_by_websocket = { .name = "websocket",
                                                 .send = ws_send,
                                                 .ready = ws_ready,
                                                 .pending = ws_pending,
                                                 .close = ws_close,
                                                 .fail = ws_fail };

/* ---- All of an endpoint --------------------------------------------------------------------------- */

void sio_session_init(sio_eio *eio)
{
    const sio_options *o = eio->options;
    sio_clock *clock = &eio->net->clock;
    eio->sessions.memory = eio->crowds.memory = &eio->net->memory;
    eio->ws_events = (sio_ws_events){ .message = on_ws_message,
                                      .close = on_ws_close,
                                      .max_message = o->max_payload,  // W27, W28, W29
                                      .frame = eio->net->metered ? on_ws_frame : NULL,
                                      .held = held_for_ws,
                                      .about = tell_about };
    sio_fifo_init(clock, &eio->ping_fifo, o->ping_interval_ms, on_ping_due, eio);
    if (o->ping_interval_ms >= LONG_INTERVAL_MS)
        eio->ping_fifo.early = o->ping_interval_ms / 256;  // ten thousand pings in 256 turns
    sio_fifo_init(clock, &eio->pong_fifo, o->ping_timeout_ms, sio_session_silent, eio);
    sio_fifo_init(clock, &eio->closing_fifo, o->close_timeout_ms, on_closing_over, eio);
}

void sio_eio_bury(sio_eio *eio)
{
    const sio_memory *m = &eio->net->memory;
    while (eio->dead != NULL) {
        sio_session *s = eio->dead;
        eio->dead = (sio_session *)s->node.next;
        sio_handshake_free(m, s->handshake);
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
    while ((node = sio_table_any(&eio->sessions, &from)) != NULL)
        sio_session_abort((sio_session *)node, reason);
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
        if (sio_session_pending(s) > 0)
            sio_session_end(s, reason);
        else if (sio_session_open(s))
            sio_session_abort(s, reason);
    }
    sio_free_mem(m, all);
}
