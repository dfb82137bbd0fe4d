/* chat_lines.c - what was said: the last thousand lines of all rooms
 * SPDX-License-Identifier: MIT
 *
 * No line is lost, and none is doubled, when connections break. A client repeats a line under its
 * id until it is acknowledged; one that is kept already is not kept again. A line has a number (at)
 * above those of all lines before it; a client that comes back names the last that it saw (since),
 * and is sent what came after.
 *
 * Each process of a cluster keeps all lines, and tells them to its own clients:
 *
 *     line   {room, author, .., at, size, image}    image: two letters, a to p, for each byte
 *     ask                                           one that starts, or was alone: is told all lines
 *
 * Numbers are Lamport's: a line is above all that its process knew when it was said. Two processes may
 * give the same number at the same time, and a line may arrive after higher ones: so lines are kept in
 * the order of their numbers, and who comes back in a cluster is sent some more (SLACK). What a page
 * has seen it knows by id, or by number and person. */
#include "chat.h"

#include <string.h>
#include <time.h>

enum {
    LINES = 1000,
    SLACK =
        10000,  // how much numbers are apart that were given at once: ms, as what numbers are made of
    PICTURES =
        8000000  // bytes of all that are kept, the last: who comes in gets them at once (max_output)
};

static sio_namespace *ns;
static bool is_shared;          // with other processes
static chat_line lines[LINES];  // line i is at i % LINES; in the order of their numbers
static size_t n_lines, pictures;
static long long last, dropped;  // numbers of lines: the last, and the last that is not kept

void chat_tell_line(sio_target to, const chat_line *l)
{
    if (l->code != NULL)
        sio_emit(to, "line", "{'to': %s, 'at': %lld, 'from': %s, 'code': %s}", l->to, l->at,
                 l->from, l->code);
    else if (l->size == 0)
        sio_emit(to, "line", "{'to': %s, 'at': %lld, 'id': %s, 'from': %s, 'text': %s}", l->to,
                 l->at, l->id, l->from, l->text);
    else
        sio_emit(to, "line",
                 "{'to': %s, 'at': %lld, 'id': %s, 'from': %s, 'text': %s, 'image': %p}", l->to,
                 l->at, l->id, l->from, l->text, l->image);
}

static void forget_picture(chat_line *l)
{
    if (l->image == NULL)
        return;
    pictures -= l->size;
    sio_drop(l->image);
    l->image = NULL;
}

/* Puts it where its number belongs, for which the lowest leaves. */
static void insert(const chat_line *line)
{
    size_t first = n_lines < LINES ? 0 : n_lines - LINES + 1, i = n_lines++;
    if (lines[i % LINES].at > dropped)
        dropped = lines[i % LINES].at;
    forget_picture(&lines[i % LINES]);
    for (; i > first && lines[(i - 1) % LINES].at > line->at; i--)
        lines[i % LINES] = lines[(i - 1) % LINES];
    lines[i % LINES] = *line;
    if (line->image != NULL)
        pictures += line->size;
    for (size_t k = 0; pictures > PICTURES; k++)
        forget_picture(&lines[(n_lines + k) % LINES]);
}

/* Here. */
static void keep(const chat_line *line)
{
    sio_target to = sio_local(sio_to(sio_all(ns), line->room));
    insert(line);
    chat_tell_line(line->room[0] == '@' ? sio_to(to, line->author) : to, line);
}

long long chat_number(void)
{
    long long now = (long long)time(NULL) * 1000;
    return last = now > last ? now : last + 1;
}

const chat_line *chat_find_line(const char *author, const char *id)
{
    for (const chat_line *l = lines; l < lines + LINES; l++)
        if (strcmp(l->id, id) == 0 && strcmp(l->author, author) == 0)
            return l;
    return NULL;
}

