/* check.h - what holds in a server when a turn is over: sim_check, a part of sim.c
 * SPDX-License-Identifier: MIT
 *
 * Everything that a server has is walked, and each "What holds here" and each comment of a struct that
 * can be looked at is: entries that know the place of their twin, handles that lead back, counters
 * beside what they count, deadlines in order, timers a heap, references beside the pieces that hold
 * them, bytes that are held beside what they are of, lists beside the flags of their members, and that
 * nothing is left of what a turn ends with: the dead, the arena, lines of the log.
 *
 * The cost is linear in all that there is. test_check.c breaks these things and hears it said.
 *
 * What some files of the library keep to themselves is copied here; test_check.c compares the copies. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

/* ---- Copies ------------------------------------------------------------------------------------ */

/* sio_emit.c */

struct sio_awaited {
    sio_node node;  // first; its key is the next two
    uint64_t socket, number;
    sio_awaited *next, **at;             // of the socket
    sio_awaited *sibling, **sibling_at;  // of the question
    sio_question *question;              // NULL: we owe it
    uint64_t id;  // of the acknowledgement; of a middleware: where it goes on
};

/* sio.c */

typedef struct sio_partial {
    sio_deadline deadline;  // first
    sio_client *client;
    size_t n;  // of the packet's text
    size_t wanted, got;
    size_t size;  // of the text and the attachments that have come; at most max_packet
    sio_span *blobs;
    char text[];
} partial;

/* sio_recovery.c */

enum { PID_CHARS = 20 };
typedef struct sio_history history;
typedef struct recovery recovery;

typedef struct mention {
    sio_node node;                  // first; in history->mentions: the newest of its room
    struct mention *older, *newer;  // of the same room
    struct entry *entry;
} mention;

typedef struct entry {
    sio_node node;  // first; in recovery->log
    struct entry *next;
    history *of;
    uint64_t serial;
    sio_deadline expiry;
    size_t size;  // in all
    size_t n, n_except, n_mentions;
    const char *frames, *to, *except;
    mention mentions[];
} entry;

struct sio_history {
    recovery *owner;
    entry *first, **end;
    sio_table mentions;
    uint64_t dropped;  // the newest offset that left the log, or was before it
};

typedef struct saved {
    sio_node node;  // first; in recovery->saved, by pid
    recovery *owner;
    struct saved *next;  // in recovery->released
    uint64_t ns;         // its serial: a namespace may be gone, and another in its place
    size_t size;         // in all
    sio_deadline expiry;
    uint64_t since;
    bool got_offset, left_own_room;
    sio_socket *socket;  // that left, until it is freed: it has the data; NULL: they are here
    void *data;
    void (*release)(void *data);
    char pid[PID_CHARS + 1], id[PID_CHARS + 1];
    size_t n_rooms;
    char rooms[];  // names, each with its NUL
} saved;

struct recovery {
    sio_keeper keeper;  // first
    sio_part part;
    sio_server *io;
    const sio_memory *memory;
    bool run_middlewares;
    size_t bytes, most;  // of all entries and saved sockets
    sio_table log, saved;
    sio_fifo log_fifo, saved_fifo;
    saved *released;  // whose data is to be released
};

/* web_raw.c */

typedef struct ws_endpoint {
    sio_part part;  // first
    sio_mount mount;
    sio_server *io;
    sio_ws_handlers handlers;
    sio_ws_events events;
    sio_ws *sockets, *dead;
    sio_fifo ping_fifo, pong_fifo, message_fifo;
    size_t path_n;
    char path[];
} ws_endpoint;

struct sio_ws {
    ws_endpoint *endpoint;
    sio_conn *conn;
    sio_ws *prev, *next;
    void *data;
    sio_deadline beat;     // of the next ping; pinged: of the answer
    sio_deadline message;  // of one that has begun
    bool over, pinged;
    sio_handshake *handshake;
    // Behind it, where rates are limited: its sio_meter
};

/* ---- What is said ------------------------------------------------------------------------------ */

static struct {
    const char *said;  // the first thing that does not hold
    size_t held;       // bytes that clients hold, and our own connections,
    size_t ours;       // which hold so many of them
    size_t sessions, sockets, rooms, kept, rests;
    size_t from_addresses;  // connections that are counted by address
    size_t marked;          // who ends when the next turn begins
} check_now;

static void check_that(bool holds, const char *what)
{
    if (!holds && check_now.said == NULL)
        check_now.said = what;
}

/* How often something was found. A slot of an earlier check is empty. */
static struct {
    struct check_slot {
        const void *p;
        size_t n;
        uint64_t run;
    } * slot;
    size_t slots, used;
    uint64_t run;
} check_found;

