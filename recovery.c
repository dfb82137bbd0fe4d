/* recovery.c - connection state recovery: what a client missed while it was away
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
 * What holds here:
 *  - Log and saved sockets together take at most recovery_bytes, and nothing is kept for longer than
 *    recovery_ms; what fell out of it makes recovery fail, silently, as the protocol has it.
 *  - A saved session is used once. */
#include "layers.h"

#include <string.h>

enum { PID_BYTES = 15, PID_CHARS = 20 };

/* One event that was sent. Its names end with NUL and stand behind its frames. */
typedef struct sio_log_entry {
    struct sio_log_entry *next;
    sio_namespace *ns;
    uint64_t serial;
    sio_deadline expiry;
    size_t size;  // in all
    size_t n, n_to, n_except;
    char bytes[];
} entry;

/* A socket that may come back. */
typedef struct saved {
    sio_node node;  // first; in io->saved, by pid
    sio_server *io;
    uint64_t ns;  // its serial: a namespace may be gone, and another in its place
    size_t size;  // in all
    sio_deadline expiry;
    uint64_t since;
    bool got_offset, left_own_room;
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

static void drop_first(sio_namespace *ns)
{
    entry *e = ns->log_first;
    ns->log_first = e->next;
    if (ns->log_first == NULL)
        ns->log_end = &ns->log_first;
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

static size_t names_size(const char *const *names, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += strlen(names[i]) + 1;
    return size;
}

static char *put_names(char *p, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(names[i]) + 1;
        memcpy(p, names[i], size);
        p += size;
    }
    return p;
}

/* The oldest entry of all namespaces is the first of the expiry list. */
static entry *oldest(const sio_server *io)
{
    sio_deadline *d = io->log_fifo.head.next;
    return d == &io->log_fifo.head ? NULL : (entry *)(void *)((char *)d - offsetof(entry, expiry));
}

static void free_saved(saved *v, bool release)
{
    sio_server *io = v->io;
    sio_table_remove(&io->saved, &v->node);
    io->log_bytes -= v->size;
    sio_deadline_clear(&v->expiry);
    if (release && v->release != NULL)
        v->release(v->data);
    sio_free_mem(&io->net.memory, v);
}

/* Makes room for size bytes: the oldest events go first, then the sockets that left first. */
static bool make_room(sio_server *io, size_t size)
{
    const sio_deadline *end = &io->recovery_fifo.head;
    while (io->log_bytes + size > io->options.recovery_bytes) {
        if (oldest(io) != NULL)
            drop_first(oldest(io)->ns);
        else if (end->next != end)
            free_saved((saved *)(void *)((char *)end->next - offsetof(saved, expiry)), true);
        else
            return false;
    }
    return true;
}

void sio_log_packet(sio_namespace *ns, const sio_target *t, sio_ref frames, uint64_t serial)
{
    sio_server *io = ns->io;
    const char *self = t->self == NULL ? NULL : sio_id(t->self);
    const char *const *only = t->only_self ? &self : NULL;
    const char *const *but = t->only_self || self == NULL ? NULL : &self;
    const char *const *except = t->name + SIO_TARGET_NAMES - t->n_except;
    size_t size = sizeof(entry) + frames.n + names_size(t->name, t->n_to) +
                  names_size(t->to_list, t->n_to_list) + names_size(except, t->n_except) +
                  names_size(t->except_list, t->n_except_list) + (self ? strlen(self) + 1 : 0);
    entry *e = make_room(io, size) ? sio_alloc(&io->net.memory, size) : NULL;
    if (e == NULL) {
        sio_recovery_forget(ns);  // a log with a hole would lose this event without a word
        ns->log_dropped = serial;
        return;
    }
    e->ns = ns, e->serial = serial, e->size = size, e->n = frames.n;
    e->n_to = t->only_self ? 1 : t->n_to + t->n_to_list;
    e->n_except = t->n_except + t->n_except_list + (but != NULL);
    memcpy(e->bytes, frames.buf->p + frames.at, frames.n);
    char *p = e->bytes + frames.n;
    p = put_names(p, only, only != NULL);
    if (only == NULL) {
        p = put_names(p, t->name, t->n_to);
        p = put_names(p, t->to_list, t->n_to_list);
    }
    p = put_names(p, except, t->n_except);
    p = put_names(p, t->except_list, t->n_except_list);
    put_names(p, but, but != NULL);
    *ns->log_end = e;
    ns->log_end = &e->next;
    io->log_bytes += size;
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
    free_saved((saved *)(void *)((char *)d - offsetof(saved, expiry)), true);
}

static bool is_recoverable(const char *reason)
{
    return strcmp(reason, "client namespace disconnect") != 0 &&
           strcmp(reason, "server namespace disconnect") != 0 && strcmp(reason, "parse error") != 0;
}

bool sio_recovery_save(sio_socket *s, const char *reason)
{
    sio_server *io = s->ns->io;
    if (io->options.recovery_ms <= 0 || s->more == NULL || s->more->pid[0] == '\0' ||
        !is_recoverable(reason) || io->stop_by != 0)
        return false;
    size_t size = 0;
    for (size_t i = 0; sio_room(s, i) != NULL; i++)
        size += strlen(sio_room(s, i)) + 1;
    size += sizeof(saved);
    saved *v = make_room(io, size) ? sio_alloc(&io->net.memory, size) : NULL;
    if (v == NULL)
        return false;
    v->size = size;
    v->io = io, v->ns = s->ns->serial, v->since = s->more->since;
    v->got_offset = s->got_offset, v->left_own_room = s->left_own_room;
    v->data = s->data, v->release = s->release;
    memcpy(v->pid, s->more->pid, sizeof v->pid);
    memcpy(v->id, s->id, sizeof v->id);
    char *p = v->rooms;
    for (; sio_room(s, v->n_rooms) != NULL; v->n_rooms++) {
        const char *room = sio_room(s, v->n_rooms);
        p = put_names(p, &room, 1);
    }
    v->node.key = v->pid, v->node.n = PID_CHARS;
    if (!sio_table_add(&io->saved, &v->node)) {
        sio_free_mem(&io->net.memory, v);
        return false;
    }
    io->log_bytes += size;
    sio_deadline_set(&io->net.clock, &io->recovery_fifo, &v->expiry);
    return true;
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
    if (serial <= ns->log_dropped || serial > ns->io->log_serial)
        return false;
    const entry *e = ns->log_first;
    while (e != NULL && e->serial < serial)
        e = e->next;
    return e != NULL && e->serial == serial;
}

/* Without an offset: nothing may have left the log since the socket connected. */
static bool is_complete_since(const sio_namespace *ns, uint64_t serial)
{
    return ns->log_dropped <= serial;
}

bool sio_recovery_restore(sio_socket *s, sio_value auth, uint64_t *offset)
{
    sio_server *io = s->ns->io;
    char pid[PID_CHARS + 1], text[32];
    if (sio_scan_value(auth, "{'pid': %20s}", pid) != 1)
        return false;
    saved *v = (saved *)sio_table_find(&io->saved, pid, strlen(pid));
    if (v == NULL || v->ns != s->ns->serial)
        return false;
    if (sio_scan_value(auth, "{'offset': %31s}", text) == 1) {
        *offset = parse_offset(text);
        if (*offset == 0 || !is_logged(s->ns, *offset))
            return false;
    } else {
        *offset = v->since;
        if (v->got_offset || sio_member(auth, "offset") != NULL ||
            !is_complete_since(s->ns, v->since))
            return false;
    }
    if (sio_more(s) == NULL)
        return false;
    memcpy(s->more->pid, v->pid, sizeof v->pid);
    memcpy(s->id, v->id, sizeof v->id);
    s->got_offset = v->got_offset;
    s->data = v->data, s->release = v->release;
    const char *room = v->rooms;
    for (size_t i = 0; i < v->n_rooms; i++, room += strlen(room) + 1)
        sio_join(s, room);
    s->left_own_room = v->left_own_room;  // until the replay
    free_saved(v, false);
    return true;
}

/* Whether one of n names is a room of the socket; *p moves behind them. */
static bool names_room(const sio_socket *s, const char **p, size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n; i++, *p += strlen(*p) + 1)
        found |= sio_in_room(s, *p);
    return found;
}

