/* sio_recovery.c - connection state recovery: what a client missed while it was away
 * SPDX-License-Identifier: MIT
 *
 * Every event that is sent without asking for an acknowledgement, and is not volatile, goes into its
 * namespace's log under a number, the offset, which the client gets as one more argument. When a
 * socket is lost, its id, rooms and data are kept under its pid, a second secret id. A client that
 * comes back in time with its pid and the last offset that it saw is that socket again, and gets
 * what was sent since to a room it was in.
 *
 *     C> 0{"pid":"...","offset":"17"}     S> 2["hi",1,"18"]     S> 0{"sid":"...","pid":"..."}
 *
 *     socket --lost--> saved --welcome--> a new socket with its id; then the replay
 *                        +--too late, no room, the server ends--> released --turn ends--> freed
 *
 * A client that saw no event has no offset to send: it gets what came since it connected.
 *
 * An event in the log mentions the rooms that it was sent to, or everybody. The mentions of one room
 * form a chain, whose newest is in a table: so a replay looks at the rooms of the socket, and at what
 * was sent there since, whatever else the log holds.
 *
 *     mentions:  "a"       -> event 9 -> event 4
 *                everybody -> event 8 -> event 7 -> event 5
 *
 * What holds here:
 *  - All of it is behind io->keeper, and a namespace's log behind ns->history, which there is as soon
 *    as somebody has a pid to come back to it with: what was sent before, nobody missed.
 *  - Logs and saved sockets together take at most so many bytes, and nothing is kept for longer than
 *    so many ms; what fell out of it makes recovery fail, silently, as the protocol has it.
 *  - A log is in the order of the offsets, which is that in which clients get the events.
 *  - A saved session is used once. The application's code runs at one place only: when the turn
 *    ends, to release the data of those that did not come back. */
#include "sio_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PID_BYTES = 15, PID_CHARS = 20 };

/* A room that an event was sent to. Its key is the room's name with its NUL, or without any byte for
 * everybody. */
typedef struct mention {
    sio_node node;                  // first; in history->mentions: the newest of its room
    struct mention *older, *newer;  // of the same room
    struct entry *entry;
} mention;

typedef struct sio_history history;

/* One event that was sent. Behind the mentions stand its frames, then the names of the rooms that it
 * was sent to, then those of the rooms that were left out, each with its NUL. */
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

typedef struct recovery recovery;

/* A namespace's log. */
struct sio_history {
    recovery *owner;
    entry *first, **end;
    sio_table mentions;
    uint64_t dropped;  // the newest offset that left the log, or was before it
};

/* A socket that may come back. */
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

/* ---- The log ------------------------------------------------------------------------------------- */

/* Drops the oldest entry of the log; each of its mentions is the oldest of its room. */
static void drop_first(history *h)
{
    recovery *r = h->owner;
    entry *e = h->first;
    h->first = e->next;
    if (h->first == NULL)
        h->end = &h->first;
    for (size_t i = 0; i < e->n_mentions; i++) {
        mention *m = &e->mentions[i];
        if (m->newer != NULL)
            m->newer->older = NULL;
        else
            sio_table_remove(&h->mentions, &m->node);
    }
    sio_table_remove(&r->log, &e->node);
    sio_deadline_clear(&e->expiry);
    r->bytes -= e->size;
    h->dropped = e->serial;
    sio_free_mem(r->memory, e);
}

static void drop_all(history *h)
{
    while (h->first != NULL)
        drop_first(h);
}

static void forget(sio_keeper *k, sio_namespace *ns)
{
    recovery *r = (recovery *)k;
    if (ns->history == NULL)
        return;
    drop_all(ns->history);
    sio_table_free(&ns->history->mentions);
    sio_free_mem(r->memory, ns->history);
    ns->history = NULL;
}

/* Makes the namespace's log, if there is none. False: no memory. */
static bool need_history(recovery *r, sio_namespace *ns)
{
    if (ns->history != NULL)
        return true;
    history *h = ns->history = sio_alloc(r->memory, sizeof *h);
    if (h == NULL)
        return false;
    h->owner = r;
    h->end = &h->first;
    h->mentions.memory = r->memory;
    h->dropped = r->keeper.number;
    return true;
}

static void on_entry_expired(void *owner, sio_deadline *d)
{
    entry *e = (entry *)(void *)((char *)d - offsetof(entry, expiry));
    (void)owner;
    drop_first(e->of);  // it is the oldest of its namespace too
}

