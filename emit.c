/* emit.c - events on their way out, and what comes back: acknowledgements
 * SPDX-License-Identifier: MIT
 *
 * An event is encoded once, whoever gets it: its frames lie in the turn's buffer, and every receiver
 * queues a reference.
 *
 * What holds here:
 *  - Nothing is sent unless the whole packet could be written.
 *  - Every sio_answer is called exactly once, and every acknowledgement is sent at most once. */
#include "layers.h"

#include <errno.h>
#include <string.h>

/* ---- Encoding ------------------------------------------------------------------------------------ */

/* A packet to be written. */
typedef struct packet {
    sio_namespace *ns;
    unsigned type;  // SIO_EVENT or SIO_ACK
    bool has_id;
    uint64_t id;
    sio_span name;    // SIO_EVENT
    uint64_t offset;  // 0: none
} packet;

/* Once the number of attachments is known, the packet becomes a binary one: "5N-". */
static void make_binary(sio_out *out, const packet *k, size_t n_blobs)
{
    sio_sink *sink = &out->sink;
    char count[12];
    sio_sink digits = { .p = count, .cap = sizeof count };
    sio_put_number(&digits, n_blobs);
    sio_put(&digits, "-", 1);
    size_t size = sink->n - out->payload;
    sio_put(sink, count, digits.n);  // makes room; may move the message
    if (sink->failed)
        return;
    char *type = sink->p + out->payload + 1;  // behind the Engine.IO type
    *type = k->type == SIO_EVENT ? '5' : '6';
    memmove(type + 1 + digits.n, type + 1, size - 2);
    memcpy(type + 1, count, digits.n);
}

/* Engine.IO's type and Socket.IO's, namespace, id, and what opens the array, at once. */
static void put_head(sio_sink *sink, const packet *k)
{
    if (!sio_sink_room(sink, 2 + k->ns->prefix_n + SIO_DIGITS + 1))
        return;
    char *p = sink->p + sink->n;
    *p++ = '4';
    *p++ = (char)('0' + k->type);
    memcpy(p, k->ns->prefix, k->ns->prefix_n);
    p += k->ns->prefix_n;
    if (k->has_id)
        p += sio_number_text(k->id, p);
    *p++ = '[';
    sink->n = (size_t)(p - sink->p);
}

static void put_offset(sio_sink *sink, uint64_t offset)
{
    sio_put(sink, ",\"", 2);
    sio_put_number(sink, offset);
    sio_put(sink, "\"", 1);
}

/* Writes the packet with its attachments. 0: *ref is it, and *t holds the attachments; or -1. */
static int encode(const packet *k, const char *template, sio_arguments *args, sio_template *t,
                  sio_ref *ref)
{
    sio_out *out = &k->ns->io->net.out;
    *t = (sio_template){ .io = k->ns->io, .sink = &out->sink, .comma = k->type == SIO_EVENT };
    sio_out_begin(out);
    sio_out_frame(out);
    put_head(&out->sink, k);
    if (k->type == SIO_EVENT)
        sio_json_put_string(&out->sink, k->name.p, k->name.n);
    sio_template_write(t, template, args);
    if (k->offset > 0)
        put_offset(&out->sink, k->offset);
    sio_put(&out->sink, "]", 1);
    if (t->n_blobs > 0)
        make_binary(out, k, t->n_blobs);
    sio_out_frame_end(out, SIO_WS_TEXT);
    for (size_t i = 0; i < t->n_blobs; i++) {
        sio_out_frame(out);
        sio_put(&out->sink, t->blobs[i].p, t->blobs[i].n);
        sio_out_frame_end(out, SIO_WS_BINARY);
    }
    out->sink.failed |= t->bad || t->many;
    if (sio_out_end(out, ref))
        return 0;
    if (t->many)
        return sio_fail(E2BIG);
    return sio_fail(t->bad || out->sink.invalid ? EINVAL : ENOMEM);
}

/* ---- Sending events ------------------------------------------------------------------------------- */

typedef struct delivery {
    sio_ref ref;
    bool is_volatile, offset;
} delivery;