static struct check_slot *check_place(const void *p)
{
    size_t i = (size_t)((uintptr_t)p >> 4) * 0x9e3779b1u;
    for (;; i++) {
        struct check_slot *s = &check_found.slot[i & (check_found.slots - 1)];
        if (s->run != check_found.run || s->p == p)
            return s;
    }
}

/* Twice the slots, and what is in them. */
static void check_grow(void)
{
    struct check_slot *old = check_found.slot;
    size_t n = check_found.slots;
    check_found.slots = n == 0 ? 256 : n * 2;
    check_found.slot = calloc(check_found.slots, sizeof *old);
    if (check_found.slot == NULL)
        abort();
    for (size_t i = 0; i < n; i++)
        if (old[i].run == check_found.run)
            *check_place(old[i].p) = old[i];
    free(old);
}

/* The number of times that p was found, to be added to. */
static size_t *check_count(const void *p)
{
    if (check_found.used >= check_found.slots / 2)
        check_grow();
    struct check_slot *s = check_place(p);
    if (s->run != check_found.run) {
        *s = (struct check_slot){ p, 0, check_found.run };
        check_found.used++;
    }
    return &s->n;
}

/* ---- Tables, handles, deadlines, timers --------------------------------------------------------- */

static void check_table(const sio_table *t)
{
    size_t n = 0;
    check_that((t->slots & (t->slots - 1)) == 0, "a table's slots are a power of two");
    for (size_t i = 0; i < t->slots; i++) {
        for (const sio_node *node = t->slot[i]; node != NULL && n <= t->count;
             node = node->next, n++) {
            check_that((node->hash & (t->slots - 1)) == i, "a node is in the slot of its hash");
            check_that(sio_table_find(t, node->key, node->n) == node, "a node is found by its key");
        }
    }
    check_that(n == t->count, "a table counts its nodes");
}

/* Walks a table, as long as nothing was said: what is broken might lead anywhere. */
static const sio_node *check_next(const sio_table *t, const sio_node *node)
{
    return check_now.said != NULL ? NULL : sio_table_next(t, node);
}

static bool check_has(const sio_table *t, const sio_node *node)
{
    return sio_table_find(t, node->key, node->n) == node;
}

/* What is in use. */
static size_t check_handles(const sio_handles *h)
{
    size_t live = 0, free_ones = 0, listed = 0;
    check_that(h->used <= h->slots, "handles fit their slots");
    for (uint32_t i = 0; i < h->used && i < h->slots; i++) {
        bool is_live = (h->place[i] & 1) == 0;
        live += is_live;
        free_ones += !is_live && h->generation[i] > 0;
    }
    for (uint32_t i = h->first_free; i > 0 && listed <= h->used; listed++) {
        bool is_free = i <= h->used && (h->place[i - 1] & 1) != 0;
        check_that(is_free, "what is on the list of free places is free");
        i = is_free ? (uint32_t)(h->place[i - 1] >> 1) : 0;
    }
    check_that(listed == free_ones, "free places are on their list");
    return live;
}

static void check_clock(const sio_clock *clock)
{
    for (const sio_fifo *f = clock->fifos; f != NULL; f = f->next) {
        int64_t before = INT64_MIN;
        for (const sio_deadline *d = f->head.next; d != &f->head && check_now.said == NULL;
             d = d->next) {
            check_that(d->prev->next == d && d->next->prev == d, "deadlines are linked both ways");
            check_that(d->due >= before, "deadlines are in order");
            check_that(d->due <= clock->now + f->length, "a deadline is as far away as its length");
            before = d->due;
        }
    }
    check_that(clock->n <= clock->cap, "the heap has room for its timers");
    for (size_t i = 0; i < clock->n; i++) {
        const sio_timer *t = clock->heap[i], *up = clock->heap[i == 0 ? 0 : (i - 1) / 2];
        check_that(t->at == i + 1, "a timer knows its place");
        check_that(t->serial < clock->serial, "a timer's serial was given away");
        check_that(up->due < t->due || (up->due == t->due && up->serial <= t->serial),
                   "timers are a heap");
    }
}

static bool check_set(const sio_deadline *d)
{
    return d->next != NULL && d->prev != NULL;
}

static void check_list(const sio_bound_list *l)
{
    check_that(l->n <= l->cap, "a list of handlers has room for them");
    check_that(l->running == 0 && !l->holes, "no list of handlers is being run");
    for (size_t i = 0; i < l->n; i++)
        check_that(l->at[i].fn.handler != NULL, "a handler that was taken away is gone");
}

/* ---- Output -------------------------------------------------------------------------------------- */

