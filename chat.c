/* chat.c - a chat room: an application of sio.h, and of nothing else of this library
 * SPDX-License-Identifier: MIT
 *
 * What goes over the wire. Each event of the client but typing and numbers is acknowledged with "", or with
 * the reason why it is refused, a code: the page has the words.
 *
 *     client   join      {name, key, room, since}   comes into a room, as well as into others
 *              leave     room
 *              line      {to, id, text}             to: "#room" or "@name"
 *              line      {to, id, text, image}      with a picture, in bytes
 *              typing    room
 *              numbers                              is answered at once: {clients, packets, ...}
 *     server   you       name                       how the name is spelled
 *              room      {name, people}             how many are in a room, when that changes
 *              here      room, names                who is in the room that was just joined
 *              line      {to, at, id, from, text}   perhaps with image: null if it is not kept any more
 *              line      {to, at, from, code}       code: "joined" or "left"
 *              typing    room, name
 *              gap       room                       not all that was said since is kept
 *
 * A name belongs to who has its key, in as many tabs as they like; also for a minute after the last.
 * Which names are one is said in chat_names.c; how nothing is lost or doubled, in chat_lines.c.
 *
 * A person is a room, "@name", of their sockets: that is who gets private lines, and who is here. What
 * this process alone knows is whose a name is, and the lines that it keeps. */
#include "chat.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    PEOPLE = 1000,     // remembered; who is away for longest makes way for a new one
    PICTURE = 700000,  // bytes of one; by polling it is a third longer, and max_payload a million
    ROOMS = 50,        // of one tab
    HOLD = 60          // seconds
};

static struct person {
    char home[CHAT_NAME + 2];  // "@name", in the plain form: the room of their sockets
    char name[CHAT_NAME + 1], key[CHAT_NAME + 1];
    time_t left;         // when the last socket went away
    long long since;     // private lines up to this number are those of the name's last owner
    unsigned long call;  // the last roll call that counted this person
} people[PEOPLE];

static sio_server *io;
static sio_namespace *ns;
static size_t program_size;

const char *chat_name(const sio_socket *socket)
{
    const struct person *person = sio_data(socket);
    return person == NULL ? NULL : person->name;
}

/* ---- Who is where ---------------------------------------------------------------------------- */

/* Counts people, not their tabs; names may be NULL. */
typedef struct roll {
    size_t people;
    sio_value names;
} roll;

static unsigned long calls;

static void count(sio_socket *socket, void *data)
{
    roll *r = data;
    struct person *person = sio_data(socket);
    if (person == NULL || person->call == calls)
        return;
    person->call = calls;
    r->people++;
    if (r->names != NULL)
        sio_push(r->names, "%s", person->name);
}

static size_t call_roll(const char *room, sio_value names)
{
    roll r = { 0, names };
    calls++;
    sio_each(sio_to(sio_all(ns), room), count, &r);
    return r.people;
}

static void tell_size(const char *room, size_t members, void *to)
{
    (void)members;
    if (room[0] == '#')
        sio_emit(*(sio_target *)to, "room", "{'name': %s, 'people': %zu}", room,
                 call_roll(room, NULL));
}

typedef struct search {
    const char *room;
    bool found;
} search;

static void look(sio_socket *socket, void *data)
{
    search *s = data;
    s->found |= sio_in_room(socket, s->room);
}

/* In one tab or another. */
static bool is_in(const struct person *person, const char *room)
{
    search s = { room, false };
    sio_each(sio_to(sio_all(ns), person->home), look, &s);
    return s.found;
}

static void note(const char *room, const struct person *person, const char *code)
{
    chat_line line = { .code = code };
    strcpy(line.room, room);
    strcpy(line.to, room);
    strcpy(line.author, person->home);
    strcpy(line.from, person->name);
    chat_keep(ns, &line);
}

static void enter(const struct person *person, const char *room)
{
    sio_target all = sio_all(ns);
    note(room, person, "joined");
    tell_size(room, 0, &all);
}