static void deliver(sio_socket *s, void *data)
{
    const delivery *d = data;
    if (s->client->over)
        return;
    if (d->is_volatile && !sio_session_writable(s->client->session)) {
        s->ns->io->net.stats.volatile_drops++;
        return;
    }
    s->got_offset |= d->offset;
    sio_session_frames(s->client->session, d->ref);
}

/* The attachments of a packet as they stand behind its text, in its own frames. NULL: no memory. */
static sio_span *attachments_of(sio_server *io, const char *p, size_t n_blobs)
{
    sio_span *blobs = sio_arena_get(&io->net.arena, n_blobs * sizeof *blobs);
    for (size_t i = 0; blobs != NULL && i < n_blobs; i++) {
        unsigned char op;
        p += sio_ws_own_header(p, &op, &blobs[i].n);
        blobs[i].p = p;
        p += blobs[i].n;
    }
    return blobs;
}

/* Tells the listeners of outgoing events, once for each receiver that is still there. */
static void tell_listeners(sio_namespace *ns, const sio_found *f, const packet *k, sio_ref ref,
                           size_t n_blobs)
{
    sio_packet sent;
    unsigned char op;
    size_t n;
    const char *p = ref.buf->p + ref.at;
    p += sio_ws_own_header(p, &op, &n);
    sio_span *blobs = attachments_of(ns->io, p + n, n_blobs);
    if (blobs == NULL ||
        sio_packet_parse(p + 1, n - 1, SIO_ATTACHMENTS_OUT, SIO_JSON_DEPTH_MAX, &sent) < 0)
        return;
    sent.has_id = false;  // an acknowledgement is the client's to give
    sent.index.count -= k->offset > 0;
    for (size_t i = 0; i < f->n; i++) {
        sio_socket *s = f->sockets[i];
        sio_event e = {
            .io = ns->io, .socket = s, .packet = &sent, .blobs = blobs, .n_blobs = (uint32_t)n_blobs
        };
        for (const sio_namespace *each = ns; each != NULL; each = each->family)
            for (size_t h = 0; h < each->any_outgoing.n && sio_connected(s); h++)
                each->any_outgoing.fn[h](s, &e);
    }
}

static bool has_listeners(const sio_namespace *ns)
{
    return ns->any_outgoing.n > 0 || (ns->family != NULL && ns->family->any_outgoing.n > 0);
}

static bool wants_offset(const sio_target *t)
{
    return t->ns->io->options.recovery_ms > 0 && !t->is_volatile;
}

/* Listeners have sent other events meanwhile, which arrive before this one: so its offset must be
 * behind theirs. All offsets have the same number of digits. */
static void take_newest_offset(packet *k, sio_ref ref)
{
    char digits[SIO_DIGITS], *p = ref.buf->p + ref.at;
    unsigned char op;
    size_t n;
    if (k->offset == 0 || k->offset == k->ns->io->log_serial)
        return;
    k->offset = sio_log_next(k->ns);
    size_t length = sio_number_text(k->offset, digits);
    p += sio_ws_own_header(p, &op, &n);
    memcpy(p + n - 2 - length, digits, length);  // it ends with "]
}

/* Where somebody listens: the receivers are those that there were before the listeners ran. */
static int emit_aloud(sio_target t, packet *k, const char *template, sio_arguments *args)
{
    sio_template written;
    delivery d = { .is_volatile = t.is_volatile };
    sio_found f = sio_target_receivers(&t);
    if (f.failed || !sio_target_keep(&t))
        return sio_fail(ENOMEM);
    k->ns = t.ns;
    k->offset = wants_offset(&t) ? sio_log_next(t.ns) : 0;
    if (encode(k, template, args, &written, &d.ref) < 0)
        return -1;
    tell_listeners(t.ns, &f, k, d.ref, written.n_blobs);
    take_newest_offset(k, d.ref);
    d.offset = k->offset > 0;
    if (d.offset)
        sio_log_packet(t.ns, &t, d.ref, k->offset);
    for (size_t i = 0; i < f.n; i++)
        if (f.sockets[i]->state == SIO_SOCKET_CONNECTED)
            deliver(f.sockets[i], &d);
    sio_ref_release(d.ref);
    return 0;
}

