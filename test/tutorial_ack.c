/* tutorial_ack.c - acknowledgements: at once, and a second later by a timer
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_ack [PORT]    then open http://localhost:3000 */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_echo(sio_socket *socket, sio_event *event)
{
    (void)socket;
    sio_ack(event, "%p", sio_arg(event, 0));
}

static void answer(sio_server *io, void *data)
{
    sio_later *later = data;
    (void)io;
    sio_ack_now(*later, "'success'");  // does nothing when the client has gone meanwhile
    free(later);
}

static void on_message(sio_socket *socket, sio_event *event)
{
    sio_later *later = malloc(sizeof *later);
    if (later == NULL)
        return;
    *later = sio_ack_later(event);  // the event is gone when this function returns, this is not
    if (sio_after(sio_socket_server(socket), 1000, answer, later) == 0)
        free(later);
}

int main(int argc, char **argv)
{
    sio_server *io = sio_new(NULL);
    sio_on(sio_of(io, "/"), "echo", on_echo);
    sio_on(sio_of(io, "/"), "message", on_message);

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
