/* room.c - rooms, and the targets that name them
 * SPDX-License-Identifier: MIT
 *
 * A room is an array of members, and a socket's rooms are an array of memberships; each entry knows
 * the place of its twin, so leaving is a swap with the last one on both sides. The room of a
 * socket's own id exists in no table: the socket is in it until it leaves it.
 *
 * What holds here:
 *  - A search marks the sockets that it found or excluded with its own number, so nobody is found
 *    twice and unions cost no memory.
 *  - Handlers run only when the search is over: they may change rooms and lists. */
#include "layers.h"

#include <errno.h>
#include <limits.h>

/* ---- Targets ------------------------------------------------------------------------------------- */

/* A target is copied all the time, so it stays below 96 bytes: larger ones are cleared by gcc with a
 * string instruction, which was 7 % of a small echo. */
sio_target sio_all(sio_namespace *ns)
{
    return (sio_target){ .ns = ns };
}

sio_target sio_self(sio_socket *s)
{
    return (sio_target){ .ns = s->ns, .self = s, .only_self = true };
}

sio_target sio_broadcast(sio_socket *s)
{
    return (sio_target){ .ns = s->ns, .self = s };
}

static bool is_full(const sio_target *t)
{
    return t->n_to + t->n_except >= SIO_TARGET_NAMES;
}

/* One too many; from here on nothing fits any more. */
static sio_target overfull(sio_target t)
{
    t.n_to = SIO_TARGET_NAMES + 1;
    return t;
}

bool sio_target_overfull(const sio_target *t)
{
    return t->n_to + t->n_except > SIO_TARGET_NAMES;
}

sio_target sio_to(sio_target t, const char *room)
{
    if (is_full(&t))
        return overfull(t);
    t.name[t.n_to++] = room;
    return t;
}

sio_target sio_except(sio_target t, const char *room)
{
    if (is_full(&t))
        return overfull(t);
    t.name[SIO_TARGET_NAMES - ++t.n_except] = room;
    return t;
}

sio_target sio_to_list(sio_target t, const char *const *rooms, size_t n)
{
    if ((t.n_to_list > 0 && n > 0) || n > UINT_MAX)
        return overfull(t);
    if (n > 0)
        t.to_list = rooms, t.n_to_list = (unsigned)n;
    return t;
}

sio_target sio_except_list(sio_target t, const char *const *rooms, size_t n)
{
    if ((t.n_except_list > 0 && n > 0) || n > UINT_MAX)
        return overfull(t);
    if (n > 0)
        t.except_list = rooms, t.n_except_list = (unsigned)n;
    return t;
}

sio_target sio_volatile(sio_target t)
{
    t.is_volatile = true;
    return t;
}

sio_target sio_timeout(sio_target t, int ms)
{
    t.timeout_ms = ms > 0 ? ms : -1;
    return t;
}

/* One process is all there is, so far. */
sio_target sio_local(sio_target t)
{
    return t;
}

sio_target sio_compress(sio_target t, bool on)
{
    (void)on;
    return t;
}

/* ---- Searching ----------------------------------------------------------------------------------- */

static void find(sio_socket *s, sio_visitor fn, void *data)
{
    uint32_t mark = s->ns->io->mark;
    if (s->mark == mark || s->state != SIO_SOCKET_CONNECTED)
        return;
    s->mark = mark;
    fn(s, data);
}

static void search_room(const sio_namespace *ns, const char *name, sio_visitor fn, void *data)
{
    size_t n = strlen(name);
    const sio_room_data *r = (sio_room_data *)sio_table_find(&ns->rooms, name, n);
    for (size_t i = 0; r != NULL && i < r->n; i++)
        find(r->members[i].socket, fn, data);
    sio_socket *own = (sio_socket *)sio_table_find(&ns->ids, name, n);
    if (own != NULL && !own->left_own_room)
        find(own, fn, data);
}

static void exclude(sio_socket *s, void *data)
{
    (void)s, (void)data;  // found is marked
}

/* Calls fn, which must not call back into the application, for each receiver. */
void sio_target_search(const sio_target *t, sio_visitor fn, void *data)
{
    sio_namespace *ns = t->ns;
    ns->io->mark++;
    if (t->only_self) {
        /* With recovery the reference sends to the room of the socket's id, and so do we: what is
         * replayed to a socket must be what it would have got. */
        if (ns->io->options.recovery_ms > 0)
            search_room(ns, t->self->node.key, fn, data);
        else
            find(t->self, fn, data);
        return;
    }
    if (t->self != NULL)  // by its room, as in the reference: others may have joined that
        search_room(ns, t->self->node.key, exclude, NULL);
    for (size_t i = 0; i < t->n_except; i++)
        search_room(ns, t->name[SIO_TARGET_NAMES - 1 - i], exclude, NULL);
    for (size_t i = 0; i < t->n_except_list; i++)
        search_room(ns, t->except_list[i], exclude, NULL);
    if (t->n_to == 0 && t->n_to_list == 0)
        for (size_t i = 0; i < ns->n_sockets; i++)
            find(ns->sockets[i], fn, data);
    for (size_t i = 0; i < t->n_to; i++)
        search_room(ns, t->name[i], fn, data);
    for (size_t i = 0; i < t->n_to_list; i++)
        search_room(ns, t->to_list[i], fn, data);
}

