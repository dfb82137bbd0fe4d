/* tutorial_chat.c - the chat of socket.io's "Get started", in C
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_chat         then open http://localhost:3000 in two tabs
 *     build/tutorial_chat 3001    another port */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    puts("a user connected");
}

static void on_message(sio_socket *socket, sio_event *event)
{
    sio_emit(sio_all(sio_ns(socket)), "chat message", "%p", sio_arg(event, 0));
}

static void on_disconnect(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    puts("user disconnected");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    sio_server *io = sio_new(NULL);
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "chat message", on_message);
    sio_on(ns, "disconnect", on_disconnect);

    if (sio_serve_client(io, "sio.js") < 0 || sio_file(io, "/", "test/tutorial_chat.html") < 0) {
        perror("start it in the folder of sio.js");
        return 1;
    }
    int port = sio_listen(io, "127.0.0.1", argc > 1 ? atoi(argv[1]) : 3000);
    if (port < 0) {
        perror("can't listen");
        return 1;
    }
    printf("listening on *:%d\n", port);
    return sio_run(io) < 0;
}
