/* eio_trace.c - tells the option trace, packet by packet, what comes in and what goes out
 * SPDX-License-Identifier: MIT
 *
 *     -> 4f2a ws   EVENT /chat "hello" 2 arguments, wants ack 7, 22 bytes: 42/chat,7["hello",1,2]
 *     |  |    |    what it says                                 |          its text
 *     |  |    ws or poll: what carries it                       of all of it
 *     |  the beginning of the session's id
 *     -> to the server, <- to its client, == neither: the session has ended
 *
 * What holds here: nobody calls these functions when there is no such option. A line is plain text: what
 * a terminal would obey, in what clients say, is written as \xNN. */
#include "eio.h"

enum {
    LINE_BYTES = 512,
    NAME_BYTES = 60,  // of an event's or a namespace's name
    TEXT_BYTES = 200,
    HEX_BYTES = 16  // of an attachment
};

static void put_byte(sio_sink *sink, const char *before, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    const char digits[2] = { hex[c >> 4], hex[c & 15] };
    sio_put_text(sink, before);
    sio_put(sink, digits, 2);
}

/* Writes as many whole letters as most bytes hold; ".." says that there are more. */
static void put_shown(sio_sink *sink, sio_span s, size_t most)
{
    size_t n = sio_utf8_prefix(s.p, s.n < most ? s.n : most);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)  // U+0080 to U+009F
            put_byte(sink, "\\x", (unsigned char)s.p[++i]);
        else if (c < ' ' || c == 0x7f)
            put_byte(sink, "\\x", c);
        else
            sio_put(sink, s.p + i, 1);
    }
    if (n < s.n)
        sio_put_text(sink, "..");
}

static void put_bytes(sio_sink *sink, sio_span s)
{
    for (size_t i = 0; i < s.n && i < HEX_BYTES; i++)
        put_byte(sink, i == 0 ? "" : " ", (unsigned char)s.p[i]);
    if (s.n > HEX_BYTES)
        sio_put_text(sink, " ..");
}

static sio_span take_digits(sio_span *s)
{
    sio_span digits = { s->p, 0 };
    while (digits.n < s->n && sio_is_digit(s->p[digits.n]))
        digits.n++;
    s->p += digits.n;
    s->n -= digits.n;
    return digits;
}

/* Takes the namespace; "/" where the packet names none. */
static sio_span take_namespace(sio_span *s)
{
    sio_span ns = { s->p, 0 };
    if (s->n == 0 || s->p[0] != '/')
        return SIO_SPAN("/");
    while (ns.n < s->n && s->p[ns.n] != ',')
        ns.n++;
    size_t all = ns.n + (ns.n < s->n);  // with the comma
    s->p += all;
    s->n -= all;
    return ns;
}

static void put_count(sio_sink *sink, size_t n, const char *what)
{
    sio_put_text(sink, " ");
    sio_put_number(sink, n);
    sio_put_text(sink, what);
    sio_put_text(sink, n == 1 ? "" : "s");
}

/* The arguments of an event, whose name comes first, or of an answer. */
static void put_arguments(sio_sink *sink, sio_span json, bool is_event)
{
    sio_json_index index = { .count = 0 };
    if (!sio_json_check(json.p, json.n, SIO_JSON_DEPTH, &index) || index.count < is_event) {
        sio_put_text(sink, " which is malformed");
        return;
    }
    if (is_event) {
        sio_put_text(sink, " ");
        put_shown(sink, index.element[0], NAME_BYTES);
    }
    put_count(sink, index.count - is_event, " argument");
}

