/* tutorial_request.c - a request of the client is answered by an event of the server
 * SPDX-License-Identifier: MIT
 *
 *     const socket = io("http://127.0.0.1:20111");
 *     socket.on("response", (response) => console.log(response.data));
 *     socket.emit("request", { data: "Send Request" }); */
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

int main(int argc, char **argv)
{
    sio_server *io = sio_new(NULL);
    sio_on(sio_of(io, "/"), "request", on_request);
    int port = sio_listen(io, "127.0.0.1", argc > 1 ? atoi(argv[1]) : 20111);
    if (port < 0)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    printf("Server is up at 127.0.0.1:%d\n", port);
    return sio_run(io) < 0;
}
