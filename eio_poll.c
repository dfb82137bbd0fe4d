/* eio_poll.c - Engine.IO over HTTP long-polling: a GET waits for packets, a POST brings some
 * SPDX-License-Identifier: MIT
 *
 *     payload     packet 0x1E packet 0x1E packet     binary: "b" and base64
 *
 * What is queued for a session are WebSocket frames, as for everybody else; their headers are read
 * here to find the packets. The way from here to a WebSocket is at the end, with its drawing.
 *
 * What holds here:
 *  - At most one GET waits and one POST is under way. A second one is a violation: it gets 400, and
 *    the session ends (P16, P17).
 *  - A POST is answered when its packets have been handed on. Many of them are read in slices, one
 *    a turn, so that nobody waits for a payload of a megabyte; few are read where they lie.
 *  - Every request is answered once, also when the session ends meanwhile; only those whose
 *    connection is gone are not.
 *  - When a session is over, or is on a WebSocket, its sio_polling is freed as the turn ends. */
#include "eio.h"

#include <string.h>

enum {
    TICK_MS = 50,          // how often a GET is released while an upgrade is under way
    SLICE_PACKETS = 4096,  // of all payloads in a turn
    SLICE_LEAST = 1        // of one
};

static const char no_store[] = "cache-control: no-store\r\n";

/* Has it looked at when the turn ends. */
static void mark(sio_eio *eio, sio_polling *k)
{
    if (k->dirty)
        return;
    k->dirty = true;
    k->next = eio->dirty;
    eio->dirty = k;
}

/* The session needs it no more. */
static void leave(sio_session *s)
{
    sio_polling *k = s->on.polling;
    sio_deadline_clear(&k->returned);
    k->session = NULL;
    mark(s->eio, k);
}

/* ---- Answers to a GET ---------------------------------------------------------------------------- */

bool sio_walk_next(sio_walk *w, unsigned char *op, sio_span *packet)
{
    while (w->p == w->end) {
        sio_ref r = sio_queue_at(w->queue, w->piece++);
        if (r.n == 0)
            return false;
        w->p = r.buf->p + r.at;
        w->end = w->p + r.n;
    }
    w->p += sio_ws_own_header(w->p, op, &packet->n);
    packet->p = w->p;
    w->p += packet->n;
    return true;
}

/* P05: straight into the output: the size first, then the bytes. */
static void respond_queue(sio_exchange *x, const sio_queue *queue)
{
    sio_sink *sink = &sio_conn_net(x->conn)->out.sink;
    sio_walk w = { .queue = queue };
    unsigned char op;
    sio_span packet;
    size_t size = 0;
    while (sio_walk_next(&w, &op, &packet))
        size += 1 + (op == SIO_WS_BINARY ? 1 + sio_base64_size(packet.n) : packet.n);
    sio_respond_begin(x, 200, "text/plain; charset=UTF-8", SIO_SPAN(no_store), size - 1);
    w = (sio_walk){ .queue = queue };
    for (bool first = true; sio_walk_next(&w, &op, &packet); first = false) {
        if (!first)
            sio_put(sink, "\x1e", 1);
        if (op == SIO_WS_BINARY) {
            sio_put(sink, "b", 1);
            sio_put_base64(sink, packet.p, packet.n);
        } else {
            sio_put(sink, packet.p, packet.n);
        }
    }
    sio_respond_end(x);
}

/* The session ends with the turn. */
static void poll_fail(sio_session *s)
{
    s->on.polling->overflow = true;
    mark(s->eio, s->on.polling);
}

/* Answers the waiting GET with what is queued; also while an upgrade is under way (U05). Where there is no
 * memory for the answer packets are lost, so the session can't go on. */
static void flush(sio_session *s)
{
    sio_polling *k = s->on.polling;
    sio_exchange *x = k->get;
    bool answered = true;
    if (x == NULL || k->queue.n == 0)
        return;
    const sio_conn *c = x->conn;
    k->get = NULL;
    x->user = NULL;
    if (s->protocol == 3)  // payloads are written otherwise
        answered = s->eio->net->v3->answer(s, x);
    else
        respond_queue(x, &k->queue);
    sio_queue_clear(&s->eio->net->memory, &k->queue);
    if (!answered || c->broken)
        poll_fail(s);
}

