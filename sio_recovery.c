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
 * A client that saw no event has no offset to send: it gets what came since it connected.
 *
 * An event in the log mentions the rooms that it was sent to, or everybody. The mentions of one room
 * form a chain, whose newest is in a table: so a replay looks at the rooms of the socket, and at what
 * was sent there since, whatever else the log holds.
 *
 *     ns->mentions:  "a"       -> event 9 -> event 4
 *                    everybody -> event 8 -> event 7 -> event 5
 *
 * What holds here:
 *  - Log and saved sockets together take at most recovery_bytes, and nothing is kept for longer than
 *    recovery_ms; what fell out of it makes recovery fail, silently, as the protocol has it.
 *  - The log is in the order of the offsets, which is that in which clients get the events.
 *  - A saved session is used once. The application's code runs at one place only: when the turn
 *    ends, to release the data of those that did not come back. */
#include "sio_core.h"

#include <stdlib.h>
#include <string.h>

enum { PID_BYTES = 15, PID_CHARS = 20 };

/* A room that an event was sent to. Its key is the room's name with its NUL, or without any byte for
 * everybody. */
typedef struct mention {
    sio_node node;                  // first; in ns->mentions: the newest of its room
    struct mention *older, *newer;  // of the same room
    struct sio_log_entry *entry;
} mention;

/* One event that was sent. Behind the mentions stand its frames, then the names of the rooms that it
 * was sent to, then those of the rooms that were left out, each with its NUL. */
typedef struct sio_log_entry {
    sio_node node;  // first; in io->log
    struct sio_log_entry *next;
    sio_namespace *ns;
    uint64_t serial;
    sio_deadline expiry;
    size_t size;  // in all
    size_t n, n_except, n_mentions;
    const char *frames, *to, *except;
    mention mentions[];
} entry;

/* A socket that may come back. */
typedef struct saved {
    sio_node node;  // first; in io->saved, by pid
    sio_server *io;
    struct saved *next;  // in io->released
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

/* ---- The log ------------------------------------------------------------------------------------- */

uint64_t sio_log_next(sio_namespace *ns)
{
    return ++ns->io->log_serial;
}

/* Takes away a mention, the oldest of its room. */
static void drop_mention(sio_namespace *ns, mention *m)
{
    if (m->newer != NULL)
        m->newer->older = NULL;
    else
        sio_table_remove(&ns->mentions, &m->node);
}

static void drop_first(sio_namespace *ns)
{
    entry *e = ns->log_first;
    ns->log_first = e->next;
    if (ns->log_first == NULL)
        ns->log_end = &ns->log_first;
    for (size_t i = 0; i < e->n_mentions; i++)
        drop_mention(ns, &e->mentions[i]);
    sio_table_remove(&ns->io->log, &e->node);
    sio_deadline_clear(&e->expiry);
    ns->io->log_bytes -= e->size;
    ns->log_dropped = e->serial;
    sio_free_mem(&ns->io->net.memory, e);
}

void sio_recovery_forget(sio_namespace *ns)
{
    while (ns->log_first != NULL)
        drop_first(ns);
}

/* The oldest entry of all namespaces is the first of the expiry list. */
static entry *oldest(const sio_server *io)
{
    sio_deadline *d = io->log_fifo.head.next;
    return d == &io->log_fifo.head ? NULL : (entry *)(void *)((char *)d - offsetof(entry, expiry));
}

/* Nobody can come back as this any more. */
static void forget_saved(saved *v)
{
    sio_server *io = v->io;
    sio_table_remove(&io->saved, &v->node);
    io->log_bytes -= v->size;
    sio_deadline_clear(&v->expiry);
}

/* The same; its data is released when the turn ends: this happens in the middle of everything. Until
 * then its memory is beyond recovery_bytes. */
static void drop_saved(saved *v)
{
    sio_server *io = v->io;
    forget_saved(v);
    if (v->release == NULL) {
        sio_free_mem(&io->net.memory, v);
        return;
    }
    v->next = io->released;
    io->released = v;
}

void sio_recovery_release(sio_server *io)
{
    while (io->released != NULL) {
        saved *v = io->released;
        io->released = v->next;
        sio_scope_enter(&io->net);
        v->release(v->data);
        sio_scope_leave(&io->net);
        sio_free_mem(&io->net.memory, v);
    }
}

/* Makes room for size bytes: the oldest events go first, then the sockets that left first. */
static bool make_room(sio_server *io, size_t size)
{
    const sio_deadline *end = &io->recovery_fifo.head;
    while (io->log_bytes + size > io->options.recovery_bytes) {
        if (oldest(io) != NULL)
            drop_first(oldest(io)->ns);
        else if (end->next != end)
            drop_saved((saved *)(void *)((char *)end->next - offsetof(saved, expiry)));
        else
            return false;
    }
    return true;
}

/* The names of an event's target, as it is logged. */
typedef struct names {
    const char *const *at;
    size_t n;
} names;

static size_t names_size(const names list[3])
{
    size_t size = 0;
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < list[k].n; i++)
            size += strlen(list[k].at[i]) + 1;
    return size;
}