/* A reference to a buffer: it is counted, and with the first of them the buffer's memory. */
static void check_ref(const sio_buf *b)
{
    if (b->fixed)
        return;
    size_t *found = check_count(b);
    if (++*found == 1)
        check_now.held += sizeof *b + b->cap;
}

/* settled: the turn is over, and small pieces of shared buffers were copied out. */
static void check_queue(const sio_queue *q)
{
    size_t n = 0;
    sio_ref last = { NULL, 0, 0 };
    check_that(q->more == NULL || q->more->n <= q->more->cap, "a queue has room for its pieces");
    check_that(q->n > 0 || q->more == NULL, "an empty queue has no memory");
    for (size_t i = 0;; i++) {
        sio_ref r = sio_queue_at(q, i);
        if (r.n == 0)
            break;
        check_ref(r.buf);
        check_that(r.at <= r.buf->n && r.n <= r.buf->n - r.at, "a piece lies inside its buffer");
        check_that(r.buf->n <= r.buf->cap, "a buffer holds what it has room for");
        check_that(last.buf != r.buf || last.at + last.n != r.at, "neighbours are joined");
        check_that(!r.buf->shared || r.n >= r.buf->cap / 2, "small pieces were copied out");
        last = r;
        n += r.n;
    }
    check_that(n == q->n, "a queue counts its bytes");
    check_that(q->more == NULL || sio_queue_at(q, q->more->n).n > 0, "no piece is empty");
}

/* At the end: how often each buffer was found is known. */
static void check_references(const sio_out *out)
{
    check_that(out->turn == NULL || (out->turn->refs == 1 && out->turn->n == 0),
               "the turn's buffer is empty, and nobody else's");
    check_that(out->buf == out->turn || out->turn == NULL, "no message is being written");
    if (out->turn != NULL)
        check_ref(out->turn);
}

static void check_all_references(const sio_queue *q)
{
    for (size_t i = 0;; i++) {
        sio_ref r = sio_queue_at(q, i);
        if (r.n == 0)
            return;
        check_that(r.buf->fixed || *check_count(r.buf) == r.buf->refs,
                   "a buffer counts the pieces that hold it");
    }
}

/* ---- Connections --------------------------------------------------------------------------------- */

static void check_exchange(const sio_conn *c, const sio_exchange *x)
{
    const sio_net *net = c->net;
    const sio_kept *k = x->kept;
    check_that(x->conn == c, "an exchange knows its connection");
    check_that(!x->busy, "no callback is in an exchange");
    check_that(x->reading == (x->next == NULL && c->in_body), "the newest one's body is read");
    check_that(x->answered || x->out.n == 0, "what waits is an answer");
    check_that(x->body_n <= x->body_cap, "a body has room");
    check_queue(&x->out);
    check_now.held += x->body_cap + (k == NULL ? 0 : k->size);
    if (k == NULL)
        return;
    check_now.kept++;
    check_that(k->exchange == x && !x->answered, "a kept request waits for its answer");
    check_that(sio_handle_get(&net->kept, k->handle) == k, "a kept request is found by its handle");
    check_that(check_set(&k->deadline), "a kept request has a deadline");
}

static void check_requests(const sio_conn *c)
{
    const sio_exchange *first = c->u.http.first;
    size_t n = 0;
    for (const sio_exchange *x = first; x != NULL; x = x->next, n++)
        check_exchange(c, x);
    check_that(n == c->waiting, "a connection counts its exchanges");
    check_that(n <= 16, "no more than 16 requests wait");
    check_that(c->idle == (n == 0), "who is idle has no request");
    check_that(n > 0 || !c->in_body, "a body is a request's");
    check_that(first == NULL || !first->answered || first->reading, "what is answered leaves");
    check_that(!(c->idle || c->in_body) || check_set(&c->u.http.deadline),
               "who has to send something has a deadline");
}

static void check_messages(const sio_conn *c)
{
    const sio_fragments *f = c->u.ws.fragments;
    check_that(c->u.ws.events != NULL && c->u.ws.owner != NULL, "a WebSocket has an owner");
    check_that(!c->idle && c->waiting == 0, "a WebSocket has no request");
    check_that(f == NULL || f->n <= f->cap, "fragments have room");
    check_now.held += f == NULL ? 0 : f->cap;
}

