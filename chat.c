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
 * Whose a name is, is said in chat_people.c; how nothing is lost or doubled, in chat_lines.c.
 *
 * A person is a room, "@name", of their sockets: that is who gets private lines, and who is here. With
 * a Redis all of this is the cluster's, so who comes and who is here is told when all processes have
 * answered (chat_roll.c); /admin and /metrics are each process's own. */
#include "chat.h"

#include <stdio.h>
#include <string.h>

enum {
    ROOMS = 50,        // of one tab
    TICK = 500,        // ms
    WATCH = 50,        // ms; a connection to Redis that broke comes again after 100 or more
    PATIENCE = 2000,   // ms, for other processes
    BACKLOG = 1 << 26  // bytes that may wait for Redis: all lines of a process, with pictures
};

static sio_server *io;
static sio_namespace *ns;
static size_t program_size;

const char *chat_name(const sio_socket *socket)
{
    const chat_person *person = sio_data(socket);
    return person == NULL ? NULL : person->name;
}

/* ---- Who is where ---------------------------------------------------------------------------- */

static void tell_size(const char *room, size_t people, void *to)
{
    sio_emit(*(sio_target *)to, "room", "{'name': %s, 'people': %zu}", room, people);
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

/* In one tab or another of this process. */
static bool is_in(const chat_person *person, const char *room)
{
    search s = { room, false };
    sio_each(sio_to(sio_all(ns), person->home), look, &s);
    return s.found;
}

/* Says that a person came or went, unless another process has them there still. */
static void note(const chat_visit *visit, const char *code)
{
    chat_line line = { .code = code };
    sio_target all = sio_all(ns);
    if (chat_is_elsewhere(visit->home, visit->room))
        return;
    strcpy(line.room, visit->room);
    strcpy(line.to, visit->room);
    strcpy(line.author, visit->home);
    strcpy(line.from, visit->name);
    chat_keep(&line);
    tell_size(visit->room, chat_people_in(visit->room, NULL), &all);
}

static void has_come(const chat_visit *visit)
{
    sio_target self = sio_self(sio_socket_of(io, visit->socket));
    sio_value names = sio_array(io);
    chat_people_in(visit->room, names);
    if (visit->is_first)
        chat_each_room(tell_size, &self);
    sio_emit(self, "here", "%s, %p", visit->room, names);
    if (visit->is_new)
        note(visit, "joined");
    sio_ack_now(visit->later, "%s", "");
}

static void has_left(const chat_visit *visit)
{
    note(visit, "left");
}

static chat_visit *look_around(void (*fn)(const chat_visit *), const chat_person *person,
                               const char *room)
{
    chat_visit *visit = chat_look(fn);
    if (visit == NULL)
        return NULL;
    strcpy(visit->room, room);
    strcpy(visit->home, person->home);
    strcpy(visit->name, person->name);
    return visit;
}

static void leave(sio_socket *socket, const char *name)
{
    const chat_person *person = sio_data(socket);
    char room[CHAT_NAME + 2];
    snprintf(room, sizeof room, "%s", name);  // name may go with the room
    sio_leave(socket, room);
    if (person != NULL && room[0] == '#' && !is_in(person, room))
        look_around(has_left, person, room);
}

/* Takes the person off a socket. */
static void part(sio_socket *socket)
{
    chat_person *person = sio_data(socket);
    if (person == NULL)
        return;
    for (const char *room; (room = sio_room(socket, 0)) != NULL;)
        leave(socket, room);
    sio_set_data(socket, NULL, NULL);
    chat_tell_person(person);
}

/* ---- Events. A function that returns a string returns what the client is told; NULL: later --- */

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
    chat_person *person = chat_claim(name, home, key, &why);
    if (person == NULL)
        return why;

    bool is_first = sio_data(socket) != person, is_new;
    if (is_first) {
        part(socket);  // who it was before
        if (sio_join(socket, home) < 0)
            return "memory";
        sio_set_data(socket, person, NULL);
        sio_emit(sio_self(socket), "you", "%s", person->name);
        chat_tell_person(person);
    }
    is_new = !is_in(person, room);
    chat_visit *visit = sio_join(socket, room) < 0 ? NULL : look_around(has_come, person, room);
    if (visit == NULL)
        return "memory";
    visit->socket = sio_handle(socket);
    visit->later = sio_ack_later(event);
    visit->is_first = is_first;
    visit->is_new = is_new;
    chat_tell_missed(socket, room, since, 0);
    if (is_first)
        chat_tell_missed(socket, home, since, person->since);
    return NULL;
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
    const chat_person *other;
    if ((line->to[0] != '#' && line->to[0] != '@') || !chat_plain(line->to + 1, home + 1))
        return "bad-line";
    strcpy(line->room, line->to[0] == '@' ? home : line->to);
    if (line->to[0] == '#')
        return NULL;
    if ((other = chat_find_person(home)) == NULL)
        return "nobody";
    strcpy(line->to + 1, other->name);
    return NULL;
}

