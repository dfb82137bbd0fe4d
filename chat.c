/* chat.c - a chat room: an application of sio.h, and of nothing else of this library
 * SPDX-License-Identifier: MIT
 *
 * What goes over the wire. Each event of the client but typing is acknowledged: with "", or with
 * the reason why it is refused.
 *
 *     client   enter    {name, key}             key: tells the owner of a name from others
 *              join     {room, since, private}  makes the room; leaves the one before
 *              line     {to, id, text}          to: "#room" or "@name"; each line has its own id
 *              latency
 *              typing
 *     server   room     {name, people}          a room that is new, has grown or has shrunk
 *              here     room, name              who is in the room that was just joined
 *              joined   room, name              and in the same way: left, typing
 *              line     {to, at, id, from, text}
 *              gap                              the lines that follow are not all that were missed
 *
 * No line is lost, and none is doubled, when connections break. A client repeats a line under its
 * id until it is acknowledged, and the server remembers each user's last ids. A line has a number
 * (at) above those of all lines before it; a client that comes back names the last that it saw in
 * the room and in private (since, private), and is sent what came after. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sio.h"

enum {
    PLACES = 1000,  // rooms and users; the one that is empty for longest makes way for a new one
    HISTORY = 50,   // lines kept of each
    SEEN = 32,      // ids remembered of each; a tab has one line on its way at a time
    NAME = 48,      // bytes: 16 letters, if they are Korean
    ID = 24,
    TEXT = 1500,
    HOLD = 60  // a name stays its owner's for so many seconds without a connection
};

/* A chat room, or a user with the lines that are private. Its name is that of a room of the
 * library as well: "#lobby" for the sockets in it, "@alice" for the sockets of her tabs. */
static struct place {
    char name[NAME + 2];  // "": it is free
    char key[NAME + 1];   // of a user
    int people;           // in a room: users, however many tabs they have; of a user: tabs
    time_t left;          // when the last one left
    long long dropped;    // the number of the last line that is not kept any more
    size_t n_lines, n_seen;
    struct line {
        long long at;
        sio_value value;
    } lines[HISTORY];  // line i is at i % HISTORY; so are the ids
    char seen[SEEN][ID + 1];
} places[PLACES] = { { .name = "#lobby" } };

static sio_server *io;
static sio_namespace *ns;

/* ---- Places and lines ------------------------------------------------------------------------ */

static bool is_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 127)
            return false;
    return name[0] != '\0';
}

static bool is_away(const struct place *user)
{
    return user->people == 0 && time(NULL) - user->left > HOLD;
}

static void clear(struct place *place)
{
    for (size_t i = 0; i < HISTORY; i++)
        if (place->lines[i].value)
            sio_drop(place->lines[i].value);
    memset(place, 0, sizeof *place);
}