/* Nobody can come back as this any more. */
static void forget_saved(saved *v)
{
    sio_table_remove(&v->owner->saved, &v->node);
    v->owner->bytes -= v->size;
    sio_deadline_clear(&v->expiry);
}

/* The same; its data is released when the turn ends: this happens in the middle of everything. Until
 * then its memory is beyond the limit. */
static void drop_saved(saved *v)
{
    recovery *r = v->owner;
    forget_saved(v);
    if (v->release == NULL) {
        sio_free_mem(r->memory, v);
        return;
    }
    v->next = r->released;
    r->released = v;
}

/* R09 */
static void on_saved_expired(void *owner, sio_deadline *d)
{
    (void)owner;
    drop_saved((saved *)(void *)((char *)d - offsetof(saved, expiry)));
}

/* Has the first of them expire before its time. False: there is none. */
static bool expire_first(sio_fifo *f)
{
    if (f->head.next == &f->head)
        return false;
    f->expire(f->owner, f->head.next);
    return true;
}

/* Makes room for size bytes: the oldest events of all namespaces go first, then the sockets that left
 * first. */
static bool make_room(recovery *r, size_t size)
{
    while (r->bytes + size > r->most)
        if (!expire_first(&r->log_fifo) && !expire_first(&r->saved_fifo))
            return false;
    return true;
}

/* The names of an event's target, as it is logged. */
typedef struct names {
    const char *const *at;
    size_t n;
} names;

static size_t count_names(const names list[3])
{
    return list[0].n + list[1].n + list[2].n;
}

/* The bytes of the names, each with its NUL. Writes them, unless p is NULL. */
static size_t put_names(char *p, const names list[3])
{
    size_t size = 0;
    for (int k = 0; k < 3; k++) {
        for (size_t i = 0; i < list[k].n; i++) {
            size_t n = strlen(list[k].at[i]) + 1;
            if (p != NULL)
                memcpy(p + size, list[k].at[i], n);
            size += n;
        }
    }
    return size;
}

/* Adds a mention as the newest of its room. False: no memory; where the log's table has slots
 * it does not fail. */
static bool add_mention(entry *e, mention *m, const char *key, size_t n)
{
    sio_table *t = &e->of->mentions;
    m->node.key = key, m->node.n = (uint32_t)n;
    m->entry = e;
    m->older = (mention *)sio_table_find(t, key, n);
    if (m->older != NULL) {
        sio_table_remove(t, &m->older->node);
        m->older->newer = m;
    }
    return sio_table_add(t, &m->node);
}

/* A new entry with its bytes and names. NULL: no memory. */
static entry *new_entry(history *h, sio_ref frames, const names to[3], const names except[3])
{
    recovery *r = h->owner;
    size_t n = count_names(to) > 0 ? count_names(to) : 1;
    size_t names_n = put_names(NULL, to) + put_names(NULL, except);
    size_t size = sizeof(entry) + n * sizeof(mention) + frames.n + names_n;
    entry *e = make_room(r, size) ? sio_alloc(r->memory, size) : NULL;
    if (e == NULL)
        return NULL;
    e->of = h, e->serial = r->keeper.number;
    e->size = size, e->n = frames.n;
    e->n_mentions = n, e->n_except = count_names(except);
    char *p = memcpy(e->mentions + n, frames.buf->p + frames.at, frames.n);
    e->frames = p;
    e->to = p += frames.n;
    e->except = p += put_names(p, to);
    put_names(p, except);
    return e;
}

/* Makes it found, by its offset and by its mentions. False: no memory; then the first mention failed,
 * for a table that has slots takes all that come. */
static bool index_entry(entry *e, bool everybody)
{
    const char *name = e->to;
    bool added = true;
    e->node.key = (const char *)&e->serial, e->node.n = sizeof e->serial;
    if (!sio_table_add(&e->of->owner->log, &e->node))
        return false;
    for (size_t i = 0; added && i < e->n_mentions; i++) {
        size_t n = everybody ? 0 : strlen(name) + 1;
        added = add_mention(e, &e->mentions[i], name, n);
        name += n;
    }
    if (!added)
        sio_table_remove(&e->of->owner->log, &e->node);
    return added;
}

