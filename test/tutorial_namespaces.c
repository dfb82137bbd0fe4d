/* tutorial_namespaces.c - /chat and /news: two namespaces that know nothing of each other
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_namespaces [PORT]    then open http://localhost:3000 */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_emit(sio_self(socket), "welcome", "%s, %s", sio_ns_name(sio_ns(socket)), sio_id(socket));
}

static void on_message(sio_socket *socket, sio_event *event)
{
    sio_emit(sio_all(sio_ns(socket)), "message", "%p", sio_arg(event, 0));
}

static void publish(sio_server *io, void *data)
{
    sio_namespace *news = data;
    (void)io;
    sio_emit(sio_all(news), "headline", "{'readers': %zu}", sio_ns_size(news));
}

int main(int argc, char **argv)
{
    sio_server *io = sio_new(NULL);
    sio_namespace *chat = sio_of(io, "/chat"), *news = sio_of(io, "/news");
    sio_on(chat, "connection", on_connection);
    sio_on(chat, "message", on_message);
    sio_on(news, "connection", on_connection);
    sio_every(io, 1000, publish, news);

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
