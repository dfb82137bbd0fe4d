/* sio_room.c - rooms, and the targets that name them
 * SPDX-License-Identifier: MIT
 *
 * A room is an array of members, and a socket's rooms are an array of memberships; each entry knows
 * the place of its twin, so leaving is a swap with the last one on both sides. The room of a
 * socket's own id exists in no table: the socket is in it until it leaves it (M02).
 *
 *     a->rooms:  { "x", 0 }  { "y", 1 }        "x"->members:  { a, 0 }
 *     b->rooms:  { "y", 0 }                    "y"->members:  { b, 0 }  { a, 1 }
 *
 * What holds here:
 *  - A search marks the sockets that it found or excluded with its own number, so nobody is found
 *    twice and unions cost no memory. No socket has a mark of 2^32 searches ago.
 *  - Handlers run only when the search is over: they may change rooms and lists. */
#include "sio_core.h"

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
    return (sio_target){ .ns = s == NULL ? NULL : s->ns, .self = s, .only_self = true };
}

sio_target sio_broadcast(sio_socket *s)
{
    return (sio_target){ .ns = s == NULL ? NULL : s->ns, .self = s };
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

/* A room without a name: it would be everybody, where somebody was meant. */
static sio_target nobodys(sio_target t)
{
    t.ns = NULL;
    return t;
}

int sio_target_check(const sio_target *t, const char *what, const char *name)
{
    if (t->ns == NULL)
        return sio_fail(EINVAL);
    if (t->only_self && t->n_to + t->n_except + t->n_to_list + t->n_except_list > 0) {
        sio_log(&t->ns->io->net,
                "%s %.60s: rooms of sio_self are nobody (for socket.to(room) write "
                "sio_to(sio_broadcast(socket), room))",
                what, name);
        return sio_fail(EINVAL);
    }
    if (t->n_to + t->n_except <= SIO_TARGET_NAMES)
        return 0;
    sio_log(&t->ns->io->net,
            "%s %.60s: more than %d rooms by name (use sio_to_list, which takes any number)", what,
            name, SIO_TARGET_NAMES);
    return sio_fail(E2BIG);
}

sio_target sio_to(sio_target t, const char *room)
{
    if (room == NULL)
        return nobodys(t);
    if (is_full(&t))
        return overfull(t);
    t.name[t.n_to++] = room;
    return t;
}

sio_target sio_except(sio_target t, const char *room)
{
    if (room == NULL)
        return nobodys(t);
    if (is_full(&t))
        return overfull(t);
    t.name[SIO_TARGET_NAMES - ++t.n_except] = room;
    return t;
}

sio_target sio_to_list(sio_target t, const char *const *rooms, size_t n)
{
    if (rooms == NULL && n > 0)
        return nobodys(t);
    if ((t.n_to_list > 0 && n > 0) || n > UINT_MAX)
        return overfull(t);
    if (n > 0)
        t.to_list = rooms, t.n_to_list = (unsigned)n;
    return t;
}

sio_target sio_except_list(sio_target t, const char *const *rooms, size_t n)
{
    if (rooms == NULL && n > 0)
        return nobodys(t);
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

sio_target sio_local(sio_target t)
{
    t.is_local = true;
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

const char *sio_target_room(const sio_target *t, size_t i)
{
    if (i < t->n_to)
        return t->name[i];
    i -= t->n_to;
    return i < t->n_to_list ? t->to_list[i] : NULL;
}

const char *sio_target_excepted(const sio_target *t, size_t i)
{
    if (t->self != NULL && i-- == 0)
        return t->self->node.key;
    if (i < t->n_except)
        return t->name[SIO_TARGET_NAMES - 1 - i];
    i -= t->n_except;
    return i < t->n_except_list ? t->except_list[i] : NULL;
}

static void exclude(sio_socket *s, void *data)
{
    (void)s, (void)data;  // found is marked
}

/* Begins a search with a mark that no socket has. */
static void begin_search(sio_server *io)
{
    if (++io->mark > 0)
        return;
    const sio_node *node = NULL;  // once in 2^32 searches all marks are taken away
    while ((node = sio_table_next(&io->namespaces, node)) != NULL) {
        const sio_namespace *ns = (const sio_namespace *)node;
        for (size_t i = 0; i < ns->n_sockets; i++)
            ns->sockets[i]->mark = 0;
    }
    io->mark = 1;
}

/* M03: the union of the rooms, each socket once, without those that are excepted. */
void sio_target_search(const sio_target *t, sio_visitor fn, void *data)
{
    sio_namespace *ns = t->ns;
    const char *name;
    begin_search(ns->io);
    if (t->only_self) {
        /* With recovery the reference sends to the room of the socket's id, and so do we: what is
         * replayed to a socket must be what it would have got. */
        if (ns->io->keeper != NULL)
            search_room(ns, t->self->node.key, fn, data);
        else
            find(t->self, fn, data);
        return;
    }
    for (size_t i = 0; (name = sio_target_excepted(t, i)) != NULL; i++)
        search_room(ns, name, exclude, NULL);
    if (t->n_to == 0 && t->n_to_list == 0)
        for (size_t i = 0; i < ns->n_sockets; i++)
            find(ns->sockets[i], fn, data);
    for (size_t i = 0; (name = sio_target_room(t, i)) != NULL; i++)
        search_room(ns, name, fn, data);
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

sio_found sio_target_receivers(const sio_target *t)
{
    sio_found f = { .arena = &t->ns->io->net.arena };
    sio_target_search(t, collect, &f);
    return f;
}

static char *keep_name(sio_arena *arena, const char *name)
{
    size_t n = strlen(name) + 1;
    char *copy = sio_arena_get(arena, n);
    return copy == NULL ? NULL : memcpy(copy, name, n);
}

/* A copy of the list and its names; *failed is set without memory. */
static const char *const *keep_list(sio_arena *arena, const char *const *names, size_t n,
                                    bool *failed)
{
    const char **copy = sio_arena_get(arena, n * sizeof *copy);
    for (size_t i = 0; copy != NULL && i < n; i++)
        *failed |= (copy[i] = keep_name(arena, names[i])) == NULL;
    *failed |= copy == NULL;
    return copy;
}

bool sio_target_keep(sio_target *t)
{
    sio_arena *arena = &t->ns->io->net.arena;
    bool failed = false;
    for (size_t i = 0; i < SIO_TARGET_NAMES; i++)
        if (i < t->n_to || i + t->n_except >= SIO_TARGET_NAMES)
            failed |= (t->name[i] = keep_name(arena, t->name[i])) == NULL;
    if (t->n_to_list > 0)
        t->to_list = keep_list(arena, t->to_list, t->n_to_list, &failed);
    if (t->n_except_list > 0)
        t->except_list = keep_list(arena, t->except_list, t->n_except_list, &failed);
    return !failed;
}

sio_members sio_family_members(const sio_namespace *family)
{
    const sio_table *t = &family->io->namespaces;
    sio_members m = { .at = sio_arena_get(&family->io->net.arena, t->count * sizeof *m.at) };
    sio_node *node = NULL;
    while (m.at != NULL && (node = sio_table_next(t, node)) != NULL)
        if (((sio_namespace *)node)->family == family)
            m.at[m.n++] = (sio_namespace *)node;
    return m;
}

static int each_of_one(const sio_target *t, sio_visitor fn, void *data)
{
    sio_found f = sio_target_receivers(t);
    for (size_t i = 0; i < f.n; i++)
        if (f.sockets[i]->state == SIO_SOCKET_CONNECTED)  // else it left meanwhile
            fn(f.sockets[i], data);
    return f.failed ? sio_fail(ENOMEM) : 0;
}

static int each_of_family(sio_target t, sio_visitor fn, void *data)
{
    sio_members all = sio_family_members(t.ns);
    int result = 0;
    if (all.at == NULL || !sio_target_keep(&t))
        return sio_fail(ENOMEM);
    for (size_t i = 0; i < all.n; i++) {
        t.ns = all.at[i];
        result |= each_of_one(&t, fn, data);
    }
    return result;
}

int sio_each(sio_target t, void (*fn)(sio_socket *socket, void *data), void *data)
{
    if (fn == NULL)
        return sio_fail(EINVAL);
    if (sio_target_check(&t, "a visit of", "sockets") < 0)
        return -1;
    sio_server *io = t.ns->io;
    sio_scope_enter(&io->net);
    int result = t.ns->accept == NULL ? each_of_one(&t, fn, data) : each_of_family(t, fn, data);
    sio_scope_leave(&io->net);
    return result;
}

bool sio_target_change(const sio_target *t, int what, const char *const *rooms, size_t n)
{
    sio_server *io = t->ns->io;
    sio_target each = *t;
    if (!sio_target_shared(t))
        return false;
    if (t->ns->accept == NULL)
        return io->cluster->change(io->cluster, t, what, rooms, n);
    sio_members all = sio_family_members(t->ns);
    for (size_t i = 0; i < all.n; i++) {
        each.ns = all.at[i];
        if (!io->cluster->change(io->cluster, &each, what, rooms, n))
            return false;  // who was told already does it twice, which is as once
    }
    return all.at != NULL;
}

typedef struct room_names {
    const char *const *at;
    size_t n;
} room_names;

static void join_visitor(sio_socket *s, void *data)
{
    const room_names *rooms = data;
    for (size_t i = 0; i < rooms->n; i++)
        sio_join(s, rooms->at[i]);
}

static void leave_visitor(sio_socket *s, void *data)
{
    const room_names *rooms = data;
    for (size_t i = 0; i < rooms->n; i++)
        sio_leave(s, rooms->at[i]);
}

/* With a copy of the names: one may be that of a room that the last one leaves. */
static int change_rooms(const sio_target *t, int what, sio_visitor fn, const char *const *rooms,
                        size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rooms == NULL || rooms[i] == NULL)
            return sio_fail(EINVAL);
    if (sio_target_check(t, "a visit of", "sockets") < 0)
        return -1;
    sio_server *io = t->ns->io;
    sio_scope_enter(&io->net);
    bool failed = false;
    room_names copy = { keep_list(&io->net.arena, rooms, n, &failed), n };
    int result = 0;
    if (failed)
        result = sio_fail(ENOMEM);
    else if (!sio_target_change(t, what, copy.at, n))
        result = sio_each(*t, fn, &copy);
    sio_scope_leave(&io->net);
    return result;
}

int sio_sockets_join(sio_target t, const char *room)
{
    return change_rooms(&t, SIO_JOIN, join_visitor, &room, 1);
}

int sio_sockets_leave(sio_target t, const char *room)
{
    return change_rooms(&t, SIO_LEAVE, leave_visitor, &room, 1);
}

int sio_sockets_join_list(sio_target t, const char *const *rooms, size_t n)
{
    return change_rooms(&t, SIO_JOIN, join_visitor, rooms, n);
}

int sio_sockets_leave_list(sio_target t, const char *const *rooms, size_t n)
{
    return change_rooms(&t, SIO_LEAVE, leave_visitor, rooms, n);
}

/* ---- Rooms --------------------------------------------------------------------------------------- */

/* Whether it is the room of the socket's id (M02). */
static bool is_own(const sio_socket *s, const char *room)
{
    return room != NULL && strcmp(room, s->node.key) == 0;
}

static sio_room_data *make_room(sio_namespace *ns, const char *name)
{
    const sio_memory *m = &ns->io->net.memory;
    size_t n = strlen(name);
    sio_room_data *r = sio_alloc(m, sizeof *r + n + 1);
    if (r == NULL)
        return NULL;
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

/* NULL: there is none, nor one of the name NULL. */
static sio_room_data *find_room(const sio_namespace *ns, const char *name)
{
    return name == NULL ? NULL : (sio_room_data *)sio_table_find(&ns->rooms, name, strlen(name));
}

/* Where the room is in the socket's list, looked for in the shorter one of that and the room's; the
 * number of the socket's rooms: it is not. r NULL: there is no such room. */
static uint32_t membership_of(const sio_socket *s, const sio_room_data *r)
{
    uint32_t n = count_rooms(s);
    if (r == NULL)
        return n;
    if (r->n < n) {
        for (size_t i = 0; i < r->n; i++)
            if (r->members[i].socket == s)
                return r->members[i].place;
        return n;
    }
    uint32_t i = 0;
    while (i < n && s->rooms->at[i].room != r)
        i++;
    return i;
}

int sio_join(sio_socket *s, const char *room)
{
    if (s == NULL || room == NULL)
        return sio_fail(EINVAL);
    sio_namespace *ns = s->ns;
    const sio_memory *m = &ns->io->net.memory;
    if (s->state == SIO_SOCKET_GONE)
        return 0;
    if (is_own(s, room)) {
        s->left_own_room = false;
        return 0;
    }
    sio_room_data *r = find_room(ns, room);
    if (membership_of(s, r) < count_rooms(s))
        return 0;
    if (count_rooms(s) >= ns->io->options.max_rooms)
        return sio_fail(E2BIG);
    if (r == NULL && (r = make_room(ns, room)) == NULL)
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
    if (s == NULL)
        return;
    if (is_own(s, room))
        s->left_own_room = true;
    uint32_t i = membership_of(s, find_room(s->ns, room));
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
    if (s == NULL)
        return false;
    if (is_own(s, room))
        return !s->left_own_room && s->state == SIO_SOCKET_CONNECTED;
    return membership_of(s, find_room(s->ns, room)) < count_rooms(s);
}

sio_value sio_socket_rooms(sio_socket *s)
{
    const char *room;
    sio_value all = sio_array(s->ns->io);
    bool good = all != NULL;
    if (sio_in_room(s, s->node.key))
        good = good && sio_push(all, "%s", s->node.key) == 0;
    for (size_t i = 0; good && (room = sio_room(s, i)) != NULL; i++)
        good = sio_push(all, "%s", room) == 0;
    return good ? all : NULL;
}

const char *sio_room(const sio_socket *s, size_t i)
{
    return i < count_rooms(s) ? s->rooms->at[i].room->name : NULL;
}

void sio_each_room(sio_namespace *ns, void (*fn)(const char *room, size_t members, void *data),
                   void *data)
{
    sio_server *io = ns->io;
    sio_scope_enter(&io->net);
    const char **names = sio_arena_get(&io->net.arena, (ns->rooms.count + 1) * sizeof *names);
    size_t n = 0;  // fn may change the rooms, so their names are copied first
    sio_node *node = NULL;
    while (names != NULL && (node = sio_table_next(&ns->rooms, node)) != NULL)
        n += (names[n] = keep_name(&io->net.arena, node->key)) != NULL;
    for (size_t i = 0; i < n; i++) {
        const sio_room_data *r = find_room(ns, names[i]);
        if (r != NULL && sio_table_find(&ns->ids, names[i], strlen(names[i])) == NULL)
            fn(names[i], r->n, data);
    }
    sio_scope_leave(&io->net);
}

size_t sio_room_size(const sio_namespace *ns, const char *room)
{
    const sio_room_data *r = find_room(ns, room);
    const sio_socket *own =
        room == NULL ? NULL : (sio_socket *)sio_table_find(&ns->ids, room, strlen(room));
    return (r == NULL ? 0 : r->n) + (own != NULL && !own->left_own_room);
}
