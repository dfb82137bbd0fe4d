/* chat_lines.c - what was said: the last thousand lines of all rooms
 * SPDX-License-Identifier: MIT
 *
 * No line is lost, and none is doubled, when connections break. A client repeats a line under its
 * id until it is acknowledged; one that is kept already is not kept again. A line has a number (at)
 * above those of all lines before it; a client that comes back names the last that it saw (since),
 * and is sent what came after. */
#include "chat.h"

#include <string.h>
#include <time.h>

enum {
    LINES = 1000,
    PICTURES =
        8000000  // bytes of all that are kept, the last: who comes in gets them at once (max_output)
};

static chat_line lines[LINES];  // line i is at i % LINES
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

void chat_keep(sio_namespace *ns, chat_line *line)
{
    long long now = (long long)time(NULL) * 1000;
    chat_line *place = &lines[n_lines++ % LINES];
    last = line->at = now > last ? now : last + 1;
    dropped = place->at;
    forget_picture(place);
    *place = *line;
    if (line->image != NULL)
        pictures += line->size;
    for (size_t i = 0; pictures > PICTURES; i++)
        forget_picture(&lines[(n_lines + i) % LINES]);
    sio_target to = sio_to(sio_all(ns), line->room);
    chat_tell_line(line->room[0] == '@' ? sio_to(to, line->author) : to, line);
}

const chat_line *chat_find_line(const char *author, const char *id)
{
    for (const chat_line *l = lines; l < lines + LINES; l++)
        if (strcmp(l->id, id) == 0 && strcmp(l->author, author) == 0)
            return l;
    return NULL;
}

void chat_tell_missed(sio_socket *socket, const char *room, long long since)
{
    if (since > 0 && since < dropped && room[0] == '#')
        sio_emit(sio_self(socket), "gap", "%s", room);
    for (size_t i = 0; i < LINES; i++) {
        const chat_line *l = &lines[(n_lines + i) % LINES];
        bool is_own = l->room[0] == '@' && strcmp(l->author, room) == 0;
        if (l->at > since && (is_own || strcmp(l->room, room) == 0))
            chat_tell_line(sio_self(socket), l);
    }
}

long long chat_last_line(void)
{
    return last;
}

void chat_forget(void)
{
    for (size_t i = 0; i < LINES; i++)
        forget_picture(&lines[i]);
}