static void check_conn(const sio_net *net, size_t i)
{
    const sio_conn *c = net->conns[i];
    check_that(c->place == i && c->net == net, "a connection knows its place");
    check_that(!c->dead, "no connection is dead");
    check_that(client_of(&c->watch)->watch == &c->watch, "its descriptor leads to it");
    check_that(c->dirty == c->broken, "who is to be looked at will end");
    check_that(c->broken || c->watch.want_write == (c->out.n > 0), "who has output waits for room");
    check_that(c->in == NULL || (c->in->n > 0 && c->in->n < c->in->cap), "input has room for more");
    check_queue(&c->out);
    check_now.held += c->in == NULL ? 0 : sizeof *c->in + c->in->cap;
    if (c->protocol->own)
        check_now.ours +=
            (c->in == NULL ? 0 : sizeof *c->in + c->in->cap) + sio_queue_held(&c->out);
    check_now.from_addresses += c->ip.n > 0;
    check_now.marked += c->broken;
    if (c->protocol == &sio_requests)
        check_requests(c);
    else if (c->protocol->own)
        check_that(c->u.own.owner != NULL && c->waiting == 0, "our own connection has an owner");
    else if (c->protocol->end != NULL)
        check_messages(c);
    else
        check_that(check_set(&c->u.http.deadline) && c->waiting == 0,
                   "who only leaves has a deadline");
}

/* Those of one address, beside their number. */
static void check_crowds(const sio_table *t, size_t most, size_t all)
{
    size_t n = 0;
    check_table(t);
    for (const sio_node *node = NULL; (node = check_next(t, node)) != NULL;) {
        const sio_crowd *a = (const sio_crowd *)node;
        check_that(a->count > 0 && a->count <= most, "no address has more than it may, or none");
        n += a->count;
    }
    check_that(n == all, "addresses count those who are from there");
}

static void check_conns(const sio_net *net)
{
    const sio_options *o = net->options;
    size_t dirty = 0, listed = 0;
    sio_conn *const *end = &net->dirty;
    check_that(net->n_conns <= net->cap_conns, "there is room for the connections");
    for (size_t i = 0; i < net->n_conns; i++) {
        check_conn(net, i);
        dirty += net->conns[i]->dirty;
    }
    for (const sio_conn *c = net->dirty; c != NULL && listed <= dirty; c = c->next, listed++) {
        check_that(c->dirty, "who is on the list of the dirty is");
        end = (sio_conn *const *)&c->next;
    }
    check_that(listed == dirty && net->dirty_end == end, "the dirty are on their list");
    check_that(net->dead == NULL, "no dead connection is left");
    check_that(net->stats.connections == net->n_conns && sim.open == net->n_conns,
               "connections are counted");
    check_that(o->max_connections == 0 || net->n_conns <= o->max_connections,
               "there are no more than max_connections");
    check_crowds(&net->addresses, o->max_per_address,
                 o->max_per_address > 0 ? check_now.from_addresses : 0);
}

/* ---- Sessions ------------------------------------------------------------------------------------- */

static bool check_is_conn(const sio_net *net, const sio_conn *c)
{
    return c->place < net->n_conns && net->conns[c->place] == c;
}

/* A request that a session has: it is on its connection, without an answer. */
static void check_request_of(const sio_session *s, const sio_exchange *x)
{
    const sio_conn *c = x->conn;
    const sio_exchange *each = NULL;
    bool there = check_is_conn(s->eio->net, c) && c->protocol == &sio_requests;
    if (there)
        for (each = c->u.http.first; each != NULL && each != x;)
            each = each->next;
    check_that(there && each == x && !x->answered, "a session's request waits on its connection");
    check_that(x->user == s, "a request knows its session");
}

static void check_upgrade(const sio_session *s, const sio_upgrade *u)
{
    const sio_conn *c = u->conn;
    check_that(u->session == s && check_set(&u->timeout), "an upgrade knows its session, and ends");
    check_that(check_is_conn(s->eio->net, c) && c->protocol->want != NULL && c->u.ws.owner == u,
               "an upgrade has its connection");
}

static void check_polling(const sio_session *s)
{
    const sio_polling *k = s->on.polling;
    check_that(k->session == s, "a polling knows its session");
    check_that(k->dirty == k->overflow, "who is to be looked at will end");
    check_now.marked += k->overflow;
    check_that(k->get == NULL || k->queue.n == 0 || k->overflow,
               "no GET waits when there is something");
    check_that(s->state == SIO_SESSION_OPEN || k->get == NULL, "no GET waits for a close");
    check_queue(&k->queue);
    if (k->get != NULL)
        check_request_of(s, k->get);
    if (k->post != NULL)
        check_request_of(s, k->post);
    if (k->upgrade != NULL)
        check_upgrade(s, k->upgrade);
    if (k->rest == NULL)
        return;
    check_now.rests++;
    check_now.held += k->rest->payload.bytes.n;
    check_that(k->rest->session == s && k->rest->turn.at > 0,
               "a rest knows its session, and goes on");
}

