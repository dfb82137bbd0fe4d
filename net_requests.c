/* net_requests.c - requests and their answers: RFC 9112, section 9
 * SPDX-License-Identifier: MIT
 *
 *     exchange    head --> endpoint->head --> body --> endpoint->body --> answered --> gone
 *                             `---- may answer now, later, or upgrade ----'
 *
 * Whose endpoint that is, the mounts tell: each says how well a request fits it, and the best answers.
 *
 * A connection has a list of exchanges in the order of their requests. Only the first writes to the
 * connection; what a later one answers waits in its own queue. So a request behind a long poll is
 * handled at once, and its answer leaves in its turn.
 *
 * The application may keep an exchange to answer it later. What it then reads of the request is a copy,
 * which is found by a handle, and gone with the answer.
 *
 * What holds here:
 *  - An exchange goes when it is answered, its body has been read, and no callback is in it (busy).
 *  - Each is answered once, or its endpoint is told that it is gone. */
#include "net.h"

#include <stdio.h>

enum {
    MAX_PIPELINED = 16  // requests of one connection without an answer
};

/* ---- Requests that are answered later ------------------------------------------------------------ */

void sio_exchange_forget(sio_exchange *x)
{
    sio_kept *k = x->kept;
    sio_net *net = x->conn->net;
    x->kept = NULL;
    sio_handle_free(&net->kept, k->handle);
    sio_deadline_clear(&k->deadline);
    sio_hold(&net->memory, 0, k->size);
    sio_scope_free(net, &k->link);
}

/* Nobody has answered. */
static void on_kept_expired(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    sio_kept *k = (sio_kept *)(void *)((char *)d - offsetof(sio_kept, deadline));
    net->stats.refused++;
    sio_log_of(net, sio_request_about(k->exchange->conn, &k->head),
               "request refused: 503, it was kept, and nobody has answered it within "
               "request_timeout_ms, %d (call sio_http_reply or sio_http_allow)",
               net->options->request_timeout_ms);
    if (k->head.upgrade)
        sio_respond_last(k->exchange, 503, NULL, SIO_NONE, SIO_NONE);
    else
        sio_respond_empty(k->exchange, 503);
}

bool sio_exchange_keep(sio_exchange *x)
{
    sio_net *net = x->conn->net;
    const sio_memory *m = &net->memory;
    size_t size = sizeof(sio_kept) + x->raw.n + x->body_n;
    if (net->kept.memory == NULL) {
        net->kept.memory = m;
        sio_fifo_init(&net->clock, &net->kept_fifo, net->options->request_timeout_ms,
                      on_kept_expired, net);
    }
    sio_kept *k = sio_resize(m, NULL, size);
    uint64_t handle = k == NULL ? 0 : sio_handle_new(&net->kept, k);
    if (handle == 0) {
        sio_free_mem(m, k);
        return false;
    }
    *k = (sio_kept){ .exchange = x, .handle = handle, .size = size };
    k->body = k->bytes + x->raw.n;
    k->body_n = x->body_n;
    memcpy(k->bytes, x->raw.p, x->raw.n);
    if (x->body_n > 0)
        memcpy(k->body, x->body, x->body_n);
    sio_http_parse(k->bytes, x->raw.n, &k->head);  // as it was parsed before
    sio_hold(m, size, 0);
    sio_deadline_set(&net->clock, &net->kept_fifo, &k->deadline);
    x->kept = k;
    x->lent = true;
    return true;
}

/* ---- Life ---------------------------------------------------------------------------------------- */

static void drop_body(sio_exchange *x)
{
    const sio_memory *m = &x->conn->net->memory;
    sio_hold(m, 0, x->body_cap);
    if (x->body_cap > 0)
        sio_free_mem(m, x->body);
    x->body = NULL;
    x->body_n = x->body_cap = 0;
}

/* A callback may still look at one that is busy or lent: its memory stays as long as the callbacks
 * run. */
