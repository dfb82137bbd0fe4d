/* conn.c - connections: requests and messages out of bytes, answers and frames into bytes
 * SPDX-License-Identifier: MIT
 *
 *     HEAD --a head--> BODY --its end--> HEAD ..     one request behind the other; answers
 *      |                                             leave in the order of the requests
 *      +--101--> WEBSOCKET --close frame sent--> CLOSING --the client's close frame--+
 *      |                                                                             v
 *      +--error, "Connection: close"--> DRAINING --all is sent, end of input--> DEAD
 *
 * All bytes are read into one buffer that all connections share. A connection owns memory for input
 * only while a head or frame is incomplete: then the rest is read right behind what there is.
 *
 * What holds here:
 *  - A connection gets one read of at most READ_BYTES in a turn, so a busy one delays the others by
 *    no more than that.
 *  - Output is queued, and sent at the turn's end. What does not leave then waits, up to a limit.
 *  - A connection that dies in a callback is marked, and freed when the turn is over, so functions
 *    up the stack may still look at it. After every callback the state is read again.
 *  - DRAINING reads on and throws away: closing with unread input would make the kernel send a reset
 *    that can overtake our last words. */
#include "layers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    READ_BYTES = 262144,   // one connection's share of a turn
    EARLY_BYTES = 262144,  // output that does not wait for the turn's end
    ACCEPTS_PER_TURN = 64,
    READY_PER_TURN = 256,
    MAX_PIPELINED = 64,     // requests of one connection without an answer
    MAX_FRAGMENTS = 16384,  // frames of one message
    MAX_PIECES = 64,        // of one send
    LINGER_MS = 2000,       // DRAINING
    SPARE_MS = 2000,        // memory that is kept for the next long message
    PAUSE_MS = 100          // between two tries to accept without descriptors
};

enum { HEAD, BODY, WEBSOCKET, CLOSING, DRAINING, DEAD };

/* An incomplete head or frame. */
typedef struct input {
    size_t n, cap;
    char bytes[];
} input;

/* A message that comes in several frames. */
typedef struct fragments {
    unsigned char op;
    unsigned count;
    size_t n, cap;
    char *p;
} fragments;

struct sio_conn {
    sio_watch watch;  // first
    unsigned char state;
    unsigned char waiting;     // requests without an answer
    bool dirty, broken, last;  // in net->dirty; can't be written; takes no further request
    sio_ip ip;
    uint32_t place;  // in net->conns
    sio_net *net;
    sio_conn *next;  // in net->dirty, later in net->dead
    sio_queue out;
    sio_deadline deadline;  // of the head, the request, silence, or the close
    input *in;
    union {
        struct {
            sio_exchange *first, *newest;  // without an answer, or with a body still to come
        } http;
        struct {
            const sio_ws_events *events;
            void *owner;
            fragments *fragments;
        } ws;
    } u;
};

static sio_conn *conn_of(sio_deadline *d)
{
    return (sio_conn *)(void *)((char *)d - offsetof(sio_conn, deadline));
}

void sio_log(sio_net *net, const char *format, ...)
{
    char line[512];
    if (net->options->log == NULL)
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    net->options->log(net->options->user, line);
}

/* ---- Life and death ------------------------------------------------------------------------------ */

static void free_exchange(sio_exchange *x)
{
    const sio_memory *m = &x->conn->net->memory;
    x->conn->waiting--;
    sio_queue_clear(m, &x->out);
    sio_free_mem(m, x->extra.p);
    sio_free_mem(m, x->body);
    sio_free_mem(m, x);
}

static void drop_exchanges(sio_conn *c)
{
    while (c->u.http.first != NULL) {
        sio_exchange *x = c->u.http.first;
        c->u.http.first = x->next;
        if (!x->answered)
            x->endpoint->gone(x->owner, x, 0);
        free_exchange(x);
    }
}

static void drop_fragments(sio_conn *c)
{
    fragments *f = c->u.ws.fragments;
    if (f == NULL)
        return;
    sio_free_mem(&c->net->memory, f->p);
    sio_free_mem(&c->net->memory, f);
    c->u.ws.fragments = NULL;
}

typedef struct address {
    sio_node node;
    size_t count;
    sio_ip ip;
} address;