static void leave(sio_socket *socket, const char *name)
{
    const struct person *person = sio_data(socket);
    char room[CHAT_NAME + 2];
    sio_target all = sio_all(ns);
    snprintf(room, sizeof room, "%s", name);  // name may go with the room
    sio_leave(socket, room);
    if (person == NULL || room[0] != '#' || is_in(person, room))
        return;
    note(room, person, "left");
    tell_size(room, 0, &all);
}

/* Takes the person off a socket. */
static void part(sio_socket *socket)
{
    struct person *person = sio_data(socket);
    if (person == NULL)
        return;
    for (const char *room; (room = sio_room(socket, 0)) != NULL;)
        leave(socket, room);
    person->left = time(NULL);
    sio_set_data(socket, NULL, NULL);
}

/* ---- Whose name it is ------------------------------------------------------------------------ */

static bool is_away(const struct person *person)
{
    return sio_room_size(ns, person->home) == 0;
}

static bool is_gone(const struct person *person)
{
    return is_away(person) && time(NULL) - person->left > HOLD;
}

/* The person of that home; or, to make one, the record that is unused for longest. NULL: none. */
static struct person *find(const char *home, bool make)
{
    struct person *spare = NULL;
    for (struct person *p = people; p < people + PEOPLE; p++) {
        if (strcmp(p->home, home) == 0)
            return p;
        if (make && (spare == NULL || p->left < spare->left) && (!p->home[0] || is_away(p)))
            spare = p;
    }
    return spare;
}

/* The name's owner, who may just have become that. NULL: somebody else, or nobody can; *why. */
static struct person *claim(const char *name, const char *home, const char *key, const char **why)
{
    struct person *person = find(home, true);
    *why = person == NULL ? "full" : "taken";
    if (person == NULL)
        return NULL;
    bool is_known = strcmp(person->home, home) == 0, is_owner = strcmp(person->key, key) == 0;
    if (is_known && !is_owner && !is_gone(person))
        return NULL;
    if (!is_known || !is_owner)
        *person = (struct person){ .since = chat_last_line() };
    if (!person->home[0] || is_away(person))
        strcpy(person->name, name);
    strcpy(person->home, home);
    strcpy(person->key, key);
    return person;
}

/* ---- Events. A function that returns a string returns what the client is told ---------------- */

static const char *on_join(sio_socket *socket, sio_event *event)
{
    char name[CHAT_NAME + 1], key[CHAT_NAME + 1], room[CHAT_NAME + 2] = "#";
    char home[CHAT_NAME + 2] = "@", plain[CHAT_NAME + 1];
    const char *why;
    long long since;
    int n = sio_scan(event, "{'name': %64s, 'key': %64s, 'room': %65s, 'since': %lld}", name, key,
                     room, &since);
    if (n != 4 || !chat_plain(name, home + 1) || room[0] != '#' || !chat_plain(room + 1, plain))
        return "bad-name";
    if (sio_room(socket, ROOMS) != NULL)
        return "many-rooms";
    struct person *person = claim(name, home, key, &why);
    if (person == NULL)
        return why;

    sio_target self = sio_self(socket);
    bool is_first = sio_data(socket) != person, is_new;
    if (is_first) {
        part(socket);  // who it was before
        if (sio_join(socket, home) < 0)
            return "memory";
        sio_set_data(socket, person, NULL);
        sio_emit(self, "you", "%s", person->name);
        sio_each_room(ns, tell_size, &self);
    }
    is_new = !is_in(person, room);
    if (sio_join(socket, room) < 0)
        return "memory";
    sio_value names = sio_array(io);
    call_roll(room, names);
    sio_emit(self, "here", "%s, %p", room, names);
    chat_tell_missed(socket, room, since);
    if (is_first)
        chat_tell_missed(socket, home, since > person->since ? since : person->since);
    if (is_new)
        enter(person, room);
    return "";
}

