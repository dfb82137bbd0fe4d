/* tutorial_private.c - private messages, an answer that comes later, a namespace with rooms
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_emit(sio_broadcast(socket), "new user", "%s", sio_id(socket));
}

static void on_private(sio_socket *socket, sio_event *event)
{
    char recipient[65];
    sio_value text;
    if (sio_scan(event, "%64s, %p", recipient, &text) == 2)
        sio_emit(sio_to(sio_all(sio_ns(socket)), recipient), "private message", "%s, %p",
                 sio_id(socket), text);
}

static void answer(sio_server *io, void *question)
{
    (void)io;
    sio_ack_now(*(sio_later *)question, "'here it is'");  // nothing if the client has gone
    free(question);
}

static void on_question(sio_socket *socket, sio_event *event)
{
    sio_later *question = malloc(sizeof *question);
    if (!question)
        return;
    *question = sio_ack_later(event);
    if (sio_after(sio_socket_server(socket), 1000, answer, question) == 0)
        free(question);
}

static void on_join(sio_socket *socket, sio_event *event)
{
    char room[33];
    if (sio_scan(event, "%32s", room) == 1 && sio_join(socket, room) == 0)
        sio_emit(sio_to(sio_all(sio_ns(socket)), room), "joined", "%s, %s", room, sio_id(socket));
}

static void on_leave(sio_socket *socket, sio_event *event)
{
    char room[33];
    if (sio_scan(event, "%32s", room) != 1)
        return;
    sio_leave(socket, room);
    sio_emit(sio_to(sio_all(sio_ns(socket)), room), "left", "%s, %s", room, sio_id(socket));
}

int main(int argc, char **argv)
{
    sio_server *io = sio_new(NULL);
    sio_on(sio_of(io, "/"), "connection", on_connection);
    sio_on(sio_of(io, "/"), "private message", on_private);
    sio_on(sio_of(io, "/"), "question", on_question);
    sio_on(sio_of(io, "/chat_room"), "join", on_join);
    sio_on(sio_of(io, "/chat_room"), "leave", on_leave);
    int port = sio_listen(io, "127.0.0.1", argc > 1 ? atoi(argv[1]) : 3000);
    printf("listening on %d\n", port);
    fflush(stdout);
    return port < 0 || sio_run(io) < 0;
}