static void check_session(const sio_eio *eio, const sio_session *s)
{
    const sio_net *net = eio->net;
    bool open = s->state == SIO_SESSION_OPEN;
    check_that(s->eio == eio && s->node.key == s->sid, "a session knows its endpoint");
    check_that(open || s->state == SIO_SESSION_CLOSING, "no session is over");
    check_that(check_set(&s->beat), "a session has a deadline");
    check_that(s->unsettled == 0 ||
                   (s->unsettled <= eio->n_unsettled && eio->unsettled[s->unsettled - 1] == s),
               "who has not settled is on the list");
    if (s->handshake->from != NULL)
        ++*check_count(s->handshake->from);
    check_now.held += sio_handshake_size(s->handshake);
    if (s->transport == &sio_by_polling) {
        check_polling(s);
        return;
    }
    const sio_conn *c = s->on.conn;
    check_that(open, "a WebSocket needs no time to close");
    check_that(check_is_conn(net, c) && c->protocol->want != NULL && c->u.ws.owner == s,
               "a session has its connection");
}

static void check_unsettled(const sio_eio *eio)
{
    size_t n = 0;
    check_that(eio->first_unsettled <= eio->n_unsettled && eio->n_unsettled <= eio->cap_unsettled,
               "the list of those who have not settled has room");
    for (size_t i = 0; i < eio->n_unsettled; i++) {
        const sio_session *s = eio->unsettled[i];
        check_that(s == NULL || (i >= eio->first_unsettled && s->unsettled == i + 1),
                   "who is on the list has not settled");
        n += s != NULL;
    }
    for (const sio_node *node = NULL; (node = check_next(&eio->sessions, node)) != NULL;)
        n -= ((const sio_session *)node)->unsettled > 0;
    check_that(n == 0, "only sessions are on the list");
}

static void check_eio(const sio_eio *eio)
{
    size_t rests = check_now.rests, counted = 0;
    check_table(&eio->sessions);
    for (const sio_node *n = NULL; (n = check_next(&eio->sessions, n)) != NULL;) {
        check_session(eio, (const sio_session *)n);
        counted += ((const sio_session *)n)->handshake->from != NULL;
    }
    check_crowds(&eio->crowds, eio->options->max_sessions_per_address, counted);
    for (const sio_node *n = NULL; (n = check_next(&eio->crowds, n)) != NULL;)
        check_that(*check_count(n) == ((const sio_crowd *)n)->count,
                   "an address counts its sessions");
    check_unsettled(eio);
    for (const sio_polling *k = eio->dirty; k != NULL; k = k->next)
        check_that(k->dirty && k->session != NULL, "who is on the list of the dirty is");
    check_that(eio->n_rests == check_now.rests - rests,
               "an endpoint counts what is read in slices");
    check_that(eio->dead == NULL && eio->dead_upgrades == NULL, "no session is left that is over");
    check_that(eio->sessions.count <= eio->options->max_sessions,
               "there are no more than max_sessions");
    check_now.sessions += eio->sessions.count;
}

/* ---- Clients and sockets -------------------------------------------------------------------------- */

static void check_rooms_of(const sio_socket *s)
{
    const sio_rooms *rooms = s->rooms;
    for (uint32_t i = 0; rooms != NULL && i < rooms->n; i++) {
        const sio_room_data *r = rooms->at[i].room;
        uint32_t place = rooms->at[i].place;
        check_that(place < r->n && r->members[place].socket == s && r->members[place].place == i,
                   "a membership has its twin in the room");
    }
    check_that(rooms == NULL ||
                   (rooms->n <= rooms->cap && rooms->n <= s->ns->io->options.max_rooms),
               "a socket has no more rooms than it may");
}

static void check_socket(const sio_client *c, const sio_socket *s)
{
    const sio_namespace *ns = s->ns;
    const sio_server *io = ns->io;
    bool joined = s->state == SIO_SOCKET_CONNECTED;
    check_that(s->client == c && !s->leaving, "a socket knows its client, and stays");
    check_that(joined || s->state == SIO_SOCKET_CONNECTING, "no socket is gone");
    check_that(sio_handle_get(&io->handles, sio_handle_at(&io->handles, s->slot)) == s,
               "a socket's handle leads to it");
    check_that(s->mark <= io->mark, "no socket has a mark of a search to come");
    check_that(!joined || (s->place < ns->n_sockets && ns->sockets[s->place] == s),
               "a socket knows its place in its namespace");
    check_that(check_has(&ns->ids, &s->node) == joined,
               "a socket that is connected is found by its id");
    check_that(!joined || c->u.joining == NULL, "who has joined has no time limit");
    check_rooms_of(s);
    check_now.held += sio_socket_size(s);
    ++*check_count(ns);
}

