/* eio_poll.c - Engine.IO over HTTP long-polling: a GET waits for packets, a POST brings some
 * SPDX-License-Identifier: MIT
 *
 *     payload, protocol 4     packet 0x1E packet 0x1E packet     binary: "b" and base64
 *     payload, protocol 3     length ":" packet length ":" packet     counted in UTF-16 units,
 *                             binary: "b4" and base64; or, where the client can take bytes:
 *                             0 or 1, the length's digits as bytes 0 to 9, 0xFF, packet
 *     JSONP, protocol 3       ___eio[j]("payload");  and a form with the payload in its field d
 *
 * What is queued for a session are WebSocket frames, as for everybody else; their headers are read
 * here to find the packets.
 *
 * What holds here:
 *  - At most one GET waits and one POST is under way. A second one is a violation: it gets 400, and
 *    the session ends.
 *  - A POST is answered when its packets have been handed on. Many of them are read in slices, one
 *    a turn, so that nobody waits for a payload of a megabyte; few are read where they lie.
 *  - Every request is answered once, also when the session ends meanwhile; only those whose
 *    connection is gone are not. */
#include "eio.h"

#include <string.h>

enum {
    KIND_BINARY = 1,  // of a POST: protocol 3's bytes
    KIND_JSONP = 2,
    SLICE_PACKETS = 4096,  // of all payloads in a turn
    SLICE_LEAST = 1       // of one
};

static const char no_store[] = "cache-control: no-store\r\n";
static const char text_type[] = "text/plain; charset=UTF-8";

/* ---- Answers to a GET ---------------------------------------------------------------------------- */

/* Length of UTF-8 text in UTF-16 code units. */
static size_t utf16_length(const char *p, size_t n)
{
    size_t units = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        units += (c & 0xc0) != 0x80;
        units += c >= 0xf0;
    }
    return units;
}

/* A script for JSONP: the payload as a string, without the two line ends JSON allows and old
 * JavaScript does not. */
static void respond_script(sio_exchange *x, const char *digits, sio_span payload)
{
    sio_textbuf t = sio_text_new(&sio_conn_net(x->conn)->memory);
    sio_put_text(&t.sink, "___eio[");
    sio_put_text(&t.sink, digits);
    sio_put_text(&t.sink, "](\"");
    size_t from = 0;
    for (size_t i = 0; i + 2 < payload.n; i++) {
        const char *p = payload.p + i;
        if (memcmp(p, "\xe2\x80\xa8", 3) != 0 && memcmp(p, "\xe2\x80\xa9", 3) != 0)
            continue;
        sio_json_put_escaped(&t.sink, payload.p + from, i - from);
        sio_put_text(&t.sink, p[2] == '\xa8' ? "\\u2028" : "\\u2029");
        from = i + 3;
    }
    sio_json_put_escaped(&t.sink, payload.p + from, payload.n - from);
    sio_put_text(&t.sink, "\");");
    if (t.sink.failed)
        sio_respond_empty(x, 503);
    else
        sio_respond(x, 200, text_type, SIO_SPAN(no_store), (sio_span){ t.sink.p, t.sink.n });
    sio_text_free(&t);
}

static void respond_payload(sio_exchange *x, const char *digits, bool bytes, sio_span payload)
{
    if (digits != NULL)
        respond_script(x, digits, payload);
    else
        sio_respond(x, 200, bytes ? "application/octet-stream" : text_type, SIO_SPAN(no_store),
                    payload);
}

/* The digits of a j parameter, which name the callback. */
static void keep_digits(char out[12], sio_span jsonp)
{
    size_t n = 0;
    for (size_t i = 0; i < jsonp.n && n < 11; i++)
        if (jsonp.p[i] >= '0' && jsonp.p[i] <= '9')
            out[n++] = jsonp.p[i];
    out[n] = '\0';
}

static void put_length(sio_sink *sink, size_t n)
{
    sio_put_number(sink, n);
    sio_put(sink, ":", 1);
}

void sio_poll_answer_text(sio_exchange *x, int protocol, sio_span jsonp, sio_span packet)
{
    char digits[12], text[512];
    sio_sink sink = { .p = text, .cap = sizeof text };
    keep_digits(digits, jsonp);
    if (protocol == 3)
        put_length(&sink, utf16_length(packet.p, packet.n));
    sio_put(&sink, packet.p, packet.n);
    respond_payload(x, jsonp.p == NULL ? NULL : digits, false, (sio_span){ text, sink.n });
}

