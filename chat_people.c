/* chat_people.c - whose a name is
 * SPDX-License-Identifier: MIT
 *
 * A name belongs to who has its key, in as many tabs as they like; also for a minute after the last. Which
 * names are one is said in chat_names.c.
 *
 * Each process of a cluster knows all people. It tells the others of its own by
 *
 *     person   {home, name, key, since, here}    here: they have a tab with this process
 *
 * when a person comes or loses a tab, when the others ask, and every BEAT seconds: so the names of a
 * process that was killed are held for a while, too. Where two processes gave a name to two people before
 * they heard of each other, it is the one's with the lower number (since), who is the older owner by the
 * second; and the other is disconnected. */
#include "chat.h"

#include <string.h>
#include <time.h>

enum {
    PEOPLE = 1000,  // remembered; who is away for longest makes way for a new one
    HOLD = 60,      // seconds
    BEAT = 20       // seconds
};

static chat_person people[PEOPLE];
static sio_namespace *ns;

static bool has_tab(const chat_person *person)
{
    return sio_room_size(ns, person->home) > 0;
}

static bool is_held(const chat_person *person, time_t seconds)
{
    return has_tab(person) || time(NULL) - person->left <= seconds;
}

static bool is_away(const chat_person *person)
{
    return !has_tab(person) && (!person->is_elsewhere || !is_held(person, HOLD));
}

/* The person of that home; or, to make one, the record that is unused for longest. NULL: none. */
static chat_person *find(const char *home, bool make)
{
    chat_person *spare = NULL;
    for (chat_person *p = people; p < people + PEOPLE; p++) {
        if (strcmp(p->home, home) == 0)
            return p;
        if (make && (spare == NULL || p->left < spare->left) && (!p->home[0] || is_away(p)))
            spare = p;
    }
    return spare;
}

const chat_person *chat_find_person(const char *home)
{
    const chat_person *person = find(home, false);
    return person != NULL && is_held(person, HOLD) ? person : NULL;
}

chat_person *chat_claim(const char *name, const char *home, const char *key, const char **why)
{
    chat_person *person = find(home, true);
    *why = person == NULL ? "full" : "taken";
    if (person == NULL)
        return NULL;
    bool is_known = strcmp(person->home, home) == 0, is_owner = strcmp(person->key, key) == 0;
    if (is_known && !is_owner && is_held(person, HOLD))
        return NULL;
    if (!is_known || !is_owner)
        *person = (chat_person){ .since = chat_number() };
    if (!person->home[0] || is_away(person))
        strcpy(person->name, name);
    strcpy(person->home, home);
    strcpy(person->key, key);
    return person;
}

/* ---- Several processes ----------------------------------------------------------------------- */

void chat_tell_person(chat_person *person)
{
    person->left = time(NULL);
    sio_server_emit(ns, "person",
                    "{'home': %s, 'name': %s, 'key': %s, 'since': %lld, 'here': !!%d}",
                    person->home, person->name, person->key, person->since, has_tab(person));
}

void chat_tell_people(void)
{
    for (chat_person *p = people; p < people + PEOPLE; p++)
        if (p->home[0] && has_tab(p))
            chat_tell_person(p);
}

static void on_beat(sio_server *io, void *data)
{
    (void)io, (void)data;
    chat_tell_people();
}

/* All processes decide alike, whichever of the two they know. */
static bool is_older(const chat_person *a, const chat_person *b)
{
    return a->since != b->since ? a->since < b->since : strcmp(a->key, b->key) < 0;
}

/* A minute is not over for all processes at once: what the others hold no more may be held here for a
 * little longer, and makes way. */
static void on_person(sio_socket *socket, sio_event *event)
{
    chat_person other = { .left = time(NULL) };
    int here;
    (void)socket;
    int n =
        sio_scan(event, "{'home': %65s, 'name': %64s, 'key': %64s, 'since': %lld, 'here': !!%d}",
                 other.home, other.name, other.key, &other.since, &here);
    chat_person *person = n != 5 ? NULL : find(other.home, true);
    if (person == NULL)
        return;
    other.is_elsewhere = here;
    bool is_known = strcmp(person->home, other.home) == 0;
    if (is_known && strcmp(person->key, other.key) == 0) {
        if (has_tab(person))
            strcpy(other.name, person->name);
        if (other.since < person->since)
            other.since = person->since;
    } else if (is_known) {
        if (is_held(person, HOLD - BEAT) && is_older(person, &other))
            return;
        sio_disconnect_sockets(sio_local(sio_to(sio_all(ns), other.home)), false);
    }
    *person = other;
}

static void on_ask(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    chat_tell_people();
}

int chat_people_open(sio_namespace *namespace)
{
    ns = namespace;
    if (sio_every(sio_ns_server(ns), 1000 * BEAT, on_beat, NULL) == 0)
        return -1;
    return sio_on_server(ns, "person", on_person) | sio_on_server(ns, "ask", on_ask);
}
