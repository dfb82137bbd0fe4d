/* tutorial_request.c - a request of the client is answered by an event of the server
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_request [PORT]    then open the file test/tutorial_request.html */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void on_request(sio_socket *socket, sio_event *event)
{
    char data[101];
    if (sio_scan(event, "{'data': %100s}", data) != 1)
        return;
    printf("request: %s\n", data);
    sio_emit(sio_self(socket), "response", "{'data': 'Recieve Respond'}");
}

static void tell(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    sio_server *io = sio_new(&(sio_options){
        .cors = "*",  // its page comes from elsewhere
        .log = tell,
    });
    sio_on(sio_of(io, "/"), "request", on_request);

    if (sio_serve_client(io, "sio.js") < 0) {
        perror("start it in the folder of sio.js");
        return 1;
    }
    int port = sio_listen(io, "127.0.0.1", argc > 1 ? atoi(argv[1]) : 20111);
    if (port < 0) {
        perror("can't listen");
        return 1;
    }
    printf("Server is up at 127.0.0.1:%d\n", port);
    return sio_run(io) < 0;
}