/* Answers the waiting GET, if there is one, with packets of one byte each; or with what is queued, for
 * that would have gone a moment ago. */
static void release(sio_session *s, const char *packets)
{
    sio_polling *k = s->on.polling;
    if (k->get != NULL && k->queue.n == 0)
        for (const char *p = packets; *p != '\0'; p++) {
            if (sio_traced(s))
                sio_trace_frames(s, sio_eio_word(*p));
            sio_queue_add(&s->eio->net->memory, &k->queue, sio_eio_word(*p));  // one piece
        }
    flush(s);
}

static const char overlap_remedy[] =
    "look for a proxy that repeats requests, or two clients with one session";

void sio_poll_get(sio_session *s, sio_exchange *x, sio_span jsonp)
{
    sio_polling *k = s->on.polling;
    if (k->get != NULL) {  // P16: the first is told that it is over
        sio_session_error(s, "overlap from client", overlap_remedy);
        sio_respond_empty(x, 400);
        return;
    }
    k->get = x;  // P04
    x->user = s;
    if (s->protocol == 3)  // it may want JSONP
        s->eio->net->v3->get(k, jsonp);
    if (k->queue.n > 0) {
        flush(s);
    } else if (s->state == SIO_SESSION_CLOSING) {
        release(s, "61");  // P34, P35
        sio_session_closed(s, "forced close", NULL);
    }
}

/* ---- POSTs ---------------------------------------------------------------------------------------- */

/* P02 */
static void respond_ok(sio_exchange *x)
{
    sio_respond(x, 200, "text/html", SIO_SPAN(no_store), SIO_SPAN("ok"));
}

/* P17: another POST comes while one is under way: the first one's connection goes, and the session. */
static void end_overlap(sio_session *s, sio_exchange *x)
{
    sio_exchange *post = s->on.polling->post;
    sio_conn *first = post == NULL ? NULL : post->conn, *second = x->conn;
    if (first != NULL) {
        post->user = s->on.polling->post = NULL;  // its end is not what ends the session
        sio_conn_end(first, false);
    }
    sio_session_error(s, "data request overlap from client", overlap_remedy);
    if (first != second)
        sio_respond_empty(x, 400);
}

void sio_poll_post(sio_session *s, sio_exchange *x, const sio_http_head *head, bool jsonp)
{
    sio_polling *k = s->on.polling;
    bool bytes = sio_span_is(sio_http_field_of(head, "Content-Type"), "application/octet-stream");
    if (s->state == SIO_SESSION_CLOSING) {  // P36
        respond_ok(x);
    } else if (k->post != NULL || k->rest != NULL) {
        end_overlap(s, x);
    } else if (bytes && s->protocol == 4) {  // P25
        sio_session_error(s, "invalid content", "have its client post text");
        sio_respond_empty(x, 400);
    } else {  // P26
        x->wants_body = true;
        x->kind = (unsigned char)((bytes ? SIO_POST_BYTES : 0) | (jsonp ? SIO_POST_FORM : 0));
        k->post = x;
        x->user = s;
    }
}

/* Reads one slice (P03): all payloads share the packets of a turn. True: that was all, or the session
 * wants no more: what stands behind a bad packet or a close is never handled (P10, P15). */
static bool read_slice(sio_session *s, sio_payload *p)
{
    const sio_eio_v3 *v3 = s->eio->net->v3;
    sio_span packet;
    size_t share = SLICE_PACKETS / (s->eio->n_rests + 1);
    for (size_t most = share > SLICE_LEAST ? share : SLICE_LEAST; sio_session_open(s); most--) {
        bool text = true;
        if (most == 0)
            return p->at > p->bytes.n;
        int got = s->protocol == 3 ? v3->next(p, &text, &packet)  // lengths stand before packets
                                   : sio_payload_next(p->bytes, &p->at, &packet);
        if (got < 0)
            sio_session_malformed(s);
        if (got <= 0)
            break;
        if (packet.n == 0 && s->protocol == 3)  // clients of protocol 3 may send "0:"
            continue;
        s->eio->net->stats.packets_in++;
        if (sio_session_count(s, 1, 0))  // bytes: with the body
            sio_session_packet(s, text, packet.p, packet.n);
    }
    return true;
}

