/* sio_emit.c - events on their way out, and what comes back: acknowledgements
 * SPDX-License-Identifier: MIT
 *
 * An event is encoded once, whoever gets it: its frames lie in the turn's buffer, and every receiver
 * queues a reference.
 *
 * A question to three sockets, of whom b has answered; a is asked something else as well, and has a
 * handle for an acknowledgement that we owe it:
 *
 *    question --awaited--> [of c] --sibling--> [of a]         expected 3, answers { b's }
 *                             ^                   ^
 *                   c->more->awaited              |
 *                             a->more->awaited -> . --next--> [other question's] --next--> [owed]
 *
 * Each [ ] is a sio_awaited, found by socket and number in io->awaited, and unlinked from both lists in
 * O(1): by its answer, with its socket, or with its question, whichever ends first.
 *
 * What holds here:
 *  - Nothing is sent unless the whole packet could be written.
 *  - Every sio_answer is called exactly once, never from inside of sio_request, and nothing leads to its
 *    question any more; every acknowledgement is sent at most once.
 *  - Where there is a keeper, offsets are in the order in which clients get the events, and an event is
 *    logged before it is delivered. */
#include "sio_core.h"

#include <errno.h>
#include <string.h>

/* ---- Encoding ------------------------------------------------------------------------------------ */

/* A packet to be written. */
typedef struct packet {
    sio_namespace *ns;
    unsigned type;  // SIO_EVENT or SIO_ACK
    bool has_id;
    uint64_t id;
    sio_span name;    // SIO_EVENT; p NULL: the first value is the name
    uint64_t offset;  // 0: none
    size_t array_n;   // once it is written: bytes of its JSON, with the offset
} packet;

/* Once the number of attachments is known, the packet becomes a binary one, "5N-" (A04, B12). */
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

/* Writes the packet with its attachments behind it (section 9). 0: *ref is it, and *t holds the
 * attachments; or -1. */
static int encode(packet *k, const char *template, sio_arguments *args, sio_template *t,
                  sio_ref *ref)
{
    sio_out *out = &k->ns->io->net.out;
    *t = (sio_template){ .io = k->ns->io, .sink = &out->sink, .comma = k->name.p != NULL };
    sio_out_begin(out);
    sio_out_frame(out);
    put_head(&out->sink, k);
    size_t array = out->sink.n - out->payload - 1;
    if (k->name.p != NULL)
        sio_json_put_string(&out->sink, k->name.p, k->name.n);
    size_t head = out->sink.n - out->payload;
    sio_template_write(t, template, args);
    if (t->n_blobs > 0 && !out->sink.failed) {
        size_t from = out->payload + head;  // a longer message may have moved
        sio_template_sound(t, (sio_span){ out->sink.p + from, out->sink.n - from }, t->n_blobs);
    }
    if (k->offset > 0) {  // R02
        sio_put(&out->sink, ",\"", 2);
        sio_put_number(&out->sink, k->offset);
        sio_put(&out->sink, "\"", 1);
    }
    sio_put(&out->sink, "]", 1);  // A03: without arguments too
    k->array_n = out->sink.n - out->payload - array;
    if (t->n_blobs > 0)
        make_binary(out, k, t->n_blobs);
    sio_out_frame_end(out, SIO_WS_TEXT);
    for (size_t i = 0; i < t->n_blobs; i++) {
        sio_out_frame(out);
        sio_put(&out->sink, t->blobs[i].p, t->blobs[i].n);
        sio_out_frame_end(out, SIO_WS_BINARY);
    }
    if (sio_out_end(out, ref))
        return 0;
    return sio_template_fail(t, k->type == SIO_EVENT ? "event" : "acknowledgement", k->name);
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
    if (d->is_volatile && !sio_session_writable(s->client->session)) {  // M10
        s->ns->io->net.stats.volatile_drops++;
        return;
    }
    s->got_offset |= d->offset;
    sio_session_frames(s->client->session, d->ref);
}

/* Delivers it to those who are still there. */
static void deliver_all(const sio_found *f, delivery *d)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->sockets[i]->state == SIO_SOCKET_CONNECTED)
            deliver(f->sockets[i], d);
    sio_ref_release(d->ref);
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

/* Hands the packet's array, without the offset, which is this process's, to the cluster; q: it is a
 * question. What stands behind the array is put back. */