/* Answers that are due, in both lists. */
static size_t check_awaited(const sio_socket *s)
{
    const sio_server *io = s->ns->io;
    size_t n = 0;
    sio_awaited *const *at = s->more == NULL ? NULL : &s->more->awaited;
    for (; at != NULL && *at != NULL && n <= io->awaited.count; at = &(*at)->next, n++) {
        const sio_awaited *a = *at;
        check_that(a->at == at && check_has(&io->awaited, &a->node),
                   "an answer is on its socket's list");
        check_that(a->socket == sio_handle_at(&io->handles, s->slot), "an answer knows its socket");
        if (a->question == NULL) {
            check_that(a->sibling == NULL && a->sibling_at == NULL, "what we owe is no question's");
            continue;
        }
        check_that(*a->sibling_at == a, "an answer is on its question's list");
        check_that(a->sibling == NULL || a->sibling->sibling_at == &a->sibling,
                   "the answers to a question are linked both ways");
        check_that(a->question->io == io &&
                       (a->question->open || a->question->came < a->question->expected),
                   "a question waits for its answers");
    }
    return n;
}

static void check_partial(const sio_client *c)
{
    const partial *b = c->partial;
    if (b == NULL)
        return;
    size_t size = b->n;
    for (size_t i = 0; i < b->got; i++)
        size += b->blobs[i].n;
    check_that(b->client == c && check_set(&b->deadline),
               "a packet that is incomplete has a deadline");
    check_that(b->got < b->wanted && b->size == size, "and is");
    check_now.held += sizeof *b + b->wanted * sizeof *b->blobs + b->size;
}

/* Returns the answers that are due. */
static size_t check_one_client(const sio_session *session, const sio_client *c)
{
    size_t n = 0, due = 0;
    check_that(c->session == session && !c->over, "a client knows its session");
    for (const sio_socket *s = c->sockets; s != NULL && n <= c->n_sockets; s = s->next, n++) {
        check_socket(c, s);
        due += check_awaited(s);
    }
    check_that(n == c->n_sockets, "a client counts its sockets");
    check_that(c->u.joining == NULL ||
                   (c->u.joining->client == c && check_set(&c->u.joining->deadline)),
               "who has to join has a deadline");
    check_partial(c);
    return due;
}

static void check_clients(const sio_server *io)
{
    size_t due = 0, n = 0;
    const sio_table *sessions = &io->engine.eio.sessions;
    for (const sio_node *node = NULL; (node = check_next(sessions, node)) != NULL;) {
        const sio_session *s = (const sio_session *)node;
        const sio_client *c = s->user;
        check_that((c != NULL) == (s->state == SIO_SESSION_OPEN),
                   "a session that is open has a client");
        due += c == NULL ? 0 : check_one_client(s, c);
        n += c == NULL ? 0 : c->n_sockets;
    }
    check_table(&io->awaited);
    check_that(due == io->awaited.count, "answers that are due are their sockets'");
    check_that(check_handles(&io->handles) == n, "sockets have handles, and nobody else");
    check_that(io->dead_sockets == NULL && io->dead_clients == NULL && io->dead_namespaces == NULL,
               "no socket, client or namespace is left that is over");
}

/* ---- Namespaces ----------------------------------------------------------------------------------- */

static void check_room(const sio_namespace *ns, const sio_room_data *r)
{
    check_that(r->n > 0 && r->n <= r->cap, "a room has members");
    for (size_t i = 0; i < r->n; i++) {
        const sio_socket *s = r->members[i].socket;
        uint32_t place = r->members[i].place;
        check_that(s->ns == ns && s->rooms != NULL && place < s->rooms->n &&
                       s->rooms->at[place].room == r && s->rooms->at[place].place == i,
                   "a member has its twin in the socket");
    }
}

static void check_handlers(const sio_table *t)
{
    check_table(t);
    for (const sio_node *n = NULL; (n = check_next(t, n)) != NULL;)
        check_list(&((const sio_handlers *)n)->list);
}

/* What a namespace and a family have. */
static void check_listeners(const sio_namespace *ns)
{
    check_handlers(&ns->handlers);
    check_handlers(&ns->own);
    check_list(&ns->any);
    check_list(&ns->any_outgoing);
    check_list(&ns->use);
    check_list(&ns->use_event);
}