static int emit_to_one(const sio_target *t, packet *k, const char *template, sio_arguments *args)
{
    sio_template written;
    delivery d = { .is_volatile = t->is_volatile };
    if (has_listeners(t->ns))
        return emit_aloud(*t, k, template, args);
    k->ns = t->ns;
    k->offset = wants_offset(t) ? sio_log_next(t->ns) : 0;
    if (encode(k, template, args, &written, &d.ref) < 0)
        return -1;
    d.offset = k->offset > 0;
    if (d.offset)
        sio_log_packet(t->ns, t, d.ref, k->offset);
    sio_target_search(t, deliver, &d);
    sio_ref_release(d.ref);
    return 0;
}

/* To the members that there are now: listeners may make others. */
static int emit_to_family(sio_target t, packet *k, const char *template, sio_arguments *args)
{
    sio_members all = sio_family_members(t.ns);
    int result = 0;
    if (all.at == NULL || !sio_target_keep(&t))
        return sio_fail(ENOMEM);
    for (size_t i = 0; i < all.n; i++) {
        sio_arguments again;
        va_copy(again.ap, args->ap);
        t.ns = all.at[i];
        result |= emit_to_one(&t, k, template, &again);
        va_end(again.ap);
    }
    return result;
}

static int check_target(const sio_target *t, sio_span name)
{
    if (sio_target_overfull(t))
        return sio_fail(E2BIG);
    if (sio_packet_reserved(name.p, name.n))
        return sio_fail(EINVAL);
    return 0;
}

int sio_emit(sio_target t, const char *event, const char *template, ...)
{
    sio_server *io = t.ns->io;
    packet k = { .type = SIO_EVENT, .name = { event, strlen(event) } };
    sio_arguments args;
    if (check_target(&t, k.name) < 0)
        return -1;
    sio_enter(io);
    va_start(args.ap, template);
    int result = t.ns->accept == NULL ? emit_to_one(&t, &k, template, &args)
                                      : emit_to_family(t, &k, template, &args);
    va_end(args.ap);
    sio_leave_callback(io);
    return result;
}

/* ---- Acknowledgements ----------------------------------------------------------------------------- */

/* One question that the server asked. */
typedef struct request {
    sio_server *io;
    sio_answer fn;
    void *data;
    sio_timer timer;
    sio_awaited *awaited;  // by sibling; none when it is done
    size_t expected;       // answers in all
    bool one, done;        // asked one socket; fn has been called, or is being called
    bool asking;           // sio_request looks at it: freed there
    sio_value *answers;    // kept; of several sockets
    size_t n, cap;
} request;

/* An answer that a client owes us, or that we owe a client: found in io->awaited, so that it does
 * not matter how many there are. It goes with its socket, and with its question. */
struct sio_awaited {
    sio_node node;  // first; its key is the next two
    uint64_t socket, number;
    sio_awaited *next, **at;             // of the socket
    sio_awaited *sibling, **sibling_at;  // of the question
    request *request;                    // NULL: we owe it
    uint64_t id;  // of the acknowledgement; of a middleware: where it goes on
};

/* What tells the answers of a socket apart: its client's by their ids, ours by their serials. */
static uint64_t number_of(uint64_t n, bool ours)
{
    return n << 1 | ours;
}

static sio_awaited *find_awaited(sio_server *io, uint64_t socket, uint64_t number)
{
    uint64_t key[2] = { socket, number };
    return (sio_awaited *)sio_table_find(&io->awaited, (const char *)key, sizeof key);
}

static sio_awaited *await(sio_socket *s, request *r, uint64_t id, uint64_t serial)
{
    sio_server *io = s->ns->io;
    if (s->state == SIO_SOCKET_GONE || sio_more(s) == NULL)
        return NULL;
    sio_awaited *a = sio_alloc(&io->net.memory, sizeof *a);
    if (a == NULL)
        return NULL;
    a->request = r, a->id = id;
    a->socket = sio_handle(s);
    a->number = r == NULL ? number_of(serial, true) : number_of(id, false);
    a->node.key = (const char *)&a->socket;
    a->node.n = sizeof a->socket + sizeof a->number;
    if (!sio_table_add(&io->awaited, &a->node)) {
        sio_free_mem(&io->net.memory, a);
        return NULL;
    }
    a->at = &s->more->awaited;
    a->next = *a->at;
    *a->at = a;
    if (a->next != NULL)
        a->next->at = &a->next;
    if (r == NULL)
        return a;
    a->sibling_at = &r->awaited;
    a->sibling = *a->sibling_at;
    *a->sibling_at = a;
    if (a->sibling != NULL)
        a->sibling->sibling_at = &a->sibling;
    return a;
}

