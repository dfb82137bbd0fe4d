/* tutorial_binary.c - bytes: a photo goes to the others, and its sender learns how long it is
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_binary [PORT]    then open http://localhost:3000 in two tabs */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_connection(sio_socket *socket, sio_event *event)
{
    static const char dot[] = "GIF89a\1\0\1\0\200\0\0\377\200\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
    (void)event;
    sio_emit(sio_self(socket), "photo", "%p",
             sio_binary(sio_socket_server(socket), dot, sizeof dot - 1));
}

static void on_photo(sio_socket *socket, sio_event *event)
{
    size_t n = 0;
    if (sio_bytes(sio_arg(event, 0), &n) == NULL) {
        sio_ack(event, "{'error': 'not bytes'}");
        return;
    }
    sio_emit(sio_broadcast(socket), "photo", "%p", sio_arg(event, 0));
    sio_ack(event, "{'bytes': %zu}", n);
}

int main(int argc, char **argv)
{
    sio_server *io = sio_new(&(sio_options){ .max_payload = 10000000 });
    sio_on(sio_of(io, "/"), "connection", on_connection);
    sio_on(sio_of(io, "/"), "photo", on_photo);

    if (sio_serve_client(io, "sio.js") < 0 || sio_file(io, "/", "test/tutorial_binary.html") < 0) {
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