/* One packet of protocol 3. bytes: the payload is binary. */
static void put_packet3(sio_sink *sink, unsigned char op, bool bytes, const char *p, size_t n)
{
    static const char binary_type = 4, end = (char)0xff;
    char digits[20];
    sio_sink number = { .p = digits, .cap = sizeof digits };
    if (!bytes && op == SIO_WS_BINARY) {
        put_length(sink, 2 + sio_base64_size(n));
        sio_put(sink, "b4", 2);
        sio_put_base64(sink, p, n);
        return;
    }
    if (!bytes) {
        put_length(sink, utf16_length(p, n));
        sio_put(sink, p, n);
        return;
    }
    sio_put(sink, op == SIO_WS_BINARY ? "\1" : "\0", 1);
    sio_put_number(&number, n + (op == SIO_WS_BINARY));
    for (size_t i = 0; i < number.n; i++)
        digits[i] = (char)(digits[i] - '0');
    sio_put(sink, digits, number.n);
    sio_put(sink, &end, 1);
    if (op == SIO_WS_BINARY)
        sio_put(sink, &binary_type, 1);
    sio_put(sink, p, n);
}

/* Walks the packets of a queue: its pieces are whole frames. */
typedef struct walk {
    const sio_queue *queue;
    size_t piece;
    const char *p, *end;
} walk;

static bool next_packet(walk *w, unsigned char *op, sio_span *packet)
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