static void collect(sio_socket *s, void *data)
{
    sio_found *f = data;
    if (f->n == f->cap) {
        size_t cap = f->cap == 0 ? 16 : f->cap * 2;
        sio_socket **more = sio_arena_get(f->arena, cap * sizeof *more);
        f->failed |= more == NULL;
        if (more == NULL)
            return;
        if (f->n > 0)
            memcpy(more, f->sockets, f->n * sizeof *more);
        f->sockets = more, f->cap = cap;
    }
    f->sockets[f->n++] = s;
}

/* The receivers as a list in the arena. */
sio_found sio_target_receivers(const sio_target *t)
{
    sio_found f = { .arena = &t->ns->io->net.arena };
    sio_target_search(t, collect, &f);
    return f;
}

/* A family stands for the namespaces that it made. Returns the one behind ns, or the first. */
sio_namespace *sio_family_next(const sio_namespace *family, const sio_namespace *ns)
{
    const sio_table *t = &family->io->namespaces;
    const sio_node *node = ns == NULL ? NULL : &ns->node;
    while ((node = sio_table_next(t, node)) != NULL)
        if (((const sio_namespace *)node)->family == family)
            break;
    sio_namespace *child;
    memcpy(&child, &node, sizeof child);
    return child;
}

static int each_of_one(const sio_target *t, sio_visitor fn, void *data)
{
    sio_server *io = t->ns->io;
    sio_enter(io);
    sio_found f = sio_target_receivers(t);
    for (size_t i = 0; i < f.n; i++)
        fn(f.sockets[i], data);
    sio_leave_callback(io);
    return f.failed ? sio_fail(ENOMEM) : 0;
}

int sio_each(sio_target t, void (*fn)(sio_socket *socket, void *data), void *data)
{
    if (sio_target_overfull(&t))
        return sio_fail(E2BIG);
    if (t.ns->accept == NULL)
        return each_of_one(&t, fn, data);
    sio_namespace *family = t.ns;
    int result = 0;
    for (t.ns = sio_family_next(family, NULL); t.ns != NULL; t.ns = sio_family_next(family, t.ns))
        result |= each_of_one(&t, fn, data);
    return result;
}

static void join_visitor(sio_socket *s, void *data)
{
    sio_join(s, data);
}

static void leave_visitor(sio_socket *s, void *data)
{
    sio_leave(s, data);
}

static void disconnect_visitor(sio_socket *s, void *data)
{
    sio_disconnect(s, *(bool *)data);
}

static void *without_const(const char *p)
{
    void *q;
    memcpy(&q, &p, sizeof q);  // the visitors only read it
    return q;
}

int sio_sockets_join(sio_target t, const char *room)
{
    return sio_each(t, join_visitor, without_const(room));
}

int sio_sockets_leave(sio_target t, const char *room)
{
    return sio_each(t, leave_visitor, without_const(room));
}

int sio_disconnect_sockets(sio_target t, bool close)
{
    return sio_each(t, disconnect_visitor, &close);
}

/* ---- Rooms --------------------------------------------------------------------------------------- */

static bool is_own(const sio_socket *s, const char *room)
{
    return strcmp(room, s->node.key) == 0;
}

static sio_room_data *make_room(sio_namespace *ns, const char *name)
{
    const sio_memory *m = &ns->io->net.memory;
    size_t n = strlen(name);
    sio_room_data *r = (sio_room_data *)sio_table_find(&ns->rooms, name, n);
    if (r != NULL || (r = sio_alloc(m, sizeof *r + n + 1)) == NULL)
        return r;
    memcpy(r->name, name, n);
    r->node.key = r->name, r->node.n = (uint32_t)n;
    if (!sio_table_add(&ns->rooms, &r->node)) {
        sio_free_mem(m, r);
        return NULL;
    }
    ns->io->net.stats.rooms++;
    return r;
}

static void free_if_empty(sio_namespace *ns, sio_room_data *r)
{
    if (r->n > 0)
        return;
    sio_table_remove(&ns->rooms, &r->node);
    sio_free_mem(&ns->io->net.memory, r->members);
    sio_free_mem(&ns->io->net.memory, r);
    ns->io->net.stats.rooms--;
}

static uint32_t count_rooms(const sio_socket *s)
{
    return s->rooms == NULL ? 0 : s->rooms->n;
}