/* It has come, or nobody waits for it any more. */
static void drop_awaited(sio_server *io, sio_awaited *a)
{
    sio_table_remove(&io->awaited, &a->node);
    *a->at = a->next;
    if (a->next != NULL)
        a->next->at = a->at;
    if (a->sibling_at != NULL)
        *a->sibling_at = a->sibling;
    if (a->sibling != NULL)
        a->sibling->sibling_at = a->sibling_at;
    sio_free_mem(&io->net.memory, a);
}

static void drop_all(request *r)
{
    while (r->awaited != NULL)
        drop_awaited(r->io, r->awaited);
}

static void free_request(request *r)
{
    for (size_t i = 0; i < r->n; i++)
        sio_drop(r->answers[i]);
    sio_free_mem(&r->io->net.memory, r->answers);
    sio_free_mem(&r->io->net.memory, r);
}

/* Calls back. answer NULL: the answers of several sockets, which were kept. */
static void finish(request *r, const char *error, sio_event *answer)
{
    sio_server *io = r->io;
    if (r->done)
        return;
    r->done = true;
    sio_timer_clear(&io->net.clock, &r->timer);
    drop_all(r);
    sio_event e = {
        .io = io, .packet = &sio_no_packet, .set = r->answers, .n_set = (uint32_t)r->n
    };
    sio_enter(io);
    r->fn(io, r->data, error, answer == NULL ? &e : answer);
    sio_leave_callback(io);
    if (!r->asking)
        free_request(r);
}

static void on_request_timeout(void *owner, sio_timer *timer)
{
    (void)owner;
    request *r = (request *)(void *)((char *)timer - offsetof(request, timer));
    finish(r, "operation has timed out", NULL);
}

void sio_socket_acked(sio_socket *s, uint64_t id, sio_event *answer)
{
    sio_server *io = s->ns->io;
    sio_awaited *a = find_awaited(io, sio_handle(s), number_of(id, false));
    if (a == NULL || a->id != id)
        return;  // late, double, or never asked
    request *r = a->request;
    drop_awaited(io, a);
    if (r->one) {
        finish(r, NULL, answer);
        return;
    }
    sio_value kept = sio_keep(io, sio_arg(answer, 0));
    if (kept != NULL && sio_reserve(&io->net.memory, &r->answers, r->n, &r->cap, sizeof kept))
        r->answers[r->n++] = kept;
    else
        sio_drop(kept);
    if (r->n == r->expected)
        finish(r, NULL, NULL);
}

void sio_awaited_cancel(sio_socket *s)
{
    while (s->more != NULL && s->more->awaited != NULL) {
        request *r = s->more->awaited->request;
        if (r != NULL && r->one)
            finish(r, "socket has been disconnected", NULL);
        else
            drop_awaited(s->ns->io, s->more->awaited);
    }
}

/* Expects an answer of each. False: no memory. */
static bool await_all(const sio_found *f, request *r, uint64_t id)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->sockets[i]->state != SIO_SOCKET_CONNECTED)
            continue;
        if (await(f->sockets[i], r, id, 0) == NULL)
            return false;
        r->expected++;
    }
    return true;
}

