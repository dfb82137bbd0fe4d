/* chat.c - a chat room: an application of sio.h, and of nothing else of this library
 * SPDX-License-Identifier: MIT
 *
 * What goes over the wire. Each event of the client but typing is acknowledged: with "", or with
 * the reason why it is refused.
 *
 *     client   join      {name, key, room, since}   comes in, or changes the room
 *              line      {to, id, text}             to: "#room" or "@name"
 *              typing
 *     server   room      {name, people}             how many are in a room, when that changes
 *              here      room, name                 who is in the room that was just joined
 *              joined    room, name                 and in the same way: left, typing
 *              line      {to, at, id, from, text}
 *              gap                                  not all that was said since is kept
 *              replaced                             the name's owner has come in elsewhere
 *
 * A name belongs to who has its key, over one connection at a time; also for a minute after it.
 * Names that look the same are the same, as far as this goes without the tables of Unicode: without
 * regard to the case of A to Z, and to joiners. Nobody has a name with spaces or other marks that
 * can't be seen, or that begins with an accent. The page sends normal form C. Not told apart: other
 * letters that differ in case, and letters of several scripts that look alike.
 *
 * No line is lost, and none is doubled, when connections break. A client repeats a line under its
 * id until it is acknowledged; one that is kept already is not kept again. A line has a number (at)
 * above those of all lines before it; a client that comes back names the last that it saw (since),
 * and is sent what came after: what was said in the room, and what is private to it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sio.h"

enum {
    USERS = 1000,  // remembered; the one that is away for longest makes way for a new one
    LINES = 1000,  // kept, of all rooms together
    NAME = 64,     // bytes: 16 letters
    HOLD = 60      // seconds
};

static struct user {
    char name[NAME + 1], key[NAME + 1], room[NAME + 2];  // room: "#..."; "": in none
    sio_socket *socket;                                  // NULL: away
    time_t left;                                         // when it went away
    long long since;  // private lines up to this number are those of the name's last owner
} users[USERS];

static struct line {
    char to[NAME + 2], from[NAME + 1], id[24 + 1], text[1500 + 1];
    long long at;
} lines[LINES];  // line i is at i % LINES
static size_t n_lines;
static long long last, dropped;  // numbers of lines: the last, and the last that is not kept

static sio_server *io;
static sio_namespace *ns;

/* ---- Names ----------------------------------------------------------------------------------- */

/* Lists of letters, in pairs: from the first to the last. They end with zeros. Accents: not at the
 * beginning of a name, where they would go with nothing. Joiners go with emoji, Persian and rare forms
 * of letters, and have no look of their own. Unseen are spaces, controls, marks that turn what follows,
 * and what is shown as nothing. */
static const unsigned long accents[] = { 0x300,  0x36f,  0x1ab0, 0x1aff, 0x1dc0, 0x1dff,
                                         0x20d0, 0x20ff, 0xfe20, 0xfe2f, 0,      0 };
static const unsigned long joiners[] = { 0x200c, 0x200d, 0xfe00, 0xfe0f, 0xe0100, 0xe01ef, 0, 0 };
static const unsigned long unseen[] = {
    0,       ' ',     0x7f,    0xa0,    0xad,    0xad,    0x34f,  0x34f,  0x61c,   0x61c,
    0x115f,  0x1160,  0x1680,  0x1680,  0x17b4,  0x17b5,  0x180b, 0x180f, 0x2000,  0x200b,
    0x200e,  0x200f,  0x2028,  0x202f,  0x205f,  0x206f,  0x2800, 0x2800, 0x3000,  0x3000,
    0x3164,  0x3164,  0xfeff,  0xfeff,  0xffa0,  0xffa0,  0xfff0, 0xfffb, 0x1bca0, 0x1bca3,
    0x1d173, 0x1d17a, 0xe0000, 0xe00ff, 0xe01f0, 0xe0fff, 0,      0
};

static bool is_in(const unsigned long *list, unsigned long c)
{
    while (list[1] > 0 && (c < list[0] || c > list[1]))
        list += 2;
    return list[1] > 0;
}