/* The target is kept by the names of its rooms, and not by its members: who is away is in none. */
static void log_event(sio_keeper *k, const sio_target *t, sio_ref frames)
{
    recovery *r = (recovery *)k;
    history *h = t->ns->history;
    const char *self = t->self == NULL ? NULL : sio_id(t->self);
    names only[3] = { { &self, 1 } };
    names to[3] = { { t->name, t->n_to }, { t->to_list, t->n_to_list } };
    names except[3] = { { t->name + SIO_TARGET_NAMES - t->n_except, t->n_except },
                        { t->except_list, t->n_except_list },
                        { &self, self != NULL && !t->only_self } };
    if (h == NULL)
        return;
    entry *e = new_entry(h, frames, t->only_self ? only : to, except);
    if (e == NULL || !index_entry(e, !t->only_self && count_names(to) == 0)) {
        sio_free_mem(r->memory, e);
        drop_all(h);  // a log with a hole would lose this event without a word
        h->dropped = k->number;
        return;
    }
    *h->end = e;
    h->end = &e->next;
    r->bytes += e->size;
    sio_deadline_set(&r->io->net.clock, &r->log_fifo, &e->expiry);
}

/* ---- Saved sockets -------------------------------------------------------------------------------- */

/* Who left on purpose, or broke the protocol, does not come back (R07); who was lost does (R08). */
static bool is_recoverable(const char *reason)
{
    return strcmp(reason, "client namespace disconnect") != 0 &&
           strcmp(reason, "server namespace disconnect") != 0 && strcmp(reason, "parse error") != 0;
}

/* The socket's rooms. NULL: no memory. */
static saved *new_saved(recovery *r, const sio_socket *s)
{
    size_t size = sizeof(saved);
    for (size_t i = 0; sio_room(s, i) != NULL; i++)
        size += strlen(sio_room(s, i)) + 1;
    saved *v = make_room(r, size) ? sio_alloc(r->memory, size) : NULL;
    if (v == NULL)
        return NULL;
    v->owner = r, v->size = size;
    char *p = v->rooms;
    for (; sio_room(s, v->n_rooms) != NULL; v->n_rooms++) {
        const char *room = sio_room(s, v->n_rooms);
        size_t n = strlen(room) + 1;
        memcpy(p, room, n);
        p += n;
    }
    return v;
}

/* Before the socket leaves its rooms; nobody comes back to a server that stops. */
static void save(sio_keeper *k, sio_socket *s, const char *reason)
{
    recovery *r = (recovery *)k;
    if (s->more == NULL || s->more->pid[0] == '\0' || !is_recoverable(reason) ||
        r->io->net.stopping)
        return;
    saved *v = new_saved(r, s);
    if (v == NULL)
        return;
    v->ns = s->ns->serial, v->since = s->more->since;
    v->socket = s;
    v->got_offset = s->got_offset, v->left_own_room = s->left_own_room;
    memcpy(v->pid, s->more->pid, sizeof v->pid);
    memcpy(v->id, s->id, sizeof v->id);
    v->node.key = v->pid, v->node.n = PID_CHARS;
    if (!sio_table_add(&r->saved, &v->node)) {
        sio_free_mem(r->memory, v);
        return;
    }
    r->bytes += v->size;
    sio_deadline_set(&r->io->net.clock, &r->saved_fifo, &v->expiry);
}

static void save_data(sio_keeper *k, sio_socket *s)
{
    recovery *r = (recovery *)k;
    saved *v = (saved *)sio_table_find(&r->saved, s->more->pid, PID_CHARS);
    if (v == NULL || v->socket != s)
        return;
    v->data = s->data, v->release = s->release;
    v->socket = NULL;
    s->release = NULL;
}

/* R01. False: no memory, or no random bytes. */
static bool set_pid(recovery *r, sio_socket *s)
{
    unsigned char bytes[PID_BYTES];
    if (sio_client_is_v3(s->client))
        return true;  // it has no way to say it
    if (!need_history(r, s->ns) || sio_more(s) == NULL ||
        sio_loop_random(r->io->net.loop, bytes, sizeof bytes) < 0)
        return false;
    sio_base64url_encode(bytes, sizeof bytes, s->more->pid);
    return true;
}

/* The number that an offset is; 0: it is none. */
static uint64_t parse_offset(const char *text)
{
    uint64_t v = 0;
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 18 || text[n] != '\0' || text[0] == '0')
        return 0;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (uint64_t)(text[i] - '0');
    return v;
}

