/* eio_open.c - requests to an Engine.IO endpoint: who may, which session, and the first answer
 * SPDX-License-Identifier: MIT
 *
 *     GET  /socket.io/?EIO=4&transport=polling            opens a session: 0{"sid":...}
 *     GET  ...&sid=SID                                    waits for packets       (eio_poll.c)
 *     POST ...&sid=SID                                    brings packets          (eio_poll.c)
 *     GET  ...&transport=websocket, Upgrade: websocket    opens one, or upgrades  (eio_poll.c)
 *
 * The order of the checks is the reference's, for clients see which one refused them. Who may
 * connect at all is said by origins (eio_cors.c), which each request must pass, and by allow_request, which is asked for each session, and may answer later: then the
 * request is kept, and what it asked is read from it once more.
 *
 * What holds here:
 *  - A request is answered by the first check that it fails, or by its session.
 *  - A hook of the application may answer the request and end any session: behind each hook both are
 *    looked at again.
 *  - A session that could not be opened is in no table, and its address does not count it. */
#include "eio.h"

#include <errno.h>

enum { SID_BYTES = 15 };  // E25

/* ---- Queries ------------------------------------------------------------------------------------- */

/* What the query of a request says to the engine; of repeated names the last counts (E07). */
typedef struct query {
    char transport[16], eio[4], sid[24];
    sio_span b64;
    sio_span jsonp;  // of protocol 3 alone (J03); p NULL: there is none
    int protocol;    // 4, or 3 for all that is not 4
} query;

/* Decodes into a small field (E06, E08); what is longer becomes "?", which nobody knows. */
static void take(char *field, size_t size, sio_span value)
{
    char text[128];
    size_t n = value.n <= sizeof text ? sio_http_decode(value, text) : size;
    if (n >= size || memchr(text, '\0', n) != NULL) {
        memcpy(field, "?", 2);
        return;
    }
    memcpy(field, text, n);
    field[n] = '\0';
}

static query parse_query(sio_span target)
{
    query q;
    memset(&q, 0, sizeof q);
    sio_span rest = sio_http_target_query(target), name, value;
    while (sio_http_query_next(&rest, &name, &value)) {
        char text[16];
        take(text, sizeof text, name);
        if (strcmp(text, "transport") == 0)
            take(q.transport, sizeof q.transport, value);
        else if (strcmp(text, "EIO") == 0)
            take(q.eio, sizeof q.eio, value);
        else if (strcmp(text, "sid") == 0)
            take(q.sid, sizeof q.sid, value);
        else if (strcmp(text, "b64") == 0)
            q.b64 = value;
        else if (strcmp(text, "j") == 0)
            q.jsonp = value;
    }
    q.protocol = strcmp(q.eio, "4") == 0 ? 4 : 3;  // E17, V01, V15
    if (q.protocol == 4)
        q.jsonp = SIO_NONE;
    return q;
}

/* E23, W06 */
static bool is_upgrade(const sio_eio *eio, const sio_http_head *head)
{
    return head->upgrade && (eio->options->transports & SIO_WEBSOCKET);
}

/* ---- Errors -------------------------------------------------------------------------------------- */

static const char *const errors[] = {
    "Transport unknown", "Session ID unknown", "Bad handshake method",
    "Bad request",       "Forbidden",          "Unsupported protocol version"
};

/* F05: whether a page asks for Socket.IO's own client, which is a route's to answer. */
static bool asks_for_client(const sio_eio *eio, const sio_http_head *head)
{
    static const char name[] = "/socket.io.js";
    sio_span path = sio_http_target_path(head->target);
    size_t n = sizeof name - 1;
    return eio->options == eio->net->options && path.n >= n &&
           memcmp(path.p + path.n - n, name, n) == 0;
}

static sio_session *find_session(const sio_eio *eio, const query *q)
{
    return (sio_session *)sio_table_find(&eio->sessions, q->sid, strlen(q->sid));
}