static void free_exchange(sio_exchange *x)
{
    sio_net *net = x->conn->net;
    x->conn->waiting--;
    sio_queue_clear(&net->memory, &x->out);
    sio_free_mem(&net->memory, x->extra.p);
    if (x->body_cap > 0)  // else it may be lent
        drop_body(x);
    x->extra = SIO_NONE;
    x->answered = true;
    if (x->kept != NULL)
        sio_exchange_forget(x);
    if (x->busy || x->lent)
        sio_scope_free(net, (sio_link *)(void *)x);
    else
        sio_free_mem(&net->memory, x);
}

bool sio_conn_answers(const sio_conn *c)
{
    return !c->dead && c->protocol == &sio_requests;
}

static void tell_gone(sio_exchange *x, int status)
{
    if (x->mount->endpoint->gone != NULL)
        x->mount->endpoint->gone(x->mount->owner, x, status);
}

static void drop_exchanges(sio_conn *c)
{
    while (c->u.http.first != NULL) {
        sio_exchange *x = c->u.http.first;
        c->u.http.first = x->next;
        if (!x->answered)
            tell_gone(x, 0);
        free_exchange(x);
    }
}

static void end(sio_conn *c, bool clean)
{
    (void)clean;
    sio_deadline_clear(&c->u.http.deadline);
    drop_exchanges(c);
}

static size_t held(const sio_conn *c)
{
    size_t n = 0;
    for (const sio_exchange *x = c->u.http.first; x != NULL; x = x->next)
        n += x->body_cap + sio_queue_held(&x->out) + (x->kept == NULL ? 0 : x->kept->size);
    return n;
}

/* ---- Answers ------------------------------------------------------------------------------------- */

static void put_two(char *out, unsigned n)
{
    out[0] = (char)('0' + n / 10 % 10);
    out[1] = (char)('0' + n % 10);
}

/* By hand: gmtime reads the file of a time zone, strftime asks the locale for the names. Years begin
 * in March here, so that the leap day is the last of its year, and months of 31, 30, 31, 30, 31 days
 * repeat every five: (5 * days + 2) / 153. 719468 days are from 1 March 0000 to 1970. */
void sio_date_text(int64_t second, char out[30])
{
    static const char names[] = "MarAprMayJunJulAugSepOctNovDecJanFeb",
                      week[] = "ThuFriSatSunMonTueWed";
    unsigned of_day = (unsigned)(second % 86400), since = (unsigned)(second / 86400);
    unsigned days = since + 719468, era = days / 146097;  // of 400 years
    unsigned in_era = days % 146097;
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100),
             month = (5 * in_year + 2) / 153;
    unsigned day = in_year - (153 * month + 2) / 5 + 1;
    year += era * 400 + (month >= 10);  // January is its eleventh month
    memcpy(out, "Day, 00 Mon 0000 00:00:00 GMT", 30);
    memcpy(out, week + 3 * (since % 7), 3);
    memcpy(out + 8, names + 3 * month, 3);
    put_two(out + 5, day);
    put_two(out + 12, year / 100);
    put_two(out + 14, year % 100);
    put_two(out + 17, of_day / 3600);
    put_two(out + 20, of_day / 60 % 60);
    put_two(out + 23, of_day % 60);
}

/* RFC 9112, 9.3.2: takes the exchanges that are done off the connection, in order, and lets their
 * answers go. Behind the answer that ends the connection (9.6) no other leaves. */
static void advance(sio_conn *c)
{
    if (c->dead)
        return;  // its exchanges are being dropped
    while (c->u.http.first != NULL && c->u.http.first->answered && !c->u.http.first->busy) {
        sio_exchange *x = c->u.http.first;
        for (size_t i = 0; sio_queue_at(&x->out, i).n > 0; i++)
            sio_conn_queue(c, sio_queue_at(&x->out, i));
        sio_queue_clear(&c->net->memory, &x->out);
        if (!x->keep_alive) {
            drop_exchanges(c);
            sio_conn_drain(c);
            return;
        }
        if (x->reading)
            return;
        c->u.http.first = x->next;
        free_exchange(x);
    }
    if (c->u.http.first == NULL) {
        c->idle = true;
        sio_deadline_set(&c->net->clock, &c->net->keep_alive_fifo, &c->u.http.deadline);
    }
}