static struct place *find(const char *name)
{
    for (struct place *p = places; p < places + PLACES; p++)
        if (p->name[0] && strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

/* The place of that name, a new one if there is none; NULL: all are in use. */
static struct place *make(const char *name)
{
    struct place *place = find(name);
    if (place)
        return place;
    for (struct place *p = places + 1; p < places + PLACES; p++)
        if (p->people == 0 && (!place || p->left < place->left))
            place = p;
    if (place) {
        clear(place);
        strcpy(place->name, name);
    }
    return place;
}

static const char *name_of(sio_socket *socket)
{
    const struct place *user = sio_data(socket);
    return user->name + 1;
}

/* The room that a socket is in, or NULL. */
static struct place *room_of(const sio_socket *socket)
{
    const char *name;
    for (size_t i = 0; (name = sio_room(socket, i)); i++)
        if (name[0] == '#')
            return find(name);
    return NULL;
}

static sio_target all_in(const struct place *place)
{
    return sio_to(sio_all(ns), place->name);
}

struct count {
    const struct place *room;
    int tabs;
};

static void count_tab(sio_socket *socket, void *data)
{
    struct count *count = data;
    count->tabs += sio_in_room(socket, count->room->name);
}

/* How many of a user's tabs are in the room. */
static int tabs_in(const struct place *user, const struct place *room)
{
    struct count count = { room, 0 };
    sio_each(all_in(user), count_tab, &count);
    return count.tabs;
}

static void tell_size(sio_target to, const struct place *room)
{
    sio_emit(to, "room", "{'name': %s, 'people': %d}", room->name + 1, room->people);
}

/* Keeps a copy of a line and sends it to everybody there. */
static bool publish(struct place *place, long long at, sio_value value)
{
    struct line line = { at, value ? sio_keep(io, value) : NULL };
    if (!line.value)
        return false;
    struct line *oldest = &place->lines[place->n_lines++ % HISTORY];
    if (oldest->value) {
        place->dropped = oldest->at;
        sio_drop(oldest->value);
    }
    *oldest = line;
    sio_emit(all_in(place), "line", "%p", value);
    return true;
}

/* Sends the lines after the number since. */
static void replay(sio_socket *socket, const struct place *place, long long since)
{
    if (since > 0 && since < place->dropped)
        sio_emit(sio_self(socket), "gap", " ");
    for (size_t i = 0; i < HISTORY; i++) {
        const struct line *line = &place->lines[(place->n_lines + i) % HISTORY];
        if (line->value && line->at > since)
            sio_emit(sio_self(socket), "line", "%p", line->value);
    }
}

/* ---- Events. A function that returns a string returns what the client is told ---------------- */

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    for (struct place *p = places; p < places + PLACES; p++)
        if (p->name[0] == '#' && (p->people > 0 || p == places))
            tell_size(sio_self(socket), p);
}

static const char *enter(sio_socket *socket, sio_event *event)
{
    char name[NAME + 2] = "@", key[NAME + 1];
    if (sio_scan(event, "{'name': %48s, 'key': %48s}", name + 1, key) != 2 || !is_name(name + 1))
        return "A name has 1 to 16 letters and no spaces.";
    struct place *user = sio_data(socket);
    if (user)
        return strcmp(user->name, name) == 0 ? "" : "You have a name already.";
    user = find(name);
    if (user && strcmp(user->key, key) != 0) {
        if (!is_away(user))
            return "Somebody else has that name.";
        clear(user);
    }
    user = make(name);
    if (!user || sio_join(socket, name) < 0)
        return "The chat is full.";
    strcpy(user->key, key);
    user->people++;
    sio_set_data(socket, user, NULL);
    return "";
}

static void leave(sio_socket *socket)
{
    struct place *room = room_of(socket);
    if (!room)
        return;
    sio_leave(socket, room->name);
    if (tabs_in(sio_data(socket), room) > 0)
        return;
    room->people--;
    room->left = time(NULL);
    sio_emit(all_in(room), "left", "%s, %s", room->name + 1, name_of(socket));
    tell_size(sio_all(ns), room);
}

static void tell_here(sio_socket *member, void *socket)
{
    sio_emit(sio_self(socket), "here", "%s, %s", room_of(member)->name + 1, name_of(member));
}

static const char *join(sio_socket *socket, sio_event *event)
{
    char name[NAME + 2] = "#";
    long long since, private;
    int n = sio_scan(event, "{'room': %48s, 'since': %lld, 'private': %lld}", name + 1, &since,
                     &private);
    if (n != 3 || !is_name(name + 1))
        return "A room's name has 1 to 16 letters and no spaces.";
    struct place *user = sio_data(socket), *room = user ? make(name) : NULL;
    if (!room)
        return user ? "There are too many rooms." : "Tell your name first.";

    if (room != room_of(socket)) {
        leave(socket);
        if (tabs_in(user, room) == 0) {
            room->people++;
            sio_emit(all_in(room), "joined", "%s, %s", room->name + 1, name_of(socket));
            tell_size(sio_all(ns), room);
        }
        sio_join(socket, name);
    }
    sio_each(all_in(room), tell_here, socket);
    replay(socket, room, since);
    replay(socket, user, private);
    return "";
}

static const char *line(sio_socket *socket, sio_event *event)
{
    char to[NAME + 2], id[ID + 1], text[TEXT + 1];
    if (sio_scan(event, "{'to': %49s, 'id': %24s, 'text': %1500s}", to, id, text) != 3 || !id[0] ||
        !text[0])
        return "A line has 1 to 500 letters.";
    struct place *user = sio_data(socket), *place = find(to);
    if (!user || !place || (to[0] == '@' && is_away(place)))
        return "Nobody and no room of that name is here.";
    for (size_t i = 0; i < SEEN; i++)
        if (strcmp(user->seen[i], id) == 0)
            return "";  // said before; the acknowledgement was lost

    static long long at;  // the time, unless the line before had that number
    at = (long long)time(NULL) * 1000 > at ? (long long)time(NULL) * 1000 : at + 1;
    sio_value value = sio_make(io, "{'to': %s, 'at': %lld, 'id': %s, 'from': %s, 'text': %s}", to,
                               at, id, name_of(socket), text);
    if (!publish(place, at, value) || (to[0] == '@' && place != user && !publish(user, at, value)))
        return "The server is out of memory.";
    strcpy(user->seen[user->n_seen++ % SEEN], id);
    return "";
}

static void on_enter(sio_socket *socket, sio_event *event)
{
    sio_ack(event, "%s", enter(socket, event));
}

static void on_join(sio_socket *socket, sio_event *event)
{
    sio_ack(event, "%s", join(socket, event));
}

static void on_line(sio_socket *socket, sio_event *event)
{
    sio_ack(event, "%s", line(socket, event));
}

static void on_latency(sio_socket *socket, sio_event *event)
{
    (void)socket;
    sio_ack(event, "''");
}

static void on_typing(sio_socket *socket, sio_event *event)
{
    (void)event;
    struct place *room = room_of(socket);
    if (room)
        sio_emit(sio_volatile(sio_to(sio_broadcast(socket), room->name)), "typing", "%s, %s",
                 room->name + 1, name_of(socket));
}

static void on_disconnecting(sio_socket *socket, sio_event *event)
{
    (void)event;
    struct place *user = sio_data(socket);
    if (!user)
        return;
    leave(socket);
    user->people--;
    user->left = time(NULL);
}

/* ---- The program ----------------------------------------------------------------------------- */

static const char usage[] =
    "usage: chat [--port 3000] [--host 127.0.0.1] [--client FILE]\n"
    "  --port    the TCP port; 0 for a free one\n"
    "  --host    the address to listen at; 0.0.0.0 or :: for all\n"
    "  --client  serves FILE instead of sio.js, such as the official socket.io.js\n";

static void on_signal(int number)
{
    signal(number, SIG_DFL);  // a second one ends the program at once
    sio_stop(io);
}

static void print_log(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "chat: %s\n", text);
}

