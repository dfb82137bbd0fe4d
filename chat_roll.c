/* chat_roll.c - who is where, in all processes
 * SPDX-License-Identifier: MIT
 *
 * Nothing is remembered here: who is in a room is asked anew each time, of all processes at once, so a
 * process that was killed leaves nobody behind. One look serves all that wait for it:
 *
 *     chat_look --> waiting --the last one is over--> asked --the answer--> fn of each, in order */
#include "chat.h"

#include <stdlib.h>
#include <string.h>

/* A socket in a room. The answer lends the texts. */
typedef struct seat {
    const char *room, *home, *name, *id;
} seat;

static seat *seats;  // by room and home; while an answer is there
static size_t n_seats, n_places;

static sio_namespace *ns;
static chat_visit *waiting, *asked;
static bool is_looking;

static int compare(const void *a, const void *b)
{
    const seat *x = a, *y = b;
    int order = strcmp(x->room, y->room);
    return order != 0 ? order : strcmp(x->home, y->home);
}

static bool add(seat s)
{
    if (n_seats == n_places) {
        size_t more = 2 * n_places + 64;
        seat *larger = realloc(seats, more * sizeof *larger);
        if (larger == NULL)
            return false;
        seats = larger;
        n_places = more;
    }
    seats[n_seats++] = s;
    return true;
}

static void add_socket(sio_value socket)
{
    sio_value data = sio_member(socket, "data"), rooms = sio_member(socket, "rooms");
    seat s = { .home = sio_text(sio_member(data, "home"), NULL),
               .name = sio_text(sio_member(data, "name"), NULL),
               .id = sio_text(sio_member(socket, "id"), NULL) };
    if (s.home == NULL || s.name == NULL || s.id == NULL)
        return;  // has told no name yet
    size_t n = sio_count(rooms);
    for (size_t i = 0; i < n; i++)
        if ((s.room = sio_text(sio_at(rooms, i), NULL)) != NULL && s.room[0] == '#' && !add(s))
            return;
}

static bool is_same_room(size_t i, const char *room)
{
    return strcmp(seats[i].room, room) == 0;
}

/* Several tabs of a person stand side by side. */
static bool is_first_tab(size_t i)
{
    return i == 0 || compare(&seats[i - 1], &seats[i]) != 0;
}

size_t chat_people_in(const char *room, sio_value names)
{
    size_t n = 0;
    for (size_t i = 0; i < n_seats; i++) {
        if (!is_same_room(i, room) || !is_first_tab(i))
            continue;
        n++;
        if (names != NULL)
            sio_push(names, "%s", seats[i].name);
    }
    return n;
}

bool chat_is_elsewhere(const char *home, const char *room)
{
    for (size_t i = 0; i < n_seats; i++)
        if (is_same_room(i, room) && strcmp(seats[i].home, home) == 0 &&
            sio_socket_by_id(ns, seats[i].id) == NULL)
            return true;
    return false;
}

void chat_each_room(void (*fn)(const char *room, size_t people, void *data), void *data)
{
    for (size_t i = 0, people = 0; i < n_seats; i++) {
        people += is_first_tab(i);
        if (i + 1 < n_seats && is_same_room(i + 1, seats[i].room))
            continue;
        fn(seats[i].room, people, data);
        people = 0;
    }
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer);

/* Where that fails, the next call tries again. */
static void look(void)
{
    if (is_looking || waiting == NULL || sio_fetch_sockets(sio_all(ns), on_answer, NULL) < 0)
        return;
    is_looking = true;
    asked = waiting;
    waiting = NULL;
}

/* error: then it is what there is. */
static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error;
    for (size_t i = 0; i < sio_argc(answer); i++)
        add_socket(sio_arg(answer, i));
    if (n_seats > 0)
        qsort(seats, n_seats, sizeof *seats, compare);
    for (chat_visit *v = asked, *next; v != NULL; v = next) {
        next = v->next;
        v->fn(v);
        free(v);
    }
    free(seats);
    seats = NULL;
    n_seats = n_places = 0;
    is_looking = false;
    look();
}

chat_visit *chat_look(void (*fn)(const chat_visit *visit))
{
    chat_visit **end = &waiting, *visit = calloc(1, sizeof *visit);
    if (visit == NULL)
        return NULL;
    visit->fn = fn;
    while (*end != NULL)
        end = &(*end)->next;
    *end = visit;
    look();
    return visit;
}

/* What each process tells the others of a socket. NULL: nothing. */
static sio_value share(sio_socket *socket)
{
    const chat_person *person = sio_data(socket);
    if (person == NULL)
        return NULL;
    return sio_make(sio_socket_server(socket), "{'home': %s, 'name': %s}", person->home,
                    person->name);
}

void chat_roll_open(sio_namespace *namespace)
{
    ns = namespace;
    sio_share(sio_ns_server(ns), share);
}