bool sio_exchange_add(sio_exchange *x, const sio_sink *lines)
{
    const sio_memory *m = &x->conn->net->memory;
    if (lines->failed || lines->n == 0 || x->answered)
        return !lines->failed;
    char *both = sio_resize(m, NULL, x->extra.n + lines->n);
    if (both == NULL)
        return false;
    if (x->extra.n > 0)
        memcpy(both, x->extra.p, x->extra.n);
    memcpy(both + x->extra.n, lines->p, lines->n);
    sio_free_mem(m, x->extra.p);
    x->extra = (sio_span){ both, x->extra.n + lines->n };
    return true;
}

void sio_respond_begin(sio_exchange *x, int status, const char *type, sio_span more, size_t size)
{
    sio_net *net = x->conn->net;
    sio_sink *sink = &net->out.sink;
    int64_t second = sio_loop_wall(net->loop) / 1000;
    if (second != net->date_second)
        sio_date_text(net->date_second = second, net->date);
    sio_out_begin(&net->out);
    sio_put(sink, "HTTP/1.1 ", 9);
    sio_put_number(sink, (uint64_t)status);
    sio_put(sink, " ", 1);
    sio_put_text(sink, sio_http_reason(status));
    if (type != NULL) {
        sio_put_text(sink, "\r\nContent-Type: ");
        sio_put_text(sink, type);
    }
    if (status != 304) {  // RFC 9110, 8.6; 204 has one: Safari waited, says the package cors
        sio_put_text(sink, "\r\nContent-Length: ");
        sio_put_number(sink, size);
    }
    sio_put(sink, "\r\n", 2);
    sio_put(sink, x->extra.p, status >= 400 ? x->extra_always : x->extra.n);
    sio_put(sink, more.p, more.n);
    sio_put_text(sink, "Date: ");
    sio_put_text(sink, net->date);
    if (x->keep_alive) {
        sio_put_text(sink, "\r\nConnection: keep-alive\r\nKeep-Alive: timeout=");
        sio_put_number(sink, (uint64_t)(net->options->keep_alive_ms / 1000));
        sio_put(sink, "\r\n\r\n", 4);
    } else {
        sio_put_text(sink, "\r\nConnection: close\r\n\r\n");
    }
}

/* Keeps an answer until those before it have left. All that a connection has queued counts towards
 * max_output. False: it is too much, or no memory. */
static bool hold(sio_conn *c, sio_exchange *x, sio_ref ref)
{
    const sio_memory *m = &c->net->memory;
    size_t held = c->out.n + ref.n;
    for (const sio_exchange *each = c->u.http.first; each != NULL; each = each->next)
        held += each->out.n;
    return held <= c->net->options->max_output && sio_queue_add(m, &x->out, ref) &&
           sio_queue_settle(m, &x->out);
}

void sio_respond_end(sio_exchange *x)
{
    sio_conn *c = x->conn;
    sio_ref ref = { NULL, 0, 0 };
    x->answered = true;
    if (x->kept != NULL)
        sio_exchange_forget(x);
    bool whole = sio_out_end(&c->net->out, &ref);
    if (whole && x == c->u.http.first)
        sio_conn_queue(c, ref);
    else if (!whole || !hold(c, x, ref))
        sio_conn_break(c);
    sio_ref_release(ref);
    advance(c);
}

void sio_respond(sio_exchange *x, int status, const char *type, sio_span more, sio_span body)
{
    sio_respond_begin(x, status, type, more, body.n);
    if (!x->head_only)
        sio_put(&x->conn->net->out.sink, body.p, body.n);
    sio_respond_end(x);
}

void sio_respond_empty(sio_exchange *x, int status)
{
    sio_respond(x, status, NULL, SIO_NONE, SIO_NONE);
}

void sio_respond_last(sio_exchange *x, int status, const char *type, sio_span more, sio_span body)
{
    x->keep_alive = false;
    x->conn->last = true;  // what is pipelined behind it has no answer to come to
    sio_respond(x, status, type, more, body);
}

/* ---- Who answers -------------------------------------------------------------------------------- */

bool sio_asks_for_websocket(const sio_http_head *head)
{
    return head->upgrade && sio_span_is_nocase(sio_http_field_of(head, "Upgrade"), "websocket");
}