static void free_rest(sio_rest *r)
{
    sio_eio *eio = r->session->eio;
    sio_timer_clear(&eio->net->clock, &r->turn);
    eio->n_rests--;
    sio_hold(&eio->net->memory, 0, r->payload.bytes.n);
    sio_free_mem(&eio->net->memory, r);
}

/* The payload of the POST under way is done. */
static void end_post(sio_polling *k)
{
    sio_exchange *x = k->post;
    k->post = NULL;
    if (x == NULL)
        return;  // its connection has gone meanwhile
    x->user = NULL;
    respond_ok(x);
}

/* A turn later: the next slice. */
static void on_turn(void *owner, sio_timer *t)
{
    sio_rest *r = (sio_rest *)(void *)t;
    sio_session *s = r->session;
    sio_polling *k = s->on.polling;
    (void)owner;
    k->rest = NULL;  // the session's end must not free what is being read
    if (read_slice(s, &r->payload)) {
        free_rest(r);
        end_post(k);
        return;
    }
    k->rest = r;
    if (!sio_timer_set(&s->eio->net->clock, &r->turn, 0))
        sio_session_abort(s, "transport error");  // no memory
}

/* Keeps what is left of a payload for later turns. False: no memory. */
static bool keep_rest(sio_session *s, const sio_payload *p)
{
    sio_eio *eio = s->eio;
    size_t n = p->bytes.n - p->at;
    sio_rest *r = sio_resize(&eio->net->memory, NULL, sizeof *r + n);
    if (r == NULL)
        return false;
    if (n > 0)
        memcpy(r->bytes, p->bytes.p + p->at, n);
    *r = (sio_rest){ .turn = { .expire = on_turn },
                     .session = s,
                     .payload = { { r->bytes, n }, 0, p->binary } };
    eio->n_rests++;
    sio_hold(&eio->net->memory, n, 0);
    if (sio_timer_set(&eio->net->clock, &r->turn, 0)) {
        s->on.polling->rest = r;
        return true;
    }
    free_rest(r);
    return false;
}

bool sio_poll_payload(sio_session *s, sio_span bytes, bool binary)
{
    sio_payload p = { bytes, 0, binary };
    if (!binary && sio_utf8_prefix(bytes.p, bytes.n) != bytes.n) {
        sio_session_malformed(s);  // P31; letters are whole, as the body is (P30)
        return true;
    }
    return read_slice(s, &p) || keep_rest(s, &p);
}

void sio_poll_body(sio_session *s, sio_exchange *x, sio_span body)
{
    sio_polling *k = s->on.polling;
    k->post = NULL;
    x->user = NULL;
    if (!sio_session_count(s, 0, body.n)) {
        respond_ok(x);
        return;
    }
    bool good = s->protocol == 3 ? s->eio->net->v3->body(s, x, body)  // perhaps a form
                                 : sio_poll_payload(s, body, false);
    if (!good) {  // packets are lost, so the session can't go on
        sio_session_abort(s, "transport error");
        sio_respond_empty(x, 503);
    } else if (k->rest != NULL) {
        k->post = x;
        x->user = s;
    } else {
        respond_ok(x);
    }
}

void sio_poll_lost(sio_session *s, sio_exchange *x, int status)
{
    sio_polling *k = s->on.polling;
    bool read_whole = x == k->post && k->rest != NULL;
    const char *lost = x == k->get ? "poll connection closed prematurely"
                                   : "data request connection closed prematurely";
    x->user = NULL;
    if (x == k->get)
        k->get = NULL;
    if (x == k->post)
        k->post = NULL;
    if (status != 413 && !read_whole)  // P21, P24
        sio_session_lost(s, lost);     // P18, P19, P40, T07
}

/* ---- From polling to WebSocket ------------------------------------------------------------------- */