/* Expects an answer from each receiver, and sends them the question. */
static int ask(const sio_target *t, request *r, packet *k, const char *template,
               sio_arguments *args)
{
    sio_found f = sio_target_receivers(t);
    if (f.failed)
        return sio_fail(ENOMEM);
    k->id = t->ns->next_ack++;
    k->ns = t->ns;
    sio_template written;
    delivery d = { .is_volatile = t->is_volatile };
    if (encode(k, template, args, &written, &d.ref) < 0)
        return -1;
    if (has_listeners(t->ns))
        tell_listeners(t->ns, &f, k, d.ref, written.n_blobs);
    bool deaf = r->one && f.n == 0 && sio_connected(t->self);  // it has left its own room
    if (!await_all(&f, r, k->id) || (deaf && await(t->self, r, k->id, 0) == NULL) ||
        (t->timeout_ms > 0 && !sio_timer_set(&t->ns->io->net.clock, &r->timer, t->timeout_ms))) {
        drop_all(r);
        sio_ref_release(d.ref);
        return sio_fail(ENOMEM);
    }
    r->expected += deaf;
    for (size_t i = 0; i < f.n; i++)
        if (f.sockets[i]->state == SIO_SOCKET_CONNECTED)
            deliver(f.sockets[i], &d);
    sio_ref_release(d.ref);
    if (r->expected == 0)
        finish(r, r->one ? "socket has been disconnected" : NULL, NULL);
    return 0;
}

int sio_request(sio_target t, sio_answer fn, void *data, const char *event, const char *template,
                ...)
{
    sio_server *io = t.ns->io;
    packet k = { .type = SIO_EVENT, .name = { event, strlen(event) }, .has_id = true };
    sio_arguments args;
    if (check_target(&t, k.name) < 0)
        return -1;
    if (t.ns->accept != NULL || (!t.only_self && t.timeout_ms <= 0))
        return sio_fail(EINVAL);
    request *r = sio_alloc(&io->net.memory, sizeof *r);
    if (r == NULL)
        return sio_fail(ENOMEM);
    *r = (request){ .io = io, .fn = fn, .data = data, .one = t.only_self, .asking = true };
    r->timer.expire = on_request_timeout;
    sio_enter(io);
    va_start(args.ap, template);
    int result = ask(&t, r, &k, template, &args);
    va_end(args.ap);
    sio_leave_callback(io);
    r->asking = false;
    if (r->done || result < 0)
        free_request(r);
    return result;
}

static int send_ack(sio_socket *s, uint64_t id, const char *template, sio_arguments *args)
{
    packet k = { .ns = s->ns, .type = SIO_ACK, .has_id = true, .id = id };
    sio_template written;
    sio_ref ref;
    if (encode(&k, template, args, &written, &ref) < 0)
        return -1;
    sio_socket_send(s, ref);
    sio_ref_release(ref);
    return 0;
}

int sio_ack(sio_event *event, const char *template, ...)
{
    sio_arguments args;
    if (!sio_wants_ack(event))
        return 0;
    sio_enter(event->io);
    va_start(args.ap, template);
    int result = send_ack(event->socket, event->packet->id, template, &args);
    va_end(args.ap);
    sio_leave_callback(event->io);
    event->acked = result == 0;
    return result;
}

sio_later sio_later_new(sio_event *event)
{
    sio_socket *s = event->socket;
    sio_server *io = event->io;
    uint64_t id = event->next > 0 ? event->next : event->packet->id;
    if (await(s, NULL, id, ++io->serial) == NULL)
        return (sio_later){ io, 0, 0 };
    return (sio_later){ io, sio_handle(s), io->serial };
}

sio_later sio_ack_later(sio_event *event)
{
    if (!sio_wants_ack(event))
        return (sio_later){ event->io, 0, 0 };
    event->acked = true;  // the right to it has moved to the handle
    return sio_later_new(event);
}

bool sio_later_take(sio_later later, sio_socket **socket, uint64_t *id)
{
    sio_awaited *a = find_awaited(later.io, later.socket, number_of(later.serial, true));
    if (a == NULL)
        return false;
    *id = a->id;
    *socket = sio_handle_get(&later.io->handles, later.socket);
    drop_awaited(later.io, a);
    return true;
}

int sio_ack_now(sio_later later, const char *template, ...)
{
    sio_arguments args;
    sio_socket *s;
    uint64_t id;
    if (!sio_later_take(later, &s, &id))
        return 0;
    sio_enter(later.io);
    va_start(args.ap, template);
    int result = send_ack(s, id, template, &args);
    va_end(args.ap);
    sio_leave_callback(later.io);
    return result;
}