/* Counts a connection of an address in or out. False: it has as many as it may. */
static bool count_address(sio_net *net, const sio_ip *ip, int change)
{
    size_t most = net->options->max_per_address;
    if (most == 0 || ip->n == 0)
        return true;
    address *a = (address *)sio_table_find(&net->addresses, (const char *)ip->byte, ip->n);
    if (a == NULL) {
        a = change < 0 ? NULL : sio_alloc(&net->memory, sizeof *a);
        if (a == NULL)
            return false;
        a->ip = *ip;
        a->node.key = (char *)a->ip.byte, a->node.n = ip->n;
        if (!sio_table_add(&net->addresses, &a->node)) {
            sio_free_mem(&net->memory, a);
            return false;
        }
    }
    if (change > 0 && a->count >= most)
        return false;
    a->count += change > 0 ? 1 : (size_t)-1;
    if (a->count == 0) {
        sio_table_remove(&net->addresses, &a->node);
        sio_free_mem(&net->memory, a);
    }
    return true;
}

/* Has the connection looked at when the turn ends. */
static void mark(sio_conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->next = NULL;
    *c->net->dirty_end = c;
    c->net->dirty_end = &c->next;
}

/* Closes the descriptor and marks the connection; whoever owned it has been told, or tells itself. */
static void bury(sio_conn *c)
{
    sio_net *net = c->net;
    c->state = DEAD;
    sio_deadline_clear(&c->deadline);
    sio_loop_close(net->loop, &c->watch);
    count_address(net, &c->ip, -1);
    sio_conn *last = net->conns[--net->n_conns];
    net->conns[c->place] = last;
    last->place = c->place;
    net->stats.connections = net->n_conns;
    mark(c);
}

/* The connection's end, when the client or the kernel ended it: tells the owner. */
static void die(sio_conn *c, bool clean)
{
    unsigned state = c->state;
    if (state == DEAD)
        return;
    bury(c);
    if (state == WEBSOCKET) {
        drop_fragments(c);
        c->u.ws.events->close(c->u.ws.owner, SIO_WS_NO_CODE, clean);
    } else if (state == HEAD || state == BODY) {
        drop_exchanges(c);
    }
}

/* Sends what is queued, then ends. Nothing that comes is looked at any more. */
static void drain(sio_conn *c)
{
    c->state = DRAINING;
    sio_deadline_set(&c->net->clock, &c->net->linger_fifo, &c->deadline);
    mark(c);
}

static void on_timeout(void *owner, sio_deadline *d)
{
    (void)owner;
    die(conn_of(d), true);
}

static void open_conn(sio_net *net, int fd, const sio_ip *ip)
{
    sio_conn *c = sio_alloc(&net->memory, sizeof *c);
    if (c != NULL) {
        c->watch.fd = fd;
        c->net = net;
        c->ip = *ip;
        if (sio_reserve(&net->memory, &net->conns, net->n_conns, &net->cap_conns, sizeof c) &&
            sio_loop_watch(net->loop, &c->watch) == 0) {
            c->place = (uint32_t)net->n_conns;
            net->conns[net->n_conns++] = c;
            net->stats.connections = net->n_conns;
            net->stats.accepted++;
            sio_deadline_set(&net->clock, &net->header_fifo, &c->deadline);
            return;
        }
        sio_free_mem(&net->memory, c);
    }
    sio_log(net, "connection closed: no memory for it");
    count_address(net, ip, -1);
    sio_loop_refuse(net->loop, fd);
}

static void on_acceptable(sio_listener *l)
{
    sio_net *net = l->net;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd;
        sio_ip ip;
        int got = sio_loop_accept(net->loop, &l->watch, &fd, &ip);
        if (got < 0) {  // out of descriptors: asking again at once would spin
            sio_log(
                net,
                "accepting pauses: no descriptors or memory left; raise the limit of open files");
            sio_loop_unwatch(net->loop, &l->watch);
            sio_deadline_set(&net->clock, &net->pause_fifo, &l->pause);
        }
        if (got <= 0)
            return;
        size_t most = net->options->max_connections;
        if ((most > 0 && net->n_conns >= most) || !count_address(net, &ip, +1)) {
            net->stats.refused++;
            sio_log(net, "connection closed: max_connections or max_per_address is reached");
            sio_loop_refuse(net->loop, fd);
            continue;
        }
        open_conn(net, fd, &ip);
    }
}

static void on_pause_over(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    sio_listener *l = (sio_listener *)(void *)((char *)d - offsetof(sio_listener, pause));
    if (sio_loop_watch(net->loop, &l->watch) < 0)
        sio_deadline_set(&net->clock, &net->pause_fifo, &l->pause);
}