static const char *on_line(sio_socket *socket, sio_event *event)
{
    chat_line line = { .code = NULL };
    const chat_person *person = sio_data(socket);
    const chat_line *said;
    const char *why;
    if (person == NULL)
        return "name-first";
    int n = sio_scan(event, "{'to': %65s, 'id': %24s, 'text': %1500s, 'image'?: %p}", line.to,
                     line.id, line.text, &line.image);
    bool is_image = sio_bytes(line.image, &line.size) != NULL && line.size > 0;
    if (n != 4 || !line.id[0] || (!is_image && (line.image != NULL || !line.text[0])))
        return "bad-line";
    if (line.size > CHAT_PICTURE)
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
    chat_keep(&line);
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
    const char *answer = request->answer(socket, event);
    if (answer != NULL)
        sio_ack(event, "%s", answer);
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

/* ---- Several processes ----------------------------------------------------------------------- */

static void tell_here(const char *room, size_t people, void *data)
{
    sio_target local = sio_local(sio_all(ns));
    sio_value names = sio_array(io);
    (void)data;
    chat_people_in(room, names);
    tell_size(room, people, &local);
    sio_emit(sio_to(local, room), "here", "%s, %p", room, names);
}

static void tell_all_here(const chat_visit *visit)
{
    (void)visit;
    chat_each_room(tell_here, NULL);
}

/* Nobody says goodbye for the clients of a process that was killed: those who are left look around. */
static void on_count(sio_server *server, void *data, const char *error, sio_event *answer)
{
    static long long processes;
    long long n = 0;
    (void)server, (void)data;
    if (error != NULL || sio_scan(answer, "%lld", &n) != 1)
        return;
    if (n != processes)
        chat_look(tell_all_here);
    processes = n;
}

static void on_tick(sio_server *server, void *data)
{
    (void)server, (void)data;
    if (sio_redis_ready(io))
        sio_server_count(ns, on_count, NULL);
}

/* Who comes, or comes back when Redis was away, has missed things, and so have the others. */
static void on_watch(sio_server *server, void *data)
{
    static bool was_ready;
    bool is_ready = sio_redis_ready(io), is_back = is_ready && !was_ready;
    (void)server, (void)data;
    was_ready = is_ready;
    if (!is_back)
        return;
    chat_tell_people();
    chat_share_lines();
    chat_look(tell_all_here);
}

static void on_ask(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    chat_look(tell_all_here);
}

int chat_cluster(const char *url)
{
    sio_redis_options options = { .requests_timeout_ms = PATIENCE, .max_output = BACKLOG };
    if (sio_redis(io, url, &options) < 0)
        return -1;
    if (sio_every(io, TICK, on_tick, NULL) == 0 || sio_every(io, WATCH, on_watch, NULL) == 0)
        return -1;
    return sio_on_server(ns, "ask", on_ask);
}

int chat_open(sio_server *server, size_t size)
{
    io = server;
    program_size = size;
    ns = sio_of(io, "/");
    chat_roll_open(ns);
    int bad = chat_people_open(ns) | chat_lines_open(ns);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        bad |= sio_on(ns, requests[i].name, on_request, &requests[i]);
    bad |= sio_on(ns, "typing", on_typing) | sio_on(ns, "numbers", on_numbers);
    return bad | sio_on(ns, "disconnecting", on_disconnecting);
}
