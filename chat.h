/* chat.h - what the files of the chat know of each other: a program made of sio.h alone
 * SPDX-License-Identifier: MIT */
#ifndef CHAT_H
#define CHAT_H

#include "sio.h"

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

typedef struct chat_line {
    char room[CHAT_NAME + 2];    // who gets it: "#room", or "@name" in the plain form
    char author[CHAT_NAME + 2];  // "@name" in the plain form
    char to[CHAT_NAME + 2], from[CHAT_NAME + 1];  // both as they are spelled
    char id[24 + 1], text[1500 + 1];
    const char *code;  // NULL: a line that somebody wrote
    long long at;      // its number: above those of all before it
    size_t size;       // of its picture; 0: none
    sio_value image;   // NULL: none, or not kept any more
} chat_line;

/* Numbers a line, keeps it in place of the oldest, and tells it whom it concerns; takes its image, which
 * sio_keep made. */
void chat_keep(sio_namespace *ns, chat_line *line);
/* The line of that author and id; NULL: it is not kept. */
const chat_line *chat_find_line(const char *author, const char *id);
void chat_tell_line(sio_target to, const chat_line *line);
/* What was said to a room, or to and by the person of a home, since the line of that number. */
void chat_tell_missed(sio_socket *socket, const char *room, long long since);
long long chat_last_line(void);  // its number
void chat_forget(void);          // all pictures: before sio_free

/* ---- chat.c: the rooms ------------------------------------------------------------------------ */

/* Opens them; size: of the program, in bytes, which pages are told. -1: no memory. */
int chat_open(sio_server *io, size_t size);
const char *chat_name(const sio_socket *socket);

#endif