/* A page that is nowhere is told so; of a WebSocket handshake only the log hears why it ends. */
static void on_lost_head(void *owner, sio_exchange *x, const sio_http_head *head, sio_span raw)
{
    sio_net *net = x->conn->net;
    const char *path = net->options->path;
    (void)owner, (void)raw;
    if (sio_asks_for_websocket(head)) {
        net->stats.refused++;
        sio_log_of(
            net, sio_request_about(x->conn, head),
            "websocket handshake refused: its path is nobody's (Socket.IO listens on %s/, said "
            "by the option path)",
            path);
        sio_conn_end(x->conn, false);
        return;
    }
    sio_log_of(
        net, sio_request_about(x->conn, head),
        "not found: no route takes this method and path (Socket.IO listens on %s/, said by the "
        "option path)",
        path);
    char text[256];
    int n = snprintf(text, sizeof text, "not found; Socket.IO listens on %s/\n", path);
    sio_respond(x, 404, "text/plain", SIO_NONE, (sio_span){ text, n < 256 ? (size_t)n : 255 });
}

static const sio_endpoint lost_endpoint = { .head = on_lost_head };
static const sio_mount lost = { .endpoint = &lost_endpoint };

void sio_mount_add(sio_net *net, sio_mount *m)
{
    sio_mount **end = &net->mounts;
    while (*end != NULL)
        end = &(*end)->next;
    *end = m;
    m->next = NULL;
}

void sio_mounts_free(sio_net *net)
{
    while (net->mounts != NULL) {
        sio_mount *m = net->mounts;
        net->mounts = m->next;
        if (m->free != NULL)
            m->free(net, m);
    }
    if (net->kept.memory != NULL)
        sio_handles_free(&net->kept);
}

static const sio_mount *find_mount(const sio_net *net, const sio_http_head *head)
{
    const sio_mount *best = &lost;
    sio_span path = sio_http_target_path(head->target);
    unsigned best_fit = SIO_FITS_NOT;
    for (const sio_mount *m = net->mounts; m != NULL; m = m->next) {
        unsigned fit = m->fits(m, head, path);
        if (fit > best_fit)
            best = m, best_fit = fit;
    }
    return best;
}

/* ---- Requests ------------------------------------------------------------------------------------ */

static const sio_endpoint no_endpoint = { .head = NULL };
static const sio_mount no_mount = { .endpoint = &no_endpoint };

/* The connection's newest. NULL: the connection is gone, for whoever sends faster than is answered would
 * have the server keep what it sends. */
static sio_exchange *new_exchange(sio_conn *c)
{
    sio_exchange *x = NULL;
    if (c->waiting < MAX_PIPELINED)
        x = sio_alloc(&c->net->memory, sizeof *x + (c->net->metered ? sizeof(sio_ip) : 0));
    if (x == NULL) {
        sio_log_of(c->net, sio_conn_about(c),
                   "connection closed: there is no memory, or it has too many requests without an "
                   "answer (have its client send fewer at once)");
        sio_conn_end(c, false);
        return NULL;
    }
    c->waiting++;
    c->idle = false;
    x->conn = c;
    x->mount = &no_mount;
    x->keep_alive = true;
    sio_exchange **end = &c->u.http.first;
    while (*end != NULL)
        end = &(*end)->next;
    *end = x;
    return x;
}

/* Answers the n bytes at p, which are no request, and ends the connection. A handshake of TLS begins with
 * the byte 22 (RFC 8446, 5.1). */
static void refuse(sio_conn *c, int status, const char *p, size_t n)
{
    sio_exchange *x = new_exchange(c);
    c->last = true;
    c->net->stats.bad_requests++;
    if (status == 431)
        sio_log_of(c->net, sio_conn_about(c),
                   "request refused: 431, its head is longer than max_head, %zu (raise it, or have "
                   "cookies smaller)",
                   c->net->options->max_head);
    else if (n > 0 && p[0] == 22)
        sio_log_of(c->net, sio_conn_about(c),
                   "request refused: %d, it is TLS (have a proxy end https, or ask by http)",
                   status);
    else
        sio_log_of(c->net, sio_conn_about(c),
                   "request refused: %d %s, it breaks RFC 9112 (look at its client or proxy)",
                   status, sio_http_reason(status));
    if (x != NULL)
        sio_respond_last(x, status, NULL, SIO_NONE, SIO_NONE);
}