/*     client                                server
 *       GET ...&sid=SID, Upgrade  ------>     101; polling goes on beside it
 *       "2probe"                  ------>
 *                                 <------     "3probe"; a waiting GET is answered "6" soon
 *       "5"                       ------>     the session lives on the WebSocket, and what is
 *                                 <------     queued leaves there
 *
 * A client pauses polling before it sends "5": its POSTs are answered by then. Where one is not, what
 * has not come of it is dropped; if it came whole and is still being read, the upgrade is given up,
 * for what comes over the WebSocket would overtake it.
 *
 * Nothing that goes wrong on the probing connection harms the session: the connection is closed,
 * polling goes on, and the client may try again. */

/* The attempt is over, either way. */
static void finish(sio_upgrade *u)
{
    sio_eio *eio = u->session->eio;
    sio_deadline_clear(&u->timeout);
    sio_deadline_clear(&u->tick);
    u->session->on.polling->upgrade = NULL;
    u->session = NULL;
    u->next = eio->dead_upgrades;
    eio->dead_upgrades = u;
}

static void abandon(sio_upgrade *u)
{
    finish(u);
    sio_conn_close(u->conn, SIO_WS_NO_CODE);
}

void sio_upgrade_begin(sio_session *s, sio_exchange *x, const sio_http_head *head, bool base64)
{
    sio_eio *eio = s->eio;
    sio_upgrade *u = NULL;
    if (s->transport == &sio_by_polling && sio_session_open(s) && s->on.polling->upgrade == NULL)
        u = sio_alloc(&eio->net->memory, sizeof *u);
    sio_conn *c = sio_conn_upgrade(x, head, &eio->upgrade_events, u);
    if (c == NULL) {
        sio_free_mem(&eio->net->memory, u);
        return;
    }
    if (u == NULL) {  // U09
        sio_log_of(eio->net, sio_session_about(s),
                   "websocket closed: its session has one already or closes, or there is no memory "
                   "(have its client upgrade once)");
        sio_conn_close(c, SIO_WS_NO_CODE);
        return;
    }
    u->session = s;
    u->conn = c;
    u->base64 = base64;
    s->on.polling->upgrade = u;
    sio_deadline_set(&eio->net->clock, &eio->upgrade_fifo, &u->timeout);
}

/* The session changes its transport (U03), and its heartbeat goes on as it was (H10). What is queued
 * leaves on the WebSocket (U04), and the close that was to follow it (U14). */
static void complete(sio_upgrade *u)
{
    sio_session *s = u->session;
    sio_eio *eio = s->eio;
    sio_polling *k = s->on.polling;
    release(s, "6");        // U06
    if (k->post != NULL) {  // U15: it has not come whole
        sio_conn *c = k->post->conn;
        k->post->user = NULL;
        k->post = NULL;
        sio_conn_end(c, false);
    }
    if (u->session == NULL || k->overflow)
        return;  // a callback of a connection that had to go ended the session; or it ends with the turn
    sio_queue queue = k->queue;
    k->queue = (sio_queue){ .n = 0 };
    finish(u);
    leave(s);
    s->transport = &sio_by_websocket;
    s->on.conn = u->conn;
    s->base64 = u->base64;
    eio->net->stats.upgrades++;
    sio_conn_set_owner(u->conn, &eio->ws_events, s);
    for (size_t i = 0; sio_queue_at(&queue, i).n > 0; i++)
        s->transport->send(s, sio_queue_at(&queue, i));
    sio_queue_clear(&eio->net->memory, &queue);
    if (s->state == SIO_SESSION_CLOSING)
        sio_session_abort(s, "forced close");
}