/* Room in the list for one more. */
static bool reserve_rooms(sio_socket *s)
{
    uint32_t n = count_rooms(s), cap = s->rooms == NULL ? 0 : s->rooms->cap;
    if (n < cap)
        return true;
    cap = cap == 0 ? 4 : cap * 2;
    size_t size = sizeof(sio_rooms) + cap * sizeof(sio_membership);
    sio_rooms *rooms = sio_resize(&s->ns->io->net.memory, s->rooms, size);
    if (rooms == NULL)
        return false;
    rooms->n = n, rooms->cap = cap;
    s->rooms = rooms;
    return true;
}

/* Where the room is in the socket's list; their number: it is not. */
static uint32_t membership_of(const sio_socket *s, const char *room)
{
    uint32_t i = 0;
    while (i < count_rooms(s) && strcmp(s->rooms->at[i].room->name, room) != 0)
        i++;
    return i;
}

int sio_join(sio_socket *s, const char *room)
{
    sio_namespace *ns = s->ns;
    const sio_memory *m = &ns->io->net.memory;
    if (s->state == SIO_SOCKET_GONE)
        return 0;
    if (is_own(s, room)) {
        s->left_own_room = false;
        return 0;
    }
    if (membership_of(s, room) < count_rooms(s))
        return 0;
    if (count_rooms(s) >= ns->io->options.max_rooms)
        return sio_fail(E2BIG);
    sio_room_data *r = make_room(ns, room);
    if (r == NULL)
        return sio_fail(ENOMEM);
    if (!sio_reserve(m, &r->members, r->n, &r->cap, sizeof *r->members) || !reserve_rooms(s)) {
        free_if_empty(ns, r);
        return sio_fail(ENOMEM);
    }
    s->rooms->at[s->rooms->n] = (sio_membership){ r, (uint32_t)r->n };
    r->members[r->n++] = (struct sio_member){ s, s->rooms->n++ };
    return 0;
}

static void leave_at(sio_socket *s, uint32_t i)
{
    sio_rooms *rooms = s->rooms;
    sio_room_data *r = rooms->at[i].room;
    uint32_t place = rooms->at[i].place;
    struct sio_member last = r->members[--r->n];
    r->members[place] = last;
    last.socket->rooms->at[last.place].place = place;

    sio_membership moved = rooms->at[--rooms->n];
    if (i < rooms->n) {
        rooms->at[i] = moved;
        moved.room->members[moved.place].place = i;
    }
    free_if_empty(s->ns, r);
}

void sio_leave(sio_socket *s, const char *room)
{
    if (is_own(s, room))
        s->left_own_room = true;
    uint32_t i = membership_of(s, room);
    if (i < count_rooms(s))
        leave_at(s, i);
}

void sio_rooms_leave_all(sio_socket *s)
{
    while (count_rooms(s) > 0)
        leave_at(s, s->rooms->n - 1);
    s->left_own_room = true;
}

bool sio_in_room(const sio_socket *s, const char *room)
{
    if (is_own(s, room))
        return !s->left_own_room && s->state == SIO_SOCKET_CONNECTED;
    return membership_of(s, room) < count_rooms(s);
}

const char *sio_room(const sio_socket *s, size_t i)
{
    return i < count_rooms(s) ? s->rooms->at[i].room->name : NULL;
}

void sio_each_room(sio_namespace *ns, void (*fn)(const char *room, size_t members, void *data),
                   void *data)
{
    sio_server *io = ns->io;
    sio_enter(io);
    char **names = sio_arena_get(&io->net.arena, (ns->rooms.count + 1) * sizeof *names);
    size_t n = 0;  // fn may change the rooms, so their names are copied first
    for (sio_node *node = NULL; names != NULL;) {
        if ((node = sio_table_next(&ns->rooms, node)) == NULL)
            break;
        names[n] = sio_arena_get(&io->net.arena, node->n + 1);
        if (names[n] == NULL)
            break;
        memcpy(names[n++], node->key, node->n + 1);
    }
    for (size_t i = 0; i < n; i++) {
        const sio_room_data *r =
            (sio_room_data *)sio_table_find(&ns->rooms, names[i], strlen(names[i]));
        if (r != NULL && sio_table_find(&ns->ids, names[i], strlen(names[i])) == NULL)
            fn(names[i], r->n, data);
    }
    sio_leave_callback(io);
}

size_t sio_room_size(const sio_namespace *ns, const char *room)
{
    size_t n = strlen(room);
    const sio_room_data *r = (sio_room_data *)sio_table_find(&ns->rooms, room, n);
    const sio_socket *own = (sio_socket *)sio_table_find(&ns->ids, room, n);
    return (r == NULL ? 0 : r->n) + (own != NULL && !own->left_own_room);
}