void chat_tell_missed(sio_socket *socket, const char *room, long long since, long long floor)
{
    long long from = is_shared ? since - SLACK : since;
    if (since > 0 && since < dropped && room[0] == '#')
        sio_emit(sio_self(socket), "gap", "%s", room);
    for (size_t i = 0; i < LINES; i++) {
        const chat_line *l = &lines[(n_lines + i) % LINES];
        bool is_own = l->room[0] == '@' && strcmp(l->author, room) == 0;
        if (l->at > from && l->at > floor && (is_own || strcmp(l->room, room) == 0))
            chat_tell_line(sio_self(socket), l);
    }
}

/* ---- Several processes ----------------------------------------------------------------------- */

/* Events between processes are JSON, in which bytes would be a list of numbers. */
static char digits[2 * CHAT_PICTURE + 1];
static unsigned char bytes[CHAT_PICTURE];

static sio_value write_picture(const chat_line *l)
{
    size_t n;
    const unsigned char *p = sio_bytes(l->image, &n);
    if (p == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        digits[2 * i] = (char)('a' + (p[i] >> 4));
        digits[2 * i + 1] = (char)('a' + (p[i] & 15));
    }
    digits[2 * n] = 0;
    return sio_make(sio_ns_server(ns), "%s", digits);
}

/* To be kept; NULL: it is none. */
static sio_value read_picture(sio_value text, size_t size)
{
    size_t n;
    const char *p = sio_text(text, &n);
    if (p == NULL || size > CHAT_PICTURE || n != 2 * size)
        return NULL;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(((p[2 * i] - 'a') & 15) << 4 | ((p[2 * i + 1] - 'a') & 15));
    return sio_keep(sio_ns_server(ns), sio_binary(sio_ns_server(ns), bytes, size));
}

static void share(const chat_line *l)
{
    if (is_shared)
        sio_server_emit(ns, "line",
                        "{'room': %s, 'author': %s, 'to': %s, 'from': %s, 'id': %s, 'text': %s,"
                        " 'code': %s, 'at': %lld, 'size': %zu, 'image': %p}",
                        l->room, l->author, l->to, l->from, l->id, l->text,
                        l->code == NULL ? "" : l->code, l->at, l->size, write_picture(l));
}

void chat_keep(chat_line *line)
{
    line->at = chat_number();
    keep(line);
    share(line);
}

static void share_all(void)
{
    for (size_t i = 0; i < LINES; i++)
        if (lines[(n_lines + i) % LINES].at > 0)
            share(&lines[(n_lines + i) % LINES]);
}

/* What a client repeats may be said to two processes: it has one id. */
static bool is_known(const chat_line *line)
{
    if (line->id[0])
        return chat_find_line(line->author, line->id) != NULL;
    for (const chat_line *l = lines; l < lines + LINES; l++)
        if (l->at == line->at && l->code != NULL && strcmp(l->code, line->code) == 0 &&
            strcmp(l->author, line->author) == 0 && strcmp(l->room, line->room) == 0)
            return true;
    return false;
}

static void on_line(sio_socket *socket, sio_event *event)
{
    chat_line line = { .code = NULL };
    char code[7];
    sio_value image;
    (void)socket;
    int n = sio_scan(event,
                     "{'room': %65s, 'author': %65s, 'to': %65s, 'from': %64s, 'id': %24s,"
                     " 'text': %1500s, 'code': %6s, 'at': %lld, 'size': %zu, 'image': %p}",
                     line.room, line.author, line.to, line.from, line.id, line.text, code, &line.at,
                     &line.size, &image);
    if (n != 10 || (!line.id[0] && !code[0]))
        return;
    if (code[0] && !line.id[0])
        line.code = code[0] == 'j' ? "joined" : "left";
    if (line.at > last)
        last = line.at;
    if (line.at <= dropped || is_known(&line))
        return;
    line.image = read_picture(image, line.size);
    keep(&line);
}

static void on_ask(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    share_all();
}

void chat_share_lines(void)
{
    is_shared = true;
    sio_server_emit(ns, "ask", "");
    share_all();
}

int chat_lines_open(sio_namespace *namespace)
{
    ns = namespace;
    return sio_on_server(ns, "line", on_line) | sio_on_server(ns, "ask", on_ask);
}

void chat_forget(void)
{
    for (size_t i = 0; i < LINES; i++)
        forget_picture(&lines[i]);
}