/* ---- Output -------------------------------------------------------------------------------------- */

/* Sends what it can; never calls back. */
static void push(sio_conn *c)
{
    sio_net *net = c->net;
    while (c->out.n > 0 && !c->broken) {
        sio_span piece[MAX_PIECES];
        int count = 0;
        size_t size = 0;
        for (; count < MAX_PIECES; count++) {
            sio_ref r = sio_queue_at(&c->out, (size_t)count);
            if (r.n == 0)
                break;
            piece[count] = (sio_span){ r.buf->p + r.at, r.n };
            size += r.n;
        }
        ptrdiff_t sent = sio_loop_send(net->loop, &c->watch, piece, count);
        if (sent < 0) {
            c->broken = true;
            return;
        }
        net->stats.bytes_out += (uint64_t)sent;
        sio_queue_drop(&net->memory, &c->out, (size_t)sent);
        if ((size_t)sent < size)
            break;
    }
    sio_loop_want_write(net->loop, &c->watch, c->out.n > 0);
}

static void queue(sio_conn *c, sio_ref piece)
{
    if (c->state == DEAD)
        return;
    mark(c);
    if (c->out.n + piece.n > c->net->options->max_output ||
        !sio_queue_add(&c->net->memory, &c->out, piece)) {
        if (!c->broken) {
            c->net->stats.overflows++;
            sio_log(c->net, "connection closed: the client does not read, max_output is reached");
        }
        c->broken = true;
    }
    if (c->out.n > EARLY_BYTES && !c->watch.want_write)
        push(c);
}

/* The turn's end for one connection. */
static void flush_conn(sio_conn *c)
{
    sio_net *net = c->net;
    if (!c->watch.want_write)
        push(c);
    if (c->broken || (c->out.n > 0 && !sio_queue_settle(&net->memory, &c->out)))
        die(c, false);
    else if (c->state == DRAINING && c->out.n == 0)
        sio_loop_shutdown(net->loop, &c->watch);
}

void sio_net_flush(sio_net *net)
{
    while (net->dirty != NULL) {  // callbacks may append
        sio_conn *c = net->dirty;
        net->dirty = c->next;
        if (net->dirty == NULL)
            net->dirty_end = &net->dirty;
        c->dirty = false;
        if (c->state != DEAD) {
            flush_conn(c);
        } else {
            c->next = net->dead;
            net->dead = c;
        }
    }
}

/* ---- Answers ------------------------------------------------------------------------------------- */

static const char *date_now(sio_net *net)
{
    int64_t second = sio_loop_wall(net->loop) / 1000;
    if (second != net->date_second) {
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        time_t t = (time_t)second;
        struct tm *u = gmtime(&t);  // strftime would ask the locale for the names
        net->date_second = second;
        net->date[0] = '\0';
        if (u != NULL)
            snprintf(net->date, sizeof net->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                     days + 3 * u->tm_wday, u->tm_mday, months + 3 * u->tm_mon, u->tm_year + 1900,
                     u->tm_hour, u->tm_min, u->tm_sec);
    }
    return net->date;
}

/* Takes the exchanges that are done off the connection, in order, and lets their answers go. */
static void advance(sio_conn *c)
{
    while (c->u.http.first != NULL && c->u.http.first->answered && !c->u.http.first->busy) {
        sio_exchange *x = c->u.http.first;
        for (size_t i = 0; x->out.n > 0 && i <= x->out.n_more; i++)
            queue(c, sio_queue_at(&x->out, i));
        sio_queue_clear(&c->net->memory, &x->out);
        if (!x->keep_alive) {
            drop_exchanges(c);
            drain(c);
            return;
        }
        if (x->reading)
            return;
        c->u.http.first = x->next;
        free_exchange(x);
    }
    if (c->u.http.first == NULL) {
        c->u.http.newest = NULL;
        sio_deadline_set(&c->net->clock, &c->net->keep_alive_fifo, &c->deadline);
    }
}