/* A Socket.IO packet, without the type of Engine.IO. */
static void put_message(sio_sink *sink, sio_span s)
{
    static const char *const types[] = { "CONNECT",       "DISCONNECT",   "EVENT",     "ACK",
                                         "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK" };
    unsigned type = s.n > 0 ? (unsigned)(s.p[0] - '0') : 7;
    if (type > SIO_BINARY_ACK) {
        sio_put_text(sink, "MESSAGE");  // of plain Engine.IO, or of nothing
        return;
    }
    bool is_event = type == SIO_EVENT || type == SIO_BINARY_EVENT;
    bool is_ack = type == SIO_ACK || type == SIO_BINARY_ACK;
    s.p++, s.n--;
    sio_span attachments = SIO_NONE;
    if (type >= SIO_BINARY_EVENT) {
        attachments = take_digits(&s);
        if (s.n > 0)
            s.p++, s.n--;  // "-"
    }
    sio_span ns = take_namespace(&s), id = take_digits(&s);
    sio_put_text(sink, types[type]);
    sio_put_text(sink, " ");
    put_shown(sink, ns, NAME_BYTES);
    if (is_event || is_ack)
        put_arguments(sink, s, is_event);
    if (attachments.n > 0) {
        sio_put_text(sink, ", attachments: ");
        put_shown(sink, attachments, SIO_DIGITS);
    }
    if (id.n > 0) {
        sio_put_text(sink, is_ack ? ", answers " : ", wants ack ");
        put_shown(sink, id, SIO_DIGITS);
    }
}

static void put_words(sio_sink *sink, bool text, sio_span packet)
{
    static const char *const types[] = { "OPEN", "CLOSE", "PING", "PONG", "", "UPGRADE", "NOOP" };
    unsigned type = packet.n > 0 ? (unsigned)(packet.p[0] - '0') : 7;
    if (!text || (packet.n > 0 && packet.p[0] == 'b'))
        sio_put_text(sink, "ATTACHMENT");
    else if (type == 4)
        put_message(sink, (sio_span){ packet.p + 1, packet.n - 1 });
    else
        sio_put_text(sink, type < sizeof types / sizeof *types ? types[type] : "MALFORMED");
}

static bool by_websocket(const sio_session *s)
{
    return strcmp(s->transport->name, "websocket") == 0;
}

static void begin_line(sio_sink *sink, const sio_session *s, const char *arrow, bool websocket)
{
    sio_put_text(sink, arrow);
    sio_put(sink, s->sid, 4);
    sio_put_text(sink, websocket ? " ws   " : " poll ");
}

static void end_line(sio_sink *sink, const sio_session *s)
{
    const sio_options *o = s->eio->net->options;
    sink->p[sink->n] = '\0';
    o->trace(o->user, sink->p);
}

void sio_trace_packet(const sio_session *s, const char *arrow, bool websocket, bool text,
                      sio_span packet)
{
    char line[LINE_BYTES + 1];
    sio_sink sink = { .p = line, .cap = LINE_BYTES };
    begin_line(&sink, s, arrow, websocket);
    put_words(&sink, text, packet);
    sio_put_text(&sink, ",");
    put_count(&sink, packet.n, " byte");
    sio_put_text(&sink, ": ");
    if (text)
        put_shown(&sink, packet, TEXT_BYTES);
    else
        put_bytes(&sink, packet);
    end_line(&sink, s);
}

void sio_trace_frames(const sio_session *s, sio_ref frames)
{
    const char *p = frames.buf->p + frames.at, *end = p + frames.n;
    while (p < end) {
        unsigned char op;
        sio_span packet;
        p += sio_ws_own_header(p, &op, &packet.n);
        packet.p = p;
        p += packet.n;
        sio_trace_packet(s, "<- ", by_websocket(s), op == SIO_WS_TEXT, packet);
    }
}

void sio_trace_end(const sio_session *s, const char *reason)
{
    char line[LINE_BYTES + 1];
    sio_sink sink = { .p = line, .cap = LINE_BYTES };
    begin_line(&sink, s, "== ", by_websocket(s));
    sio_put_text(&sink, "ended: ");
    put_shown(&sink, (sio_span){ reason, strlen(reason) }, TEXT_BYTES);
    end_line(&sink, s);
}