/* A "5" ends the upgrade, but not in the middle of a POST's packets, which it would overtake. */
static void on_upgrade_message(void *owner, bool text, const char *p, size_t n)
{
    static char bytes[] = "\x81\x06"
                          "3probe";
    static sio_buf buf = { .refs = 1, .fixed = true, .n = 8, .cap = 8, .p = bytes };
    sio_upgrade *u = owner;
    sio_span packet = { p, n };
    sio_eio *eio = u->session->eio;
    if (sio_traced(u->session))
        sio_trace_packet(u->session, "-> ", true, text, packet);
    if (text && sio_span_is(packet, "2probe")) {
        if (sio_traced(u->session))
            sio_trace_packet(u->session, "<- ", true, true, SIO_SPAN("3probe"));
        sio_conn_send(u->conn, (sio_ref){ &buf, 0, 8 });  // U01
        sio_deadline_set(&eio->net->clock, &eio->tick_fifo, &u->tick);
    } else if (text && sio_span_is(packet, "5") && u->session->on.polling->rest == NULL) {
        complete(u);  // U03, U07
    } else {
        abandon(u);  // U10
    }
}

static bool on_upgrade_frame(void *owner, bool part, size_t n)
{
    (void)part;
    return sio_session_count(((sio_upgrade *)owner)->session, 1, n);
}

static void tell_about(const void *owner, sio_about *about)
{
    const sio_upgrade *u = owner;
    if (u != NULL && u->session != NULL)  // it may not have begun, or be over
        *about = sio_session_about(u->session);
}

static void on_upgrade_close(void *owner, int code, bool clean)
{
    (void)code, (void)clean;
    finish(owner);  // U12
}

/* U11 */
static void on_upgrade_timeout(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_upgrade *u = (sio_upgrade *)(void *)((char *)d - offsetof(sio_upgrade, timeout));
    sio_log_of(
        eio->net, sio_session_about(u->session),
        "upgrade given up: it was not completed within upgrade_timeout_ms, %d (look for a proxy "
        "that takes the handshake but no frames, or raise it)",
        eio->options->upgrade_timeout_ms);
    abandon(u);
}

/* U02: the client pauses polling before it completes the upgrade: its GET is let go for that. */
static void on_upgrade_tick(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_upgrade *u = (sio_upgrade *)(void *)((char *)d - offsetof(sio_upgrade, tick));
    release(u->session, "6");
    sio_deadline_set(&eio->net->clock, &eio->tick_fifo, &u->tick);
}

/* ---- The transport ------------------------------------------------------------------------------- */

/* P41: nobody but who opened it knows of it, so it need not wait for a ping. */
static void on_no_return(void *owner, sio_deadline *d)
{
    sio_polling *k = (sio_polling *)(void *)((char *)d - offsetof(sio_polling, returned));
    sio_eio *eio = owner;
    eio->net->stats.ping_timeouts++;
    sio_log_of(
        eio->net, sio_session_about(k->session),
        "session closed: its client did not come back within return_timeout_ms, %d (look for a "
        "proxy that sends its requests to other servers, or raise it)",
        eio->options->return_timeout_ms);
    sio_session_abort(k->session, "ping timeout");
}

void sio_poll_returned(sio_session *s)
{
    if (s->transport == &sio_by_polling)
        sio_deadline_clear(&s->on.polling->returned);
}

bool sio_poll_begin(sio_session *s)
{
    sio_eio *eio = s->eio;
    sio_polling *k = s->on.polling = sio_alloc(&eio->net->memory, sizeof *k);
    if (k == NULL)
        return false;
    k->session = s;
    sio_deadline_set(&eio->net->clock, &eio->return_fifo, &k->returned);
    return true;
}

/* Queues packets for the next GET, or for the turn's end where one waits: then all of a turn goes in
 * one body (P06). */
static void poll_send(sio_session *s, sio_ref frames)
{
    sio_polling *k = s->on.polling;
    sio_net *net = s->eio->net;
    mark(s->eio, k);
    if (k->queue.n > 0 && k->queue.n + frames.n > net->options->max_output) {
        if (!k->overflow) {
            net->stats.overflows++;
            sio_log_of(
                net, sio_session_about(s),
                "session closed: more than max_output, %zu bytes, waits for its client to poll "
                "(send less or with sio_volatile, or raise it)",
                net->options->max_output);
        }
        k->overflow = true;
    } else if (!sio_queue_add(&net->memory, &k->queue, frames)) {
        k->overflow = true;
    }
}

static bool poll_reachable(const sio_session *s)
{
    return s->on.polling->get != NULL;
}

static bool poll_ready(const sio_session *s)
{
    return s->on.polling->get != NULL && s->on.polling->queue.n == 0;
}