/* Serves a file that is beside the program, or here, or one directory up. */
static bool serve(const char *path, const char *program, const char *name)
{
    const char *slash = strrchr(program, '/');
    const struct {
        int n;
        const char *dir;
    } dirs[] = { { slash ? (int)(slash - program) + 1 : 0, program }, { 0, "" }, { 3, "../" } };

    for (size_t i = 0; i < 3; i++) {
        char file[4096];
        int n = snprintf(file, sizeof file, "%.*s%s", dirs[i].n, dirs[i].dir, name);
        if (n > 0 && (size_t)n < sizeof file && sio_file(io, path, file) == 0)
            return true;
    }
    fprintf(stderr, "chat: %s: %s\n", name, strerror(errno));
    return false;
}

static int run(const char *program, const char *host, int port, const char *client)
{
    ns = sio_of(io, "/");
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "enter", on_enter);
    sio_on(ns, "join", on_join);
    sio_on(ns, "line", on_line);
    sio_on(ns, "latency", on_latency);
    sio_on(ns, "typing", on_typing);
    sio_on(ns, "disconnecting", on_disconnecting);
    if (!serve("/", program, "chat.html") || !serve("/socket.io/socket.io.js", program, client))
        return 1;

    int listening = sio_listen(io, host, port);
    if (listening < 0) {
        fprintf(stderr, "chat: can't listen at %s port %d: %s\n", host, port, strerror(errno));
        return 1;
    }
    printf("Chat at http://%s:%d\n", strcmp(host, "127.0.0.1") ? host : "localhost", listening);
    fflush(stdout);
    if (sio_run(io) < 0) {
        perror("chat");
        return 1;
    }
    puts("Goodbye.");
    return 0;
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1", *client = "sio.js";
    long port = 3000;
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--help") == 0)
            return fputs(usage, stdout) < 0;
        if (i + 1 < argc && strcmp(argv[i], "--port") == 0)
            port = strtol(argv[++i], &end, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--host") == 0)
            host = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--client") == 0)
            client = argv[++i];
        else
            port = -1;
        if (port < 0 || port > 65535 || (end && (end == argv[i] || *end))) {
            fprintf(stderr, "chat: can't make sense of %s\n%s", argv[i], usage);
            return 2;
        }
    }

    io = sio_new(&(sio_options){ .log = print_log });
    if (!io) {
        perror("chat");
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    int status = run(argv[0], host, (int)port, client);
    for (struct place *p = places; p < places + PLACES; p++)
        clear(p);
    sio_free(io);
    return status;
}
