/* eio_v3.c - Engine.IO 3, which clients of Socket.IO 1 and 2 speak, and its JSONP
 * SPDX-License-Identifier: MIT
 *
 *     payload     length ":" packet length ":" packet     counted in UTF-16 units;
 *                 binary: "b4" and base64; or, where the client can take bytes:
 *                 0 or 1, the length's digits as bytes 0 to 9, 0xFF, packet
 *     WebSocket   a binary message begins with a byte 4, its type; in base64 with "b4"
 *     JSONP       ___eio[j]("payload");  and a form with the payload in its field d
 *
 * The client pings and the server answers (V03), and only watches for silence (V05). Ids like these are
 * rows of PROTOCOL.md.
 *
 * This is an extra: it does what it does when the application has called sio_allow_v3, which puts a
 * table into the net, and no other file calls it. Without it requests of protocol 3 get code 5 (V14).
 * What Socket.IO does otherwise for these clients is a line here and there in sio.c and sio_client.c.
 *
 * What holds here: no text is handed on that is not UTF-8. A payload of text was checked whole by
 * eio_poll.c; in a payload of bytes each packet is. */
#include "eio.h"

#include <string.h>

static const char no_store[] = "cache-control: no-store\r\n";
static const char text_type[] = "text/plain; charset=UTF-8";
static const char message_type = 4;

/* ---- Heartbeat and packets ------------------------------------------------------------------------ */

/* V05. The deadline's length is the endpoint's, so its first session of protocol 3 makes it. */
static void beat(sio_session *s)
{
    sio_eio *eio = s->eio;
    const sio_options *o = eio->options;
    if (eio->silence_fifo.expire == NULL)
        sio_fifo_init(&eio->net->clock, &eio->silence_fifo,
                      o->ping_interval_ms + o->ping_timeout_ms, sio_session_silent, eio);
    sio_deadline_set(&eio->net->clock, &eio->silence_fifo, &s->beat);
}

static void on_packet(sio_session *s, bool text, const char *p, size_t n)
{
    if (!text && n > 0 && p[0] == message_type) {
        s->eio->events->message(s->eio->owner, s, false, p + 1, n - 1);  // V10
    } else if (!text || n == 0) {
        sio_session_malformed(s);
    } else if (p[0] == 'b' && n > 1 && p[1] == '4') {
        sio_session_base64(s, p + 2, n - 2);  // V08
    } else if (p[0] == '2') {
        beat(s);
        sio_session_frames(s, sio_eio_word('3'));  // V03
    } else if (p[0] == '3') {
        sio_session_error(s, "invalid heartbeat direction", "look at its client");  // V04
    } else {
        sio_session_control(s, p[0]);
    }
}

/* V08, V10 */
static void put_frame(const sio_session *s, sio_out *out, unsigned char op, const char *p, size_t n)
{
    sio_out_frame(out);
    if (op == SIO_WS_BINARY && s->base64) {
        sio_put(&out->sink, "b4", 2);
        sio_put_base64(&out->sink, p, n);
        op = SIO_WS_TEXT;
    } else {
        sio_put(&out->sink, &message_type, op == SIO_WS_BINARY);
        sio_put(&out->sink, p, n);
    }
    sio_out_frame_end(out, op);
}

/* ---- Answers to a GET ----------------------------------------------------------------------------- */

/* J01: keeps the digits of the j parameter, which name the callback. */
static void on_get(sio_polling *k, sio_span jsonp)
{
    size_t n = 0;
    for (size_t i = 0; i < jsonp.n && n < sizeof k->jsonp - 1; i++)
        if (jsonp.p[i] >= '0' && jsonp.p[i] <= '9')
            k->jsonp[n++] = jsonp.p[i];
    k->jsonp[n] = '\0';
    k->is_jsonp = jsonp.p != NULL;
}

/* J01: the payload as a string of a script, without the two line ends that JSON allows and old
 * JavaScript does not. False: no memory. */
static bool respond_script(sio_exchange *x, const char *digits, sio_span payload)
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
    bool written = !t.sink.failed;
    sio_text_free(&t);
    return written;
}

/* V06: a length counts UTF-16 code units: one for each letter, two where it has four bytes. */
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

/* V01, V08 */
static void put_packet(sio_sink *sink, bool binary, const char *p, size_t n)
{
    sio_put_number(sink, binary ? 2 + sio_base64_size(n) : utf16_length(p, n));
    sio_put_text(sink, binary ? ":b4" : ":");
    if (binary)
        sio_put_base64(sink, p, n);
    else
        sio_put(sink, p, n);
}

