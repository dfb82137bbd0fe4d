/* tutorial_chat_room.c - the namespace /chat_room: people with names join rooms, talk, and leave
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_chat_room [PORT]    then open http://localhost:3000 in two tabs */
#define _POSIX_C_SOURCE 200809L  // strdup
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sio.h"

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_emit(sio_self(socket), "인삿말", "'안녕하세요! 반갑습니다.'");
}

/* Tells all who are in the socket's room. */
static void tell(sio_socket *socket, const char *event, const char *text)
{
    const char *room = sio_room(socket, 0), *name = sio_data(socket);
    if (room != NULL)
        sio_emit(sio_to(sio_all(sio_ns(socket)), room), event, "%s, %s, %s", room, name, text);
}

static void on_join(sio_socket *socket, sio_event *event)
{
    char room[33], name[33];
    if (sio_room(socket, 0) != NULL || sio_scan(event, "%32s, %32s", room, name) != 2)
        return;
    sio_set_data(socket, strdup(name), free);
    sio_join(socket, room);
    tell(socket, "joined", "");
    sio_ack(event, "%zu", sio_room_size(sio_ns(socket), room));
}

static void on_message(sio_socket *socket, sio_event *event)
{
    char text[501];
    if (sio_scan(event, "%500s", text) == 1)
        tell(socket, "message", text);
}

static void on_leave(sio_socket *socket, sio_event *event)
{
    const char *room = sio_room(socket, 0);
    (void)event;
    tell(socket, "left", "");
    if (room != NULL)
        sio_leave(socket, room);
}

int main(int argc, char **argv)
{
    sio_server *io = sio_new(NULL);
    sio_namespace *ns = sio_of(io, "/chat_room");
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "join", on_join);
    sio_on(ns, "message", on_message);
    sio_on(ns, "leave", on_leave);
    sio_on(ns, "disconnecting", on_leave);

    if (sio_serve_client(io, "sio.js") < 0 ||
        sio_file(io, "/", "test/tutorial_chat_room.html") < 0) {
        perror("start it in the folder of sio.js");
        return 1;
    }
    int port = sio_listen(io, "127.0.0.1", argc > 1 ? atoi(argv[1]) : 3000);
    if (port < 0) {
        perror("can't listen");
        return 1;
    }
    printf("listening on %d\n", port);
    fflush(stdout);
    return sio_run(io) < 0;
}