void sio_recovery_replay(sio_socket *s, uint64_t offset)
{
    sio_out *out = &s->ns->io->net.out;
    for (const entry *e = s->ns->log_first; e != NULL; e = e->next) {
        const char *names = e->bytes + e->n;
        sio_ref ref;
        if (e->serial <= offset)
            continue;
        bool wanted = names_room(s, &names, e->n_to) || e->n_to == 0;
        if (names_room(s, &names, e->n_except) || !wanted)
            continue;
        sio_out_begin(out);
        sio_put(&out->sink, e->bytes, e->n);
        if (!sio_out_end(out, &ref))
            return;
        sio_socket_send(s, ref);
        sio_ref_release(ref);
        s->got_offset = true;
    }
    s->left_own_room = false;
    s->ns->io->net.stats.recovered++;
}

void sio_recovery_init(sio_server *io)
{
    sio_clock *clock = &io->net.clock;
    io->log_serial = (uint64_t)sio_loop_wall(io->net.loop) * 1000;  // no offset of a run before
    sio_fifo_init(clock, &io->recovery_fifo, io->options.recovery_ms, on_saved_expired, io);
    sio_fifo_init(clock, &io->log_fifo, io->options.recovery_ms, on_entry_expired, io);
}

void sio_recovery_free(sio_server *io)
{
    sio_node *node;
    size_t from = 0;
    while ((node = sio_table_any(&io->saved, &from)) != NULL)
        free_saved((saved *)node, true);
    sio_table_free(&io->saved);
}