static size_t count_names(const names list[3])
{
    return list[0].n + list[1].n + list[2].n;
}

static char *put_names(char *p, const names list[3])
{
    for (int k = 0; k < 3; k++) {
        for (size_t i = 0; i < list[k].n; i++) {
            size_t size = strlen(list[k].at[i]) + 1;
            memcpy(p, list[k].at[i], size);
            p += size;
        }
    }
    return p;
}

/* Adds a mention as the newest of its room. False: no memory; where the namespace's table has slots
 * it does not fail. */
static bool add_mention(entry *e, mention *m, const char *key, size_t n)
{
    sio_table *t = &e->ns->mentions;
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
static entry *new_entry(sio_namespace *ns, sio_ref frames, const names to[3], const names except[3])
{
    sio_server *io = ns->io;
    size_t n = count_names(to) > 0 ? count_names(to) : 1;
    size_t size =
        sizeof(entry) + n * sizeof(mention) + frames.n + names_size(to) + names_size(except);
    entry *e = make_room(io, size) ? sio_alloc(&io->net.memory, size) : NULL;
    if (e == NULL)
        return NULL;
    e->ns = ns, e->size = size, e->n = frames.n;
    e->n_mentions = n, e->n_except = count_names(except);
    e->frames = (char *)(e->mentions + n);
    char *p = (char *)(e->mentions + n) + frames.n;
    memcpy(p - frames.n, frames.buf->p + frames.at, frames.n);
    e->to = p;
    e->except = p = put_names(p, to);
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
    if (!sio_table_add(&e->ns->io->log, &e->node))
        return false;
    for (size_t i = 0; added && i < e->n_mentions; i++) {
        size_t n = everybody ? 0 : strlen(name) + 1;
        added = add_mention(e, &e->mentions[i], name, n);
        name += n;
    }
    if (!added)
        sio_table_remove(&e->ns->io->log, &e->node);
    return added;
}

void sio_log_packet(sio_namespace *ns, const sio_target *t, sio_ref frames, uint64_t serial)
{
    sio_server *io = ns->io;
    const char *self = t->self == NULL ? NULL : sio_id(t->self);
    names only[3] = { { &self, 1 } };
    names to[3] = { { t->name, t->n_to }, { t->to_list, t->n_to_list } };
    names except[3] = { { t->name + SIO_TARGET_NAMES - t->n_except, t->n_except },
                        { t->except_list, t->n_except_list },
                        { &self, self != NULL && !t->only_self } };
    entry *e = new_entry(ns, frames, t->only_self ? only : to, except);
    if (e != NULL)
        e->serial = serial;
    if (e == NULL || !index_entry(e, !t->only_self && count_names(to) == 0)) {
        sio_free_mem(&io->net.memory, e);
        sio_recovery_forget(ns);  // a log with a hole would lose this event without a word
        ns->log_dropped = serial;
        return;
    }
    *ns->log_end = e;
    ns->log_end = &e->next;
    io->log_bytes += e->size;
    sio_deadline_set(&io->net.clock, &io->log_fifo, &e->expiry);
}

static void on_entry_expired(void *owner, sio_deadline *d)
{
    entry *e = (entry *)(void *)((char *)d - offsetof(entry, expiry));
    (void)owner;
    drop_first(e->ns);  // it is the oldest of its namespace too
}

/* ---- Saved sockets -------------------------------------------------------------------------------- */

static void on_saved_expired(void *owner, sio_deadline *d)
{
    (void)owner;
    drop_saved((saved *)(void *)((char *)d - offsetof(saved, expiry)));
}

static bool is_recoverable(const char *reason)
{
    return strcmp(reason, "client namespace disconnect") != 0 &&
           strcmp(reason, "server namespace disconnect") != 0 && strcmp(reason, "parse error") != 0;
}

/* The socket's rooms. NULL: no memory. */
static saved *new_saved(const sio_socket *s)
{
    sio_server *io = s->ns->io;
    size_t size = sizeof(saved);
    for (size_t i = 0; sio_room(s, i) != NULL; i++)
        size += strlen(sio_room(s, i)) + 1;
    saved *v = make_room(io, size) ? sio_alloc(&io->net.memory, size) : NULL;
    if (v == NULL)
        return NULL;
    v->size = size;
    char *p = v->rooms;
    for (; sio_room(s, v->n_rooms) != NULL; v->n_rooms++) {
        const char *room = sio_room(s, v->n_rooms);
        size_t n = strlen(room) + 1;
        memcpy(p, room, n);
        p += n;
    }
    return v;
}

void sio_recovery_save(sio_socket *s, const char *reason)
{
    sio_server *io = s->ns->io;
    if (io->options.recovery_ms <= 0 || s->more == NULL || s->more->pid[0] == '\0' ||
        !is_recoverable(reason) || io->stop_by != 0)
        return;
    saved *v = new_saved(s);
    if (v == NULL)
        return;
    v->io = io, v->ns = s->ns->serial, v->since = s->more->since;
    v->socket = s;
    v->got_offset = s->got_offset, v->left_own_room = s->left_own_room;
    memcpy(v->pid, s->more->pid, sizeof v->pid);
    memcpy(v->id, s->id, sizeof v->id);
    v->node.key = v->pid, v->node.n = PID_CHARS;
    if (!sio_table_add(&io->saved, &v->node)) {
        sio_free_mem(&io->net.memory, v);
        return;
    }
    io->log_bytes += v->size;
    sio_deadline_set(&io->net.clock, &io->recovery_fifo, &v->expiry);
}

void sio_recovery_save_data(sio_socket *s)
{
    const sio_table *t = &s->ns->io->saved;
    saved *v = s->more == NULL ? NULL : (saved *)sio_table_find(t, s->more->pid, PID_CHARS);
    if (v == NULL || v->socket != s)
        return;
    v->data = s->data, v->release = s->release;
    v->socket = NULL;
    s->release = NULL;
}

int sio_recovery_new_pid(sio_socket *s)
{
    sio_server *io = s->ns->io;
    unsigned char bytes[PID_BYTES];
    if (s->client->session->protocol == 3)
        return 0;  // it has no way to say it
    if (sio_more(s) == NULL || sio_loop_random(io->net.loop, bytes, sizeof bytes) < 0)
        return -1;
    sio_base64url_encode(bytes, sizeof bytes, s->more->pid);
    return 0;
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

static bool is_logged(const sio_namespace *ns, uint64_t serial)
{
    const entry *e = (entry *)sio_table_find(&ns->io->log, (const char *)&serial, sizeof serial);
    return e != NULL && e->ns == ns;
}

/* Whether nothing has left the log that is behind the offset. */
static bool is_complete_since(const sio_namespace *ns, uint64_t serial)
{
    return ns->log_dropped <= serial;
}

/* What auth names, if all is still there that it missed; NULL: nothing. */
static saved *find_saved(const sio_namespace *ns, sio_value auth, uint64_t *offset)
{
    char pid[PID_CHARS + 1], text[32];
    if (sio_scan_value(auth, "{'pid': %20s}", pid) != 1)
        return NULL;
    saved *v = (saved *)sio_table_find(&ns->io->saved, pid, strlen(pid));
    if (v == NULL || v->ns != ns->serial)
        return NULL;
    if (sio_scan_value(auth, "{'offset': %31s}", text) == 1) {
        *offset = parse_offset(text);
        return is_logged(ns, *offset) ? v : NULL;
    }
    *offset = v->since;
    bool none = !v->got_offset && sio_member(auth, "offset") == NULL;
    return none && is_complete_since(ns, v->since) ? v : NULL;
}

int sio_recovery_restore(sio_socket *s, sio_value auth, uint64_t *offset)
{
    saved *v = find_saved(s->ns, auth, offset);
    if (v == NULL)
        return 0;
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
        sio_recovery_save_data(v->socket);
    s->data = v->data, s->release = v->release;
    s->left_own_room = v->left_own_room;  // until the replay
    forget_saved(v);
    sio_free_mem(&s->ns->io->net.memory, v);
    return 1;
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
static void gather(const sio_namespace *ns, missed *f, const char *key, size_t n)
{
    const mention *m = (mention *)sio_table_find(&ns->mentions, key, n);
    for (; m != NULL && m->entry->serial > f->offset && !f->failed; m = m->older) {
        if (f->n > 0 && f->at[f->n - 1] == m->entry)
            continue;  // it was sent to the room twice
        if (sio_reserve(&ns->io->net.memory, &f->at, f->n, &f->cap, sizeof *f->at))
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

/* Whether it was sent to others only, who are not in a room of the socket. */
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

/* O(rooms of the socket + events there behind the offset, times their logarithm): those that excepted
 * it are looked at, and not sent. */
bool sio_recovery_replay(sio_socket *s, uint64_t offset)
{
    const sio_namespace *ns = s->ns;
    missed f = { .offset = offset };
    gather(ns, &f, "", 0);
    if (!s->left_own_room)
        gather(ns, &f, s->id, strlen(s->id) + 1);
    for (size_t i = 0; sio_room(s, i) != NULL; i++)
        gather(ns, &f, sio_room(s, i), strlen(sio_room(s, i)) + 1);
    if (f.n > 0)
        qsort(f.at, f.n, sizeof *f.at, by_offset);
    bool sent = is_complete_since(ns, offset) && !f.failed;
    for (size_t i = 0; i < f.n && sent; i++)
        if ((i == 0 || f.at[i] != f.at[i - 1]) && !is_excepted(s, f.at[i]))
            sent = send_again(s, f.at[i]);
    sio_free_mem(&ns->io->net.memory, f.at);
    s->left_own_room = false;
    ns->io->net.stats.recovered += sent;
    return sent;
}

void sio_recovery_init(sio_server *io)
{
    sio_clock *clock = &io->net.clock;
    /* No offset of a run before; and until the year 2255 all have 16 digits. */
    io->log_serial = (uint64_t)sio_loop_wall(io->net.loop) * 1000 + 1000000000000000;
    sio_fifo_init(clock, &io->recovery_fifo, io->options.recovery_ms, on_saved_expired, io);
    sio_fifo_init(clock, &io->log_fifo, io->options.recovery_ms, on_entry_expired, io);
}

void sio_recovery_free(sio_server *io)
{
    sio_node *node;
    size_t from = 0;
    while ((node = sio_table_any(&io->saved, &from)) != NULL)
        drop_saved((saved *)node);
    sio_table_free(&io->saved);
    sio_recovery_release(io);
}