static const char *on_leave(sio_socket *socket, sio_event *event)
{
    char room[CHAT_NAME + 2];
    if (sio_scan(event, "%65s", room) == 1 && room[0] == '#' && sio_in_room(socket, room))
        leave(socket, room);
    return "";
}

/* Whom it goes to. NULL: good. */
static const char *address(chat_line *line)
{
    char home[CHAT_NAME + 2] = "@";
    const struct person *other;
    if ((line->to[0] != '#' && line->to[0] != '@') || !chat_plain(line->to + 1, home + 1))
        return "bad-line";
    strcpy(line->room, line->to[0] == '@' ? home : line->to);
    if (line->to[0] == '#')
        return NULL;
    if ((other = find(home, false)) == NULL || is_gone(other))
        return "nobody";
    strcpy(line->to + 1, other->name);
    return NULL;
}

static const char *on_line(sio_socket *socket, sio_event *event)
{
    chat_line line = { .code = NULL };
    const struct person *person = sio_data(socket);
    const chat_line *said;
    const char *why;
    if (person == NULL)
        return "name-first";
    int n = sio_scan(event, "{'to': %65s, 'id': %24s, 'text': %1500s, 'image'?: %p}", line.to,
                     line.id, line.text, &line.image);
    bool is_image = sio_bytes(line.image, &line.size) != NULL && line.size > 0;
    if (n != 4 || !line.id[0] || (!is_image && (line.image != NULL || !line.text[0])))
        return "bad-line";
    if (line.size > PICTURE)
        return "large";
    if ((said = chat_find_line(person->home, line.id)) != NULL) {
        chat_tell_line(sio_self(socket), said);  // the page knows lines that it has seen
        return "";  // said before: the acknowledgement was lost, and what came with it
    }
    if ((why = address(&line)) != NULL)
        return why;
    if (line.room[0] == '#' && !sio_in_room(socket, line.room))
        return "not-there";
    if (is_image && (line.image = sio_keep(io, line.image)) == NULL)
        return "memory";
    strcpy(line.author, person->home);
    strcpy(line.from, person->name);
    chat_keep(ns, &line);
    return "";
}

/* Those that are acknowledged. */
static struct request {
    const char *name;
    const char *(*answer)(sio_socket *socket, sio_event *event);
} requests[] = { { "join", on_join }, { "leave", on_leave }, { "line", on_line } };

static void on_request(sio_socket *socket, sio_event *event)
{
    const struct request *request = sio_handler_data(event);
    sio_ack(event, "%s", request->answer(socket, event));
}

static void on_typing(sio_socket *socket, sio_event *event)
{
    char room[CHAT_NAME + 2];
    if (sio_scan(event, "%65s", room) == 1 && room[0] == '#' && sio_in_room(socket, room))
        sio_emit(sio_volatile(sio_to(sio_broadcast(socket), room)), "typing", "%s, %s", room,
                 chat_name(socket));
}

static void on_numbers(sio_socket *socket, sio_event *event)
{
    const sio_stats *s = sio_get_stats(io);
    (void)socket;
    sio_ack(event, "{'clients': %llu, 'packets': %llu, 'memory': %zu, 'size': %zu}",
            (unsigned long long)s->sessions, (unsigned long long)(s->packets_in + s->packets_out),
            chat_memory(), program_size);
}

static void on_disconnecting(sio_socket *socket, sio_event *event)
{
    (void)event;
    part(socket);
}

int chat_open(sio_server *server, size_t size)
{
    io = server;
    program_size = size;
    ns = sio_of(io, "/");
    int bad = 0;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        bad |= sio_on(ns, requests[i].name, on_request, &requests[i]);
    bad |= sio_on(ns, "typing", on_typing) | sio_on(ns, "numbers", on_numbers);
    return bad | sio_on(ns, "disconnecting", on_disconnecting);
}