static void check_namespace(const sio_namespace *ns)
{
    const sio_server *io = ns->io;
    const sio_namespace *f = ns->family == NULL ? NULL : io->families;
    while (f != NULL && f != ns->family)
        f = f->next;
    check_that(f == ns->family, "a namespace's family is one");
    check_that(ns->node.key == ns->name && ns->node.n == strlen(ns->name),
               "a namespace has its name");
    check_that(ns->serial <= io->serial, "a namespace's serial was given away");
    check_that(ns->users == *check_count(ns), "a namespace counts its users");
    check_that(ns->users > 0 || ns->kept || ns->family == NULL ||
                   !io->options.cleanup_empty_namespaces,
               "a namespace that nobody needs is gone");
    check_that(ns->n_sockets <= ns->cap_sockets && ns->n_sockets == ns->ids.count,
               "a namespace counts its sockets");
    for (size_t i = 0; i < ns->n_sockets; i++)
        check_that(ns->sockets[i]->ns == ns && ns->sockets[i]->place == i &&
                       ns->sockets[i]->state == SIO_SOCKET_CONNECTED,
                   "a namespace's sockets are connected");
    check_table(&ns->ids);
    check_table(&ns->rooms);
    for (const sio_node *n = NULL; (n = check_next(&ns->rooms, n)) != NULL;)
        check_room(ns, (const sio_room_data *)n);
    check_listeners(ns);
    check_now.sockets += ns->n_sockets;
    check_now.rooms += ns->rooms.count;
}

static void check_namespaces(const sio_server *io)
{
    size_t dynamic = 0;
    check_table(&io->namespaces);
    for (const sio_node *n = NULL; (n = check_next(&io->namespaces, n)) != NULL;) {
        check_namespace((const sio_namespace *)n);
        dynamic += ((const sio_namespace *)n)->family != NULL;
    }
    for (const sio_namespace *f = io->families; f != NULL; f = f->next) {
        check_listeners(f);
        check_that(f->accept != NULL && f->users == 0 && f->n_sockets == 0,
                   "nobody is in a family");
    }
    check_that(dynamic == io->n_dynamic && io->asking == 0, "namespaces of families are counted");
    check_that(io->net.stats.sockets == check_now.sockets, "sockets are counted");
    check_that(io->net.stats.rooms == check_now.rooms, "rooms are counted");
}

/* ---- Recovery -------------------------------------------------------------------------------------- */

/* A log, in the order of the offsets. Returns its size; *n its mentions. */
static size_t check_log(const recovery *r, const history *h, size_t *n)
{
    size_t size = 0;
    uint64_t before = 0;
    entry *const *end = &h->first;
    *n = 0;
    for (const entry *e = h->first; e != NULL; e = e->next) {
        check_that(e->of == h && check_set(&e->expiry), "an event that is kept expires");
        check_that(e->serial > before && e->serial > h->dropped,
                   "a log is in the order of the offsets");
        check_that(check_has(&r->log, &e->node), "an event is found by its offset");
        before = e->serial;
        size += e->size;
        *n += e->n_mentions;
        end = (entry *const *)&e->next;
        ++*check_count(&r->log);
    }
    check_that(h->end == end && before <= r->keeper.number, "a log ends with its newest event");
    return size;
}

/* The mentions of each room, the newest first. Returns how many. */
static size_t check_mentions(const history *h, size_t most)
{
    size_t n = 0;
    check_table(&h->mentions);
    for (const sio_node *node = NULL; (node = check_next(&h->mentions, node)) != NULL;) {
        const mention *m = (const mention *)node;
        check_that(m->newer == NULL, "a room's newest mention is in the table");
        for (; m != NULL && n <= most; m = m->older, n++) {
            check_that(m->entry->of == h, "a mention is of an event of its log");
            check_that(m->older == NULL ||
                           (m->older->newer == m && m->older->entry->serial <= m->entry->serial),
                       "mentions are linked both ways, and in order");
        }
    }
    return n;
}

static void check_recovery(const sio_server *io)
{
    const recovery *r = (const recovery *)io->keeper;
    size_t size = 0, n;
    if (r == NULL)
        return;
    for (const sio_node *node = NULL; (node = check_next(&io->namespaces, node)) != NULL;) {
        const history *h = ((const sio_namespace *)node)->history;
        if (h == NULL)
            continue;
        size += check_log(r, h, &n);
        check_that(check_mentions(h, n) == n, "each mention is found by its room");
    }
    check_table(&r->log);
    check_that(*check_count(&r->log) == r->log.count, "each event that is kept is in a log");
    check_table(&r->saved);
    for (const sio_node *node = NULL; (node = check_next(&r->saved, node)) != NULL;) {
        const saved *v = (const saved *)node;
        check_that(v->owner == r && check_set(&v->expiry), "who may come back has a deadline");
        check_that(v->socket == NULL, "who may come back has left");
        size += v->size;
    }
    check_that(size == r->bytes && r->bytes <= r->most,
               "what is kept is counted, and not too much");
    check_that(r->released == NULL, "data of those who can't come back is released");
}

