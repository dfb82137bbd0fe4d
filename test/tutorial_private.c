/* tutorial_private.c - messages to oneself, to the others, to everybody, and to somebody in private
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_private [PORT]    then open http://localhost:3000 in two tabs */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_emit(sio_self(socket), "welcome", "%s", sio_id(socket));
    sio_emit(sio_broadcast(socket), "new user", "%s", sio_id(socket));
}

static void on_public(sio_socket *socket, sio_event *event)
{
    char text[501];
    if (sio_scan(event, "%500s", text) == 1)
        sio_emit(sio_all(sio_ns(socket)), "public message", "%s, %s", sio_id(socket), text);
}

static void on_private(sio_socket *socket, sio_event *event)
{
    char id[65], text[501];
    if (sio_scan(event, "%64s, %500s", id, text) == 2)
        sio_emit(sio_to(sio_all(sio_ns(socket)), id), "private message", "%s, %s", sio_id(socket),
                 text);
}

int main(int argc, char **argv)
{
    sio_server *io = sio_new(NULL);
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "public message", on_public);
    sio_on(ns, "private message", on_private);

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