void sio_respond_begin(sio_exchange *x, int status, const char *type, sio_span more, size_t size)
{
    sio_net *net = x->conn->net;
    sio_sink *sink = &net->out.sink;
    sio_out_begin(&net->out);
    sio_put(sink, "HTTP/1.1 ", 9);
    sio_put_number(sink, (uint64_t)status);
    sio_put(sink, " ", 1);
    sio_put_text(sink, sio_http_reason(status));
    if (type != NULL) {
        sio_put_text(sink, "\r\nContent-Type: ");
        sio_put_text(sink, type);
    }
    if (status != 304) {
        sio_put_text(sink, "\r\nContent-Length: ");
        sio_put_number(sink, size);
    }
    sio_put(sink, "\r\n", 2);
    sio_put(sink, x->extra.p, x->extra.n);
    sio_put(sink, more.p, more.n);
    sio_put_text(sink, "Date: ");
    sio_put_text(sink, date_now(net));
    if (x->keep_alive) {
        sio_put_text(sink, "\r\nConnection: keep-alive\r\nKeep-Alive: timeout=");
        sio_put_number(sink, (uint64_t)(net->options->keep_alive_ms / 1000));
        sio_put(sink, "\r\n\r\n", 4);
    } else {
        sio_put_text(sink, "\r\nConnection: close\r\n\r\n");
    }
}

void sio_respond_end(sio_exchange *x)
{
    sio_conn *c = x->conn;
    sio_ref ref;
    x->answered = true;
    if (!sio_out_end(&c->net->out, &ref)) {
        c->broken = true;
        ref = (sio_ref){ NULL, 0, 0 };
    }
    if (x == c->u.http.first)
        queue(c, ref);
    else if (ref.n > 0 && !sio_queue_add(&c->net->memory, &x->out, ref))
        c->broken = true;
    if (ref.n > 0)
        sio_ref_release(ref);
    if (c->broken)
        queue(c, (sio_ref){ NULL, 0, 0 });
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
    sio_respond(x, status, type, more, body);
}

/* ---- Requests ------------------------------------------------------------------------------------ */

static void nobody(void *owner, sio_exchange *x, int status)
{
    (void)owner, (void)x, (void)status;
}

static const sio_endpoint no_endpoint = { .gone = nobody };

static sio_exchange *new_exchange(sio_conn *c)
{
    sio_exchange *x = NULL;
    if (c->waiting < MAX_PIPELINED)
        x = sio_alloc(&c->net->memory, sizeof *x);
    if (x == NULL) {
        sio_log(c->net, "connection closed: no memory, or too many requests without an answer");
        die(c, false);
        return NULL;
    }
    c->waiting++;
    x->conn = c;
    x->endpoint = &no_endpoint;
    x->keep_alive = true;
    if (c->u.http.first == NULL)
        c->u.http.first = x;
    else
        c->u.http.newest->next = x;
    c->u.http.newest = x;
    return x;
}

/* Answers what is no request, and ends the connection. */
static void refuse(sio_conn *c, int status)
{
    sio_exchange *x = new_exchange(c);
    c->last = true;
    c->net->stats.bad_requests++;
    sio_log(c->net, "request refused: %d %s", status, sio_http_reason(status));
    if (x != NULL)
        sio_respond_last(x, status, NULL, SIO_NONE, SIO_NONE);
}

/* Behind a callback, and when a body is complete: the exchange may be done. */
static void settle_exchange(sio_conn *c, sio_exchange *x)
{
    x->busy = false;
    if (c->state == HEAD || c->state == BODY)
        advance(c);
}

static void end_body(sio_conn *c, sio_exchange *x, sio_span body)
{
    c->state = HEAD;
    sio_deadline_clear(&c->deadline);
    if (x->wants_body && !x->answered) {
        x->busy = true;
        x->endpoint->body(x->owner, x, body);
        if (c->state == DEAD || c->state == WEBSOCKET)
            return;
    }
    x->reading = false;
    settle_exchange(c, x);
}

/* Whether a head may be complete now, or wrong already: so a sender of single bytes does not have
 * the whole parsed again for each. */