/* Protocol 4, straight into the output: the size first, then the bytes. */
static void respond_queue(sio_exchange *x, const sio_queue *queue)
{
    sio_sink *sink = &sio_conn_net(x->conn)->out.sink;
    walk w = { queue, 0, NULL, NULL };
    unsigned char op;
    sio_span packet;
    size_t size = 0;
    while (next_packet(&w, &op, &packet))
        size += 1 + (op == SIO_WS_BINARY ? 1 + sio_base64_size(packet.n) : packet.n);
    sio_respond_begin(x, 200, text_type, SIO_SPAN(no_store), size - 1);
    w = (walk){ queue, 0, NULL, NULL };
    for (bool first = true; next_packet(&w, &op, &packet); first = false) {
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

/* Protocol 3, or JSONP. */
static void respond_queue_slowly(const sio_session *s, sio_exchange *x)
{
    const sio_polling *k = s->polling;
    sio_textbuf t = sio_text_new(&s->eio->net->memory);
    walk w = { &k->queue, 0, NULL, NULL };
    unsigned char op;
    sio_span packet;
    bool bytes = false;
    while (next_packet(&w, &op, &packet))
        bytes |= op == SIO_WS_BINARY && s->protocol == 3 && !s->base64 && !k->is_jsonp;
    w = (walk){ &k->queue, 0, NULL, NULL };
    while (next_packet(&w, &op, &packet)) {
        if (s->protocol == 3) {
            put_packet3(&t.sink, op, bytes, packet.p, packet.n);
            continue;
        }
        if (t.sink.n > 0)
            sio_put(&t.sink, "\x1e", 1);
        sio_put(&t.sink, "b", op == SIO_WS_BINARY);
        if (op == SIO_WS_BINARY)
            sio_put_base64(&t.sink, packet.p, packet.n);
        else
            sio_put(&t.sink, packet.p, packet.n);
    }
    if (t.sink.failed)
        sio_respond_empty(x, 503);
    else
        respond_payload(x, k->is_jsonp ? k->jsonp : NULL, bytes, (sio_span){ t.sink.p, t.sink.n });
    sio_text_free(&t);
}

void sio_poll_flush(sio_session *s)
{
    sio_polling *k = s->polling;
    sio_exchange *x = k->get;
    if (x == NULL || k->queue.n == 0)
        return;
    k->get = NULL;
    x->user = NULL;
    if (s->protocol == 4 && !k->is_jsonp)
        respond_queue(x, &k->queue);
    else
        respond_queue_slowly(s, x);
    sio_queue_clear(&s->eio->net->memory, &k->queue);
}

void sio_poll_release(sio_session *s, const char *packets)
{
    sio_polling *k = s->polling;
    sio_exchange *x = k == NULL ? NULL : k->get;
    char text[16];
    sio_sink sink = { .p = text, .cap = sizeof text };
    if (x == NULL)
        return;
    if (k->queue.n > 0) {  // what is queued goes first, as it would have a moment ago
        sio_poll_flush(s);
        return;
    }
    for (const char *p = packets; *p != '\0'; p++) {
        if (s->protocol == 3)
            put_length(&sink, 1);
        else if (p > packets)
            sio_put(&sink, "\x1e", 1);
        sio_put(&sink, p, 1);
    }
    k->get = NULL;
    x->user = NULL;
    respond_payload(x, k->is_jsonp ? k->jsonp : NULL, false, (sio_span){ text, sink.n });
}

void sio_poll_get(sio_session *s, sio_exchange *x, sio_span jsonp)
{
    sio_polling *k = s->polling;
    if (k->get != NULL) {  // overlap: the first is told that it is over
        x->user = NULL;
        sio_session_abort(s, "transport error");
        sio_respond_empty(x, 400);
        return;
    }
    k->get = x;
    k->is_jsonp = jsonp.p != NULL;
    keep_digits(k->jsonp, jsonp);
    if (k->queue.n > 0) {
        sio_poll_flush(s);
    } else if (s->state == SIO_SESSION_CLOSING) {
        sio_poll_release(s, "61");
        sio_session_closed(s, "forced close");
    }
}

/* ---- POSTs ---------------------------------------------------------------------------------------- */

static void respond_ok(sio_exchange *x)
{
    sio_respond(x, 200, "text/html", SIO_SPAN(no_store), SIO_SPAN("ok"));
}

/* Another POST comes while one is under way: the first one's connection goes, and the session. */
static void end_overlap(sio_session *s, sio_exchange *x)
{
    sio_conn *first = s->polling->post == NULL ? NULL : s->polling->post->conn, *second = x->conn;
    if (first != NULL)
        sio_conn_end(first, false);
    sio_session_abort(s, "transport error");
    if (first != second)
        sio_respond_empty(x, 400);
}

void sio_poll_post(sio_session *s, sio_exchange *x, const sio_http_head *head, bool jsonp)
{
    sio_polling *k = s->polling;
    bool bytes = sio_span_is(sio_http_field_of(head, "Content-Type"), "application/octet-stream");
    if (s->state == SIO_SESSION_CLOSING) {
        x->user = NULL;
        respond_ok(x);
    } else if (k->post != NULL || k->rest != NULL) {
        x->user = NULL;
        end_overlap(s, x);
    } else if (bytes && s->protocol == 4) {
        x->user = NULL;
        sio_session_abort(s, "transport error");
        sio_respond_empty(x, 400);
    } else {
        x->wants_body = true;
        x->kind = (unsigned char)((bytes ? KIND_BINARY : 0) | (jsonp ? KIND_JSONP : 0));
        k->post = x;
    }
}

/* Takes "length:packet"; a length counts UTF-16 units. False: malformed. */
static bool next_packet3(sio_span payload, size_t *at, sio_span *packet)
{
    const char *p = payload.p + *at, *end = payload.p + payload.n;
    size_t units = 0, digits = 0;
    for (; p < end && *p >= '0' && *p <= '9' && digits < 10; p++, digits++)
        units = units * 10 + (size_t)(*p - '0');
    if (digits == 0 || p == end || *p != ':')
        return false;
    packet->p = ++p;
    while (units > 0 && p < end) {
        unsigned char c = (unsigned char)*p;
        size_t wide = c >= 0xf0 ? 2 : 1, bytes = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if (units < wide)
            return false;
        units -= wide;
        p += bytes;  // whole characters: the body was checked to be UTF-8
    }
    packet->n = (size_t)(p - packet->p);
    *at = (size_t)(p - payload.p);
    return units == 0;
}

/* Takes a packet of protocol 3's binary payload. */
static bool next_bytes3(sio_span payload, size_t *at, bool *text, sio_span *packet)
{
    const char *p = payload.p + *at, *end = payload.p + payload.n;
    size_t n = 0, digits = 0;
    *text = *p == 0;
    if (*p != 0 && *p != 1)
        return false;
    for (p++; p < end && (unsigned char)*p <= 9 && digits < 10; p++, digits++)
        n = n * 10 + (unsigned char)*p;
    if (digits == 0 || p == end || (unsigned char)*p != 0xff)
        return false;
    p++;
    if ((size_t)(end - p) < n)
        return false;
    *packet = (sio_span){ p, n };
    *at = (size_t)(p + n - payload.p);
    return !*text || sio_utf8_prefix(p, n) == n;
}

/* Takes the next packet. 0: there is none; -1: malformed. */
static int next_in(const sio_session *s, sio_payload *p, bool *text, sio_span *packet)
{
    *text = true;
    if (s->protocol == 4)
        return sio_payload_next(p->bytes, &p->at, packet);
    if (p->at == p->bytes.n)
        return p->bytes.n > 0 ? 0 : -1;
    bool good = p->binary ? next_bytes3(p->bytes, &p->at, text, packet)
                          : next_packet3(p->bytes, &p->at, packet);
    return good ? 1 : -1;
}

/* How many packets of a payload are read in one turn: all payloads share it. */
static size_t slice_of(const sio_eio *eio)
{
    size_t n = SLICE_PACKETS / (eio->n_rests + 1);
    return n > SLICE_LEAST ? n : SLICE_LEAST;
}

/* Reads one slice. True: that was all, or the session wants no more. */
static bool read_slice(sio_session *s, sio_payload *p)
{
    sio_span packet;
    bool text;
    for (size_t most = slice_of(s->eio); s->state == SIO_SESSION_POLLING; most--) {
        if (most == 0)
            return p->at >= p->bytes.n + (s->protocol == 4);  // behind the last RS is a packet
        int got = next_in(s, p, &text, &packet);
        if (got < 0)
            sio_session_abort(s, "parse error");
        if (got <= 0)
            break;
        if (packet.n == 0 && s->protocol == 3)
            continue;
        s->eio->net->stats.packets_in++;
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

void sio_poll_drop_rest(sio_session *s)
{
    sio_polling *k = s->polling;
    free_rest(k->rest);
    k->rest = NULL;
    end_post(k);
}

/* A turn later: the next slice. */
static void on_turn(void *owner, sio_timer *t)
{
    sio_rest *r = (sio_rest *)(void *)t;
    sio_session *s = r->session;
    sio_polling *k = s->polling;
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
        s->polling->rest = r;
        return true;
    }
    free_rest(r);
    return false;
}

/* False: no memory. */
static bool on_payload(sio_session *s, sio_span bytes, bool binary)
{
    sio_payload p = { bytes, 0, binary };
    if (!binary && sio_utf8_prefix(bytes.p, bytes.n) != bytes.n) {
        sio_session_abort(s, "parse error");
        return true;
    }
    return read_slice(s, &p) || keep_rest(s, &p);
}

/* A form's line ends are written "\n", and "\n" as "\\n". Returns the length. */
static size_t unescape_form(char *text, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        bool newline = n - i >= 2 && text[i] == '\\' && text[i + 1] == 'n';
        bool escaped = n - i >= 3 && text[i] == '\\' && text[i + 1] == '\\' && text[i + 2] == 'n';
        text[k++] = newline ? '\n' : text[i];
        if (escaped)
            text[k++] = 'n';
        i += newline ? 1 : escaped ? 2 : 0;
    }
    return k;
}

/* The field d of a form is its payload. False: no memory. */
static bool on_form(sio_session *s, sio_span form)
{
    const sio_memory *m = &s->eio->net->memory;
    sio_span name, value;
    while (sio_http_query_next(&form, &name, &value)) {
        if (!sio_span_is(name, "d"))
            continue;
        char *text = sio_resize(m, NULL, value.n + 1);
        if (text == NULL)
            return false;
        size_t n = unescape_form(text, sio_http_decode(value, text));
        bool good = on_payload(s, (sio_span){ text, n }, false);
        sio_free_mem(m, text);
        return good;
    }
    return true;
}

void sio_poll_body(sio_session *s, sio_exchange *x, sio_span body)
{
    sio_polling *k = s->polling;
    k->post = NULL;
    x->user = NULL;
    bool good =
        x->kind & KIND_JSONP ? on_form(s, body) : on_payload(s, body, x->kind & KIND_BINARY);
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

void sio_poll_gone(sio_session *s, sio_exchange *x, int status)
{
    sio_polling *k = s->polling;
    bool read_whole = x == k->post && k->rest != NULL;
    x->user = NULL;
    if (x == k->get)
        k->get = NULL;
    if (x == k->post)
        k->post = NULL;
    if (status != 413 && !read_whole)
        sio_session_abort(s, "transport error");
}

void sio_poll_free(sio_session *s)
{
    sio_polling *k = s->polling;
    if (k == NULL)
        return;
    if (k->get != NULL)
        k->get->user = NULL;
    sio_deadline_clear(&k->returned);
    sio_queue_clear(&s->eio->net->memory, &k->queue);
    sio_free_mem(&s->eio->net->memory, k);
    s->polling = NULL;
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
    u->session->polling->upgrade = NULL;
    u->session = NULL;
    u->next = eio->dead_upgrades;
    eio->dead_upgrades = u;
}

void sio_upgrade_abandon(sio_session *s)
{
    sio_upgrade *u = s->polling->upgrade;
    finish(u);
    sio_conn_close(u->conn, SIO_WS_NO_CODE);
}

void sio_upgrade_begin(sio_session *s, sio_exchange *x, const sio_http_head *head, bool base64)
{
    sio_eio *eio = s->eio;
    x->user = NULL;
    sio_upgrade *u = NULL;
    if (s->state == SIO_SESSION_POLLING && s->polling->upgrade == NULL)
        u = sio_alloc(&eio->net->memory, sizeof *u);
    sio_conn *c = sio_conn_upgrade(x, head, &eio->upgrade_events, u);
    if (c == NULL || u == NULL) {
        sio_free_mem(&eio->net->memory, u);
        if (c != NULL) {
            sio_log(eio->net, "websocket closed: its session has one already");
            sio_conn_close(c, SIO_WS_NO_CODE);
        }
        return;
    }
    u->session = s;
    u->conn = c;
    u->base64 = base64;
    s->polling->upgrade = u;
    sio_deadline_set(&eio->net->clock, &eio->upgrade_fifo, &u->timeout);
}

/* The waiting GET is done, and so is a POST that has not come whole. */
static void end_polling(sio_session *s)
{
    sio_polling *k = s->polling;
    sio_poll_release(s, "6");
    if (k->post != NULL) {
        sio_conn *c = k->post->conn;
        k->post->user = NULL;
        k->post = NULL;
        sio_conn_end(c, false);
    }
}

static void complete(sio_upgrade *u)
{
    sio_session *s = u->session;
    sio_eio *eio = s->eio;
    end_polling(s);
    if (u->session == NULL)
        return;  // a callback of a connection that had to go ended the session
    bool closing = s->state == SIO_SESSION_CLOSING;
    sio_queue queue = s->polling->queue;
    s->polling->queue = (sio_queue){ .n = 0 };
    finish(u);
    sio_session_mark(s);  // frees what polling needed
    s->conn = u->conn;
    s->base64 = u->base64;
    s->state = SIO_SESSION_WEBSOCKET;
    eio->net->stats.upgrades++;
    sio_conn_set_owner(s->conn, &eio->ws_events, s);
    for (size_t i = 0; sio_queue_at(&queue, i).n > 0; i++)
        sio_session_forward(s, sio_queue_at(&queue, i));
    sio_queue_clear(&eio->net->memory, &queue);
    if (!closing)
        return;
    sio_conn_close(s->conn, SIO_WS_NO_CODE);
    s->state = SIO_SESSION_CLOSING;
    sio_session_closed(s, "forced close");
}

static void answer_probe(sio_upgrade *u)
{
    sio_net *net = u->session->eio->net;
    sio_ref ref;
    sio_out_begin(&net->out);
    sio_out_frame(&net->out);
    sio_put(&net->out.sink, "3probe", 6);
    sio_out_frame_end(&net->out, SIO_WS_TEXT);
    if (!sio_out_end(&net->out, &ref))
        return;
    sio_conn_send(u->conn, ref);
    sio_ref_release(ref);
}

void sio_upgrade_message(void *owner, bool text, const char *p, size_t n)
{
    sio_upgrade *u = owner;
    sio_span packet = { p, n };
    if (u == NULL || u->session == NULL)
        return;
    sio_eio *eio = u->session->eio;
    if (text && sio_span_is(packet, "2probe")) {
        answer_probe(u);
        sio_deadline_set(&eio->net->clock, &eio->tick_fifo, &u->tick);
    } else if (text && sio_span_is(packet, "5") && u->session->polling->rest == NULL) {
        complete(u);
    } else {
        sio_upgrade_abandon(u->session);
    }
}

void sio_upgrade_closed(void *owner, int code, bool clean)
{
    sio_upgrade *u = owner;
    (void)code, (void)clean;
    if (u != NULL && u->session != NULL)
        finish(u);
}

void sio_upgrade_timeout(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_upgrade *u = (sio_upgrade *)(void *)((char *)d - offsetof(sio_upgrade, timeout));
    sio_log(eio->net, "upgrade given up: not completed within upgrade_timeout");
    sio_upgrade_abandon(u->session);
}

/* The client pauses polling before it completes the upgrade: its GET is let go for that. */
void sio_upgrade_tick(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_upgrade *u = (sio_upgrade *)(void *)((char *)d - offsetof(sio_upgrade, tick));
    if (u->session->state == SIO_SESSION_POLLING)
        sio_poll_release(u->session, "6");
    sio_deadline_set(&eio->net->clock, &eio->tick_fifo, &u->tick);
}