/* Takes a letter off a text, which is UTF-8; 0 at the end. */
static unsigned long next_letter(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    unsigned long c = *p;
    if (c >= 0xc0)
        c &= c >= 0xf0 ? 0x07 : c >= 0xe0 ? 0x0f : 0x1f;
    for (p += *p != 0; (*p & 0xc0) == 0x80; p++)
        c = c << 6 | (*p & 0x3f);
    *text = (const char *)p;
    return c;
}

static bool is_name(const char *name)
{
    unsigned long c = next_letter(&name);
    bool is_good = !is_in(accents, c) && !is_in(joiners, c) && !is_in(unseen, c);
    while (*name)
        is_good &= !is_in(unseen, next_letter(&name));
    return is_good;
}

/* The next letter of a name that makes a difference. */
static unsigned long fold(const char **name)
{
    unsigned long c = next_letter(name);
    while (is_in(joiners, c))
        c = next_letter(name);
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool is_same(const char *a, const char *b)
{
    unsigned long c;
    while ((c = fold(&a)) == fold(&b))
        if (c == 0)
            return true;
    return false;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void tell_size(const char *room, size_t people, void *to)
{
    sio_emit(*(sio_target *)to, "room", "{'name': %s, 'people': %zu}", room + 1, people);
}

/* Tells a room that somebody joined or left, and everybody how many are there now. */
static void tell_change(const char *event, const struct user *user)
{
    sio_target all = sio_all(ns);
    sio_emit(sio_to(all, user->room), event, "%s, %s", user->room + 1, user->name);
    tell_size(user->room, sio_room_size(ns, user->room), &all);
}

static void tell_here(sio_socket *member, void *socket)
{
    const struct user *user = sio_data(member);
    sio_emit(sio_self(socket), "here", "%s, %s", user->room + 1, user->name);
}

static void tell_line(sio_target to, const struct line *line)
{
    sio_emit(to, "line", "{'to': %s, 'at': %lld, 'id': %s, 'from': %s, 'text': %s}", line->to,
             line->at, line->id, line->from, line->text);
}

static void tell_missed(const struct user *user, long long since)
{
    sio_target self = sio_self(user->socket);
    if (since > 0 && since < dropped)
        sio_emit(self, "gap", "");
    for (size_t i = 0; i < LINES; i++) {
        const struct line *line = &lines[(n_lines + i) % LINES];
        bool is_own = is_same(line->from, user->name) || is_same(line->to + 1, user->name);
        bool is_private = line->to[0] == '@' && is_own && line->at > user->since;
        if (line->at > since && (is_private || strcmp(line->to, user->room) == 0))
            tell_line(self, line);
    }
}

/* ---- Users ----------------------------------------------------------------------------------- */

/* The user of that name, or, to make one, the record that is unused for longest. NULL: none. */
static struct user *find(const char *name, bool make)
{
    struct user *spare = NULL;
    for (struct user *p = users; p < users + USERS; p++) {
        if (is_same(p->name, name))
            return p;
        if (make && !p->socket && (!spare || p->left < spare->left))
            spare = p;
    }
    return spare;
}

static bool is_gone(const struct user *user)
{
    return !user->socket && time(NULL) - user->left > HOLD;
}

static void leave(struct user *user)
{
    if (!user->room[0])
        return;
    sio_leave(user->socket, user->room);
    tell_change("left", user);
    user->room[0] = '\0';
}

/* Takes the user off a connection. */
static void part(sio_socket *socket)
{
    struct user *user = sio_data(socket);
    if (!user)
        return;
    leave(user);
    sio_set_data(socket, NULL, NULL);
    user->socket = NULL;
    user->left = time(NULL);
}

/* ---- Events. A function that returns a string returns what the client is told ---------------- */

static const char *join(sio_socket *socket, sio_event *event)
{
    char name[NAME + 1], key[NAME + 1], room[NAME + 2] = "#";
    long long since;
    int n = sio_scan(event, "{'name': %64s, 'key': %64s, 'room': %64s, 'since': %lld}", name, key,
                     room + 1, &since);
    if (n != 4 || !is_name(name) || !is_name(room + 1))
        return "The name of a person or a room has 1 to 16 letters, all seen, and no spaces.";

    struct user *user = find(name, true);
    if (!user)
        return "The chat is full.";
    bool is_known = is_same(user->name, name), is_owner = strcmp(user->key, key) == 0;
    if (is_known && !is_owner && !is_gone(user))
        return "Somebody else has that name.";
    if (!is_known || !is_owner)
        *user = (struct user){ .since = last };
    if (user->socket != socket || strcmp(user->name, name) != 0) {
        part(socket);  // as whom it was before
        if (user->socket) {
            sio_emit(sio_self(user->socket), "replaced", "");
            part(user->socket);
        }
        sio_set_data(socket, user, NULL);
        user->socket = socket;
    }
    strcpy(user->name, name);
    strcpy(user->key, key);
    if (strcmp(user->room, room) != 0) {
        leave(user);
        if (sio_join(socket, room) < 0)
            return "The server is out of memory.";
        strcpy(user->room, room);
        tell_change("joined", user);
    }
    sio_target self = sio_self(socket);
    sio_each_room(ns, tell_size, &self);
    sio_each(sio_to(sio_all(ns), room), tell_here, socket);
    tell_missed(user, since);
    return "";
}

static const char *say(sio_socket *socket, sio_event *event)
{
    struct line line;
    const struct user *user = sio_data(socket), *other = NULL;
    if (!user)
        return "Tell your name first.";
    int n =
        sio_scan(event, "{'to': %65s, 'id': %24s, 'text': %1500s}", line.to, line.id, line.text);
    bool is_place = n > 0 && (line.to[0] == '#' || line.to[0] == '@') && is_name(line.to + 1);
    if (!is_place || n != 3 || !line.text[0])
        return "A line has 1 to 500 letters and goes to a #room or a @name.";
    for (size_t i = 0; i < LINES; i++)
        if (strcmp(lines[i].id, line.id) == 0 && is_same(lines[i].from, user->name)) {
            tell_line(sio_self(socket), &lines[i]);  // the page knows lines that it has seen
            return "";  // said before: the acknowledgement was lost, and what came with it
        }
    if (line.to[0] == '@' && (!(other = find(line.to + 1, false)) || is_gone(other)))
        return "Nobody of that name is here.";

    if (other)
        strcpy(line.to + 1, other->name);
    strcpy(line.from, user->name);
    long long now = (long long)time(NULL) * 1000;
    last = line.at = now > last ? now : last + 1;
    dropped = lines[n_lines % LINES].at;
    lines[n_lines++ % LINES] = line;
    sio_target to = sio_to(sio_all(ns), other ? sio_id(socket) : line.to);
    if (other && other->socket)
        to = sio_to(to, sio_id(other->socket));
    tell_line(to, &line);
    return "";
}

static void on_disconnecting(sio_socket *socket, sio_event *event)
{
    (void)event;
    part(socket);
}

static void on_request(sio_socket *socket, sio_event *event)
{
    bool is_join = strcmp(sio_name(event), "join") == 0;
    sio_ack(event, "%s", is_join ? join(socket, event) : say(socket, event));
}

static void on_typing(sio_socket *socket, sio_event *event)
{
    (void)event;
    const struct user *user = sio_data(socket);
    if (user && user->room[0])
        sio_emit(sio_volatile(sio_to(sio_broadcast(socket), user->room)), "typing", "%s, %s",
                 user->room + 1, user->name);
}

/* ---- The program ----------------------------------------------------------------------------- */

static const char usage[] =
    "usage: chat [--port 3000] [--host 127.0.0.1] [--page chat.html] [--client sio.js]\n"
    "  --port    0 takes a free one\n"
    "  --host    the address to listen at; 0.0.0.0 or :: for all\n"
    "  --page    the file to serve as the page\n"
    "  --client  the file to serve as socket.io.js, such as the official one\n";

static void on_signal(int number)
{
    signal(number, SIG_DFL);  // a second one ends the program at once
    sio_shutdown(io);
}

/* The chat never waits for whoever reads its log: a line that would have to wait is dropped, and how
 * many were is said before the next one. A pipe that takes any bytes takes 512 (POSIX: PIPE_BUF). */
static void print_log(void *user, const char *text)
{
    static unsigned long n_dropped;
    struct pollfd end = { .fd = STDERR_FILENO, .events = POLLOUT };
    char line[512];
    int n = 0;
    (void)user;
    if (n_dropped > 0)
        n = snprintf(line, sizeof line, "chat: lines dropped: %lu\n", n_dropped);
    n += snprintf(line + n, sizeof line - (size_t)n, "chat: %.*s\n", 504 - n, text);
    bool is_taken = poll(&end, 1, 0) == 1 && (end.revents & POLLOUT) != 0 &&
                    write(STDERR_FILENO, line, (size_t)n) > 0;
    n_dropped = is_taken ? 0 : n_dropped + 1;
}

/* Where a file is: beside the program, or here. Good until the next call. */
static const char *locate(const char *program, const char *name)
{
    static char file[4096];
    const char *slash = strrchr(program, '/');
    snprintf(file, sizeof file, "%.*s%s", slash ? (int)(slash - program) + 1 : 0, program, name);
    return access(file, R_OK) == 0 ? file : name;
}

static int fail(const char *what)
{
    fprintf(stderr, "chat: %s: %s\n", what, strerror(errno));
    return 1;
}

/* make puts both into the program; compiled otherwise, it reads them. */
static int serve_pages(const char *program, const char *page, const char *client)
{
#ifdef CHAT_CARRIES
    extern const unsigned char chat_html[], sio_js[];
    extern const size_t chat_html_size, sio_js_size;
    static const char html[] = "text/html; charset=utf-8",
                      script[] = "application/javascript; charset=utf-8";
    if (page == NULL && sio_bundle(io, "/", html, chat_html, chat_html_size) < 0)
        return fail("no memory");
    if (client == NULL &&
        sio_bundle(io, "/socket.io/socket.io.js", script, sio_js, sio_js_size) < 0)
        return fail("no memory");
#else
    page = page == NULL ? "chat.html" : page;
    client = client == NULL ? "sio.js" : client;
#endif
    if (page != NULL && sio_file(io, "/", locate(program, page)) < 0)
        return fail(page);
    if (client != NULL && sio_serve_client(io, locate(program, client)) < 0)
        return fail(client);
    return 0;
}

/* An address that a browser on this machine can open. */
static void print_address(const char *host, int port)
{
    bool is_all = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (is_all)
        puts("Listening at all addresses of this machine.");
    if (is_all || strcmp(host, "127.0.0.1") == 0)
        host = "localhost";
    if (strchr(host, ':'))
        printf("Chat at http://[%s]:%d\n", host, port);  // RFC 3986, 3.2.2
    else
        printf("Chat at http://%s:%d\n", host, port);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *port = "3000", *host = "127.0.0.1", *page = NULL, *client = NULL;
    int number;
    char rest;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    for (int i = 1; i < argc; i += 2) {
        const char **value = strcmp(argv[i], "--port") == 0     ? &port
                             : strcmp(argv[i], "--host") == 0   ? &host
                             : strcmp(argv[i], "--page") == 0   ? &page
                             : strcmp(argv[i], "--client") == 0 ? &client
                                                                : NULL;
        if (!value || i + 1 == argc) {
            fprintf(stderr, "chat: can't make sense of %s\n%s", argv[i], usage);
            return 2;
        }
        *value = argv[i + 1];
    }
    if (sscanf(port, "%5d%c", &number, &rest) != 1 || number < 0 || number > 65535) {
        fprintf(stderr, "chat: %s is no port\n%s", port, usage);
        return 2;
    }

    io = sio_new(&(sio_options){ .log = print_log });
    if (!io)
        return fail("can't start");
    ns = sio_of(io, "/");
    sio_on(ns, "join", on_request);
    sio_on(ns, "line", on_request);
    sio_on(ns, "typing", on_typing);
    sio_on(ns, "disconnecting", on_disconnecting);
    if (serve_pages(argv[0], page, client) != 0)
        return 1;
    number = sio_listen(io, host, number);
    if (number < 0)
        return fail("can't listen there");

    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);  // who reads the log may go
    print_address(host, number);
    if (sio_run(io) < 0)
        return fail("can't go on");
    print_log(NULL, "goodbye");
    sio_free(io);
    return 0;
}