/* Whether nothing has left the log that is behind the offset. */
static bool is_complete_since(const history *h, uint64_t serial)
{
    return h->dropped <= serial;
}

/* What auth names, if all is still there that it missed; NULL: nothing. A pid alone will do where no
 * event was sent to it (R06). */
static saved *find_saved(const recovery *r, const sio_namespace *ns, sio_value auth,
                         uint64_t *offset)
{
    char pid[PID_CHARS + 1], text[32];
    if (sio_scan_value(auth, "{'pid': %20s}", pid) != 1)
        return NULL;
    saved *v = (saved *)sio_table_find(&r->saved, pid, strlen(pid));
    if (v == NULL || v->ns != ns->serial)
        return NULL;
    if (sio_scan_value(auth, "{'offset': %31s}", text) == 1) {
        *offset = parse_offset(text);
        const entry *e = (entry *)sio_table_find(&r->log, (char *)offset, sizeof *offset);
        return e != NULL && e->of == ns->history ? v : NULL;
    }
    *offset = v->since;
    bool none = !v->got_offset && sio_member(auth, "offset") == NULL;
    return none && is_complete_since(ns->history, v->since) ? v : NULL;
}

/* What it can't give back whole it leaves there: the client may try again (R06: otherwise it is a new
 * one, without an error). */
static int welcome(sio_keeper *k, sio_socket *s)
{
    recovery *r = (recovery *)k;
    uint64_t offset;
    saved *v = find_saved(r, s->ns, sio_auth(s), &offset);
    if (v == NULL)
        return set_pid(r, s) ? 0 : -1;
    if (sio_more(s) == NULL)
        return -1;
    const char *room = v->rooms;
    for (size_t i = 0; i < v->n_rooms; i++, room += strlen(room) + 1)
        if (sio_join(s, room) < 0)
            return -1;
    memcpy(s->more->pid, v->pid, sizeof v->pid);
    memcpy(s->id, v->id, sizeof v->id);
    s->got_offset = v->got_offset;
    if (v->socket != NULL)
        save_data(k, v->socket);
    s->data = v->data, s->release = v->release;
    s->left_own_room = v->left_own_room;  // until the replay
    s->more->since = offset;
    s->recovered = true;
    forget_saved(v);
    sio_free_mem(r->memory, v);
    return !r->run_middlewares;
}

/* ---- Replay --------------------------------------------------------------------------------------- */

/* Events that a socket may have missed. */
typedef struct missed {
    const entry **at;
    size_t n, cap;
    uint64_t offset;
    bool failed;
} missed;

/* Adds those behind the offset that mention a room, the newest first. */
static void gather(const history *h, missed *f, const char *key, size_t n)
{
    const mention *m = (mention *)sio_table_find(&h->mentions, key, n);
    for (; m != NULL && m->entry->serial > f->offset && !f->failed; m = m->older) {
        if (f->n > 0 && f->at[f->n - 1] == m->entry)
            continue;  // it was sent to the room twice
        if (sio_reserve(h->owner->memory, &f->at, f->n, &f->cap, sizeof *f->at))
            f->at[f->n++] = m->entry;
        else
            f->failed = true;
    }
}

static int by_offset(const void *a, const void *b)
{
    const entry *const *x = a, *const *y = b;
    return (*x)->serial < (*y)->serial ? -1 : (*x)->serial > (*y)->serial;
}

/* R05: whether it was sent to others only, who are not in a room of the socket. */
static bool is_excepted(const sio_socket *s, const entry *e)
{
    const char *name = e->except;
    for (size_t i = 0; i < e->n_except; i++, name += strlen(name) + 1)
        if (strcmp(name, s->id) == 0 ? !s->left_own_room : sio_in_room(s, name))
            return true;
    return false;
}

static bool send_again(sio_socket *s, const entry *e)
{
    sio_out *out = &s->ns->io->net.out;
    sio_ref ref;
    sio_out_begin(out);
    sio_put(&out->sink, e->frames, e->n);
    if (!sio_out_end(out, &ref))
        return false;
    sio_session_frames(s->client->session, ref);
    sio_ref_release(ref);
    s->got_offset = true;
    return true;
}

/* R04: what was sent to everybody or to a room of the socket, behind its offset, in the order of the
 * offsets. O(rooms of the socket + events there behind the offset, times their logarithm): those that excepted
 * it are looked at, and not sent. */