static bool worth_parsing(const char *p, size_t n, size_t seen)
{
    return n <= 16 || memchr(p + seen, '\n', n - seen) != NULL;
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
    x->chunked = head->chunked;
    x->left = head->length;
    x->reading = x->busy = true;
    x->max_body = net->options->max_payload;
    sio_deadline_set(&net->clock, &net->request_fifo, &c->deadline);
    c->state = BODY;
    x->endpoint = net->route(net, head, &x->owner);
    x->endpoint->head(x->owner, x, head, raw);
    if (c->state != BODY)
        return;
    if (!head->chunked && head->length == 0) {
        end_body(c, x, (sio_span){ raw.p, 0 });
        return;
    }
    sio_ref ref;
    if (head->expect_continue && !x->answered && x == c->u.http.first) {
        sio_out_begin(&net->out);
        sio_put_text(&net->out.sink, "HTTP/1.1 100 Continue\r\n\r\n");
        if (sio_out_end(&net->out, &ref)) {
            queue(c, ref);
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
    int used = worth_parsing(p, n, seen) ? sio_http_parse(p, n, &head) : 0;
    if (used == 0 && n <= max_head)
        return 0;
    if (used <= 0 || (size_t)used > max_head) {
        refuse(c, used < 0 ? -used : 431);
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
        x->endpoint->gone(x->owner, x, 413);
        sio_log(c->net, "413: a body is longer than max_payload, %zu bytes", x->max_body);
        c->net->stats.refused++;
        x->endpoint = &no_endpoint;
        x->wants_body = false;
        sio_respond_empty(x, 413);
        settle_exchange(c, x);
        return c->state == BODY;
    }
    if (x->body_cap - x->body_n < data.n) {
        size_t cap = x->body_n + data.n;
        if (!x->chunked && x->left < x->max_body - x->body_n)
            cap = x->body_n + (size_t)x->left;  // all that is to come
        else if (cap < x->max_body / 2)
            cap *= 2;
        char *p = sio_resize(m, x->body, cap);
        if (p == NULL) {
            die(c, false);
            return false;
        }
        x->body = p, x->body_cap = cap;
    }
    memcpy(x->body + x->body_n, data.p, data.n);
    x->body_n += data.n;
    return true;
}

/* The body is malformed: where the next request would begin, nobody knows. */
static void refuse_body(sio_conn *c, sio_exchange *x)
{
    c->net->stats.bad_requests++;
    c->state = HEAD;
    c->last = true;
    x->reading = false;
    x->keep_alive = false;
    if (!x->answered) {
        x->endpoint->gone(x->owner, x, 400);
        x->endpoint = &no_endpoint;
        sio_respond_empty(x, 400);
    } else {
        advance(c);
    }
}

static size_t on_body(sio_conn *c, char *p, size_t n)
{
    sio_exchange *x = c->u.http.newest;
    sio_span data = { p, n < x->left ? n : (size_t)x->left };
    ptrdiff_t used = (ptrdiff_t)data.n;
    bool done;
    if (x->chunked) {
        used = sio_http_chunk(&x->chunks, p, n, &data);
        if (used < 0) {
            refuse_body(c, x);
            return n;
        }
        done = sio_http_chunks_done(&x->chunks);
    } else {
        done = data.n == x->left;
    }
    if (!x->chunked && done && x->body_n == 0 && data.n <= x->max_body) {
        end_body(c, x, data);  // whole, where it was read
        return (size_t)used;
    }
    if (!take_body(c, x, data))
        return (size_t)used;
    if (!x->chunked)
        x->left -= data.n;
    if (done)
        end_body(c, x, (sio_span){ x->body, x->body_n });
    return (size_t)used;
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
    queue(c, ref);
    sio_ref_release(ref);
}

static void send_close(sio_conn *c, int code)
{
    unsigned char bytes[2] = { (unsigned char)(code >> 8), (unsigned char)code };
    send_control(c, SIO_WS_CLOSE, bytes, code == SIO_WS_NO_CODE ? 0 : 2);
}

/* The client broke a rule: says which, and ends. */
static void fail(sio_conn *c, int code)
{
    const sio_ws_events *events = c->u.ws.events;
    void *owner = c->u.ws.owner;
    sio_log(c->net, "websocket closed: %d, %s", code,
            code == SIO_WS_TOO_BIG        ? "a message is longer than max_payload"
            : code == SIO_WS_INVALID_DATA ? "a text is not UTF-8"
            : code == SIO_WS_POLICY       ? "too many fragments"
                                          : "a frame breaks the protocol");
    c->net->stats.parse_errors++;
    send_close(c, code);
    drop_fragments(c);
    drain(c);
    events->close(owner, SIO_WS_NO_CODE, false);
}

static void on_message(sio_conn *c, unsigned op, const char *p, size_t n)
{
    if (op == SIO_WS_TEXT && sio_utf8_prefix(p, n) != n) {
        fail(c, SIO_WS_INVALID_DATA);  // RFC 6455, 8.1
        return;
    }
    c->net->stats.packets_in++;
    c->u.ws.events->message(c->u.ws.owner, op == SIO_WS_TEXT, p, n);
}

/* RFC 6455, 5.4: a frame of a message that has several. */
static void on_fragment(sio_conn *c, const sio_ws_header *h, const char *p, size_t n)
{
    const sio_memory *m = &c->net->memory;
    fragments *f = c->u.ws.fragments;
    if (f == NULL) {
        f = c->u.ws.fragments = sio_alloc(m, sizeof *f);
        if (f != NULL)
            f->op = h->op;
    }
    if (f != NULL && f->cap - f->n < n) {
        size_t cap = (f->n + n) * 2;
        char *more = sio_resize(m, f->p, cap);
        if (more != NULL)
            f->p = more, f->cap = cap;
    }
    if (f == NULL || f->cap - f->n < n) {
        die(c, false);
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
    sio_free_mem(m, f->p);
    sio_free_mem(m, f);
}

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
    send_control(c, SIO_WS_CLOSE, p, n);  // 5.5.1: the same code back
    drop_fragments(c);
    drain(c);
    events->close(owner, code, true);
}

/* The code to refuse a frame with for its header alone, or 0. */
static int check_frame(const sio_conn *c, const sio_ws_header *h)
{
    const fragments *f = c->u.ws.fragments;
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
    sio_ws_header h;
    int used = sio_ws_parse_header((const unsigned char *)p, n, &h);
    return used <= 0 ? 0 : (size_t)used + (size_t)h.len;
}

static size_t on_frame(sio_conn *c, char *p, size_t n)
{
    sio_ws_header h;
    int used = sio_ws_parse_header((unsigned char *)p, n, &h);
    if (used == 0)
        return 0;
    int code = used < 0 ? -used : check_frame(c, &h);
    if (code != 0) {
        fail(c, code);
        return n;
    }
    if (n - (size_t)used < h.len)
        return 0;
    char *payload = p + used;
    size_t len = (size_t)h.len;
    sio_ws_unmask((unsigned char *)payload, len, h.key, 0);
    if (h.op >= SIO_WS_CLOSE)
        on_control(c, h.op, (unsigned char *)payload, len);
    else if (h.fin && c->u.ws.fragments == NULL)
        on_message(c, h.op, payload, len);
    else
        on_fragment(c, &h, payload, len);
    return (size_t)used + len;
}

/* After our close frame only the client's is of interest. */
static size_t on_last_frame(sio_conn *c, char *p, size_t n)
{
    sio_ws_header h;
    int used = sio_ws_parse_header((unsigned char *)p, n, &h);
    if (used == 0)
        return 0;
    if (used < 0 || h.op == SIO_WS_CLOSE) {
        drain(c);
        return n;
    }
    if (h.len > n - (size_t)used) {
        if (h.len > READ_BYTES)
            drain(c);
        return 0;
    }
    return (size_t)used + (size_t)h.len;
}

/* ---- Input --------------------------------------------------------------------------------------- */

/* Handles what is complete in n bytes at p, of which seen were there before. Returns how much. */
static size_t consume(sio_conn *c, char *p, size_t n, size_t seen)
{
    size_t used = 0;
    while (used < n) {
        size_t k = 0;
        switch (c->state) {
        case HEAD:
            k = on_head(c, p + used, n - used, used == 0 ? seen : 0);
            break;
        case BODY:
            k = on_body(c, p + used, n - used);
            break;
        case WEBSOCKET:
            k = on_frame(c, p + used, n - used);
            break;
        case CLOSING:
            k = on_last_frame(c, p + used, n - used);
            break;
        default:
            return n;
        }
        if (k == 0)
            break;
        used += k;
    }
    return used;
}

static void drop_input(sio_conn *c)
{
    if (c->in != NULL)
        sio_block_put(&c->net->memory, c->in, sizeof *c->in + c->in->cap);
    c->in = NULL;
}

/* Keeps n bytes at p, which may lie in c->in itself, with room for what is known to follow. */
static void keep_input(sio_conn *c, const char *p, size_t n)
{
    if (n == 0 || c->state >= DRAINING) {
        drop_input(c);
        return;
    }
    size_t want = c->state == WEBSOCKET ? frame_size(p, n) : 0;
    if (want <= n)
        want = n < 256 ? 512 : n * 2;
    if (c->in != NULL && c->in->cap >= want) {
        memmove(c->in->bytes, p, n);
        c->in->n = n;
        return;
    }
    size_t size = sizeof(input) + want;
    input *in = sio_block_get(&c->net->memory, &size);
    if (in == NULL) {
        die(c, false);
        return;
    }
    in->n = n, in->cap = size - sizeof *in;
    memcpy(in->bytes, p, n);
    drop_input(c);
    c->in = in;
}

static void on_readable(sio_conn *c)
{
    sio_net *net = c->net;
    char *p = net->input;
    size_t have = 0, room = READ_BYTES;
    if (c->in != NULL && c->in->cap > c->in->n) {
        p = c->in->bytes, have = c->in->n;
        room = c->in->cap - have < READ_BYTES ? c->in->cap - have : READ_BYTES;
    }
    ptrdiff_t got = sio_loop_read(net->loop, &c->watch, p + have, room);
    if (got == -1)
        return;
    if (got <= 0) {
        drop_input(c);
        die(c, got == 0);
        return;
    }
    net->stats.bytes_in += (uint64_t)got;
    size_t seen = have;
    have += (size_t)got;
    size_t used = consume(c, p, have, seen);
    if (c->state == DEAD || c->in != NULL || used < have)
        keep_input(c, p + used, have - used);
}

static void on_spare_end(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    (void)d;
    sio_block_trim(&net->memory);
}

/* ---- The net ------------------------------------------------------------------------------------- */

int sio_net_init(sio_net *net)
{
    const sio_options *o = net->options;
    sio_clock *clock = &net->clock;
    net->loop = sio_loop_new(&net->memory);
    net->input = sio_resize(&net->memory, NULL, READ_BYTES);
    net->out.memory = net->arena.memory = clock->memory = net->addresses.memory = &net->memory;
    net->dirty_end = &net->dirty;
    sio_fifo_init(clock, &net->header_fifo, o->header_timeout_ms, on_timeout, net);
    sio_fifo_init(clock, &net->request_fifo, o->request_timeout_ms, on_timeout, net);
    sio_fifo_init(clock, &net->keep_alive_fifo, o->keep_alive_ms, on_timeout, net);
    sio_fifo_init(clock, &net->close_fifo, o->close_timeout_ms, on_timeout, net);
    sio_fifo_init(clock, &net->linger_fifo, LINGER_MS, on_timeout, net);
    sio_fifo_init(clock, &net->pause_fifo, PAUSE_MS, on_pause_over, net);
    sio_fifo_init(clock, &net->spare_fifo, SPARE_MS, on_spare_end, net);
    net->memory.spare = &net->spare;
    if (net->loop == NULL || net->input == NULL)
        return -1;
    if (sio_loop_random(net->loop, net->memory.secret, sizeof net->memory.secret) < 0)
        return -1;
    clock->now = sio_loop_now(net->loop);
    return 0;
}

int sio_net_listen(sio_net *net, const char *host, int port)
{
    sio_listener *l = sio_alloc(&net->memory, sizeof *l);
    if (l == NULL)
        return -1;
    l->net = net;
    int got = sio_loop_listen(net->loop, &l->watch, host, port);
    if (got < 0) {
        sio_free_mem(&net->memory, l);
        return -1;
    }
    l->next = net->listeners;
    net->listeners = l;
    return got;
}

void sio_net_stop_listening(sio_net *net)
{
    while (net->listeners != NULL) {
        sio_listener *l = net->listeners;
        net->listeners = l->next;
        sio_deadline_clear(&l->pause);
        sio_loop_close(net->loop, &l->watch);
        sio_free_mem(&net->memory, l);
    }
}

int sio_net_poll(sio_net *net, int64_t timeout_ms)
{
    sio_ready ready[READY_PER_TURN];
    int n = sio_loop_wait(net->loop, timeout_ms, ready, READY_PER_TURN);
    if (n < 0)
        return -1;
    net->clock.now = sio_loop_now(net->loop);
    for (int i = 0; i < n; i++) {
        sio_watch *w = ready[i].watch;
        if (w->fd < 0)
            continue;  // closed by a callback of this turn
        if (w->listener) {
            on_acceptable((sio_listener *)(void *)w);
            continue;
        }
        sio_conn *c = (sio_conn *)(void *)w;
        if (ready[i].writable) {
            sio_loop_want_write(net->loop, w, false);
            mark(c);
        }
        if (ready[i].readable)
            on_readable(c);
    }
    sio_clock_expire(&net->clock, net);
    return 0;
}

void sio_net_bury(sio_net *net)
{
    while (net->dead != NULL) {
        sio_conn *c = net->dead;
        net->dead = c->next;
        sio_queue_clear(&net->memory, &c->out);
        drop_input(c);
        sio_free_mem(&net->memory, c);
    }
    bool spare = net->spare.p[0] != NULL || net->spare.p[1] != NULL;
    if (spare && net->spare_end.next == NULL)
        sio_deadline_set(&net->clock, &net->spare_fifo, &net->spare_end);
}

void sio_net_abort_all(sio_net *net)
{
    while (net->n_conns > 0)
        die(net->conns[net->n_conns - 1], false);
}

void sio_net_close_idle(sio_net *net)
{
    for (size_t i = net->n_conns; i-- > 0;) {
        sio_conn *c = net->conns[i];
        if (c->state == HEAD && c->u.http.first == NULL)
            drain(c);
    }
}

void sio_net_free(sio_net *net)
{
    const sio_memory *m = &net->memory;
    sio_net_stop_listening(net);
    sio_net_bury(net);
    sio_out_free(&net->out);
    sio_block_trim(m);
    sio_arena_free(&net->arena);
    sio_table_free(&net->addresses);
    sio_clock_free(&net->clock);
    sio_free_mem(m, net->conns);
    sio_free_mem(m, net->input);
    if (net->loop != NULL)
        sio_loop_free(net->loop);
}

/* ---- For the layers above ------------------------------------------------------------------------ */

sio_conn *sio_conn_upgrade(sio_exchange *x, const sio_http_head *head, const sio_ws_events *events,
                           void *owner)
{
    sio_conn *c = x->conn;
    sio_out *out = &c->net->out;
    char accept[28];
    sio_ref ref;
    if (x != c->u.http.first) {
        sio_respond_last(x, 400, NULL, SIO_NONE, SIO_NONE);
        return NULL;
    }
    sio_ws_accept_key(sio_http_field_of(head, "Sec-WebSocket-Key"), accept);
    sio_out_begin(out);
    sio_put_text(&out->sink, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    sio_put(&out->sink, accept, sizeof accept);
    sio_put(&out->sink, "\r\n", 2);
    sio_put(&out->sink, x->extra.p, x->extra.n);
    sio_put(&out->sink, "\r\n", 2);
    if (!sio_out_end(out, &ref)) {
        sio_respond_last(x, 503, NULL, SIO_NONE, SIO_NONE);
        return NULL;
    }
    free_exchange(x);
    sio_deadline_clear(&c->deadline);
    c->state = WEBSOCKET;
    c->u.ws.events = events;
    c->u.ws.owner = owner;
    c->u.ws.fragments = NULL;
    queue(c, ref);
    sio_ref_release(ref);
    return c;
}

void sio_conn_set_owner(sio_conn *c, const sio_ws_events *events, void *owner)
{
    c->u.ws.events = events;
    c->u.ws.owner = owner;
}

bool sio_conn_send(sio_conn *c, sio_ref frames)
{
    if (c->state != WEBSOCKET || c->broken)
        return false;
    queue(c, frames);
    return !c->broken;
}

bool sio_conn_writable(const sio_conn *c)
{
    return c->state == WEBSOCKET && !c->watch.want_write && !c->broken;
}

size_t sio_conn_pending(const sio_conn *c)
{
    return c->out.n;
}

void sio_conn_close(sio_conn *c, int code)
{
    if (c->state != WEBSOCKET)
        return;
    send_close(c, code);
    drop_fragments(c);
    c->state = CLOSING;
    sio_deadline_set(&c->net->clock, &c->net->close_fifo, &c->deadline);
}

void sio_conn_drop(sio_conn *c)
{
    unsigned state = c->state;
    if (state == DEAD)
        return;
    bury(c);
    if (state == WEBSOCKET)
        drop_fragments(c);
    else if (state == HEAD || state == BODY)
        drop_exchanges(c);
}

const sio_ip *sio_conn_ip(const sio_conn *c)
{
    return &c->ip;
}

sio_net *sio_conn_net(const sio_conn *c)
{
    return c->net;
}

void sio_client_address(const sio_conn *c, const sio_http_head *head, char out[64])
{
    sio_ip_text(&c->ip, out);
    if (!c->net->options->trust_proxy)
        return;
    sio_span list = sio_http_field_of(head, "X-Forwarded-For");
    size_t n = 0;
    while (n < list.n && list.p[n] != ',' && list.p[n] != ' ')
        n++;
    if (n > 0 && n < 46) {
        memcpy(out, list.p, n);
        out[n] = '\0';
    }
}
