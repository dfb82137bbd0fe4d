/* chat.h - what the files of the chat know of each other: a program made of sio.h alone
 * SPDX-License-Identifier: MIT */
#ifndef CHAT_H
#define CHAT_H

#include "sio.h"

#include <time.h>

/* ---- chat_names.c: which names there are ------------------------------------------------------ */

enum { CHAT_NAME = 64 };  // bytes: 16 letters

/* Writes what all names have in common that look like this one, which is no longer, to plain. False: it
 * is no name. */
bool chat_plain(const char *name, char plain[CHAT_NAME + 1]);

/* ---- chat_qr.c: a square that phones read ----------------------------------------------------- */

enum { CHAT_QR = 29 };  // modules of a side

/* Draws text, of at most 53 bytes: true is dark. False: it does not fit. */
bool chat_qr(const char *text, bool dark[CHAT_QR][CHAT_QR]);

/* ---- chat_lan.c: where this machine is -------------------------------------------------------- */

/* Prints the addresses at which others in the same network find it; for a terminal one as a square. */
void chat_print_lan(int port);

/* ---- chat_admin.c: how the server is ---------------------------------------------------------- */

/* Serves /metrics, and the namespace /admin to who has the key, which it keeps: who is in watched, what
 * they are called there (name; NULL: nothing), and how all of it goes. -1: no memory. */
int chat_admin(sio_namespace *watched, const char *key,
               const char *(*name)(const sio_socket *socket));

/* Memory that the program has of the system, in bytes; 0: the system does not tell. */
size_t chat_memory(void);

/* ---- chat_lines.c: what was said -------------------------------------------------------------- */

enum {
    CHAT_PICTURE = 700000
};  // bytes; by polling it is a third longer, and max_payload a million

typedef struct chat_line {
    char room[CHAT_NAME + 2];    // who gets it: "#room", or "@name" in the plain form
    char author[CHAT_NAME + 2];  // "@name" in the plain form
    char to[CHAT_NAME + 2], from[CHAT_NAME + 1];  // both as they are spelled
    char id[24 + 1], text[1500 + 1];
    const char *code;  // NULL: a line that somebody wrote
    long long at;      // its number: above those of all that this process knew before
    size_t size;       // of its picture; 0: none
    sio_value image;   // NULL: none, or not kept any more
} chat_line;

/* -1: no memory. */
int chat_lines_open(sio_namespace *ns);
/* From now on there are other processes, which miss what is kept here, and the other way round. */
void chat_share_lines(void);
/* Numbers a line, keeps it in place of the oldest, and tells it whom it concerns, in all processes; takes
 * its image, which sio_keep made. */
void chat_keep(chat_line *line);
/* The line of that author and id; NULL: it is not kept. */
const chat_line *chat_find_line(const char *author, const char *id);
void chat_tell_line(sio_target to, const chat_line *line);
/* What was said to a room, or to and by the person of a home, since the line of that number; nothing up to
 * the number floor. */
void chat_tell_missed(sio_socket *socket, const char *room, long long since, long long floor);
long long chat_number(void);  // one that no line of this process has
void chat_forget(void);       // all pictures: before sio_free

/* ---- chat_people.c: whose a name is ----------------------------------------------------------- */

typedef struct chat_person {
    char home[CHAT_NAME + 2];  // "@name", in the plain form: the room of their sockets
    char name[CHAT_NAME + 1], key[CHAT_NAME + 1];
    time_t left;        // when a socket went away, or another process told of them
    long long since;    // private lines up to this number are those of the name's last owner
    bool is_elsewhere;  // another process has tabs of theirs, as it said then
} chat_person;

int chat_people_open(sio_namespace *ns);
/* The name's owner, who may just have become that. NULL: somebody else, or nobody can; *why. */
chat_person *chat_claim(const char *name, const char *home, const char *key, const char **why);
/* Who has that home, or had it a minute ago. NULL: nobody. */
const chat_person *chat_find_person(const char *home);
/* Tells the other processes of one who has just come or lost a tab; and of all that are here. */
void chat_tell_person(chat_person *person);
void chat_tell_people(void);

/* ---- chat_roll.c: who is where ---------------------------------------------------------------- */

/* Somebody who comes into a room or leaves it, as it was then. */
typedef struct chat_visit {
    struct chat_visit *next;
    void (*fn)(const struct chat_visit *visit);
    char room[CHAT_NAME + 2], home[CHAT_NAME + 2], name[CHAT_NAME + 1];
    uint64_t socket;
    sio_later later;
    bool is_first;  // comes into a room for the first time
    bool is_new;    // was not there with any tab of this process
} chat_visit;

void chat_roll_open(sio_namespace *ns);
/* Looks around in all processes, and calls fn in a later turn. Lends the visit until then, to be filled
 * in. NULL: no memory. */
chat_visit *chat_look(void (*fn)(const chat_visit *visit));
/* In fn: how many people are in a room, not tabs, and who (names may be NULL); whether a person is with
 * another process; all rooms that somebody is in. */
size_t chat_people_in(const char *room, sio_value names);
bool chat_is_elsewhere(const char *home, const char *room);
void chat_each_room(void (*fn)(const char *room, size_t people, void *data), void *data);

/* ---- chat.c: the rooms ------------------------------------------------------------------------ */

/* Opens them; size: of the program, in bytes, which pages are told. -1: no memory. */
int chat_open(sio_server *io, size_t size);
/* Makes them those of all processes at that Redis. -1: as sio_redis. */
int chat_cluster(const char *url);
const char *chat_name(const sio_socket *socket);

#endif