static bool send_missed(sio_socket *s)
{
    const history *h = s->ns->history;
    missed f = { .offset = s->more->since };
    gather(h, &f, "", 0);
    if (!s->left_own_room)
        gather(h, &f, s->id, strlen(s->id) + 1);
    for (size_t i = 0; sio_room(s, i) != NULL; i++)
        gather(h, &f, sio_room(s, i), strlen(sio_room(s, i)) + 1);
    if (f.n > 0)
        qsort(f.at, f.n, sizeof *f.at, by_offset);
    bool sent = is_complete_since(h, f.offset) && !f.failed;
    for (size_t i = 0; i < f.n && sent; i++)
        if ((i == 0 || f.at[i] != f.at[i - 1]) && !is_excepted(s, f.at[i]))
            sent = send_again(s, f.at[i]);
    sio_free_mem(h->owner->memory, f.at);
    s->left_own_room = false;
    s->ns->io->net.stats.recovered += sent;
    return sent;
}

static bool replay(sio_keeper *k, sio_socket *s)
{
    bool good = !s->recovered || send_missed(s);
    if (s->more != NULL)
        s->more->since = k->number;
    return good;
}

/* ---- The part of the turn ------------------------------------------------------------------------- */

static recovery *recovery_of(const sio_part *p)
{
    return (recovery *)(void *)((char *)(uintptr_t)p - offsetof(recovery, part));
}

static bool is_dirty(const sio_part *p)
{
    return recovery_of(p)->released != NULL;
}

/* Releases the data of those who can't come back any more: nobody up the stack looks at it now. */
static void flush(sio_part *p)
{
    recovery *r = recovery_of(p);
    while (r->released != NULL) {
        saved *v = r->released;
        r->released = v->next;
        sio_scope_enter(&r->io->net);
        v->release(v->data);
        sio_scope_leave(&r->io->net);
        sio_free_mem(r->memory, v);
    }
}

/* The server ends: nobody comes back, and nobody else is saved. */
static void close_part(sio_part *p, const char *reason)
{
    recovery *r = recovery_of(p);
    sio_node *node;
    size_t from = 0;
    (void)reason;
    while ((node = sio_table_any(&r->saved, &from)) != NULL)
        drop_saved((saved *)node);
}

static void free_part(sio_part *p)
{
    recovery *r = recovery_of(p);
    for (sio_node *node = NULL; (node = sio_table_next(&r->io->namespaces, node)) != NULL;)
        forget(&r->keeper, (sio_namespace *)node);
    sio_fifo_remove(&r->io->net.clock, &r->log_fifo);
    sio_fifo_remove(&r->io->net.clock, &r->saved_fifo);
    sio_table_free(&r->log);
    sio_table_free(&r->saved);
    r->io->keeper = NULL;
    sio_free_mem(r->memory, r);
}

int sio_recover(sio_server *io, const sio_recovery *options)
{
    sio_recovery o = options == NULL ? (sio_recovery){ .ms = 0 } : *options;
    if (io->keeper != NULL || io->net.stats.sockets > 0 || io->freeing)
        return sio_fail(EBUSY);
    recovery *r = sio_alloc(&io->net.memory, sizeof *r);
    if (r == NULL)
        return sio_fail(ENOMEM);
    r->keeper = (sio_keeper){ .log = log_event,
                              .save = save,
                              .save_data = save_data,
                              .welcome = welcome,
                              .replay = replay,
                              .forget = forget };
    /* No offset of a run before; and until the year 2255 all have 16 digits. */
    r->keeper.number = (uint64_t)sio_loop_wall(io->net.loop) * 1000 + 1000000000000000;
    r->part =
        (sio_part){ .flush = flush, .dirty = is_dirty, .close = close_part, .free = free_part };
    r->io = io, r->memory = r->log.memory = r->saved.memory = &io->net.memory;
    r->run_middlewares = o.run_middlewares;
    r->most = o.bytes > 0 ? o.bytes : 16u << 20;
    int ms = o.ms > 0 ? o.ms : 120000;
    sio_fifo_init(&io->net.clock, &r->saved_fifo, ms, on_saved_expired, r);
    sio_fifo_init(&io->net.clock, &r->log_fifo, ms, on_entry_expired, r);
    io->keeper = &r->keeper;
    sio_part_add(io, &r->part);
    return 0;
}
