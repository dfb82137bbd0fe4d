/* tutorial_rooms.c - rooms: who joins one hears what is said there
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_rooms [PORT]    then open http://localhost:3000 in two tabs */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_join(sio_socket *socket, sio_event *event)
{
    char room[33];
    if (sio_scan(event, "%32s", room) != 1 || sio_join(socket, room) < 0)
        return;
    sio_emit(sio_to(sio_broadcast(socket), room), "joined", "%s, %s", room, sio_id(socket));
    sio_ack(event, "%p", sio_socket_rooms(socket));
}

static void on_leave(sio_socket *socket, sio_event *event)
{
    char room[33];
    if (sio_scan(event, "%32s", room) != 1)
        return;
    sio_leave(socket, room);
    sio_ack(event, "%p", sio_socket_rooms(socket));
}

static void on_say(sio_socket *socket, sio_event *event)
{
    char room[33], text[501];
    if (sio_scan(event, "%32s, %500s", room, text) == 2 && sio_in_room(socket, room))
        sio_emit(sio_to(sio_all(sio_ns(socket)), room), "said", "%s, %s", room, text);
}

int main(int argc, char **argv)
{
    sio_server *io = sio_new(NULL);
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "join", on_join);
    sio_on(ns, "leave", on_leave);
    sio_on(ns, "say", on_say);

    if (sio_serve_client(io, "sio.js") < 0 || sio_file(io, "/", "test/tutorial_page.html") < 0) {
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