static void tell_cluster(const sio_target *t, const packet *k, sio_ref ref, size_t n_blobs,
                         sio_question *q)
{
    sio_cluster *cluster = t->ns->io->cluster;
    char digits[SIO_DIGITS], *p = ref.buf->p + ref.at;
    unsigned char op;
    size_t n, cut = 0;
    if (!sio_target_shared(t))
        return;
    if (k->offset > 0)
        cut = sio_number_text(k->offset, digits) + 3;
    p += sio_ws_own_header(p, &op, &n);
    sio_span *blobs = attachments_of(t->ns->io, p + n, n_blobs);
    p += n - k->array_n;
    sio_span array = { p, k->array_n - cut };
    char *end = p + array.n - 1, last = *end;
    *end = ']';
    if (blobs != NULL)
        cluster->tell(cluster, t, array, blobs, n_blobs, q);
    *end = last;
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
        for (sio_namespace *each = ns; each != NULL; each = each->family)
            sio_run_list(s, &each->any_outgoing, &e, true);
    }
}

static bool has_listeners(const sio_namespace *ns)
{
    return ns->any_outgoing.n > 0 || (ns->family != NULL && ns->family->any_outgoing.n > 0);
}

/* The number of an event that is to be kept; 0: it is volatile (R03), or nobody keeps any. */
static uint64_t next_offset(const sio_target *t)
{
    sio_keeper *keeper = t->ns->io->keeper;
    return keeper == NULL || t->is_volatile ? 0 : ++keeper->number;
}

/* Keeps it for those who are away. */
static void log_event(const sio_target *t, const packet *k, delivery *d)
{
    sio_keeper *keeper = t->ns->io->keeper;
    d->offset = k->offset > 0;
    if (d->offset)
        keeper->log(keeper, t, d->ref);
}

/* Listeners have sent other events meanwhile, which arrive before this one: so its offset must be
 * behind theirs. All offsets have the same number of digits. */
static void take_newest_offset(packet *k, sio_ref ref)
{
    sio_keeper *keeper = k->ns->io->keeper;
    char digits[SIO_DIGITS], *p = ref.buf->p + ref.at;
    unsigned char op;
    size_t n;
    if (k->offset == 0 || k->offset == keeper->number)
        return;
    k->offset = ++keeper->number;
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
    k->offset = next_offset(&t);
    if (encode(k, template, args, &written, &d.ref) < 0)
        return -1;
    tell_listeners(t.ns, &f, k, d.ref, written.n_blobs);
    take_newest_offset(k, d.ref);
    tell_cluster(&t, k, d.ref, written.n_blobs, NULL);
    log_event(&t, k, &d);
    deliver_all(&f, &d);
    return 0;
}