/* V07: the same in a payload of bytes. */
static void put_packet_bytes(sio_sink *sink, bool binary, const char *p, size_t n)
{
    char digits[20];
    sio_sink number = { .p = digits, .cap = sizeof digits };
    sio_put(sink, binary ? "\1" : "\0", 1);
    sio_put_number(&number, n + binary);
    for (size_t i = 0; i < number.n; i++)
        digits[i] = (char)(digits[i] - '0');
    sio_put(sink, digits, number.n);
    sio_put(sink, "\xff", 1);
    sio_put(sink, &message_type, binary);
    sio_put(sink, p, n);
}

/* The payload is one of bytes when a packet is binary, unless the client can't take that. False: there is
 * no memory for it, which the client is told. */
static bool answer(const sio_session *s, sio_exchange *x)
{
    const sio_polling *k = s->on.polling;
    sio_textbuf t = sio_text_new(&s->eio->net->memory);
    sio_walk w = { .queue = &k->queue };
    unsigned char op;
    sio_span packet;
    bool bytes = false;
    while (sio_walk_next(&w, &op, &packet))
        bytes |= op == SIO_WS_BINARY && !s->base64 && !k->is_jsonp;
    w = (sio_walk){ .queue = &k->queue };
    while (sio_walk_next(&w, &op, &packet))
        (bytes ? put_packet_bytes : put_packet)(&t.sink, op == SIO_WS_BINARY, packet.p, packet.n);
    sio_span payload = { t.sink.p, t.sink.n };
    bool written = !t.sink.failed;
    if (!written)
        sio_respond_empty(x, 503);
    else if (k->is_jsonp)
        written = respond_script(x, k->jsonp, payload);
    else
        sio_respond(x, 200, bytes ? "application/octet-stream" : text_type, SIO_SPAN(no_store),
                    payload);
    sio_text_free(&t);
    return written;
}

/* ---- POSTs ---------------------------------------------------------------------------------------- */

/* V06: takes "length:packet". False: malformed. */
static bool next_text(sio_span payload, size_t *at, sio_span *packet)
{
    const char *p = payload.p + *at, *end = payload.p + payload.n;
    size_t digits = 0;
    uint64_t units = 0;  // of ten digits, which are more than 32 bits
    for (; p < end && *p >= '0' && *p <= '9' && digits < 10; p++, digits++)
        units = units * 10 + (unsigned)(*p - '0');
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

/* V09: takes a packet of a payload of bytes, which is not at its end. */
static bool next_bytes(sio_span payload, size_t *at, bool *text, sio_span *packet)
{
    const char *p = payload.p + *at, *end = payload.p + payload.n;
    size_t digits = 0;
    uint64_t n = 0;
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
    *packet = (sio_span){ p, (size_t)n };
    *at = (size_t)(p - payload.p) + packet->n;
    return !*text || sio_utf8_prefix(p, packet->n) == packet->n;
}

static int next(sio_payload *p, bool *text, sio_span *packet)
{
    if (p->at > p->bytes.n)
        return 0;
    if (p->bytes.n == 0 || !(p->binary ? next_bytes(p->bytes, &p->at, text, packet)
                                       : next_text(p->bytes, &p->at, packet)))
        return -1;
    p->at += p->at == p->bytes.n;
    return 1;
}

/* J02: a form's line ends are written "\n", and "\n" as "\\n". Returns the length. */
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

/* J02: the field d of a form is its payload. */
static bool on_body(sio_session *s, const sio_exchange *x, sio_span body)
{
    const sio_memory *m = &s->eio->net->memory;
    sio_span name, value;
    if (!(x->kind & SIO_POST_FORM))
        return sio_poll_payload(s, body, x->kind & SIO_POST_BYTES);  // V09
    while (sio_http_query_next(&body, &name, &value)) {
        if (!sio_span_is(name, "d"))
            continue;
        char *text = sio_resize(m, NULL, value.n + 1);
        if (text == NULL)
            return false;
        size_t n = unescape_form(text, sio_http_decode(value, text));
        bool good = sio_poll_payload(s, (sio_span){ text, n }, false);
        sio_free_mem(m, text);
        return good;
    }
    return true;
}

int sio_allow_v3(sio_server *io)
{
    static const sio_eio_v3 v3 = { .beat = beat,
                                   .packet = on_packet,
                                   .put = put_frame,
                                   .get = on_get,
                                   .answer = answer,
                                   .body = on_body,
                                   .next = next };
    sio_net *net = (sio_net *)(void *)io;  // a server begins with it
    net->v3 = &v3;
    return 0;
}