/* A transport that there is not, or that may not be used. */
static const char *transport_line(const query *q)
{
    if (q->transport[0] == '\0')
        return "request refused: it names no transport, so it is no client of Socket.IO (have a "
               "page load its client from elsewhere, and connect by io())";
    if (strcmp(q->transport, "polling") == 0 || strcmp(q->transport, "websocket") == 0)
        return "request refused: its transport is switched off (add it to the option transports)";
    return "request refused: Transport unknown (have its client use polling and websocket)";
}

/* Where the answer to a request is only "Bad request". */
static const char *mismatch_line(const sio_eio *eio, const query *q, bool upgrade)
{
    bool websocket = strcmp(q->transport, "websocket") == 0;
    if (websocket && !upgrade)
        return "request refused: it asks for a WebSocket without Connection: Upgrade (have the "
               "proxy forward Upgrade and Connection, by HTTP/1.1)";
    if (!websocket && upgrade)
        return "request refused: it upgrades to polling (have its client name transport=websocket)";
    const sio_session *s = find_session(eio, q);
    if (s != NULL && s->protocol != q->protocol)
        return "request refused: its session speaks another protocol (have its client say the same "
               "EIO in each request)";
    return "request refused: its session is on a WebSocket already (have its client poll no more)";
}

/* A session's id is 20 letters of base64url. Which process made one it does not say. */
static const char *sid_line(const query *q)
{
    size_t n = strspn(q->sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    if (n != SID_BYTES / 3 * 4 || q->sid[n] != '\0')
        return "request refused: Session ID unknown, and no server like this one made it (look at "
               "its client or proxy)";
    return "request refused: Session ID unknown, it has ended, or is another process's, or from "
           "before a restart (with several processes have the proxy use sticky sessions)";
}

/* What the log says of a request that is refused with that code. asked: allow_request said so. */
static const char *line_of(const sio_eio *eio, const sio_http_head *head, bool upgrade,
                           unsigned code, bool asked)
{
    query q = parse_query(head->target);
    switch (code) {
    case 0:
        if (asks_for_client(eio, head))
            return "request refused: no client is served here (call sio_serve_client, or "
                   "sio_bundle for this path)";
        return transport_line(&q);
    case 1:
        return sid_line(&q);
    case 2:
        if (sio_span_is(head->method, "OPTIONS"))
            return "request refused: a browser asks what a page of another origin may (set its "
                   "origin in the option cors)";
        return "request refused: Bad handshake method (have its client open sessions with GET)";
    case 3:
        return mismatch_line(eio, &q, upgrade);
    case 4:
        if (asked)
            return "handshake refused: allow_request said so (look there, if it should not)";
        if (q.jsonp.p != NULL)
            return "request refused: it is JSONP, which never passes origins (have its client not "
                   "use it)";
        if (sio_http_field_of(head, "Origin").p == NULL)
            return "request refused: a page of another site sends it and names no origin (have the "
                   "page use fetch or io(), and add its origin to the option origins)";
        return "request refused: its origin is not one of the option origins (add it there)";
    default:
        return "request refused: Unsupported protocol version (call sio_allow_v3, if clients of "
               "Socket.IO 1 and 2 may come)";
    }
}

/* E19, E20, E21. message: NULL, or what is no UTF-8: the code's own. */
static void refuse(sio_eio *eio, sio_exchange *x, bool upgrade, unsigned code, const char *message)
{
    eio->net->stats.refused++;
    if (eio->net->options->log != NULL)
        sio_log_text(eio->net, sio_request_about(x->conn, x->head),
                     line_of(eio, x->head, upgrade, code, message != NULL));
    size_t n = message == NULL ? 0 : strlen(message);
    if (n == 0 || sio_utf8_prefix(message, n) != n)
        message = errors[code], n = strlen(message);
    if (upgrade) {  // W09, W10, W11
        sio_respond_last(x, 400, "text/html", SIO_NONE, (sio_span){ message, n });
        return;
    }
    sio_textbuf t = sio_text_new(&eio->net->memory);
    sio_put_text(&t.sink, "{\"code\":");
    sio_put_number(&t.sink, code);
    sio_put_text(&t.sink, ",\"message\":");
    sio_json_put_string(&t.sink, message, n);
    sio_put_text(&t.sink, "}");
    if (t.sink.failed)
        sio_respond_empty(x, 503);
    else
        sio_respond(x, code == 4 ? 403 : 400, "application/json", SIO_NONE,
                    (sio_span){ t.sink.p, t.sink.n });
    sio_text_free(&t);
}

/* ---- Handshakes ----------------------------------------------------------------------------------- */

/* Fields that only concern the connection are not kept. */
static bool is_kept(sio_span name)
{
    static const struct {
        size_t n;
        const char *text;
    } dropped[] = { { 10, "Connection" },
                    { 7, "Upgrade" },
                    { 17, "Sec-WebSocket-Key" },
                    { 21, "Sec-WebSocket-Version" },
                    { 6, "Accept" },
                    { 24, "Sec-WebSocket-Extensions" },
                    { 14, "Content-Length" },
                    { 15, "Accept-Encoding" } };
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        if (name.n == dropped[i].n && sio_equal_nocase(name.p, dropped[i].text, name.n))
            return false;
    return true;
}

/* Returns the place behind it and its NUL. */
static char *put_copy(char *to, sio_span s)
{
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return to + s.n + 1;
}

sio_handshake *sio_handshake_new(const sio_conn *c, const sio_http_head *head)
{
    const sio_net *net = c->net;
    char address[64];
    sio_client_address(c, head, address);
    size_t size = strlen(address) + head->target.n + 2;
    for (size_t i = 0; i < head->n_fields; i++)
        if (is_kept(head->field[i].name))
            size += head->field[i].name.n + head->field[i].value.n + 2;
    sio_handshake *h = sio_resize(&net->memory, NULL, sizeof *h + size);
    if (h == NULL)
        return NULL;
    sio_hold(&net->memory, sizeof *h + size, 0);
    h->from = NULL;
    h->issued = sio_loop_wall(net->loop);
    h->secure = net->options->trust_proxy &&
                sio_span_is_nocase(sio_http_field_of(head, "X-Forwarded-Proto"), "https");
    h->n = (uint32_t)size;
    char *p = put_copy(h->text, (sio_span){ address, strlen(address) });
    p = put_copy(p, head->target);
    for (size_t i = 0; i < head->n_fields; i++) {
        if (!is_kept(head->field[i].name))
            continue;
        char *value = put_copy(p, head->field[i].name);
        for (; p < value; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        p = put_copy(value, head->field[i].value);
    }
    return h;
}

/* NULL: its client may have no more sessions, or no memory. */
static sio_handshake *keep_handshake(sio_eio *eio, sio_exchange *x, const sio_http_head *head)
{
    sio_handshake *h = sio_handshake_new(x->conn, head);
    sio_ip ip = sio_client_ip(x->conn, head);
    if (h == NULL || ip.n == 0)
        return h;
    h->from = sio_crowd_enter(&eio->crowds, &ip, eio->options->max_sessions_per_address);
    if (h->from != NULL)
        return h;
    sio_handshake_free(&eio->net->memory, h);
    return NULL;
}

/* Of these a request has one; of a repetition nobody may make a list (RFC 9110, 5.3). */
static bool is_single(const char *name)
{
    static const char *const names[] = { "user-agent",    "host",
                                         "authorization", "referer",
                                         "from",          "content-type",
                                         "max-forwards",  "proxy-authorization" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Both in one text in the arena; the first, without memory. */
static const char *join(const char *a, const char *separator, const char *b, sio_arena *arena)
{
    size_t n = strlen(a), m = strlen(separator), k = strlen(b) + 1;
    char *both = sio_arena_get(arena, n + m + k);
    if (both == NULL)
        return a;
    memcpy(both, a, n);
    memcpy(both + n, separator, m);
    memcpy(both + n + m, b, k);
    return both;
}

const char *sio_handshake_url(const sio_handshake *h)
{
    return h->text + strlen(h->text) + 1;
}

const char *sio_handshake_header(const sio_handshake *h, const char *name, sio_arena *arena)
{
    const char *p = sio_handshake_url(h), *end = h->text + h->n, *found = NULL;
    sio_span wanted = { name, name == NULL ? 0 : strlen(name) };  // no field has an empty name
    p += strlen(p) + 1;
    while (p < end) {
        const char *value = p + strlen(p) + 1;
        if (sio_span_is_nocase(wanted, p)) {
            if (found == NULL)
                found = value;
            else if (!is_single(p))
                found = join(found, strcmp(p, "cookie") == 0 ? "; " : ", ", value, arena);
        }
        p = value + strlen(value) + 1;
    }
    return found;
}

bool sio_handshake_field(const sio_handshake *h, size_t i, const char **name, const char **value)
{
    const char *p = h->text, *end = h->text + h->n;
    size_t skip = i < SIO_HTTP_FIELDS ? 2 * (i + 1) : SIZE_MAX;  // the address and target, too
    for (; skip > 0 && p < end; skip--)
        p += strlen(p) + 1;
    if (p == end)
        return false;
    if (name != NULL)
        *name = p;
    if (value != NULL)
        *value = p + strlen(p) + 1;
    return true;
}

/* NULL: it may not be, or no memory, which the log is told; what was made of it is gone again. */
static sio_session *new_session(sio_eio *eio, sio_exchange *x, const sio_http_head *head,
                                const query *q, const sio_session_transport *transport)
{
    const sio_memory *m = &eio->net->memory;
    unsigned char bytes[SID_BYTES];
    sio_session *s = sio_alloc(m, sizeof *s + sio_meter_size(eio->net));
    sio_handshake *h = s == NULL ? NULL : keep_handshake(eio, x, head);
    if (h != NULL && sio_loop_random(eio->net->loop, bytes, sizeof bytes) == 0) {
        s->eio = eio;
        s->transport = transport;
        s->protocol = (unsigned char)q->protocol;
        s->base64 = q->b64.n > 0;
        s->handshake = h;
        if (eio->net->metered)
            ((sio_meter *)(s + 1))->ip = sio_client_ip(x->conn, head);
        sio_base64url_encode(bytes, sizeof bytes, s->sid);
        s->node.key = s->sid;
        s->node.n = sizeof s->sid - 1;
        if (sio_session_enter(s))
            return s;
    }
    if (h != NULL)
        sio_crowd_leave(&eio->crowds, h->from);
    sio_handshake_free(m, h);
    sio_free_mem(m, s);
    eio->net->stats.refused++;
    sio_log_of(
        eio->net, sio_request_about(x->conn, head),
        "handshake refused: max_sessions, %zu, or max_sessions_per_address, %zu, is reached, "
        "there is no memory, or the server stops (raise them; behind a proxy set trust_proxy)",
        eio->options->max_sessions, eio->options->max_sessions_per_address);
    return NULL;
}

/* Sends the first packet (E01, W01). Without memory for it nothing is sent. */
static void send_open(sio_session *s, bool upgrades)
{
    const sio_options *o = s->eio->options;
    sio_out *out = &s->eio->net->out;
    sio_sink *sink = &out->sink;
    sio_ref ref;
    sio_out_begin(out);
    sio_out_frame(out);
    sio_put_text(sink, "0{\"sid\":\"");
    sio_put(sink, s->sid, s->node.n);
    sio_put_text(sink, upgrades ? "\",\"upgrades\":[\"websocket\"]" : "\",\"upgrades\":[]");
    sio_put_text(sink, ",\"pingInterval\":");
    sio_put_number(sink, (uint64_t)o->ping_interval_ms);
    sio_put_text(sink, ",\"pingTimeout\":");
    sio_put_number(sink, (uint64_t)o->ping_timeout_ms);
    sio_put_text(sink, ",\"maxPayload\":");
    sio_put_number(sink, o->max_payload);
    sio_put(sink, "}", 1);
    sio_out_frame_end(out, SIO_WS_TEXT);
    if (!sio_out_end(out, &ref)) {
        sio_session_break(s);
        return;
    }
    if (sio_traced(s))
        sio_trace_frames(s, ref);
    s->transport->send(s, ref);
    sio_ref_release(ref);
}

/* E26: the cookie goes with the answer that opens a polling session, and with no other. */
static void add_cookie(sio_session *s, sio_exchange *x)
{
    sio_textbuf t = sio_text_new(&s->eio->net->memory);
    sio_put_text(&t.sink, "Set-Cookie: ");
    sio_put_text(&t.sink, s->eio->options->cookie);
    sio_put(&t.sink, "=", 1);
    sio_put(&t.sink, s->sid, s->node.n);
    sio_put_text(&t.sink, "; Path=/; HttpOnly; SameSite=Lax\r\n");
    sio_exchange_add(x, &t.sink);
    sio_text_free(&t);
}

/* The request is the first GET, which the first packet answers; without that packet it would wait, and
 * its client never know the session, so there is none. */
static void open_polling(sio_eio *eio, sio_exchange *x, const sio_http_head *head, const query *q)
{
    const sio_options *o = eio->options;
    sio_session *s = new_session(eio, x, head, q, &sio_by_polling);
    bool good = s != NULL && sio_poll_begin(s);
    if (good)
        send_open(s, (o->transports & SIO_WEBSOCKET) && o->upgrades != SIO_OFF);  // E23, E24
    if (!good || sio_session_pending(s) == 0) {
        if (s != NULL)
            sio_session_forget(s);
        sio_respond_empty(x, 503);
        return;
    }
    if (o->cookie != NULL)
        add_cookie(s, x);
    sio_poll_get(s, x, q->jsonp);
    sio_session_beat(s);
    eio->events->open(eio->owner, s);
}

static void open_websocket(sio_eio *eio, sio_exchange *x, const sio_http_head *head, const query *q)
{
    sio_session *s = new_session(eio, x, head, q, &sio_by_websocket);
    if (s == NULL) {
        sio_respond_last(x, 503, NULL, SIO_NONE, SIO_NONE);
        return;
    }
    s->on.conn = sio_conn_upgrade(x, head, &eio->ws_events, s);
    if (s->on.conn == NULL) {
        sio_session_forget(s);
        return;
    }
    send_open(s, false);
    sio_session_beat(s);
    eio->events->open(eio->owner, s);
}

/* ---- Requests ------------------------------------------------------------------------------------- */

/* The code to refuse a request with, or -1; *s: its session, if it names one. */
static int verify(sio_eio *eio, const sio_http_head *head, const query *q, bool upgrade,
                  sio_session **s)
{
    int transports = eio->options->transports;
    bool polling = strcmp(q->transport, "polling") == 0 && (transports & SIO_POLLING);
    bool websocket = strcmp(q->transport, "websocket") == 0 && (transports & SIO_WEBSOCKET);
    *s = NULL;
    if (!polling && !websocket)
        return 0;             // E10, E22, E23
    if (q->sid[0] != '\0') {  // E09
        *s = find_session(eio, q);
        if (*s == NULL)
            return 1;  // E11
        bool fits = upgrade ? websocket : polling && (*s)->transport == &sio_by_polling;
        return fits && (*s)->protocol == q->protocol ? -1 : 3;  // E15, E16, U08
    }
    if (!sio_span_is(head->method, "GET"))
        return 2;                          // E12, E13, E18
    return websocket != upgrade ? 3 : -1;  // E14, W06
}

static void on_session_request(sio_session *s, sio_exchange *x, const sio_http_head *head,
                               const query *q, bool upgrade)
{
    sio_poll_returned(s);  // P41
    if (upgrade)
        sio_upgrade_begin(s, x, head, q->b64.n > 0);
    else if (sio_span_is(head->method, "GET"))
        sio_poll_get(s, x, q->jsonp);
    else if (sio_span_is(head->method, "POST"))
        sio_poll_post(s, x, head, q->jsonp.p != NULL);
    else
        sio_respond_empty(x, 500);  // E28, O02
}

void sio_websocket_refused(const sio_conn *c, const sio_http_head *head, const char *why)
{
    c->net->stats.refused++;
    sio_log_of(c->net, sio_request_about(c, head), "websocket handshake refused: %s", why);
}

/* W02, W03, W04, W05, W43 */
bool sio_websocket_check(sio_exchange *x, const sio_http_head *head)
{
    static const char versions[] = "Sec-WebSocket-Version: 13, 8\r\n";
    bool hint;
    const char *text = sio_ws_check(head, &hint);
    if (text == NULL)
        return true;
    x->conn->net->stats.refused++;
    sio_log_of(x->conn->net, sio_request_about(x->conn, head),
               "websocket handshake refused: %s (look at its client or proxy)", text);
    sio_respond_last(x, 400, "text/html", hint ? SIO_SPAN(versions) : SIO_NONE,
                     (sio_span){ text, strlen(text) });
    return false;
}

/* The message of the application's refusal; NULL: it has none; or SIO_LATER. What it returned may be in
 * the arena, which therefore stays as it is when the scope ends. */
static const char *ask_allow(sio_eio *eio, sio_exchange *x, sio_span raw)
{
    if (eio->options->allow_request == NULL)
        return NULL;
    size_t before = x->extra.n;
    sio_scope_enter(eio->net);
    x->raw = raw;
    const char *refusal = eio->options->allow_request(x);
    x->raw = SIO_NONE;
    eio->net->depth--;
    if (x->kept != NULL && refusal != SIO_LATER)
        sio_exchange_forget(x);
    if (!x->answered)
        x->extra.n = before;  // header fields are added by the other hook
    return refusal;
}

/* Looks at a request, before the application is asked. The code to refuse it with, or -1. */
static int check(sio_eio *eio, const sio_http_head *head, const query *q, bool upgrade,
                 sio_session **s)
{
    const sio_options *o = eio->options;
    int code = verify(eio, head, q, upgrade, s);
    if (code >= 0)
        return code;
    if (!sio_origin_allowed(o, head) || (q->jsonp.p != NULL && o->origins != NULL))
        return 4;  // E30, J03: a script of JSONP reads from any page, and its form posts from any
    return -1;
}

/* The application answers later, but has not kept the request: nobody could. */
static void give_up(sio_eio *eio, sio_exchange *x, bool upgrade)
{
    eio->net->stats.refused++;
    sio_log_of(eio->net, sio_request_about(x->conn, x->head),
               "handshake refused: allow_request answers later, and has not kept the request (call "
               "sio_http_keep before SIO_LATER; it returns 0 without memory)");
    if (upgrade)
        sio_respond_last(x, 503, NULL, SIO_NONE, SIO_NONE);
    else
        sio_respond_empty(x, 503);
}

/* The application has said what it thinks of a request, of the session s or of none yet. The last
 * checks, and the hook that adds to a good answer. */
static void go_on(sio_eio *eio, sio_exchange *x, const sio_http_head *head, const query *q,
                  sio_session *s, const char *refusal)
{
    const sio_options *o = eio->options;
    sio_conn *c = x->conn;
    bool upgrade = is_upgrade(eio, head);
    int code = refusal != NULL ? 4 : q->protocol == 3 && eio->net->v3 == NULL ? 5 : -1;
    if (code >= 0) {  // E19, E20, W10; E17, V14, W11
        refuse(eio, x, upgrade, (unsigned)code, refusal);
        return;
    }
    if (upgrade && !sio_websocket_check(x, head))
        return;
    if (o->headers != NULL) {
        sio_scope_enter(eio->net);
        o->headers(x, s == NULL);
        sio_scope_leave(eio->net);
    }
    if (!sio_conn_answers(c))
        return;
    if (s != NULL && s->state == SIO_SESSION_CLOSED)  // by the hook
        refuse(eio, x, upgrade, 1, NULL);
    else if (s != NULL)
        on_session_request(s, x, head, q, upgrade);
    else if (upgrade)
        open_websocket(eio, x, head, q);
    else
        open_polling(eio, x, head, q);
}

/* CORS fields come first, as errors have them too; then the checks, of which the application's may be
 * left to sio_http_allow. */
static void on_head(void *owner, sio_exchange *x, const sio_http_head *head, sio_span raw)
{
    sio_eio *eio = owner;
    const sio_options *o = eio->options;
    sio_conn *c = x->conn;
    query q = parse_query(head->target);
    bool upgrade = is_upgrade(eio, head);
    sio_session *s;
    const char *refusal = NULL;
    x->max_body = o->max_payload;  // P20, P21, P22, P23
    if (o->cors != NULL && sio_span_is(head->method, "OPTIONS")) {
        sio_cors_preflight(eio, x, head);
        return;
    }
    sio_cors_add(eio, x, head);
    int code = check(eio, head, &q, upgrade, &s);
    if (code >= 0) {
        refuse(eio, x, upgrade, (unsigned)code, NULL);
        return;
    }
    if (q.sid[0] == '\0')
        sio_cors_tell(eio, x, head);
    if (s == NULL)
        refusal = ask_allow(eio, x, raw);
    if (!sio_conn_answers(c))
        return;
    if (refusal != SIO_LATER)
        go_on(eio, x, head, &q, s, refusal);
    else if (x->kept == NULL)
        give_up(eio, x, upgrade);
}

static void on_body(void *owner, sio_exchange *x, sio_span body)
{
    (void)owner;
    if (x->user != NULL)
        sio_poll_body(x->user, x, body);
    else
        sio_respond(x, 200, "text/html", SIO_NONE, SIO_SPAN("ok"));
}

static void on_gone(void *owner, sio_exchange *x, int status)
{
    (void)owner;
    if (x->user != NULL)
        sio_poll_lost(x->user, x, status);
}

static const sio_endpoint endpoint = { on_head, on_body, on_gone };

/* What is read of the head stays until the scope ends. */
int sio_http_allow(sio_http *http, const char *refusal)
{
    bool waits = http != NULL && http->kept != NULL && http->mount->endpoint == &endpoint;
    if (!waits || http->raw.p != NULL || refusal == SIO_LATER)  // raw: the hook has not returned
        return sio_fail(EINVAL);
    sio_eio *eio = http->mount->owner;
    const sio_http_head *head = &http->kept->head;
    query q = parse_query(head->target);
    sio_scope_enter(eio->net);
    sio_exchange_forget(http);
    http->head = head;
    http->extra.n = http->extra_always;
    go_on(eio, http, head, &q, NULL, refusal);
    sio_scope_leave(eio->net);
    return 0;
}

static unsigned fits(const sio_mount *m, const sio_http_head *head, sio_span path)
{
    const sio_eio *eio = m->owner;
    (void)head;  // E04, E05: bytes, and whatever stands behind the prefix
    bool below = path.n >= eio->prefix_n && memcmp(path.p, eio->prefix, eio->prefix_n) == 0;
    return below ? SIO_FITS_ENDPOINT : SIO_FITS_NOT;
}

void sio_eio_mount(sio_eio *eio)
{
    eio->mount = (sio_mount){ .fits = fits, .endpoint = &endpoint, .owner = eio };
    sio_mount_add(eio->net, &eio->mount);
}

/* ---- The endpoint --------------------------------------------------------------------------------- */

int sio_eio_init(sio_eio *eio, sio_net *net, const sio_options *o, const sio_eio_events *events,
                 void *owner)
{
    size_t n = strlen(o->path);
    eio->net = net, eio->options = o, eio->events = events, eio->owner = owner;
    eio->prefix = sio_resize(&net->memory, NULL, n + 2);
    if (eio->prefix == NULL)
        return sio_fail(ENOMEM);
    memcpy(eio->prefix, o->path, n);
    if (o->trailing_slash != SIO_OFF && (n == 0 || eio->prefix[n - 1] != '/'))
        eio->prefix[n++] = '/';  // E03, E29
    eio->prefix[n] = '\0';
    eio->prefix_n = n;
    sio_session_init(eio);
    sio_poll_init(eio);
    return 0;
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