static int emit_to_one(const sio_target *t, packet *k, const char *template, sio_arguments *args)
{
    sio_template written;
    delivery d = { .is_volatile = t->is_volatile };
    if (has_listeners(t->ns))
        return emit_aloud(*t, k, template, args);
    k->ns = t->ns;
    k->offset = next_offset(t);
    if (encode(k, template, args, &written, &d.ref) < 0)
        return -1;
    tell_cluster(t, k, d.ref, written.n_blobs, NULL);
    log_event(t, k, &d);
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

/* 0: *name is the event's; or -1. */
static int check_target(const sio_target *t, const char *event, sio_span *name)
{
    if (event == NULL)
        return sio_fail(EINVAL);
    if (sio_target_check(t, "event", event) < 0)
        return -1;
    *name = (sio_span){ event, strlen(event) };
    if (!sio_packet_reserved(name->p, name->n))
        return 0;
    sio_log(&t->ns->io->net,
            "event %.60s: its name is one that clients do not take (choose another)", event);
    return sio_fail(EINVAL);
}

static int emit_packet(const sio_target *t, packet *k, const char *template, sio_arguments *args)
{
    sio_server *io = t->ns->io;
    sio_scope_enter(&io->net);
    int result = t->ns->accept == NULL ? emit_to_one(t, k, template, args)
                                       : emit_to_family(*t, k, template, args);
    sio_scope_leave(&io->net);
    return result;
}

static int emit(const sio_target *t, const char *event, const char *template, sio_arguments *args)
{
    packet k = { .type = SIO_EVENT };
    if (check_target(t, event, &k.name) < 0)
        return -1;
    return emit_packet(t, &k, template, args);
}

int(sio_emit)(sio_target t, const char *event, const char *template, ...)
{
    sio_arguments args;
    va_start(args.ap, template);
    int result = emit(&t, event, template, &args);
    va_end(args.ap);
    return result;
}

int sio_vemit(sio_target t, const char *event, const char *template, va_list ap)
{
    sio_arguments args;
    va_copy(args.ap, ap);
    int result = emit(&t, event, template, &args);
    va_end(args.ap);
    return result;
}

static int emit_values(const sio_target *t, const char *template, ...)
{
    packet k = { .type = SIO_EVENT };
    sio_arguments args;
    va_start(args.ap, template);
    int result = emit_packet(t, &k, template, &args);
    va_end(args.ap);
    return result;
}

int sio_emit_array(const sio_target *t, sio_value array)
{
    return emit_values(t, "%p", (void *)array);
}

/* ---- Acknowledgements ----------------------------------------------------------------------------- */

/* An answer that a client owes us, or that we owe a client: found in io->awaited, so that it does
 * not matter how many there are. It goes with its socket, and with its question. */
struct sio_awaited {
    sio_node node;  // first; its key is the next two
    uint64_t socket, number;
    sio_awaited *next, **at;             // of the socket
    sio_awaited *sibling, **sibling_at;  // of the question
    sio_question *question;              // NULL: we owe it
    uint64_t id;  // of the acknowledgement; of a middleware: where it goes on
};

/* What tells the answers of a socket apart: its client's (kind 0) by their ids, those that we owe by
 * their kinds and serials. */
static uint64_t number_of(uint64_t n, unsigned kind)
{
    return n << 2 | kind;
}

static sio_awaited *find_awaited(sio_server *io, uint64_t socket, uint64_t number)
{
    uint64_t key[2] = { socket, number };
    return (sio_awaited *)sio_table_find(&io->awaited, (const char *)key, sizeof key);
}

/* Enters an answer that is due, to q; q NULL: we owe it. NULL: the socket is gone, or no memory. */
static sio_awaited *await(sio_socket *s, sio_question *q, uint64_t id, uint64_t number)
{
    sio_server *io = s->ns->io;
    if (s->state == SIO_SOCKET_GONE || sio_more(s) == NULL)
        return NULL;
    sio_awaited *a = sio_alloc(&io->net.memory, sizeof *a);
    if (a == NULL)
        return NULL;
    a->question = q, a->id = id;
    a->socket = sio_handle(s);
    a->number = number;
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
    if (q == NULL)
        return a;
    q->expected++;
    a->sibling_at = &q->awaited;
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

static void drop_all(sio_question *q)
{
    while (q->awaited != NULL)
        drop_awaited(q->io, q->awaited);
}

static void free_question(sio_question *q)
{
    for (size_t i = 0; i < q->n; i++)
        sio_drop(q->answers[i]);
    sio_free_mem(&q->io->net.memory, q->answers);
    sio_free_mem(&q->io->net.memory, q);
}

/* Calls back, and frees the question. answer NULL: those of several, which were kept (A08, A09). */
static void finish(sio_question *q, const char *error, sio_event *answer)
{
    sio_server *io = q->io;
    sio_event e = {
        .io = io, .packet = &sio_no_packet, .set = q->answers, .n_set = (uint32_t)q->n
    };
    if (q->one && q->awaited != NULL)
        e.socket = sio_handle_get(&io->handles, q->awaited->socket);
    sio_timer_clear(&io->net.clock, &q->timer);
    drop_all(q);
    if (q->over != NULL)
        q->over(q);  // from here on nothing leads to it
    sio_scope_enter(&io->net);
    if (q->fn != NULL)
        q->fn(io, q->data, error, answer == NULL ? &e : answer);
    sio_scope_leave(&io->net);
    free_question(q);
}

void sio_question_finish(sio_question *q, const char *error)
{
    finish(q, error, NULL);
}

/* The answers did not come in time, or nobody was there to answer. */
void sio_question_over(void *owner, sio_timer *timer)
{
    sio_question *q = (sio_question *)(void *)timer;
    (void)owner;
    if (q->expected > q->came || q->open)
        finish(q, "operation has timed out", NULL);  // A07, A09
    else
        finish(q, q->one ? "socket has been disconnected" : q->unasked, NULL);  // A10
}

void sio_question_check(sio_question *q)
{
    if (q->came >= q->expected && !q->open)
        finish(q, q->unasked, NULL);
}

void sio_question_hear(sio_question *q, sio_value answer)
{
    sio_value kept = q->heard == NULL ? sio_keep(q->io, answer) : NULL;  // A08
    if (q->heard != NULL)
        q->heard(q, answer);
    else if (kept == NULL ||
             !sio_reserve(&q->io->net.memory, &q->answers, q->n, &q->cap, sizeof kept)) {
        sio_drop(kept);  // without memory it has not come
        return;
    } else
        q->answers[q->n++] = kept;
    q->came++;
    sio_question_check(q);
}

void sio_socket_acked(sio_socket *s, uint64_t id, sio_event *answer)
{
    sio_server *io = s->ns->io;
    sio_awaited *a = find_awaited(io, sio_handle(s), number_of(id, 0));
    if (a == NULL || a->id != id)
        return;  // A06, S29: late, double, or never asked
    sio_question *q = a->question;
    drop_awaited(io, a);
    if (q->one)
        finish(q, NULL, answer);
    else
        sio_question_hear(q, sio_arg(answer, 0));
}

/* Who asked this socket alone hears at once that it is gone (section 8); who asked others too goes on
 * without its answer. */
void sio_awaited_cancel(sio_socket *s)
{
    while (s->more != NULL && s->more->awaited != NULL) {
        sio_question *q = s->more->awaited->question;
        if (q != NULL && q->one)
            finish(q, "socket has been disconnected", NULL);
        else
            drop_awaited(s->ns->io, s->more->awaited);
    }
}

/* Expects an answer of each that is still there; and of the one that is asked even where its own room,
 * which it has left, is searched for it. False: no memory. */
static bool expect_all(const sio_target *t, const sio_found *f, sio_question *q, uint64_t id)
{
    bool deaf = q->one && f->n == 0 && sio_connected(t->self);
    for (size_t i = 0; i < f->n; i++)
        if (f->sockets[i]->state == SIO_SOCKET_CONNECTED &&
            await(f->sockets[i], q, id, number_of(id, 0)) == NULL)
            return false;
    return !deaf || await(t->self, q, id, number_of(id, 0)) != NULL;
}

/* When it is over without its answers. Where nobody is asked it is over already, but its callback waits
 * for the caller to return: it may ask again. False: no memory, but not where it was set before. */
static bool set_end(const sio_target *t, sio_question *q)
{
    int ms = q->expected > 0 || q->open ? t->timeout_ms : -1;
    return ms == 0 || sio_timer_after(&q->io->net, &q->timer, ms);
}

/* Expects an answer from each receiver, and sends them the question. */
static int ask(const sio_target *t, sio_question *q, packet *k, const char *template,
               sio_arguments *args)
{
    sio_found f = sio_target_receivers(t);
    if (f.failed)
        return sio_fail(ENOMEM);
    k->id = t->ns->next_ack++;  // A05
    k->ns = t->ns;
    sio_template written;
    delivery d = { .is_volatile = t->is_volatile };
    if (encode(k, template, args, &written, &d.ref) < 0)
        return -1;
    if (has_listeners(t->ns))
        tell_listeners(t->ns, &f, k, d.ref, written.n_blobs);
    q->open = sio_target_shared(t);
    if (!expect_all(t, &f, q, k->id) || !set_end(t, q)) {
        sio_ref_release(d.ref);
        return sio_fail(ENOMEM);
    }
    tell_cluster(t, k, d.ref, written.n_blobs, q);
    if (sio_target_shared(t))  // which may not be there
        set_end(t, q);
    deliver_all(&f, &d);
    return 0;
}

static sio_question *new_question(const sio_target *t)
{
    sio_cluster *cluster = t->ns->io->cluster;
    sio_question *q = sio_target_shared(t) ? cluster->question(cluster)
                                           : sio_alloc(&t->ns->io->net.memory, sizeof *q);
    if (q == NULL)
        return NULL;
    q->io = t->ns->io;
    q->timer.expire = sio_question_over;
    q->one = t->only_self;
    return q;
}

/* The question is freed where it fails. */
static int ask_packet(const sio_target *t, sio_question *q, packet *k, const char *template,
                      sio_arguments *args)
{
    sio_scope_enter(&q->io->net);
    int result = ask(t, q, k, template, args);
    sio_scope_leave(&q->io->net);
    if (result < 0) {
        int error = errno;
        sio_timer_clear(&q->io->net.clock, &q->timer);
        drop_all(q);
        if (q->over != NULL)
            q->over(q);
        free_question(q);
        errno = error;
    }
    return result;
}

int sio_vrequest(sio_target t, sio_answer fn, void *data, const char *event, const char *template,
                 va_list ap)
{
    packet k = { .type = SIO_EVENT, .has_id = true };
    if (check_target(&t, event, &k.name) < 0)
        return -1;
    sio_server *io = t.ns->io;
    bool for_ever = !t.only_self && t.timeout_ms == 0;
    if (for_ever)
        sio_log(&io->net, "event %.60s: it asks several sockets without end (use sio_timeout)",
                event);
    if (fn == NULL || t.ns->accept != NULL || for_ever)
        return sio_fail(EINVAL);
    if (io->freeing)  // the questions that are open end now; each could ask again for ever
        return sio_fail(ECANCELED);
    sio_question *q = new_question(&t);
    if (q == NULL)
        return sio_fail(ENOMEM);
    q->fn = fn, q->data = data;
    sio_arguments args;
    va_copy(args.ap, ap);
    int result = ask_packet(&t, q, &k, template, &args);
    va_end(args.ap);
    return result;
}

static int ask_values(const sio_target *t, sio_question *q, const char *template, ...)
{
    packet k = { .type = SIO_EVENT, .has_id = true };
    sio_arguments args;
    va_start(args.ap, template);
    int result = ask_packet(t, q, &k, template, &args);
    va_end(args.ap);
    return result;
}

int sio_question_ask(const sio_target *t, sio_question *q, sio_value array)
{
    q->timer.expire = sio_question_over;
    return ask_values(t, q, "%p", (void *)array);
}

int(sio_request)(sio_target t, sio_answer fn, void *data, const char *event, const char *template,
                 ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vrequest(t, fn, data, event, template, ap);
    va_end(ap);
    return result;
}

/* A01 */
static int send_ack(sio_socket *s, uint64_t id, const char *template, sio_arguments *args)
{
    packet k = { .ns = s->ns, .type = SIO_ACK, .has_id = true, .id = id };
    sio_template written;
    delivery d = { .is_volatile = false };
    if (encode(&k, template, args, &written, &d.ref) < 0)
        return -1;
    if (s->state == SIO_SOCKET_CONNECTED)
        deliver(s, &d);
    sio_ref_release(d.ref);
    return 0;
}

int sio_vack(sio_event *event, const char *template, va_list ap)
{
    sio_arguments args;
    if (!sio_wants_ack(event))
        return 0;
    sio_server *io = event->io;
    sio_scope_enter(&io->net);
    va_copy(args.ap, ap);
    int result = event->socket != NULL
                     ? send_ack(event->socket, event->packet->id, template, &args)
                     : io->cluster->answer(io->cluster, event->packet->id, template, &args);
    va_end(args.ap);
    sio_scope_leave(&io->net);
    event->acked = result == 0;
    return result;
}

int(sio_ack)(sio_event *event, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vack(event, template, ap);
    va_end(ap);
    return result;
}

uint64_t sio_owed_new(sio_socket *s, unsigned kind, uint64_t id)
{
    uint64_t serial = ++s->ns->io->serial;
    return await(s, NULL, id, number_of(serial, kind)) == NULL ? 0 : serial;
}

/* NULL: it is done (A02), or void, or a handle that is nobody's. */
static sio_awaited *find_owed(sio_server *io, uint64_t socket, uint64_t serial, unsigned kind)
{
    return serial == 0 ? NULL : find_awaited(io, socket, number_of(serial, kind));
}

bool sio_owed_is(sio_server *io, uint64_t socket, uint64_t serial, unsigned kind)
{
    return io != NULL && find_owed(io, socket, serial, kind) != NULL;
}

bool sio_owed_take(sio_server *io, uint64_t socket, uint64_t serial, unsigned kind, uint64_t *id)
{
    sio_awaited *a = find_owed(io, socket, serial, kind);
    if (a == NULL)
        return false;
    *id = a->id;
    drop_awaited(io, a);
    return true;
}

sio_later sio_ack_later(sio_event *event)
{
    sio_later later = { .io = event->io };
    if (!sio_wants_ack(event))
        return later;
    if (event->socket == NULL) {  // another process asks
        later.serial = event->packet->id;
        event->acked = true;
        return later;
    }
    later.serial = sio_owed_new(event->socket, SIO_OWED_ACK, event->packet->id);
    later.socket = sio_handle(event->socket);
    event->acked = later.serial != 0;  // the right to it has moved to the handle
    return later;
}

int(sio_ack_now)(sio_later later, const char *template, ...)
{
    sio_server *io = later.io;
    sio_arguments args;
    bool of_process = later.serial != 0 && later.socket == 0;
    sio_awaited *a = find_owed(io, later.socket, later.serial, SIO_OWED_ACK);
    if (a == NULL && !of_process)
        return 0;
    sio_scope_enter(&io->net);
    va_start(args.ap, template);
    int result = of_process
                     ? io->cluster->answer(io->cluster, later.serial, template, &args)
                     : send_ack(sio_handle_get(&io->handles, later.socket), a->id, template, &args);
    va_end(args.ap);
    if (result == 0 && a != NULL)
        drop_awaited(io, a);
    sio_scope_leave(&io->net);
    return result;
}