static size_t poll_pending(const sio_session *s)
{
    return s->on.polling->queue.n;
}

/* What is queued takes the waiting GET, and the close the next one; or an upgrade that is under way
 * takes both. */
static bool poll_flush(sio_session *s)
{
    if (poll_ready(s))
        return true;
    flush(s);
    return false;
}

static void poll_close(sio_session *s, bool asked)
{
    release(s, asked ? "6" : "1");  // P14; P33, H07
}

/* The waiting GET has had its answer. A POST that has not come whole is let go: what comes of it is
 * not looked at, and it is answered then. */
static void poll_gone(sio_session *s)
{
    sio_polling *k = s->on.polling;
    if (k == NULL)
        return;  // there was no memory for it
    if (k->upgrade != NULL)
        abandon(k->upgrade);  // U13
    if (k->rest != NULL) {    // nobody reads on; the POST is answered
        free_rest(k->rest);
        k->rest = NULL;
        end_post(k);
    }
    if (k->post != NULL)
        k->post->user = NULL;
    leave(s);
}

const sio_session_transport sio_by_polling = { .name = "polling",
                                               .send = poll_send,
                                               .ready = poll_ready,
                                               .reachable = poll_reachable,
                                               .pending = poll_pending,
                                               .flush = poll_flush,
                                               .close = poll_close,
                                               .fail = poll_fail,
                                               .gone = poll_gone };

/* ---- All of an endpoint --------------------------------------------------------------------------- */

/* Polling sessions; the others are weighed with their connections. */
static size_t weigh(sio_holder *h, size_t least, size_t *excess)
{
    sio_eio *eio = (sio_eio *)(void *)((char *)h - offsetof(sio_eio, holder));
    size_t most = 0;
    for (sio_node *n = NULL; (n = sio_table_next(&eio->sessions, n)) != NULL;) {
        sio_session *s = (sio_session *)n;
        const sio_polling *k = s->on.polling;
        if (s->transport != &sio_by_polling || k->overflow)
            continue;
        size_t held = sio_queue_held(&k->queue) + (k->rest == NULL ? 0 : k->rest->payload.bytes.n);
        held += sio_session_held(s);
        if (held >= least && *excess > 0) {
            *excess -= held < *excess ? held : *excess;
            eio->net->stats.overflows++;
            sio_log_of(
                eio->net, sio_session_about(s),
                "session closed: max_memory is reached, and it holds %zu bytes of it (raise it, "
                "or have max_payload and max_output smaller)",
                held);
            poll_fail(s);
        } else if (held > most) {
            most = held;
        }
    }
    return most;
}

void sio_eio_flush(sio_eio *eio)
{
    const sio_memory *m = &eio->net->memory;
    while (eio->dirty != NULL) {
        sio_polling *k = eio->dirty;
        eio->dirty = k->next;
        k->dirty = false;
        if (k->session == NULL) {
            sio_queue_clear(m, &k->queue);
            sio_free_mem(m, k);
        } else if (k->overflow) {
            sio_session_abort(k->session, "transport error");
        } else {
            flush(k->session);
            if (!sio_queue_settle(m, &k->queue))
                sio_session_abort(k->session, "transport error");
        }
    }
}

void sio_poll_init(sio_eio *eio)
{
    const sio_options *o = eio->options;
    sio_clock *clock = &eio->net->clock;
    eio->upgrade_events = (sio_ws_events){ .message = on_upgrade_message,
                                           .close = on_upgrade_close,
                                           .max_message = o->max_payload,
                                           .frame = eio->net->metered ? on_upgrade_frame : NULL,
                                           .about = tell_about };
    eio->holder.weigh = weigh;
    sio_holder_add(eio->net, &eio->holder);
    sio_fifo_init(clock, &eio->return_fifo, o->return_timeout_ms, on_no_return, eio);
    sio_fifo_init(clock, &eio->upgrade_fifo, o->upgrade_timeout_ms, on_upgrade_timeout, eio);
    sio_fifo_init(clock, &eio->tick_fifo, TICK_MS, on_upgrade_tick, eio);
}