/* ---- Plain WebSockets, and the whole ---------------------------------------------------------------- */

static void check_plain(const sio_net *net, const ws_endpoint *e)
{
    const sio_ws *before = NULL;
    for (const sio_ws *ws = e->sockets; ws != NULL && check_now.said == NULL; ws = ws->next) {
        const sio_conn *c = ws->conn;
        check_that(ws->prev == before && ws->endpoint == e,
                   "plain WebSockets are linked both ways");
        check_that(!ws->over && check_set(&ws->beat), "a plain WebSocket is pinged");
        check_that(check_is_conn(net, c) && c->protocol->want != NULL && c->u.ws.owner == ws,
                   "a plain WebSocket has its connection");
        check_now.held += sio_handshake_size(ws->handshake);
        before = ws;
    }
    check_that(e->dead == NULL, "no plain WebSocket is left that is over");
}

static void check_parts(const sio_server *io)
{
    for (const sio_part *p = io->parts; p != NULL; p = p->next) {
        if (p->flush == io->engine.part.flush)
            check_eio(&((const sio_eio_part *)(const void *)p)->eio);
        for (const sio_mount *m = io->net.mounts; m != NULL; m = m->next)
            if (m->owner == p)
                check_plain(&io->net, (const ws_endpoint *)(const void *)p);
    }
    check_that(io->net.stats.sessions == check_now.sessions, "sessions are counted");
}

/* What a turn begins with. */
static void check_rest_of_net(const sio_server *io)
{
    const sio_net *net = &io->net;
    const sio_arena *arena = &net->arena;
    size_t spare = 0;
    for (size_t i = 0; i < net->spare.n; i++)
        spare += net->spare.block[i].size;
    check_that(spare == net->spare.bytes, "spare blocks are counted");
    check_that(net->depth == 1 && !io->turning, "no callback runs");
    check_that(net->dropped == NULL, "what was dropped is freed");
    check_that(net->lines.sink.n == 0 || check_now.marked > 0, "the log has been told");
    for (int i = 0; i < SIO_LOG_KINDS; i++)
        check_that((net->log_kinds[i].format != NULL) == check_set(&net->log_kinds[i].end),
                   "lines of the log are counted for a second");
    check_that(arena->memory == &net->memory, "the arena has its memory");
    check_that(net->held == check_now.held, "bytes that clients hold are counted");
    check_that(net->held - sio_out_held(&net->out) <= net->options->max_memory + check_now.ours ||
                   check_now.marked > 0,
               "who holds too much will end");
    check_that(check_handles(&net->kept) == check_now.kept, "kept requests have handles");
}

static void check_timers(const sio_server *io)
{
    const sio_clock *clock = &io->net.clock;
    check_handles(&io->timers);
    for (uint32_t i = 0; i < io->timers.used && check_now.said == NULL; i++) {
        const sio_timer *t = sio_handle_get(&io->timers, sio_handle_at(&io->timers, i));
        check_that(t == NULL || (t->at > 0 && t->at <= clock->n && clock->heap[t->at - 1] == t),
                   "a timer of the application is to come");
    }
}

/* Again, for what could be counted only when all was seen. */
static void check_counts(const sio_server *io)
{
    for (size_t i = 0; i < io->net.n_conns; i++) {
        const sio_conn *c = io->net.conns[i];
        const sio_exchange *x = c->protocol == &sio_requests ? c->u.http.first : NULL;
        check_all_references(&c->out);
        for (; x != NULL; x = x->next)
            check_all_references(&x->out);
    }
    for (const sio_node *n = NULL; (n = check_next(&io->engine.eio.sessions, n)) != NULL;) {
        const sio_session *s = (const sio_session *)n;
        if (s->transport == &sio_by_polling)
            check_all_references(&s->on.polling->queue);
    }
}

static void check_output(const sio_server *io)
{
    check_references(&io->net.out);
    check_counts(io);
}

static void check_net(const sio_server *io)
{
    check_clock(&io->net.clock);
    check_conns(&io->net);
}

const char *sim_check(const sio_server *io)
{
    memset(&check_now, 0, sizeof check_now);
    check_found.run++;
    check_found.used = 0;
    static void (*const parts[])(
        const sio_server *) = { check_net,      check_parts,  check_clients, check_namespaces,
                                check_recovery, check_output, check_timers,  check_rest_of_net };
    for (size_t i = 0; i < sizeof parts / sizeof *parts && check_now.said == NULL; i++)
        parts[i](io);
    return check_now.said;
}

#endif
