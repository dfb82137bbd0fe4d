/* tutorial_websocket.c - plain WebSocket: a message every three seconds, and what comes back
 * SPDX-License-Identifier: MIT
 *
 *     build/tutorial_websocket [PORT [MILLISECONDS]]    then open http://localhost:8005 */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static void push(sio_server *io, void *data)
{
    static const char text[] = "Hello from the server";
    (void)data;
    sio_ws_broadcast(io, "/", true, text, sizeof text - 1);
}

static void on_open(sio_ws *ws)
{
    printf("%s connected\n", sio_ws_address(ws));
}

static void on_message(sio_ws *ws, bool text, const void *p, size_t n)
{
    printf("%s %s: %.*s\n", sio_ws_address(ws), text ? "says" : "sends", text ? (int)n : 0,
           (const char *)p);
}

static void on_close(sio_ws *ws, int code, bool clean)
{
    printf("%s closed with %d, %s\n", sio_ws_address(ws), code, clean ? "in order" : "broken");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    sio_server *io = sio_new(NULL);
    sio_websocket(io, "/",
                  &(sio_ws_handlers){ .open = on_open, .message = on_message, .close = on_close });
    sio_every(io, argc > 2 ? atoi(argv[2]) : 3000, push, NULL);

    if (sio_file(io, "/", "test/tutorial_websocket.html") < 0) {
        perror("start it in the folder of sio.js");
        return 1;
    }
    int port = sio_listen(io, "127.0.0.1", argc > 1 ? atoi(argv[1]) : 8005);
    if (port < 0) {
        perror("can't listen");
        return 1;
    }
    printf("listening on %d\n", port);
    return sio_run(io) < 0;
}