/* Behind a callback, and when a body is complete: the exchange may be done. */
static void settle_exchange(sio_conn *c, sio_exchange *x)
{
    x->busy = false;
    if (sio_conn_answers(c))
        advance(c);
}

static void end_body(sio_conn *c, sio_exchange *x)
{
    c->in_body = false;
    sio_deadline_clear(&c->u.http.deadline);
    if (x->wants_body && !x->answered) {
        x->busy = true;
        sio_span body = { x->body_n > 0 ? x->body : "", x->body_n };
        x->mount->endpoint->body(x->mount->owner, x, body);
        if (!sio_conn_answers(c))
            return;
    }
    drop_body(x);
    x->reading = false;
    settle_exchange(c, x);
}

/* Counts bytes of a request where rates are limited. NULL: it may go on. */
static const char *exceeded(sio_exchange *x, size_t requests, size_t bytes)
{
    sio_net *net = x->conn->net;
    return net->metered ? sio_meter_address(net, (sio_ip *)(x + 1), requests, bytes) : NULL;
}

/* Whether the address of a request may send it; else it is answered, and its connection ends. What is
 * announced of its body counts at once, so that what is too much is not read. */
static bool may_send(sio_exchange *x, const sio_http_head *head, size_t n)
{
    sio_net *net = x->conn->net;
    if (!net->metered)
        return true;
    *(sio_ip *)(x + 1) = sio_client_ip(x->conn, head);
    const char *option =
        exceeded(x, 1, head->length < SIO_NO_LIMIT ? n + (size_t)head->length : SIO_NO_LIMIT);
    if (option == NULL)
        return true;
    sio_meter_tell(net, sio_request_about(x->conn, head), "request refused: 429", option);
    sio_respond_last(x, 429, NULL, SIO_NONE, SIO_NONE);
    return false;
}

/* A request has begun: hands its head to whoever answers it. */
static void on_request(sio_conn *c, const sio_http_head *head, sio_span raw)
{
    sio_net *net = c->net;
    sio_exchange *x = new_exchange(c);
    if (x == NULL)
        return;
    x->head_only = sio_span_is(head->method, "HEAD");
    x->keep_alive = head->keep_alive;
    c->last = !head->keep_alive;
    if (!may_send(x, head, raw.n))
        return;
    x->chunked = head->chunked;
    x->left = head->length;
    x->reading = x->busy = true;
    x->max_body = net->options->max_payload;
    sio_deadline_set(&net->clock, &net->request_fifo, &c->u.http.deadline);
    c->in_body = true;
    x->mount = find_mount(net, head);
    x->head = head;
    x->mount->endpoint->head(x->mount->owner, x, head, raw);
    if (!sio_conn_answers(c))
        return;
    x->head = NULL;
    if (!head->chunked && head->length == 0) {
        end_body(c, x);
        return;
    }
    sio_ref ref;
    if (head->expect_continue && !x->answered && x == c->u.http.first) {  // RFC 9110, 10.1.1
        sio_out_begin(&net->out);
        sio_put_text(&net->out.sink, "HTTP/1.1 100 Continue\r\n\r\n");
        if (sio_out_end(&net->out, &ref)) {
            sio_conn_queue(c, ref);
            sio_ref_release(ref);
        }
    }
    settle_exchange(c, x);
}

/* seen: how many of the bytes were there before, and held no whole head. */
static size_t on_head(sio_conn *c, char *p, size_t n, size_t seen)
{
    size_t max_head = c->net->options->max_head;
    sio_http_head head;
    if (c->last)
        return n;
    if (n >= 2 && p[0] == '\r' && p[1] == '\n')
        return 2;  // RFC 9112, 2.2: an empty line in front of a request
    int used = sio_http_is_news(p, n, seen) ? sio_http_parse(p, n, &head) : 0;
    if (used == 0 && n <= max_head) {
        if (seen == 0 && c->u.http.first == NULL)  // it has begun: idle no more
            sio_deadline_set(&c->net->clock, &c->net->header_fifo, &c->u.http.deadline);
        return 0;
    }
    if (used <= 0 || (size_t)used > max_head) {
        refuse(c, used < 0 ? -used : 431, p, n);
        return n;
    }
    on_request(c, &head, (sio_span){ p, (size_t)used });
    return (size_t)used;
}

/* Takes a piece of a body that does not come whole. False: the connection is gone. */
static bool take_body(sio_conn *c, sio_exchange *x, sio_span data)
{
    const sio_memory *m = &c->net->memory;
    if (!x->wants_body || x->answered || data.n == 0)
        return true;
    if (data.n > x->max_body - x->body_n) {
        x->busy = true;
        tell_gone(x, 413);
        sio_log_of(
            c->net, sio_conn_about(c),
            "request refused: 413, a body is longer than max_payload, %zu (raise it, or send "
            "less at once)",
            x->max_body);
        c->net->stats.refused++;
        x->mount = &no_mount;
        x->wants_body = false;
        drop_body(x);
        sio_respond_empty(x, 413);
        settle_exchange(c, x);
        return sio_conn_answers(c);
    }
    if (x->body_cap - x->body_n < data.n) {
        size_t whole = x->left < x->max_body - x->body_n ? x->body_n + (size_t)x->left : 0;
        size_t cap = sio_conn_room(x->body_n + data.n, x->chunked ? 0 : whole);
        if (cap > x->max_body)
            cap = x->max_body;
        char *p = sio_resize(m, x->body, cap);
        if (p == NULL) {
            sio_conn_end(c, false);
            return false;
        }
        sio_hold(m, cap, x->body_cap);
        x->body = p, x->body_cap = cap;
    }
    memcpy(x->body + x->body_n, data.p, data.n);
    x->body_n += data.n;
    return true;
}

/* The rest of a body is not read: where the next request would begin, nobody knows. */
static void refuse_body(sio_conn *c, sio_exchange *x, int status)
{
    c->in_body = false;
    c->last = true;
    x->reading = false;
    x->keep_alive = false;
    if (!x->answered) {
        tell_gone(x, status);
        x->mount = &no_mount;
        sio_respond_empty(x, status);
    } else {
        advance(c);
    }
}

/* Reads of a body in chunks. Returns how many bytes; -1: it was refused, for its form or its rate. */
static ptrdiff_t take_chunk(sio_conn *c, sio_exchange *x, char *p, size_t n, sio_span *data)
{
    ptrdiff_t used = sio_http_chunk(&x->chunks, p, n, data);
    const char *option =
        used < 0 ? NULL : exceeded(x, 0, (size_t)used);  // sizes and extensions too
    if (used >= 0 && option == NULL)
        return used;
    if (option != NULL) {
        sio_meter_tell(c->net, sio_conn_about(c), "request refused: 429", option);
    } else {
        c->net->stats.bad_requests++;
        sio_log_of(c->net, sio_conn_about(c),
                   "request refused: 400, its chunks break RFC 9112 (look at its client or proxy)");
    }
    refuse_body(c, x, option != NULL ? 429 : 400);
    return -1;
}

/* A body that is there whole is lent where it was read; what comes of others is put together. */
static size_t on_body(sio_conn *c, char *p, size_t n)
{
    sio_exchange *x = c->u.http.first;
    while (x->next != NULL)
        x = x->next;  // only the newest has bytes to come
    sio_span data = { p, n < x->left ? n : (size_t)x->left };
    ptrdiff_t used = (ptrdiff_t)data.n;
    if (x->chunked && (used = take_chunk(c, x, p, n, &data)) < 0)
        return n;
    bool done = x->chunked ? sio_http_chunks_done(&x->chunks) : data.n == x->left;
    if (!x->chunked && done && x->body_n == 0 && data.n <= x->max_body)
        x->body = p, x->body_n = data.n;  // whole, where it was read
    else if (!take_body(c, x, data))
        return (size_t)used;
    if (!x->chunked)
        x->left -= data.n;
    if (done)
        end_body(c, x);
    return (size_t)used;
}

/* ---- The protocol -------------------------------------------------------------------------------- */

static size_t take(sio_conn *c, char *p, size_t n, size_t seen)
{
    return c->in_body ? on_body(c, p, n) : on_head(c, p, n, seen);
}

const sio_conn_protocol sio_requests = { .take = take, .end = end, .held = held };

/* ---- Upgrades ------------------------------------------------------------------------------------ */

/* The first subprotocol that the client offers: browsers give up when none is chosen (WHATWG WebSockets,
 * opening handshake). */
static void put_subprotocol(sio_sink *sink, const sio_http_head *head)
{
    sio_span list = sio_http_field_of(head, "Sec-WebSocket-Protocol");
    size_t n = 0;
    while (n < list.n && sio_http_is_token(list.p[n]))
        n++;
    if (n == 0)
        return;
    sio_put_text(sink, "Sec-WebSocket-Protocol: ");
    sio_put(sink, list.p, n);
    sio_put(sink, "\r\n", 2);
}

sio_conn *sio_conn_upgrade(sio_exchange *x, const sio_http_head *head, const sio_ws_events *events,
                           void *owner)
{
    sio_conn *c = x->conn;
    sio_out *out = &c->net->out;
    char accept[28];
    sio_ref ref;
    bool spoke = x->lent && (x->next != NULL || c->in != NULL);  // RFC 6455, 4.1: before the answer
    if (x != c->u.http.first || spoke) {
        sio_respond_last(x, 400, NULL, SIO_NONE, SIO_NONE);
        return NULL;
    }
    sio_ws_accept_key(sio_http_field_of(head, "Sec-WebSocket-Key"), accept);  // RFC 6455, 4.2.2
    sio_out_begin(out);
    sio_put_text(&out->sink, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    sio_put(&out->sink, accept, sizeof accept);
    sio_put(&out->sink, "\r\n", 2);
    put_subprotocol(&out->sink, head);
    sio_put(&out->sink, x->extra.p, x->extra.n);
    sio_put(&out->sink, "\r\n", 2);
    if (!sio_out_end(out, &ref)) {
        sio_respond_last(x, 503, NULL, SIO_NONE, SIO_NONE);
        return NULL;
    }
    free_exchange(x);
    sio_deadline_clear(&c->u.http.deadline);
    sio_frames_begin(c, events, owner);
    sio_conn_queue(c, ref);
    sio_ref_release(ref);
    return c;
}

/* ---- Behind a proxy ------------------------------------------------------------------------------ */

/* The last entry of all X-Forwarded-For fields: the proxy that is trusted wrote it. Those before it
 * are what its client said. n == 0: there is none. A field's value has no white space around it. */
static sio_span forwarded(const sio_http_head *head)
{
    sio_span last = SIO_NONE;
    for (size_t i = 0; i < head->n_fields; i++)
        if (sio_span_is_nocase(head->field[i].name, "X-Forwarded-For"))
            last = head->field[i].value;
    size_t at = last.n;
    while (at > 0 && strchr(", \t", last.p[at - 1]) == NULL)
        at--;
    return at == last.n ? SIO_NONE : (sio_span){ last.p + at, last.n - at };
}

/* What the proxy says instead of the peer's address; p NULL: nothing. */
static sio_span other_address(const sio_conn *c, const sio_http_head *head)
{
    sio_span entry = c->net->options->trust_proxy ? forwarded(head) : SIO_NONE;
    return entry.n > 0 && entry.n < 46 ? entry : SIO_NONE;
}

void sio_client_address(const sio_conn *c, const sio_http_head *head, char out[64])
{
    sio_span entry = other_address(c, head);
    sio_ip_text(&c->ip, out);
    if (entry.p != NULL) {
        memcpy(out, entry.p, entry.n);
        out[entry.n] = '\0';
    }
}

sio_about sio_request_about(const sio_conn *c, const sio_http_head *head)
{
    sio_about about = { .ip = &c->ip };
    if (c->net->options->log == NULL)
        return about;
    about.address = other_address(c, head);
    about.path = sio_http_target_path(head->target);  // without the query, which may have passwords
    about.origin = sio_http_field_of(head, "Origin");
    return about;
}

sio_ip sio_client_ip(const sio_conn *c, const sio_http_head *head)
{
    sio_ip ip;
    char text[64];
    sio_client_address(c, head, text);
    return c->net->options->trust_proxy && sio_ip_parse(text, &ip) ? ip : c->ip;
}
